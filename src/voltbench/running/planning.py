"""A plan for what is asked.

What is asked for decides which of the planners is taken: that of one car, of a fleet, or of a whole place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voltbench.energy.at_once import cost_at_once
from voltbench.energy.optimize import optimize
from voltbench.energy.plan import plan
from voltbench.errors import InvalidInput
from voltbench.running.plan_asked import (
    MOST_IN_A_PLACE,
    BatteryAsked,
    CarAsked,
    LossAsked,
    PlanAsked,
    car_of,
    horizon_of,
    place_of,
    require_few,
    reservoir_of,
)
from voltbench.running.plan_told import PlanView, Step, cars_view, place_view

__all__ = ["BatteryAsked", "CarAsked", "LossAsked", "PlanAsked", "PlanView", "Step", "planned"]


def planned(id: str, asked: PlanAsked, prices_per_kwh: Sequence[float]) -> PlanView:
    """The plan for what is asked, with prices known slot by slot from its start. Raises InvalidInput."""
    if not prices_per_kwh:
        raise InvalidInput("prices_per_kwh", "are none", allowed="one for each slot, or a source")
    horizon, cars = horizon_of(asked, prices_per_kwh), [car_of(car, number) for number, car in enumerate(asked.cars)]
    place, known_until = place_of(asked, len(horizon.price_per_kwh)), horizon.edges[len(prices_per_kwh)]
    if _needs_place(asked):
        require_few(asked, len(horizon.price_per_kwh), MOST_IN_A_PLACE)
        storage = reservoir_of(asked.storage, "storage")
        batteries = [reservoir_of(car.battery, f"cars[{number}].battery") for number, car in enumerate(asked.cars)]
        whole = optimize(horizon, cars, place, storage, batteries)
        return place_view(id, asked, horizon, known_until, cars, whole)
    quick = plan(horizon, cars, exact=asked.exact)
    at_once = None if quick.shortfall_wh else cost_at_once(horizon, cars)
    return cars_view(id, asked, horizon, known_until, quick, at_once)


def _needs_place(asked: PlanAsked) -> bool:
    """Whether only the program knows of what is asked. Generation that is zero all the time is none."""
    has_losses = len(asked.cars) > 1 and any(car.losses for car in asked.cars)
    beside_cars = (
        asked.storage is not None,
        np.any(asked.generation_w),
        asked.demand_price_per_kw,
        asked.co2_price_per_kg,
    )
    if any(bool(one) for one in beside_cars) or any(car.battery is not None for car in asked.cars):
        for number, car in enumerate(asked.cars):
            if car.in_one_go or car.losses:
                problem = "cannot be planned together with a battery, generation, a demand price or a carbon price"
                raise InvalidInput(f"cars[{number}].{'in_one_go' if car.in_one_go else 'losses'}", problem)
        return True
    if has_losses:
        raise InvalidInput("cars", "of a fleet cannot have losses of their own", allowed="losses for one car alone")
    return False
