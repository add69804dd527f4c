"""What a client knows of a home from looking at it: its clock, its battery, and how energy comes into that."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from voltbench.errors import RemoteProtocolError
from voltbench.quantities import DurationMs, Instant
from voltbench.running.home_client.home_clock import HomeClock
from voltbench.running.home_client.household import Household, Info
from voltbench.running.home_client.ledger import Ledger
from voltbench.running.home_client.wishes import Wishes
from voltbench.site.calendar import QUARTER_MS

ROUNDING_WH = 10.0
"""Energies are told with two decimals of a kWh."""


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


class Watch:
    """Looks at a home."""

    def __init__(self, wishes: Wishes, household: Household) -> None:
        self._wishes = wishes
        self.household = household
        self.clock = HomeClock(household.day)
        self.ledger = Ledger(wishes)
        self.crediting = Crediting.UNKNOWN
        self.info: Info | None = None
        self.start_wh = 0.0
        self.peak_told_w = 0.0
        self.idle_quarters = 0
        self._lived_to = 0.0

    def meet(self, household: Household) -> None:
        """The home's day is this one from now on. RemoteProtocolError where it has another length."""
        if household.day.quarters != self.household.day.quarters:
            raise RemoteProtocolError(f"the home's day has {household.day.quarters} quarter hours all at once")
        self.household = household

    def look(self, asked_at: Instant, answered_at: Instant, info: Info, capacity_wh: float) -> Change:
        """It showed this between two instants of ours."""
        before, self.info = self.info, info
        passed = self.clock.look(asked_at, answered_at, info.hour, info.minute)
        if before is None:
            self.start_wh = info.energy_wh
        gained_wh = 0.0 if before is None else info.energy_wh - before.energy_wh
        was_on = before is not None and before.is_on
        if passed.anew:  # as much may be in the battery of another start, but its charger is off
            gained_wh = max(0.0, gained_wh) if was_on and info.is_on else 0.0
        change = Change(0 if before is None else passed.quarters, passed.anew, gained_wh)
        if change.anew:
            self.crediting = Crediting.UNKNOWN
        self._learn(change)
        lived_to = float(self.now((asked_at + answered_at) // 2))
        self._note(change, info, capacity_wh, was_on, (self._lived_to, lived_to))
        self._lived_to = lived_to
        return change

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
        idle = info.is_on and was_on and drawn_wh <= 0.0 and not change.anew
        self.idle_quarters = self.idle_quarters + change.quarters if idle else 0
