"""What a plan adds to a month's bill of its highest hours, and plans that keep it small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.local_time import HERE, at
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, Instant
from voltbench.running.planning import BatteryAsked, CarAsked, LossAsked, PlanAsked, PlanView, planned
from voltbench.site.calendar import WEEKEND, Window
from voltbench.site.peak_bill import PeakBill
from voltbench.site.peaks import Mean, PeakTariff, Weight, counted_room_w, means, monthly_peaks, so_far_cost
from voltbench.site.series import StepSeries

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


@pytest.mark.parametrize(("slots_kw", "billed_kw"), [([0.0, 4.0], 2.0), ([4.0, 0.0], 2.0), ([4.0, -4.0], 2.0)])
def test_an_hour_of_which_only_a_part_is_planned_is_as_that_part_of_it(slots_kw: list[float], billed_kw: float):
    """It is half past ten: nobody knows what the half hour before has taken."""
    half_past = at("2026-06-10T10:30")
    bill = PeakBill(TARIFF, [], half_past, 15 * MS_PER_MINUTE, 2)
    assert bill.added(np.array(slots_kw) * 1e3) == pytest.approx(20.0 * billed_kw)
    over_two = PeakBill(TARIFF, [], half_past + 15 * MS_PER_MINUTE, 30 * MS_PER_MINUTE, 2)
    assert over_two.added(np.array([6_000.0, 0.0])) == pytest.approx(20.0 * 6.0), "a slot may lie in two hours"


@given(
    st.lists(st.tuples(st.integers(-9, 9), st.floats(0.0, 9e3)), max_size=5, unique_by=lambda hour: hour[0]),
    st.lists(st.floats(-3e3, 9e3), min_size=6, max_size=40),
    st.sampled_from([1, 3]),
    st.booleans(),
)
def test_it_adds_what_the_months_cost_with_it_less_what_they_cost_without(
    seen: list[tuple[int, float]], power_w: list[float], count: int, different_days: bool
):
    """The law of months that go on, over the end of one and at night, when hours count half."""
    peak = PeakTariff(HERE, 60.0, count, different_days, weights=NIGHT_HALF.weights)
    evening = at("2026-06-30T18:00")
    so_far = [Mean(evening + (6 * hours - 60) * MS_PER_HOUR, seen_w) for hours, seen_w in seen]
    bill = a_bill(len(power_w), so_far, peak, evening)
    series = StepSeries((evening + i * MS_PER_HOUR, each_w) for i, each_w in enumerate(power_w))
    with_it = so_far_cost([*so_far, *means(series, evening, bill.ends_at, peak)], peak)
    assert bill.added(np.array(power_w)) == pytest.approx(with_it - so_far_cost(so_far, peak), abs=1e-4)
    midnights = [at(f"2026-07-{day:02}T00:00") for day in (1, 2) if at(f"2026-07-{day:02}T00:00") < bill.ends_at]
    rooms = [counted_room_w(so_far, day, peak) for day in (evening, *midnights)]
    assert bill.room_w() == pytest.approx(min(rooms))


@pytest.mark.parametrize("day", [1, 2, 3, 12])
def test_a_kw_more_costs_its_part_of_the_mean_on_any_day_of_the_month(day: int):
    """So the first of a month is no other than the last: three kW more are one kW more of a mean of three."""
    before = [Mean(at(f"2026-06-{i:02}T07:00"), 1_000.0) for i in range(1, day)]
    bill = a_bill(1, before, starts_at=at(f"2026-06-{day:02}T12:00"))
    load_w = np.array([1_000.0])
    assert bill.added_beside(load_w, np.array([3_000.0])) == pytest.approx(60.0 * 3.0 / 3)
    assert bill.added_beside(load_w, np.array([0.0])) == 0.0


@given(
    st.lists(st.tuples(st.integers(1, 20), st.floats(0.0, 9e3)), max_size=5, unique_by=lambda hour: hour[0]),
    st.lists(st.floats(-3e3, 9e3), min_size=6, max_size=6),
    st.lists(st.floats(0.0, 9e3), min_size=6, max_size=6),
    st.booleans(),
)
def test_nothing_that_is_drawn_makes_a_bill_smaller(
    seen: list[tuple[int, float]], own_w: list[float], more_w: list[float], different_days: bool
):
    peak = PeakTariff(HERE, 60.0, 3, different_days)
    bill = a_bill(6, [Mean(at(f"2026-06-{day:02}T07:00"), power_w) for day, power_w in seen], peak)
    assert bill.added(np.array(own_w)) >= 0.0
    assert bill.added_beside(np.array(own_w), np.array(more_w)) >= -1e-9


def test_when_a_month_has_all_its_peaks_it_costs_what_it_will_be_billed_for():
    month = [*SO_FAR, Mean(at("2026-06-05T07:00"), 9_000.0)]
    assert so_far_cost(month, TARIFF) == pytest.approx(monthly_peaks(month, TARIFF)[0].cost)
    assert so_far_cost(month[:1], TARIFF) == pytest.approx(monthly_peaks(month[:1], TARIFF)[0].cost / 3)


def test_a_place_early_in_the_month_earns_nothing_by_a_low_day():
    """One high day is all that was seen: a low one beside it lowers the mean of two, and not what is billed."""
    morning = at("2026-11-03T06:00")
    storage = BatteryAsked(capacity_wh=5_000, stored_wh=2_500, charge_w=2_000, discharge_w=2_000)
    car = CarAsked(id="ada", arrives_at_ms=morning, departs_at_ms=morning + 8 * MS_PER_HOUR, needed_wh=2_000,
                   max_power_w=7_400)  # fmt: skip
    asked = PlanAsked(starts_at_ms=morning, slot_minutes=60, cars=[car], load_w=500.0, storage=storage)
    peak = PeakTariff(HERE, price_per_kw=81.25, count=3)
    told = planned("plan-1", asked, [0.2] * 8, peak, [Mean(at("2026-11-02T18:00"), 5_000.0)])
    assert told.place is not None
    assert max(told.place.import_w) > 0.0
    assert told.peak_charge == pytest.approx(81.25 / 3 * max(told.place.import_w) / 1e3)
    assert told.cost > (told.peak_charge or 0.0)


def test_hours_count_by_their_weight_and_months_for_themselves():
    evening = at("2026-06-30T21:00")
    bill = a_bill(4, peak=NIGHT_HALF, starts_at=evening)  # the last hour is in July
    assert bill.weights().tolist() == [1.0, 0.5, 0.5, 0.5]
    assert bill.added(np.array([6_000.0, 0.0, 0.0, 2_000.0])) == pytest.approx(60.0 + 20.0)


def test_days_share_what_counts():
    assert [a_bill(hours).demand_price_per_kw() for hours in (1, 24, 120)] == pytest.approx([20.0, 40.0, 60.0])
    any_hours = a_bill(2, peak=PeakTariff(HERE, 60.0, 3, different_days=False))
    assert any_hours.demand_price_per_kw() == pytest.approx(40.0), "two hours of three, were both as high"
    assert (a_bill().room_w(), a_bill(so_far=[]).room_w()) == (3_000.0, 0.0)


# --- plans -----------------------------------------------------------------------------------------------------------


def a_plan(peak: PeakTariff, prices: list[float], starts_at: Instant = NOON, **more: object) -> PlanView:
    ends_at = starts_at + len(prices) * MS_PER_HOUR
    car = CarAsked(id="ada", arrives_at_ms=starts_at, departs_at_ms=ends_at, needed_wh=12_000, max_power_w=11_000)
    asked = {"starts_at_ms": starts_at, "slot_minutes": 60, "cars": [car]} | more
    return planned("plan-1", PlanAsked(**asked), prices, peak, SO_FAR)  # type: ignore[arg-type]


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
    free = planned("plan-1", asked, prices, peak, [])
    held = [
        planned("plan-1", replace(asked, site_limit_w=limit_w), prices, peak, [])
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


def a_loss(given_w: float, drawn_w: float) -> LossAsked:
    return LossAsked(given_w=given_w, drawn_w=drawn_w)


def test_a_charger_that_loses_adds_to_a_peak_what_it_draws_and_not_what_it_gives():
    """Nothing of this month has been seen; in an hour the car is given 8 kWh, for which its charger draws 10."""
    lossy = CarAsked(id="ada", arrives_at_ms=NOON, departs_at_ms=NOON + MS_PER_HOUR, needed_wh=8_000,
                     max_power_w=10_000, losses=[a_loss(1_000, 1_500), a_loss(8_000, 10_000)])  # fmt: skip
    told = planned("plan-1", PlanAsked(starts_at_ms=NOON, slot_minutes=60, cars=[lossy]), [0.5], TARIFF)
    assert (told.energy_wh, told.shortfall_wh) == pytest.approx((8_000.0, 0.0))
    assert told.peak_charge == pytest.approx(20.0 * 10.0), "one of three that count"
    assert (told.cost, told.cost_at_once) == pytest.approx((0.5 * 10.0 + 200.0,) * 2)


def test_at_once_a_charger_that_loses_draws_all_it_may_however_it_is_planned():
    """A patient plan has 4 kW for two hours without loss; at once, it is 10 kW for the first of them."""
    lossy = CarAsked(id="ada", arrives_at_ms=NOON, departs_at_ms=NOON + 2 * MS_PER_HOUR, needed_wh=8_000,
                     max_power_w=10_000, losses=[a_loss(4_000, 4_000), a_loss(8_000, 10_000)])  # fmt: skip
    told = planned("plan-1", PlanAsked(starts_at_ms=NOON, slot_minutes=60, cars=[lossy]), [0.5, 0.5], TARIFF)
    assert told.peak_charge == pytest.approx(20.0 * 4.0, abs=0.1)
    assert told.cost == pytest.approx(0.5 * 8.0 + 80.0, abs=0.1)
    assert told.cost_at_once == pytest.approx(0.5 * 10.0 + 200.0)


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
    assert told.cost_at_once == pytest.approx(0.2 * 11.5 + 20.0 * 6.0), "the battery rests: 9 kW, of which 3 are paid"


def test_a_place_hears_what_charging_at_once_would_add_to_its_bill():
    told = a_plan(TARIFF, [0.2] * 4, load_w=1_000.0, generation_w=[2_000.0, 0.0, 0.0, 0.0])
    assert told.place is not None
    assert told.cost_at_once == pytest.approx(0.2 * (10.0 + 2.0 + 1.0 + 1.0) + 20.0 * 7.0)
    assert told.cost < (told.cost_at_once or 0.0)


@given(st.lists(st.floats(-1.0, 2.0), min_size=4, max_size=8), st.sampled_from([TARIFF, NIGHT_HALF]))
@settings(max_examples=40, deadline=None)
def test_no_plan_is_dearer_than_one_that_knows_nothing_of_peaks(prices: list[float], peak: PeakTariff):
    evening = at("2026-06-10T19:00")
    told = a_plan(peak, prices, evening, load_w=700.0)
    free = planned("plan-1", _blind(prices, evening), prices)
    bill = a_bill(len(prices), peak=peak, starts_at=evening)
    load_w = np.full(len(prices), 700.0)
    charge = bill.added(load_w + np.array(free.cars[0].slot_energy_wh)) - bill.added(load_w)
    assert told.cost <= free.cost + charge + 1e-6
    assert told.shortfall_wh == pytest.approx(free.shortfall_wh, abs=1.0)


def _blind(prices: list[float], starts_at: Instant) -> PlanAsked:
    ends_at = starts_at + len(prices) * MS_PER_HOUR
    car = CarAsked(id="ada", arrives_at_ms=starts_at, departs_at_ms=ends_at, needed_wh=12_000, max_power_w=11_000)
    return PlanAsked(starts_at_ms=starts_at, slot_minutes=60, cars=[car], load_w=700.0)


# --- never worse than at once ----------------------------------------------------------------------------------------


def hours_of(id: str, first: int, last: int, needed_wh: float, max_power_w: float, **more: object) -> CarAsked:
    """A car that is there from one hour after noon until another."""
    return CarAsked(
        id=id,
        arrives_at_ms=NOON + first * MS_PER_HOUR,
        departs_at_ms=NOON + last * MS_PER_HOUR,
        needed_wh=needed_wh,
        max_power_w=max_power_w,
        **more,  # type: ignore[arg-type]
    )


def test_a_day_that_has_to_be_high_does_not_spoil_another():
    """The morning car needs 13 kW for an hour; the evening before has six hours for 7.4 kWh."""
    prices, load_w = [0.2] * 24, [0.0] * 24
    prices[3], load_w[3] = 0.19, 5_000.0
    cars = [hours_of("evening", 0, 6, 7_400, 7_400), hours_of("morning", 20, 21, 13_000, 13_000)]
    asked = PlanAsked(starts_at_ms=NOON, slot_minutes=60, cars=cars, load_w=load_w)
    told = planned("plan-1", asked, prices, PeakTariff(HERE, price_per_kw=81.0, count=3), [])
    assert told.shortfall_wh == 0.0
    assert told.peak_charge == pytest.approx(27.0 * 13.0, abs=0.1), "the load's 5 kW are there anyway"
    assert told.cost < (told.cost_at_once or 0.0)


def test_an_hour_that_has_to_be_high_does_not_spoil_others_of_its_day():
    cars = [hours_of("long", 0, 8, 16_000, 11_000), hours_of("short", 4, 5, 11_000, 11_000)]
    asked = PlanAsked(starts_at_ms=NOON, slot_minutes=60, cars=cars)
    prices = [0.2, 0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.1]
    told = planned("plan-1", asked, prices, PeakTariff(HERE, price_per_kw=81.0, count=3, different_days=False), [])
    assert told.peak_charge == pytest.approx(27.0 * (11.0 + 2 * 16.0 / 7), rel=0.05)


@st.composite
def some_cars(draw: st.DrawFn, slots: int) -> list[CarAsked]:
    cars = []
    for number in range(draw(st.integers(1, 3))):
        first = draw(st.integers(0, slots - 1))
        last, most_w = draw(st.integers(first + 1, slots)), draw(st.sampled_from([3_700.0, 11_000.0]))
        share = draw(st.sampled_from([0.2, 0.5, 1.0, 1.1]))
        cars.append(hours_of(f"car-{number}", first, last, share * most_w * (last - first), most_w))
    return cars


@given(st.data(), st.sampled_from([1, 3]), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_plan_is_dearer_than_charging_at_once(
    data: st.DataObject, count: int, different_days: bool, limited: bool, has_storage: bool
):
    slots = data.draw(st.integers(2, 20))
    prices = data.draw(st.lists(st.sampled_from([0.1, 0.19, 0.2, 1.0]), min_size=slots, max_size=slots))
    load_w = data.draw(st.lists(st.sampled_from([0.0, 700.0, 5_000.0]), min_size=slots, max_size=slots))
    storage = BatteryAsked(capacity_wh=5_000, stored_wh=2_000, charge_w=3_000, discharge_w=3_000)
    cars = data.draw(some_cars(slots))
    asked = PlanAsked(
        starts_at_ms=NOON,
        slot_minutes=60,
        cars=cars,
        load_w=load_w,
        site_limit_w=12_000.0 if limited else None,
        storage=storage if has_storage else None,
    )
    peak = PeakTariff(HERE, 81.25, count, different_days)
    told, free = planned("plan-1", asked, prices, peak, SO_FAR[:1]), planned("plan-1", asked, prices)
    assert told.shortfall_wh == pytest.approx(free.shortfall_wh, abs=0.05 if has_storage else 1e-4)
    if told.cost_at_once is not None:
        assert told.cost <= told.cost_at_once + 1e-6
    if not limited:
        assert {one.limit for car in told.cars for one in car.hindrances} <= {"car"}


def test_a_place_charges_at_once_where_nothing_is_better():
    """What stands for the tariff is a price of one highest hour; that three hours of a day are billed it cannot see."""
    storage = BatteryAsked(capacity_wh=100, stored_wh=0, charge_w=10, discharge_w=10)
    asked = PlanAsked(starts_at_ms=NOON, slot_minutes=60, cars=[hours_of("ada", 0, 8, 11_000, 11_000)], storage=storage)
    peak = PeakTariff(HERE, price_per_kw=81.0, count=3, different_days=False)
    told = planned("plan-1", asked, [0.2] * 7 + [0.19], peak, [])
    assert told.cost_at_once is not None
    assert told.cost <= told.cost_at_once + 1e-6


def test_a_charger_that_loses_is_no_dearer_than_at_once_either():
    lossy = hours_of("ada", 0, 3, 8_000, 10_000, losses=[a_loss(4_000, 4_000), a_loss(8_000, 10_000)])
    asked = PlanAsked(starts_at_ms=NOON, slot_minutes=60, cars=[lossy], load_w=[0.0, 9_000.0, 9_000.0])
    for prices in ([0.2, 0.2, 0.2], [0.5, 0.1, 0.1], [0.1, 0.5, 0.5]):
        told = planned("plan-1", asked, prices, PeakTariff(HERE, 81.0, 3, different_days=False), [])
        assert told.cost <= (told.cost_at_once or 0.0) + 1e-3


def test_a_ceiling_of_ours_is_nobodys_limit():
    """The car that charges in one go lacks some whatever is done; no limit of the place is in its way."""
    cars = [hours_of("go", 0, 2, 30_000, 11_000, in_one_go=True), hours_of("slow", 0, 8, 9_000, 3_700)]
    asked = PlanAsked(starts_at_ms=NOON, slot_minutes=60, cars=cars)
    told = planned("plan-1", asked, [0.3, 0.2] * 4, PeakTariff(HERE, 81.0, 3), [])
    assert told.shortfall_wh == pytest.approx(8_000.0)
    assert {one.limit for car in told.cars for one in car.hindrances} == {"car"}
