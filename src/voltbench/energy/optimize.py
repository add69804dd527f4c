"""When cars and batteries charge and discharge: the cheapest plan for a whole place, as a linear program.

For what the quick tiers leave out: cars that give back (V2G, V2H), generation of one's own, a stationary battery, the
price of the highest power, wear, carbon, and powers that are none or at least a minimum. Energies in Wh, powers as
means of a slot. Departures come first: what is lacking costs more than anything that could be gained by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.plan import Horizon, PlannedCar, hours_present
from voltbench.energy.program import Columns, Program
from voltbench.errors import InvalidInput

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Place:
    """What the grid connection of a place allows and costs, and what else hangs on it, slot by slot.

    `load_w` and `generation_w` are foreseen. `demand_price_per_kw` is paid once for the highest imported power, as far
    as it is above `peak_so_far_w`. `co2_price_per_kg` weighs the carbon of imported energy (`co2_g_per_kwh`).
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

    `wear_per_kwh` is what it costs to put a kWh through it. Without `least_at_end_wh` it ends as full as it begins.
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

    `cost` is what is paid: import, export, demand and wear; carbon has a weight in the choice, but is not paid.
    """

    cars_w: Floats
    storage_w: Floats
    import_w: Floats
    export_w: Floats
    curtailed_w: Floats
    shortfall_wh: Floats
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

    The horizon's site and circuit limits hold for the cars together, as in `plan`. Raises InvalidInput.
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
        self._slots = len(self._hours)
        self._price = np.array(horizon.price_per_kwh) / 1e3
        self._co2 = self._series("co2_g_per_kwh", place.co2_g_per_kwh) / 1e3
        self._sells = self._series("export_price_per_kwh", place.export_price_per_kwh) / 1e3
        self._load = self._series("load_w", place.load_w) * self._hours
        self._sun = self._series("generation_w", place.generation_w) * self._hours
        self._program = Program()
        self._balance = self._program.rows(self._slots, self._load - self._sun, self._load - self._sun)
        self._shared = {
            name: self._program.rows(self._slots, -inf, np.maximum(0.0, np.array(limits)) * self._hours)
            for name, limits in {"": horizon.site_w, **horizon.circuits_w}.items()
        }
        self._wear: list[tuple[Columns, float]] = []
        self._in, self._out, self._curtailed = self._grid()
        self._storage = None if storage is None else self._reservoir(storage, np.ones(self._slots, dtype=bool))
        self._drawn: list[tuple[Columns, Columns | None]] = []
        self._short = self._program.columns(len(cars), 0.0, [car.needed_wh for car in cars], self._penalty())
        for number, (car, battery) in enumerate(zip(cars, batteries, strict=True)):
            self._drawn.append(self._car(number, car, battery))

    def _series(self, name: str, series: Sequence[float]) -> Floats:
        if not series:
            return np.zeros(self._slots)
        if len(series) != self._slots or not np.isfinite(series).all():
            allowed = f"{self._slots} finite values"
            raise InvalidInput(name, "does not fit the slots", found=len(series), allowed=allowed)
        return np.array(series, dtype=np.float64)

    def _penalty(self) -> float:
        """More than any Wh could gain: by its price, both ways through a battery, the demand price, and carbon."""
        dearest = float(np.abs(self._price).max() + np.abs(self._sells).max())
        demand = self._place.demand_price_per_kw / 1e3 / float(self._hours.min())
        carbon = float(np.abs(self._co2).max()) * self._place.co2_price_per_kg / 1e3
        return 10.0 * (dearest + demand + carbon) + 1.0

    # --- the grid connection ----------------------------------------------------------------------------------------

    def _grid(self) -> tuple[Columns, Columns, Columns]:
        place, program, hours = self._place, self._program, self._hours
        carbon = self._co2 * place.co2_price_per_kg / 1e3
        bought = program.columns(self._slots, 0.0, np.minimum(place.import_limit_w * hours, 1e12), self._price + carbon)
        sold = program.columns(self._slots, 0.0, np.minimum(place.export_limit_w * hours, 1e12), -self._sells)
        curtailed = program.columns(self._slots, 0.0, np.maximum(0.0, self._sun))
        missing = program.columns(self._slots, cost=self._penalty() * 1e3)  # a load that the connection cannot carry
        for columns, sign in ((bought, 1.0), (missing, 1.0), (sold, -1.0), (curtailed, -1.0)):
            program.enter(self._balance, columns, sign)
        self._not_both(bought, sold, self._sells > self._price + carbon)
        if place.demand_price_per_kw:
            peak = program.columns(1, place.peak_so_far_w / 1e3, inf, place.demand_price_per_kw)
            rows = program.rows(self._slots, 0.0, inf)
            program.enter(rows, np.repeat(peak, self._slots), 1e3 * hours)
            program.enter(rows, bought, -1.0)
        return bought, sold, curtailed

    def _not_both(self, one: Columns, other: Columns, where: NDArray[np.bool_]) -> None:
        """One of two is nothing: asked for only where doing both at once would pay."""
        at = np.flatnonzero(where)
        if not len(at):
            return
        most = float(np.abs(self._load).max() + np.abs(self._sun).max()) + 1e6
        chosen = self._program.columns(len(at), 0.0, 1.0, whole=True)
        first, second = (self._program.rows(len(at), -inf, upper) for upper in (0.0, most))
        self._program.enter(first, one[at], 1.0)
        self._program.enter(first, chosen, -most)
        self._program.enter(second, other[at], 1.0)
        self._program.enter(second, chosen, most)

    # --- batteries --------------------------------------------------------------------------------------------------

    def _reservoir(
        self, battery: Reservoir, present: NDArray[np.bool_], short: Columns | None = None, needed_wh: float = 0.0
    ) -> tuple[Columns, Columns]:
        """What goes into a battery and out of it, as seen from the place, and how full it is after each slot."""
        program, hours = self._program, self._hours * present
        wear = battery.wear_per_kwh / 1e3 / 2.0
        into = program.columns(self._slots, 0.0, battery.charge_w * hours, wear)
        out = program.columns(self._slots, 0.0, battery.discharge_w * hours, wear)
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
        if short is not None:
            at_end = min(battery.capacity_wh, battery.stored_wh + needed_wh * battery.charge_efficiency)
        end = program.rows(1, at_end, inf)
        program.enter(end, stored[-1:], 1.0)
        if short is not None:
            program.enter(end, short, battery.charge_efficiency)
        program.enter(self._balance, into, -1.0)
        program.enter(self._balance, out, 1.0)
        self._not_both(into, out, present & (self._price < 0.0))
        return into, out

    # --- cars -------------------------------------------------------------------------------------------------------

    def _car(self, number: int, car: PlannedCar, battery: Reservoir | None) -> tuple[Columns, Columns | None]:
        program, present = self._program, hours_present(self._horizon, car)
        short = self._short[number : number + 1]
        out: Columns | None = None
        if battery is not None:
            into, out = self._reservoir(battery, present >= self._hours - 1e-9, short, car.needed_wh)
        else:
            into = program.columns(self._slots, 0.0, car.most_w * present)
            program.enter(self._balance, into, -1.0)
            asked_wh = car.needed_wh + car.extra_wh
            needs = program.rows(1, asked_wh, asked_wh)
            program.enter(np.repeat(needs, self._slots), into, 1.0)
            program.enter(needs, short, 1.0)
            program.enter(needs, program.columns(1, 0.0, car.extra_wh, self._penalty() / 10.0), 1.0)
        if car.least_w > 0.0:
            self._at_least(into, car, present)
        for name in ("", car.circuit):
            if name is not None:
                program.enter(self._shared[name], into, 1.0)
                if out is not None:
                    program.enter(self._shared[name], out, -1.0)
        return into, out

    def _at_least(self, into: Columns, car: PlannedCar, present: Floats) -> None:
        """Nothing, or at least the car's minimum."""
        at = np.flatnonzero(present > 0.0)
        is_on = self._program.columns(len(at), 0.0, 1.0, whole=True)
        above, below = self._program.rows(len(at), 0.0, inf), self._program.rows(len(at), -inf, 0.0)
        for rows, power_w in ((above, car.least_w), (below, car.most_w)):
            self._program.enter(rows, into[at], 1.0)
            self._program.enter(rows, is_on, -power_w * present[at])

    # --- the solution -----------------------------------------------------------------------------------------------

    def solved(self) -> PlacePlan:
        """The cheapest plan."""
        found = self._program.solve()
        x, hours = found.columns, self._hours

        def net(into: Columns, out: Columns | None) -> Floats:
            energy: Floats = x[into] if out is None else x[into] - x[out]
            return energy / hours

        bought, sold = x[self._in], x[self._out]
        return PlacePlan(
            cars_w=np.array([net(*one) for one in self._drawn]).reshape(len(self._drawn), self._slots),
            storage_w=net(*self._storage) if self._storage is not None else np.zeros(self._slots),
            import_w=bought / hours,
            export_w=sold / hours,
            curtailed_w=x[self._curtailed] / hours,
            shortfall_wh=np.where(x[self._short] > 1e-3, x[self._short], 0.0),
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
