"""The search for a place's plan: what it finds in the time it has, and what it tells of what it did not find."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.planning import power_at
from voltbench.energy import search
from voltbench.energy.arrays import Floats
from voltbench.energy.optimize import Place, PlacePlan, optimize
from voltbench.energy.place_program import PlaceProgram
from voltbench.energy.plan import Horizon, PlannedCar, plan
from voltbench.energy.search import method, solve
from voltbench.errors import Unavailable
from voltbench.quantities import MS_PER_HOUR


def hours(*prices: float, site_w: float = 1e6) -> Horizon:
    return Horizon(tuple(i * MS_PER_HOUR for i in range(len(prices) + 1)), prices, (site_w,) * len(prices))


def a_car(needed_wh: float, stays_h: int, id: str = "ada", least_w: float = 0.0) -> PlannedCar:
    return PlannedCar(id, 0, stays_h * MS_PER_HOUR, needed_wh, 10_000.0, least_w)


def highest_w(found: PlacePlan) -> float:
    """The highest power of all cars together, at any instant."""
    instants = {at for steps in found.steps for at, _ in steps}
    return max(sum(power_at(steps, at) for steps in found.steps) for at in instants)


def a_street(cars: int = 24) -> tuple[Horizon, list[PlannedCar]]:
    """Cars with minimum powers under a limit that leaves room for a few of them at a time."""
    chance = np.random.default_rng(7)
    prices = np.round(0.1 + 0.2 * chance.random(24), 3)
    leaves = chance.integers(8, 24, cars)
    street = [
        PlannedCar(f"car-{i}", 0, int(leaves[i]) * MS_PER_HOUR, float(chance.uniform(3e3, 2e4)), 11_040.0, 4_140.0)
        for i in range(cars)
    ]
    return hours(*prices.tolist(), site_w=1_300.0 * cars / 1.5), street


def test_a_plan_found_in_no_time_is_no_worse_than_the_fleets_and_tells_how_much_better_one_could_be() -> None:
    horizon, cars = a_street()
    place = Place((0.0,) * 24)
    fleet, hurried = plan(horizon, cars), optimize(horizon, cars, place, longest_s=0.0)
    assert hurried.shortfall_wh.sum() <= fleet.shortfall_wh + 0.1
    assert hurried.cost <= fleet.cost + 1e-6
    searched = optimize(horizon, cars, place, longest_s=2.0)
    assert hurried.shortfall_wh.sum() - hurried.shortfall_gap_wh <= searched.shortfall_wh.sum() + 0.1
    assert hurried.cost * (1.0 - hurried.gap) <= searched.cost + 1e-6
    for found in (hurried, searched):
        assert all(power_w == 0.0 or power_w >= 4_140.0 for steps in found.steps for _, power_w in steps)
        assert highest_w(found) <= horizon.site_w[0] + 1.0


def test_a_plan_says_whether_another_one_could_lack_less() -> None:
    cars = [a_car(2_500.0, 2, id=f"car-{i}", least_w=2_000.0 + 300.0 * i) for i in range(7)]
    horizon, place = hours(0.1, 0.2, site_w=9_700.0), Place((0.0, 0.0))
    hurried, searched = (optimize(horizon, cars, place, longest_s=longest_s) for longest_s in (0.0, 20.0))
    assert (searched.shortfall_gap_wh, searched.gap) == pytest.approx((0.0, 0.0), abs=1e-3)
    least_wh = searched.shortfall_wh.sum()
    assert hurried.shortfall_wh.sum() - hurried.shortfall_gap_wh <= least_wh + 0.1 <= hurried.shortfall_wh.sum() + 0.2
    assert hurried.shortfall_gap_wh > 1.0


def test_when_the_time_is_over_no_more_is_guessed() -> None:
    horizon, cars = a_street()
    model, guesses = PlaceProgram(horizon, cars, Place((0.0,) * 24), None, [None] * 24).finished(), list[int]()

    def guess(columns: Floats) -> Iterator[Floats]:
        for number in range(3):
            guesses.append(number)
            yield np.zeros_like(columns)  # nobody charges, which is no good plan

    nobody = solve(model, guess, longest_s=0.0)
    assert (guesses, nobody.gap) == ([0], 1.0)
    assert nobody.first_gap == pytest.approx(sum(car.needed_wh for car in cars), abs=0.1)


@pytest.mark.parametrize("least_w", [0.0, 4_000.0])
def test_who_asks_for_more_than_can_be_planned_is_told_so(monkeypatch: pytest.MonkeyPatch, least_w: float) -> None:
    monkeypatch.setattr(search, "PATIENCE_S", 0.0)
    with pytest.raises(Unavailable, match="fewer cars or slots"):
        optimize(hours(0.1, 0.2, site_w=7_000.0), [a_car(9_000.0, 2, least_w=least_w)], Place((0.0, 0.0)))


@pytest.mark.parametrize(
    ("columns", "has_choices", "expected"),
    [(19_999, False, "choose"), (20_000, False, "ipm"), (20_000, True, "choose")],
)
def test_large_programs_are_solved_from_the_inside(columns: int, has_choices: bool, expected: str) -> None:
    assert method(columns, has_choices) == expected


def test_of_two_solutions_the_one_that_lacks_less_is_better_and_then_the_cheaper_one() -> None:
    columns = np.zeros(0)
    dear, cheap, lacking = (search._Found(columns, *one) for one in (((0.0,), 2.0), ((0.0,), 1.0), ((5.0,), 0.5)))
    assert cheap.is_better_than(dear)
    assert not dear.is_better_than(cheap)
    assert dear.is_better_than(lacking)
    assert not lacking.is_better_than(dear)
    assert not cheap.is_better_than(cheap)
