"""Plans as people ask for them: a car before it departs, several on one circuit, and what is missing and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from voltbench.energy import fleet
from voltbench.energy.at_once import cost_at_once
from voltbench.energy.demand import Demand
from voltbench.energy.minimums import filled
from voltbench.energy.plan import Hindrance, Horizon, PlannedCar, plan
from voltbench.energy.plan_car import Losses
from voltbench.energy.plan_effort import Effort
from voltbench.energy.plan_fleet import plan_fleet
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR

EVENING = 1_772_474_400_000  # 2026-03-02T18:00:00Z
# The course's day, from midnight: prices in SEK/kWh, and what the household draws in kW.
PRICES = (0.8528, 0.7086, 0.6801, 0.6795, 0.6801, 0.8504, 0.8786, 1.0026, 1.1845, 1.1661, 1.0593, 0.9195,
          0.9051, 0.9034, 0.908, 0.8885, 0.9039, 0.9903, 0.8711, 0.829, 0.8045, 0.7648, 0.32, 0.3429)  # fmt: skip
LOADS = (0.88, 0.77, 2.2, 1.98, 2.75, 3.85, 4.51, 3.74, 3.85, 4.4, 4.73, 6.16,
         4.62, 3.74, 3.52, 3.63, 5.83, 11.0, 8.91, 6.05, 4.29, 2.64, 1.87, 0.99)  # fmt: skip


def hours(*prices: float, site_w: float = 1e6, start: int = EVENING, **circuits_w: tuple[float, ...]) -> Horizon:
    edges = tuple(start + i * MS_PER_HOUR for i in range(len(prices) + 1))
    return Horizon(edges, prices, (site_w,) * len(prices), circuits_w)


def a_car(
    id: str = "ada", needed_wh: float = 10_000.0, most_w: float = 10_000.0, stays_h: int = 4, **more: object
) -> PlannedCar:
    return PlannedCar(id, EVENING, EVENING + stays_h * MS_PER_HOUR, needed_wh, most_w, **more)  # type: ignore[arg-type]


def steps(horizon: Horizon, car: PlannedCar) -> list[tuple[float, float]]:
    """Hours after the evening began, and kW."""
    (schedule,) = plan(horizon, [car]).schedules
    return [((at - EVENING) / MS_PER_HOUR, power_w / 1e3) for at, power_w in schedule.steps]


def test_the_courses_day_costs_13_73() -> None:
    left_w = tuple((11.0 - load) * 1e3 for load in LOADS)
    day = Horizon(tuple(i * MS_PER_HOUR for i in range(25)), PRICES, left_w)
    car = PlannedCar("ada", 0, 24 * MS_PER_HOUR, 27_780.0, 7_400.0, least_w=7_400.0)
    found = plan(day, [car])
    assert found.cost == pytest.approx(13.73, abs=0.005)
    used = [hour for hour, wh in enumerate(found.schedules[0].energy_wh) if wh > 0]
    assert used == [2, 3, 22, 23]


def test_a_part_of_an_hour_lies_next_to_the_charging_after_it() -> None:
    assert steps(hours(0.5, 0.2, 0.1, 0.5), a_car(needed_wh=15_000.0)) == [(1.5, 10.0), (3.0, 0.0)]


def test_a_part_of_an_hour_lies_next_to_the_charging_before_it() -> None:
    assert steps(hours(0.5, 0.1, 0.2, 0.5), a_car(needed_wh=15_000.0)) == [(1.0, 10.0), (2.5, 0.0)]


def test_nothing_is_planned_after_departure_or_before_arrival() -> None:
    late = PlannedCar("ada", EVENING + MS_PER_HOUR // 2, EVENING + 2 * MS_PER_HOUR, 15_000.0, 10_000.0)
    assert steps(hours(0.1, 0.9, 0.0), late) == [(0.5, 10.0), (2.0, 0.0)]


def test_in_one_go_is_without_a_pause() -> None:
    prices = (0.1, 0.9, 0.1, 0.3)
    assert steps(hours(*prices), a_car(needed_wh=20_000.0)) == [(0.0, 10.0), (1.0, 0.0), (2.0, 10.0), (3.0, 0.0)]
    assert steps(hours(*prices), a_car(needed_wh=20_000.0, in_one_go=True)) == [(2.0, 10.0), (4.0, 0.0)]


def test_a_charger_that_wastes_at_low_power_charges_faster_for_a_shorter_time() -> None:
    losses = Losses((1_400.0, 11_000.0), (2_000.0, 11_500.0))
    car = a_car(needed_wh=5_500.0, most_w=11_500.0, losses=losses)
    (schedule,) = plan(hours(0.2, 0.2), [car]).schedules
    assert schedule.cost == pytest.approx(0.2 * 5.75)
    assert steps(hours(0.2, 0.2), car) == [(0.0, 11.5), (0.5, 0.0)]


def test_what_is_drawn_keeps_the_limit_and_not_what_is_given() -> None:
    car = a_car(needed_wh=8_000.0, most_w=11_000.0, losses=Losses((1_400.0, 5_000.0), (2_000.0, 6_000.0)))
    horizon = hours(0.1, 0.2, 0.2, site_w=5_000.0)
    (schedule,) = plan(horizon, [car]).schedules
    assert schedule.energy_wh.sum() == pytest.approx(8_000.0)
    assert max(power_w for _, power_w in schedule.steps) == pytest.approx(5_000.0)
    assert schedule.cost > 8.0 * 0.1


def test_a_charger_that_wastes_at_high_power_gives_the_rest_at_a_low_one() -> None:
    car = a_car(needed_wh=7_000.0, most_w=13_000.0, losses=Losses((5_000.0, 10_000.0), (5_500.0, 13_000.0)))
    assert sum(steps(hours(0.2), car), ()) == pytest.approx((0.0, 13.0, 0.4, 5.5, 1.0, 0.0))
    (schedule,) = plan(hours(0.2), [car]).schedules
    assert (schedule.shortfall_wh, schedule.cost) == pytest.approx((0.0, 0.2 * (0.4 * 13.0 + 0.6 * 5.5)))


def test_a_charger_whose_losses_lie_on_a_line_but_for_rounding_charges_at_its_most() -> None:
    """Above the last pair it is as efficient as there: two pieces of one line, of which the upper one was lost."""
    car = a_car(needed_wh=30_000.0, most_w=11_000.0, losses=Losses((1_380.0, 4_129.0), (1_658.0, 4_518.0)))
    (schedule,) = plan(hours(0.41, 0.41, 0.41), [car]).schedules
    given_h = 30_000.0 / (11_000.0 * 4_129.0 / 4_518.0)
    assert sum(steps(hours(0.41, 0.41, 0.41), car), ()) == pytest.approx((0.0, 11.0, given_h, 0.0), abs=1e-6)
    assert schedule.cost == pytest.approx(0.41 * 11.0 * given_h)


def test_a_charger_that_is_paid_for_what_it_draws_draws_as_much_as_it_can_lose() -> None:
    wasteful = Losses((2_000.0, 5_000.0, 10_000.0), (4_000.0, 6_000.0, 11_000.0))
    car = a_car(needed_wh=2_000.0, most_w=11_000.0, losses=wasteful)
    assert steps(hours(-0.1), car) == [(0.0, 4.0), (1.0, 0.0)]
    assert steps(hours(0.1), car) == [(0.0, 11.0), (0.2, 0.0)]


def test_a_charger_that_draws_its_least_power_draws_no_less_by_rounding() -> None:
    losses = Losses((5_962.852891097281, 6_027.498412714085), (6_300.0, 8_900.0))
    assert steps(hours(0.3), a_car(needed_wh=4_500.0, losses=losses, most_w=6_300.0))[0] == (0.0, 6.3)


def test_an_hour_with_less_than_the_least_power_is_left_out() -> None:
    horizon = Horizon(hours(0.1, 0.5).edges, (0.1, 0.5), (1_000.0, 9_000.0))
    assert steps(horizon, a_car(needed_wh=1_000.0, least_w=1_400.0)) == [(1.0, 9.0), (1.0 + 1 / 9, 0.0)]


def test_nobody_needs_nothing() -> None:
    found = plan(hours(0.1), [])
    assert (found.schedules, found.cost, found.shortfall_wh) == ((), 0.0, 0.0)


def test_several_cars_share_the_cheap_hours() -> None:
    found = plan(hours(0.1, 0.2, 0.9, site_w=10_000.0), [a_car("ada", stays_h=1), a_car("bob", stays_h=3)])
    ada, bob = found.schedules
    assert ada.energy_wh.tolist() == [10_000.0, 0.0, 0.0]
    assert bob.energy_wh.tolist() == [0.0, 10_000.0, 0.0]
    assert (found.cost, found.shortfall_wh) == pytest.approx((3.0, 0.0))


def test_a_circuit_holds_its_own_cars_back() -> None:
    horizon = hours(0.1, 0.2, 0.9, garage=(5_000.0, 5_000.0, 5_000.0))
    inside, outside = plan(horizon, [a_car("in", circuit="garage", stays_h=3), a_car("out", stays_h=3)]).schedules
    assert inside.energy_wh.tolist() == [5_000.0, 5_000.0, 0.0]
    assert outside.energy_wh.tolist() == [10_000.0, 0.0, 0.0]


def test_what_is_missing_is_told_with_the_limit_and_its_hours() -> None:
    found = plan(hours(0.1, 0.2, site_w=6_000.0), [a_car("ada", stays_h=2), a_car("bob", stays_h=2)])
    assert found.shortfall_wh == pytest.approx(8_000.0)
    lacking = next(one for one in found.schedules if one.shortfall_wh)
    assert lacking.hindrances == (Hindrance("site", EVENING, EVENING + 2 * MS_PER_HOUR),)
    (alone,) = plan(hours(0.1, 0.2), [a_car(needed_wh=30_000.0, stays_h=2)]).schedules
    assert alone.shortfall_wh == pytest.approx(10_000.0)
    assert alone.hindrances == (Hindrance("car", EVENING, EVENING + 2 * MS_PER_HOUR),)


def test_of_a_circuit_and_the_site_the_one_that_is_full_is_told_hour_by_hour() -> None:
    edges = tuple(EVENING + i * MS_PER_HOUR for i in range(4))
    horizon = Horizon(edges, (0.1, 0.2, 0.3), (9_000.0, 2_000.0, 99_000.0), {"garage": (3_000.0, 5_000.0, 99_000.0)})
    cars = [a_car("in", 90_000.0, circuit="garage", stays_h=3), a_car("out", 1_000.0, stays_h=3)]
    lacking, _ = plan(horizon, cars).schedules
    told = [(one.limit, (one.ends_at - EVENING) // MS_PER_HOUR) for one in lacking.hindrances]
    assert told == [("garage", 1), ("site", 2), ("car", 3)]
    (alone,) = plan(horizon, cars[:1]).schedules
    assert [one.limit for one in alone.hindrances] == ["garage", "site", "car"]


def limits(horizon: Horizon, cars: list[PlannedCar], number: int = 0) -> list[str]:
    """What stands in a car's way, one after the other."""
    return [why.limit for why in plan(horizon, cars).schedules[number].hindrances]


def test_a_limit_that_others_have_filled_stands_in_the_way_and_one_with_room_does_not() -> None:
    cars = [a_car("ada", 9_000.0, stays_h=1), a_car("bob", 9_000.0, stays_h=1, priority=1)]
    assert limits(hours(0.1, site_w=12_000.0), cars) == ["site"]
    small = a_car("ada", 9_000.0, 4_000.0, stays_h=1)
    assert limits(hours(0.1, site_w=15_000.0), [small, cars[1]]) == ["car"]
    in_garage = [a_car(stays_h=1, circuit="garage"), cars[1]]
    assert limits(hours(0.1, site_w=15_000.0, garage=(3_000.0,)), in_garage) == ["garage"]
    assert limits(hours(0.1, site_w=9_000.0, garage=(3_000.0,)), in_garage) == ["site"]


def test_of_a_circuit_and_the_site_that_are_both_full_the_circuit_is_told() -> None:
    horizon = hours(0.1, site_w=5_000.0, garage=(3_000.0,))
    cars = [a_car("ada", stays_h=1, circuit="garage", priority=1), a_car("bob", stays_h=1)]
    assert [limits(horizon, cars, number) for number in (0, 1)] == [["garage"], ["site"]]


def test_less_than_the_least_power_is_in_the_way_of_who_does_not_charge() -> None:
    picky = a_car("ada", 2_000.0, stays_h=2, least_w=4_000.0)
    horizon = Horizon(hours(0.1, 0.1).edges, (0.1, 0.1), (3_000.0, 1e6))
    assert limits(horizon, [a_car("ada", 12_000.0, stays_h=2, least_w=4_000.0), a_car("bob", 0.0)]) == ["site", "car"]
    assert limits(hours(0.1, 0.1, site_w=3_000.0), [picky, a_car("bob", 100.0)]) == ["site"]


def test_a_charger_with_losses_that_draws_its_most_is_hindered_by_the_car() -> None:
    lossy = a_car(needed_wh=20_000.0, stays_h=2, losses=Losses((1_000.0, 8_000.0), (1_500.0, 10_000.0)))
    horizon = Horizon(hours(0.1, 0.1).edges, (0.1, 0.1), (1e6, 5_000.0))
    assert limits(horizon, [lossy]) == ["car", "site"]
    assert limits(hours(0.1, 0.1, site_w=1_200.0), [lossy]) == ["site"]


def test_a_block_that_could_not_be_longer_is_hindered_where_it_is_cut() -> None:
    horizon = Horizon(hours(0.1, 0.1, 0.1, 0.1).edges, (0.1,) * 4, (20_000.0, 3_000.0, 20_000.0, 20_000.0))
    block = a_car("ada", 40_000.0, in_one_go=True, least_w=4_000.0)
    assert limits(horizon, [block, a_car("bob", 1_000.0)]) == ["car", "site", "car"]


def test_a_higher_priority_has_what_it_needs_and_nobody_has_extras_before_all_have_that() -> None:
    cars = [a_car("ada", stays_h=1, extra_wh=5_000.0), a_car("bob", stays_h=1, priority=1)]
    ada, bob = plan(hours(0.1, site_w=15_000.0), cars).schedules
    assert (bob.shortfall_wh, ada.shortfall_wh) == pytest.approx((0.0, 5_000.0))
    ada, bob = plan(hours(0.1, site_w=20_000.0), [cars[0], a_car("bob", stays_h=1)]).schedules
    assert (bob.shortfall_wh, ada.shortfall_wh) == (0.0, 0.0)
    assert ada.energy_wh.tolist() == [10_000.0]


def test_in_a_fleet_a_car_that_gets_too_little_for_its_minimum_gets_it_elsewhere() -> None:
    cars = [a_car("ada", needed_wh=15_000.0, least_w=4_000.0), a_car("bob", needed_wh=8_000.0, most_w=8_000.0)]
    ada, bob = plan(hours(0.3, 0.1, 0.1, 0.2, site_w=10_000.0), cars).schedules
    assert bob.energy_wh.sum() == pytest.approx(8_000.0)
    assert ada.energy_wh.sum() == pytest.approx(15_000.0)
    assert all(power_w == 0.0 or power_w >= 4_000.0 for _, power_w in ada.steps)
    assert (ada.energy_wh + bob.energy_wh <= 10_000.0 + 1e-6).all()


def test_in_a_fleet_two_cars_swap_hours_so_that_each_has_its_minimum() -> None:
    cars = [a_car(id, 12_000.0, 8_000.0, 2, least_w=5_000.0) for id in ("ada", "bob")]
    found = plan(hours(0.1, 0.2, 0.9, site_w=12_000.0), cars)
    assert (found.shortfall_wh, found.cost) == pytest.approx((0.0, 3.6))
    assert all(power_w == 0.0 or power_w >= 5_000.0 for one in found.schedules for _, power_w in one.steps)


@pytest.mark.parametrize("exact", [True, False])
def test_in_a_fleet_a_car_makes_room_in_the_cheap_hour_for_anothers_minimum(exact: bool) -> None:
    eve = PlannedCar("eve", EVENING + MS_PER_HOUR, EVENING + 2 * MS_PER_HOUR, 2_000.0, 4_000.0, 4_000.0)
    found = plan(hours(0.2, 0.1, site_w=8_000.0), [eve, a_car("ada", 10_000.0, 8_000.0, 2)], exact=exact)
    assert (found.shortfall_wh, found.cost) == pytest.approx((0.0, 1.8))


def test_a_quick_plan_with_minimums_is_no_dearer_than_charging_at_once() -> None:
    horizon = Horizon(hours(0.2, 0.3, 0.2).edges, (0.2, 0.3, 0.2), (11_000.0, 8_000.0, 8_000.0))
    cars = [a_car("ada", 12_000.0, 8_000.0, 3, least_w=8_000.0), a_car("bob", 4_000.0, 8_000.0, 2)]
    found = plan(horizon, cars, exact=False)
    assert (found.shortfall_wh, found.cost) == pytest.approx((0.0, 3.3))
    assert cost_at_once(horizon, cars) == pytest.approx(3.3)


def test_powers_that_differ_by_rounding_alone_are_no_steps_and_nothing_is_minus_nothing() -> None:
    cars = [PlannedCar(id, EVENING + 840_000 * (i + 1), EVENING + 8_700_000 + 420_000 * i, 99_000.0, 3_680.0)
            for i, id in enumerate(("ada", "bob", "cyd"))]  # fmt: skip
    found = plan(hours(-0.1, -0.1, -0.1), [*cars, a_car("dee", 0.0)])
    assert [len(one.steps) for one in found.schedules] == [2, 2, 2, 0]
    assert all("-0.0" not in f"{one.cost} {one.steps} " for one in [*found.schedules, *plan(hours(-0.1), []).schedules])
    (idle,) = plan(hours(-0.1), [a_car("eve", 0.0)]).schedules
    assert str(idle.cost) == "0.0"


def highest_w(horizon: Horizon, cars: list[PlannedCar], exact: bool = True) -> float:
    """The highest power of all cars together, at any instant."""
    schedules = plan(horizon, cars, exact=exact).schedules
    instants = sorted({at for schedule in schedules for at, _ in schedule.steps})
    return max(
        sum(([0.0] + [w for step, w in schedule.steps if step <= at])[-1] for schedule in schedules) for at in instants
    )


@pytest.mark.parametrize(
    "cars",
    [
        [PlannedCar(id, EVENING + 3_000_000, EVENING + 3_600_000, 1_800.0, 11_000.0) for id in ("ada", "bob")],
        [a_car(id, 2_500.0, stays_h=1, least_w=4_140.0) for id in ("ada", "bob")],
        [a_car("ada", 2_500.0, least_w=4_140.0), a_car("bob", 9_000.0)],
        [a_car(id, 900.0, stays_h=1, least_w=3_000.0) for id in ("ada", "bob", "cyd")],
        [a_car("ada", 5_500.0, stays_h=1, in_one_go=True), a_car("bob", 5_500.0, stays_h=1)],
        [a_car(id, 5_500.0, stays_h=2, in_one_go=True) for id in ("ada", "bob")],
    ],
    ids=["for ten minutes", "minimums", "a minimum and one more", "for a while", "one in one go", "two in one go"],
)
@pytest.mark.parametrize("exact", [True, False])
def test_no_limit_is_exceeded_at_any_instant(cars: list[PlannedCar], exact: bool) -> None:
    assert highest_w(hours(0.1, 0.2, 0.3, 0.4, site_w=5_000.0), cars, exact) <= 5_000.0 + 1e-6


def test_in_a_large_fleet_who_needs_it_counts_from_the_moment_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    hurried = PlannedCar("hurried", EVENING + 600_000, EVENING + 2_400_000, 4_000.0, 8_000.0)
    patient = [
        PlannedCar(f"car-{i}", EVENING + 1_000 * i, EVENING + 4 * MS_PER_HOUR + i, 5_000.0, 8_000.0) for i in range(5)
    ]
    late = PlannedCar("late", EVENING + 99 * MS_PER_HOUR, EVENING + 100 * MS_PER_HOUR, 100.0, 8_000.0)
    cars = [*patient, hurried, late]
    monkeypatch.setattr(fleet, "MOST_CELLS_TO_CUT", 8 * len(cars))
    horizon = hours(0.1, 0.2, 0.3, 0.4, 0.5, site_w=13_000.0)
    found = plan(horizon, cars)
    assert [one.shortfall_wh for one in found.schedules] == pytest.approx([0.0] * 6 + [100.0])
    assert [why.limit for why in found.schedules[-1].hindrances] == ["car"]
    assert highest_w(horizon, cars) <= 13_000.0 + 1e-6


def test_what_it_costs_not_to_wait_is_told_with_what_is_drawn() -> None:
    assert cost_at_once(hours(0.5, 0.1), [a_car()]) == pytest.approx(5.0)
    lossy = a_car(needed_wh=8_000.0, most_w=10_000.0, losses=Losses((1_000.0, 8_000.0), (1_500.0, 10_000.0)))
    assert cost_at_once(hours(0.5, 0.1), [lossy]) == pytest.approx(5.0)
    assert cost_at_once(hours(0.5, 0.1, site_w=5_750.0), [lossy]) == pytest.approx(5.75 * (0.5 + 0.1 * 3.5 / 4.5))
    pair = [a_car("ada"), a_car("bob")]
    assert cost_at_once(hours(0.5, 0.1, site_w=15_000.0), pair) == pytest.approx(8.0)


def test_who_charges_in_one_go_takes_nothing_from_a_higher_priority_nor_what_another_cannot_do_without() -> None:
    block = a_car("ada", in_one_go=True, stays_h=4)
    first, important = plan(
        hours(0.1, 0.2, 0.2, 0.2, site_w=10_000.0), [block, a_car("bob", stays_h=1, priority=9)]
    ).schedules
    assert (important.shortfall_wh, first.shortfall_wh) == (0.0, 0.0)
    patient, hurried = plan(hours(0.1, 0.2, 0.2, 0.2, site_w=10_000.0), [block, a_car("bob", stays_h=1)]).schedules
    assert (hurried.shortfall_wh, patient.shortfall_wh) == (0.0, 0.0)


def test_in_a_fleet_those_who_charge_in_one_go_come_first() -> None:
    cars = [a_car("ada", needed_wh=20_000.0), a_car("bob", needed_wh=20_000.0, in_one_go=True)]
    ada, bob = plan(hours(0.1, 0.2, 0.3, 0.1, site_w=10_000.0), cars).schedules
    assert bob.energy_wh.tolist() == [10_000.0, 10_000.0, 0.0, 0.0]
    assert ada.energy_wh.tolist() == [0.0, 0.0, 10_000.0, 10_000.0]


def test_an_order_that_gives_less_of_what_cars_would_like_is_not_better_for_being_cheaper() -> None:
    cars = [a_car("ada", 4_000.0, 4_000.0, 3, extra_wh=4_000.0, in_one_go=True), a_car("bob", 4_000.0, 4_000.0, 3)]
    found = plan(hours(0.1, 0.05, 0.1, site_w=4_000.0), cars)
    assert found.energy_wh.sum(axis=1).tolist() == pytest.approx([8_000.0, 4_000.0])


def test_what_a_block_of_a_higher_priority_would_like_comes_after_what_others_need() -> None:
    block = a_car("ada", 5_000.0, stays_h=1, extra_wh=5_000.0, in_one_go=True, priority=9)
    ada, bob = plan(hours(0.1, site_w=10_000.0), [block, a_car("bob", 5_000.0, stays_h=1)]).schedules
    assert (ada.shortfall_wh, bob.shortfall_wh) == (0.0, 0.0)
    cars = [replace(block, needed_wh=0.0, extra_wh=0.0), a_car("bob", 5_000.0, stays_h=1),
            a_car("cyd", 5_000.0, stays_h=1, extra_wh=5_000.0, priority=1)]  # fmt: skip
    assert plan(hours(0.1, site_w=10_000.0), cars).short_wh.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("exact", [True, False])
def test_what_limits_have_left_is_not_left_lying_while_a_car_with_a_minimum_lacks_it(exact: bool) -> None:
    quarter = MS_PER_HOUR // 4
    horizon = Horizon(
        hours(0.2, 0.2, 0.6, 0.1).edges, (0.2, 0.2, 0.6, 0.1), (3e3, 15e3, 10e3, 5e3), {"a": (5e3, 8e3, 5e3, 8e3)}
    )
    cars = [
        PlannedCar("ada", EVENING + 2 * quarter, EVENING + 14 * quarter, 4_500.0, 7_000.0, 7_000.0, circuit="a"),
        PlannedCar("bob", EVENING + 4 * quarter, EVENING + 5 * quarter, 3_000.0, 3_000.0, 1_500.0, circuit="a"),
    ]
    assert plan(horizon, cars, exact=exact).energy_wh.sum(axis=1).tolist() == pytest.approx([4_500.0, 750.0])


def test_a_block_has_of_what_its_car_would_like_what_the_others_leave_in_the_end() -> None:
    block = a_car("ada", 5_000.0, stays_h=2, extra_wh=10_000.0, in_one_go=True, priority=1)
    found = plan(hours(0.1, 0.2, site_w=10_000.0), [block, a_car("bob", 5_000.0, stays_h=1)])
    assert found.energy_wh.sum(axis=1).tolist() == pytest.approx([15_000.0, 5_000.0])


def test_of_those_who_charge_in_one_go_the_most_urgent_come_first() -> None:
    cars = [a_car("ada", in_one_go=True), a_car("bob", stays_h=1, in_one_go=True), a_car("cyd", in_one_go=True)]
    found = plan(hours(0.1, 0.2, 0.3, 0.4, site_w=10_000.0), cars)
    assert found.short_wh.tolist() == [0.0, 0.0, 0.0]


def test_a_plan_says_whether_another_one_could_be_better() -> None:
    horizon, cars = hours(0.1, 0.2, 0.3, site_w=10_000.0), [a_car("ada", stays_h=1), a_car("bob", stays_h=3)]
    exact, quick, cut = plan(horizon, cars), plan(horizon, cars, exact=False), plan(horizon, cars, most_steps=0.0)
    assert (exact.is_exact, quick.is_exact, cut.is_exact) == (True, False, False)
    assert (exact.is_cut_short, quick.is_cut_short, cut.is_cut_short) == (False, False, True)
    assert plan(horizon, cars[:1]).is_exact
    assert not plan(horizon, [cars[0], replace(cars[1], least_w=1_400.0)]).is_exact


def test_what_is_left_goes_to_those_of_the_first_levels_first() -> None:
    needed, asked = np.array([0.0, 4_000.0]), np.array([4_000.0, 4_000.0])
    demand = Demand(
        np.ones(1), np.full((1, 2), 4_000.0), np.full((1, 1), 4_000.0), np.zeros(2, np.intp), [needed, asked]
    )
    assert filled(demand, np.zeros((1, 2)), np.zeros((1, 2)), Effort()).tolist() == [[0.0, 4_000.0]]


def on_circuits(circuit: list[int], circuit_wh: list[list[float]] | None) -> object:
    """A car that needs a Wh in an hour."""
    of, one = np.array(circuit, dtype=np.intp), np.ones(1)
    most = None if circuit_wh is None else np.array(circuit_wh)
    return plan_fleet(one, np.ones((1, 1)), one, one, circuit=of, circuit_wh=most)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Horizon((5, 5), (0.1,), (1.0,)), "edges"),
        (lambda: Horizon((0, 1, 2), (0.1,), (1.0, 1.0)), "price_per_kwh"),
        (lambda: Horizon((0, 1), (float("nan"),), (1.0,)), "price_per_kwh"),
        (lambda: a_car(stays_h=0), "departs_at"),
        (lambda: a_car(needed_wh=-1.0), "needed_wh"),
        (lambda: a_car(most_w=0.0), "most_w"),
        (lambda: a_car(least_w=11_000.0), "least_w"),
        (lambda: plan(hours(0.1), [a_car(), a_car()]), "cars"),
        (lambda: plan(hours(0.1), [a_car(circuit="cellar")]), "cars[0].circuit"),
        (lambda: Losses((1.0, 1.0), (2.0, 3.0)), "losses[1].given_w"),
        (lambda: Losses((), ()), "losses"),
        (lambda: Losses((2.0,), (1.0,)), "losses[0].drawn_w"),
        (lambda: a_car(losses=Losses((20_000.0,), (21_000.0,))), "losses[0].drawn_w"),
        (lambda: plan(hours(0.1), [a_car(losses=Losses((1.0,), (2.0,)), in_one_go=True)]), "cars[0].losses"),
        (lambda: plan(hours(0.1), [a_car(losses=Losses((1.0,), (2.0,))), a_car("bob")]), "cars[0].losses"),
        (lambda: on_circuits([1], [[1.0]]), "circuit"),
        (lambda: on_circuits([0, 0], [[1.0]]), "circuit"),
        (lambda: on_circuits([0], [[1.0, 1.0]]), "circuit_wh"),
        (lambda: on_circuits([0], [[-1.0]]), "circuit_wh"),
        (lambda: on_circuits([0], None), "circuit_wh"),
    ],
)
def test_what_contradicts_itself_is_refused(make: object, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        make()  # type: ignore[operator]
    assert refused.value.field == field
