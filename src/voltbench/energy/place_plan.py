"""A place's plan: what is told of it, read off its program's solution and settled along the steps of its cars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from voltbench.energy.arrays import Floats
from voltbench.energy.at_once import as_batteries_let, drawn_at_once
from voltbench.energy.place import Reservoir
from voltbench.energy.place_program import PlaceProgram
from voltbench.energy.plan import Hindrance, Horizon
from voltbench.energy.plan_car import Stretch
from voltbench.energy.program import Columns
from voltbench.energy.schedule import TOLD_WH, Steps, Time, hindrances_of, placed, steps_through, stretches_of
from voltbench.energy.search import Solved
from voltbench.energy.settle import TOLD_W, Drawn, settled
from voltbench.quantities import Instant

AS_MUCH_WH = 1.0
"""What is had is as much as this near to it."""
AS_CHEAP = 1e-6
"""Costs that differ by no more are the same, relatively."""


@dataclass(frozen=True, slots=True)
class PlacePlan:
    """Mean powers per slot (W; into the device positive), by car where there are several, and what it comes to.

    `steps` are each car's power from each instant on: a mean below its minimum is the minimum for a shorter time, and
    what is told is what comes of these, instant by instant, while the storage has its mean. `cost` is what is paid:
    import, export, demand and wear; carbon has a weight in the choice, but is not paid. Where cars have minimum powers,
    the search may end before its plan is proven best: `shortfall_gap_wh` is what another plan could leave out less, and
    `gap` the part of the cost (with that weight) that it could save, at most. `unserved_w` is load that neither the
    connection nor a battery can carry. `hindrances` are those of each car that lacks some of what it needs.
    `cost_at_once` is what would be paid, wear too, if the same were charged as soon as it could, and batteries rested;
    None where that cannot be.
    """

    cars_w: Floats
    steps: tuple[Steps, ...]
    storage_w: Floats
    import_w: Floats
    export_w: Floats
    curtailed_w: Floats
    unserved_w: Floats
    shortfall_wh: Floats
    hindrances: tuple[tuple[Hindrance, ...], ...]
    cost: float
    co2_g: float
    gap: float
    shortfall_gap_wh: float
    cost_at_once: float | None


def told(of: PlaceProgram, solved: Solved, expected: float, alone: Horizon) -> PlacePlan:
    """What a program's solution comes to, or charging at once where that costs less.

    The program takes it for what is `expected`. `alone` are its slots as a fleet without batteries has them.
    """
    return _Told(of, solved, expected, alone).plan()


class _Followed:
    """What a place comes to whose cars follow their steps. Energies are by the slots of the program.

    Where cars may wait, those that charge for a part of a slot do so one after the other.
    """

    def __init__(
        self,
        of: PlaceProgram,
        cars_wh: Floats,
        storage_wh: Floats,
        curtailed_wh: Floats,
        wear: float,
        *,
        waits: bool = True,
    ) -> None:
        self._of, self.cars_wh, self.storage_wh, self._wear = of, cars_wh, storage_wh, wear
        each = zip(of.cars, cars_wh, of.present_h, strict=True)
        stretches = [stretches_of(car, energy_wh, present_h) for car, energy_wh, present_h in each]
        self._times: list[list[Time]] = [
            list(placed(of.horizon.edges, car, own)) for car, own in zip(of.cars, stretches, strict=True)
        ]
        parts = list(self._parts(stretches))
        if waits:
            self._one_by_one(parts)
        steady_wh, drawn = storage_wh + cars_wh.sum(axis=0), list[Drawn]()
        for number, slot, place in parts:
            begins_at, ends_at, _ = self._times[number][place]
            steady_wh[slot] -= cars_wh[number, slot]
            drawn.append(Drawn(begins_at, ends_at, float(cars_wh[number, slot])))
        self.flow = settled(of.connection, steady_wh / of.hours, drawn, curtailed_wh / of.hours)

    def steps(self, number: int) -> Steps:
        """A car's power from each instant on."""
        return steps_through(self._times[number])

    def mean_w(self, energy_wh: Floats) -> Floats:
        """The mean powers of the slots as they were before they were cut (T x C, or T)."""
        mean_w: Floats = (self._of.parts.joined(energy_wh).T / self._of.told_hours).T
        return mean_w

    @cached_property
    def cost(self) -> float:
        """What is paid: a peak is the mean of a slot as it was asked for."""
        of, place, flow = self._of, self._of.place, self.flow
        higher_w = float(self.mean_w(flow.bought_wh).max(initial=place.peak_so_far_w)) - place.peak_so_far_w
        paid = float(flow.bought_wh @ of.price - flow.sold_wh @ of.sells)
        return paid + place.demand_price_per_kw * higher_w / 1e3 + self._wear

    @property
    def co2_g(self) -> float:
        """The carbon of what is imported."""
        return float(self.flow.bought_wh @ self._of.co2) + 0.0

    @property
    def weighs(self) -> float:
        """What counts in the choice: the cost, and carbon with its weight."""
        return self.cost + self.co2_g * self._of.place.co2_price_per_kg / 1e3

    def hindrances(self, short_wh: Floats) -> tuple[tuple[Hindrance, ...], ...]:
        """Which limit keeps each car that lacks something from more, slot by slot of the time it has."""
        of, flow = self._of, self.flow
        imports_wh = of.place.import_limit_w * of.hours - flow.bought_wh + flow.sold_wh + flow.curtailed_wh
        left = {name: most.copy() for name, most in of.limits_wh.items()}
        for car, energy_wh, least_wh in zip(of.cars, self.cars_wh, of.least_in, strict=True):
            taken_wh = np.where(energy_wh > TOLD_WH, np.maximum(energy_wh, least_wh), energy_wh)
            imports_wh = imports_wh - (taken_wh - energy_wh)
            for name in left.keys() & {None, car.circuit}:
                left[name] -= taken_wh
        site_wh = np.minimum(left.get(None, imports_wh), imports_wh)
        left_wh = np.array([site_wh, *(left[name] for name in of.parts.circuits)])
        return tuple(
            hindrances_of(of.parts, car, self.cars_wh[number], of.most_in[number], of.least_in[number], left_wh)
            if short_wh[number]
            else ()
            for number, car in enumerate(of.cars)
        )

    def _parts(self, stretches: Sequence[Sequence[Stretch]]) -> Iterator[tuple[int, int, int]]:
        """Cars that charge for a part of a slot only: the car, the slot, and which of its times it is."""
        for number, (own, times, least_wh) in enumerate(zip(stretches, self._times, self._of.least_in, strict=True)):
            for place, ((slot, _, _), (begins_at, ends_at, _)) in enumerate(zip(own, times, strict=True)):
                if 0.0 < self.cars_wh[number, slot] < least_wh[slot] and ends_at > begins_at:
                    yield number, slot, place

    def _one_by_one(self, parts: Sequence[tuple[int, int, int]]) -> None:
        """Let cars wait for each other within a slot, where they do not go on from one before or into the next one."""
        edges, until = self._of.horizon.edges, dict[int, Instant]()
        waiting = list[tuple[int, int, int]]()
        for number, slot, place in parts:
            goes_on = (self.cars_wh[number, max(0, slot - 1) : slot + 2] != 0.0).sum() > 1
            begins_at, ends_at, _ = self._times[number][place]
            if not goes_on:
                waiting.append((number, slot, place))
            elif begins_at == edges[slot]:
                until[slot] = max(until.get(slot, 0), ends_at)
        for number, slot, place in waiting:
            begins_at, ends_at, power_w = self._times[number][place]
            after_ms = max(0, min(until.get(slot, begins_at), edges[slot + 1] - (ends_at - begins_at)) - begins_at)
            self._times[number][place] = begins_at + after_ms, ends_at + after_ms, power_w
            until[slot] = ends_at + after_ms


class _Told:
    """A place's plan, read off its program's solution."""

    def __init__(self, of: PlaceProgram, solved: Solved, expected: float, alone: Horizon) -> None:
        self._of, self._solved, self._x, self._expected, self._alone = of, solved, solved.columns, expected, alone

    def plan(self) -> PlacePlan:
        """All of it."""
        of, x, planned = self._of, self._x, self._planned()
        at_once, best = self._at_once(planned), planned
        if at_once is not None and self._is_as_good(at_once, planned):
            best = at_once
        short_wh, flow, mean_w = np.where(x[of.short] > TOLD_WH, x[of.short], 0.0), best.flow, best.mean_w
        return PlacePlan(
            cars_w=mean_w(best.cars_wh.T).T,
            steps=tuple(map(best.steps, range(len(of.cars)))),
            storage_w=mean_w(best.storage_wh),
            import_w=mean_w(flow.bought_wh),
            export_w=mean_w(flow.sold_wh),
            curtailed_w=mean_w(flow.curtailed_wh),
            unserved_w=mean_w(flow.unserved_wh),
            shortfall_wh=short_wh,
            hindrances=best.hindrances(short_wh),
            cost=best.cost,
            co2_g=best.co2_g,
            gap=self._gap(best),
            shortfall_gap_wh=self._solved.first_gap,
            cost_at_once=None if at_once is None else at_once.cost,
        )

    def _planned(self) -> _Followed:
        """What the program has chosen."""
        of = self._of
        cars_wh = np.array([self._energy_wh(*one) for one in of.drawn]).reshape(len(of.drawn), of.slots)
        storage_wh = np.zeros(of.slots) if of.storage is None else self._energy_wh(*of.storage)
        wear = sum(float(self._x[columns].sum()) * cost for columns, cost in of.wear)
        return _Followed(of, cars_wh, storage_wh, self._energy_wh(of.curtailed), wear)

    def _energy_wh(self, into: Columns, out: Columns | None = None) -> Floats:
        """What goes into something; what the solver's rounding leaves is none."""
        energy_wh: Floats = self._x[into] if out is None else self._x[into] - self._x[out]
        return np.where(np.abs(energy_wh) < TOLD_W * self._of.hours, 0.0, energy_wh)

    def _gap(self, best: _Followed) -> float:
        """The part of the cost that another plan could save: no plan costs less than the program could."""
        gap, weighs, expected = self._solved.gap, best.weighs, self._expected
        least = expected - gap * abs(expected)
        is_the_same = weighs - expected <= AS_CHEAP * max(1.0, abs(weighs))
        return gap if is_the_same else max(gap, (weighs - least) / max(abs(weighs), AS_CHEAP))

    # --- charging at once -----------------------------------------------------------------------------------------

    def _at_once(self, planned: _Followed) -> _Followed | None:
        """What it would come to if cars that do not wait had as much, and batteries rested; None where that cannot be.

        It cannot be where less load were served, or a battery stayed emptier than it should be and the plan has it.
        """
        of = self._of
        drawn_wh = drawn_at_once(self._alone, as_batteries_let(of.cars, of.batteries))
        beyond_wh = drawn_wh.sum(axis=1) - self._had_wh()
        if (beyond_wh < -TOLD_WH).any() or beyond_wh.sum() > AS_MUCH_WH or self._lacks_more(drawn_wh):
            return None
        per_wh = np.array([0.0 if one is None else one.wear_per_kwh / 2e3 for one in of.batteries])
        rests, wear = np.zeros(of.slots), float(drawn_wh.sum(axis=1) @ per_wh)
        once = _Followed(of, drawn_wh, rests, self._energy_wh(of.curtailed), wear, waits=False)
        is_served = once.flow.unserved_wh.sum() <= planned.flow.unserved_wh.sum() + AS_MUCH_WH
        return once if is_served else None

    def _had_wh(self) -> Floats:
        """What each car has in the plan, of what it needs and would like."""
        of = self._of
        return np.array([car.needed_wh + car.extra_wh for car in of.cars]) - self._x[of.short] - self._x[of.less]

    def _lacks_more(self, drawn_wh: Floats) -> bool:
        """Whether a battery that only takes this would end emptier than it should be, and than the plan has it."""
        of, lacks = self._of, list[bool]()
        for battery, columns, taken_wh in zip(of.batteries, of.drawn, drawn_wh.sum(axis=1).tolist(), strict=True):
            if battery is not None:
                lacks.append(self._ends_emptier(battery, columns, taken_wh, battery.least_wh))
        if of.reservoir is not None and of.storage is not None:
            should_wh = of.reservoir.stored_wh if of.reservoir.least_at_end_wh is None else of.reservoir.least_at_end_wh
            lacks.append(self._ends_emptier(of.reservoir, of.storage, 0.0, max(should_wh, of.reservoir.least_wh)))
        return any(lacks)

    def _ends_emptier(
        self, battery: Reservoir, columns: tuple[Columns, Columns | None], taken_wh: float, should_wh: float
    ) -> bool:
        into, out = columns
        given_wh = 0.0 if out is None else float(self._x[out].sum()) / battery.discharge_efficiency
        planned_wh = battery.stored_wh + float(self._x[into].sum()) * battery.charge_efficiency - given_wh
        ends_wh = battery.stored_wh + taken_wh * battery.charge_efficiency
        return min(should_wh, planned_wh) > ends_wh + AS_MUCH_WH

    def _is_as_good(self, at_once: _Followed, planned: _Followed) -> bool:
        """Whether nobody has other energies than in the plan, and it costs less."""
        as_much = np.abs(at_once.cars_wh.sum(axis=1) - self._had_wh()) <= TOLD_WH
        cheaper = planned.weighs - at_once.weighs > AS_CHEAP * max(1.0, abs(planned.weighs))
        return bool(as_much.all()) and cheaper
