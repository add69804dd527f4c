"""A whole place planned at once: sun, batteries that give back, what a peak costs, powers that are none or enough."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from tests.planning import Instance, instances
from voltbench.energy import place_program
from voltbench.energy.optimize import Place, PlacePlan, Reservoir, optimize
from voltbench.energy.plan import Horizon, PlannedCar, plan
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR


def hours(*prices: float, site_w: float = 1e6) -> Horizon:
    return Horizon(tuple(i * MS_PER_HOUR for i in range(len(prices) + 1)), prices, (site_w,) * len(prices))


def a_car(needed_wh: float = 10_000.0, stays_h: int = 4, id: str = "ada", **more: object) -> PlannedCar:
    return PlannedCar(id, 0, stays_h * MS_PER_HOUR, needed_wh, 10_000.0, **more)  # type: ignore[arg-type]


def kw(series: np.ndarray) -> list[float]:
    return [round(float(w) / 1e3, 3) for w in series]


def highest_w(found: PlacePlan) -> float:
    """The highest power of all cars together, at any instant."""
    instants = sorted({at for steps in found.steps for at, _ in steps})
    return max(sum(([0.0] + [w for step, w in steps if step <= at])[-1] for steps in found.steps) for at in instants)


@given(instances(most_circuits=1))
def test_without_anything_but_cars_it_says_what_the_quick_planner_says(of: Instance) -> None:
    horizon = Horizon(
        tuple(i * MS_PER_HOUR for i in range(len(of.price_per_kwh) + 1)),
        tuple(of.price_per_kwh.tolist()),
        tuple(np.minimum(of.site_wh, of.circuit_wh[0]).tolist()),
    )
    stay = len(of.price_per_kwh) * MS_PER_HOUR
    cars = [PlannedCar(f"car-{i}", 0, stay, float(wh), 4_000.0) for i, wh in enumerate(of.needed_wh)]
    quick, whole = plan(horizon, cars), optimize(horizon, cars, Place((0.0,) * len(of.price_per_kwh)))
    assert whole.shortfall_wh.sum() == pytest.approx(quick.shortfall_wh, abs=1e-2)
    if not quick.shortfall_wh:
        assert whole.cost == pytest.approx(quick.cost, abs=1e-5)


def test_a_car_charges_from_the_sun_that_would_be_sold_for_little() -> None:
    place = Place((1_000.0,) * 4, (0.0, 9_000.0, 3_000.0, 0.0), (0.05,) * 4)
    found = optimize(hours(0.2, 0.3, 0.3, 0.3), [a_car()], place)
    assert kw(found.cars_w[0]) == [0.0, 8.0, 2.0, 0.0]
    assert (kw(found.import_w), kw(found.export_w)) == ([1.0, 0.0, 0.0, 1.0], [0.0] * 4)


def test_a_peak_that_costs_is_kept_low() -> None:
    place = Place((2_000.0, 0.0, 0.0, 0.0), demand_price_per_kw=10.0)
    found = optimize(hours(0.2, 0.2, 0.1, 0.2), [a_car(10_000.0)], place)
    assert kw(found.import_w) == [3.0] * 4
    assert found.cost == pytest.approx(30.0 + 9.0 * 0.2 + 3.0 * 0.1 - 0.0)
    paid_before = Place((2_000.0, 0.0, 0.0, 0.0), demand_price_per_kw=10.0, peak_so_far_w=9_000.0)
    assert kw(optimize(hours(0.2, 0.2, 0.1, 0.2), [a_car(10_000.0)], paid_before).cars_w[0])[2] == 9.0


def test_a_battery_buys_cheaply_and_its_wear_counts() -> None:
    battery = Reservoir(10_000.0, 0.0, 5_000.0, 5_000.0, 1.0, 1.0, wear_per_kwh=0.05)
    place = Place((0.0, 5_000.0))
    assert kw(optimize(hours(0.1, 0.3), [], place, battery).storage_w) == [5.0, -5.0]
    assert optimize(hours(0.1, 0.3), [], place, battery).cost == pytest.approx(0.5 + 0.25)
    assert kw(optimize(hours(0.1, 0.14), [], place, battery).storage_w) == [0.0, 0.0]


def test_a_car_gives_its_house_what_it_does_not_need_and_departs_with_what_it_does() -> None:
    car = PlannedCar("ada", 0, 3 * MS_PER_HOUR, 10_000.0, 10_000.0)
    battery = Reservoir(60_000.0, 30_000.0, 10_000.0, 10_000.0, 1.0, 1.0, least_wh=25_000.0)
    found = optimize(hours(0.5, 0.1, 0.2, 0.9), [car], Place((8_000.0, 0.0, 0.0, 0.0)), batteries=[battery])
    assert kw(found.cars_w[0]) == [-5.0, 10.0, 5.0, 0.0]
    assert found.shortfall_wh.tolist() == [0.0]


def test_a_power_is_none_or_at_least_the_least() -> None:
    horizon = Horizon((0, MS_PER_HOUR, 2 * MS_PER_HOUR), (0.1, 0.2), (10_000.0, 10_000.0))
    found = optimize(horizon, [a_car(11_000.0, 2, least_w=4_000.0)], Place((0.0, 0.0)))
    assert kw(found.cars_w[0]) == [10.0, 1.0]
    at_h = [(at / MS_PER_HOUR, round(power_w)) for at, power_w in found.steps[0]]
    assert at_h == [(0.0, 10_000), (1.0, 4_000), (1.25, 0)]
    crowded = optimize(horizon, [a_car(11_000.0, 2, least_w=4_000.0), a_car(7_000.0, 2, id="bob")], Place((0.0, 0.0)))
    assert crowded.cars_w.sum() == pytest.approx(18_000.0)
    assert highest_w(crowded) <= 10_000.0 + 1e-3


def test_negative_prices_burn_nothing() -> None:
    battery = Reservoir(4_000.0, 2_000.0, 5_000.0, 5_000.0, 0.9, 0.9)
    found = optimize(hours(-0.1, 0.1), [], Place((0.0, 0.0), export_limit_w=0.0), battery)
    assert kw(found.storage_w)[0] <= round(2.0 / 0.9, 3)


def test_selling_for_more_than_buying_is_not_done_at_once() -> None:
    place = Place((1_000.0,), (3_000.0,), (0.5,))
    found = optimize(hours(0.1), [], place)
    assert (kw(found.import_w), kw(found.export_w)) == ([0.0], [2.0])


def test_carbon_has_a_price_in_the_choice_that_nobody_pays() -> None:
    place = Place((0.0, 0.0), co2_g_per_kwh=(500.0, 100.0), co2_price_per_kg=1.0)
    found = optimize(hours(0.1, 0.2), [a_car()], place)
    assert kw(found.cars_w[0]) == [0.0, 10.0]
    assert (found.cost, found.co2_g) == pytest.approx((2.0, 1_000.0))


def test_what_the_connection_cannot_carry_is_lacking_not_impossible() -> None:
    found = optimize(hours(0.1, 0.1), [a_car(20_000.0, 2)], Place((4_000.0, 12_000.0), import_limit_w=9_000.0))
    assert kw(found.cars_w[0]) == [5.0, 0.0]
    assert found.shortfall_wh.tolist() == pytest.approx([15_000.0])


def test_a_battery_helps_a_small_connection() -> None:
    battery = Reservoir(20_000.0, 10_000.0, 5_000.0, 5_000.0, 1.0, 1.0, 0.0, 0.0, wear_per_kwh=0.5)
    place = Place((0.0, 0.0), import_limit_w=3_000.0)
    found = optimize(hours(0.1, 0.1, site_w=3_000.0), [a_car(10_000.0, 2)], place, battery)
    assert found.shortfall_wh.tolist() == [0.0]
    assert found.import_w.max() <= 3_000.0 + 1e-6
    assert -found.storage_w.sum() == pytest.approx(4_000.0)


def test_who_comes_first_charges_where_not_all_can() -> None:
    cars = [PlannedCar(f"car-{i}", 0, MS_PER_HOUR, 5_000.0, 10_000.0, priority=i * 100) for i in range(8)]
    found = optimize(hours(0.1), cars, Place((0.0,), import_limit_w=18_000.0))
    assert found.shortfall_wh[4:].tolist() == pytest.approx([2_000.0, 0.0, 0.0, 0.0])
    assert found.shortfall_wh.sum() == pytest.approx(22_000.0)


@pytest.mark.parametrize("least_w", [0.0, 1_000.0])
def test_however_many_priorities_there_are_a_higher_one_is_served_first(least_w: float) -> None:
    cars = [
        PlannedCar(f"car-{i}", 0, MS_PER_HOUR, 2_000.0, 10_000.0, least_w, extra_wh=1_000.0, priority=priority)
        for i, priority in enumerate((4, 0, 11, 2, 7, 13, 1, 8, 3, 12, 5, 10, 6, 9))
    ]
    ranked = sorted(range(14), key=lambda i: -cars[i].priority)
    for site_w, had_kw in ((19_000.0, [2.0] * 9 + [1.0] + [0.0] * 4), (37_000.0, [3.0] * 9 + [2.0] * 5)):
        found = optimize(hours(0.1), cars, Place((0.0,), import_limit_w=site_w))
        assert kw(found.cars_w[ranked, 0]) == had_kw


def test_no_amount_for_those_who_come_later_is_worth_any_for_those_who_come_first() -> None:
    leaky = Reservoir(40_000.0, 0.0, 40_000.0, 40_000.0, 0.3, 0.3, least_at_end_wh=0.0)
    first = PlannedCar("first", MS_PER_HOUR, 2 * MS_PER_HOUR, 500.0, 10_000.0, extra_wh=400.0, priority=2)
    later = PlannedCar("later", 0, MS_PER_HOUR, 10_000.0, 10_000.0, priority=1)
    found = optimize(hours(0.1, 0.1), [later, first], Place((0.0, 10_000.0), import_limit_w=10_000.0), leaky)
    assert found.shortfall_wh.tolist() == pytest.approx([500.0 / 0.09, 0.0], abs=0.1)
    assert found.cars_w.sum(axis=1).tolist() == pytest.approx([10_000.0 - 500.0 / 0.09, 500.0], abs=0.1)


def test_a_minimum_of_those_who_come_first_may_take_all_from_those_who_come_later() -> None:
    first = a_car(1_000.0, 1, id="first", least_w=6_000.0, priority=2)
    found = optimize(hours(0.1, site_w=6_000.0), [a_car(6_000.0, 1, id="later", priority=1), first], Place((0.0,)))
    assert found.shortfall_wh.tolist() == pytest.approx([6_000.0, 0.0])


def test_what_a_car_would_like_comes_after_what_others_need() -> None:
    cars = [PlannedCar("ada", 0, MS_PER_HOUR, 1_000.0, 10_000.0, extra_wh=9_000.0, priority=9),
            PlannedCar("bob", 0, MS_PER_HOUR, 4_000.0, 10_000.0)]  # fmt: skip
    found = optimize(hours(0.1), cars, Place((0.0,), import_limit_w=6_000.0))
    assert kw(found.cars_w[:, 0]) == [2.0, 4.0]


def test_a_car_that_lacks_energy_hears_why() -> None:
    edges = tuple(i * MS_PER_HOUR for i in range(5))
    horizon = Horizon(edges, (0.1,) * 4, (1e6,) * 4, {"garage": (2_000.0, 1e6, 1e6, 1e6)})
    car = a_car(90_000.0, 3, circuit="garage")
    found = optimize(horizon, [car, a_car(1_000.0, id="bob")], Place((0.0, 5_000.0, 0.0, 0.0), import_limit_w=12_000.0))
    told = [(one.limit, one.begins_at // MS_PER_HOUR, one.ends_at // MS_PER_HOUR) for one in found.hindrances[0]]
    assert told == [("garage", 0, 1), ("site", 1, 2), ("car", 2, 3)]
    assert found.hindrances[1] == ()


def test_room_that_is_kept_for_anothers_minimum_is_the_sites() -> None:
    cars = [a_car(9_000.0, 1, priority=1), a_car(1_000.0, 1, id="bob", least_w=4_000.0, priority=2)]
    found = optimize(hours(0.1), cars, Place((0.0,), import_limit_w=8_000.0))
    assert found.shortfall_wh.tolist() == pytest.approx([5_000.0, 0.0])
    assert [one.limit for one in found.hindrances[0]] == ["site"]


def test_a_limit_with_room_left_is_not_blamed_nor_a_car_that_did_not_charge_where_nothing_was_left() -> None:
    horizon = Horizon((0, MS_PER_HOUR), (0.1,), (1e6,), {"garage": (3_000.0,)})
    picky, easy = (a_car(2_000.0, 1, id=id, least_w=w, circuit="garage") for id, w in (("a", 4_000.0), ("b", 0.0)))
    for found in (
        plan(horizon, [picky, easy]).schedules[0].hindrances,
        optimize(horizon, [picky, easy], Place((0.0,))).hindrances[0],
    ):
        assert [one.limit for one in found] == ["garage"]


def test_load_that_nothing_can_carry_is_told_and_blurs_no_departure() -> None:
    place = Place((50e6, 0.0), import_limit_w=30_000.0)
    found = optimize(hours(0.1, 0.1), [a_car(8_000.0, 2, least_w=4_000.0)], place)
    assert found.unserved_w.tolist() == pytest.approx([49.97e6, 0.0])
    assert (found.shortfall_wh.tolist(), kw(found.cars_w[0])) == ([0.0], [0.0, 8.0])
    assert found.cost == pytest.approx(3.8)
    battery = Reservoir(9_000.0, 9_000.0, 9_000.0, 5_000.0, 1.0, 1.0)
    helped = optimize(hours(0.1, 0.1), [], Place((40_000.0, 0.0), import_limit_w=30_000.0), battery)
    assert helped.unserved_w.tolist() == pytest.approx([5_000.0, 0.0])


def test_a_circuit_limits_what_its_cars_give_back() -> None:
    horizon = Horizon((0, MS_PER_HOUR, 2 * MS_PER_HOUR), (0.9, 0.1), (1e6,) * 2, {"garage": (2_000.0, 9_000.0)})
    battery = Reservoir(60_000.0, 30_000.0, 10_000.0, 10_000.0, 1.0, 1.0)
    car = a_car(0.0, 2, circuit="garage")
    assert kw(optimize(horizon, [car], Place((8_000.0, 0.0)), batteries=[battery]).cars_w[0]) == [-2.0, 2.0]


def test_what_others_draw_from_a_circuit_counts_with_what_a_car_gives_to_it() -> None:
    battery = Reservoir(60_000.0, 30_000.0, 7_000.0, 7_000.0, 1.0, 1.0)
    horizon = Horizon((0, MS_PER_HOUR, 2 * MS_PER_HOUR), (0.1, 0.1), (1e6,) * 2, {"garage": (7_000.0, 0.0)})
    giver = PlannedCar("ada", 0, 2 * MS_PER_HOUR, 0.0, 7_000.0, circuit="garage")
    for least_w, lacks_wh in ((0.0, 0.0), (2_000.0, 0.0), (4_000.0, 3_000.0)):
        taker = PlannedCar("bob", MS_PER_HOUR, 2 * MS_PER_HOUR, 3_000.0, 7_000.0, least_w, circuit="garage")
        found = optimize(horizon, [giver, taker], Place((0.0, 0.0)), batteries=[battery, None])
        assert found.shortfall_wh.sum() == pytest.approx(lacks_wh)
        assert kw(found.cars_w[:, 1]) == [lacks_wh / 1e3 - 3.0, 3.0 - lacks_wh / 1e3]


def test_cars_that_are_there_for_a_part_of_a_slot_keep_the_limit_at_every_instant() -> None:
    half = MS_PER_HOUR // 2
    cars = [PlannedCar(id, 0, half, 3_700.0, 7_400.0) for id in ("ada", "bob")]
    place = Place((0.0,), import_limit_w=7_400.0, demand_price_per_kw=0.01)
    found = optimize(hours(0.1), cars, place)
    assert highest_w(found) <= 7_400.0 + 1e-3
    assert found.shortfall_wh.sum() == pytest.approx(3_700.0)
    reasons = {(one.limit, one.begins_at, one.ends_at) for told in found.hindrances for one in told}
    assert reasons == {("site", 0, half)}
    assert kw(found.import_w) == [3.7]


def test_a_peak_is_the_mean_of_a_slot_as_it_was_asked_for() -> None:
    car = PlannedCar("ada", MS_PER_HOUR // 2, 2 * MS_PER_HOUR, 10_000.0, 10_000.0)
    found = optimize(hours(0.1, 0.1), [car], Place((0.0, 0.0), demand_price_per_kw=10.0))
    assert kw(found.import_w) == [5.0, 5.0]
    assert found.cost == pytest.approx(51.0)
    assert found.cost_at_once == pytest.approx(51.0)


def test_what_a_place_does_is_told_by_the_slots_that_were_asked_for() -> None:
    cars = [PlannedCar(f"car-{i}", i * 700_000, 2 * MS_PER_HOUR - i * 500_000, 5_000.0, 10_000.0) for i in range(3)]
    battery = Reservoir(10_000.0, 5_000.0, 5_000.0, 5_000.0)
    place = Place((2_000.0, 1_000.0), (0.0, 9_000.0), (0.05,) * 2, import_limit_w=12_000.0)
    found = optimize(hours(0.3, 0.1), cars, place, battery)
    net_w = found.import_w - found.export_w - found.curtailed_w - found.cars_w.sum(axis=0) - found.storage_w
    assert net_w == pytest.approx([2_000.0, -8_000.0], abs=1e-2)
    paid = found.import_w @ [0.3, 0.1] - found.export_w.sum() * 0.05
    assert found.cars_w.shape == (3, 2)
    assert found.cost == pytest.approx(paid / 1e3)


def test_where_slots_would_be_too_many_a_car_counts_in_whole_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place_program, "MOST_CELLS_IN_A_PLACE", 0)
    cars = [PlannedCar(id, MS_PER_HOUR // 2, 2 * MS_PER_HOUR, 12_000.0, 10_000.0) for id in ("ada", "bob")]
    found = optimize(hours(0.1, 0.1), cars, Place((0.0, 0.0), import_limit_w=15_000.0))
    assert found.cars_w.sum(axis=0).tolist() == pytest.approx([0.0, 15_000.0])
    assert all(told[0].begins_at == MS_PER_HOUR // 2 for told in found.hindrances)


def test_a_car_that_gives_charges_with_its_own_power_in_the_time_it_is_there_and_beyond_its_need() -> None:
    battery = Reservoir(60_000.0, 10_000.0, 50_000.0, 50_000.0, 1.0, 1.0)
    car = PlannedCar("ada", MS_PER_HOUR // 2, 2 * MS_PER_HOUR, 12_000.0, 10_000.0, extra_wh=2_000.0)
    found = optimize(hours(0.1, 0.2), [car], Place((0.0, 0.0)), batteries=[battery])
    assert kw(found.cars_w[0]) == [5.0, 9.0]
    assert found.shortfall_wh.tolist() == [0.0]


def test_a_need_beyond_the_capacity_is_lacking() -> None:
    battery = Reservoir(20_000.0, 15_000.0, 10_000.0, 10_000.0, 1.0, 1.0)
    found = optimize(hours(0.1, 0.1), [a_car(9_000.0, 2)], Place((0.0, 0.0)), batteries=[battery])
    assert found.shortfall_wh.tolist() == pytest.approx([4_000.0])
    assert {one.limit for one in found.hindrances[0]} == {"car"}


def test_many_cars_may_draw_what_they_need_where_selling_pays_more_than_buying() -> None:
    cars = [PlannedCar(f"car-{i}", 0, MS_PER_HOUR, 22_000.0, 22_000.0) for i in range(100)]
    found = optimize(hours(0.1, site_w=1e9), cars, Place((0.0,), (5_000.0,), (0.5,)))
    assert found.shortfall_wh.sum() == 0.0
    assert kw(found.import_w) == [2_195.0]


def test_a_minimum_is_not_reached_by_giving_back_at_the_same_time() -> None:
    battery = Reservoir(20_000.0, 10_000.0, 10_000.0, 10_000.0, 1.0, 1.0)
    place = Place((0.0,), import_limit_w=3_000.0)
    found = optimize(hours(0.1), [a_car(3_000.0, 1, least_w=4_000.0)], place, batteries=[battery])
    assert found.shortfall_wh.tolist() == pytest.approx([3_000.0])
    assert [one.limit for one in found.hindrances[0]] == ["site"]


def test_no_more_is_sold_than_may_be() -> None:
    place = Place((1_000.0,) * 2, (9_000.0, 3_000.0), (0.05,) * 2, export_limit_w=5_000.0)
    found = optimize(hours(0.2, 0.3), [], place)
    assert (kw(found.export_w), kw(found.curtailed_w)) == ([5.0, 2.0], [3.0, 0.0])
    assert found.cost == pytest.approx(-0.35)


def test_a_battery_that_cannot_be_as_full_as_it_should_is_as_full_as_it_can() -> None:
    battery = Reservoir(10_000.0, 1_000.0, 2_000.0, 5_000.0, 1.0, 1.0, least_at_end_wh=9_000.0)
    assert kw(optimize(hours(0.1, 0.3), [], Place((0.0, 0.0)), battery).storage_w) == [2.0, 2.0]


def filled_wh(found: PlacePlan, begins_wh: float) -> list[float]:
    """How full a storage without losses is at the end of each hour."""
    return [round(wh, 1) for wh in (begins_wh + np.cumsum(found.storage_w)).tolist()]


def test_a_storage_does_not_burn_sun_that_is_worth_nothing_by_giving_while_it_takes() -> None:
    battery = Reservoir(10_000.0, 9_000.0, 5_000.0, 2_000.0, 0.9, 0.9)
    found = optimize(hours(0.3, 0.1), [], Place((1_000.0, 0.0), (5_000.0, 5_000.0)), battery)
    taken_w, given_w = np.maximum(found.storage_w, 0.0), np.maximum(-found.storage_w, 0.0)
    filled = 9_000.0 + np.cumsum(taken_w * 0.9 - given_w / 0.9)
    assert (filled <= 10_000.0 + 0.1).all()
    assert (found.cost, found.gap) == pytest.approx((0.0, 0.0))


def test_load_comes_before_how_full_the_storage_is_in_the_end() -> None:
    place = Place((0.0, 6_000.0), import_limit_w=4_000.0)
    for at_end_wh in (None, 10_000.0):
        battery = Reservoir(10_000.0, 10_000.0, 5_000.0, 5_000.0, 1.0, 1.0, least_at_end_wh=at_end_wh)
        found = optimize(hours(0.1, 0.1), [], place, battery)
        assert found.unserved_w.tolist() == [0.0, 0.0]
        assert filled_wh(found, 10_000.0) == [10_000.0, 8_000.0]


def test_a_need_comes_before_how_full_the_storage_is_in_the_end() -> None:
    battery = Reservoir(10_000.0, 10_000.0, 5_000.0, 5_000.0, 1.0, 1.0)
    found = optimize(hours(0.1), [a_car(6_000.0, 1)], Place((0.0,), import_limit_w=4_000.0), battery)
    assert (found.shortfall_wh.tolist(), filled_wh(found, 10_000.0)) == ([0.0], [8_000.0])


def test_a_storage_that_begins_below_its_reserve_is_brought_up_to_it_at_once_and_gives_nothing_before() -> None:
    battery = Reservoir(10_000.0, 500.0, 1_000.0, 5_000.0, 1.0, 1.0, least_wh=2_000.0, least_at_end_wh=0.0)
    found = optimize(hours(0.5, 0.4, 0.1, 0.9), [], Place((1_000.0,) * 4), battery)
    assert filled_wh(found, 500.0) == [1_500.0, 2_000.0, 3_000.0, 2_000.0]


def test_a_storage_below_its_reserve_does_not_give_what_it_has_for_a_load_that_nothing_else_can_carry() -> None:
    battery = Reservoir(10_000.0, 1_500.0, 1_000.0, 5_000.0, 1.0, 1.0, least_wh=2_000.0, least_at_end_wh=0.0)
    found = optimize(hours(0.1, 0.1, 0.1), [], Place((6_000.0, 3_000.0, 6_000.0), import_limit_w=4_000.0), battery)
    assert found.unserved_w.tolist() == pytest.approx([2_000.0, 0.0, 1_500.0], abs=0.1)
    assert filled_wh(found, 1_500.0) == [1_500.0, 2_500.0, 2_000.0]


def test_a_reserve_comes_after_what_cars_need_and_before_what_they_would_like() -> None:
    battery = Reservoir(20_000.0, 1_000.0, 9_000.0, 5_000.0, 1.0, 1.0, least_wh=5_000.0, least_at_end_wh=0.0)
    place = Place((0.0, 0.0), import_limit_w=6_000.0)
    found = optimize(hours(0.1, 0.1), [a_car(5_000.0, 1, extra_wh=5_000.0)], place, battery)
    assert (kw(found.cars_w[0]), filled_wh(found, 1_000.0)) == ([5.0, 0.0], [2_000.0, 5_000.0])


def test_a_car_that_comes_with_less_than_its_reserve_charges_up_to_it_and_gives_only_beyond() -> None:
    battery = Reservoir(60_000.0, 5_000.0, 10_000.0, 10_000.0, 1.0, 1.0, least_wh=10_000.0)
    place = Place((0.0, 0.0, 8_000.0, 0.0), import_limit_w=20_000.0)
    found = optimize(hours(0.5, 0.1, 0.9, 0.1), [a_car(0.0, 4)], place, batteries=[battery])
    assert kw(found.cars_w[0]) == [5.0, 8.0, -8.0, 0.0]


def test_a_peak_that_has_been_paid_is_not_paid_again() -> None:
    place = Place((3_000.0, 5_000.0), demand_price_per_kw=10.0, peak_so_far_w=4_000.0)
    found = optimize(hours(0.1, 0.1), [], place)
    assert found.cost == pytest.approx(0.8 + 10.0)
    assert optimize(hours(0.1), [], Place((3_000.0,), demand_price_per_kw=10.0, peak_so_far_w=4_000.0)).cost == (
        pytest.approx(0.3)
    )


def test_what_is_nothing_is_not_minus_nothing() -> None:
    battery = Reservoir(10_000.0, 5_000.0, 5_000.0, 5_000.0)
    place = Place((0.0, 1_000.0), (2_000.0, 0.0), (0.01, 0.01), import_limit_w=9_000.0)
    cars = [a_car(2_000.0, 2, least_w=1_400.0), a_car(0.0, 2, id="bob")]
    found = optimize(hours(-0.1, 0.2), cars, place, battery)
    told = (found.cars_w, found.storage_w, found.import_w, found.export_w, found.curtailed_w, found.unserved_w)
    assert not any(np.signbit(series[series == 0.0]).any() for series in told)
    assert all(power_w == 0.0 or power_w > 1.0 for _, power_w in found.steps[0])


def test_charging_at_once_is_what_the_plan_is_compared_with() -> None:
    place = Place((1_000.0,) * 3, (0.0, 0.0, 9_000.0), (0.05,) * 3, import_limit_w=8_000.0, demand_price_per_kw=1.0)
    battery = Reservoir(10_000.0, 5_000.0, 5_000.0, 5_000.0)
    found = optimize(hours(0.5, 0.3, 0.1), [a_car(9_000.0, 3)], place, battery)
    assert found.cost_at_once == pytest.approx(8.0 * 0.5 + 3.0 * 0.3 - 8.0 * 0.05 + 8.0)
    assert found.cost < 12.0
    helped = optimize(hours(0.5), [a_car(9_000.0, 1)], Place((1_000.0,), import_limit_w=6_000.0),
                      Reservoir(10_000.0, 9_000.0, 5_000.0, 5_000.0, least_at_end_wh=0.0))  # fmt: skip
    assert (helped.shortfall_wh.sum(), helped.cost_at_once) == (0.0, None)


def test_who_charges_at_once_does_not_pay_for_selling_what_need_not_be_generated() -> None:
    place = Place((0.0,) * 2, (5_000.0,) * 2, (-0.2, 0.1), import_limit_w=20_000.0)
    found = optimize(hours(0.3, 0.3), [a_car(4_000.0, 2)], place)
    assert (found.cost_at_once, found.cost) == pytest.approx((-0.5, -0.5))


def test_what_does_not_fit_is_refused() -> None:
    for make, field in (
        (lambda: optimize(hours(0.1), [a_car(), a_car()], Place((0.0,))), "cars"),
        (lambda: optimize(hours(0.1), [a_car(in_one_go=True)], Place((0.0,))), "cars[0].in_one_go"),
        (lambda: optimize(hours(0.1), [a_car()], Place((0.0,)), batteries=[None, None]), "batteries"),
        (
            lambda: optimize(
                hours(0.1), [a_car(least_w=4_000.0)], Place((0.0,)), batteries=[Reservoir(1_000.0, 0.0, 3_000.0, 1.0)]
            ),
            "cars[0].battery.charge_w",
        ),
        (lambda: Place((0.0,), import_limit_w=-1.0), "import_limit_w"),
        (lambda: Place((0.0,), export_limit_w=float("nan")), "export_limit_w"),
        (lambda: Place((0.0,), demand_price_per_kw=-1.0), "demand_price_per_kw"),
        (lambda: Reservoir(1_000.0, 0.0, -1.0, 1.0), "charge_w"),
        (lambda: Reservoir(1_000.0, 0.0, 1.0, 1.0, least_at_end_wh=2_000.0), "least_at_end_wh"),
        (lambda: Reservoir(1_000.0, 0.0, 1.0, 1.0, 0.0), "charge_efficiency"),
        (lambda: Reservoir(1_000.0, 0.0, 1.0, 1.0, 1e-9), "charge_efficiency"),
        (lambda: Reservoir(1_000.0, 0.0, 1.0, 1.0, 0.9, -0.5), "discharge_efficiency"),
        (lambda: optimize(hours(0.1), [], Place((0.0, 0.0))), "load_w"),
        (lambda: optimize(hours(0.1), [a_car(circuit="cellar")], Place((0.0,))), "cars[0].circuit"),
        (lambda: Reservoir(1_000.0, 2_000.0, 1.0, 1.0), "stored_wh"),
        (lambda: Reservoir(1_000.0, 500.0, 1.0, 1.0, least_wh=2_000.0), "least_wh"),
        (lambda: Reservoir(1_000.0, 0.0, 1.0, 1.0, 1.2), "charge_efficiency"),
    ):
        with pytest.raises(InvalidInput) as refused:
            make()
        assert refused.value.field == field
