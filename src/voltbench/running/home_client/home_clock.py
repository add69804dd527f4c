"""A home's clock, which shows quarter hours only, as one that goes on over midnight and over restarts."""

from __future__ import annotations

from typing import NamedTuple

from voltbench.errors import RemoteProtocolError
from voltbench.quantities import DurationMs, Instant
from voltbench.running.home.day import Day
from voltbench.running.home_client.pulse import Pulse
from voltbench.site.calendar import QUARTER_MS

TOLERATED = 2.5
"""Quarters by which it may be elsewhere than expected: after a reset, the first hour is cut short."""


class Passed(NamedTuple):
    """Quarter hours since the look before; `anew` where the clock was set or is another one."""

    quarters: int
    anew: bool


class HomeClock:
    """Counts quarter hours from the midnight before the first look."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.pulse = Pulse()
        self.quarter = -1
        self._asked_at: Instant = 0
        self._answered_at: Instant = 0

    def look(self, asked_at: Instant, answered_at: Instant, hour: int, minute: int) -> Passed:
        """It showed this between two instants of ours."""
        passed = self._passed(asked_at, answered_at, self._showing(hour, minute))
        self.quarter += passed.quarters
        if passed.anew:
            self.pulse.forget()
        self.pulse.look(asked_at, answered_at, self.quarter)
        self._asked_at, self._answered_at = asked_at, answered_at
        return passed

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
        found = [q for q in quarters if (self.day.hour(q * QUARTER_MS), self.day.minute(q * QUARTER_MS)) == clock]
        if not found:
            raise RemoteProtocolError(f"the home's clock shows {hour}:{minute:02}, which its day does not have")
        return found

    def _passed(self, asked_at: Instant, answered_at: Instant, showing: list[int]) -> Passed:
        length = self.day.quarters
        if self.quarter < 0:
            return Passed(showing[0] + 1, anew=False)
        ahead = min((quarter - self.quarter) % length for quarter in showing)
        to_next_day = length - self.quarter % length + showing[0]
        tick_ms = self.pulse.tick_ms
        if tick_ms is None:
            return Passed(to_next_day, anew=True) if ahead > length // 2 else Passed(ahead, anew=False)
        expected = (answered_at - self._answered_at) / tick_ms
        quarters = ahead + length * max(0, round((expected - ahead) / length))
        least, most = (asked_at - self._answered_at) / tick_ms, (answered_at - self._asked_at) / tick_ms
        if least - TOLERATED - least / 10 <= quarters <= most + TOLERATED + most / 10:
            return Passed(quarters, anew=False)
        return Passed(to_next_day, anew=True)
