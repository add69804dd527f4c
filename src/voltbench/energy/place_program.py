"""A whole place as a linear program: its grid connection, its batteries, and its cars, slot by slot."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite

import numpy as np

from voltbench.energy.arrays import Flags, Floats
from voltbench.energy.fleet import Fleet, PlanSlots
from voltbench.energy.place import Place, Reservoir
from voltbench.energy.plan import Horizon, PlannedCar
from voltbench.energy.program import NO_COLUMNS, Columns, Model, Program
from voltbench.energy.schedule import TOLD_WH
from voltbench.energy.settle import Connection
from voltbench.errors import InvalidInput

MOST_CELLS_IN_A_PLACE = 10_000
"""Cars times slots. Up to so many, slots are cut where cars come and go; beyond, for those alone who most need it."""
SHORTEST_CUT_H = 4.0 / 60.0
"""What is shorter is not cut in pieces."""
MOST_PRIORITIES = 30
"""With more of them there would be too many turns: needs and extras of each have one."""

ByLimit = dict[str | None, Floats]
"""Energies by the name of a limit, slot by slot."""


class PlaceProgram:
    """The program of a plan for a whole place. Columns are energies of a slot, in Wh.

    Its slots are those of the plan, cut where cars come and go, and each of these in so many pieces; its horizon has
    the same. A car counts in those alone that it is there all through. With `one_way` no battery is charged and
    discharged in one slot: else that is left to the solver where it pays for nobody, and may be free.
    """

    def __init__(
        self,
        horizon: Horizon,
        cars: Sequence[PlannedCar],
        place: Place,
        storage: Reservoir | None,
        batteries: Sequence[Reservoir | None],
        pieces: int = 1,
        *,
        one_way: bool = False,
    ) -> None:
        fleet = Fleet.of(cars, horizon.slots.circuits)
        self.parts = _in_pieces(horizon.slots.cut(fleet, MOST_CELLS_IN_A_PLACE), pieces)
        self.horizon, self.cars, self.place = _by_parts(horizon, self.parts), cars, place
        self.reservoir, self._one_way = storage, one_way
        self.hours, self.batteries, self.told_hours = self.parts.hours, batteries, horizon.hours
        self.slots = len(self.hours)
        self.price = self.parts.price_per_kwh / 1e3
        self.co2 = self._series("co2_g_per_kwh", place.co2_g_per_kwh) / 1e3
        self.sells = self._series("export_price_per_kwh", place.export_price_per_kwh) / 1e3
        self.load_wh = self._series("load_w", place.load_w) * self.hours
        self.sun_wh = self._series("generation_w", place.generation_w) * self.hours
        self.buys = self.price + self.co2 * place.co2_price_per_kg / 1e3
        self.present_h = self._present_h(fleet)
        self.least_in = [car.least_w * present for car, present in zip(cars, self.present_h, strict=True)]
        self.most_in, self.most_out = self._most(storage)
        self._program = Program()
        self.limits_wh, self._shared, self._given = self._limited()
        self.wear: list[tuple[Columns, float]] = []
        self._unfilled, self._under = NO_COLUMNS, [NO_COLUMNS]
        self.up: list[tuple[Columns, Columns]] = []
        self.apart: list[tuple[Columns, Columns, Columns]] = []
        self.steady: list[tuple[Columns, Columns, Floats]] = []
        self.unserved_wh = self._surely_unserved()
        self._balance = self._balanced(self.load_wh - self.sun_wh - self.unserved_wh)
        self.bought, self.sold, self.curtailed, self.missing = self._grid()
        self._fuse = self._fused()
        self._spill = self._spilled(storage)
        self.storage = None if storage is None else self._reservoir(storage, self.most_in[-1], self.most_out[-1])
        self.drawn: list[tuple[Columns, Columns | None]] = []
        self.short = self._program.columns(len(cars), 0.0, [car.needed_wh for car in cars])
        self.less = self._program.columns(len(cars), 0.0, [car.extra_wh for car in cars])
        for number, (car, battery) in enumerate(zip(cars, batteries, strict=True)):
            self.drawn.append(self._car(number, car, battery))
        self._import_while_on()
        self._put_first()

    def _limited(self) -> tuple[ByLimit, dict[str | None, Columns], dict[str | None, Columns]]:
        """What cars share, by circuit (the site's has no name), with its rows, and rows for what they give together."""
        site_wh, *circuits_wh = self.parts.limits_w * self.hours
        limits_wh: ByLimit = dict(zip(self.parts.circuits, circuits_wh, strict=True))
        gives = {car.circuit for car, battery in zip(self.cars, self.batteries, strict=True) if battery is not None}
        rows, slots = self._program.rows, self.slots
        given = {name: rows(slots, -most_wh, inf) for name, most_wh in limits_wh.items() if name in gives}
        if not isfinite(self.place.import_limit_w):
            limits_wh[None] = site_wh
        return limits_wh, {name: rows(slots, -inf, most_wh) for name, most_wh in limits_wh.items()}, given

    def _balanced(self, due_wh: Floats) -> Columns:
        """A row for each slot: all that flows in comes to what is due."""
        return self._program.rows(self.slots, due_wh, due_wh)

    def _most(self, storage: Reservoir | None) -> tuple[list[Floats], list[Floats]]:
        """The most that goes into each car, and out of it, in each slot; and last into the storage, and out of it."""
        each = list(zip(self.cars, self.batteries, self.present_h, strict=True))
        most_in = [
            present * (car.most_w if battery is None else min(car.most_w, battery.charge_w))
            for car, battery, present in each
        ]
        most_out = [present * (0.0 if battery is None else battery.discharge_w) for _, battery, present in each]
        if storage is not None:
            most_in.append(storage.charge_w * self.hours)
            most_out.append(storage.discharge_w * self.hours)
        return most_in, most_out

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
        """What comes before the cost: load, needs by priority, reserves, extras by priority, how full the storage is.

        One is minimised after the other, so that no amount of a later one is worth any of an earlier one.
        """
        priorities = np.array([car.priority for car in self.cars])
        levels = sorted(set(priorities.tolist()), reverse=True)
        if len(levels) > MOST_PRIORITIES:
            allowed = f"<= {MOST_PRIORITIES}"
            raise InvalidInput("cars", "have too many priorities in a place", found=len(levels), allowed=allowed)
        needs, extras = (
            [lacking[priorities == priority] for priority in levels] for lacking in (self.short, self.less)
        )
        for lacking in (self.missing, *needs, np.concatenate(self._under), *extras, self._unfilled):
            self._program.first(lacking)

    # --- the grid connection ----------------------------------------------------------------------------------------

    def _grid(self) -> tuple[Columns, Columns, Columns, Columns]:
        place, program, hours = self.place, self._program, self.hours
        takes = np.maximum(0.0, self.load_wh) + np.maximum(0.0, -self.sun_wh)
        gives = np.maximum(0.0, self.sun_wh) + np.maximum(0.0, -self.load_wh)
        most_in = np.minimum(place.import_limit_w * hours, takes + sum(self.most_in))
        most_out = np.minimum(place.export_limit_w * hours, gives + sum(self.most_out))
        could_lack = np.maximum(0.0, takes - gives - place.import_limit_w * hours - self.unserved_wh)
        bought = program.columns(self.slots, 0.0, most_in, self.buys)
        sold = program.columns(self.slots, 0.0, most_out, -self.sells)
        curtailed = program.columns(self.slots, 0.0, gives)
        missing = program.columns(self.slots, 0.0, could_lack)  # where only batteries may help
        for columns, sign in ((bought, 1.0), (missing, 1.0), (sold, -1.0), (curtailed, -1.0)):
            program.enter(self._balance, columns, sign)
        self._not_both((bought, most_in), (sold, most_out), self.sells > self.buys)
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

    def _spilled(self, storage: Reservoir | None) -> Columns | None:
        """Rows that hold the export limit, with all generation off, while cars pause that charge for a part of a slot.

        Only what batteries give can break it.
        """
        gives = storage is not None or any(battery is not None for battery in self.batteries)
        if not gives or not isfinite(self.place.export_limit_w) or not any(car.least_w for car in self.cars):
            return None
        program = self._program
        could_wh = np.maximum(0.0, self.sun_wh) + np.maximum(0.0, -self.load_wh)
        most_wh = self.place.export_limit_w * self.hours + could_wh + self.unserved_wh
        rows = program.rows(self.slots, -most_wh, inf)
        for columns, sign in ((self.bought, 1.0), (self.missing, 1.0), (self.sold, -1.0), (self.curtailed, -1.0)):
            program.enter(rows, columns, sign)
        return rows

    def _import_while_on(self) -> None:
        """What is left over while a car pauses does not meet its minimum: for a part of a slot, that is imported.

        Less, by what the sun gives meanwhile, and by what batteries give. Without them it is exact for one car, and for
        several that charge one after the other.
        """
        outs = [out for _, out in (*self.drawn, self.storage or (None, None)) if out is not None]
        counts = (self.load_wh < self.sun_wh) & (self.sells <= self.buys)
        short = [np.where(counts, least + self.load_wh - self.sun_wh, 0.0) * (least > 0.0) for least in self.least_in]
        at = np.flatnonzero(sum((one > 0.0 for one in short), np.zeros(self.slots)))
        if not len(at):
            return
        rows = self._program.rows(len(at), 0.0, inf)
        for (into, _), least_wh, short_wh in zip(self.drawn, self.least_in, short, strict=True):
            own = short_wh[at] > 0.0
            self._program.enter(rows[own], into[at][own], -short_wh[at][own] / least_wh[at][own])
        for columns in (self.bought, self.missing, *outs):
            self._program.enter(rows, columns[at], 1.0)

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
        stored = program.columns(self.slots, min(battery.least_wh, battery.stored_wh), battery.capacity_wh)
        first = np.zeros(self.slots)
        first[0] = battery.stored_wh
        filling = program.rows(self.slots, first, first)
        program.enter(filling, stored, 1.0)
        program.enter(filling[1:], stored[:-1], -1.0)
        program.enter(filling, into, -battery.charge_efficiency)
        program.enter(filling, out, 1.0 / battery.discharge_efficiency)
        if battery.stored_wh < battery.least_wh:
            self._bring_up(battery, stored, out, most_out)
        self._fill_by_end(battery, stored, number)
        program.enter(self._balance, into, -1.0)
        program.enter(self._balance, out, 1.0)
        has_least = car is not None and car.least_w > 0.0
        self._not_both((into, most_in), (out, most_out), (self.price < 0.0) | has_least | self._one_way)
        return into, out

    def _bring_up(self, battery: Reservoir, stored: Columns, out: Columns, most_out: Floats) -> None:
        """A battery that begins below its reserve is up to it as soon as can be, and gives nothing before."""
        program, lacking_wh = self._program, battery.least_wh - battery.stored_wh
        under = program.columns(self.slots, 0.0, lacking_wh)
        is_up = program.columns(self.slots, 0.0, 1.0, whole=True)
        reserve, is_there = program.rows(self.slots, battery.least_wh, inf), program.rows(self.slots, -inf, lacking_wh)
        gives = program.rows(self.slots, -inf, 0.0)
        program.enter(reserve, stored, 1.0)
        program.enter(reserve, under, 1.0)
        program.enter(is_there, under, 1.0)
        program.enter(is_there, is_up, lacking_wh)
        program.enter(gives, out, 1.0)
        program.enter(gives, is_up, -most_out)
        self._under.append(under)
        self.up.append((is_up, under))

    def _fill_by_end(self, battery: Reservoir, stored: Columns, number: int | None) -> None:
        """How much is in a battery in the end: in a car's what it needs, in the storage no less than it should."""
        program, at_end = self._program, battery.least_at_end_wh
        if number is None:
            at_end = battery.stored_wh if at_end is None else at_end
            self._unfilled = program.columns(1, 0.0, at_end)
            lacking = [(self._unfilled, 1.0)]
        else:
            asked_wh = self.cars[number].needed_wh + self.cars[number].extra_wh
            at_end = battery.stored_wh + asked_wh * battery.charge_efficiency
            lacking = [(one[number : number + 1], battery.charge_efficiency) for one in (self.short, self.less)]
        end = program.rows(1, at_end, inf)
        program.enter(end, stored[-1:], 1.0)
        for columns, factor in lacking:
            program.enter(end, columns, factor)

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
        given = self._given.get(car.circuit)
        if given is not None:
            program.enter(given, into, 1.0)
            if out is not None:
                program.enter(given, out, -1.0)
        if car.least_w > 0.0:
            pauses_in = [rows for rows in (given, self._spill) if rows is not None]
            if pauses_in:
                unsteady = self._unsteady(number, into)
                for rows in pauses_in:
                    program.enter(rows, unsteady, -1.0)
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

    def goes_both_ways(self, columns: Floats) -> bool:
        """Whether a battery is charged and discharged in one slot: then its mean power does not tell how full it is."""
        batteries = [*self.drawn] if self.storage is None else [*self.drawn, self.storage]
        return any(
            out is not None and bool((np.minimum(columns[into], columns[out]) > TOLD_WH).any())
            for into, out in batteries
        )

    @property
    def connection(self) -> Connection:
        """What cars and batteries have to do with beside each other."""
        powers_w = self.load_wh / self.hours, self.sun_wh / self.hours
        limits_w = self.place.import_limit_w, self.place.export_limit_w
        return Connection(self.parts.edges, *powers_w, self.buys, self.sells, *limits_w)

    def finished(self) -> Model:
        """The program, to be solved."""
        return self._program.finished()


def _in_pieces(parts: PlanSlots, pieces: int) -> PlanSlots:
    """The same slots, each that is long enough in so many pieces."""
    if pieces == 1:
        return parts
    count = np.where(parts.hours >= SHORTEST_CUT_H, pieces, 1)
    slot = np.repeat(np.arange(len(count)), count)
    begins = np.cumsum(count) - count
    part = (np.arange(len(slot)) - begins[slot]) / count[slot]
    edges = np.append(np.rint(parts.edges[slot] + part * np.diff(parts.edges)[slot]), parts.edges[-1])
    first = begins if parts.first is None else begins[parts.first]
    return PlanSlots(edges, parts.price_per_kwh[slot], parts.limits_w[:, slot], parts.circuits, first)


def _by_parts(horizon: Horizon, parts: PlanSlots) -> Horizon:
    """The same horizon, by the parts that its slots were cut into."""
    if parts.first is None:
        return horizon
    site_w, *circuits_w = (tuple(row) for row in parts.limits_w.tolist())
    edges = tuple(parts.edges.astype(np.int64).tolist())
    return Horizon(
        edges, tuple(parts.price_per_kwh.tolist()), site_w, dict(zip(parts.circuits, circuits_w, strict=True))
    )
