"""What a client knows of a home from looking at it: its clock, its battery, and how energy comes into that."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from voltbench.quantities import DurationMs, Instant
from voltbench.running.home_client.home_clock import HomeClock
from voltbench.running.home_client.household import Household, Info
from voltbench.running.home_client.ledger import Ledger
from voltbench.running.home_client.pulse import COMPARED
from voltbench.running.home_client.rest import Rest
from voltbench.running.home_client.wishes import Wishes
from voltbench.site.calendar import QUARTER_MS

ROUNDING_WH = 10.0
"""Energies are told with two decimals of a kWh."""

ROUNDING_W = 10.0
"""Loads are told with two decimals of a kW."""


class Crediting(StrEnum):
    """How energy comes: in portions, each at once when its quarter begins (as in the course), or as time goes by."""

    UNKNOWN = "unknown"
    TICKS = "ticks"
    STEADY = "steady"


class Change(NamedTuple):
    """What was new at a look."""

    quarters: int
    anew: bool
    gained_wh: float
    is_other_day: bool = False


class Watch:
    """Looks at a home."""

    def __init__(self, wishes: Wishes, household: Household) -> None:
        self._wishes = wishes
        self.household = household
        self._met: Household | None = None
        self.clock = HomeClock(household.day)
        self.ledger = Ledger(wishes)
        self.crediting = Crediting.UNKNOWN
        self.info: Info | None = None
        self.start_wh = 0.0
        self.peak_told_w = 0.0
        self.rest = Rest(wishes.portion_wh * wishes.efficiency)
        self.began_at: DurationMs = 0
        self._began_wall: Instant | None = None
        self._lived_to = 0.0
        self._looked_at: Instant = 0

    def meet(self, household: Household) -> bool:
        """The home's day is this one from the next look on; return whether it is another one than before."""
        if (self._met or self.household).is_same(household):
            return False
        self._met = household
        return True

    def _turn(self, asked_at: Instant, info: Info) -> bool:
        """Go over to the day that was met, if one was; it may be longer or shorter."""
        if self._met is None:
            return False
        self.clock.turn(self._met.day, asked_at, info.hour, info.minute)
        begins_at = self.clock.midnight * QUARTER_MS
        days_before = self.household.days_before(max(begins_at, self.quarter_at))
        self._met.begin(begins_at, days_before, self.household)
        self.household, self._met = self._met, None
        return True

    def look(self, asked_at: Instant, answered_at: Instant, info: Info, capacity_wh: float) -> Change:
        """It showed this between two instants of ours."""
        is_other_day, looked_at = self._turn(asked_at, info), self._looked_at
        passed = self.clock.look(asked_at, answered_at, info.hour, info.minute)  # raises for what is no time
        before, self.info = self.info, info
        if before is None:
            self.start_wh = info.energy_wh
        gained_wh = 0.0 if before is None else info.energy_wh - before.energy_wh
        was_on = before is not None and before.is_on
        if passed.anew:  # as much may be in the battery of another start, but its charger is off
            gained_wh = max(0.0, gained_wh) if was_on and info.is_on else 0.0
        change = Change(0 if before is None else passed.quarters, passed.anew, gained_wh, is_other_day)
        if change.anew:
            self.crediting = Crediting.UNKNOWN
        self._learn(change)
        lived_to = float(self.now((asked_at + answered_at) // 2))
        if before is None:
            self.began_at, self._began_wall = round(lived_to), (asked_at + answered_at) // 2
        self._learn_when_it_began(change)
        self._note(change, info, capacity_wh, was_on, (self._lived_to, lived_to))
        self._rest(change, info, was_on and info.is_on, asked_at - looked_at)
        self._lived_to, self._looked_at = lived_to, answered_at
        return change

    def _learn_when_it_began(self, change: Change) -> None:
        """How far into its quarter hour the first look was: the next ticks tell, each a little better."""
        number = self.began_at // QUARTER_MS
        if change.anew or self.clock.quarter > number + COMPARED:
            self._began_wall = None
        if self._began_wall is None or self.clock.pulse.tick_ms is None:
            return
        begun, tick_ms = self.clock.pulse.due_at(number), self.clock.pulse.tick_ms
        if begun is not None:
            part = min(0.999, max(0.0, (self._began_wall - begun) / tick_ms))
            self.began_at = round((number + part) * QUARTER_MS)

    def _rest(self, change: Change, info: Info, was_on: bool, passed_ms: DurationMs) -> None:
        tick_ms = self.clock.pulse.tick_ms
        elapsed_ms = 0.0 if tick_ms is None else min(change.quarters + 1.0, passed_ms / tick_ms) * QUARTER_MS
        if change.anew:
            self.rest.forget(info.energy_wh)
        else:
            self.rest.look(info.energy_wh, was_on, change.quarters, elapsed_ms, self.crediting is Crediting.STEADY)

    def now(self, wall: Instant) -> DurationMs:
        """The home's time; the first instant of the quarter it shows as long as nothing more is known."""
        return self.clock.now(wall)

    @property
    def quarter_at(self) -> DurationMs:
        """When the quarter began that it shows."""
        return self.clock.quarter * QUARTER_MS

    def _learn(self, change: Change) -> None:
        portion_wh = self._wishes.portion_wh * self._wishes.efficiency
        if change.quarters == 0 and ROUNDING_WH < change.gained_wh < 0.9 * portion_wh:
            self.crediting = Crediting.STEADY
        elif self.crediting is Crediting.UNKNOWN and change.quarters and change.gained_wh > 0.0:
            self.crediting = Crediting.TICKS if self._is_whole(change.gained_wh) else self.crediting

    def _is_whole(self, gained_wh: float) -> bool:
        """Whether this may have come in whole portions."""
        portion_wh = self._wishes.portion_wh * self._wishes.efficiency
        portions = gained_wh / portion_wh
        return abs(portions - round(portions)) * portion_wh <= ROUNDING_WH * 1.5

    def _note(self, change: Change, info: Info, capacity_wh: float, was_on: bool, span: tuple[float, float]) -> None:
        last = self.clock.quarter
        first = last if change.anew or change.quarters == 0 else last - change.quarters + 1
        drawn_wh = max(0.0, change.gained_wh) / self._wishes.efficiency
        soc = info.energy_wh / capacity_wh
        in_portions = self.crediting is Crediting.TICKS or self._is_whole(change.gained_wh)
        if change.anew or (in_portions and self.crediting is not Crediting.STEADY):
            self.ledger.add(self.household, range(first, last + 1), drawn_wh, info.is_on, soc)
        else:
            self.ledger.add_steadily(self.household, span, drawn_wh, was_on, info.is_on, soc)
        if info.is_on or was_on:
            self.peak_told_w = max(self.peak_told_w, info.load_w if drawn_wh > 0.0 else 0.0)
