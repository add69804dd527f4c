"""The course's home: it moves in ticks of a quarter of an hour, with everything that its clients live with.

Measured against the original. What is odd is meant to be: energy comes in portions of 1.85 kWh up to 111.9 %, the load
climbs by one portion with each tick of an hour and falls back with the next hour, and a reset sets the clock to 00:00
but does not begin an hour: the one that is under way ends when it would have.
"""

from __future__ import annotations

from voltbench.quantities import Instant
from voltbench.running.home.model import COURSE_LOAD_W, HomeState
from voltbench.site.calendar import QUARTER_MS

TICK_MS = QUARTER_MS
CAPACITY_WH, START_WH, PORTION_WH, POWER_W = 46_300, 9_260, 1_850, 7_400
TICKS_PER_HOUR, HOURS = 4, 24
SATURATED_SOC = 1.1
"""A tick that finds so much brings no more; the one before may have gone beyond."""


class CourseHome:
    """The home, from the first tick on, which is now. Whole W and Wh, so that nothing has to be rounded."""

    def __init__(self, now: Instant) -> None:
        self._ticked_at = now
        self._quarter = 0
        self.reset(now)

    def reset(self, _now: Instant) -> None:
        """The car is as at the start, the charger is off, and the clock shows 00:00 until the next tick."""
        self._hour = self._minute = 0
        self._load_w = COURSE_LOAD_W[0]
        self._energy_wh = START_WH
        self._is_on = False

    def switch(self, _now: Instant, on: bool) -> None:
        """Let the charger charge, or not, from the next tick on."""
        self._is_on = on

    def look(self, _now: Instant) -> HomeState:
        """What there is to see since the last tick."""
        return HomeState(
            hour=self._hour,
            minute=self._minute,
            household_w=COURSE_LOAD_W[self._hour],
            car_w=POWER_W if self._charges else 0,
            load_w=self._load_w,
            energy_wh=self._energy_wh,
            soc=self._energy_wh / CAPACITY_WH,
            is_switched_on=self._is_on,
            is_untouched=self._energy_wh == START_WH,
        )

    def next_wakeup(self) -> Instant:
        """When the next tick is due."""
        return self._ticked_at + TICK_MS

    def wake(self, now: Instant) -> None:
        """Do the ticks that are due; those that bring no energy are done at once, however many there are."""
        due = (now - self._ticked_at) // TICK_MS
        while due > 0:
            ticks = 1 if self._charges else due
            self._tick(ticks)
            due -= ticks

    @property
    def _charges(self) -> bool:
        return self._is_on and self._energy_wh / CAPACITY_WH < SATURATED_SOC

    def _tick(self, ticks: int) -> None:
        self._ticked_at += ticks * TICK_MS
        hours, self._quarter = divmod(self._quarter + ticks, TICKS_PER_HOUR)
        if hours:
            self._hour = (self._hour + hours) % HOURS
            self._load_w = COURSE_LOAD_W[self._hour]
        self._minute = 60 // TICKS_PER_HOUR * self._quarter
        if self._charges:
            self._energy_wh += PORTION_WH
            self._load_w += PORTION_WH
