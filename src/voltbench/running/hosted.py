"""A hosted site: its sessions come from outside, and it answers at once with what they may draw.

It is handed each input with its instant. What was due before runs first, each thing at its due instant; then the input
is applied and the site acts, so that an answer shows the whole new allocation and nobody ever sees half of one. An
input that is refused changes nothing. The same inputs at the same instants always give the same answers: a site is
rebuilt from a snapshot and the inputs after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import overload

import msgspec

from voltbench.charging.path import path_to_connector
from voltbench.charging.reported import ReportedSession, ReportedState
from voltbench.energy.commit import Confirmation
from voltbench.energy.control import ControlOptions
from voltbench.energy.steps import step_above
from voltbench.engine import World
from voltbench.errors import Conflict, LocalProtocolError, NotFound
from voltbench.events import Fact, MeterRead
from voltbench.quantities import DurationMs, Instant
from voltbench.running.bay import Bay
from voltbench.running.formats import stamped, unstamped
from voltbench.running.inputs import Input, Recompute, SetLimit, StartSession, StopSession, UpdatePower
from voltbench.running.look import boosted_share, connector_id, look, session_view
from voltbench.running.operation import OperationState
from voltbench.running.reserve import Reserve
from voltbench.running.site_plan import Place, SitePlan
from voltbench.running.views import ENDED, LimitView, SessionView, SiteView
from voltbench.running.vigil import Vigil
from voltbench.site.storage import StorageState

RECENT_SESSIONS = 256
"""Ended sessions that a site itself remembers; the store has them all."""

MOST_SOURCES = 32
"""Sources that may limit one node from outside."""


@dataclass(frozen=True, slots=True)
class HostedPlan:
    """A site as it is built and run.

    With `lends_after_ms` a share not drawn for so long is lent to others. With `validity_ms` a limit holds for so long
    after the answer that told it, and then the charger falls back to `failsafe_w`. That every connector may draw before
    anybody hears of it.
    """

    site: SitePlan
    options: ControlOptions = field(default_factory=ControlOptions)
    lends_after_ms: DurationMs | None = None
    validity_ms: DurationMs | None = None
    failsafe_w: float = 0.0

    def can_take(self, limit: LimitView) -> bool:
        """Whether a limit from outside has its place here: its node is there, its source not the configuration's."""
        tree = self.site.tree
        return any(limit.node == node.id for node in tree.nodes) and limit.source not in tree.sources_of(limit.node)


class HostedState(msgspec.Struct, frozen=True):
    """A hosted site as it is, in full, between two events."""

    at: Instant
    operation: OperationState
    sessions: tuple[ReportedState, ...]
    storage: StorageState | None
    limits: tuple[LimitView, ...]
    recent: tuple[SessionView, ...]
    heard: tuple[tuple[str, Instant], ...] = ()


_decoder = msgspec.msgpack.Decoder(HostedState)


class HostedSite:
    """A site whose sessions come from outside. `on_fact` hears what happens, in order; it may be set at any time."""

    def __init__(
        self, plan: HostedPlan, now: Instant, limits: Iterable[LimitView] = (), recent: Iterable[SessionView] = ()
    ) -> None:
        site = plan.site
        self.plan = plan
        self.world = World(now)
        self.on_fact: Callable[[Fact], None] | None = None
        self._places = {(place.station, connector_id(place)): place for place in site.places}
        self._by_outlet = {place.connector: place for place in site.places}
        self._limits = {(limit.node, limit.source): limit for limit in limits}
        self._recent = {session.id: session for session in recent}
        tree = deepcopy(site.tree)
        for limit in self._limits.values():
            tree.set_limit(limit.node, limit.source, limit.power_w)
        self.operation = site.in_operation(self.world, plan.options, tree, on_fact=self._tell, on_limit=self._tell)
        self._vigil = Vigil(self.operation, plan.validity_ms) if plan.validity_ms is not None else None
        self._reserve = Reserve(self.operation, site.places, plan.failsafe_w)

    @property
    def now(self) -> Instant:
        """The instant up to which it has lived."""
        return self.world.now

    def next_wakeup(self) -> Instant | None:
        """When something is due next."""
        return self.world.next_wakeup()

    def advance(self, now: Instant) -> None:
        """Live up to an instant, each thing that is due at its due instant."""
        if now < self.world.now:
            raise LocalProtocolError(f"time runs backwards, from {self.world.now} to {now}")
        self.world.advance(now)

    # --- what it is told -----------------------------------------------------------------------------------------

    @overload
    def take(self, now: Instant, input: StartSession | UpdatePower | StopSession) -> SessionView: ...
    @overload
    def take(self, now: Instant, input: Recompute | SetLimit) -> SiteView: ...
    @overload
    def take(self, now: Instant, input: Input) -> SessionView | SiteView: ...
    def take(self, now: Instant, input: Input) -> SessionView | SiteView:
        """Apply an input and act; return the session it is about, or the site.

        Raises InvalidInput, NotFound or Conflict, and then nothing has changed.
        """
        self.advance(now)
        input.validate()
        match input:
            case StartSession():
                return self._start(now, input)
            case UpdatePower():
                return self._update(now, input)
            case StopSession():
                return self._stop(now, input)
            case SetLimit():
                self._set_limit(now, input)
            case Recompute():
                self._act(now)
        return self.status(now)

    def take_up(self, now: Instant, start: StartSession, held_w: float, valid_until: Instant) -> SessionView:
        """Take up a session that went on while we were not there; return it.

        Until something is heard of it, it counts with what it may still draw by what it was told before, and from
        `valid_until` on with its failsafe. Raises as `take` does.
        """
        self.advance(now)
        start.validate()
        place = self._place(start.charger, start.connector)
        session = self._session(start.session, place, start.vehicle_max_w, now)
        session.limit(now, min(held_w, session.path.rating_w))
        bay = self.operation.plug_in(now, place.connector, session, failsafe_w=self.plan.failsafe_w)
        self.operation.controller.commitments.hold(session.id, session.limit_w, valid_until)
        self._reserve.taken(place)
        _bound_minimum(bay, session)
        self._act(now)
        return self._view(now, bay)

    def still_hold(self, session_id: str, power_w: float) -> None:
        """A charger may not have taken its last limit, but hold this one: its next report confirms no less."""
        self.operation.controller.commitments.still_hold(session_id, power_w)

    def distrust(self, now: Instant, charger: str) -> None:
        """A charger takes no limits: until it is trusted it counts with its rating. Not part of a snapshot."""
        self.advance(now)
        self._reserve.distrust(charger)
        self._act(now)

    def trust(self, now: Instant, charger: str) -> None:
        """A charger takes limits after all."""
        self.advance(now)
        self._reserve.trust(charger)
        self._act(now)

    def end(self, now: Instant, reason: str) -> list[SessionView]:
        """End every session; return what became of them."""
        self.advance(now)
        ended = [self._unplug(now, bay, reason) for bay in list(self.operation.bays.values())]
        self._act(now)
        return ended

    def _start(self, now: Instant, start: StartSession) -> SessionView:
        place = self._place(start.charger, start.connector)
        if start.session in self._recent:
            raise Conflict("session", start.session, "exists already")
        session = self._session(start.session, place, start.vehicle_max_w, now)
        bay = self.operation.plug_in(now, place.connector, session, failsafe_w=self.plan.failsafe_w)
        self._reserve.taken(place)
        _bound_minimum(bay, session)
        return self._answer(now, bay)

    def _update(self, now: Instant, update: UpdatePower) -> SessionView:
        bay, session = self._running(update.session)
        session.report(now, update.consumed_w, update.vehicle_max_w)
        if self.plan.options.confirmation is Confirmation.REPORTED:
            self.operation.controller.commitments.confirm(session.id, update.consumed_w)
        _bound_minimum(bay, session)
        self.world.reschedule(bay)
        self._tell(MeterRead(now, session.id, session.power_w(now), session.delivered_wh(now)))
        return self._answer(now, bay)

    def _answer(self, now: Instant, bay: Bay) -> SessionView:
        """Act, and tell a session's client what it may draw now."""
        if self._vigil is not None:
            self._vigil.hear(now, bay.session.id)
        self._act(now)
        self.operation.controller.commitments.answer(bay.session.id)
        return self._view(now, bay)

    def _stop(self, now: Instant, stop: StopSession) -> SessionView:
        bay, session = self._running(stop.session)
        if stop.consumed_wh is not None:
            session.correct(now, stop.consumed_wh)
        ended = self._unplug(now, bay, "stopped", stop.duration_s)
        self._act(now)
        return ended

    def _unplug(self, now: Instant, bay: Bay, reason: str, duration_s: float | None = None) -> SessionView:
        before = self._view(now, bay)
        self.operation.unplug(now, bay.session.id)
        self._reserve.left(self._by_outlet[bay.connector])
        if self._vigil is not None:
            self._vigil.forget(bay.session.id)
        ended = msgspec.structs.replace(
            before,
            allocated_w=0.0,
            power_w=0.0,
            boosted_w=0.0,
            ended_at=now,
            status=ENDED,
            is_lent=False,
            reason=reason,
            reported_duration_s=duration_s,
        )
        self._remember(ended)
        return ended

    def _set_limit(self, now: Instant, limit: SetLimit) -> None:
        tree = self.operation.tree
        if limit.source in self.plan.site.tree.sources_of(limit.node):
            raise Conflict("source", limit.source, "belongs to the configuration; a limit needs a source of its own")
        if limit.power_w is None:
            self._limits.pop((limit.node, limit.source), None)
            tree.clear_limit(limit.node, limit.source)
        else:
            others = sum(node == limit.node and source != limit.source for node, source in self._limits)
            if others >= MOST_SOURCES:
                raise Conflict("node", limit.node, f"is limited by {MOST_SOURCES} sources already; take one back")
            self._limits[limit.node, limit.source] = LimitView(limit.node, limit.source, limit.power_w)
            tree.set_limit(limit.node, limit.source, limit.power_w)
        self.operation.limits_changed(now)
        self._reserve.limits_changed()
        self.world.advance(now)

    def _act(self, now: Instant) -> None:
        self.operation.act_soon(now)
        self.world.advance(now)

    # --- what there is to see --------------------------------------------------------------------------------------

    def status(self, now: Instant) -> SiteView:
        """The site at an instant, which is not before the last one."""
        self.advance(now)
        site = self.plan.site
        capacity_w, limits = site.tree.bounds(now)[0], self._limits.values()
        return look(site.id, now, self.operation, site.places, capacity_w, limits, self._reserve.distrusted)

    def session(self, now: Instant, id: str) -> SessionView:
        """A session that is running or has ended lately, or NotFound."""
        self.advance(now)
        if id in self._recent:
            return self._recent[id]
        return self._view(now, self.operation.bay(id))

    @property
    def limits(self) -> list[LimitView]:
        """The limits that were set from outside."""
        return list(self._limits.values())

    @property
    def recent(self) -> list[SessionView]:
        """Sessions that have ended lately, the last ended last."""
        return list(self._recent.values())

    # --- stopping and going on ---------------------------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """The whole state as bytes (MessagePack, after their format), between two events; taking it changes nothing."""
        state = HostedState(
            at=self.world.now,
            operation=self.operation.state(),
            sessions=tuple(_reported(bay).state() for bay in self.operation.bays.values()),
            storage=self.operation.storage.state() if self.operation.storage is not None else None,
            limits=tuple(self._limits.values()),
            recent=tuple(self._recent.values()),
            heard=self._vigil.state() if self._vigil is not None else (),
        )
        return stamped(msgspec.msgpack.encode(state))

    @classmethod
    def restore(cls, plan: HostedPlan, snapshot: bytes) -> HostedSite:
        """The site of this plan as it was when the snapshot was taken. InvalidInput when its format is not ours."""
        state = _decoder.decode(unstamped(snapshot))
        site = cls(plan, state.at, state.limits, state.recent)
        outlet = {bay.session: bay.connector for bay in state.operation.bays}
        sessions = {known.id: site._remembered(known, outlet[known.id]) for known in state.sessions}
        if state.storage is not None and site.operation.storage is not None:
            site.operation.storage.resume(state.storage)
        site.operation.resume(state.operation, sessions)
        if site._vigil is not None:
            site._vigil.resume(state.heard)
        for id, session in sessions.items():
            bay = site.operation.bay(id)
            site._reserve.taken(site._by_outlet[bay.connector])
            _bound_minimum(bay, session)
        return site

    # --- inside ------------------------------------------------------------------------------------------------------

    def _place(self, charger: str, connector: str) -> Place:
        place = self._places.get((charger, connector))
        if place is not None:
            return place
        if any(station == charger for station, _ in self._places):
            raise NotFound("connector", f"{charger}:{connector}")
        raise NotFound("charger", charger)

    def _running(self, id: str) -> tuple[Bay, ReportedSession]:
        if id in self._recent:
            raise Conflict("session", id, "has ended")
        bay = self.operation.bay(id)
        return bay, _reported(bay)

    def _session(self, id: str, place: Place, maximum_w: float, now: Instant) -> ReportedSession:
        return ReportedSession(
            id,
            path_to_connector(place.station_model, place.connector_model),
            maximum_w,
            now,
            follows_at_once=self.plan.options.confirmation is Confirmation.INSTANT,
            lends_after_ms=self.plan.lends_after_ms,
        )

    def _remembered(self, state: ReportedState, outlet: str) -> ReportedSession:
        session = self._session(state.id, self._by_outlet[outlet], state.maximum_w, state.arrived_at)
        session.resume(state)
        return session

    def _view(self, now: Instant, bay: Bay) -> SessionView:
        place = self._by_outlet[bay.connector]
        return session_view(now, self.operation, bay, place, boosted_share(now, self.operation))

    def _remember(self, ended: SessionView) -> None:
        self._recent[ended.id] = ended
        while len(self._recent) > RECENT_SESSIONS:
            del self._recent[next(iter(self._recent))]

    def _tell(self, fact: Fact) -> None:
        if self.on_fact is not None:
            self.on_fact(fact)


def _reported(bay: Bay) -> ReportedSession:
    assert isinstance(bay.session, ReportedSession)
    return bay.session


def _bound_minimum(bay: Bay, session: ReportedSession) -> None:
    """What a vehicle can take bounds the smallest power it is offered too: 6 A on three phases is a lot for some."""
    bay.claim.minimum_w = step_above(bay.claim, min(session.path.minimum_w, session.ceiling_w))
