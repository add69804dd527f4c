"""When cars and batteries charge and discharge: the cheapest plan for a whole place, as a linear program.

For what the quick tiers leave out: cars that give back (V2G, V2H), generation of one's own, a stationary battery, the
price of the highest power, wear, carbon, and powers that are none or at least a minimum. Slots are cut where cars come
and go, so that limits hold at every instant; what is told are means of the slots as they were. Loads and departures
come first: only among the plans in which as little as can be is lacking, the cheapest is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isfinite

import numpy as np

from voltbench.energy.arrays import Floats
from voltbench.energy.choices import likely
from voltbench.energy.place import Place, Reservoir
from voltbench.energy.place_plan import AS_MUCH_WH, PlacePlan, told
from voltbench.energy.place_program import PlaceProgram
from voltbench.energy.plan import Horizon, PlannedCar, check
from voltbench.energy.schedule import TOLD_WH
from voltbench.energy.search import LONGEST_S, NEAR, solve
from voltbench.errors import InvalidInput

__all__ = ["Place", "PlacePlan", "Reservoir", "optimize"]
PIECES = 4
"""In so many every slot is cut, where cars with minimums charge beside each other in a part of one."""
MOST_CELLS_IN_PIECES = 2_000
"""Cars times slots. Where there are more, none is cut in pieces."""
WORTH = 1e-2
"""A plan that saves less, relatively, is not worth its many steps."""


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
    load as can be stays unserved, then cars lack as little as can be of what they need, those of the highest priority
    first, then of what they would like beyond, in the same order; then the cost. Where there are choices to make, a
    better plan than the first one is searched for until `longest_s` are over. Raises InvalidInput, and Unavailable
    where no plan is found in a minute. Where cars with minimums charge beside each other in parts of slots, and that
    costs more than the program took it for, it is solved once more with finer slots, in half that time.
    """
    check(horizon, cars, in_place=True)
    batteries = [None] * len(cars) if batteries is None else batteries
    if len(batteries) != len(cars):
        raise InvalidInput("batteries", "do not fit the cars", found=len(batteries), allowed=f"{len(cars)}")
    for number, (car, battery) in enumerate(zip(cars, batteries, strict=True)):
        if battery is not None and battery.charge_w < car.least_w:
            field, allowed = f"cars[{number}].battery.charge_w", f">= {car.least_w}"
            raise InvalidInput(field, "is less than the car's minimum", found=battery.charge_w, allowed=allowed)
    found = _Found(PlaceProgram(horizon, cars, place, storage, batteries), longest_s)
    if found.goes_both_ways:
        apart = _Found(PlaceProgram(horizon, cars, place, storage, batteries, one_way=True), longest_s / 2.0)
        found = apart if apart.is_as_good_as(found) else found
    if storage is None and found.is_misjudged and found.cells * PIECES <= MOST_CELLS_IN_PIECES:
        finer = _Found(PlaceProgram(horizon, cars, place, storage, batteries, PIECES), longest_s / 2.0)
        if finer.is_better_than(found):
            return replace(finer.plan, cost_at_once=found.plan.cost_at_once)
    return found.plan


class _Found:
    """The plan that a program leads to."""

    def __init__(self, program: PlaceProgram, longest_s: float) -> None:
        model, place = program.finished(), program.place
        solved = solve(model, lambda columns: _guesses(program, columns), longest_s)
        expected = float(model.cost @ solved.columns) - place.demand_price_per_kw * place.peak_so_far_w / 1e3
        self.plan = told(program, solved, expected, _alone(program))
        self.cells = len(program.cars) * program.slots
        self._weighs = self.plan.cost + self.plan.co2_g * place.co2_price_per_kg / 1e3
        self.goes_both_ways = program.goes_both_ways(solved.columns)
        self._expected, self._reserves = expected, bool(program.up)
        self._lacks = [float(solved.columns[own].sum()) for own in model.first]

    @property
    def is_misjudged(self) -> bool:
        """Whether it costs more, along the steps of cars, than its program took it for, and another one may not."""
        return not self._reserves and self._weighs - self._expected > WORTH * max(1.0, abs(self._weighs))

    def is_as_good_as(self, other: _Found) -> bool:
        """Whether it lacks no more, and costs no more."""
        more = (own - others for own, others in zip(self._lacks, other._lacks, strict=True))
        return all(wh <= AS_MUCH_WH for wh in more) and self._weighs - other._weighs <= NEAR * abs(other._weighs)

    def is_better_than(self, other: _Found) -> bool:
        """Whether less is lacking, or as much for less."""
        for own, others in zip(self._lacks, other._lacks, strict=True):
            if abs(own - others) > AS_MUCH_WH:
                return own < others
        return other._weighs - self._weighs > WORTH * max(1.0, abs(other._weighs))


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
    """The same, where of two that exclude each other the greater one is chosen, and who is below a reserve rests."""
    like = columns.copy()
    for is_up, under in of.up:
        like[is_up] = columns[under] <= TOLD_WH
    for chosen, one, other in of.apart:
        like[chosen] = like[one] >= like[other]
    return like


def _alone(of: PlaceProgram) -> Horizon:
    """The slots as a fleet without batteries has them: under what load and generation leave of the connection."""
    if not isfinite(of.place.import_limit_w):
        return of.horizon
    left_w = of.place.import_limit_w - (of.load_wh - of.sun_wh) / of.hours
    return replace(of.horizon, site_w=tuple(left_w.tolist()))
