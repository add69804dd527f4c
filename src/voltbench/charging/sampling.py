"""When meters are read by themselves: at an interval from the start of a transaction, and by the clock."""

from __future__ import annotations

from collections.abc import Sequence

from voltbench.quantities import MS_PER_DAY, DurationMs, Instant


class Sampling:
    """The readings that are due, by EVSE; `next_wakeup` is when the next is. An interval of 0 is never."""

    __slots__ = ("_clock_at", "_clock_ms", "_due", "_evses", "_interval_ms", "next_wakeup")

    def __init__(self) -> None:
        self._interval_ms: DurationMs = 0
        self._clock_ms: DurationMs = 0
        self._clock_at: Instant | None = None
        self._evses: tuple[int, ...] = ()
        self._due: dict[int, Instant] = {}
        self.next_wakeup: Instant | None = None

    def every(self, now: Instant, interval_ms: DurationMs) -> None:
        """Read the meter of each transaction at an interval; those that go on count from now."""
        if interval_ms != self._interval_ms:
            self._interval_ms = interval_ms
            self._due = dict.fromkeys(self._due, now + interval_ms)
            self._plan()

    def by_clock(self, now: Instant, interval_ms: DurationMs, evses: tuple[int, ...]) -> None:
        """Read these meters at whole multiples of an interval since midnight (UTC)."""
        self._clock_ms, self._evses = interval_ms, evses
        self._clock_at = self._next_by_clock(now)
        self._plan()

    def begin(self, evse: int, now: Instant) -> None:
        """A transaction begins."""
        self._due[evse] = now + self._interval_ms
        self._plan()

    def end(self, evse: int) -> None:
        """A transaction is over."""
        self._due.pop(evse, None)
        self._plan()

    def due(self, now: Instant) -> Sequence[tuple[int, bool]]:
        """The EVSEs whose meters are read now, and whether by the clock."""
        if self.next_wakeup is None or now < self.next_wakeup:
            return ()
        read, interval_ms = [], self._interval_ms
        for evse, at in self._due.items() if interval_ms else ():
            if at <= now:
                self._due[evse] = at + interval_ms * ((now - at) // interval_ms + 1)
                read.append((evse, False))
        if self._clock_at is not None and self._clock_at <= now:
            self._clock_at = self._next_by_clock(now)
            read += [(evse, True) for evse in self._evses]
        self._plan()
        return read

    def _plan(self) -> None:
        first = self._clock_at
        for at in self._due.values() if self._interval_ms else ():
            if first is None or at < first:
                first = at
        self.next_wakeup = first

    def _next_by_clock(self, now: Instant) -> Instant | None:
        if not self._clock_ms:
            return None
        midnight = now - now % MS_PER_DAY
        following = midnight + ((now - midnight) // self._clock_ms + 1) * self._clock_ms
        return min(following, midnight + MS_PER_DAY)
