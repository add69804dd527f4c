"""What a plan before said, kept: so that cars do not go on and off with every small change of what is known.

It is kept from now on, power by power, while it still can be: each car that it knew is there as long, can charge so,
and still needs as much as is to come; all of them, and whoever has come since, stay below every limit at every instant;
and of no priority's needs, nor of what it would like beyond, is there less than in a new plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from voltbench.energy.arrays import Floats
from voltbench.energy.fleet import Fleet, PlanSlots
from voltbench.energy.plan import Horizon, PlannedCar
from voltbench.energy.schedule import Hindrance, Plan, Steps, Timeline, hindrances_of
from voltbench.quantities import MS_PER_HOUR, Instant
from voltbench.site.series import StepSeries

AS_MUCH_WH = 1.0
"""A car has as much as it needs this near to it."""

THE_SAME_WH, THE_SAME_COST = 0.1, 1e-6
"""What a slot may have more or less of, and what it may cost more (relatively), since instants are rounded."""

AS_HIGH_W = 0.01
"""What a power may differ by from a limit that it keeps: steps are rounded as they are told."""

AN_INSTANT_MS = 1
"""Within so long one car may begin before another has ended: instants are rounded to that."""


@dataclass(frozen=True, slots=True)
class PlanBefore:
    """A plan that is followed now: the power of each car from each instant on.

    It is kept if it costs no more than a new one and this part of that.
    """

    id: str
    steps: Mapping[str, Steps]
    hysteresis: float


def what_is_kept(
    before: PlanBefore,
    horizon: Horizon,
    cars: Sequence[PlannedCar],
    fresh: Plan,
    planned: Callable[[Horizon, Sequence[PlannedCar], Floats], Plan],
) -> Plan | None:
    """The plan before, beside it the best for those whom it did not know; None where it can be kept no longer.

    `planned` makes a plan for some cars, beside the mean power that others draw in each slot.
    """
    now = horizon.edges[0]
    steps = {car.id: _from(before.steps[car.id], now) for car in cars if car.id in before.steps}
    known, others = [car for car in cars if car.id in steps], [car for car in cars if car.id not in steps]
    if not known or not all(_can(car, steps[car.id]) for car in known):
        return None
    left = _beside(horizon, known, steps)
    if left is None:
        return None
    if others:
        drawn_w = sum((_energy_wh(horizon, steps[car.id]) for car in known), np.zeros(len(horizon.hours)))
        added = planned(left, others, drawn_w / horizon.hours)
        steps |= {schedule.car: schedule.steps for schedule in added.schedules}
    kept = _Followed(horizon, cars, [steps[car.id] for car in cars]).plan()
    kept.is_exact = fresh.is_exact and _is_as_cheap(kept, fresh)
    return kept if _serves_as_well(kept, fresh) else None


def _from(steps: Steps, now: Instant) -> Steps:
    """The same from now on."""
    power_w = next((power_w for at, power_w in reversed(steps) if at <= now), 0.0)
    begun = [(now, power_w)] if power_w else []
    return (*begun, *(step for step in steps if step[0] > now))


def _can(car: PlannedCar, steps: Steps) -> bool:
    """Whether a car can charge so while it is there, in one go if it has to, and needs no less than that gives it."""
    least_w, begun, before_w = car.least_w if car.losses is None else car.losses.drawn_w[0], 0, 0.0
    for (at, power_w), (ends_at, _) in pairwise([*steps, (car.departs_at + 1, 0.0)]):
        if power_w:
            is_there = car.arrives_at <= at and ends_at <= car.departs_at
            if not is_there or not least_w - AS_HIGH_W <= power_w <= car.most_w + AS_HIGH_W or power_w < 0.0:
                return False
            begun += not before_w
        before_w = power_w
    return begun <= 1 or not car.in_one_go


def _energy_wh(horizon: Horizon, steps: Steps) -> Floats:
    return np.diff(_series(horizon, steps).integral(np.array(horizon.edges, dtype=np.int64)))


def _series(horizon: Horizon, steps: Steps) -> StepSeries:
    return StepSeries([(horizon.edges[0] - 1, 0.0), *steps])


# --- below the limits -------------------------------------------------------------------------------------------------


def _beside(horizon: Horizon, cars: Sequence[PlannedCar], steps: Mapping[str, Steps]) -> Horizon | None:
    """What cars leave of each limit at any instant of a slot; None where they leave less than nothing."""
    site_w = _left_w(horizon, horizon.slots.limits_w[0], [steps[car.id] for car in cars])
    of_circuits: dict[str, list[Steps]] = defaultdict(list)
    for car in cars:
        if car.circuit is not None:
            of_circuits[car.circuit].append(steps[car.id])
    circuits_w = {
        name: _left_w(horizon, limit_w, of_circuits[name])
        for name, limit_w in zip(horizon.slots.circuits, horizon.slots.limits_w[1:], strict=True)
    }
    if min(row.min() for row in (site_w, *circuits_w.values())) < -AS_HIGH_W:
        return None
    return replace(
        horizon,
        site_w=tuple(site_w.tolist()),
        circuits_w={name: tuple(row.tolist()) for name, row in circuits_w.items()},
    )


def _left_w(horizon: Horizon, limit_w: Floats, of_cars: Sequence[Steps]) -> Floats:
    """What a limit has left in each slot, at the instant of it at which cars draw most."""
    rises: dict[Instant, float] = defaultdict(float)
    for steps in of_cars:
        for (_, before_w), (at, power_w) in pairwise([(0, 0.0), *steps]):
            rises[at] += power_w - before_w
    edges = np.array(horizon.edges, dtype=np.int64)
    changes = np.array(sorted(rises), dtype=np.int64)
    total_w = np.concatenate(([0.0], np.cumsum([rises[at] for at in changes.tolist()])))
    instants = np.union1d(edges, changes[(changes > edges[0]) & (changes < edges[-1])])
    drawn_w = total_w[np.searchsorted(changes, instants[:-1], side="right")]
    drawn_w[np.diff(instants) <= AN_INSTANT_MS] = 0.0
    most_w = np.zeros(len(limit_w))
    np.maximum.at(most_w, np.searchsorted(edges, instants[:-1], side="right") - 1, drawn_w)
    left_w: Floats = limit_w - most_w
    return left_w


# --- as a plan --------------------------------------------------------------------------------------------------------


class _Followed:
    """Cars that charge in given steps, and why they have no more: a timeline of theirs."""

    def __init__(self, horizon: Horizon, cars: Sequence[PlannedCar], steps: Sequence[Steps]) -> None:
        self._horizon, self._cars, self._steps = horizon, cars, steps

    def plan(self) -> Plan:
        """What is given to each car slot by slot, what that costs, and what is lacking."""
        drawn_wh = np.array([_energy_wh(self._horizon, own) for own in self._steps])
        given_wh = drawn_wh.copy()
        for number, (car, steps) in enumerate(zip(self._cars, self._steps, strict=True)):
            if car.losses is not None:
                given = tuple((at, car.losses.given_for(power_w)) for at, power_w in steps)
                given_wh[number] = _energy_wh(self._horizon, given)
        lacks_wh = np.array([car.needed_wh for car in self._cars]) - given_wh.sum(axis=1)
        short_wh = np.where(lacks_wh > AS_MUCH_WH, lacks_wh, 0.0)
        costs = drawn_wh @ self._horizon.slots.price_per_kwh / 1e3
        return Plan(self._cars, np.ascontiguousarray(given_wh.T), costs, short_wh, lambda: self)

    def steps(self, car: int) -> Steps:
        """The power from each instant on."""
        return self._steps[car]

    def hindrances(self, car: int) -> tuple[Hindrance, ...]:
        """What stands in its way."""
        slots, left_wh = self._left
        own, edges = self._cars[car], slots.edges
        present_ms = np.minimum(edges[1:], own.departs_at) - np.maximum(edges[:-1], own.arrives_at)
        present_h = np.maximum(present_ms, 0.0) / MS_PER_HOUR
        least_w = own.least_w if own.losses is None else own.losses.drawn_w[0]
        drawn_wh = _series(self._horizon, self._steps[car]).integral(edges.astype(np.int64))
        return hindrances_of(slots, own, np.diff(drawn_wh), own.most_w * present_h, least_w * present_h, left_wh)

    @cached_property
    def _left(self) -> tuple[PlanSlots, Floats]:
        """Slots that are cut where cars come and go, and what all cars leave of each limit in them, row by row."""
        slots = self._horizon.slots.cut(Fleet.of(self._cars, self._horizon.slots.circuits))
        edges, rows = slots.edges.astype(np.int64), {name: row for row, name in enumerate(slots.circuits, 1)}
        left_wh = slots.limits_w * slots.hours
        for car, steps in zip(self._cars, self._steps, strict=True):
            drawn_wh = np.diff(_series(self._horizon, steps).integral(edges))
            left_wh[0] -= drawn_wh
            if car.circuit is not None:
                left_wh[rows[car.circuit]] -= drawn_wh
        return slots, left_wh


def as_hindered(found: Plan, horizon: Horizon) -> Plan:
    """The same plan, with the limits of this horizon as what stands in the way, and not those it was made under."""

    def timeline() -> Timeline:
        return _Followed(horizon, found.cars, [schedule.steps for schedule in found.schedules])

    return Plan(
        found.cars,
        found.energy_wh.T,
        found.costs,
        found.short_wh,
        timeline,
        is_exact=found.is_exact,
        is_cut_short=found.is_cut_short,
    )


def _serves_as_well(kept: Plan, fresh: Plan) -> bool:
    """Whether nobody has more than he wants, and of no priority less than in a new plan, of needs and of wishes."""
    needed_wh = np.array([car.needed_wh for car in kept.cars])
    wanted_wh = needed_wh + np.array([car.extra_wh for car in kept.cars])
    given_wh, new_wh = kept.energy_wh.sum(axis=1), fresh.energy_wh.sum(axis=1)
    if (given_wh > wanted_wh + AS_MUCH_WH).any():
        return False
    priorities = np.array([car.priority for car in kept.cars])
    levels = [priorities == priority for priority in set(priorities.tolist())]
    return all(
        float(np.minimum(given_wh, most_wh)[level].sum())
        >= float(np.minimum(new_wh, most_wh)[level].sum()) - AS_MUCH_WH * level.sum()
        for most_wh in (needed_wh, wanted_wh)
        for level in levels
    )


def _is_as_cheap(kept: Plan, fresh: Plan) -> bool:
    """Whether it has as much in every slot as a new plan, at the same cost: then peaks cost the same too."""
    more_wh = kept.energy_wh.sum(axis=0) - fresh.energy_wh.sum(axis=0)
    most = fresh.cost + THE_SAME_COST * float(np.abs(fresh.costs).sum())
    return float(np.abs(more_wh).max()) <= THE_SAME_WH and kept.cost <= most
