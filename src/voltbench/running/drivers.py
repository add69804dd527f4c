"""The drivers that come to one charging station, whatever protocol it speaks: they plug in, show a token, and leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol

from voltbench.charging.evse import Evse
from voltbench.charging.happenings import Happening, StatusChanged, TokenRefused
from voltbench.charging.path import can_plug_in
from voltbench.charging.status import Status
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
    """A driver at an EVSE."""

    visit: Visit
    token: str
    evse: int


class Drivers:
    """Who comes to a station, one visit after another; a visit for which nothing is free goes elsewhere.

    `visits` are in order of arrival and may never end; `token` gives the id token of the next driver, `chance` numbers
    from 0 to 1.
    """

    __slots__ = (
        "_chance",
        "_coming",
        "_due",
        "_here",
        "_number",
        "_station",
        "_token",
        "_visits",
        "refused",
        "turned_away",
    )

    def __init__(
        self, station: Driven, visits: Iterator[Visit], token: Callable[[], str], chance: Callable[[], float]
    ) -> None:
        self._station = station
        self._visits = visits
        self._token = token
        self._chance = chance
        self._coming = next(visits, None)
        self._here: dict[int, _Stay] = {}
        self._due: list[tuple[Instant, int, Callable[[Instant], None]]] = []
        self._number = 0
        self.turned_away = 0
        self.refused = 0

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
            self._arrive(now, self._coming)
            self._coming = next(self._visits, None)

    def _at(self, due: Instant, act: Callable[[Instant], None]) -> None:
        self._number += 1
        heappush(self._due, (due, self._number, act))

    # --- a stay -----------------------------------------------------------------------------------------------------

    def _arrive(self, now: Instant, visit: Visit) -> None:
        evse = self._free(visit)
        if evse is None:
            self.turned_away += 1
            return
        stay = self._here[evse] = _Stay(visit, self._token(), evse)
        self._station.plug_in(now, evse, visit.vehicle, visit.asked_wh)
        shortest, longest = TO_THE_READER_MS
        shows_at = now + shortest + int(self._chance() * (longest - shortest))
        self._at(shows_at, lambda at: self._show(at, stay))
        self._at(max(visit.departs_at, shows_at + PATIENCE_MS), lambda at: self._leave(at, stay))

    def _free(self, visit: Visit) -> int | None:
        for evse in self._station.evses():
            fits = can_plug_in(visit.vehicle, evse.feed.model)
            if fits and not evse.is_plugged and evse.status() is Status.AVAILABLE:
                return evse.id
        return None

    def _show(self, now: Instant, stay: _Stay) -> None:
        self._station.present(now, stay.token, stay.evse)
        self._at(now + PATIENCE_MS, lambda at: self._give_up(at, stay))

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
        """Something has happened at the station: who has what he came for may leave, and who is refused."""
        stay = self._here.get(fact.evse) if isinstance(fact, TokenRefused | StatusChanged) else None
        if isinstance(fact, TokenRefused):
            self.refused += 1
            if stay is not None and stay.token == fact.token:
                self._at(now + self._walk_ms(), lambda at: self._give_up(at, stay))
            return
        has_all = isinstance(fact, StatusChanged) and fact.status is Status.SUSPENDED_EV
        if stay is not None and has_all and stay.visit.leaves_satisfied:
            self._at(now + self._walk_ms(), lambda at: self._leave(at, stay))

    def _walk_ms(self) -> DurationMs:
        return int((0.5 + self._chance()) * 60 * MS_PER_SECOND)
