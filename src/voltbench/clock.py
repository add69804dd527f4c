"""What time it is for the outside: on the wall, hurried, or at a standstill."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from voltbench.quantities import MS_PER_SECOND, Instant

_US_PER_MS = 1_000

_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux's monotonic clock stands still while the machine sleeps; elsewhere it goes on."""


def seconds_since_boot() -> float:
    """Wall seconds that nobody sets, those included in which the machine slept."""
    return time.clock_gettime(_SINCE_BOOT)


class Clock(Protocol):
    """Tells the present instant, and how long to sleep on the wall until another one."""

    def now(self) -> Instant:
        """The present instant."""

    def seconds_until(self, instant: Instant) -> float:
        """Wall seconds until an instant; zero or less when it is due."""


class ScaledClock:
    """Real time times a speed: `speed=1` is live, `speed=60` lives an hour a minute.

    `start` is the instant shown when the clock is made; `monotonic` tells wall seconds.
    """

    def __init__(self, start: Instant, speed: float = 1.0, monotonic: Callable[[], float] = seconds_since_boot) -> None:
        self._start = start
        self._speed = speed
        self._monotonic = monotonic
        self._origin_s = monotonic()

    @property
    def speed(self) -> float:
        """Virtual seconds per wall second."""
        return self._speed

    def now(self) -> Instant:
        """The present instant."""
        return self._start + int((self._monotonic() - self._origin_s) * self._speed * MS_PER_SECOND)

    def seconds_until(self, instant: Instant) -> float:
        """Wall seconds until an instant; zero or less when it is due."""
        due_s = self._origin_s + (instant - self._start) / (self._speed * MS_PER_SECOND)
        return due_s - self._monotonic()

    def set_speed(self, speed: float) -> None:
        """Go on from the present instant at another speed."""
        self._start, self._origin_s = self.now(), self._monotonic()
        self._speed = speed


def wall_instant() -> Instant:
    """The machine's own time of day."""
    return time.time_ns() // 1_000_000


class SteadyClock:
    """The time of day, for whoever waits by it: it neither goes back nor stands still when the machine's is set back.

    Where the wall is set forward it follows at once; while the wall is behind, it goes on at half its pace until that
    has caught up, as by adjtime(3). `monotonic` tells wall seconds.
    """

    def __init__(
        self, wall: Callable[[], Instant] = wall_instant, monotonic: Callable[[], float] = seconds_since_boot
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._shown_us = wall() * _US_PER_MS
        self._looked_us = self._since_boot_us()

    def now(self) -> Instant:
        """The present instant."""
        before_us, self._looked_us = self._looked_us, self._since_boot_us()
        half_us = self._looked_us // 2 - before_us // 2  # so that it is half of the whole, however often one looks
        self._shown_us = max(self._shown_us + half_us, self._wall() * _US_PER_MS)
        return self._shown_us // _US_PER_MS

    def _since_boot_us(self) -> int:
        return int(self._monotonic() * MS_PER_SECOND * _US_PER_MS)
