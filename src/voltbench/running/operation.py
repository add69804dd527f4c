"""A site in operation: sessions, stationary battery, loads and the controller, together on one clock.

Each plugged-in session lives in a *bay*, a twin of its own on the World; the operation is the twin that acts. It acts
at every event that can change a limit, once for all that is due at one instant, and at its interval while a shared
limit binds and some demand drifts. Between two actions every limit is constant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

import msgspec

from voltbench.charging.reported import ReportedSession
from voltbench.energy.allocate import BY_PLAN, BY_TURN
from voltbench.energy.claim import PLAN, UNBOUND, Claim, certainly_fit, room_after, row_name
from voltbench.energy.commit import Aim
from voltbench.energy.control import ControlOptions, SiteController, Target
from voltbench.energy.gate import GateState
from voltbench.energy.steps import settable, step_above
from voltbench.engine import CONTROL, PHYSICS, World
from voltbench.errors import Conflict, NotFound
from voltbench.events import Fact, LimitSet, SessionEnded, SessionSatisfied, SessionStarted, StorageSet
from voltbench.quantities import MS_PER_HOUR, POWER_TOLERANCE_W, Instant, earliest
from voltbench.running.balance import Balance
from voltbench.running.bay import Bay, BayState, Session
from voltbench.running.courses import behind_the_plan
from voltbench.running.foresight import Foresight
from voltbench.running.publication import Publication
from voltbench.running.rolling_plan import RollingPlan
from voltbench.site.limits import LimitTree
from voltbench.site.series import StepSeries
from voltbench.site.storage import Storage
from voltbench.site.tariff import Tariff


class OperationState(msgspec.Struct, frozen=True):
    """A site in operation, to be remembered."""

    acted_at: Instant
    due: Instant | None
    next_change: Instant | None
    is_tight: bool
    tight_ms: int
    gate: GateState
    bays: tuple[BayState, ...]


class Operation:
    """The twin that runs a site: plug in, unplug, and everything between follows.

    `raters` names what each connector's rating is due to. A plan goes by `tariff` as far as it is `published`, and has
    everything done when the story `ends_at`. `on_fact` hears all but limits, which are many and which `on_limit` hears.
    """

    def __init__(
        self,
        world: World,
        tree: LimitTree,
        options: ControlOptions | None = None,
        storage: Storage | None = None,
        load_w: StepSeries | None = None,
        generation_w: StepSeries | None = None,
        export_limit_w: float = inf,
        *,
        raters: Mapping[str, str] | None = None,
        tariff: Tariff | None = None,
        published: Publication | None = None,
        ends_at: Instant | None = None,
        on_fact: Callable[[Fact], None] | None = None,
        on_limit: Callable[[LimitSet], None] | None = None,
    ) -> None:
        self.world = world
        self.tree = tree
        self.options = options or ControlOptions()
        self.storage = storage
        self.controller = SiteController(tree, self.options, storage)
        self.bays: dict[str, Bay] = {}
        self.balance = Balance(self.bays, storage, load_w, generation_w, export_limit_w)
        self.tight_ms, self._is_tight = 0, False
        self._occupied: dict[str, Bay] = {}
        foresight = Foresight(tree, self.balance, tariff, ends_at, published)
        self._plan = RollingPlan(tree, foresight, self._occupied) if self.options.strategy in BY_PLAN else None
        self._wanting: dict[str, Bay] = {}
        self._done: list[Bay] = []
        self._storage_told_w = storage.setpoint_w if storage is not None else 0.0
        self._raters = raters or {}
        self._on_fact = on_fact
        self._on_limit = on_limit
        self._acted_at = world.now
        self._due: Instant | None = world.now
        self._next_change: Instant | None = None
        world.add(self, CONTROL)

    # --- what it is told -------------------------------------------------------------------------------------------

    def plug_in(
        self,
        now: Instant,
        connector: str,
        session: Session,
        weight: float = 1.0,
        priority: int = 0,
        failsafe_w: float = 0.0,
        is_hurried: bool = False,
    ) -> Bay:
        """A vehicle arrives at a connector. Raises Conflict when it is occupied, NotFound when there is none.

        It falls back to its failsafe when nothing is heard of it for too long. Who is hurried no plan lets wait.
        """
        if connector in self._occupied:
            raise Conflict("connector", connector, f"is occupied by session {self._occupied[connector].session.id!r}")
        if session.id in self.bays:
            raise Conflict("session", session.id, "exists already")
        claim = self._claim(connector, session, weight, priority, is_hurried)
        commitment = self.controller.commitments.join(claim, failsafe_w)
        bay = self._put(Bay(connector, session, claim, commitment, self.session_changed))
        self._tell(SessionStarted(now, session.id, connector))
        if session.is_satisfied:
            self._tell(SessionSatisfied(now, session.id))
        self.act_soon(now)
        return bay

    def unplug(self, now: Instant, session_id: str) -> Bay:
        """A vehicle leaves; return its bay as it was. Raises NotFound."""
        bay = self.bay(session_id)
        bay.session.limit(now, 0.0)
        del self.bays[session_id], self._occupied[bay.connector]
        self._wanting.pop(session_id, None)
        self.world.remove(bay)
        self.controller.commitments.leave(session_id)
        self.controller.gate.forget(session_id)
        self._tell(SessionEnded(now, session_id, bay.session.delivered_wh(now)))
        self.act_soon(now)
        return bay

    def bay(self, session_id: str) -> Bay:
        """The bay of a session, or NotFound."""
        if session_id not in self.bays:
            raise NotFound("session", session_id)
        return self.bays[session_id]

    def at_connector(self, connector: str) -> Bay | None:
        """Who occupies a connector."""
        return self._occupied.get(connector)

    def session_changed(self, now: Instant, bay: Bay) -> None:
        """A session's own law has changed: that matters where somebody else could gain from it."""
        if bay.session.is_satisfied and self._wanting.pop(bay.session.id, None) is not None:
            self._done.append(bay)
            self._tell(SessionSatisfied(now, bay.session.id))
        if self._is_tight or self.storage is not None or self._plan is not None:
            self.act_soon(now)

    def limits_changed(self, now: Instant) -> None:
        """Somebody has set or cleared a limit of the tree; sessions keep their place in it."""
        self.controller.limits_changed()
        for bay in self.bays.values():
            bay.claim.rows = self.tree.rows_of(bay.connector, bay.session.path.phases)
        self._next_change = None
        self.foresee_otherwise(now)

    def foresee_otherwise(self, now: Instant, tariff: Tariff | None = None, known_until: Instant | None = None) -> None:
        """Limits or loads are not what a plan took them to be, or prices: these are the new ones, known until then."""
        if self._plan is not None:
            self._plan.overturn(tariff, known_until)
        self.act_soon(now)

    def act_soon(self, now: Instant) -> None:
        """Act once everything due at this instant has happened, or at the next interval where it acts only then."""
        if not self.options.on_events:
            now = _at_or_after(now, self.options.interval_ms)
        if self._due is None or now < self._due:
            self._due = now
            self.world.reschedule(self)

    # --- stopping and going on -------------------------------------------------------------------------------------

    def state(self) -> OperationState:
        """All there is to remember between two instants, except for what sessions and storage remember themselves."""
        return OperationState(
            acted_at=self._acted_at,
            due=self._due,
            next_change=self._next_change,
            is_tight=self._is_tight,
            tight_ms=self.tight_ms,
            gate=self.controller.gate.state(),
            bays=tuple(
                BayState(id, bay.connector, bay.binding, bay.claim.weight, bay.claim.priority, bay.commitment.state())
                for id, bay in self.bays.items()
            ),
        )

    def resume(self, state: OperationState, sessions: Mapping[str, Session]) -> None:
        """Be as remembered, with these sessions by id; nobody has come or gone yet."""
        for known in state.bays:
            claim = self._claim(known.connector, sessions[known.session], known.weight, known.priority)
            commitment = self.controller.commitments.resume(claim, known.commitment)
            bay = self._put(Bay(known.connector, sessions[known.session], claim, commitment, self.session_changed))
            bay.binding = known.binding
        self.controller.gate.resume(state.gate)
        self._acted_at, self._is_tight, self.tight_ms = state.acted_at, state.is_tight, state.tight_ms
        self._storage_told_w = self.storage.setpoint_w if self.storage is not None else 0.0
        self._due, self._next_change = state.due, state.next_change
        self.world.reschedule(self)

    # --- what it measures --------------------------------------------------------------------------------------------

    def binding_of(self, bay: Bay) -> str:
        """What holds a session back: a limit (with its source where there are several), what its charger is rated for,
        the vehicle, its turn, that nothing is heard of it, or that it takes no limits.
        """
        if bay.commitment.is_silent:
            return "refusal" if bay.commitment.refuses else "silence"
        session = bay.session
        reported_w = session.maximum_w if isinstance(session, ReportedSession) else 0.0
        if bay.binding == UNBOUND and reported_w > session.path.rating_w + POWER_TOLERANCE_W:
            return self._raters.get(bay.connector, bay.connector)
        name, source = row_name(self.tree, bay.binding), self.tree.deciding_source(bay.binding, self._acted_at)
        return f"{name} ({source})" if source else name

    def excess(self, now: Instant, session_id: str | None = None) -> tuple[float, str]:
        """The largest amount by which worst-case draws break a limit (negative when none does), and its name.

        Of all limits, or of those above one session: the law the bench keeps at every instant. It is meant for checks.
        """
        worst = self._at_worst(now)
        bounds = self.controller.bounds_in_force(now, self.balance.background_w(now))
        rows = self.bay(session_id).claim.rows if session_id is not None else None
        over, row = room_after(bounds, [known.claim for known, _ in worst], [w for _, w in worst]).excess(rows)
        return over, row_name(self.tree, row)

    # --- acting ------------------------------------------------------------------------------------------------------

    def next_wakeup(self) -> Instant | None:
        """When it acts next."""
        of_storage = self.storage.next_wakeup() if self.storage is not None else None
        return earliest(self._due, self._next_change, of_storage)

    def wake(self, now: Instant) -> None:
        """Act."""
        self.act(now)

    def act(self, now: Instant) -> None:
        """Look at what everybody wants, aim, and make it so: lower, let the battery help, raise."""
        self.tight_ms += (now - self._acted_at) * self._is_tight
        self._acted_at = now
        for order in self.controller.commitments.fallen_back(now):
            self.bays[order.id].session.fall_back(now, order.power_w)
            self.controller.gate.forget(order.id)
            self._limited(now, self.bays[order.id], order.power_w)
        bays = [bay for bay in self._wanting.values() if not bay.commitment.is_silent]
        if self._plan is not None:
            self._plan.follow(now, bays)
        target = self._aim(now, bays)
        aims = list(zip([bay.commitment for bay in bays], target.powers_w, strict=True))
        for bay, row, power_w in zip(bays, target.binding, target.powers_w, strict=True):
            held_w = 0.0 if bay.claim.planned_w <= 0.0 >= power_w else bay.held_w
            bay.binding = PLAN if row == UNBOUND and held_w < bay.demand_w(now) else row
        self._commit(now, aims + self._released(), target)
        self._is_tight = target.is_tight
        self._plan_next(now, bays, target)

    def _released(self) -> list[Aim]:
        """Sessions that want no more give back what they were allowed."""
        released = [bay for bay in self._done if bay.session.id in self.bays]
        self._done.clear()
        for bay in released:
            bay.binding = UNBOUND
            self.controller.gate.forget(bay.session.id)
        return [(bay.commitment, 0.0) for bay in released]

    def _aim(self, now: Instant, bays: list[Bay]) -> Target:
        claims = [bay.claim for bay in bays]
        by_rating = self.options.by_rating
        ceiling_w = [self._rated_w(now, bay) if by_rating else bay.ceiling_w() for bay in bays]
        if self._plan is not None:
            ceiling_w = [min(most_w, self._held_w(now, bay)) for most_w, bay in zip(ceiling_w, bays, strict=True)]
        own = self.controller.own_bounds(now, self.balance.background_w(now))
        gate = self.controller.gate
        if certainly_fit(own, claims, ceiling_w) and not gate.holds_back(now):
            gate.all_served(now, claims, ceiling_w)
            return Target(ceiling_w, [UNBOUND] * len(claims), own, own, False)
        if self.controller.goes_by_need:
            for bay in bays:
                bay.claim.needed_wh = bay.session.needed_wh(now)
        demand_w = ceiling_w if by_rating else [min(w, b.demand_w(now)) for w, b in zip(ceiling_w, bays, strict=True)]
        if self._plan is not None and self.storage is None:
            demand_w = behind_the_plan(own, claims, demand_w, lambda claim: gate.keeps_on(now, claim))
        return self.controller.shared(now, claims, demand_w, own)

    def _held_w(self, now: Instant, bay: Bay) -> float:
        """The most that its plan lets a session draw; its minimum at least while it has to go on."""
        keeps_on = bay.held_w < bay.claim.minimum_w and self.controller.gate.keeps_on(now, bay.claim)
        return bay.claim.minimum_w if keeps_on else bay.held_w

    def _rated_w(self, now: Instant, bay: Bay) -> float:
        """What a connector can give, as far as its vehicle can need it until the next action."""
        if self.options.on_events:
            return bay.claim.maximum_w
        if now <= bay.needs_all_until and not self.controller.goes_by_need:
            return bay.rated_w
        claim, interval_ms = bay.claim, self.options.interval_ms
        claim.needed_wh = bay.session.needed_wh(now)
        bay.needs_all_until = now + claim.needed_wh / claim.maximum_w * MS_PER_HOUR - interval_ms
        mean_w = settable(claim, claim.needed_wh * MS_PER_HOUR / interval_ms)
        return bay.rated_w if now <= bay.needs_all_until else mean_w

    def _commit(self, now: Instant, aims: list[Aim], target: Target) -> None:
        commitments = self.controller.commitments
        for order in commitments.lowered(aims):
            self._limit(now, self.bays[order.id], order.power_w)
        if self.storage is not None and self.storage.setpoint_w > 0.0:
            self._take_less(now, self.storage, aims, target)
        raised = commitments.raised(now, aims, target.bounds)
        for id, row in commitments.held_back.items():
            self.bays[id].binding = row
        for order in raised:
            self._limit(now, self.bays[order.id], order.power_w)
        if self.storage is not None:
            self._set_storage(now, self.storage, target)

    def _take_less(self, now: Instant, storage: Storage, aims: list[Aim], target: Target) -> None:
        """Let the battery leave to the raises that follow what they need of what it takes."""
        worst = {known.claim.id: (known, power_w) for known, power_w in self._at_worst(now)}
        for known, power_w in aims:
            worst[known.claim.id] = (known, max(power_w, known.worst_w(now)))
        spare_w = self.controller.spare_w(target.own, list(worst.values()))
        storage.set_power(now, max(0.0, min(storage.setpoint_w, spare_w)))

    def _set_storage(self, now: Instant, storage: Storage, target: Target) -> None:
        worst = self._at_worst(now)
        drawn = [(known, self._drawn_w(now, self.bays[known.claim.id])) for known, _ in worst]
        storage.set_power(now, self.controller.storage_setpoint_w(now, target.own, worst, drawn))
        if storage.setpoint_w != self._storage_told_w:
            self._storage_told_w = storage.setpoint_w
            self._tell(StorageSet(now, storage.setpoint_w, storage.soc(now)))

    def _at_worst(self, now: Instant) -> list[Aim]:
        """Every device that is heard of, and the most it may draw."""
        known = (bay.commitment for bay in self.bays.values())
        return [(heard, heard.worst_w(now)) for heard in known if not heard.is_silent]

    def _drawn_w(self, now: Instant, bay: Bay) -> float:
        """The most a session draws until the next action, as far as it is known."""
        return bay.session.peak_w(now) if self.options.on_events else bay.session.limit_w

    def _limit(self, now: Instant, bay: Bay, power_w: float) -> None:
        bay.session.limit(now, power_w)
        self._limited(now, bay, power_w)

    def _limited(self, now: Instant, bay: Bay, power_w: float) -> None:
        self.world.reschedule(bay)
        if self._on_limit is not None:
            self._on_limit(LimitSet(now, bay.session.id, power_w, self.binding_of(bay)))

    def _plan_next(self, now: Instant, bays: list[Bay], target: Target) -> None:
        drifting = target.is_tight and not self.options.by_rating and any(bay.session.drifts for bay in bays)
        drifting |= self.storage is not None and self.storage.is_derating
        interval = _at_or_after(now + 1, self.options.interval_ms) if drifting else None
        if self._next_change is None or self._next_change <= now:
            self._next_change = earliest(self.tree.next_change(now), self.balance.next_change(now))
        takes_turns = target.is_tight and self.options.strategy in BY_TURN
        turn = _at_or_after(now + 1, self.options.turns.rotation_ms) if takes_turns else None
        planned = self._plan.next_wakeup(now) if self._plan is not None else None
        gates = self.controller.gate.next_turn(now)
        self._due = earliest(interval, turn, gates, planned, self.controller.commitments.next_expiry(now))

    def _claim(self, connector: str, session: Session, weight: float, priority: int, is_hurried: bool = False) -> Claim:
        path = session.path
        claim = Claim(
            id=session.id,
            rows=self.tree.rows_of(connector, path.phases),
            maximum_w=path.rating_w,
            step_w=path.step_w,
            weight=weight,
            priority=priority,
            arrived_at=session.arrived_at,
            departs_at=session.departs_at,
            is_hurried=is_hurried,
        )
        claim.minimum_w = step_above(claim, path.minimum_w)
        return claim

    def _put(self, bay: Bay) -> Bay:
        self.bays[bay.session.id] = self._occupied[bay.connector] = bay
        if not bay.session.is_satisfied:
            self._wanting[bay.session.id] = bay
        self.world.add(bay, PHYSICS)
        return bay

    def _tell(self, fact: Fact) -> None:
        if self._on_fact is not None:
            self._on_fact(fact)


def _at_or_after(now: Instant, interval_ms: int) -> Instant:
    """The first whole interval at or after an instant."""
    return -(-now // interval_ms) * interval_ms
