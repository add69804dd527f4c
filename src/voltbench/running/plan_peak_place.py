"""A whole place under a tariff that bills the highest hours of a month.

It is planned with a price of its highest power that stands for the tariff's, and without, and at once; the best by the
tariff itself is taken. Neither price is the tariff's. So mostly nobody knows how much less another plan could cost: but
never less than what no plan can avoid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from voltbench.energy.at_once import imported_at_once_w
from voltbench.energy.optimize import PlacePlan, optimize
from voltbench.energy.place import Place, Reservoir
from voltbench.energy.plan import Horizon, PlannedCar
from voltbench.quantities import kw_from_w
from voltbench.running.plan_at_once import place_at_once
from voltbench.running.plan_peak_terms import peaks_of
from voltbench.site.peak_bill import PeakBill

AS_MUCH_WH = 1e-2
"""A place lacks no more than this near to it: what its program finds is as near as that."""
AS_CHEAP = 1e-6
"""It could cost no less, where that would be only such a part of it."""


class BilledPlace(NamedTuple):
    """A place's plan, whose costs are with what the tariff adds to the bills, and that charge alone."""

    plan: PlacePlan
    charge: float


def place_under_peaks(
    horizon: Horizon,
    cars: Sequence[PlannedCar],
    place: Place,
    storage: Reservoir | None,
    batteries: Sequence[Reservoir | None],
    bill: PeakBill,
) -> BilledPlace:
    """The plan that a price of the highest power leads to; or the plain one, or that of charging at once, if cheaper.

    The planner lets all hours count alike: as those that count most. The place has no such price of its own. Its `gap`
    is the part of the cost that another one could save at most, as far as that is known. Raises what `optimize` does.
    """
    plain, weight = optimize(horizon, cars, place, storage, batteries), float(bill.weights().max())
    if weight == 0.0:
        return _billed(plain, bill, 0.0, plain.cost_at_once)
    at_once = plain.cost_at_once
    if at_once is not None:
        at_once += bill.added(imported_at_once_w(horizon, cars, place, batteries))
    price_per_kw, so_far_w = bill.demand_price_per_kw() * weight, bill.room_w() / weight
    dear = replace(place, demand_price_per_kw=price_per_kw, peak_so_far_w=so_far_w)
    found = optimize(horizon, cars, dear, storage, batteries)
    stood_for_it = price_per_kw * kw_from_w(max(0.0, float(found.import_w.max()) - so_far_w))
    billed = [_billed(plain, bill, 0.0, at_once), _billed(found, bill, stood_for_it, at_once)]
    hurried = place_at_once(plain, horizon, cars, place, storage, batteries)
    if hurried is not None:
        billed.append(_billed(hurried, bill, 0.0, at_once))
    best = min(billed, key=lambda one: _badness_beside(one.plan, plain, place, horizon))
    least = _least(plain, place) + _unavoidable(plain, place, [storage, *batteries], bill)
    if _is_of_one_hour(bill):
        least = max(least, _least(found, place))
    return best._replace(plan=replace(best.plan, gap=_gap(_weighs(best.plan, place), least)))


def _badness_beside(one: PlacePlan, plain: PlacePlan, place: Place, horizon: Horizon) -> tuple[float, float, float]:
    """What is lacking more than in the plain plan comes before what is paid, with what carbon weighs."""
    lacks_wh = (
        float((one.unserved_w - plain.unserved_w) @ horizon.hours),
        float((one.shortfall_wh - plain.shortfall_wh).sum()),
    )
    unserved_wh, short_wh = (more_wh if abs(more_wh) > AS_MUCH_WH else 0.0 for more_wh in lacks_wh)
    return unserved_wh, short_wh, _weighs(one, place)


def _billed(found: PlacePlan, bill: PeakBill, stood_for_it: float, at_once: float | None) -> BilledPlace:
    """A plan with the tariff's own charge instead of what stood for it."""
    charge = bill.added(found.import_w)
    once = None if found.cost_at_once is None else at_once
    return BilledPlace(replace(found, cost=found.cost - stood_for_it + charge, cost_at_once=once), charge)


# --- what is known of others ------------------------------------------------------------------------------------------


def _weighs(one: PlacePlan, place: Place) -> float:
    """What is paid, with what carbon weighs."""
    return one.cost + one.co2_g / 1e3 * place.co2_price_per_kg


def _least(found: PlacePlan, place: Place) -> float:
    """What any plan weighs at least at the prices at which this one was found."""
    weighs = _weighs(found, place)
    return weighs - found.gap * abs(weighs)


def _unavoidable(plain: PlacePlan, place: Place, batteries: Sequence[Reservoir | None], bill: PeakBill) -> float:
    """What any plan adds to the bills: the load's charge, less all that the sun and batteries can do against it."""
    if plain.unserved_w.any():
        return 0.0
    import_w = np.zeros(bill.slots) + np.array(place.load_w or 0.0) - np.array(place.generation_w or 0.0)
    given_w = sum(battery.discharge_w for battery in batteries if battery is not None)
    return bill.added(np.maximum(0.0, import_w - given_w))


def _is_of_one_hour(bill: PeakBill) -> bool:
    """Whether the tariff is a price of the highest slot, as what stands for it: of one month, all hours alike."""
    peaks = peaks_of(bill)
    is_slot_by_slot = bool((np.count_nonzero(peaks.shares, axis=1) == 1).all())
    return peaks.count == 1 and is_slot_by_slot and bool(np.ptp(peaks.weight) == 0.0) and not peaks.month.any()


def _gap(weighs: float, least: float) -> float:
    """The part of what a plan weighs that another one could save at most."""
    more = weighs - least
    return min(1.0, more / abs(weighs)) if more > AS_CHEAP * max(1.0, abs(weighs)) else 0.0
