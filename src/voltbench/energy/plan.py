"""When cars charge: the cheapest plan in which each has what it needs when it departs, as far as that can be.

Departure comes first, then cost. A plan is never impossible: what cannot be had is told as a shortfall, with the
limits that stand in its way and when they do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.minimums import Spare, with_minimums
from voltbench.energy.plan_car import CarPlan, Losses, Stretch, plan_block, plan_car, plan_with_losses
from voltbench.energy.plan_fleet import LEAST_WH, plan_fleet, served_wh
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR, Instant

Floats = NDArray[np.float64]

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
    all can be. `in_one_go` is without a pause. `losses` say what its charger draws; without any, just what it gives.
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
    """The cheapest plan for these cars: departures first, then cost.

    One car's plan is exact always, a fleet's unless `exact` is False; then it may cost a little more. In a fleet, cars
    that charge in one go are planned first, one by one, and losses are left out of the choice. Raises InvalidInput.
    """
    _check(horizon, cars)
    if len(cars) == 1:
        return Plan((_alone(horizon, cars[0]),))
    site_wh, circuits_wh = _limits_wh(horizon)
    schedules: dict[str, CarSchedule] = {}
    for car in sorted((car for car in cars if car.in_one_go), key=_urgency):
        limits_w = _Limits(site_wh / horizon.hours, {name: wh / horizon.hours for name, wh in circuits_wh.items()})
        schedules[car.id] = own = _alone(horizon, car, limits_w)
        site_wh = np.maximum(0.0, site_wh - own.energy_wh)
        if car.circuit is not None:
            circuits_wh[car.circuit] = np.maximum(0.0, circuits_wh[car.circuit] - own.energy_wh)
    others = [car for car in cars if not car.in_one_go]
    if others:
        schedules |= _together(horizon, others, site_wh, circuits_wh, exact)
    return Plan(tuple(schedules[car.id] for car in cars))


def _check(horizon: Horizon, cars: Sequence[PlannedCar]) -> None:
    seen = set()
    for car in cars:
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


def _limits_wh(horizon: Horizon) -> tuple[Floats, dict[str, Floats]]:
    """The energy that site and circuits can give to cars in each slot; none where loads take all and more."""
    hours = horizon.hours
    circuits = {name: np.maximum(0.0, np.array(series)) * hours for name, series in horizon.circuits_w.items()}
    return np.maximum(0.0, np.array(horizon.site_w)) * hours, circuits


def hours_present(horizon: Horizon, car: PlannedCar) -> Floats:
    """How many hours of each slot a car is there."""
    edges = np.array(horizon.edges, dtype=np.float64)
    overlap_ms: Floats = np.minimum(edges[1:], car.departs_at) - np.maximum(edges[:-1], car.arrives_at)
    return np.maximum(0.0, overlap_ms) / MS_PER_HOUR


# --- one car ----------------------------------------------------------------------------------------------------------


def _alone(horizon: Horizon, car: PlannedCar, limits: _Limits | None = None) -> CarSchedule:
    if limits is None:
        circuits = {name: np.array(series) for name, series in horizon.circuits_w.items()}
        limits = _Limits(np.array(horizon.site_w), circuits)
    circuit_w = limits.circuits_w[car.circuit] if car.circuit is not None else np.full(len(limits.site_w), inf)
    free_w = np.minimum(limits.site_w, circuit_w)
    most_w = np.where(free_w >= car.least_w, np.clip(free_w, 0.0, car.most_w), 0.0)
    present_h, prices = hours_present(horizon, car), np.array(horizon.price_per_kwh)
    needed_wh = car.needed_wh + car.extra_wh
    stretches: list[Stretch] | None = None
    if car.losses is not None and not car.in_one_go:
        found, stretches = plan_with_losses(prices, most_w * (present_h > 0.0), present_h, needed_wh, car.losses)
    else:
        found = (plan_block if car.in_one_go else plan_car)(prices, most_w * present_h, needed_wh)
    if stretches is None:
        stretches = _stretches(found, most_w)
    steps = _steps(horizon, car, stretches)
    short_wh = max(0.0, found.shortfall_wh - car.extra_wh)
    hindrances = _hindrances(horizon, car, found.energy_wh, limits) if short_wh > LEAST_WH else ()
    return CarSchedule(car.id, found.energy_wh, steps, found.cost, short_wh, hindrances)


def _stretches(found: CarPlan, most_w: Floats) -> list[Stretch]:
    """Each slot's energy at the most power there is."""
    used = np.flatnonzero(found.energy_wh > LEAST_WH).tolist()
    return [Stretch(slot, float(found.energy_wh[slot] / most_w[slot]), float(most_w[slot])) for slot in used]


# --- a fleet ----------------------------------------------------------------------------------------------------------


def _together(
    horizon: Horizon, cars: Sequence[PlannedCar], site_wh: Floats, circuits_wh: Mapping[str, Floats], exact: bool
) -> dict[str, CarSchedule]:
    prices = np.array(horizon.price_per_kwh)
    present_h = np.array([hours_present(horizon, car) for car in cars])
    energies_wh = _energies(cars, prices, present_h, site_wh, circuits_wh, exact)
    limits = _Limits(site_wh / horizon.hours, {name: wh / horizon.hours for name, wh in circuits_wh.items()})
    left = _left(limits, horizon.hours, cars, energies_wh)
    schedules = {}
    for car, energy_wh, hours in zip(cars, energies_wh, present_h, strict=True):
        short_wh = car.needed_wh - float(energy_wh.sum())
        hindrances = _hindrances(horizon, car, energy_wh, left) if short_wh > LEAST_WH else ()
        steps = _steps(horizon, car, _even(energy_wh, hours, car.least_w))
        short_wh = short_wh if short_wh > LEAST_WH else 0.0
        schedules[car.id] = CarSchedule(car.id, energy_wh, steps, float(energy_wh @ prices) / 1e3, short_wh, hindrances)
    return schedules


def _energies(
    cars: Sequence[PlannedCar],
    prices: Floats,
    present_h: Floats,
    site_wh: Floats,
    circuits_wh: Mapping[str, Floats],
    exact: bool,
) -> Floats:
    """The energy of each car in each slot."""
    room_wh = present_h * np.array([car.most_w for car in cars])[:, None]
    names = [None, *circuits_wh]
    circuit = np.array([names.index(car.circuit) for car in cars])
    circuit_wh = np.array([site_wh, *circuits_wh.values()])
    needed_wh = np.array([car.needed_wh for car in cars])
    asked_wh = needed_wh + np.array([car.extra_wh for car in cars])
    found = plan_fleet(prices, room_wh, asked_wh, site_wh, circuit=circuit, circuit_wh=circuit_wh, exact=exact)
    if found.shortfall_wh.any():
        asked_wh = served_wh(room_wh, _levels(cars, needed_wh, asked_wh), site_wh, circuit, circuit_wh)
        found = plan_fleet(prices, room_wh, asked_wh, site_wh, circuit=circuit, circuit_wh=circuit_wh, exact=True)
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


def _left(limits: _Limits, hours: Floats, cars: Sequence[PlannedCar], energy_wh: Floats) -> _Limits:
    """What a plan leaves of the limits."""
    circuits_w = {
        name: series - energy_wh[[car.circuit == name for car in cars]].sum(axis=0) / hours
        for name, series in limits.circuits_w.items()
    }
    return _Limits(limits.site_w - energy_wh.sum(axis=0) / hours, circuits_w)


def _even(energy_wh: Floats, present_h: Floats, least_w: float) -> list[Stretch]:
    """The same power as long as the car is there in a slot, so that all together keep the limits at every instant.

    Less than its minimum becomes a shorter time at its minimum.
    """
    stretches = []
    for slot in np.flatnonzero(energy_wh > LEAST_WH).tolist():
        power_w = max(least_w, float(energy_wh[slot] / present_h[slot]))
        stretches.append(Stretch(slot, float(energy_wh[slot]) / power_w, power_w))
    return stretches


# --- what is told of it -----------------------------------------------------------------------------------------------


def _steps(horizon: Horizon, car: PlannedCar, stretches: Sequence[Stretch]) -> tuple[tuple[Instant, float], ...]:
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
    if car.circuit is not None and left.circuits_w[car.circuit][slot] < left.site_w[slot]:
        return car.circuit
    return SITE
