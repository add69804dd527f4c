"""What became of a cell, in words."""

from __future__ import annotations

from typing import TypeAlias

from voltbench.battery.record import Reason, Record

Names: TypeAlias = dict[Reason, str]

ENDINGS: Names = {
    "time_over": "as asked",
    "steps_done": "all steps done",
    "lower_voltage": "at its lower voltage",
    "upper_voltage": "at its upper voltage",
    "other_limit": "at a limit",
}
"""How a record ended, in words."""


def ending(record: Record) -> str:
    """How a record ended, in words."""
    told = record.ending
    words = ENDINGS[told.reason]
    if told.reason == "other_limit" and told.event:
        words = f"{words} ({told.event})"
    return words if told.step is None else f"{words}, in step {told.step}"


def in_words(seconds: float) -> str:
    """A time for people: `12.3 s`, `59 min 16 s`, `3 h 5 min`."""
    if seconds < 60.0:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    hours, rest = divmod(whole, 3_600)
    return f"{hours} h {rest // 60} min" if hours else f"{whole // 60} min {whole % 60} s"
