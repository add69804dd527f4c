"""A home's clock, which shows quarter hours only, as one that goes on over midnight and over restarts."""

from __future__ import annotations

from typing import NamedTuple

from voltbench.errors import RemoteProtocolError
from voltbench.quantities import DurationMs, Instant
from voltbench.running.home.day import QUARTERS_PER_HOUR, Day
from voltbench.running.home_client.pulse import Pulse
from voltbench.site.calendar import QUARTER_MS

TOLERATED = 2.5
"""Quarters by which it may be elsewhere than expected: after a reset, the first hour is cut short."""


class Passed(NamedTuple):
    """Quarter hours since the look before; `anew` where the clock was set or is another one."""

    quarters: int
    anew: bool


class HomeClock:
    """Counts quarter hours from the midnight before the first look; `midnight` is the one from which `day` counts."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.pulse = Pulse()
        self.quarter = -1
        self.midnight = 0
        self._shown = (0, 0)
        self._asked_at: Instant = 0
        self._answered_at: Instant = 0

    def look(self, asked_at: Instant, answered_at: Instant, hour: int, minute: int) -> Passed:
        """It showed this between two instants of ours."""
        passed = self._passed(asked_at, answered_at, self._showing(hour, minute))
        self._shown = (hour, minute // 15 * 15)
        self.quarter += passed.quarters
        if passed.anew:
            self.pulse.forget()
        self.pulse.look(asked_at, answered_at, self.quarter)
        self._asked_at, self._answered_at = asked_at, answered_at
        return passed

    def turn(self, day: Day, asked_at: Instant, hour: int, minute: int) -> None:
        """Days are like this one from today on; it has just shown this time of today.

        Today is not the day of the last look where it shows less than then, or where that is too long ago.
        """
        later = QUARTERS_PER_HOUR * (hour - self._shown[0]) + (minute - self._shown[1]) // 15
        tick_ms = self.pulse.tick_ms
        passed = 0.0 if tick_ms is None else (asked_at - self._answered_at) / tick_ms
        if self.quarter >= 0:
            next_day = later < 0 or passed - later > day.quarters / 2
            self.midnight += self.quarter - self.midnight - self.of_day
            self.midnight += self.day.quarters if next_day else self.of_day - self._like(day)
        self.day = day

    @property
    def of_day(self) -> int:
        """Which quarter of its day it is, counted from 0."""
        return (self.quarter - self.midnight) % self.day.quarters

    def _like(self, day: Day) -> int:
        """Which quarter of another day shows the same; the one of its own day where there is none."""
        like = [quarter for quarter in range(day.quarters) if day.shown(quarter * QUARTER_MS) == self._shown]
        return min(like, key=lambda quarter: abs(quarter - self.of_day), default=self.of_day)

    def now(self, wall: Instant) -> DurationMs:
        """What it would show if it showed milliseconds."""
        begun, tick_ms = self.pulse.due_at(self.quarter), self.pulse.tick_ms
        part = 0.0 if begun is None or tick_ms is None else min(0.999, max(0.0, (wall - begun) / tick_ms))
        return round((self.quarter + part) * QUARTER_MS)

    def wall_at(self, at: float) -> float | None:
        """When it will be this late, by our clock."""
        number, rest = divmod(at, QUARTER_MS)
        number = int(number)
        due, tick_ms = self.pulse.due_at(number), self.pulse.tick_ms
        return None if due is None or tick_ms is None else due + rest / QUARTER_MS * tick_ms

    def _showing(self, hour: int, minute: int) -> list[int]:
        """The quarters of a day in which it shows this; two in the hour that comes twice."""
        quarters = range(self.day.quarters)
        clock = (hour, minute // 15 * 15)
        found = [quarter for quarter in quarters if self.day.shown(quarter * QUARTER_MS) == clock]
        if not found:
            raise RemoteProtocolError(f"the home's clock shows {hour}:{minute:02}, which its day does not have")
        return found

    def _passed(self, asked_at: Instant, answered_at: Instant, showing: list[int]) -> Passed:
        length = self.day.quarters
        if self.quarter < 0:
            return Passed(showing[0] + 1, anew=False)
        ahead = min((quarter - self.of_day) % length for quarter in showing)
        to_next_day = length - self.of_day + showing[0]
        tick_ms = self.pulse.tick_ms
        if tick_ms is None:
            return Passed(to_next_day, anew=True) if ahead > length // 2 else Passed(ahead, anew=False)
        expected = (answered_at - self._answered_at) / tick_ms
        quarters = ahead + length * max(0, round((expected - ahead) / length))
        least, most = (asked_at - self._answered_at) / tick_ms, (answered_at - self._asked_at) / tick_ms
        if least - TOLERATED - least / 10 <= quarters <= most + TOLERATED + most / 10:
            return Passed(quarters, anew=False)
        return Passed(to_next_day, anew=True)
