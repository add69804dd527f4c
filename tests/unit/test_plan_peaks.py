"""Plans under a tariff of peaks: the cheapest there is, and known to be so only where that is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.local_time import HERE, at
from voltbench.energy.plan import Horizon, PlannedCar
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE
from voltbench.running.plan_peak_terms import merged, peaks_of
from voltbench.running.plan_peaks import drawn_w, plan_under_peaks
from voltbench.running.planning import BatteryAsked, CarAsked, LossAsked, PlanAsked, PlanView, planned
from voltbench.site.calendar import Window
from voltbench.site.peak_bill import PeakBill
from voltbench.site.peaks import Mean, PeakTariff, Weight

EVENING = at("2026-03-02T19:00")
HOURS = 36
PRICES = [1.0 if 3 <= hour % 24 < 9 else 1.6 for hour in range(HOURS)]
ONE_HIGH_HOUR = [500.0, 4_000.0, *[500.0] * (HOURS - 2)]


def a_car(needed_wh: float, hours: int = HOURS, **more: object) -> CarAsked:
    return CarAsked(
        id="ada",
        arrives_at_ms=EVENING,
        departs_at_ms=EVENING + hours * MS_PER_HOUR,
        needed_wh=needed_wh,
        max_power_w=11_000,
        **more,  # type: ignore[arg-type]
    )


def a_plan(peak: PeakTariff, *cars: CarAsked, **more: object) -> PlanView:
    """A day and a half beside a load that is high in one hour only."""
    asked = PlanAsked(
        starts_at_ms=EVENING,
        slot_minutes=60,
        cars=list(cars),
        **{"load_w": ONE_HIGH_HOUR, **more},  # type: ignore[arg-type]
    )
    return planned("plan-1", asked, PRICES, peak, [])


@pytest.mark.parametrize(
    ("different_days", "count", "needed_wh", "least"),
    [
        (True, 1, 20_000, 20.0),
        (True, 2, 14_000, 18.2),
        (True, 2, 20_000, 34.50),
        (True, 2, 40_000, 88.84),
        (True, 3, 20_000, 33.67),
        (True, 3, 40_000, 85.24),
        (False, 3, 8_000, 23.54),
        (False, 3, 20_000, 58.84),
        (False, 5, 40_000, 130.06),
    ],
)
def test_a_high_hour_of_the_load_makes_no_other_hour_cheap(
    different_days: bool, count: int, needed_wh: float, least: float
):
    """The evening's hour has to be high; only beside it, and on its day alone, is as much power free."""
    told = a_plan(PeakTariff(HERE, 81.25, count, different_days), a_car(needed_wh))
    assert (told.cost, told.shortfall_wh) == pytest.approx((least, 0.0), abs=0.01)
    assert told.is_exact


def test_quarters_of_an_hour_may_differ_where_their_mean_is_what_counts():
    """A quarter is cheap in an hour of which 4 kW are paid already: it may have all of them."""
    seen = [Mean(EVENING - 24 * MS_PER_HOUR, 4_000.0)]
    asked = PlanAsked(starts_at_ms=EVENING, slot_minutes=15, cars=[a_car(2_750, 1)])
    told = planned("plan-1", asked, [1.0, 0.1, 1.0, 1.0], PeakTariff(HERE, 81.25, 1), seen)
    assert told.cars[0].slot_energy_wh == pytest.approx([0.0, 2_750.0, 0.0, 0.0])
    assert told.peak_charge == pytest.approx(0.0, abs=1e-6)
    assert told.is_exact
    more = planned("plan-1", replace_need(asked, 4_200), [1.0, 0.1, 1.0, 1.0], PeakTariff(HERE, 81.25, 1), seen)
    assert more.peak_charge == pytest.approx(81.25 * 0.2, abs=1e-3), "the hour is 4.2 kW, whatever its quarters are"
    assert more.cars[0].slot_energy_wh[1] == pytest.approx(2_750.0)


def replace_need(asked: PlanAsked, needed_wh: float) -> PlanAsked:
    return PlanAsked(starts_at_ms=asked.starts_at_ms, slot_minutes=asked.slot_minutes, cars=[a_car(needed_wh, 1)])


def test_who_comes_within_a_slot_is_planned_for_the_rest_of_it():
    late = PlannedCar("late", EVENING + 30 * MS_PER_MINUTE, EVENING + 2 * MS_PER_HOUR, 6_000.0, 11_000.0)
    early = PlannedCar("early", EVENING, EVENING + 90 * MS_PER_MINUTE, 6_000.0, 11_000.0)
    horizon = Horizon(tuple(EVENING + hour * MS_PER_HOUR for hour in range(3)), (0.2, 0.2), (20_000.0,) * 2)
    bill = PeakBill(PeakTariff(HERE, 80.0, 1), [], EVENING, MS_PER_HOUR, 2)
    found = plan_under_peaks(horizon, [late, early], np.zeros(2), bill)
    assert (found.energy_wh.shape, found.is_exact) == ((2, 2), True)
    assert drawn_w(horizon, found) == pytest.approx([6_000.0, 6_000.0], abs=0.01)
    for schedule, car in zip(found.schedules, found.cars, strict=True):
        charging = [at_ms for at_ms, power_w in schedule.steps if power_w > 0.0]
        assert car.arrives_at <= min(charging) <= max(charging) < car.departs_at


def test_those_of_the_highest_priority_lack_nothing_for_a_peak():
    cars = [
        CarAsked(id=id, arrives_at_ms=EVENING, departs_at_ms=EVENING + 2 * MS_PER_HOUR, needed_wh=needed_wh,
                 max_power_w=11_000, priority=priority)
        for id, needed_wh, priority in (("last", 9_000, 0), ("first", 10_000, 1))
    ]  # fmt: skip
    told = a_plan(PeakTariff(HERE, 81.25, 3, different_days=False), *cars, site_limit_w=8_000.0)
    lacking = {car.id: car.shortfall_wh for car in told.cars}
    assert lacking["first"] == 0.0
    assert lacking["last"] == pytest.approx(19_000 - 7_500 - 4_000)
    assert told.is_exact


LOSSES = [LossAsked(given_w=given_w, drawn_w=drawn_w) for given_w, drawn_w in ((4_000, 4_400), (9_000, 11_000))]


@pytest.mark.parametrize("more", [{"min_power_w": 4_000}, {"losses": LOSSES}])
def test_what_nobody_has_shown_is_not_called_exact(more: dict[str, Any]):
    told = a_plan(PeakTariff(HERE, 81.25, 3, different_days=False), a_car(20_000, **more))
    assert not told.is_exact
    assert told.shortfall_wh == 0.0
    assert told.cost < (told.cost_at_once or 0.0) / 2.0


def test_what_costs_no_more_than_without_minimum_and_blocks_is_exact():
    free = a_plan(PeakTariff(HERE, 81.25, 1), a_car(8_000, min_power_w=3_000))
    assert free.cost == pytest.approx(8.0)
    block = a_plan(PeakTariff(HERE, 81.25, 3, different_days=False), a_car(20_000, in_one_go=True))
    assert block.cost == pytest.approx(58.84, abs=0.01)
    assert free.is_exact
    assert block.is_exact


def test_slots_of_an_hour_are_alike_where_they_need_not_differ():
    asked = PlanAsked(starts_at_ms=EVENING, slot_minutes=15, cars=[a_car(8_000, 4)])
    told = planned("plan-1", asked, [0.2] * 16, PeakTariff(HERE, 81.25, 1), [])
    assert told.cars[0].slot_energy_wh == pytest.approx([500.0] * 16, abs=1e-3)
    assert told.is_exact


def test_a_fleet_too_great_for_the_program_is_planned_with_fewer_that_stand_for_all():
    slots, quarter = 96, 15 * MS_PER_MINUTE
    horizon = Horizon(tuple(EVENING + slot * quarter for slot in range(slots + 1)), (1.0,) * slots, (9e6,) * slots)
    cars = [
        PlannedCar(f"car-{n}", EVENING + n % 7 * quarter, EVENING + (slots - n % 5) * quarter, 9_000.0 + n, 11_000.0)
        for n in range(600)
    ]
    assert len(merged(horizon, cars, 1)) == 35
    assert sum(car.needed_wh for car in merged(horizon, cars, 8)) == pytest.approx(sum(car.needed_wh for car in cars))
    bill = PeakBill(PeakTariff(HERE, 81.25, 1), [], EVENING, quarter, slots)
    found = plan_under_peaks(horizon, cars, np.zeros(slots), bill)
    flat_w = sum(car.needed_wh for car in cars) / 24.0
    assert found.shortfall_wh == 0.0
    assert bill.added(drawn_w(horizon, found)) <= 1.02 * 81.25 * flat_w / 1e3


def test_a_calendar_is_told_as_items_of_months():
    """From 23 on the last day of a month, by quarters, until half an hour into the next one."""
    late = at("2026-06-30T23:00")
    so_far = [Mean(late - 3 * MS_PER_HOUR, 3_000.0), Mean(late - 30 * MS_PER_HOUR, 5_000.0)]
    nights = Weight(Window(22 * 60, 6 * 60), 0.5)
    by_days = peaks_of(PeakBill(PeakTariff(HERE, 60.0, 2, weights=(nights,)), so_far, late, 15 * MS_PER_MINUTE, 6))
    assert by_days.shares.tolist() == [[0.25] * 4 + [0.0] * 2, [0.0] * 4 + [0.5] * 2]
    assert (by_days.weight.tolist(), by_days.price_per_kw) == ([0.5, 0.5], 30.0)
    assert (by_days.item.tolist(), by_days.floor_w.tolist()) == ([0, 1], [3_000.0, 0.0, 5_000.0])
    assert by_days.month.tolist() == [0, 1, 0]
    by_hours = peaks_of(PeakBill(PeakTariff(HERE, 60.0, 2, different_days=False), so_far, late, MS_PER_HOUR, 1))
    assert sorted(by_hours.floor_w.tolist()) == [0.0, 3_000.0, 5_000.0], "an hour to come counts by itself"


# --- a whole place ----------------------------------------------------------------------------------------------------


def a_battery() -> BatteryAsked:
    return BatteryAsked(capacity_wh=5_000, stored_wh=0, charge_w=2_000, discharge_w=2_000)


def test_a_place_is_exact_where_one_hour_of_the_month_is_billed():
    told = a_plan(PeakTariff(HERE, 81.25, 1), a_car(20_000), storage=a_battery())
    assert told.place is not None
    assert (told.place.gap, told.is_exact) == (0.0, True)


def test_a_place_says_how_much_less_it_might_pay_where_several_are():
    told = a_plan(PeakTariff(HERE, 81.25, 3, different_days=False), a_car(20_000), storage=a_battery())
    assert told.place is not None
    assert not told.is_exact
    assert 0.0 < told.place.gap < 1.0


def test_a_place_whose_bill_cannot_be_less_is_exact():
    """Cars charge while little else is drawn; what the load comes to nobody can change."""
    told = a_plan(PeakTariff(HERE, 81.25, 1), a_car(8_000), co2_price_per_kg=0.01)
    assert told.place is not None
    assert (told.place.gap, told.is_exact) == (0.0, True)
