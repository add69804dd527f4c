"""When cars and batteries charge and discharge: the cheapest plan for a whole place, as a linear program.

For what the quick tiers leave out: cars that give back (V2G, V2H), generation of one's own, a stationary battery, the
price of the highest power, wear, carbon, and powers that are none or at least a minimum. Slots are cut where cars come
and go, so that limits hold at every instant; what is told are means of the slots as they were. Loads and departures
come first: only among the plans in which as little as can be is lacking, the cheapest is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from voltbench.energy.at_once import drawn_at_once
from voltbench.energy.choices import likely
from voltbench.energy.place import Place, Reservoir
from voltbench.energy.place_program import PlaceProgram
from voltbench.energy.plan import CAR, SITE, Hindrance, Horizon, PlannedCar, check, hours_present
from voltbench.energy.plan_car import Stretch
from voltbench.energy.program import Columns, Floats
from voltbench.energy.schedule import Steps, steps_of
from voltbench.energy.search import LONGEST_S, NEAR, Solved, solve
from voltbench.errors import InvalidInput

__all__ = ["Place", "PlacePlan", "Reservoir", "optimize"]

TOLD_WH = 1e-2
"""Less than this is not told as lacking."""
TOLD_W = 1e-3
"""Less than this is no power."""


@dataclass(frozen=True, slots=True)
class PlacePlan:
    """Mean powers per slot (W; into the device positive), by car where there are several, and what it comes to.

    `steps` are each car's power from each instant on: a mean below its minimum is the minimum for a shorter time.
    `cost` is what is paid: import, export, demand and wear; carbon has a weight in the choice, but is not paid. Where
    cars have minimum powers, the search may end before its plan is proven best: `shortfall_gap_wh` is what another plan
    could leave out less, and `gap` the part of the cost (with that weight) that it could save, at most. `unserved_w` is
    load that neither the connection nor a battery can carry. `hindrances` are those of each car that lacks some of what
    it needs. `cost_at_once` is what would be paid if the same were charged as soon as it could, and batteries rested;
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

    @property
    def is_proven(self) -> bool:
        """Whether no plan leaves out less, and none costs less by more than a hair."""
        return self.shortfall_gap_wh <= TOLD_WH and self.gap <= NEAR


def optimize(
    horizon: Horizon,
    cars: Sequence[PlannedCar],
    place: Place,
    storage: Reservoir | None = None,
    batteries: Sequence[Reservoir | None] | None = None,
    longest_s: float = LONGEST_S,
) -> PlacePlan:
    """The cheapest plan for a place. `batteries` are those of the cars that may give, in the order of the cars.

    The horizon's circuit limits hold for the cars of each together, in both directions. Its site limit does so only
    where the place has no import limit: else that one decides, so that batteries and the sun can help. First as little
    load as can be stays unserved, then cars lack as little as can be of what they need, those of a higher priority
    weighing several times more, then of what they would like beyond; then the cost. Where there are choices to make, a
    better plan than the first one is searched for until `longest_s` are over. Raises InvalidInput, and Unavailable
    where no plan is found in a minute.
    """
    check(horizon, cars)
    for number, car in enumerate(cars):
        if car.in_one_go or car.losses is not None:
            field = "in_one_go" if car.in_one_go else "losses"
            raise InvalidInput(f"cars[{number}].{field}", "cannot be planned with a place", allowed="none")
    batteries = [None] * len(cars) if batteries is None else batteries
    if len(batteries) != len(cars):
        raise InvalidInput("batteries", "do not fit the cars", found=len(batteries), allowed=f"{len(cars)}")
    for number, (car, battery) in enumerate(zip(cars, batteries, strict=True)):
        if battery is not None and battery.charge_w < car.least_w:
            field, allowed = f"cars[{number}].battery.charge_w", f">= {car.least_w}"
            raise InvalidInput(field, "is less than the car's minimum", found=battery.charge_w, allowed=allowed)
    program = PlaceProgram(horizon, cars, place, storage, batteries)
    solved = solve(program.finished(), lambda columns: _guesses(program, columns), longest_s)
    return _Told(program, solved).plan()


# --- what is guessed --------------------------------------------------------------------------------------------------


def _guesses(of: PlaceProgram, columns: Floats) -> Iterator[Floats]:
    """Solutions like which one may be that makes its choices, when this one does not."""
    if not any(car.least_w for car in of.cars):
        yield _apart(of, columns)
        return
    into = np.array([drawn for drawn, _ in of.drawn], dtype=np.int32).reshape(len(of.cars), of.slots)
    energy_wh, room_wh = columns[into], np.array(of.most_in[: len(of.cars)]).reshape(into.shape)
    spare_wh = of.place.import_limit_w * of.hours - columns[of.bought]
    if None in of.limits_wh:
        spare_wh = np.minimum(spare_wh, of.limits_wh[None] - energy_wh.sum(axis=0))
    least_wh = np.array(of.least_in).reshape(into.shape)
    spare_wh = np.clip(spare_wh, 0.0, room_wh.sum())
    for is_on in likely(_alone(of), of.cars, energy_wh.T, room_wh.T, least_wh.T, spare_wh):
        like = columns.copy()
        like[into] = np.where(is_on.T, room_wh, 0.0)
        for is_steady, drawn, least in of.steady:
            like[is_steady] = (like[drawn] > 0.0) & (columns[drawn] >= least)
        yield _apart(of, like)


def _apart(of: PlaceProgram, columns: Floats) -> Floats:
    """The same, where of two that exclude each other the greater one is chosen."""
    like = columns.copy()
    for chosen, one, other in of.apart:
        like[chosen] = like[one] >= like[other]
    return like


def _alone(of: PlaceProgram) -> Horizon:
    """The slots as a fleet without batteries has them: under what load and generation leave of the connection."""
    if not isfinite(of.place.import_limit_w):
        return of.horizon
    left_w = of.place.import_limit_w - (of.load_wh - of.sun_wh) / of.hours
    return replace(of.horizon, site_w=tuple(left_w.tolist()))


# --- what is told -----------------------------------------------------------------------------------------------------


class _Told:
    """A place's plan, read off its program's solution. Energies are by the slots of the program."""

    def __init__(self, of: PlaceProgram, solved: Solved) -> None:
        self._of, self._solved, self._x = of, solved, solved.columns

    def plan(self) -> PlacePlan:
        """All of it."""
        of, x = self._of, self._x
        bought, sold = x[of.bought], x[of.sold]
        cars_wh = np.array([self._energy_wh(*one) for one in of.drawn]).reshape(len(of.drawn), of.slots)
        short_wh = np.where(x[of.short] > TOLD_WH, x[of.short], 0.0)
        unserved_wh = of.unserved_wh + np.where(x[of.missing] > TOLD_WH, x[of.missing], 0.0)
        wear = sum(float(x[columns].sum()) * cost for columns, cost in of.wear)
        return PlacePlan(
            cars_w=self._mean_w(cars_wh.T).T,
            steps=tuple(self._steps(number, energy_wh) for number, energy_wh in enumerate(cars_wh)),
            storage_w=self._mean_w(self._energy_wh(*of.storage) if of.storage is not None else np.zeros(of.slots)),
            import_w=self._mean_w(self._energy_wh(of.bought)),
            export_w=self._mean_w(self._energy_wh(of.sold)),
            curtailed_w=self._mean_w(self._energy_wh(of.curtailed)),
            unserved_w=self._mean_w(unserved_wh),
            shortfall_wh=short_wh,
            hindrances=self._hindrances(cars_wh, bought, short_wh),
            cost=self._paid(bought, sold) + wear,
            co2_g=float(bought @ of.co2) + 0.0,
            gap=self._solved.gap,
            shortfall_gap_wh=self._solved.first_gap,
            cost_at_once=self._cost_at_once(),
        )

    def _energy_wh(self, into: Columns, out: Columns | None = None) -> Floats:
        """What goes into something; what the solver's rounding leaves is none."""
        energy_wh: Floats = self._x[into] if out is None else self._x[into] - self._x[out]
        return np.where(np.abs(energy_wh) < TOLD_W * self._of.hours, 0.0, energy_wh)

    def _mean_w(self, energy_wh: Floats) -> Floats:
        """The mean powers of the slots as they were before they were cut (T x C, or T)."""
        mean_w: Floats = (self._of.parts.joined(energy_wh).T / self._of.told_hours).T
        return mean_w

    def _steps(self, number: int, energy_wh: Floats) -> Steps:
        """A car's power from each instant on."""
        car, present_h = self._of.cars[number], self._of.present_h[number]
        stretches = list[Stretch]()
        for slot in np.flatnonzero(energy_wh).tolist():
            wh, hours = float(energy_wh[slot]), float(present_h[slot])
            power_w = wh / hours if wh < 0.0 else max(wh / hours, car.least_w)
            stretches.append(Stretch(slot, wh / power_w, round(power_w, 3)))
        return steps_of(self._of.horizon.edges, car, stretches)

    def _paid(self, bought: Floats, sold: Floats) -> float:
        """What these energies cost, without wear."""
        of, place = self._of, self._of.place
        higher_w = float(self._mean_w(bought).max(initial=place.peak_so_far_w)) - place.peak_so_far_w
        return float(bought @ of.price - sold @ of.sells) + place.demand_price_per_kw * higher_w / 1e3

    def _cost_at_once(self) -> float | None:
        """What would be paid if cars that do not wait had as much, and batteries rested; None where that cannot be."""
        of, x = self._of, self._x
        drawn_wh = drawn_at_once(_alone(of), of.cars)
        had_wh = np.array([car.needed_wh + car.extra_wh for car in of.cars]) - x[of.short] - x[of.less]
        taken_wh = of.load_wh - of.sun_wh - of.unserved_wh + drawn_wh.sum(axis=0)
        if (drawn_wh.sum(axis=1) < had_wh - TOLD_WH).any() or (
            taken_wh > of.place.import_limit_w * of.hours + TOLD_WH
        ).any():
            return None
        sold = np.clip(-taken_wh, 0.0, of.place.export_limit_w * of.hours)
        return self._paid(np.maximum(taken_wh, 0.0), sold)

    def _hindrances(self, cars_wh: Floats, bought: Floats, short_wh: Floats) -> tuple[tuple[Hindrance, ...], ...]:
        """Which limit keeps each car that lacks something from more, slot by slot of the time it has."""
        left = {name: most.copy() for name, most in self._of.limits_wh.items()}
        imports_wh = self._of.place.import_limit_w * self._of.hours - bought
        for car, energy_wh, least_wh in zip(self._of.cars, cars_wh, self._of.least_in, strict=True):
            taken_wh = np.where(energy_wh > TOLD_WH, np.maximum(energy_wh, least_wh), energy_wh)
            imports_wh -= taken_wh - energy_wh
            for name in left.keys() & {None, car.circuit}:
                left[name] -= taken_wh
        left[None] = np.minimum(left.get(None, imports_wh), imports_wh)
        lacking = (
            self._hindered(number, cars_wh[number], left) if short else () for number, short in enumerate(short_wh)
        )
        return tuple(lacking)

    def _hindered(self, number: int, energy_wh: Floats, left: Mapping[str | None, Floats]) -> tuple[Hindrance, ...]:
        """Equal neighbours are one. Where a car does not charge, less than its minimum is as good as nothing left."""
        car, edges, present = self._of.cars[number], self._of.horizon.edges, self._of.present_h[number]
        found: list[Hindrance] = []
        for slot in np.flatnonzero(hours_present(self._of.horizon, car)).tolist():
            starts_with = car.least_w * float(present[slot]) - TOLD_WH if energy_wh[slot] <= TOLD_WH else 0.0
            full = {name for name in (None, car.circuit) if left[name][slot] < max(TOLD_WH, starts_with)}
            if not full or energy_wh[slot] >= self._of.most_in[number][slot] - TOLD_WH:
                limit = CAR
            else:
                limit = car.circuit if car.circuit is not None and car.circuit in full else SITE
            begins_at, ends_at = max(edges[slot], car.arrives_at), min(edges[slot + 1], car.departs_at)
            if found and found[-1].limit == limit:
                begins_at = found.pop().begins_at
            found.append(Hindrance(limit, begins_at, ends_at))
        return tuple(found) or (Hindrance(CAR, car.arrives_at, car.departs_at),)
