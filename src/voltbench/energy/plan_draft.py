"""What is planned for a fleet: energies by slot and car, what they cost and lack, and how their powers will be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from voltbench.energy.arrays import NEGLIGIBLE_WH, Floats
from voltbench.energy.demand import Demand, lacking_wh
from voltbench.energy.fleet import Fleet, PlanSlots, SlotStretches
from voltbench.energy.minimums import with_minimums
from voltbench.energy.plan_effort import Effort
from voltbench.energy.schedule import FleetTimeline

if TYPE_CHECKING:
    from voltbench.energy.plan import PlannedCar


@dataclass(frozen=True, slots=True)
class FleetDraft:
    """A fleet's plan: energies by slot and car (T x C), costs and shortfalls by car."""

    energy_wh: Floats
    costs: Floats
    short_wh: Floats
    timeline: Callable[[], FleetTimeline]

    def at(self, price_per_kwh: Floats) -> FleetDraft:
        """The same at other prices."""
        return replace(self, costs=price_per_kwh @ self.energy_wh / 1e3)

    def badness(self, fleet: Fleet) -> tuple[list[float], float]:
        """What is lacking, level by level, and then the cost."""
        lacking = lacking_wh(levels(fleet), self.energy_wh)
        return [round(wh, 3) for wh in lacking], float(self.costs.sum())


def drafted(
    slots: PlanSlots,
    fleet: Fleet,
    cars: Sequence[PlannedCar],
    energy_wh: Floats,
    stretches: Callable[[], SlotStretches],
) -> FleetDraft:
    """A plan of such energies; what is only for its readers is made when it is read."""
    short_wh = fleet.needed_wh - energy_wh.sum(axis=0)
    short_wh[short_wh <= NEGLIGIBLE_WH] = 0.0

    def timeline() -> FleetTimeline:
        return FleetTimeline(slots, fleet, cars, energy_wh, stretches())

    return FleetDraft(energy_wh, slots.price_per_kwh @ energy_wh / 1e3, short_wh, timeline)


def together(slots: PlanSlots, fleet: Fleet, cars: Sequence[PlannedCar], effort: Effort) -> FleetDraft:
    """All cars at once."""
    energy_wh = energies(slots, fleet, slots.limits_w, effort)
    return drafted(slots, fleet, cars, energy_wh, lambda: SlotStretches.even(slots, fleet, energy_wh))


def energies(slots: PlanSlots, fleet: Fleet, left_w: Floats, effort: Effort) -> Floats:
    """The energy of each car in each slot (T x C), under what is left of the limits."""
    room_wh, limits_wh = fleet.room_wh(slots), left_w * slots.hours
    demand = Demand(slots.price_per_kwh, room_wh, limits_wh, fleet.limit, levels(fleet))
    if not fleet.least_w.any():
        return demand.met(effort)
    free_w = np.minimum(left_w[0], left_w[fleet.limit]).T
    room_wh[free_w < fleet.least_w] = 0.0
    return with_minimums(demand, np.where(room_wh > 0.0, fleet.least_w, 0.0) * slots.hours[:, None], effort)


def levels(fleet: Fleet) -> list[Floats]:
    """What is asked for, level by level: what those of the highest priority need, then the others, then extras."""
    asked_wh = fleet.needed_wh + fleet.extra_wh
    if not fleet.priority.any():  # so it is mostly
        return [fleet.needed_wh, asked_wh]
    priorities = np.unique(fleet.priority)[::-1]
    needs = [np.where(fleet.priority >= priority, fleet.needed_wh, 0.0) for priority in priorities]
    extras = [np.where(fleet.priority >= priority, asked_wh, fleet.needed_wh) for priority in priorities[:-1]]
    return [*needs, *extras, asked_wh]
