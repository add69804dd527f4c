"""How fast a home's clock runs, and when it ticks next: learned from looks at it, each of which took a while."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from voltbench.quantities import DurationMs, Instant

REMEMBERED, COMPARED = 64, 8
"""Ticks of which two tell the length of a tick, and those of them that the next one is foretold from."""

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


class _Pair(NamedTuple):
    """Two ticks to tell the length of one from."""

    first: _Tick
    last: _Tick

    @property
    def tick_ms(self) -> float:
        return max(1.0, (self.last.middle - self.first.middle) / (self.last.number - self.first.number))

    @property
    def vague_ms(self) -> float:
        """How much the length may be off, shortest to longest."""
        width_ms = self.first.before - self.first.after + self.last.before - self.last.after
        return width_ms / (self.last.number - self.first.number)


class Pulse:
    """The rhythm of ticks that carry numbers. All instants are those of our own clock."""

    def __init__(self) -> None:
        self._ticks: deque[_Tick] = deque(maxlen=REMEMBERED)
        self._asked_at: Instant | None = None
        self._answered_at: Instant = 0
        self._begun_at: Instant | None = None
        self._is_shown = 0
        self._longest_ms: DurationMs = 0
        self._pair: _Pair | None = None

    def forget(self) -> None:
        """It may be another clock from now on."""
        self._ticks.clear()
        self._pair = None
        self._asked_at = self._begun_at = None
        self._longest_ms = 0

    def look(self, asked_at: Instant, answered_at: Instant, number: int) -> None:
        """Between these two instants, the last tick was the one of this number."""
        if self._asked_at is not None and number > self._is_shown:
            self._remember(_Tick(number, self._asked_at, answered_at))
            self._begun_at = answered_at
        if self._begun_at is None:
            self._begun_at = answered_at
        self._asked_at, self._answered_at, self._is_shown = asked_at, answered_at, number
        self._longest_ms = max(self._longest_ms, self.stood_ms())

    def _remember(self, tick: _Tick) -> None:
        """Remember a tick, and from which two of all of them the length of a tick is known best."""
        pairs = [_Pair(first, tick) for first in self._ticks]
        self._ticks.append(tick)
        if self._pair is not None and self._pair.first.number >= self._ticks[0].number:
            pairs.append(self._pair)
        self._pair = min(pairs, key=lambda pair: pair.vague_ms, default=None)

    @property
    def tick_ms(self) -> float | None:
        """How long a tick takes, once two were seen."""
        return None if self._pair is None else self._pair.tick_ms

    def stood_ms(self) -> DurationMs:
        """How long the last number has been seen at least."""
        return 0 if self._asked_at is None or self._begun_at is None else max(0, self._asked_at - self._begun_at)

    @property
    def stood_ticks(self) -> float:
        """The same in ticks; 0 where nobody knows how long one takes."""
        return 0.0 if self.tick_ms is None else self.stood_ms() / self.tick_ms

    @property
    def longest_ms(self) -> DurationMs:
        """How long any number has been seen at least: no tick is shorter."""
        return self._longest_ms

    def due_at(self, number: int) -> float | None:
        """When a tick was or will be, as far as that can be told."""
        tick_ms = self.tick_ms
        if tick_ms is None:
            return None
        after, before = self._bounds(number, tick_ms)
        if self._asked_at is None or number <= self._is_shown:
            return (after + before) / 2
        ahead_ms = (number - self._is_shown) * tick_ms
        soonest, latest = self._asked_at + ahead_ms - tick_ms, self._answered_at + ahead_ms
        after, before = min(max(after, soonest), latest), min(before, latest)
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
