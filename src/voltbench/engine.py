"""The event heap, and the World that lives on it.

A twin is told what happens and says when it next wants to be woken. The World wakes each at its due instant, in a
stable order: by instant, then by rank (physics before control), then in the order they were added. Whether the
World jumps from wake-up to wake-up or is led by a clock makes no difference to any twin: a due wake-up always runs
at its due instant, and only what comes from outside takes the time it came.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import Protocol

from voltbench.errors import LocalProtocolError
from voltbench.quantities import Instant

PHYSICS, ARRIVALS, CONTROL, METERS = 0, 1, 2, 3
"""Ranks: what happens first when several things are due at one instant."""

_MOST_WAKEUPS_AT_ONE_INSTANT = 1_000
"""Of each twin, on average: more than that is one that never stops asking."""


class Twin(Protocol):
    """Anything that lives on the engine."""

    def next_wakeup(self) -> Instant | None:
        """When it next wants to be woken, or None."""

    def wake(self, now: Instant) -> None:
        """Do what is due now."""


class World:
    """Twins on one virtual time.

    After anything but `wake` changed when a twin wants to be woken, tell the World with `reschedule`.
    """

    def __init__(self, start: Instant) -> None:
        self.now: Instant = start
        self._heap: list[tuple[Instant, int, int, Twin]] = []
        self._entries: dict[Twin, tuple[int, int, Instant | None]] = {}
        self._added = 0

    def add(self, twin: Twin, rank: int = PHYSICS) -> None:
        """Let a twin live here; twins of a lower rank are woken first at one instant."""
        self._added += 1
        self._entries[twin] = (rank, self._added, None)
        self.reschedule(twin)

    def remove(self, twin: Twin) -> None:
        """A twin leaves; its wake-ups are forgotten."""
        del self._entries[twin]

    def reschedule(self, twin: Twin) -> None:
        """A twin's next wake-up may have changed."""
        rank, sequence, scheduled = self._entries[twin]
        due = twin.next_wakeup()
        if due != scheduled:
            self._entries[twin] = (rank, sequence, due)
            if due is not None:
                heappush(self._heap, (due, rank, sequence, twin))

    def next_wakeup(self) -> Instant | None:
        """When the next twin is due, or None when nobody waits for anything."""
        heap, entries = self._heap, self._entries
        while heap:
            due, _, _, twin = heap[0]
            entry = entries.get(twin)
            if entry is not None and entry[2] == due:
                return due
            heappop(heap)
        return None

    def advance(self, until: Instant) -> None:
        """Wake everyone due up to and including an instant, each at its own due instant; then it is that instant."""
        self.go_on(until, inf)

    def go_on(self, until: Instant, most: float) -> bool:
        """Advance, but stop after so many wake-ups; return whether it is that instant."""
        heap, entries = self._heap, self._entries
        wakeups = wakeups_now = 0
        while heap and heap[0][0] <= until:
            if wakeups >= most:
                return False
            due, rank, sequence, twin = heappop(heap)
            entry = entries.get(twin)
            if entry is None or entry[2] != due:
                continue
            if due > self.now:
                self.now = due
                wakeups_now = 0
            wakeups += 1
            wakeups_now += 1
            if wakeups_now > _MOST_WAKEUPS_AT_ONE_INSTANT * (len(entries) + 1):
                raise LocalProtocolError(f"{twin!r} keeps asking to be woken at {self.now}")
            entries[twin] = (rank, sequence, None)
            twin.wake(self.now)
            if twin in entries:
                self.reschedule(twin)
        self.now = max(self.now, until)
        return True

    def approach(self, until: Instant) -> Instant:
        """Let time pass up to an instant, but not beyond the next wake-up: nobody is woken. Return what time it is."""
        due = self.next_wakeup()
        if due is not None and due < until:
            until = due
        self.now = max(self.now, until)
        return self.now

    def run(self, until: Instant | None = None) -> None:
        """Jump from wake-up to wake-up until an instant, or until nobody waits for anything."""
        if until is not None:
            self.advance(until)
            return
        while (due := self.next_wakeup()) is not None:
            self.advance(due)
