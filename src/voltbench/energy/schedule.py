"""Schedules as their readers follow them: the power from each instant on, and what stands in a car's way.

They are made when they are read, from the plan's arrays: whoever asks for a plan's cost does not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from voltbench.energy.arrays import Floats, Integers
from voltbench.energy.fleet import Fleet, PlanSlots, SlotStretches
from voltbench.energy.plan_car import Stretch
from voltbench.quantities import MS_PER_HOUR, Instant

if TYPE_CHECKING:
    from voltbench.energy.plan import PlannedCar

Steps: TypeAlias = tuple[tuple[Instant, float], ...]
"""The power from each instant on, in W."""
Time: TypeAlias = tuple[Instant, Instant, float]
"""When it begins and ends, and its power in W."""

SITE, CAR = "site", "car"
"""What can stand in the way, beside the circuits: the site's limit, and the car's own power in the time it has."""

TOLD_WH = 1e-2
"""Less than this is not told: a limit that leaves so little of a slot is full."""


@dataclass(frozen=True, slots=True)
class Hindrance:
    """What stands in a car's way, from an instant until another: `site`, a circuit, or `car`."""

    limit: str
    begins_at: Instant
    ends_at: Instant


class Timeline(Protocol):
    """The powers of a plan's cars over time, and the reasons for what they lack, each by the car's number."""

    def steps(self, car: int) -> Steps:
        """The power from each instant on."""

    def hindrances(self, car: int) -> tuple[Hindrance, ...]:
        """What stands in its way, all the time it has."""


class Plan:
    """The schedules of all cars, in their order, and what they cost together.

    Energies are by the horizon's slot and car (T x C), costs and shortfalls by car. No plan lacks less than one that
    `is_exact`, nor costs less. One that `is_cut_short` may lack more than it has to: the work it may take was over.
    """

    def __init__(
        self,
        cars: Sequence[PlannedCar],
        energy_wh: Floats,
        costs: Floats,
        short_wh: Floats,
        timeline: Callable[[], Timeline],
        *,
        is_exact: bool = True,
        is_cut_short: bool = False,
    ) -> None:
        self.cars, self.costs, self.short_wh = tuple(cars), costs, short_wh
        self.is_exact, self.is_cut_short = is_exact, is_cut_short
        self._energy_wh, self._timeline = energy_wh, timeline

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
    def timeline(self) -> Timeline:
        """The powers over time, and the reasons."""
        return self._timeline()


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
        return self._plan.timeline.steps(self._number)

    @property
    def hindrances(self) -> tuple[Hindrance, ...]:
        """Which limits keep it from more, and when, if it lacks something."""
        return self._plan.timeline.hindrances(self._number) if self.shortfall_wh > 0.0 else ()


# --- one car ----------------------------------------------------------------------------------------------------------


class CarTimeline:
    """The timeline of a car that is planned alone: stretches at one power each. It is in each slot for so long."""

    def __init__(self, slots: PlanSlots, car: PlannedCar, stretches: Sequence[Stretch], present_h: Floats) -> None:
        self._slots, self._car, self._stretches, self._present_h = slots, car, stretches, present_h

    def steps(self, car: int) -> Steps:
        """The power from each instant on."""
        return self._steps

    @cached_property
    def _steps(self) -> Steps:
        return steps_of(self._slots.edges.astype(np.int64).tolist(), self._car, self._stretches)

    def hindrances(self, car: int) -> tuple[Hindrance, ...]:
        """What stands in its way: powers and limits are what is drawn, also where the charger has losses."""
        own, hours = self._car, self._present_h
        drawn_wh = np.zeros_like(hours)
        for slot, lasts_h, power_w in self._stretches:
            drawn_wh[slot] += lasts_h * power_w
        least_w = own.least_w if own.losses is None else own.losses.drawn_w[0]
        left_wh = self._slots.limits_w * hours - drawn_wh
        return hindrances_of(self._slots, own, drawn_wh, own.most_w * hours, least_w * hours, left_wh)


def steps_of(edges: Sequence[Instant], car: PlannedCar, stretches: Sequence[Stretch]) -> Steps:
    """The power from each instant on. What fills a part of a slot only lies next to the charging after or before it."""
    return steps_through(placed(edges, car, stretches))


def steps_through(times: Iterable[Time]) -> Steps:
    """The power from each instant on, of times at one power each in their order, and none between them."""
    steps: list[tuple[Instant, float]] = []
    until = 0
    for begins_at, ends_at, power_w in times:
        if begins_at != until:
            _step(steps, until, 0.0)
        _step(steps, begins_at, power_w)
        until = ends_at
    _step(steps, until, 0.0)
    return tuple(steps)


def stretches_of(car: PlannedCar, energy_wh: Floats, present_h: Floats) -> list[Stretch]:
    """A car's energies at one power each, all through its time in a slot; what is below its minimum, at that."""
    stretches = list[Stretch]()
    for slot in np.flatnonzero(energy_wh).tolist():
        wh, hours = float(energy_wh[slot]), float(present_h[slot])
        power_w = wh / hours if wh < 0.0 else max(wh / hours, car.least_w)
        stretches.append(Stretch(slot, wh / power_w, round(power_w, 3)))
    return stretches


def placed(edges: Sequence[Instant], car: PlannedCar, stretches: Sequence[Stretch]) -> Iterator[Time]:
    """When each stretch begins and ends, and its power."""
    lasts_h: dict[int, float] = {}
    for slot, hours, _ in stretches:
        lasts_h[slot] = lasts_h.get(slot, 0.0) + hours
    before, at, ends_at = -2, 0, 0
    for slot, hours, power_w in stretches:
        if slot != before:
            at, ends_at = max(edges[slot], car.arrives_at), min(edges[slot + 1], car.departs_at)
            if slot - 1 not in lasts_h and slot + 1 in lasts_h:
                at = max(at, ends_at - round(lasts_h[slot] * MS_PER_HOUR))
            before = slot
        begins_at, at = at, min(ends_at, at + round(hours * MS_PER_HOUR))
        yield begins_at, at, power_w


def _step(steps: list[tuple[Instant, float]], at: Instant, power_w: float) -> None:
    if steps and steps[-1][0] == at:
        steps.pop()
    if (steps[-1][1] if steps else 0.0) != power_w:
        steps.append((at, power_w))


# --- a fleet ----------------------------------------------------------------------------------------------------------


class FleetTimeline:
    """The timelines of a fleet's cars."""

    def __init__(
        self,
        slots: PlanSlots,
        fleet: Fleet,
        cars: Sequence[PlannedCar],
        energy_wh: Floats,
        stretches: SlotStretches,
    ) -> None:
        self._slots, self._fleet, self._cars = slots, fleet, cars
        self._energy_wh, self._stretches = energy_wh, stretches

    def steps(self, car: int) -> Steps:
        """The power from each instant on."""
        at, power_w, first = self._all_steps
        own = slice(first[car], first[car + 1])
        return tuple(zip(at[own], power_w[own], strict=True))

    def hindrances(self, car: int) -> tuple[Hindrance, ...]:
        """What stands in its way."""
        slots, own = self._slots, self._cars[car]
        most_wh = self._fleet.some(np.array([car])).room_wh(slots)[:, 0]
        least_wh = own.least_w * slots.hours
        return hindrances_of(slots, own, self._energy_wh[:, car], most_wh, least_wh, self._left_wh)

    @cached_property
    def _left_wh(self) -> Floats:
        """What all cars together leave of each limit, row by row."""
        left_w = self._slots.limits_w - self._stretches.on_limits(self._slots, self._fleet)
        left_wh: Floats = left_w * self._slots.hours
        return left_wh

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


def hindrances_of(
    slots: PlanSlots, car: PlannedCar, drawn_wh: Floats, most_wh: Floats, least_wh: Floats, left_wh: Floats
) -> tuple[Hindrance, ...]:
    """Which limit keeps a car from more, slot by slot of the time it has; equal neighbours are one.

    Where it draws less than it could (`most_wh`), a limit stands in its way that all cars together have left nothing of
    (`left_wh`, row by row); or, where it does not charge, less than the least with which it would (`least_wh`). Of a
    circuit and the site it is the circuit, the nearer one, since more at the site alone would not help. Where neither
    is full, it is the car: the power it has, the time it is there, or the one go that it charges in.
    """
    begins_at, ends_at = np.maximum(slots.edges[:-1], car.arrives_at), np.minimum(slots.edges[1:], car.departs_at)
    there = np.flatnonzero(ends_at > begins_at)
    if not len(there):
        return (Hindrance(CAR, car.arrives_at, car.departs_at),)
    enough_wh = np.maximum(TOLD_WH, np.where(drawn_wh > TOLD_WH, 0.0, least_wh - TOLD_WH))
    in_way = np.where(left_wh[0] < enough_wh, 0, -1)
    if car.circuit is not None:
        row = 1 + slots.circuits.index(car.circuit)
        in_way[left_wh[row] < enough_wh] = row
    in_way[drawn_wh >= most_wh - TOLD_WH] = -1
    in_way = in_way[there]
    first = np.flatnonzero(np.concatenate(([True], in_way[1:] != in_way[:-1])))
    last = np.concatenate((first[1:], [len(there)])) - 1
    names = (SITE, *slots.circuits, CAR)
    return tuple(
        Hindrance(names[limit], int(begins), int(ends))
        for limit, begins, ends in zip(in_way[first], begins_at[there[first]], ends_at[there[last]], strict=True)
    )
