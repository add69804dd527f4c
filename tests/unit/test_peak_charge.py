"""What a plan adds to a month's bill of its highest hours, and plans that keep it small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.local_time import HERE, at
from voltbench.apps.peak_charge import PeakBill, PlanTold, plan_told
from voltbench.apps.plan_request import PricedPlan
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, Instant
from voltbench.running.planning import BatteryAsked, CarAsked, PlanAsked
from voltbench.site.calendar import WEEKEND, Window
from voltbench.site.peaks import Mean, PeakTariff, Weight

TARIFF = PeakTariff(HERE, price_per_kw=60.0, count=3)
NIGHT_HALF = PeakTariff(HERE, 60.0, 3, weights=(Weight(Window(22 * 60, 6 * 60), 0.5),))
NOON = at("2026-06-10T12:00")
SO_FAR = [Mean(at(f"2026-06-{day:02}T07:00"), power_w) for day, power_w in ((2, 3_000.0), (3, 4_000.0), (4, 5_000.0))]


def a_bill(
    slots: int = 1, so_far: list[Mean] = SO_FAR, peak: PeakTariff = TARIFF, starts_at: Instant = NOON
) -> PeakBill:
    return PeakBill(peak, so_far, starts_at, MS_PER_HOUR, slots)


def test_only_what_is_higher_than_the_month_has_seen_is_added():
    added = [a_bill().added(np.array([power_w])) for power_w in (2_000.0, 3_000.0, 6_000.0)]
    assert added == pytest.approx([0.0, 0.0, 60.0])


def test_a_quarter_that_is_planned_stands_for_its_hour():
    quarter = PeakBill(TARIFF, SO_FAR, NOON + 15 * MS_PER_MINUTE, 15 * MS_PER_MINUTE, 1)
    assert quarter.added(np.array([6_000.0])) == pytest.approx(60.0)


def test_hours_count_by_their_weight_and_months_for_themselves():
    evening = at("2026-06-30T21:00")
    bill = a_bill(4, peak=NIGHT_HALF, starts_at=evening)  # the last hour is in July
    assert bill.weights().tolist() == [1.0, 0.5, 0.5, 0.5]
    assert bill.added(np.array([6_000.0, 0.0, 0.0, 2_000.0])) == pytest.approx(60.0 + 60.0)


def test_days_share_what_counts():
    assert [a_bill(hours).demand_price_per_kw() for hours in (1, 24, 120)] == pytest.approx([20.0, 40.0, 60.0])
    assert (a_bill().room_w(), a_bill(so_far=[]).room_w()) == (3_000.0, 0.0)


# --- plans -----------------------------------------------------------------------------------------------------------


def a_plan(peak: PeakTariff, prices: list[float], starts_at: Instant = NOON, **more: object) -> PlanTold:
    ends_at = starts_at + len(prices) * MS_PER_HOUR
    car = CarAsked(id="ada", arrives_at_ms=starts_at, departs_at_ms=ends_at, needed_wh=12_000, max_power_w=11_000)
    asked = {"starts_at_ms": starts_at, "slot_minutes": 60, "cars": [car]} | more
    return plan_told("plan-1", PricedPlan(PlanAsked(**asked), prices, peak, SO_FAR))  # type: ignore[arg-type]


def test_hours_that_count_half_are_used_twice_as_much():
    flat = [0.2] * 4
    told = a_plan(NIGHT_HALF, flat, at("2026-06-10T20:00"), load_w=1_000.0)
    in_w = [energy + 1_000.0 for energy in told.cars[0].slot_energy_wh]
    counted = max(in_w[0], in_w[1], in_w[2] / 2.0, in_w[3] / 2.0)
    assert counted == pytest.approx(3_000.0, abs=1.0)
    assert told.peak_charge == pytest.approx(0.0, abs=0.05)
    assert told.shortfall_wh == 0.0


def test_cheap_hours_are_worth_a_peak_where_they_save_more_than_it_costs():
    dear, cheap = a_plan(TARIFF, [1.0, 1.0, 1.0, 10.0]), a_plan(TARIFF, [100.0, 100.0, 100.0, 0.0])
    assert max(dear.cars[0].slot_energy_wh) == pytest.approx(4_000.0, abs=2.0)
    assert max(cheap.cars[0].slot_energy_wh) == pytest.approx(11_000.0)
    assert cheap.peak_charge == pytest.approx(20.0 * 8.0)
    assert dear.cost_at_once == pytest.approx(12.0 + 20.0 * 8.0)
    assert dear.cost < 12.0 + 20.0 * 8.0


def test_a_limit_does_not_find_what_the_search_for_a_ceiling_has_missed():
    """A night of two days with a load that is high in most hours: the bill is flat over many ceilings, and not here."""
    prices = [0.39, 0.53, 1.0, 1.7, 1.9, 0.17, 1.8, 0.27, 1.7, 0.39, 0.18, 1.3]
    load_w = [500.0, 1500.0, *[4000.0] * 3, 500.0, *[4000.0] * 4, 500.0, 4000.0]
    night = at("2026-06-10T18:00")
    ada = CarAsked(
        id="ada", arrives_at_ms=night, departs_at_ms=night + 12 * MS_PER_HOUR, needed_wh=20_000, max_power_w=7_400
    )
    peak = PeakTariff(HERE, price_per_kw=81.0, count=3)
    asked = PlanAsked(starts_at_ms=night, slot_minutes=60, cars=[ada], load_w=load_w)
    free = plan_told("plan-1", PricedPlan(asked, prices, peak, []))
    held = [
        plan_told("plan-1", PricedPlan(replace(asked, site_limit_w=limit_w), prices, peak, []))
        for limit_w in (4_800.0, 5_000.0, 5_500.0, 6_000.0, 7_000.0)
    ]
    assert free.cost <= 1.01 * min(told.cost for told in held if not told.shortfall_wh)


def test_what_a_car_would_like_beyond_its_need_comes_before_a_peak_too():
    car = CarAsked(
        id="ada",
        arrives_at_ms=NOON,
        departs_at_ms=NOON + 4 * MS_PER_HOUR,
        needed_wh=4_000,
        max_power_w=11_000,
        extra_wh=20_000,
    )
    told = a_plan(TARIFF, [0.2] * 4, cars=[car])
    assert told.energy_wh == pytest.approx(24_000.0)
    assert told.peak_charge == pytest.approx(20.0 * 3.0, abs=0.1), "6 kW, where the month has seen 3, of three hours"


def test_a_departure_comes_before_a_peak():
    told = a_plan(TARIFF, [0.1], cars=[CarAsked(id="ada", arrives_at_ms=NOON, departs_at_ms=NOON + MS_PER_HOUR,
                                               needed_wh=11_000, max_power_w=11_000, in_one_go=True)])  # fmt: skip
    assert told.shortfall_wh == 0.0
    assert told.peak_charge == pytest.approx(20.0 * 8.0)


def test_where_nothing_counts_no_plan_changes():
    nothing = PeakTariff(HERE, 60.0, 3, weights=(Weight(Window(weekdays=WEEKEND), 0.0),))
    told = a_plan(nothing, [0.2, 0.1], at("2026-06-13T12:00"))
    assert (told.cars[0].slot_energy_wh, told.peak_charge) == ([1_000.0, 11_000.0], 0.0)


def test_a_battery_in_the_house_keeps_a_peak_small():
    battery = BatteryAsked(capacity_wh=20_000, stored_wh=10_000, charge_w=5_000, discharge_w=5_000)
    told = a_plan(TARIFF, [0.2] * 6, load_w=[500.0, 500.0, 9_000.0, 500.0, 500.0, 500.0], cars=[], storage=battery)
    assert told.place is not None
    assert max(told.place.import_w) < 5_000.0
    assert told.peak_charge == pytest.approx(20.0 * (max(told.place.import_w) - 3_000.0) / 1e3)


@given(st.lists(st.floats(-1.0, 2.0), min_size=4, max_size=8), st.sampled_from([TARIFF, NIGHT_HALF]))
@settings(max_examples=40, deadline=None)
def test_no_plan_is_dearer_than_one_that_knows_nothing_of_peaks(prices: list[float], peak: PeakTariff):
    evening = at("2026-06-10T19:00")
    told = a_plan(peak, prices, evening, load_w=700.0)
    free = plan_told("plan-1", PricedPlan(_blind(prices, evening), prices))
    bill = a_bill(len(prices), peak=peak, starts_at=evening)
    load_w = np.full(len(prices), 700.0)
    charge = bill.added(load_w + np.array(free.cars[0].slot_energy_wh)) - bill.added(load_w)
    assert told.cost <= free.cost + charge + 1e-6
    assert told.shortfall_wh == pytest.approx(free.shortfall_wh, abs=1.0)


def _blind(prices: list[float], starts_at: Instant) -> PlanAsked:
    ends_at = starts_at + len(prices) * MS_PER_HOUR
    car = CarAsked(id="ada", arrives_at_ms=starts_at, departs_at_ms=ends_at, needed_wh=12_000, max_power_w=11_000)
    return PlanAsked(starts_at_ms=starts_at, slot_minutes=60, cars=[car], load_w=700.0)
