"""What is to be planned, as arrays: the slots with their limits, and the cars. What is by slot and car is (T x C)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.arrays import NEGLIGIBLE_WH, Floats, Integers
from voltbench.quantities import MS_PER_HOUR

if TYPE_CHECKING:
    from voltbench.energy.plan import PlannedCar

Number = TypeVar("Number", np.float64, np.int32)

MOST_CELLS_TO_CUT = 200_000
"""Cars times slots. Up to so many, slots are cut where cars come and go; beyond, for those alone who most need it."""


@dataclass(frozen=True, slots=True)
class PlanSlots:
    """The slots of a plan: edges (ms), prices, and the power that each limit leaves to cars, row by row.

    The first row is the site's, the others are those of the circuits by name. Where slots were cut, `first` are those
    with which the ones before began.
    """

    edges: Floats
    price_per_kwh: Floats
    limits_w: Floats
    circuits: tuple[str, ...]
    first: Integers | None = None

    @property
    def hours(self) -> Floats:
        """How long each slot is."""
        hours: Floats = (self.edges[1:] - self.edges[:-1]) / MS_PER_HOUR
        return hours

    def cut(self, fleet: Fleet, most_cells: int | None = None) -> PlanSlots:
        """The same slots, cut where cars come and go. A car counts in whole slots only: so a mean power is a power.

        There are no more cells than that; without a number, than MOST_CELLS_TO_CUT.
        """
        comings = np.stack((fleet.arrives_at, fleet.departs_at))
        edges = self._cut_at(comings)
        most = (MOST_CELLS_TO_CUT if most_cells is None else most_cells) // max(1, len(fleet.limit))
        if len(edges) > most:
            begins_at, ends_at = (self.edges[np.clip(one, 0, len(self.edges) - 1)] for one in fleet.whole_slots(self))
            whole_h = np.maximum(0.0, ends_at - begins_at) / MS_PER_HOUR
            lacking_wh = fleet.needed_wh + fleet.extra_wh - fleet.most_w * whole_h
            first_of_all = np.argsort(-lacking_wh, kind="stable")[: max(0, most - len(self.edges)) // 2]
            edges = self._cut_at(comings[:, first_of_all])
        if len(edges) == len(self.edges):
            return self
        first = np.searchsorted(edges, self.edges[:-1])
        whole = np.searchsorted(self.edges, edges[:-1], side="right") - 1
        return PlanSlots(edges, self.price_per_kwh[whole], self.limits_w[:, whole], self.circuits, first)

    def _cut_at(self, instants: Floats) -> Floats:
        inside = (self.edges[0] < instants) & (instants < self.edges[-1])
        return np.union1d(self.edges, instants[inside])

    def by_time(self) -> PlanSlots:
        """The same, each dearer than the one before: so the cheapest plan is to charge at once."""
        count = len(self.price_per_kwh) if self.first is None else len(self.first)
        return replace(self, price_per_kwh=self.repeated(np.arange(count, dtype=np.float64)))

    def joined(self, energy_wh: Floats) -> Floats:
        """Energies (T x C, or T) by the slots there were before any was cut."""
        return energy_wh if self.first is None else np.add.reduceat(energy_wh, self.first, axis=0)

    def repeated(self, series: NDArray[Number]) -> NDArray[Number]:
        """What is told of each slot there was before any was cut, for each part of it."""
        if self.first is None:
            return series
        return np.repeat(series, np.diff(self.first, append=len(self.price_per_kwh)))


@dataclass(frozen=True, slots=True)
class Fleet:
    """Cars, figure by figure. `limit` is each one's row among the limits: that of its circuit, else the site's."""

    arrives_at: Floats
    departs_at: Floats
    needed_wh: Floats
    extra_wh: Floats
    most_w: Floats
    least_w: Floats
    priority: Floats
    limit: Integers

    @classmethod
    def of(cls, cars: Sequence[PlannedCar], circuits: Sequence[str]) -> Fleet:
        """These cars, whose circuits are among those named."""
        limit = np.zeros(len(cars), dtype=np.intp)
        if circuits:
            rows = {None: 0} | {name: row for row, name in enumerate(circuits, 1)}
            limit[:] = [rows[car.circuit] for car in cars]
        return cls(
            _row([car.arrives_at for car in cars]),
            _row([car.departs_at for car in cars]),
            _row([car.needed_wh for car in cars]),
            _row([car.extra_wh for car in cars]),
            _row([car.most_w for car in cars]),
            _row([car.least_w for car in cars]),
            _row([car.priority for car in cars]),
            limit,
        )

    def some(self, chosen: Integers) -> Fleet:
        """Some of the cars, by their numbers."""
        return Fleet(*(getattr(self, name)[chosen] for name in self.__slots__))

    def room_wh(self, slots: PlanSlots) -> Floats:
        """The most that each car can take in each slot (T x C): nothing, unless it is there all through it."""
        there = slots.edges[:-1, None] >= self.arrives_at
        there &= slots.edges[1:, None] <= self.departs_at
        room = there.astype(np.float64)
        room *= self.most_w
        room *= slots.hours[:, None]
        return room

    def whole_slots(self, slots: PlanSlots) -> tuple[Integers, Integers]:
        """The first slot at whose beginning each car is there, and the one after the last at whose end it is."""
        first = np.searchsorted(slots.edges, self.arrives_at)
        return first, np.searchsorted(slots.edges, self.departs_at, side="right") - 1


def _row(figures: Sequence[float]) -> Floats:
    """Figures as an array, for which those that are 0 for all cars need not be looked at one by one."""
    return np.array(figures, dtype=np.float64) if any(figures) else np.zeros(len(figures))


@dataclass(frozen=True, slots=True)
class SlotStretches:
    """Parts of slots in which cars charge with one power each; car by car, and of each slot by slot."""

    car: Integers
    slot: Integers
    hours: Floats
    power_w: Floats

    @classmethod
    def even(cls, slots: PlanSlots, fleet: Fleet, energy_wh: Floats) -> SlotStretches:
        """The same power all through each slot, so that all together keep the limits at every instant.

        What `with_minimums` has left below a car's minimum is a shorter time at it, for which it has seen room.
        """
        used = np.ascontiguousarray((energy_wh > NEGLIGIBLE_WH).T)
        car, slot = np.divmod(np.flatnonzero(used), len(energy_wh))
        energy = energy_wh[slot, car]
        power_w = energy / slots.hours[slot]
        if fleet.least_w.any():
            np.maximum(power_w, fleet.least_w[car], out=power_w)
        return cls(car, slot, energy / power_w, power_w)

    @classmethod
    def joined(cls, parts: Sequence[tuple[Integers, SlotStretches]]) -> SlotStretches:
        """Those of several fleets, whose cars have these numbers, as those of one."""
        car = np.concatenate([numbers[one.car] for numbers, one in parts])
        slot, hours, power_w = (
            np.concatenate([getattr(one, name) for _, one in parts]) for name in ("slot", "hours", "power_w")
        )
        order = np.lexsort((slot, car))
        return cls(car[order], slot[order], hours[order], power_w[order])

    def on_limits(self, slots: PlanSlots, fleet: Fleet) -> Floats:
        """The power that each limit carries in each slot, row by row: the site's all, a circuit's that of its cars."""
        shape: tuple[int, ...] = slots.limits_w.shape
        place = fleet.limit[self.car] * shape[1] + self.slot
        carried = np.zeros(shape)
        carried += np.bincount(place, weights=self.power_w, minlength=carried.size).reshape(shape)
        carried[0] = carried.sum(axis=0)
        return carried


def most_drawn_w(slots: PlanSlots, car: PlannedCar, left_w: Floats) -> Floats:
    """The most that a car can draw in each slot of what limits leave, row by row: nothing, or at least its least."""
    free_w = left_w[0]
    if car.circuit is not None:
        free_w = np.minimum(free_w, left_w[1 + slots.circuits.index(car.circuit)])
    most_w: Floats = np.minimum(free_w, car.most_w)
    if car.least_w:
        most_w[free_w < car.least_w] = 0.0
    return most_w
