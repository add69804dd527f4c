"""The life of a charging station, whatever protocol it speaks: cars, id tokens, transactions, availability.

It is told what drivers do and what the operator wants, and tells what has happened as facts. Who speaks a protocol
turns those into messages, and decides on `TokenPresented`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from voltbench.charging.authorization import is_same_token
from voltbench.charging.evse import Evse, Grant, Transaction, likeliest
from voltbench.charging.feed import Feed
from voltbench.charging.habits import Habits
from voltbench.charging.happenings import (
    Blinked,
    Happening,
    ReservationOver,
    Sampled,
    StatusChanged,
    TokenPresented,
    TokenRefused,
    TransactionEnded,
    TransactionStarted,
)
from voltbench.charging.installed import InstalledProfiles
from voltbench.charging.lights import Colour, Lights
from voltbench.charging.powering import Powering
from voltbench.charging.profile import Purpose
from voltbench.charging.reservation import Reservation, Reservations
from voltbench.charging.sampling import Sampling
from voltbench.charging.station import StationModel
from voltbench.charging.status import KEEPING_THE_CABLE, Status, StopReason
from voltbench.charging.vehicle import Vehicle
from voltbench.errors import Conflict, NotFound
from voltbench.quantities import MS_PER_HOUR, MS_PER_SECOND, Instant, earliest

CANNOT_RESTART = "ResetFailure"
"""A fault of a station that shows only when it is to boot anew."""


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
        self.fault: str | None = None
        self.cannot_restart = False
        self.last_number = last_number
        self.happened: list[Happening] = []
        self._told: dict[int, tuple[Status, str | None]] = {}
        self._pending: dict[int, tuple[Instant, Status]] = {}
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
        return Status.AVAILABLE if self.operative else Status.UNAVAILABLE

    # --- what drivers do --------------------------------------------------------------------------------------------

    def plug_in(self, now: Instant, evse: int, vehicle: Vehicle, asked_wh: float = inf) -> None:
        """Plug a car in. Raises Conflict where there is one, InvalidInput where it does not fit."""
        at = self.evse(evse)
        if at.is_plugged:
            raise Conflict("evse", str(evse), "has a car plugged in")
        at.feed.plug_in(now, f"{evse}", vehicle, asked_wh)
        at.finished = False
        if at.grant is not None:
            self._start(now, at)
        self._settle(now)

    def unplug(self, now: Instant, evse: int) -> Vehicle | None:
        """Pull the plug; return the car as it is now. That ends its transaction, unless it may go on.

        Drivers take their cables with them, if the station lets go of them.
        """
        at = self.evse(evse)
        if at.transaction is not None and self.habits.stops_on_unplug:
            self._stop(now, at, StopReason.EV_DISCONNECTED)
        if self.habits.unlocks_on_unplug:
            at.cable_of = None
        vehicle = at.feed.unplug(now)
        at.finished = False
        self._settle(now)
        return vehicle

    def present(self, now: Instant, token: str, evse: int | None = None) -> None:
        """Show an id token to the station's reader: it ends the transaction it began, or wants to begin one.

        Who has left his cable behind gets it back first.
        """
        chosen = next((e for e in self.evses if evse in (None, e.id) and e.is_held_by(token)), None)
        if chosen is not None:
            if chosen.transaction is not None:
                self._stop(now, chosen, StopReason.LOCAL, token)
            chosen.cable_of = None
            self._blink(now, chosen.id, Colour.GREEN)
            self._settle(now)
        else:
            meant = evse if evse is not None else likeliest(self.evses, self.reservations, token)
            self.happened.append(TokenPresented(now, meant, token))

    def fail(self, now: Instant, evse: int, error: str) -> None:
        """An EVSE has a fault, which ends its transaction; 0 is the whole station. See `CANNOT_RESTART` too."""
        if evse == 0 and error == CANNOT_RESTART:
            self.cannot_restart = True
            return
        for at in self.evses if evse == 0 else [self.evse(evse)]:
            at.fault, at.grant = error, None
            if at.transaction is not None:
                self._stop(now, at, StopReason.OTHER)
        if evse == 0:
            self.fault = error
        self._settle(now)

    def repair(self, now: Instant, evse: int) -> None:
        """The fault is gone."""
        for at in self.evses if evse == 0 else [self.evse(evse)]:
            at.fault = None
        if evse == 0:
            if self.cannot_restart:
                self._told.pop(0, None)
            self.fault, self.cannot_restart = None, False
        self._settle(now)

    # --- what the operator wants ------------------------------------------------------------------------------------

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
            self._stop(now, at, StopReason.LOCAL, token)
        elif not self.may_charge(evse, token, group):
            return False
        else:
            at.grant = Grant(token, now + self.habits.connection_timeout_ms, group)
            if at.is_plugged:
                self._start(now, at)
        self._blink(now, evse, Colour.GREEN)
        self._settle(now)
        return True

    def refuse(self, now: Instant, evse: int, token: str, why: str) -> None:
        """Tell somebody who showed an id token that he may not charge."""
        self.happened.append(TokenRefused(now, evse, token, why))
        self._blink(now, evse, Colour.RED)

    def _blink(self, now: Instant, evse: int, colour: Colour) -> None:
        if self.lights.repeat:
            self.lights.blink(now, evse, colour)
            self.happened.append(Blinked(now, evse, colour, self.lights.repeat))

    def stop(self, now: Instant, evse: int, reason: StopReason) -> None:
        """End the transaction at an EVSE, if any."""
        at = self.evse(evse)
        if at.transaction is not None:
            self._stop(now, at, reason)
            self._settle(now)

    def bar(self, now: Instant, number: int) -> None:
        """Its token turned out to be no good: a transaction stops, or is suspended after the energy it may take."""
        at = self.transaction(number)
        if at is None or at.transaction is None:
            return
        if self.habits.stops_on_invalid:
            self._stop(now, at, StopReason.DE_AUTHORIZED)
        else:
            at.transaction.barred, at.transaction.grace_wh = True, self.habits.grace_wh
        self._settle(now)

    def set_operative(self, now: Instant, evse: int, operative: bool) -> bool:
        """Let an EVSE (0: all of them) be used, or not. Return False where that has to wait for a transaction's end.

        No EVSE of a station that may not be used may be used.
        """
        at_once, operative = True, operative and (evse == 0 or self.operative)
        for at in self.evses if evse == 0 else [self.evse(evse)]:
            busy = at.transaction is not None and not operative
            at.becomes_operative = operative if busy else None
            at.operative = at.operative if busy else operative
            if not at.operative:
                at.grant = None
            at_once = at_once and not busy
        if evse == 0:
            self.operative = operative
        self._settle(now)
        return at_once

    def reserve(self, now: Instant, reservation: Reservation) -> Status | None:
        """Keep an EVSE for somebody. Return None, or what the EVSE is that it cannot be."""
        found = self._in_the_way(reservation)
        if found is None:
            self.reservations.held[reservation.id] = reservation
            self._settle(now)
        return found

    def _in_the_way(self, wanted: Reservation) -> Status | None:
        replaced = self.reservations.held.get(wanted.id)
        if wanted.evse == 0:
            statuses = {at.status() for at in self.evses}
            roaming = sum(r.evse == 0 and r.id != wanted.id for r in self.reservations.held.values())
            if sum(at.status() is Status.AVAILABLE for at in self.evses) > roaming or replaced is not None:
                return None
            return next((s for s in (Status.FAULTED, Status.UNAVAILABLE) if statuses == {s}), Status.CHARGING)
        status = self.evse(wanted.evse).status()
        if status is Status.AVAILABLE or (replaced is not None and replaced.evse == wanted.evse):
            return None
        return status

    def cancel_reservation(self, now: Instant, id: int) -> bool:
        """Keep an EVSE no longer. Return whether there was such a reservation."""
        found = self.reservations.held.pop(id, None)
        self._settle(now)
        return found is not None

    def unlock(self, now: Instant, evse: int) -> None:
        """Let go of the plug, which ends the transaction first."""
        self.stop(now, evse, StopReason.UNLOCK_COMMAND)
        self.evse(evse).cable_of = None
        self._settle(now)

    def maintain(self, now: Instant, begins: bool) -> None:
        """Work on the station begins, or is over: until then nobody new may charge. Transactions go on."""
        for at in self.evses:
            at.in_maintenance = begins
            at.grant = None if begins else at.grant
        self._settle(now)

    def restart_failed(self, now: Instant) -> None:
        """The station was to boot anew and could not: that is all there is to tell."""
        self.happened.append(StatusChanged(now, 0, self.status(0), CANNOT_RESTART))

    def restart(self, now: Instant, reason: StopReason) -> None:
        """The station boots anew: transactions end, nobody is granted anything. Cars stay plugged in."""
        for at in self.evses:
            if at.transaction is not None:
                self._stop(now, at, reason)
            at.grant, at.finished, at.cable_of = None, False, None
        self._told.clear()
        self._pending.clear()
        self._settle(now)

    def changed(self, now: Instant) -> None:
        """Profiles or habits have changed."""
        self._settle(now)

    # --- time -------------------------------------------------------------------------------------------------------

    def next_wakeup(self) -> Instant | None:
        """When something is due by itself."""
        return earliest(self._changes_at, self.sampling.next_wakeup)

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
        self._settle(now)

    # --- transactions -----------------------------------------------------------------------------------------------

    def _start(self, now: Instant, at: Evse) -> None:
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

    def _stop(self, now: Instant, at: Evse, reason: StopReason, token: str | None = None) -> None:
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

    def _settle(self, now: Instant) -> None:
        """After a change: share power anew, and tell of each status that is another one."""
        reserved = {r.evse for r in self.reservations.held.values()}
        for at in self.evses:
            at.is_reserved = at.id in reserved
        self.powering.update(now)
        self._bar_energy(now)
        for evse in range(len(self.evses) + 1):
            self._tell(now, evse)
        self._changes_at = self._next_change()

    def _next_change(self) -> Instant | None:
        due = earliest(self.powering.next_wakeup, self.reservations.next_expiry())
        for at in self.evses:
            due = earliest(due, at.feed.next_wakeup(), at.grant.until if at.grant is not None else None)
        return earliest(due, *(instant for instant, _ in self._pending.values()))

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

    def _tell(self, now: Instant, evse: int) -> None:
        status, error = self.status(evse), self.evse(evse).fault if evse else self.fault
        if self._told.get(evse) == (status, error):
            self._pending.pop(evse, None)
            return
        since, pending = self._pending.get(evse, (None, None))
        wait_ms = self.habits.minimum_status_ms if evse in self._told else 0
        if wait_ms and pending is not status:
            self._pending[evse] = (now + wait_ms, status)
        elif not wait_ms or (since is not None and since <= now):
            self._pending.pop(evse, None)
            self._told[evse] = (status, error)
            self.happened.append(StatusChanged(now, evse, status, error))
