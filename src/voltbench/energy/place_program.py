"""A whole place as a linear program: its grid connection, its batteries, and its cars, slot by slot."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite

import numpy as np

from voltbench.energy.fleet import Fleet, Slots
from voltbench.energy.place import Place, Reservoir
from voltbench.energy.plan import Horizon, PlannedCar
from voltbench.energy.program import Columns, Flags, Floats, Model, Program
from voltbench.errors import InvalidInput

MOST_CELLS = 10_000
"""Cars times slots. Up to so many, slots are cut where cars come and go; beyond, for those alone who most need it."""
MOST_LEVELS = 6
"""So many priorities of cars are weighed against each other. Where there are more, one turn comes after the other."""
MOST_PRIORITIES = 30
"""With more of them there would be too many turns."""
PER_LEVEL = 4.0
"""A Wh that a car lacks weighs so many times what it does one level below."""


Limits = dict[str | None, Floats]
"""Energies by the name of a limit, slot by slot."""


class PlaceProgram:
    """The program of a plan for a whole place. Columns are energies of a slot, in Wh.

    Its slots are those of the plan, cut where cars come and go, and its horizon has the same. A car counts in those
    alone that it is there all through.
    """

    def __init__(
        self,
        horizon: Horizon,
        cars: Sequence[PlannedCar],
        place: Place,
        storage: Reservoir | None,
        batteries: Sequence[Reservoir | None],
    ) -> None:
        fleet = Fleet.of(cars, horizon.slots.circuits)
        self.parts = horizon.slots.cut(fleet, MOST_CELLS)
        self.horizon, self.cars, self.place = _by_parts(horizon, self.parts), cars, place
        self.hours, self.batteries, self.told_hours = self.parts.hours, batteries, horizon.hours
        self.slots = len(self.hours)
        self.price = self.parts.price_per_kwh / 1e3
        self.co2 = self._series("co2_g_per_kwh", place.co2_g_per_kwh) / 1e3
        self.sells = self._series("export_price_per_kwh", place.export_price_per_kwh) / 1e3
        self.load_wh = self._series("load_w", place.load_w) * self.hours
        self.sun_wh = self._series("generation_w", place.generation_w) * self.hours
        self.present_h = self._present_h(fleet)
        self.most_in = [
            present * (car.most_w if battery is None else min(car.most_w, battery.charge_w))
            for car, battery, present in zip(cars, batteries, self.present_h, strict=True)
        ]
        self.least_in = [car.least_w * present for car, present in zip(cars, self.present_h, strict=True)]
        self.most_out = [
            np.zeros(self.slots) if battery is None else battery.discharge_w * present
            for battery, present in zip(batteries, self.present_h, strict=True)
        ]
        if storage is not None:
            self.most_in.append(storage.charge_w * self.hours)
            self.most_out.append(storage.discharge_w * self.hours)
        self._program = Program()
        self.limits_wh, self._shared, self._given = self._limited()
        self.wear: list[tuple[Columns, float]] = []
        self._last_turn = 0
        self.apart: list[tuple[Columns, Columns, Columns]] = []
        self.steady: list[tuple[Columns, Columns, Floats]] = []
        self.unserved_wh = self._surely_unserved()
        due = self.load_wh - self.sun_wh - self.unserved_wh
        self._balance = self._program.rows(self.slots, due, due)
        self.bought, self.sold, self.curtailed, self.missing = self._grid()
        self._fuse = self._fused()
        self.storage = None if storage is None else self._reservoir(storage, self.most_in[-1], self.most_out[-1])
        self.drawn: list[tuple[Columns, Columns | None]] = []
        self.short = self._program.columns(len(cars), 0.0, [car.needed_wh for car in cars])
        self.less = self._program.columns(len(cars), 0.0, [car.extra_wh for car in cars])
        self._put_first()
        for number, (car, battery) in enumerate(zip(cars, batteries, strict=True)):
            self.drawn.append(self._car(number, car, battery))

    def _limited(self) -> tuple[Limits, dict[str | None, Columns], dict[str | None, Columns]]:
        """What cars share, by circuit (the site's has no name), with its rows, and rows for what they give together."""
        site_wh, *circuits_wh = self.parts.limits_w * self.hours
        limits_wh: Limits = dict(zip(self.parts.circuits, circuits_wh, strict=True))
        gives = {car.circuit for car, battery in zip(self.cars, self.batteries, strict=True) if battery is not None}
        rows, slots = self._program.rows, self.slots
        given = {name: rows(slots, -most_wh, inf) for name, most_wh in limits_wh.items() if name in gives}
        if not isfinite(self.place.import_limit_w):
            limits_wh[None] = site_wh
        return limits_wh, {name: rows(slots, -inf, most_wh) for name, most_wh in limits_wh.items()}, given

    def _present_h(self, fleet: Fleet) -> list[Floats]:
        """How long each car counts in each slot: all through it, or not at all."""
        slot = np.arange(self.slots)
        stays = zip(*fleet.whole_slots(self.parts), strict=True)
        return [np.where((slot >= first) & (slot < last), self.hours, 0.0) for first, last in stays]

    def _series(self, name: str, series: Sequence[float]) -> Floats:
        if not series:
            return np.zeros(self.slots)
        count = len(self.told_hours)
        if len(series) != count or not np.isfinite(series).all():
            raise InvalidInput(name, "does not fit the slots", found=len(series), allowed=f"{count} finite values")
        return self.parts.repeated(np.array(series, dtype=np.float64))

    def _surely_unserved(self) -> Floats:
        """The load that is left in each slot when the connection and all batteries give all they can.

        It is known beforehand, so that it is no part of the program: as a large figure it would blur the small ones.
        """
        carried = self.place.import_limit_w * self.hours + self.sun_wh + sum(self.most_out)
        return np.maximum(0.0, self.load_wh - carried)

    def _put_first(self) -> None:
        """What comes before the cost, by weight and turn: load, needs by priority, and then extras by priority."""
        priorities = np.array([car.priority for car in self.cars])
        levels = sorted(set(priorities.tolist()), reverse=True)
        if len(levels) > MOST_PRIORITIES:
            allowed = f"<= {MOST_PRIORITIES}"
            raise InvalidInput("cars", "have too many priorities in a place", found=len(levels), allowed=allowed)
        sums = [lacking[priorities == priority] for lacking in (self.short, self.less) for priority in levels]
        a_turn = len(sums) if len(levels) <= MOST_LEVELS else MOST_LEVELS
        needs = min(len(levels), MOST_LEVELS)
        for number, lacking in enumerate(sums):
            turn, below = divmod(number, a_turn)
            self._program.first(lacking, PER_LEVEL ** (needs - 1 - below), turn)
            self._last_turn = turn
        self._program.first(self.missing, PER_LEVEL ** (needs + 1))

    # --- the grid connection ----------------------------------------------------------------------------------------

    def _grid(self) -> tuple[Columns, Columns, Columns, Columns]:
        place, program, hours = self.place, self._program, self.hours
        carbon = self.co2 * place.co2_price_per_kg / 1e3
        takes = np.maximum(0.0, self.load_wh) + np.maximum(0.0, -self.sun_wh)
        gives = np.maximum(0.0, self.sun_wh) + np.maximum(0.0, -self.load_wh)
        most_in = np.minimum(place.import_limit_w * hours, takes + sum(self.most_in))
        most_out = np.minimum(place.export_limit_w * hours, gives + sum(self.most_out))
        could_lack = np.maximum(0.0, takes - gives - place.import_limit_w * hours - self.unserved_wh)
        bought = program.columns(self.slots, 0.0, most_in, self.price + carbon)
        sold = program.columns(self.slots, 0.0, most_out, -self.sells)
        curtailed = program.columns(self.slots, 0.0, gives)
        missing = program.columns(self.slots, 0.0, could_lack)  # where only batteries may help
        for columns, sign in ((bought, 1.0), (missing, 1.0), (sold, -1.0), (curtailed, -1.0)):
            program.enter(self._balance, columns, sign)
        self._not_both((bought, most_in), (sold, most_out), self.sells > self.price + carbon)
        if place.demand_price_per_kw:
            peak = program.columns(1, place.peak_so_far_w / 1e3, inf, place.demand_price_per_kw)
            rows = program.rows(len(self.told_hours), 0.0, inf)
            program.enter(rows, np.repeat(peak, len(rows)), 1e3 * self.told_hours)
            program.enter(self.parts.repeated(rows), bought, -1.0)
        return bought, sold, curtailed, missing

    def _fused(self) -> Columns | None:
        """Rows that hold the import limit while cars charge with their minimum for a part of a slot."""
        if not isfinite(self.place.import_limit_w) or not any(car.least_w for car in self.cars):
            return None
        program = self._program
        rows = program.rows(self.slots, -inf, self.place.import_limit_w * self.hours)
        for columns, sign in ((self.bought, 1.0), (self.sold, -1.0), (self.curtailed, -1.0)):
            program.enter(rows, columns, sign)
        return rows

    def _not_both(self, one: tuple[Columns, Floats], other: tuple[Columns, Floats], where: Flags) -> None:
        """One of two, each given with the most it can be, is nothing: asked for only where both at once would pay."""
        at = np.flatnonzero(where & (one[1] > 0.0) & (other[1] > 0.0))
        if not len(at):
            return
        chosen = self._program.columns(len(at), 0.0, 1.0, whole=True)
        first = self._program.rows(len(at), -inf, 0.0)
        second = self._program.rows(len(at), -inf, other[1][at])
        self._program.enter(first, one[0][at], 1.0)
        self._program.enter(first, chosen, -one[1][at])
        self._program.enter(second, other[0][at], 1.0)
        self._program.enter(second, chosen, other[1][at])
        self.apart.append((chosen, one[0][at], other[0][at]))

    # --- batteries --------------------------------------------------------------------------------------------------

    def _reservoir(
        self, battery: Reservoir, most_in: Floats, most_out: Floats, number: int | None = None
    ) -> tuple[Columns, Columns]:
        """What goes into a battery and out of it, as seen from the place. With a number it is that car's.

        How full it is counts at the end of each slot.
        """
        program, car = self._program, None if number is None else self.cars[number]
        wear = battery.wear_per_kwh / 1e3 / 2.0
        into = program.columns(self.slots, 0.0, most_in, wear)
        out = program.columns(self.slots, 0.0, most_out, wear)
        self.wear += [(into, wear), (out, wear)]
        stored = program.columns(self.slots, battery.least_wh, battery.capacity_wh)
        first = np.zeros(self.slots)
        first[0] = battery.stored_wh
        filling = program.rows(self.slots, first, first)
        program.enter(filling, stored, 1.0)
        program.enter(filling[1:], stored[:-1], -1.0)
        program.enter(filling, into, -battery.charge_efficiency)
        program.enter(filling, out, 1.0 / battery.discharge_efficiency)
        at_end = battery.stored_wh if battery.least_at_end_wh is None else battery.least_at_end_wh
        if car is not None:
            at_end = battery.stored_wh + (car.needed_wh + car.extra_wh) * battery.charge_efficiency
        end = program.rows(1, at_end, inf)
        program.enter(end, stored[-1:], 1.0)
        if number is not None:
            for lacking in (self.short, self.less):
                program.enter(end, lacking[number : number + 1], battery.charge_efficiency)
        elif battery.least_at_end_wh is not None:
            unfilled = program.columns(1, 0.0, battery.least_at_end_wh)
            program.enter(end, unfilled, 1.0)
            program.first(unfilled, PER_LEVEL ** -(MOST_LEVELS + 1), self._last_turn)
        program.enter(self._balance, into, -1.0)
        program.enter(self._balance, out, 1.0)
        has_least = car is not None and car.least_w > 0.0
        self._not_both((into, most_in), (out, most_out), (self.price < 0.0) | has_least)
        return into, out

    # --- cars -------------------------------------------------------------------------------------------------------

    def _car(self, number: int, car: PlannedCar, battery: Reservoir | None) -> tuple[Columns, Columns | None]:
        program, out = self._program, None
        if battery is not None:
            into, out = self._reservoir(battery, self.most_in[number], self.most_out[number], number)
        else:
            into = program.columns(self.slots, 0.0, self.most_in[number])
            program.enter(self._balance, into, -1.0)
            asked_wh = car.needed_wh + car.extra_wh
            needs = program.rows(1, asked_wh, asked_wh)
            program.enter(np.repeat(needs, self.slots), into, 1.0)
            for lacking in (self.short, self.less):
                program.enter(needs, lacking[number : number + 1], 1.0)
        for name in self._shared.keys() & {None, car.circuit}:
            program.enter(self._shared[name], into, 1.0)
            if out is not None:
                program.enter(self._shared[name], out, -1.0)
        if car.circuit in self._given:
            program.enter(self._given[car.circuit], into, 1.0)
            if car.least_w > 0.0:
                program.enter(self._given[car.circuit], self._unsteady(number, into), -1.0)
            if out is not None:
                program.enter(self._given[car.circuit], out, -1.0)
        if car.least_w > 0.0:
            self._at_least(number, into)
        return into, out

    def _unsteady(self, number: int, into: Columns) -> Columns:
        """What a car draws in each slot, but not at every instant: all of it, where it is less than its minimum."""
        program, most, least = self._program, self.most_in[number], self.least_in[number]
        unsteady, is_steady = program.columns(self.slots, 0.0, most), program.columns(self.slots, 0.0, 1.0, whole=True)
        enough, counted = program.rows(self.slots, 0.0, inf), program.rows(self.slots, -inf, 0.0)
        for rows, floor in ((enough, least), (counted, most)):
            program.enter(rows, into, 1.0)
            program.enter(rows, is_steady, -floor)
        program.enter(counted, unsteady, -1.0)
        program.only_for_switched((unsteady, is_steady), (enough, counted))
        self.steady.append((is_steady, into, least))
        return unsteady

    def _at_least(self, number: int, into: Columns) -> None:
        """Nothing, or at least the car's minimum, be it for a shorter time: for that, limits have room all the time."""
        at = np.flatnonzero(self.most_in[number] > 0.0)
        excess = self._program.switched(into[at], self.least_in[number][at])
        for name in self._shared.keys() & {None, self.cars[number].circuit}:
            self._program.enter(self._shared[name][at], excess, 1.0)
        if self._fuse is not None:
            self._program.enter(self._fuse[at], excess, 1.0)

    def finished(self) -> Model:
        """The program, to be solved."""
        return self._program.finished()


def _by_parts(horizon: Horizon, parts: Slots) -> Horizon:
    """The same horizon, by the parts that its slots were cut into."""
    if parts.first is None:
        return horizon
    site_w, *circuits_w = (tuple(row) for row in parts.limits_w.tolist())
    edges = tuple(parts.edges.astype(np.int64).tolist())
    return Horizon(
        edges, tuple(parts.price_per_kwh.tolist()), site_w, dict(zip(parts.circuits, circuits_w, strict=True))
    )
