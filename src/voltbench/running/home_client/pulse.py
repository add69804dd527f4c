"""How fast a home's clock runs, and when it ticks next: learned from looks at it, each of which took a while."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from voltbench.quantities import DurationMs, Instant

REMEMBERED, COMPARED = 64, 8
"""Ticks that the length of a tick is taken from, and those of them that the next one is foretold from."""

SOONEST_MS, LATEST_MS = 10, 5_000
"""How soon one looks again, and how late, as long as nothing is known."""


class _Tick(NamedTuple):
    """A tick that was not seen before an instant, and was when another one had come."""

    number: int
    after: Instant
    before: Instant

    @property
    def middle(self) -> float:
        return (self.after + self.before) / 2


class Pulse:
    """The rhythm of ticks that carry numbers. All instants are those of our own clock."""

    def __init__(self) -> None:
        self._ticks: deque[_Tick] = deque(maxlen=REMEMBERED)
        self._asked_at: Instant | None = None
        self._begun_at: Instant | None = None
        self._is_shown = 0

    def forget(self) -> None:
        """It may be another clock from now on."""
        self._ticks.clear()
        self._asked_at = self._begun_at = None

    def look(self, asked_at: Instant, answered_at: Instant, number: int) -> None:
        """Between these two instants, the last tick was the one of this number."""
        if self._asked_at is not None and number > self._is_shown:
            self._ticks.append(_Tick(number, self._asked_at, answered_at))
            self._begun_at = answered_at
        if self._begun_at is None:
            self._begun_at = answered_at
        self._asked_at, self._is_shown = asked_at, number

    @property
    def tick_ms(self) -> float | None:
        """How long a tick takes, once two were seen."""
        if len(self._ticks) < 2:
            return None
        first, last = self._ticks[0], self._ticks[-1]
        return max(1.0, (last.middle - first.middle) / (last.number - first.number))

    def due_at(self, number: int) -> float | None:
        """When a tick was or will be, as far as that can be told."""
        tick_ms = self.tick_ms
        if tick_ms is None:
            return None
        after, before = self._bounds(number, tick_ms)
        if self._asked_at is None or number <= self._is_shown:
            return (after + before) / 2
        after = max(after, self._asked_at + (number - self._is_shown - 1) * tick_ms)
        return (after + before) / 2 if after < before else after

    def _bounds(self, number: int, tick_ms: float) -> tuple[float, float]:
        """Between what instants a tick is, by the last one and as many before it as agree with that."""
        after, before = float("-inf"), float("inf")
        for tick in list(self._ticks)[: -COMPARED - 1 : -1]:
            ahead_ms = (number - tick.number) * tick_ms
            closer = max(after, tick.after + ahead_ms), min(before, tick.before + ahead_ms)
            if closer[0] > closer[1]:
                break
            after, before = closer
        return after, before

    def learning_ms(self, now: Instant) -> DurationMs:
        """In what time to look again as long as it is not known: always an eighth of what has passed."""
        since = now if self._begun_at is None else self._begun_at
        return min(LATEST_MS, max(SOONEST_MS, (now - since) // 8))
