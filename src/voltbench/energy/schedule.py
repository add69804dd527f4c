"""Schedules as their readers follow them: the power from each instant on, and what stands in a car's way.

They are made when they are read, from the plan's arrays: whoever asks for a plan's cost does not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from voltbench.energy.fleet import Fleet, Floats, Integers, Slots, Stretches
from voltbench.energy.plan_car import Stretch
from voltbench.quantities import MS_PER_HOUR, Instant

if TYPE_CHECKING:
    from voltbench.energy.plan import PlannedCar

Steps: TypeAlias = tuple[tuple[Instant, float], ...]
"""The power from each instant on, in W."""

SITE, CAR = "site", "car"
"""What can stand in the way, beside the circuits: the site's limit, and the car's own power in the time it has."""

LEAST_W = 1e-3
"""A limit that leaves less than this leaves nothing."""


@dataclass(frozen=True, slots=True)
class Hindrance:
    """What stands in a car's way, from an instant until another: `site`, a circuit, or `car`."""

    limit: str
    begins_at: Instant
    ends_at: Instant


class Course(Protocol):
    """The powers of a plan's cars over time, and the reasons for what they lack, each by the car's number."""

    def steps(self, car: int) -> Steps:
        """The power from each instant on."""

    def hindrances(self, car: int) -> tuple[Hindrance, ...]:
        """What stands in its way, all the time it has."""


class Plan:
    """The schedules of all cars, in their order, and what they cost together.

    Energies are by the horizon's slot and car (T x C), costs and shortfalls by car.
    """

    def __init__(
        self,
        cars: Sequence[PlannedCar],
        energy_wh: Floats,
        costs: Floats,
        short_wh: Floats,
        course: Callable[[], Course],
    ) -> None:
        self.cars, self.costs, self.short_wh = tuple(cars), costs, short_wh
        self._energy_wh, self._course = energy_wh, course

    @property
    def cost(self) -> float:
        """What all of it costs."""
        return float(self.costs.sum())

    @property
    def shortfall_wh(self) -> float:
        """What all cars lack together."""
        return float(self.short_wh.sum())

    @cached_property
    def schedules(self) -> tuple[CarSchedule, ...]:
        """Each car's part."""
        return tuple(CarSchedule(self, number) for number in range(len(self.cars)))

    @cached_property
    def energy_wh(self) -> Floats:
        """Energies by car and slot of the horizon (C x T)."""
        return np.ascontiguousarray(self._energy_wh.T)

    @cached_property
    def course(self) -> Course:
        """The powers over time, and the reasons."""
        return self._course()


@dataclass(frozen=True, slots=True)
class CarSchedule:
    """A car's part of a plan: energy per slot, its power from each instant on, what it costs, and what it lacks."""

    _plan: Plan
    _number: int

    @property
    def car(self) -> str:
        """Its id."""
        return self._plan.cars[self._number].id

    @property
    def energy_wh(self) -> Floats:
        """Its energy in each slot of the horizon."""
        own: Floats = self._plan.energy_wh[self._number]
        return own

    @property
    def cost(self) -> float:
        """What its energy costs."""
        return float(self._plan.costs[self._number])

    @property
    def shortfall_wh(self) -> float:
        """What it lacks of what it needs, not of what it would like beyond."""
        return float(self._plan.short_wh[self._number])

    @property
    def steps(self) -> Steps:
        """Its power from each instant on."""
        return self._plan.course.steps(self._number)

    @property
    def hindrances(self) -> tuple[Hindrance, ...]:
        """Which limits keep it from more, and when, if it lacks something."""
        return self._plan.course.hindrances(self._number) if self.shortfall_wh > 0.0 else ()


# --- one car ----------------------------------------------------------------------------------------------------------


class CarCourse:
    """The course of a car that is planned alone: stretches at one power each."""

    def __init__(self, slots: Slots, car: PlannedCar, stretches: Sequence[Stretch], energy_wh: Floats) -> None:
        self._slots, self._car, self._stretches, self._energy_wh = slots, car, stretches, energy_wh

    def steps(self, car: int) -> Steps:
        """The power from each instant on."""
        return self._steps

    @cached_property
    def _steps(self) -> Steps:
        return steps_of(self._slots.edges.astype(np.int64).tolist(), self._car, self._stretches)

    def hindrances(self, car: int) -> tuple[Hindrance, ...]:
        """What stands in its way."""
        fleet = Fleet.of([self._car], self._slots.circuits)
        return hindrances_of(self._slots, fleet, 0, self._energy_wh, self._slots.limits_w)


def steps_of(edges: Sequence[Instant], car: PlannedCar, stretches: Sequence[Stretch]) -> Steps:
    """The power from each instant on. What fills a part of a slot only lies next to the charging after or before it."""
    lasts_h: dict[int, float] = {}
    for slot, hours, _ in stretches:
        lasts_h[slot] = lasts_h.get(slot, 0.0) + hours
    arrives_at, departs_at = car.arrives_at, car.departs_at
    steps: list[tuple[Instant, float]] = []
    before, at, ends_at = -2, 0, 0
    for slot, hours, power_w in stretches:
        if slot != before:
            if at < ends_at or slot != before + 1:
                _step(steps, at, 0.0)
            at, ends_at = max(edges[slot], arrives_at), min(edges[slot + 1], departs_at)
            if slot - 1 not in lasts_h and slot + 1 in lasts_h:
                at = max(at, ends_at - round(lasts_h[slot] * MS_PER_HOUR))
            before = slot
        _step(steps, at, power_w)
        at = min(ends_at, at + round(hours * MS_PER_HOUR))
    _step(steps, at, 0.0)
    return tuple(steps)


def _step(steps: list[tuple[Instant, float]], at: Instant, power_w: float) -> None:
    if steps and steps[-1][0] == at:
        steps.pop()
    if (steps[-1][1] if steps else 0.0) != power_w:
        steps.append((at, power_w))


# --- a fleet ----------------------------------------------------------------------------------------------------------


class FleetCourse:
    """The courses of a fleet's cars.

    `left_w` says what each group of cars leaves of the limits, and `group` to which of them each car belongs.
    """

    def __init__(
        self,
        slots: Slots,
        fleet: Fleet,
        energy_wh: Floats,
        stretches: Stretches,
        left_w: Sequence[Floats],
        group: Integers,
    ) -> None:
        self._slots, self._fleet, self._energy_wh, self._stretches = slots, fleet, energy_wh, stretches
        self._left_w, self._group = left_w, group

    def steps(self, car: int) -> Steps:
        """The power from each instant on."""
        at, power_w, first = self._all_steps
        own = slice(first[car], first[car + 1])
        return tuple(zip(at[own], power_w[own], strict=True))

    def hindrances(self, car: int) -> tuple[Hindrance, ...]:
        """What stands in its way."""
        left_w = self._left_w[self._group[car]]
        return hindrances_of(self._slots, self._fleet, car, self._energy_wh[:, car], left_w)

    @cached_property
    def _all_steps(self) -> tuple[list[Instant], list[float], list[int]]:
        """Instants and powers of all cars, car by car, and with which of them each car's begin.

        They are those that `steps_of` has for each car, which would take ten times as long.
        """
        of, edges = self._stretches, self._slots.edges
        car, slot = of.car, of.slot
        lasts_ms = np.rint(of.hours * MS_PER_HOUR)
        begins_at = np.maximum(edges[slot], self._fleet.arrives_at[car])
        ends_at = np.minimum(edges[slot + 1], self._fleet.departs_at[car])
        goes_on = np.zeros(len(car) + 1, dtype=np.bool_)  # from the one before, and at the end into the next one
        goes_on[1:-1] = (car[1:] == car[:-1]) & (slot[1:] == slot[:-1] + 1)
        waits = goes_on[1:] & ~goes_on[:-1]
        on_at = np.where(waits, np.maximum(begins_at, ends_at - lasts_ms), begins_at)
        off_at = np.minimum(ends_at, on_at + lasts_ms)
        told = np.ones((len(car), 2), dtype=np.bool_)
        told[:, 1] = (off_at < ends_at) | ~goes_on[1:]
        at = np.stack((on_at, off_at), axis=1)[told]
        power_w = np.zeros((len(car), 2))
        np.round(of.power_w, 9, out=power_w[:, 0])  # what differs by rounding alone is no step
        return _merged(np.repeat(car, 2)[told.ravel()], at, power_w[told], len(self._fleet.limit))


def _merged(car: Integers, at: Floats, power_w: Floats, cars: int) -> tuple[list[Instant], list[float], list[int]]:
    """Of steps at one instant the last one, and only those that change something; and where each car's begin."""
    is_last = np.ones(len(car), dtype=np.bool_)
    is_last[:-1] = (at[1:] != at[:-1]) | (car[1:] != car[:-1])
    car, at, power_w = car[is_last], at[is_last], power_w[is_last]
    before_w = np.zeros_like(power_w)
    before_w[1:] = np.where(car[1:] == car[:-1], power_w[:-1], 0.0)
    changes = power_w != before_w
    first = np.searchsorted(car[changes], np.arange(cars + 1))
    return at[changes].astype(np.int64).tolist(), power_w[changes].tolist(), first.tolist()


# --- what stands in the way -------------------------------------------------------------------------------------------


def hindrances_of(slots: Slots, fleet: Fleet, car: int, energy_wh: Floats, left_w: Floats) -> tuple[Hindrance, ...]:
    """Which limit keeps a car from more, slot by slot of the time it has; equal neighbours are one."""
    arrives_at, departs_at = float(fleet.arrives_at[car]), float(fleet.departs_at[car])
    begins_at, ends_at = np.maximum(slots.edges[:-1], arrives_at), np.minimum(slots.edges[1:], departs_at)
    there = np.flatnonzero(ends_at > begins_at)
    if not len(there):
        return (Hindrance(CAR, int(arrives_at), int(departs_at)),)
    power_w = energy_wh[there] * MS_PER_HOUR / (ends_at - begins_at)[there]
    row = int(fleet.limit[car])
    site_w, own_w = left_w[0, there], left_w[row, there]
    in_way = np.where((row > 0) & (own_w <= np.maximum(site_w, LEAST_W)), row, 0)
    in_way[power_w >= fleet.most_w[car] - LEAST_W] = -1
    first = np.flatnonzero(np.concatenate(([True], in_way[1:] != in_way[:-1])))
    last = np.concatenate((first[1:], [len(there)])) - 1
    names = (SITE, *slots.circuits, CAR)
    return tuple(
        Hindrance(names[limit], int(begins), int(ends))
        for limit, begins, ends in zip(in_way[first], begins_at[there[first]], ends_at[there[last]], strict=True)
    )
