"""A schedule as its reader follows it: the power from each instant on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voltbench.energy.plan_car import Stretch
from voltbench.quantities import MS_PER_HOUR, Instant

if TYPE_CHECKING:
    from voltbench.energy.plan import Horizon, PlannedCar


def steps_of(horizon: Horizon, car: PlannedCar, stretches: Sequence[Stretch]) -> tuple[tuple[Instant, float], ...]:
    """The power from each instant on. What fills a part of a slot only lies next to the charging after or before it."""
    busy = {stretch.slot for stretch in stretches}
    by_slot: dict[int, list[Stretch]] = {}
    for stretch in stretches:
        by_slot.setdefault(stretch.slot, []).append(stretch)
    steps: list[tuple[Instant, float]] = []
    for slot, parts in by_slot.items():
        begins_at = max(horizon.edges[slot], car.arrives_at)
        ends_at = min(horizon.edges[slot + 1], car.departs_at)
        lasts_ms = round(sum(part.hours for part in parts) * MS_PER_HOUR)
        at = max(begins_at, ends_at - lasts_ms) if slot + 1 in busy and slot - 1 not in busy else begins_at
        for part in parts:
            _step(steps, at, part.power_w)
            at = min(ends_at, at + round(part.hours * MS_PER_HOUR))
        if at < ends_at or slot + 1 not in busy:
            _step(steps, at, 0.0)
    return tuple(steps)


def _step(steps: list[tuple[Instant, float]], at: Instant, power_w: float) -> None:
    if steps and steps[-1][0] == at:
        steps.pop()
    if (steps[-1][1] if steps else 0.0) != power_w:
        steps.append((at, power_w))
