"""The drivers that come to one charging station, whatever protocol it speaks: they plug in, show a token, and leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol

from voltbench.charging.evse import Evse
from voltbench.charging.happenings import Happening, StatusChanged, TokenRefused, TransactionEnded, TransactionStarted
from voltbench.charging.path import can_plug_in
from voltbench.charging.status import Status, StopReason
from voltbench.charging.vehicle import Vehicle
from voltbench.quantities import MS_PER_SECOND, DurationMs, Instant
from voltbench.running.visits import Visit

TO_THE_READER_MS = (3 * MS_PER_SECOND, 20 * MS_PER_SECOND)
"""How long it takes a driver from plugging in to showing a token."""

PATIENCE_MS = 90 * MS_PER_SECOND
"""How long a driver waits for charging to begin before pulling the plug again."""


class Driven(Protocol):
    """A station as its drivers see it."""

    def evses(self) -> list[Evse]:
        """Its EVSEs."""

    def plug_in(self, now: Instant, evse: int, vehicle: Vehicle, asked_wh: float) -> None:
        """Plug a car in."""

    def present(self, now: Instant, token: str, evse: int) -> None:
        """Show an id token."""

    def unplug(self, now: Instant, evse: int) -> None:
        """Pull the plug."""


@dataclass(slots=True)
class _Stay:
    """A driver at an EVSE; one who `has_to_go` waits for nothing but an answer."""

    visit: Visit
    token: str
    evse: int
    is_refused: bool = False
    has_to_go: bool = False


class Drivers:
    """Who comes to a station, one visit after another; a visit for which nothing is free goes elsewhere.

    `visits` are in order of arrival and may never end; `token` gives the id token of the next driver, whether or not
    there is a place for him; `chance` numbers from 0 to 1. `speed` is how much faster time passes here than where the
    answers come from: so much longer they are waited for.
    """

    __slots__ = (
        "_chance",
        "_coming",
        "_due",
        "_here",
        "_number",
        "_patience_ms",
        "_station",
        "_token",
        "_visits",
        "deauthorized",
        "refused",
        "turned_away",
    )

    def __init__(
        self,
        station: Driven,
        visits: Iterator[Visit],
        token: Callable[[], str],
        chance: Callable[[], float],
        speed: float = 1.0,
    ) -> None:
        self._station = station
        self._visits = visits
        self._token = token
        self._chance = chance
        self._coming = next(visits, None)
        self._here: dict[int, _Stay] = {}
        self._due: list[tuple[Instant, int, Callable[[Instant], None]]] = []
        self._number = 0
        self._patience_ms = round(PATIENCE_MS * max(1.0, speed))
        self.turned_away = 0
        self.refused = 0
        self.deauthorized = 0

    # --- time -------------------------------------------------------------------------------------------------------

    def next_wakeup(self) -> Instant | None:
        """When a driver does something."""
        due = [self._due[0][0]] if self._due else []
        due += [self._coming.arrives_at] if self._coming is not None else []
        return min(due, default=None)

    def wake(self, now: Instant) -> None:
        """Let drivers do what they are about to do; who leaves makes room for who comes."""
        while self._due and self._due[0][0] <= now:
            heappop(self._due)[2](now)
        while self._coming is not None and self._coming.arrives_at <= now:
            visit, self._coming = self._coming, next(self._visits, None)
            self._arrive(now, visit)

    def all_leave(self, now: Instant) -> None:
        """It is over: everybody leaves, and nobody comes any more."""
        self._coming = None
        for stay in tuple(self._here.values()):
            self._leave(now, stay)

    def _at(self, due: Instant, act: Callable[[Instant], None]) -> None:
        self._number += 1
        heappush(self._due, (due, self._number, act))

    # --- a stay -----------------------------------------------------------------------------------------------------

    def _arrive(self, now: Instant, visit: Visit) -> None:
        token, evse = self._token(), self._free(visit)
        if evse is None:
            self.turned_away += 1
            return
        stay = self._here[evse] = _Stay(visit, token, evse)
        self._station.plug_in(now, evse, visit.vehicle, visit.asked_wh)
        shortest, longest = TO_THE_READER_MS
        shows_at = now + shortest + int(self._chance() * (longest - shortest))
        self._at(shows_at, lambda at: self._show(at, stay))
        self._at(max(visit.departs_at, shows_at + PATIENCE_MS), lambda at: self._depart(at, stay))

    def _free(self, visit: Visit) -> int | None:
        for evse in self._station.evses():
            fits = can_plug_in(visit.vehicle, evse.feed.model)
            if fits and not evse.is_plugged and evse.status() is Status.AVAILABLE:
                return evse.id
        return None

    def _show(self, now: Instant, stay: _Stay) -> None:
        if self._here.get(stay.evse) is not stay:
            return
        self._station.present(now, stay.token, stay.evse)
        self._at(now + self._patience_ms, lambda at: self._give_up(at, stay))

    def _depart(self, now: Instant, stay: _Stay) -> None:
        """His time is over; who has not been answered yet waits for that."""
        evse = self._station.evses()[stay.evse - 1]
        if evse.transaction is not None or evse.finished or stay.is_refused:
            self._leave(now, stay)
        else:
            stay.has_to_go = True

    def _give_up(self, now: Instant, stay: _Stay) -> None:
        """Nothing has begun: the driver goes elsewhere."""
        evse = self._station.evses()[stay.evse - 1]
        if self._here.get(stay.evse) is stay and evse.transaction is None and not evse.finished:
            self._leave(now, stay)

    def _leave(self, now: Instant, stay: _Stay) -> None:
        if self._here.get(stay.evse) is not stay:
            return
        del self._here[stay.evse]
        evse = self._station.evses()[stay.evse - 1]
        if evse.transaction is not None and evse.transaction.token == stay.token:
            self._station.present(now, stay.token, stay.evse)
        self._station.unplug(now, stay.evse)
        if evse.holds_cable:
            self._station.present(now, stay.token, stay.evse)

    def hear(self, now: Instant, fact: Happening) -> None:
        """Something has happened at the station: who has what he came for may leave, and who gets nothing."""
        if isinstance(fact, TransactionStarted):
            self._begun(now, fact)
        elif isinstance(fact, TransactionEnded):
            self._ended(now, fact)
        elif isinstance(fact, TokenRefused):
            self._refuse(now, fact)
        elif isinstance(fact, StatusChanged) and fact.status is Status.SUSPENDED_EV:
            stay = self._here.get(fact.evse)
            if stay is not None and stay.visit.leaves_satisfied:
                self._at(now + self._walk_ms(), lambda at: self._leave(at, stay))

    def _begun(self, now: Instant, fact: TransactionStarted) -> None:
        stay = self._here.get(fact.transaction.evse)
        if stay is not None and stay.has_to_go:
            self._at(now + self._walk_ms(), lambda at: self._leave(at, stay))

    def _ended(self, now: Instant, fact: TransactionEnded) -> None:
        if fact.reason is StopReason.DE_AUTHORIZED:
            self.deauthorized += 1
            stay = self._here.get(fact.transaction.evse)
            if stay is not None:
                self._at(now + self._walk_ms(), lambda at: self._leave(at, stay))

    def _refuse(self, now: Instant, fact: TokenRefused) -> None:
        self.refused += 1
        stay = self._here.get(fact.evse)
        if stay is not None and stay.token == fact.token:
            stay.is_refused = True
            self._at(now + self._walk_ms(), lambda at: self._give_up(at, stay))

    def _walk_ms(self) -> DurationMs:
        return int((0.5 + self._chance()) * 60 * MS_PER_SECOND)
