"""What goes over the lines of a fleet, counted: messages, errors, and how long answers take."""

from __future__ import annotations

from collections.abc import Hashable
from math import frexp, ldexp
from time import perf_counter

_PER_DOUBLING = 32
"""Latencies are counted in classes that are 1.6 to 3.1 % wide: a doubling is cut into so many equal parts."""

LONGEST_REASON = 200
"""Letters of why a line could not be had, which may be another's words."""


class Tally:
    """Messages and latencies of calls, of any number of stations. One call a station is under way at a time."""

    def __init__(self) -> None:
        self.lines = 0
        self.failures = 0
        self.last_failure = ""
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

    def failed_to_connect(self, why: str) -> None:
        """A line could not be had."""
        self.failures += 1
        self.last_failure = " ".join(why.split())[:LONGEST_REASON]

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
        kind = frame[1:2] if frame[:1] == b"[" else frame.lstrip()[1:2]
        if kind == b"2":
            return
        asked_at = self._asked_at.pop(station, None)
        if asked_at is not None:
            number = _class_of(perf_counter() - asked_at)
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
                return _longest_s(number)
        return None


def _class_of(latency_s: float) -> int:
    part, doublings = frexp(latency_s)  # the part is from a half to one
    return doublings * _PER_DOUBLING + int((part - 0.5) * (2 * _PER_DOUBLING))


def _longest_s(number: int) -> float:
    """The latency that no other of its class exceeds."""
    doublings, part = divmod(number, _PER_DOUBLING)
    return ldexp(0.5 + (part + 1) / (2 * _PER_DOUBLING), doublings)
