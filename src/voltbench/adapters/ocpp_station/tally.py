"""What goes over the lines of a fleet, counted: messages, errors, and how long answers take."""

from __future__ import annotations

from collections.abc import Hashable
from math import ceil, log
from time import perf_counter

_PER_DOUBLING = 16
"""Latencies are counted in classes that are 4.4 % wide."""

_SHORTEST_S = 1e-5


class Tally:
    """Messages and latencies of calls, of any number of stations. One call a station is under way at a time."""

    def __init__(self) -> None:
        self.lines = 0
        self.failures = 0
        self.losses = 0
        self.stumbles = 0
        self.frames_out = 0
        self.frames_in = 0
        self.calls = 0
        self.errors_in = 0
        self.errors_out = 0
        self._asked_at: dict[Hashable, float] = {}
        self._classes: dict[int, int] = {}

    # --- what happens -----------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """A line stands."""
        self.lines += 1

    def failed_to_connect(self) -> None:
        """A line could not be had."""
        self.failures += 1

    def disconnected(self, station: Hashable, *, on_purpose: bool = False) -> None:
        """A line is gone; `on_purpose` where the station itself hung up."""
        self.lines -= 1
        self.losses += not on_purpose
        self._asked_at.pop(station, None)

    def stumbled(self) -> None:
        """A station, or who comes there, has met a mistake of ours."""
        self.stumbles += 1

    def sent(self, station: Hashable, frame: bytes) -> None:
        """A station sends a frame."""
        self.frames_out += 1
        kind = frame[1:2]
        if kind == b"2":
            self.calls += 1
            self._asked_at[station] = perf_counter()
        elif kind == b"4":
            self.errors_out += 1

    def received(self, station: Hashable, frame: bytes) -> None:
        """A station has received a frame; an answer to its call is timed."""
        self.frames_in += 1
        kind = frame.lstrip()[1:2]
        if kind == b"2":
            return
        asked_at = self._asked_at.pop(station, None)
        if asked_at is not None:
            taken_s = max(perf_counter() - asked_at, _SHORTEST_S)
            number = ceil(log(taken_s / _SHORTEST_S, 2.0) * _PER_DOUBLING)
            self._classes[number] = self._classes.get(number, 0) + 1
        if kind == b"4":
            self.errors_in += 1

    # --- what came of it --------------------------------------------------------------------------------------------

    def latency_s(self, part: float) -> float | None:
        """The latency that this part of all answers does not exceed, 0 to 1; None where there was no answer."""
        wanted, seen = part * sum(self._classes.values()), 0
        for number in sorted(self._classes):
            seen += self._classes[number]
            if seen >= wanted:
                return _SHORTEST_S * float(2.0 ** (number / _PER_DOUBLING))
        return None
