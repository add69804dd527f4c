"""How far a car is by now although its station says nothing more, and by when its charger is to be off.

All is counted from when the station was asked, not from when it answered: what a slow station says is as old as what
it hears, so an "off" that is sent so long after a question is heard so long after what was answered.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from voltbench.quantities import DurationMs, Instant
from voltbench.running.home_client.watch import Crediting, Watch
from voltbench.running.home_client.wishes import Wishes
from voltbench.site.calendar import QUARTER_MS

LATEST = 0.7
"""In parts of a quarter hour: where energy comes when a quarter begins, the charger is to be off before the next."""

LATE = 0.04
"""As much after it has all that is missing, where energy comes steadily: the look at that moment comes first."""

SILENCE_MS = 500
"""How long a charger may be on unseen while nobody knows how fast the station's clock runs, at least."""


class Reckoning:
    """What goes on at a station since it was asked and answered, by instants of our clock."""

    def __init__(self, watch: Watch, wishes: Wishes, asked_at: Instant, answered_at: Instant) -> None:
        self._watch = watch
        self._wishes = wishes
        self._asked_at = asked_at
        self._took_ms = answered_at - asked_at

    def stored_wh(self, now: Instant) -> float:
        """What will be in the battery by now if the charger is on; what was, where the clock's speed is not known."""
        watch, pulse = self._watch, self._watch.clock.pulse
        assert watch.info is not None
        begun, tick_ms = pulse.due_at(watch.clock.quarter), pulse.tick_ms
        if begun is None or tick_ms is None:
            return watch.info.energy_wh
        steadily = watch.crediting is Crediting.STEADY
        ticks = (now - self._asked_at) / tick_ms if steadily else (now - begun) // tick_ms
        return watch.info.energy_wh + max(0.0, ticks) * self._wishes.portion_wh * self._wishes.efficiency

    def off_due(self, wants: Callable[[DurationMs], bool], missing_wh: float) -> Instant:
        """When to say "off", asked or not: when all that is missing was drawn, or a time begins that is not wanted."""
        watch, pulse = self._watch, self._watch.clock.pulse
        tick_ms, portions = pulse.tick_ms, ceil(missing_wh / self._wishes.portion_wh - 1e-6)
        if tick_ms is None:
            return self._asked_at + max(SILENCE_MS, 4 * self._took_ms, portions * pulse.longest_ms)
        quarters = self._wanted(wants, watch.clock.quarter, portions)
        due = pulse.due_at(watch.clock.quarter + quarters + 1)
        assert due is not None
        if watch.crediting is not Crediting.STEADY:
            return round(due - (1.0 - LATEST) * tick_ms - self._took_ms / 2)
        drawn_at = self._asked_at + (missing_wh / self._wishes.portion_wh + LATE) * tick_ms
        return round(min(drawn_at, due - self._took_ms / 2))

    def _wanted(self, wants: Callable[[DurationMs], bool], present: int, most: int) -> int:
        """How many of the next quarters are wanted in one go."""
        coming = range(present + 1, present + most + 1)
        return next((i for i, quarter in enumerate(coming) if not wants(quarter * QUARTER_MS)), most)
