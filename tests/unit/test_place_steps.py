"""What is told of a place is what comes of the steps of its cars, instant by instant, and so is charging at once."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from voltbench.energy.at_once import imported_at_once_w
from voltbench.energy.optimize import Place, PlacePlan, Reservoir, optimize
from voltbench.energy.plan import Horizon, PlannedCar
from voltbench.quantities import MS_PER_HOUR


def hours(*prices: float, site_w: float = 1e6) -> Horizon:
    return Horizon(tuple(i * MS_PER_HOUR for i in range(len(prices) + 1)), prices, (site_w,) * len(prices))


def on_off(needed_wh: float, stays_h: int, power_w: float, id: str = "ada") -> PlannedCar:
    return PlannedCar(id, 0, stays_h * MS_PER_HOUR, needed_wh, power_w, power_w)


def kwh(series: object) -> float:
    return round(float(sum(series)) / 1e3, 3)  # type: ignore[call-overload]


def followed_kwh(found: PlacePlan, sun_w: float) -> tuple[float, float]:
    """What is imported and left over beside the same sun all the time, by the steps."""
    instants = sorted({at for steps in found.steps for at, _ in steps} | {0, len(found.import_w) * MS_PER_HOUR})
    bought = left = 0.0
    for at, until in pairwise(instants):
        drawn_w = sum(([0.0] + [w for since, w in steps if since <= at])[-1] for steps in found.steps)
        bought += max(0.0, drawn_w - sun_w) * (until - at) / MS_PER_HOUR
        left += max(0.0, sun_w - drawn_w) * (until - at) / MS_PER_HOUR
    return round(bought / 1e3, 3), round(left / 1e3, 3)


def test_half_the_power_all_the_time_is_not_all_of_it_half_the_time() -> None:
    found = optimize(hours(*[0.3] * 4), [on_off(14_800.0, 4, 7_400.0)], Place((0.0,) * 4, (3_700.0,) * 4, (0.05,) * 4))
    assert (kwh(found.import_w), kwh(found.export_w)) == (7.4, 7.4)
    assert (found.cost, found.cost_at_once) == pytest.approx((1.85, 1.85))


def test_what_must_not_be_sold_is_curtailed_while_a_car_pauses() -> None:
    place = Place((0.0,) * 2, (5_000.0,) * 2, (0.05,) * 2, import_limit_w=11_000.0, export_limit_w=0.0)
    found = optimize(hours(0.3, 0.3), [on_off(10_000.0, 2, 11_000.0)], place)
    assert (kwh(found.import_w), kwh(found.export_w)) == (5.455, 0.0)
    assert (kwh(found.import_w), kwh(found.curtailed_w)) == followed_kwh(found, 5_000.0)
    assert found.cost == pytest.approx(10.0 * 6.0 / 11.0 * 0.3, abs=1e-5)


def test_a_car_charges_where_the_sun_meets_its_power_rather_than_its_mean() -> None:
    place = Place((0.0,) * 2, (3_000.0, 6_000.0), (0.05,) * 2)
    found = optimize(hours(0.3, 0.3), [PlannedCar("ada", 0, 2 * MS_PER_HOUR, 3_000.0, 11_000.0, 6_000.0)], place)
    assert found.steps[0] == ((MS_PER_HOUR, 6_000.0), (MS_PER_HOUR * 3 // 2, 0.0))
    assert kwh(found.import_w) == 0.0


def test_cars_that_charge_for_a_part_of_a_slot_share_the_sun_one_after_the_other() -> None:
    cars = [on_off(2_000.0, 1, 5_000.0, f"car-{i}") for i in range(2)]
    found = optimize(hours(0.3), cars, Place((0.0,), (5_000.0,), (0.05,)))
    assert (kwh(found.import_w), kwh(found.export_w)) == (0.0, 1.0)
    assert followed_kwh(found, 5_000.0) == (0.0, 1.0)
    assert found.cost_at_once == pytest.approx(0.4 * 5.0 * 0.3 - 0.6 * 5.0 * 0.05), "who does not wait, does not"


def test_finer_slots_are_tried_where_cars_go_on_beside_each_other_in_parts_of_slots() -> None:
    cars = [PlannedCar(f"car-{i}", 0, 4 * MS_PER_HOUR, 6_000.0 + 500.0 * i, 11_000.0, 4_140.0) for i in range(3)]
    found = optimize(hours(*[0.3] * 4), cars, Place((0.0,) * 4, (5_500.0,) * 4, (0.05,) * 4))
    assert found.shortfall_wh.sum() == pytest.approx(0.0)
    assert (kwh(found.import_w), kwh(found.export_w)) == pytest.approx(followed_kwh(found, 5_500.0), abs=2e-3)
    assert found.cost < 0.2, "22 kWh of sun for 19.5"


def test_what_gives_to_a_car_all_the_time_is_not_sold_beyond_the_limit_while_that_pauses() -> None:
    place, full = Place((0.0,), export_limit_w=0.0), Reservoir(20_000.0, 20_000.0, 6_000.0, 6_000.0, 1.0, 1.0)
    giver = PlannedCar("bob", 0, MS_PER_HOUR, 0.0, 6_000.0)
    pauses = optimize(hours(0.3), [on_off(3_000.0, 1, 6_000.0)], place, replace(full, least_at_end_wh=0.0))
    assert (kwh(pauses.export_w), kwh(pauses.storage_w), kwh(pauses.import_w)) == (0.0, 0.0, 3.0)
    steady = optimize(hours(0.3), [on_off(6_000.0, 1, 6_000.0)], place, replace(full, least_at_end_wh=0.0))
    assert (kwh(steady.storage_w), kwh(steady.import_w)) == (-6.0, 0.0)
    room = replace(full, stored_wh=10_000.0)
    lent = optimize(hours(0.3), [on_off(3_000.0, 1, 6_000.0), giver], place, None, [None, room])
    assert (kwh(lent.export_w), kwh(lent.import_w)) == (0.0, 3.0)


@pytest.mark.parametrize("has_storage", [True, False])
def test_nothing_is_bought_and_sold_at_once_where_both_have_the_same_price(has_storage: bool) -> None:
    prices = (0.3, 0.2, 0.2)
    place = Place((1_000.0, 0.0, 3_000.0), (5_000.0,) * 3, prices, import_limit_w=11_000.0, co2_g_per_kwh=(100.0,) * 3)
    storage = Reservoir(10_000.0, 5_000.0, 3_000.0, 3_000.0, 1.0, 1.0) if has_storage else None
    found = optimize(hours(*prices), [PlannedCar("ada", 0, 3 * MS_PER_HOUR, 5_000.0, 7_000.0)], place, storage)
    assert not ((found.import_w > 0.0) & (found.export_w > 0.0)).any()
    assert found.co2_g == pytest.approx(kwh(found.import_w) * 100.0, abs=0.1)


# --- charging at once -------------------------------------------------------------------------------------------------


def test_who_charges_at_once_wears_its_battery_too() -> None:
    battery = Reservoir(50_000.0, 10_000.0, 3_000.0, 3_000.0, wear_per_kwh=0.1)
    found = optimize(hours(0.1), [PlannedCar("ada", 0, MS_PER_HOUR, 3_000.0, 3_000.0)], Place((0.0,)), None, [battery])
    assert (found.cost, found.cost_at_once) == pytest.approx((0.45, 0.45))


@pytest.mark.parametrize(
    "battery",
    [
        Reservoir(10_000.0, 0.0, 10_000.0, 3_000.0, least_at_end_wh=9_000.0),
        Reservoir(10_000.0, 1_000.0, 3_000.0, 3_000.0, least_wh=3_000.0, least_at_end_wh=0.0),
    ],
)
def test_a_storage_that_must_fill_has_no_comparison(battery: Reservoir) -> None:
    assert optimize(hours(0.3), [], Place((0.0,)), battery).cost_at_once is None


def test_a_car_that_has_to_come_up_to_its_reserve_has_no_comparison() -> None:
    low = Reservoir(60_000.0, 5_000.0, 10_000.0, 10_000.0, least_wh=10_000.0)
    car = PlannedCar("ada", 0, MS_PER_HOUR, 1_000.0, 10_000.0)
    assert optimize(hours(0.3), [car], Place((0.0,)), None, [low]).cost_at_once is None


def test_a_need_beyond_the_capacity_has_no_comparison() -> None:
    small = Reservoir(10_000.0, 8_000.0, 10_000.0, 10_000.0, 1.0, 1.0)
    car = PlannedCar("ada", 0, MS_PER_HOUR, 5_000.0, 10_000.0)
    assert optimize(hours(0.3), [car], Place((0.0,)), None, [small]).cost_at_once is None


def test_a_place_imports_at_once_what_the_sun_does_not_give_while_a_car_charges() -> None:
    place = Place((0.0,), (3_700.0,))
    assert imported_at_once_w(hours(0.1), [on_off(3_700.0, 1, 7_400.0)], place, [None]).tolist() == [1_850.0]
