"""When cars and batteries charge and discharge: the cheapest plan for a whole place, as a linear program.

For what the quick tiers leave out: cars that give back (V2G, V2H), generation of one's own, a stationary battery, the
price of the highest power, wear, carbon, and powers that are none or at least a minimum. Energies in Wh, powers as
means of a slot. Loads and departures come first: only among the plans in which as little as can be is lacking, the
cheapest is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.plan import CAR, SITE, Hindrance, Horizon, PlannedCar, hours_present
from voltbench.energy.program import Columns, Program
from voltbench.errors import InvalidInput

Floats = NDArray[np.float64]

MOST_LEVELS = 6
"""So many priorities of cars are told apart: the highest ones; all lower ones are as the last of these."""
PER_LEVEL = 4.0
"""A Wh that a car lacks weighs so many times what it does one level below."""
TOLD_WH = 1e-2
"""Less than this is not told as lacking."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the grid connection of a place allows and costs, and what else hangs on it, slot by slot.

    An `import_limit_w` holds for all that is drawn, in place of the horizon's limit for cars. `load_w` and
    `generation_w` are foreseen. `demand_price_per_kw` is paid once for the highest imported power, as far as it is
    above `peak_so_far_w`. `co2_price_per_kg` weighs the carbon of imported energy (`co2_g_per_kwh`).
    """

    load_w: tuple[float, ...]
    generation_w: tuple[float, ...] = ()
    export_price_per_kwh: tuple[float, ...] = ()
    import_limit_w: float = inf
    export_limit_w: float = inf
    demand_price_per_kw: float = 0.0
    peak_so_far_w: float = 0.0
    co2_g_per_kwh: tuple[float, ...] = ()
    co2_price_per_kg: float = 0.0


@dataclass(frozen=True, slots=True)
class Reservoir:
    """A battery that may also give: in the place, or in a car that has one (V2G).

    `wear_per_kwh` is what it costs to put a kWh through it. Without `least_at_end_wh` it ends as full as it begins. A
    car's charges with no more than the car's `most_w`, and departs with what the car needs beyond what was in it.
    """

    capacity_wh: float
    stored_wh: float
    charge_w: float
    discharge_w: float
    charge_efficiency: float = 0.95
    discharge_efficiency: float = 0.95
    least_wh: float = 0.0
    least_at_end_wh: float | None = None
    wear_per_kwh: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.least_wh <= self.stored_wh <= self.capacity_wh:
            allowed = f"{self.least_wh} to {self.capacity_wh}"
            raise InvalidInput("reservoir.stored_wh", "is out of range", found=self.stored_wh, allowed=allowed)
        for name, efficiency in (("charge", self.charge_efficiency), ("discharge", self.discharge_efficiency)):
            if not 0.0 < efficiency <= 1.0:
                field = f"reservoir.{name}_efficiency"
                raise InvalidInput(field, "is out of range", found=efficiency, allowed="above 0, up to 1")


@dataclass(frozen=True, slots=True)
class PlacePlan:
    """Mean powers per slot (W; into the device positive), by car where there are several, and what it comes to.

    `cost` is what is paid: import, export, demand and wear; carbon has a weight in the choice, but is not paid. `gap`
    is the part of the cost (with that weight) that a better plan could save at most. `unserved_w` is load that neither
    the connection nor a battery can carry. `hindrances` are those of each car that lacks some of what it needs.
    """

    cars_w: Floats
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


def optimize(
    horizon: Horizon,
    cars: Sequence[PlannedCar],
    place: Place,
    storage: Reservoir | None = None,
    batteries: Sequence[Reservoir | None] | None = None,
) -> PlacePlan:
    """The cheapest plan for a place. `batteries` are those of the cars that may give, in the order of the cars.

    The horizon's circuit limits hold for the cars of each together, in both directions. Its site limit does so only
    where the place has no import limit: else that one decides, so that batteries and the sun can help. First as little
    load as can be stays unserved, then cars lack as little as can be of what they need, those of a higher priority
    weighing several times more, then of what they would like beyond; then the cost. Raises InvalidInput.
    """
    return _Draft(horizon, cars, place, storage, batteries or [None] * len(cars)).solved()


class _Draft:
    """The program of a plan. Columns are energies of a slot, in Wh."""

    def __init__(
        self,
        horizon: Horizon,
        cars: Sequence[PlannedCar],
        place: Place,
        storage: Reservoir | None,
        batteries: Sequence[Reservoir | None],
    ) -> None:
        self._horizon, self._cars, self._place = horizon, cars, place
        self._hours = horizon.hours
        for car in cars:
            if car.circuit is not None and car.circuit not in horizon.circuits_w:
                allowed = ", ".join(horizon.circuits_w) or "none"
                raise InvalidInput(f"cars.{car.id}.circuit", "is unknown", found=car.circuit, allowed=allowed)
        self._slots = len(self._hours)
        self._price = np.array(horizon.price_per_kwh) / 1e3
        self._co2 = self._series("co2_g_per_kwh", place.co2_g_per_kwh) / 1e3
        self._sells = self._series("export_price_per_kwh", place.export_price_per_kwh) / 1e3
        self._load = self._series("load_w", place.load_w) * self._hours
        self._sun = self._series("generation_w", place.generation_w) * self._hours
        self._present = [hours_present(horizon, car) for car in cars]
        self._into = [self._room(*one) for one in zip(cars, batteries, self._present, strict=True)]
        self._from = [
            np.zeros(self._slots) if battery is None else battery.discharge_w * present
            for battery, present in zip(batteries, self._present, strict=True)
        ]
        if storage is not None:
            self._into.append(storage.charge_w * self._hours)
            self._from.append(storage.discharge_w * self._hours)
        self._program = Program()
        self._limits: dict[str | None, Floats] = {  # the site's has no name
            name: np.maximum(0.0, np.array(most_w)) * self._hours for name, most_w in horizon.circuits_w.items()
        }
        self._shared = {name: self._program.rows(self._slots, -most, most) for name, most in self._limits.items()}
        if not isfinite(place.import_limit_w):
            self._limits[None] = np.maximum(0.0, np.array(horizon.site_w)) * self._hours
            self._shared[None] = self._program.rows(self._slots, -inf, self._limits[None])
        self._wear: list[tuple[Columns, float]] = []
        self._unserved_wh = self._surely_unserved()
        due = self._load - self._sun - self._unserved_wh
        self._balance = self._program.rows(self._slots, due, due)
        self._in, self._out, self._curtailed, self._missing = self._grid()
        self._storage = None if storage is None else self._reservoir(storage, self._into[-1], self._from[-1])
        self._drawn: list[tuple[Columns, Columns | None]] = []
        self._short = self._program.columns(len(cars), 0.0, [car.needed_wh for car in cars])
        self._less = self._program.columns(len(cars), 0.0, [car.extra_wh for car in cars])
        self._put_first()
        for number, (car, battery) in enumerate(zip(cars, batteries, strict=True)):
            self._drawn.append(self._car(number, car, battery))

    @staticmethod
    def _room(car: PlannedCar, battery: Reservoir | None, present: Floats) -> Floats:
        """The most that a car can take in each slot."""
        return present * (car.most_w if battery is None else min(car.most_w, battery.charge_w))

    def _series(self, name: str, series: Sequence[float]) -> Floats:
        if not series:
            return np.zeros(self._slots)
        if len(series) != self._slots or not np.isfinite(series).all():
            allowed = f"{self._slots} finite values"
            raise InvalidInput(name, "does not fit the slots", found=len(series), allowed=allowed)
        return np.array(series, dtype=np.float64)

    def _surely_unserved(self) -> Floats:
        """The load that is left in each slot when the connection and all batteries give all they can.

        It is known beforehand, so that it is no part of the program: as a large figure it would blur the small ones.
        """
        carried = self._place.import_limit_w * self._hours + self._sun + sum(self._from)
        return np.maximum(0.0, self._load - carried)

    def _put_first(self) -> None:
        """What comes before the cost, by weight: load, needs by priority, and then extras by priority."""
        priorities = np.array([car.priority for car in self._cars])
        levels = sorted(set(priorities.tolist()), reverse=True)[:MOST_LEVELS]
        for above, priority in enumerate(reversed(levels)):
            at = priorities == priority if above else priorities <= priority
            self._program.first(self._short[at], PER_LEVEL**above)
            self._program.first(self._less[at], PER_LEVEL ** (above - len(levels)))
        self._program.first(self._missing, PER_LEVEL ** (len(levels) + 1))

    # --- the grid connection ----------------------------------------------------------------------------------------

    def _grid(self) -> tuple[Columns, Columns, Columns, Columns]:
        place, program, hours = self._place, self._program, self._hours
        carbon = self._co2 * place.co2_price_per_kg / 1e3
        takes = np.maximum(0.0, self._load) + np.maximum(0.0, -self._sun)
        gives = np.maximum(0.0, self._sun) + np.maximum(0.0, -self._load)
        most_in = np.minimum(place.import_limit_w * hours, takes + sum(self._into))
        most_out = np.minimum(place.export_limit_w * hours, gives + sum(self._from))
        could_lack = np.maximum(0.0, takes - gives - place.import_limit_w * hours - self._unserved_wh)
        bought = program.columns(self._slots, 0.0, most_in, self._price + carbon)
        sold = program.columns(self._slots, 0.0, most_out, -self._sells)
        curtailed = program.columns(self._slots, 0.0, gives)
        missing = program.columns(self._slots, 0.0, could_lack)  # where only batteries may help
        for columns, sign in ((bought, 1.0), (missing, 1.0), (sold, -1.0), (curtailed, -1.0)):
            program.enter(self._balance, columns, sign)
        self._not_both((bought, most_in), (sold, most_out), self._sells > self._price + carbon)
        if place.demand_price_per_kw:
            peak = program.columns(1, place.peak_so_far_w / 1e3, inf, place.demand_price_per_kw)
            rows = program.rows(self._slots, 0.0, inf)
            program.enter(rows, np.repeat(peak, self._slots), 1e3 * hours)
            program.enter(rows, bought, -1.0)
        return bought, sold, curtailed, missing

    def _not_both(self, one: tuple[Columns, Floats], other: tuple[Columns, Floats], where: NDArray[np.bool_]) -> None:
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

    # --- batteries --------------------------------------------------------------------------------------------------

    def _reservoir(
        self, battery: Reservoir, most_in: Floats, most_out: Floats, number: int | None = None
    ) -> tuple[Columns, Columns]:
        """What goes into a battery and out of it, as seen from the place. With a number it is that car's.

        How full it is counts at the end of each slot.
        """
        program, car = self._program, None if number is None else self._cars[number]
        wear = battery.wear_per_kwh / 1e3 / 2.0
        into = program.columns(self._slots, 0.0, most_in, wear)
        out = program.columns(self._slots, 0.0, most_out, wear)
        self._wear += [(into, wear), (out, wear)]
        stored = program.columns(self._slots, battery.least_wh, battery.capacity_wh)
        first = np.zeros(self._slots)
        first[0] = battery.stored_wh
        filling = program.rows(self._slots, first, first)
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
            for lacking in (self._short, self._less):
                program.enter(end, lacking[number : number + 1], battery.charge_efficiency)
        program.enter(self._balance, into, -1.0)
        program.enter(self._balance, out, 1.0)
        has_least = car is not None and car.least_w > 0.0
        self._not_both((into, most_in), (out, most_out), (self._price < 0.0) | has_least)
        return into, out

    # --- cars -------------------------------------------------------------------------------------------------------

    def _car(self, number: int, car: PlannedCar, battery: Reservoir | None) -> tuple[Columns, Columns | None]:
        program, out = self._program, None
        if battery is not None:
            into, out = self._reservoir(battery, self._into[number], self._from[number], number)
        else:
            into = program.columns(self._slots, 0.0, self._into[number])
            program.enter(self._balance, into, -1.0)
            asked_wh = car.needed_wh + car.extra_wh
            needs = program.rows(1, asked_wh, asked_wh)
            program.enter(np.repeat(needs, self._slots), into, 1.0)
            for lacking in (self._short, self._less):
                program.enter(needs, lacking[number : number + 1], 1.0)
        if car.least_w > 0.0:
            self._at_least(number, into)
        for name in self._shared.keys() & {None, car.circuit}:
            program.enter(self._shared[name], into, 1.0)
            if out is not None:
                program.enter(self._shared[name], out, -1.0)
        return into, out

    def _at_least(self, number: int, into: Columns) -> None:
        """Nothing, or at least the car's minimum."""
        least, most = self._cars[number].least_w * self._present[number], self._into[number]
        at = np.flatnonzero(most > 0.0)
        is_on = self._program.columns(len(at), 0.0, 1.0, whole=True)
        above, below = self._program.rows(len(at), 0.0, inf), self._program.rows(len(at), -inf, 0.0)
        for rows, bound in ((above, least), (below, most)):
            self._program.enter(rows, into[at], 1.0)
            self._program.enter(rows, is_on, -bound[at])

    # --- the solution -----------------------------------------------------------------------------------------------

    def solved(self) -> PlacePlan:
        """The cheapest plan."""
        found = self._program.solve()
        x, hours = found.columns, self._hours

        def net(into: Columns, out: Columns | None) -> Floats:
            energy: Floats = x[into] if out is None else x[into] - x[out]
            return energy / hours

        bought, sold = x[self._in], x[self._out]
        cars_w = np.array([net(*one) for one in self._drawn]).reshape(len(self._drawn), self._slots)
        short_wh = np.where(x[self._short] > TOLD_WH, x[self._short], 0.0)
        unserved_wh = self._unserved_wh + np.where(x[self._missing] > TOLD_WH, x[self._missing], 0.0)
        return PlacePlan(
            cars_w=cars_w,
            storage_w=net(*self._storage) if self._storage is not None else np.zeros(self._slots),
            import_w=bought / hours,
            export_w=sold / hours,
            curtailed_w=x[self._curtailed] / hours,
            unserved_w=unserved_wh / hours,
            shortfall_wh=short_wh,
            hindrances=self._hindrances(cars_w * hours, bought, short_wh),
            cost=self._paid(x),
            co2_g=float(bought @ self._co2),
            gap=found.gap,
        )

    def _paid(self, x: Floats) -> float:
        place = self._place
        bought, sold = x[self._in], x[self._out]
        higher_w = float((bought / self._hours).max(initial=place.peak_so_far_w)) - place.peak_so_far_w
        wear = sum(float(x[columns].sum()) * cost for columns, cost in self._wear)
        return float(bought @ self._price - sold @ self._sells) + place.demand_price_per_kw * higher_w / 1e3 + wear

    def _hindrances(self, cars_wh: Floats, bought: Floats, short_wh: Floats) -> tuple[tuple[Hindrance, ...], ...]:
        """Which limit keeps each car that lacks something from more, slot by slot of the time it has."""
        left = {name: most.copy() for name, most in self._limits.items()}
        for car, energy_wh in zip(self._cars, cars_wh, strict=True):
            for name in left.keys() & {None, car.circuit}:
                left[name] -= energy_wh
        imports_wh = self._place.import_limit_w * self._hours - bought
        left[None] = np.minimum(left.get(None, imports_wh), imports_wh)
        lacking = (
            self._hindered(number, cars_wh[number], left) if short else () for number, short in enumerate(short_wh)
        )
        return tuple(lacking)

    def _hindered(self, number: int, energy_wh: Floats, left: Mapping[str | None, Floats]) -> tuple[Hindrance, ...]:
        """Equal neighbours are one. Where a car does not charge, less than its minimum is as good as nothing left."""
        car, edges, present = self._cars[number], self._horizon.edges, self._present[number]
        found: list[Hindrance] = []
        for slot in np.flatnonzero(present > 0.0).tolist():
            starts_with = car.least_w * float(present[slot]) - TOLD_WH if energy_wh[slot] <= TOLD_WH else 0.0
            full = {name for name in (None, car.circuit) if left[name][slot] < max(TOLD_WH, starts_with)}
            if not full or energy_wh[slot] >= self._into[number][slot] - TOLD_WH:
                limit = CAR
            else:
                limit = car.circuit if car.circuit is not None and car.circuit in full else SITE
            begins_at, ends_at = max(edges[slot], car.arrives_at), min(edges[slot + 1], car.departs_at)
            if found and found[-1].limit == limit:
                begins_at = found.pop().begins_at
            found.append(Hindrance(limit, begins_at, ends_at))
        return tuple(found) or (Hindrance(CAR, car.arrives_at, car.departs_at),)
