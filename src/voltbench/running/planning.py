"""A plan for what is asked.

What is asked for decides which of the planners is taken: that of one car, of a fleet, or of a whole place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from voltbench.energy.arrays import Floats
from voltbench.energy.at_once import cost_at_once, drawn_at_once
from voltbench.energy.optimize import PlacePlan, optimize
from voltbench.energy.place import Place
from voltbench.energy.plan import Horizon, Plan, PlannedCar, plan
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_MINUTE
from voltbench.running.plan_asked import (
    MOST_IN_A_PLACE,
    BatteryAsked,
    CarAsked,
    LossAsked,
    PlanAsked,
    battery_of,
    car_of,
    horizon_of,
    place_of,
    require_few,
    reservoir_of,
)
from voltbench.running.plan_kept import PlanBefore, what_is_kept
from voltbench.running.plan_peaks import drawn_w, place_under_peaks, plan_under_peaks
from voltbench.running.plan_told import PlanView, Step, cars_view, place_view
from voltbench.site.peak_bill import PeakBill
from voltbench.site.peaks import Mean, PeakTariff

__all__ = ["BatteryAsked", "CarAsked", "LossAsked", "PlanAsked", "PlanBefore", "PlanView", "Step", "planned"]

NOT_FOR_A_PLACE = "a plan without generation_w, storage, battery, demand_price_per_kw and co2_price_per_kg"


def planned(
    id: str,
    asked: PlanAsked,
    prices_per_kwh: Sequence[float],
    peak: PeakTariff | None = None,
    peaks_so_far: Sequence[Mean] = (),
    *,
    known_slots: int | None = None,
    before: PlanBefore | None = None,
) -> PlanView:
    """The plan for what is asked, with prices slot by slot from its start. Raises InvalidInput.

    Prices are known of so many slots, or else of all that have one. `peak` is how the highest hours of a month are
    billed, in place of a demand price, and `peaks_so_far` are those of the month. What was planned `before` is kept
    where it serves as well, and costs hardly more.
    """
    if not prices_per_kwh:
        raise InvalidInput("prices_per_kwh", "are none", allowed="one for each slot, or a source")
    horizon, cars = horizon_of(asked, prices_per_kwh), [car_of(car, number) for number, car in enumerate(asked.cars)]
    slots, known_slots = len(horizon.price_per_kwh), len(prices_per_kwh) if known_slots is None else known_slots
    known_until, place, bill = horizon.edges[known_slots], place_of(asked, slots), None
    if peak is not None:
        bill = PeakBill(peak, peaks_so_far, asked.starts_at_ms, asked.slot_minutes * MS_PER_MINUTE, slots)
    if _needs_place(asked):
        if before is not None:
            problem = "cannot be kept where a place is planned as a whole"
            raise InvalidInput("plan_before", problem, found=before.id, allowed=NOT_FOR_A_PLACE)
        whole, charge = _whole(asked, horizon, cars, place, bill)
        return place_view(id, asked, horizon, known_until, cars, whole, charge)
    beside = _Beside(np.array(place.load_w), bill, asked.exact)
    quick, kept_from = beside.chosen(horizon, cars, before)
    charge, at_once = beside.charge(drawn_w(horizon, quick)), cost_at_once(horizon, cars, quick.energy_wh.sum(axis=1))
    if charge is not None and at_once is not None:
        at_once += beside.charge(drawn_at_once(horizon, cars).sum(axis=0) / horizon.hours) or 0.0
    return cars_view(id, asked, horizon, known_until, quick, at_once, charge, kept_from)


class _Beside(NamedTuple):
    """What cars are planned beside: a load, and the bill of the months' highest hours, where there is one."""

    load_w: Floats
    bill: PeakBill | None
    exact: bool

    def chosen(
        self, horizon: Horizon, cars: Sequence[PlannedCar], before: PlanBefore | None
    ) -> tuple[Plan, str | None]:
        """The best plan; or the one before, and its id, where that serves as well and costs hardly more."""
        fresh = self._best(horizon, cars, 0.0)
        if before is None:
            return fresh, None
        old = what_is_kept(before, horizon, cars, fresh, self._best)
        if old is None:
            return fresh, None
        least = self._cost(horizon, fresh)
        most = least + before.hysteresis * abs(least) + 1e-9
        return (old, before.id) if self._cost(horizon, old) <= most else (fresh, None)

    def charge(self, drawn_w: Floats) -> float | None:
        """What power beside the load adds to the bill; None where there is none."""
        return None if self.bill is None else self.bill.added_beside(self.load_w, drawn_w)

    def _cost(self, horizon: Horizon, found: Plan) -> float:
        return found.cost + (self.charge(drawn_w(horizon, found)) or 0.0)

    def _best(self, horizon: Horizon, cars: Sequence[PlannedCar], others_w: Floats | float) -> Plan:
        """The best plan for cars, beside what others draw."""
        if self.bill is None:
            return plan(horizon, cars, exact=self.exact)
        return plan_under_peaks(horizon, cars, self.load_w + others_w, self.bill, exact=self.exact)


def _whole(
    asked: PlanAsked, horizon: Horizon, cars: Sequence[PlannedCar], place: Place, bill: PeakBill | None
) -> tuple[PlacePlan, float | None]:
    """A whole place's plan, and what it adds to the bills of its months, where they go by their highest hours."""
    require_few(asked, len(horizon.price_per_kwh), MOST_IN_A_PLACE)
    storage = reservoir_of(asked.storage, "storage")
    batteries = [battery_of(car, number) for number, car in enumerate(asked.cars)]
    if bill is None:
        return optimize(horizon, cars, place, storage, batteries), None
    return place_under_peaks(horizon, cars, place, storage, batteries, bill)


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
                name = "in_one_go" if car.in_one_go else "losses"
                problem = "cannot be planned together with a battery, generation, a demand price or a carbon price"
                without = f"no {name}, or {NOT_FOR_A_PLACE}; what the sun gives may be taken off load_w instead"
                raise InvalidInput(f"cars[{number}].{name}", problem, allowed=without)
        return True
    if has_losses:
        raise InvalidInput("cars", "of a fleet cannot have losses of their own", allowed="losses for one car alone")
    return False
