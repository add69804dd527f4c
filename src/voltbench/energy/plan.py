"""When cars charge: the cheapest plan in which each has what it needs when it departs, as far as that can be.

Departure comes first, then cost. A plan is never impossible: what cannot be had is told as a shortfall, with the
limits that stand in its way and when they do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.minimums import Spare, with_minimums
from voltbench.energy.plan_car import LEAST_WH, CarPlan, Losses, Stretch, plan_block, plan_car, plan_with_losses
from voltbench.energy.plan_fleet import plan_fleet, served_wh
from voltbench.energy.schedule import steps_of
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR, Instant

Floats = NDArray[np.float64]

LEAST_H = 1e-9

SITE, CAR = "site", "car"
"""What can stand in the way, beside the circuits: the site's limit, and the car's own power in the time it has."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """The slots of a plan: their edges, and what an energy costs in each. `site_w` is the power that cars may share.

    `circuits_w` is the same for parts of the site, by name.
    """

    edges: tuple[Instant, ...]
    price_per_kwh: tuple[float, ...]
    site_w: tuple[float, ...]
    circuits_w: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        slots = len(self.edges) - 1
        if slots < 1 or any(b <= a for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise InvalidInput("edges", "do not rise", found=str(self.edges[:9]), allowed="at least two, rising")
        for name, series in {"price_per_kwh": self.price_per_kwh, "site_w": self.site_w, **self.circuits_w}.items():
            if len(series) != slots:
                raise InvalidInput(name, "does not fit the slots", found=len(series), allowed=f"{slots} values")
            if not all(map(isfinite, series)):
                raise InvalidInput(name, "holds a value that is not finite", allowed="numbers")

    @property
    def hours(self) -> Floats:
        """How long each slot is."""
        edges = np.array(self.edges, dtype=np.float64)
        return (edges[1:] - edges[:-1]) / MS_PER_HOUR


@dataclass(frozen=True, slots=True)
class PlannedCar:
    """What a car needs at its connector until it departs (`needed_wh`), and what it would like beyond (`extra_wh`).

    It draws at most `most_w`, and at least `least_w` while it charges. A higher `priority` is served first where not
    all can be. `in_one_go` is without a pause. `losses` say what its charger draws to give so much: then needs are what
    is given, powers and limits what is drawn. Without any both are the same.
    """

    id: str
    arrives_at: Instant
    departs_at: Instant
    needed_wh: float
    most_w: float
    least_w: float = 0.0
    extra_wh: float = 0.0
    circuit: str | None = None
    priority: int = 0
    in_one_go: bool = False
    losses: Losses | None = None

    def __post_init__(self) -> None:
        name = f"cars.{self.id}"
        if self.departs_at <= self.arrives_at:
            raise InvalidInput(f"{name}.departs_at", "is not after its arrival", found=self.departs_at)
        for part, found in (("needed_wh", self.needed_wh), ("extra_wh", self.extra_wh), ("least_w", self.least_w)):
            if not (isfinite(found) and found >= 0.0):
                raise InvalidInput(f"{name}.{part}", "is out of range", found=found, allowed="0 or more")
        if not (isfinite(self.most_w) and self.most_w > 0.0):
            raise InvalidInput(f"{name}.most_w", "is out of range", found=self.most_w, allowed="above 0")
        if self.least_w > self.most_w:
            raise InvalidInput(
                f"{name}.least_w", "is more than most_w", found=self.least_w, allowed=f"<= {self.most_w}"
            )


@dataclass(frozen=True, slots=True)
class Hindrance:
    """What stands in a car's way, from an instant until another: `site`, a circuit, or `car`."""

    limit: str
    begins_at: Instant
    ends_at: Instant


@dataclass(frozen=True, slots=True)
class CarSchedule:
    """A car's part of a plan: energy per slot, its power from each instant on, what it costs, and what it lacks.

    `shortfall_wh` counts what it needs, not what it would like beyond.
    """

    car: str
    energy_wh: Floats
    steps: tuple[tuple[Instant, float], ...]
    cost: float
    shortfall_wh: float
    hindrances: tuple[Hindrance, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The schedules of all cars, in their order, and what they cost together."""

    schedules: tuple[CarSchedule, ...]

    @property
    def cost(self) -> float:
        """What all of it costs."""
        return sum(schedule.cost for schedule in self.schedules)

    @property
    def shortfall_wh(self) -> float:
        """What all cars lack together."""
        return sum(schedule.shortfall_wh for schedule in self.schedules)


def plan(horizon: Horizon, cars: Sequence[PlannedCar], *, exact: bool = True) -> Plan:
    """The cheapest plan for these cars: departures first, then cost. No limit is exceeded at any instant of it.

    One car's plan is exact always. A fleet's is exact unless `exact` is False, with two exceptions: minimum powers are
    seen to afterwards, and cars that charge in one go are planned one by one, before or after the others of their
    priority, whichever lacks less and then costs less. Losses are for one car alone. Raises InvalidInput.
    """
    _check(horizon, cars)
    if not cars:
        return Plan(())
    if len(cars) == 1:
        return Plan((_alone(horizon, cars[0], _limits(horizon)),))
    if not any(car.in_one_go for car in cars):
        return _in_turn(horizon, cars, [cars], exact)
    orders = [_groups(cars, blocks_first) for blocks_first in (True, False)]
    return min((_in_turn(horizon, cars, groups, exact) for groups in orders), key=lambda one: _badness(one, cars))


def _groups(cars: Sequence[PlannedCar], blocks_first: bool) -> list[list[PlannedCar]]:
    """Who is planned before whom: those of higher priority, and of each those in one go one by one."""
    groups: list[list[PlannedCar]] = []
    for priority in sorted({car.priority for car in cars}, reverse=True):
        blocks = sorted((car for car in cars if car.priority == priority and car.in_one_go), key=_urgency)
        others = [[car for car in cars if car.priority == priority and not car.in_one_go]]
        alone = [[car] for car in blocks]
        groups += alone + others if blocks_first else others + alone
    return [group for group in groups if group]


def _badness(plan: Plan, cars: Sequence[PlannedCar]) -> tuple[list[float], float]:
    """What those of each priority lack, the highest first, and then the cost."""
    lacking: dict[int, float] = {}
    for car, schedule in zip(cars, plan.schedules, strict=True):
        lacking[-car.priority] = lacking.get(-car.priority, 0.0) + schedule.shortfall_wh
    return [round(wh, 3) for _, wh in sorted(lacking.items())], plan.cost


def _in_turn(horizon: Horizon, cars: Sequence[PlannedCar], groups: Sequence[Sequence[PlannedCar]], exact: bool) -> Plan:
    """Group after group, each under what those before have left."""
    fine, slot_of = _cut(horizon, cars)
    limits, schedules = _limits(fine), dict[str, CarSchedule]()
    for group in groups:
        is_block = group[0].in_one_go
        planned = [_alone(fine, group[0], limits)] if is_block else _together(fine, group, limits, exact)
        for car, schedule in zip(group, planned, strict=True):
            limits = limits.less(car, _highest_w(fine, schedule.steps))
            energy_wh = np.zeros(len(horizon.price_per_kwh))
            np.add.at(energy_wh, slot_of, schedule.energy_wh)
            schedules[car.id] = replace(schedule, energy_wh=energy_wh)
    return Plan(tuple(schedules[car.id] for car in cars))


MOST_CELLS = 2_000_000
"""Cars times slots. Beyond that a fleet's slots are not cut; a car then counts in whole slots only."""


def _cut(horizon: Horizon, cars: Sequence[PlannedCar]) -> tuple[Horizon, NDArray[np.intp]]:
    """The same slots, cut where cars come and go, so that a mean power is a power; and which slot each was part of."""
    begins_at, ends_at = horizon.edges[0], horizon.edges[-1]
    comings = {at for car in cars for at in (car.arrives_at, car.departs_at) if begins_at < at < ends_at}
    edges = np.array(sorted({*horizon.edges, *comings}), dtype=np.int64)
    if len(edges) * len(cars) > MOST_CELLS or len(edges) == len(horizon.edges):
        return horizon, np.arange(len(horizon.price_per_kwh))
    slot_of = np.searchsorted(np.array(horizon.edges), edges[:-1], side="right") - 1

    def cut(series: Sequence[float]) -> tuple[float, ...]:
        return tuple(np.array(series)[slot_of].tolist())

    circuits = {name: cut(series) for name, series in horizon.circuits_w.items()}
    return Horizon(tuple(edges.tolist()), cut(horizon.price_per_kwh), cut(horizon.site_w), circuits), slot_of


def _highest_w(horizon: Horizon, steps: Sequence[tuple[Instant, float]]) -> Floats:
    """The highest power of a schedule in each slot."""
    edges, highest = np.array(horizon.edges), np.zeros(len(horizon.price_per_kwh))
    ends = (*(at for at, _ in steps[1:]), horizon.edges[-1])
    for (at, power_w), until in zip(steps, ends, strict=False):
        first, last = np.searchsorted(edges, at, side="right") - 1, np.searchsorted(edges, until, side="left")
        highest[first:last] = np.maximum(highest[first:last], power_w)
    return highest


def _check(horizon: Horizon, cars: Sequence[PlannedCar]) -> None:
    seen = set()
    for car in cars:
        if car.losses is not None and (len(cars) > 1 or car.in_one_go or car.least_w > car.losses.drawn_w[0]):
            allowed = "a car alone, not in one go, whose losses begin at its least power"
            raise InvalidInput(f"cars.{car.id}.losses", "cannot be planned with", allowed=allowed)
        if car.id in seen:
            raise InvalidInput("cars", "have an id twice", found=car.id)
        seen.add(car.id)
        if car.circuit is not None and car.circuit not in horizon.circuits_w:
            allowed = ", ".join(horizon.circuits_w) or "none"
            raise InvalidInput(f"cars.{car.id}.circuit", "is unknown", found=car.circuit, allowed=allowed)


def _urgency(car: PlannedCar) -> tuple[int, float]:
    present_h = (car.departs_at - car.arrives_at) / MS_PER_HOUR
    return -car.priority, -car.needed_wh / (car.most_w * present_h)


@dataclass(frozen=True, slots=True)
class _Limits:
    """Power that is left for cars in each slot, at the site and in its circuits."""

    site_w: Floats
    circuits_w: Mapping[str, Floats]

    def of(self, car: PlannedCar) -> Floats:
        """What is left for a car."""
        if car.circuit is None:
            return self.site_w
        left_w: Floats = np.minimum(self.site_w, self.circuits_w[car.circuit])
        return left_w

    def less(self, car: PlannedCar, power_w: Floats) -> _Limits:
        """What a car leaves that draws so much."""
        circuits_w = dict(self.circuits_w)
        if car.circuit is not None:
            circuits_w[car.circuit] = np.maximum(0.0, circuits_w[car.circuit] - power_w)
        return _Limits(np.maximum(0.0, self.site_w - power_w), circuits_w)


def _limits(horizon: Horizon) -> _Limits:
    """What site and circuits can give to cars in each slot; none where loads take all and more."""
    circuits = {name: np.maximum(0.0, np.array(series)) for name, series in horizon.circuits_w.items()}
    return _Limits(np.maximum(0.0, np.array(horizon.site_w)), circuits)


def hours_present(horizon: Horizon, car: PlannedCar) -> Floats:
    """How many hours of each slot a car is there."""
    edges = np.array(horizon.edges, dtype=np.float64)
    overlap_ms: Floats = np.minimum(edges[1:], car.departs_at) - np.maximum(edges[:-1], car.arrives_at)
    return np.maximum(0.0, overlap_ms) / MS_PER_HOUR


# --- one car ----------------------------------------------------------------------------------------------------------


def _alone(horizon: Horizon, car: PlannedCar, limits: _Limits) -> CarSchedule:
    free_w = limits.of(car)
    most_w = np.where(free_w >= car.least_w, np.clip(free_w, 0.0, car.most_w), 0.0)
    present_h, prices = hours_present(horizon, car), np.array(horizon.price_per_kwh)
    needed_wh = car.needed_wh + car.extra_wh
    stretches: list[Stretch] | None = None
    if car.losses is not None:
        given_w = np.array([car.losses.given_for(power_w) for power_w in most_w.tolist()]) * (present_h > 0.0)
        found, given = plan_with_losses(prices, given_w, present_h, needed_wh, car.losses)
        stretches = [replace(one, power_w=car.losses.drawn_for(one.power_w)) for one in given]
    else:
        found = (plan_block if car.in_one_go else plan_car)(prices, most_w * present_h, needed_wh)
    if stretches is None:
        stretches = _stretches(found, most_w)
    steps = steps_of(horizon, car, stretches)
    short_wh = max(0.0, found.shortfall_wh - car.extra_wh)
    hindrances = _hindrances(horizon, car, found.energy_wh, limits) if short_wh > LEAST_WH else ()
    return CarSchedule(car.id, found.energy_wh, steps, found.cost, short_wh, hindrances)


def _stretches(found: CarPlan, most_w: Floats) -> list[Stretch]:
    """Each slot's energy at the most power there is."""
    used = np.flatnonzero(found.energy_wh > LEAST_WH).tolist()
    return [Stretch(slot, float(found.energy_wh[slot] / most_w[slot]), float(most_w[slot])) for slot in used]


# --- a fleet ----------------------------------------------------------------------------------------------------------


def _together(horizon: Horizon, cars: Sequence[PlannedCar], limits: _Limits, exact: bool) -> list[CarSchedule]:
    prices = np.array(horizon.price_per_kwh)
    present_h = np.array([hours_present(horizon, car) for car in cars])
    if len(horizon.price_per_kwh) * len(cars) > MOST_CELLS:
        present_h[present_h < horizon.hours - LEAST_H] = 0.0
    energies_wh = _energies(horizon, cars, present_h, limits, exact)
    powers_w = np.zeros_like(energies_wh)
    np.divide(energies_wh, present_h, out=powers_w, where=present_h > 0.0)
    left = _left(limits, cars, powers_w)
    schedules = []
    for car, energy_wh, hours in zip(cars, energies_wh, present_h, strict=True):
        short_wh = car.needed_wh - float(energy_wh.sum())
        hindrances = _hindrances(horizon, car, energy_wh, left) if short_wh > LEAST_WH else ()
        steps = steps_of(horizon, car, _even(energy_wh, hours, car.least_w))
        short_wh = short_wh if short_wh > LEAST_WH else 0.0
        schedules.append(CarSchedule(car.id, energy_wh, steps, float(energy_wh @ prices) / 1e3, short_wh, hindrances))
    return schedules


def _energies(horizon: Horizon, cars: Sequence[PlannedCar], present_h: Floats, limits: _Limits, exact: bool) -> Floats:
    """The energy of each car in each slot."""
    prices, hours = np.array(horizon.price_per_kwh), horizon.hours
    can = np.array([limits.of(car) >= car.least_w for car in cars])
    room_wh = np.where(can, present_h * np.array([car.most_w for car in cars])[:, None], 0.0)
    names = [None, *limits.circuits_w]
    circuit = np.array([names.index(car.circuit) for car in cars])
    site_wh = limits.site_w * hours
    circuit_wh = np.array([site_wh, *(power_w * hours for power_w in limits.circuits_w.values())])
    needed_wh = np.array([car.needed_wh for car in cars])
    asked_wh = needed_wh + np.array([car.extra_wh for car in cars])
    found = plan_fleet(prices, room_wh, asked_wh, site_wh, circuit=circuit, circuit_wh=circuit_wh, exact=exact)
    if found.shortfall_wh.any():
        asked_wh = served_wh(room_wh, _levels(cars, needed_wh, asked_wh), site_wh, circuit, circuit_wh)
        found = plan_fleet(prices, room_wh, asked_wh, site_wh, circuit=circuit, circuit_wh=circuit_wh, exact=exact)
    least_wh = present_h * np.array([car.least_w for car in cars])[:, None]
    if not least_wh.any():
        return found.energy_wh
    used_wh = np.array([found.energy_wh[circuit == g].sum(axis=0) for g in range(len(names))])
    spare = Spare(site_wh - found.energy_wh.sum(axis=0), circuit, circuit_wh - used_wh)
    return with_minimums(found.energy_wh, room_wh, least_wh, prices, spare)


def _levels(cars: Sequence[PlannedCar], needed_wh: Floats, asked_wh: Floats) -> list[Floats]:
    """What is asked for, level by level: what those of the highest priority need, then the others, then extras."""
    priorities = np.array([car.priority for car in cars])
    steps = sorted(set(priorities.tolist()), reverse=True)
    needs = [np.where(priorities >= priority, needed_wh, 0.0) for priority in steps]
    return [*needs, *(np.where(priorities >= priority, asked_wh, needed_wh) for priority in steps)]


def _left(limits: _Limits, cars: Sequence[PlannedCar], powers_w: Floats) -> _Limits:
    """What a plan leaves of the limits."""
    circuits_w = {
        name: series - powers_w[[car.circuit == name for car in cars]].sum(axis=0)
        for name, series in limits.circuits_w.items()
    }
    return _Limits(limits.site_w - powers_w.sum(axis=0), circuits_w)


def _even(energy_wh: Floats, present_h: Floats, least_w: float) -> list[Stretch]:
    """The same power as long as the car is there in a slot, so that all together keep the limits at every instant.

    What `with_minimums` has left below a car's minimum is a shorter time at its minimum, for which it has seen room.
    """
    stretches = []
    for slot in np.flatnonzero(energy_wh > LEAST_WH).tolist():
        power_w = max(least_w, float(energy_wh[slot] / present_h[slot]))
        stretches.append(Stretch(slot, float(energy_wh[slot]) / power_w, power_w))
    return stretches


# --- what is told of it -----------------------------------------------------------------------------------------------


def _hindrances(horizon: Horizon, car: PlannedCar, energy_wh: Floats, left: _Limits) -> tuple[Hindrance, ...]:
    """Which limit keeps a car from more, slot by slot of the time it has; equal neighbours are one."""
    present_h = hours_present(horizon, car)
    found: list[Hindrance] = []
    for slot in np.flatnonzero(present_h > 0.0).tolist():
        limit = _limit_in(slot, car, float(energy_wh[slot] / present_h[slot]), left)
        begins_at = max(horizon.edges[slot], car.arrives_at)
        ends_at = min(horizon.edges[slot + 1], car.departs_at)
        if found and found[-1].limit == limit:
            begins_at = found.pop().begins_at
        found.append(Hindrance(limit, begins_at, ends_at))
    return tuple(found) or (Hindrance(CAR, car.arrives_at, car.departs_at),)


def _limit_in(slot: int, car: PlannedCar, power_w: float, left: _Limits) -> str:
    if power_w >= car.most_w - 1e-3:
        return CAR
    if car.circuit is not None and left.circuits_w[car.circuit][slot] <= max(left.site_w[slot], 1e-3):
        return car.circuit
    return SITE
