"""When a client looks at a home: early in a quarter hour of its clock, in the middle, and where the time has come."""

from __future__ import annotations

from collections.abc import Iterable

from voltbench.quantities import DurationMs, Instant
from voltbench.running.home_client.watch import Crediting, Watch
from voltbench.site.calendar import QUARTER_MS

EARLY, MIDDLE = 0.2, 0.6
"""When to look, in parts of a quarter hour."""

EDGE = 0.02
"""Where energy comes steadily one looks at the edge too, so much before it, to switch off, and so much after."""

LONGEST_PAUSE_MS = 10_000
SHORTEST_PAUSE_MS = 5

STANDING_QUARTERS = 8
"""How long a clock shows the same until it stands still, at least: some show hours only."""


def next_look(watch: Watch, now: Instant, took_ms: DurationMs, switches_due: Iterable[float]) -> Instant:
    """When to look again; `switches_due` are instants at which one should, where energy comes steadily."""
    clock, pulse = watch.clock, watch.clock.pulse
    tick_ms = pulse.tick_ms
    if tick_ms is None:
        return now + pulse.learning_ms(now)
    steady = watch.crediting is Crediting.STEADY
    middle = max(EARLY, MIDDLE - 1.5 * took_ms / tick_ms)  # so that a switch is heard in the middle
    moments = [
        due + part * tick_ms
        for number in (clock.quarter, clock.quarter + 1)
        for part in ((-EDGE, EDGE, EARLY, middle) if steady else (EARLY, middle))
        if (due := pulse.due_at(number)) is not None
    ]
    soonest = now + max(SHORTEST_PAUSE_MS, min(100.0, tick_ms * EDGE / 2))
    found = min((moment for moment in moments if moment >= soonest), default=soonest + EARLY * tick_ms)
    if steady:
        found = max(soonest, min([found, *switches_due]))
    return round(min(found, now + LONGEST_PAUSE_MS))


def is_time(watch: Watch, now: Instant, took_ms: DurationMs) -> bool:
    """Whether the next quarter is near enough to set the charger for it, and no nearer than need be."""
    pulse = watch.clock.pulse
    tick_ms, due = pulse.tick_ms, pulse.due_at(watch.clock.quarter + 1)
    if tick_ms is None or due is None:
        return True
    return due - now <= max(MIDDLE * tick_ms, 10 * took_ms + 20)


def standstill(watch: Watch, patience_ms: DurationMs) -> str | None:
    """That the station's clock stands still, in words, once it has for so long beyond a quarter hour."""
    pulse = watch.clock.pulse
    tick_ms, stood_ms = pulse.tick_ms, pulse.stood_ms()
    if stood_ms < (patience_ms + QUARTER_MS if tick_ms is None else max(patience_ms, STANDING_QUARTERS * tick_ms)):
        return None
    return (
        f"the station's clock has stood still at {watch.household.clock(watch.quarter_at)} for {stood_ms / 1e3:.0f} s"
    )
