"""A day that comes again and again, in hours and quarter hours; the clocks may be changed on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from voltbench.quantities import MS_PER_HOUR, DurationMs
from voltbench.site.calendar import QUARTER_MS

Slot = TypeVar("Slot")

HOURLY = 24
QUARTERS_FORWARD, QUARTERS_BACK = 92, 100
QUARTERS = (QUARTERS_FORWARD, 96, QUARTERS_BACK)
"""Quarter hours of a day: of one on which the clocks go forward, of any other, and of one on which they go back."""

QUARTERS_PER_HOUR = MS_PER_HOUR // QUARTER_MS
HOURS = tuple(quarters // QUARTERS_PER_HOUR for quarters in QUARTERS)

CHANGED_HOUR = 2
"""The hour that is left out, or comes twice, where clocks are changed (in central European time)."""


class Day:
    """A day of so many quarter hours. Instants in it are told by the time since its midnight."""

    def __init__(self, quarters: int) -> None:
        self.quarters = quarters
        self.length_ms: DurationMs = quarters * QUARTER_MS

    def hour(self, elapsed_ms: DurationMs) -> int:
        """The hour that a clock on the wall shows, 0 to 23."""
        hour = elapsed_ms % self.length_ms // MS_PER_HOUR
        if self.quarters == QUARTERS_FORWARD:
            return hour + 1 if hour >= CHANGED_HOUR else hour
        if self.quarters == QUARTERS_BACK:
            return hour - 1 if hour > CHANGED_HOUR else hour
        return hour

    def minute(self, elapsed_ms: DurationMs) -> int:
        """The quarter hour that has begun, as minutes of its hour: 0, 15, 30 or 45."""
        return elapsed_ms % MS_PER_HOUR // QUARTER_MS * 15

    def shown(self, elapsed_ms: DurationMs) -> tuple[int, int]:
        """Both."""
        return self.hour(elapsed_ms), self.minute(elapsed_ms)

    def at(self, slots: Sequence[Slot], elapsed_ms: DurationMs) -> Slot:
        """Which of the day's slots it is: quarter hours, hours as they go by, or 24 as a clock on the wall shows."""
        if len(slots) == self.quarters:
            return slots[elapsed_ms % self.length_ms // QUARTER_MS]
        if len(slots) * QUARTERS_PER_HOUR == self.quarters:
            return slots[elapsed_ms % self.length_ms // MS_PER_HOUR]
        return slots[self.hour(elapsed_ms)]

    def next_change(self, slots: Sequence[Slot], elapsed_ms: DurationMs) -> DurationMs | None:
        """When the slots go over into another one that is not the same; None where all are the same."""
        present = self.at(slots, elapsed_ms)
        edges = range(elapsed_ms - elapsed_ms % QUARTER_MS + QUARTER_MS, elapsed_ms + self.length_ms, QUARTER_MS)
        return next((edge for edge in edges if self.at(slots, edge) != present), None)
