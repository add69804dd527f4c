"""What it would cost if cars did not wait: told where they would have as much as in the plan, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from voltbench.energy.at_once import cost_at_once, drawn_at_once, imported_at_once_w
from voltbench.energy.place import Place, Reservoir
from voltbench.energy.plan import Horizon, PlannedCar
from voltbench.energy.plan_car import Losses
from voltbench.quantities import MS_PER_HOUR
from voltbench.running.planning import CarAsked, PlanAsked, planned

LOSSY = Losses((1_000.0, 8_000.0), (1_500.0, 10_000.0))


def hours(*prices: float, site_w: float = 10_000.0) -> Horizon:
    edges = tuple(i * MS_PER_HOUR for i in range(len(prices) + 1))
    return Horizon(edges, prices, (site_w,) * len(prices))


def a_car(id: str = "ada", needed_wh: float = 8_000.0, losses: Losses | None = None) -> PlannedCar:
    return PlannedCar(id, 0, 2 * MS_PER_HOUR, needed_wh, 10_000.0, losses=losses)


@pytest.mark.parametrize(("had_wh", "cost"), [(8_000.0, 4.0), (7_000.0, None), (9_000.0, None)])
def test_what_would_be_less_or_more_is_no_comparison(had_wh: float, cost: float | None) -> None:
    assert cost_at_once(hours(0.5, 0.1), [a_car()], np.array([had_wh])) == cost


def test_with_losses_it_is_what_is_given_that_has_to_be_as_much() -> None:
    lossy = a_car(losses=LOSSY)
    assert cost_at_once(hours(0.5, 0.1), [lossy], np.array([8_000.0])) == pytest.approx(5.0)
    assert cost_at_once(hours(0.5, 0.1), [lossy], np.array([10_000.0])) is None


def test_cars_may_have_it_by_other_shares_as_long_as_it_is_what_they_need() -> None:
    pair = [a_car("ada", 8_000.0), a_car("bob", 8_000.0)]
    assert cost_at_once(hours(0.5, 0.1, site_w=5_000.0), pair, np.array([2_000.0, 8_000.0])) == pytest.approx(3.0)
    wishes = [a_car("ada", 4_000.0), PlannedCar("bob", 0, 2 * MS_PER_HOUR, 0.0, 10_000.0, extra_wh=8_000.0)]
    assert cost_at_once(hours(0.5, 0.1, site_w=5_000.0), wishes, np.array([2_000.0, 8_000.0])) is None


STREETS = {
    "without minimums": [(5_000.0, 10_000.0, 0.0, 0.0), (6_000.0, 10_000.0, 0.0, 0.0)],
    "one of whom takes all there is": [(5_000.0, 10_000.0, 10_000.0, 0.0), (6_000.0, 10_000.0, 0.0, 0.0)],
    "who would like more": [(2_000.0, 7_000.0, 6_000.0, 4_000.0), (3_000.0, 7_000.0, 4_000.0, 5_000.0)],
    "for whom there is too little": [(15_000.0, 10_000.0, 0.0, 0.0), (15_000.0, 10_000.0, 0.0, 0.0)],
}


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("street", STREETS)
def test_a_fleet_hears_what_at_once_costs_where_it_would_have_as_much(street: str, exact: bool) -> None:
    cars = [
        CarAsked(id=f"car-{i}", arrives_at_ms=0, departs_at_ms=2 * MS_PER_HOUR, needed_wh=needed_wh,
                 max_power_w=most_w, min_power_w=least_w, extra_wh=extra_wh)
        for i, (needed_wh, most_w, least_w, extra_wh) in enumerate(STREETS[street])
    ]  # fmt: skip
    asked = PlanAsked(starts_at_ms=0, slot_minutes=60, cars=cars, site_limit_w=10_000.0, exact=exact)
    told = planned("plan-1", asked, [0.3, 0.1])
    planned_cars = [
        PlannedCar(car.id, 0, car.departs_at_ms, car.needed_wh, car.max_power_w, car.min_power_w, car.extra_wh)
        for car in cars
    ]
    once_wh = drawn_at_once(hours(0.3, 0.1), planned_cars).sum()
    assert (told.cost_at_once is not None) == (abs(once_wh - told.energy_wh) <= 1.0)


def test_a_place_imports_at_once_what_its_generation_does_not_give() -> None:
    place = Place((1_000.0, 1_000.0, 9_000.0), (0.0, 8_000.0, 0.0), import_limit_w=8_000.0)
    beside = Horizon(hours(0.1, 0.1, 0.1).edges, (0.1,) * 3, (7_000.0, 15_000.0, -1_000.0))
    hungry = [a_car(needed_wh=9_000.0)]
    assert imported_at_once_w(beside, hungry, place, [None]).tolist() == [8_000.0, 0.0, 8_000.0]
    slow = Reservoir(60_000.0, 30_000.0, 3_000.0, 3_000.0)
    assert imported_at_once_w(beside, hungry, place, [slow]).tolist() == [4_000.0, 0.0, 8_000.0]
