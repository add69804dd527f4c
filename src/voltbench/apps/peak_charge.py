"""Plans under a tariff that bills the highest hours of a month.

The planners know limits and prices, and none of them months. Cars beside a load are planned under a ceiling, at which
each hour counts as it is billed, and the best ceiling is searched for: coarsely first, since the bill of several hours,
or days, may fall and rise again as the ceiling does, and then finely around the best. A whole place is planned with a
price of its highest power that stands for the tariff's, and without, and the cheaper plan is taken. What a plan adds to
the bills of its months is reckoned exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from math import inf, sqrt

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from voltbench.apps.plan_request import PricedPlan
from voltbench.quantities import MS_PER_MINUTE, DurationMs, Instant, kw_from_w
from voltbench.running.planning import PlanAsked, PlanView, planned
from voltbench.site.calendar import day_start, local_days
from voltbench.site.peaks import Mean, PeakTariff, counted_room_w, means, monthly_peaks
from voltbench.site.series import StepSeries

Floats = NDArray[np.float64]
Planner = Callable[[PlanAsked, Sequence[float]], PlanView]
"""What makes a plan of what is asked, at prices slot by slot."""
Badness = tuple[float, float, float]
"""What of a plan counts, the most important first; the cost is last."""

MOST_TRIES, LEAST_TRIES = 24, 4
CELLS_IN_ALL = 400_000
"""How many ceilings are tried: as many as cars times slots of all of them come to so many."""

UNLIMITED_W = 1e9
"""More than any site: a limit from which what is to be kept free can be subtracted."""

_GOLDEN = (sqrt(5.0) - 1.0) / 2.0


class PlanTold(PlanView, frozen=True, kw_only=True):
    """A plan. `cost_at_once` is what the same energy would cost if every car charged as soon as it could.

    `cost` is what the cars' energy costs; with a `place` it is what the whole of it pays, with its load, less what
    feeding in earns. `peak_charge` is the part of it that is added to the bills of its months by their highest hours;
    in `cost_at_once` there is one too.
    """

    peak_charge: float | None = None


@dataclass(frozen=True, slots=True)
class PeakBill:
    """A tariff of peaks, the hours of the month so far, and the slots of a plan."""

    peak: PeakTariff
    so_far: Sequence[Mean]
    starts_at: Instant
    slot_ms: DurationMs
    slots: int

    @property
    def ends_at(self) -> Instant:
        """When the last slot ends."""
        return self.starts_at + self.slots * self.slot_ms

    def added(self, import_w: Floats) -> float:
        """What the power in each slot adds to the bills. An hour that is planned in part is as that part of it."""
        steps = ((self.starts_at + i * self.slot_ms, power_w) for i, power_w in enumerate(import_w.tolist()))
        beyond_ms = self.peak.interval_ms - 1
        hours = means(StepSeries(steps), self.starts_at - beyond_ms, self.ends_at + beyond_ms, self.peak)
        return self._billed([*self.so_far, *hours]) - self._billed(self.so_far)

    def weights(self) -> Floats:
        """How much counts of the power in each slot, as of the hour that it is in."""
        beyond_ms = self.peak.interval_ms - 1
        nothing = StepSeries.constant(0.0)
        hours = means(nothing, self.starts_at - beyond_ms, self.ends_at + beyond_ms, self.peak)
        told = StepSeries((hour.starts_at, self.peak.weight(hour.starts_at)) for hour in hours)
        return np.array([told.at(self.starts_at + i * self.slot_ms) for i in range(self.slots)])

    def room_w(self) -> float:
        """How much may count of any hour without costing more."""
        days = [day_start(day, self.peak.calendar.zone) for day in self._days()]
        return min(counted_room_w(self.so_far, max(self.starts_at, day), self.peak) for day in days)

    def demand_price_per_kw(self) -> float:
        """What a kW that counts costs more, if the highest hour of each day has it."""
        share = min(1.0, len(self._days()) / self.peak.count) if self.peak.different_days else 1.0
        return self.peak.price_per_kw * share

    def _days(self) -> list[date]:
        return list(local_days(self.starts_at, self.ends_at, self.peak.calendar.zone))

    def _billed(self, found: Sequence[Mean]) -> float:
        return sum(month.cost for month in monthly_peaks(found, self.peak))


def plan_told(id: str, plan: PricedPlan) -> PlanTold:
    """The plan for what is asked. Raises InvalidInput."""
    made = partial(planned, id)
    plain = made(plan.asked, plan.prices_per_kwh)
    if plan.peak is None:
        return _told(plain)
    slot_ms, slots = plain.slot_minutes * MS_PER_MINUTE, len(plain.prices_per_kwh)
    bill = PeakBill(plan.peak, plan.peaks_so_far, plain.starts_at_ms, slot_ms, slots)
    return (_of_cars if plain.place is None else _of_place)(plain, plan, bill, made)


# --- cars beside a load ----------------------------------------------------------------------------------------------


def _of_cars(plain: PlanView, plan: PricedPlan, bill: PeakBill, made: Planner) -> PlanTold:
    """The best plan under a ceiling."""
    load_w, weights = _series(plan.asked.load_w, bill.slots), bill.weights()
    by_load = bill.added(load_w)

    def charge(view: PlanView) -> float:
        return bill.added(load_w + _cars_w(view)) - by_load

    at_once = plain.cost_at_once
    if at_once is not None:
        at_once += charge(made(plan.asked, [float(slot) for slot in range(bill.slots)]))  # when time is the only price

    def billed(view: PlanView) -> PlanTold:
        added = charge(view)
        return replace(_told(view), cost=view.cost + added, peak_charge=added, cost_at_once=at_once)

    def under(counted_w: float) -> PlanTold:
        return billed(made(_with_ceiling(plan.asked, load_w, counted_w, weights), plan.prices_per_kwh))

    best = billed(plain)
    low, high = max(bill.room_w(), float((weights * load_w).max())), float((weights * (load_w + _cars_w(plain))).max())
    if high <= low + 1.0:
        return best
    tries = max(LEAST_TRIES, min(MOST_TRIES, CELLS_IN_ALL // (bill.slots * max(1, len(plan.asked.cars)))))
    wanted_wh = sum(car.needed_wh + car.extra_wh for car in plan.asked.cars)

    def badness(told: PlanTold) -> Badness:
        return round(told.shortfall_wh), round(wanted_wh - told.energy_wh), told.cost

    return min(best, *_searched(under, badness, low, high, tries), key=badness)


def _with_ceiling(asked: PlanAsked, load_w: Floats, counted_w: float, weights: Floats) -> PlanAsked:
    """The same, with less power for cars in each slot, so that not more of it counts than this.

    What is kept free is said as a load, which for these planners is nothing else.
    """
    ceiling_w = np.full(len(load_w), inf)
    np.divide(counted_w, weights, out=ceiling_w, where=weights > 0.0)
    limit_w = UNLIMITED_W if asked.site_limit_w is None else asked.site_limit_w
    for_cars_w = np.clip(np.minimum(ceiling_w, limit_w) - load_w, 0.0, UNLIMITED_W)
    return replace(asked, site_limit_w=UNLIMITED_W, load_w=(UNLIMITED_W - for_cars_w).tolist())


def _searched(
    made: Callable[[float], PlanTold], badness: Callable[[PlanTold], Badness], low: float, high: float, tries: int
) -> list[PlanTold]:
    """Plans on the way to the best between two ceilings: evenly spread ones, then golden section beside the best."""
    known: dict[float, PlanTold] = {}

    def bad(ceiling: float) -> Badness:
        if ceiling not in known:
            known[ceiling] = made(ceiling)
        return badness(known[ceiling])

    spread = np.linspace(low, high, max(LEAST_TRIES - 1, tries // 3)).tolist()
    best = spread.index(min(spread, key=bad))
    low, high = spread[max(0, best - 1)], spread[min(best + 1, len(spread) - 1)]
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    while len(known) < tries:
        if bad(left) <= bad(right):
            high, right = right, left
            left = high - _GOLDEN * (high - low)
        else:
            low, left = left, right
            right = low + _GOLDEN * (high - low)
    return list(known.values())


def _cars_w(view: PlanView) -> Floats:
    """The mean power of all cars in each slot."""
    energy_wh = np.sum([car.slot_energy_wh for car in view.cars], axis=0) if view.cars else 0.0
    return np.full(len(view.prices_per_kwh), energy_wh) / (view.slot_minutes / 60.0)


def _series(given: float | Sequence[float], slots: int) -> Floats:
    """As many values as there are slots; what is given for fewer goes on with its last one."""
    told = np.atleast_1d(np.asarray(given, dtype=np.float64))[:slots]
    return np.concatenate((told, np.full(slots - len(told), told[-1])))


# --- a whole place ---------------------------------------------------------------------------------------------------


def _of_place(plain: PlanView, plan: PricedPlan, bill: PeakBill, made: Planner) -> PlanTold:
    """The plan that a price of the highest power leads to, or the plain one where that is cheaper in the end.

    The planner lets all hours count alike: as those that count most.
    """
    best, weight = _billed(plain, bill, 0.0), float(bill.weights().max())
    if weight == 0.0:
        return best
    price_per_kw, so_far_w = bill.demand_price_per_kw() * weight, bill.room_w() / weight
    asked = replace(plan.asked, demand_price_per_kw=price_per_kw, peak_so_far_w=so_far_w)
    view = made(asked, plan.prices_per_kwh)
    assert view.place is not None
    stood_for_it = price_per_kw * kw_from_w(max(0.0, max(view.place.import_w) - so_far_w))
    other = _billed(view, bill, stood_for_it)

    def badness(told: PlanTold) -> Badness:
        assert told.place is not None
        carbon = told.place.co2_g / 1e3 * asked.co2_price_per_kg
        return round(told.place.unserved_load_wh), round(told.shortfall_wh), told.cost + carbon

    return min(best, other, key=badness)


def _billed(view: PlanView, bill: PeakBill, stood_for_it: float) -> PlanTold:
    """A plan with the tariff's own charge instead of what stood for it. What at once would peak at is not known."""
    assert view.place is not None
    charge = bill.added(np.array(view.place.import_w))
    return replace(_told(view), cost=view.cost - stood_for_it + charge, peak_charge=charge, cost_at_once=None)


# --- both ------------------------------------------------------------------------------------------------------------


def _told(view: PlanView) -> PlanTold:
    return PlanTold(**{name: getattr(view, name) for name in view.__struct_fields__})
