"""A station's own clock, and how far it is off: by when readings arrive here, and when it says it took them."""

from __future__ import annotations

from dataclasses import dataclass

from voltbench.quantities import MS_PER_DAY, MS_PER_SECOND, DurationMs, Instant

CLOCKS_DIFFER_MS = 1 * MS_PER_SECOND
"""As much is nothing: messages take their time."""

STEADY_MS = 15 * MS_PER_SECOND
"""Readings that stay as late for so long are not late: the clock is behind."""

FURTHEST_MS = 36_525 * MS_PER_DAY
"""No clock is a century off, though it may begin with 1970: what says so is no time, and cannot be reckoned with."""


@dataclass(slots=True)
class StationClock:
    """A clock, so far `behind_ms` ours (below 0: ahead) as its station's readings take to arrive at least.

    It is taken to be right until they say otherwise. One that is ahead shows at once, as nothing arrives before it was
    read. One that is behind shows in readings that stay as late; those that have waited for a line catch up.
    """

    behind_ms: DurationMs = 0
    _late_ms: DurationMs = 0
    _late_since: Instant | None = None

    def hear(self, now: Instant, told_at: Instant) -> DurationMs:
        """A reading arrives; return how much further behind the clock is than we thought (0: next to nothing)."""
        late_ms = now - told_at
        if abs(late_ms) > FURTHEST_MS:
            return 0
        if late_ms <= self.behind_ms + CLOCKS_DIFFER_MS:
            self._late_since = None
            return self._stands(min(late_ms, self.behind_ms))
        if self._late_since is None or late_ms < self._late_ms - CLOCKS_DIFFER_MS:
            self._late_ms, self._late_since = late_ms, now
        if now - self._late_since < STEADY_MS:
            return 0
        self._late_since = None
        return self._stands(self._late_ms)

    def _stands(self, behind_ms: DurationMs) -> DurationMs:
        moved_ms, self.behind_ms = behind_ms - self.behind_ms, behind_ms
        return moved_ms if abs(moved_ms) > CLOCKS_DIFFER_MS else 0

    def ours(self, its: Instant) -> Instant:
        """What our clock says when this one says so."""
        return its + self.behind_ms

    def its(self, ours: Instant) -> Instant:
        """What this clock says when ours says so."""
        return ours - self.behind_ms
