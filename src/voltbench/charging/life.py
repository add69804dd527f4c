"""The life of a charging station, whatever protocol it speaks: cars, id tokens, transactions, availability.

It is told what drivers do (`deeds`) and what the operator wants (`wishes`), and tells what has happened as facts. Who
speaks a protocol turns those into messages, and decides on `TokenPresented`.
"""

from __future__ import annotations

from collections.abc import Sequence

from voltbench.charging.authorization import is_same_token
from voltbench.charging.evse import Evse, Grant, Transaction
from voltbench.charging.feed import Feed
from voltbench.charging.habits import Habits
from voltbench.charging.happenings import (
    Blinked,
    Happening,
    ReservationOver,
    Sampled,
    StatusChanged,
    TokenRefused,
    TransactionEnded,
    TransactionStarted,
)
from voltbench.charging.installed import InstalledProfiles
from voltbench.charging.lights import Colour, Lights
from voltbench.charging.powering import Powering
from voltbench.charging.profile import Purpose
from voltbench.charging.reservation import Reservations
from voltbench.charging.sampling import Sampling
from voltbench.charging.station import StationModel
from voltbench.charging.status import KEEPING_THE_CABLE, Status, StopReason
from voltbench.charging.statuses import Statuses
from voltbench.errors import NotFound
from voltbench.quantities import MS_PER_HOUR, MS_PER_SECOND, Instant, earliest


class StationLife:
    """A charging station with its EVSEs, numbered from 1. Between two wake-ups nothing happens but what it is told."""

    def __init__(self, model: StationModel, registers_wh: Sequence[float] = (), last_number: int = 0) -> None:
        registers = [*registers_wh, *[0.0] * len(model.connectors)]
        feeds = [Feed(model, connector, register) for connector, register in zip(model.connectors, registers)]  # noqa: B905
        self.model = model
        self.evses = [Evse(i, feed) for i, feed in enumerate(feeds, 1)]
        self.habits = Habits()
        self.profiles = InstalledProfiles()
        self.powering = Powering(model, self.evses, self.profiles)
        self.reservations = Reservations()
        self.sampling = Sampling()
        self.lights = Lights()
        self.operative = True
        self.in_maintenance = False
        self.fault: str | None = None
        self.cannot_restart = False
        self.last_number = last_number
        self.happened: list[Happening] = []
        self.statuses = Statuses()
        self._changes_at: Instant | None = None

    # --- what it is -------------------------------------------------------------------------------------------------

    def evse(self, id: int) -> Evse:
        """An EVSE by its number. Raises NotFound."""
        if not 1 <= id <= len(self.evses):
            raise NotFound("evse", str(id))
        return self.evses[id - 1]

    def transaction(self, number: int) -> Evse | None:
        """The EVSE where a transaction goes on."""
        return next((e for e in self.evses if e.transaction is not None and e.transaction.number == number), None)

    def status(self, evse: int) -> Status:
        """What an EVSE is, or the station itself."""
        if evse:
            return self.evse(evse).status()
        if self.fault is not None:
            return Status.FAULTED
        return Status.AVAILABLE if self.operative and not self.in_maintenance else Status.UNAVAILABLE

    # --- who may charge ---------------------------------------------------------------------------------------------

    def may_charge(self, evse: int, token: str, group: str | None) -> bool:
        """Whether an EVSE could be used by somebody now: it works, is free, and is not kept for others."""
        at = self.evse(evse)
        works = at.fault is None and at.operative and self.operative and not at.in_maintenance
        if at.transaction is not None or at.holds_cable or not works:
            return False
        free = sum(other.is_idle for other in self.evses if other is not at)
        return not self.reservations.bars(evse, free, token, group)

    def grant(self, now: Instant, evse: int, token: str, group: str | None = None) -> bool:
        """Let somebody charge, as soon as a car is plugged in; return whether that can be.

        A token of the same group as the transaction that goes on there ends it.
        """
        at = self.evse(evse)
        running = at.transaction
        if running is not None and is_same_token(running.group, group):
            self.end(now, at, StopReason.LOCAL, token)
        elif not self.may_charge(evse, token, group):
            return False
        else:
            at.grant = Grant(token, now + self.habits.connection_timeout_ms, group)
            if at.is_plugged:
                self.begin(now, at)
        self.blink(now, evse, Colour.GREEN)
        self.changed(now)
        return True

    def refuse(self, now: Instant, evse: int, token: str, why: str) -> None:
        """Tell somebody who showed an id token that he may not charge."""
        self.happened.append(TokenRefused(now, evse, token, why))
        self.blink(now, evse, Colour.RED)

    def blink(self, now: Instant, evse: int, colour: Colour) -> None:
        """Answer whoever showed an id token by the lights."""
        if self.lights.repeat:
            self.lights.blink(now, evse, colour)
            self.happened.append(Blinked(now, evse, colour, self.lights.repeat))

    def stop(self, now: Instant, evse: int, reason: StopReason) -> None:
        """End the transaction at an EVSE, if any."""
        at = self.evse(evse)
        if at.transaction is not None:
            self.end(now, at, reason)
            self.changed(now)

    def bar(self, now: Instant, number: int) -> None:
        """Its token turned out to be no good: a transaction stops, or is suspended after the energy it may take."""
        at = self.transaction(number)
        if at is None or at.transaction is None:
            return
        if self.habits.stops_on_invalid:
            self.end(now, at, StopReason.DE_AUTHORIZED)
        else:
            at.transaction.barred, at.transaction.grace_wh = True, self.habits.grace_wh
        self.changed(now)

    # --- time -------------------------------------------------------------------------------------------------------

    def next_wakeup(self) -> Instant | None:
        """When something is due by itself."""
        changes_at, read_at = self._changes_at, self.sampling.next_wakeup
        return read_at if changes_at is None or (read_at is not None and read_at < changes_at) else changes_at

    def wake(self, now: Instant) -> None:
        """Do what is due."""
        if self._changes_at is not None and self._changes_at <= now:
            self._change(now)
        for evse, by_clock in self.sampling.due(now):
            at = self.evses[evse - 1]
            self.happened.append(Sampled(now, evse, at.transaction, at.feed.reading(now), by_clock))

    def _change(self, now: Instant) -> None:
        """Cars go over into the next stretch of their curve, limits and statuses change, and time is over for some."""
        for at in self.evses:
            at.feed.wake(now)
            if at.grant is not None and at.grant.until <= now:
                at.grant = None
        for reservation in self.reservations.expired(now):
            self.happened.append(ReservationOver(now, reservation.id))
        self.changed(now)

    # --- transactions -----------------------------------------------------------------------------------------------

    def begin(self, now: Instant, at: Evse) -> None:
        """Begin the transaction of whom an EVSE is granted to; `changed` has to follow."""
        grant = at.grant
        assert grant is not None
        used = self.reservations.used_by(at.id, grant.token, grant.group)
        if used is not None:
            del self.reservations.held[used.id]
            self.happened.append(ReservationOver(now, used.id))
        self.last_number += 1
        at.transaction = Transaction(
            number=self.last_number,
            evse=at.id,
            token=grant.token,
            started_at=now,
            register_start_wh=at.feed.energy_wh(now),
            group=grant.group,
            reservation=used.id if used is not None else None,
        )
        at.grant, at.finished = None, False
        at.cable_of = grant.token if at.feed.model.is_socket else None
        at.feed.switch(now, True)
        self.sampling.begin(at.id, now)
        self.happened.append(TransactionStarted(now, at.transaction, at.feed.reading(now)))

    def end(self, now: Instant, at: Evse, reason: StopReason, token: str | None = None) -> None:
        """End the transaction of an EVSE; `changed` has to follow."""
        transaction = at.transaction
        assert transaction is not None
        at.feed.switch(now, False)
        at.transaction, at.finished = None, at.is_plugged
        at.cable_of = at.cable_of if reason in KEEPING_THE_CABLE else None
        if at.becomes_operative is not None:
            at.operative, at.becomes_operative = at.becomes_operative, None
        self.sampling.end(at.id)
        self.profiles.clear(lambda evse, profile: evse == at.id and profile.purpose is Purpose.TX)
        self.happened.append(TransactionEnded(now, transaction, at.feed.reading(now), reason, token))

    # --- what follows from a change ---------------------------------------------------------------------------------

    def changed(self, now: Instant) -> None:
        """Something is otherwise, profiles or habits too: share power anew, and tell of each status that is new."""
        self.profiles.expire(now)
        reserved = {r.evse for r in self.reservations.held.values()}
        for at in self.evses:
            at.is_reserved = at.id in reserved
        self.powering.update(now)
        self._bar_energy(now)
        self._tell(now, 0, self.status(0), self.fault)
        for at in self.evses:
            self._tell(now, at.id, at.status(), at.fault)
        self._changes_at = self._next_change()

    def _next_change(self) -> Instant | None:
        due = earliest(self.powering.next_wakeup, self.reservations.next_expiry(), self.profiles.next_expiry())
        for at in self.evses:
            due = earliest(due, at.feed.next_wakeup(), at.grant.until if at.grant is not None else None)
        return earliest(due, self.statuses.next_wakeup())

    def _bar_energy(self, now: Instant) -> None:
        """Who is barred gets the energy he may still take, and no more."""
        for at in self.evses:
            if at.transaction is not None and at.transaction.barred:
                left_wh = at.transaction.grace_wh - (at.feed.energy_wh(now) - at.transaction.register_start_wh)
                if left_wh <= 0.0:
                    at.feed.allow(now, 0.0)
                else:
                    longest_ms = max(MS_PER_SECOND, int(left_wh / max(at.feed.rating_w, 1.0) * MS_PER_HOUR))
                    self.powering.wake_at(now + longest_ms)

    def _tell(self, now: Instant, evse: int, status: Status, error: str | None) -> None:
        if self.statuses.are_news(now, evse, status, error, self.habits.minimum_status_ms):
            self.happened.append(StatusChanged(now, evse, status, error))
