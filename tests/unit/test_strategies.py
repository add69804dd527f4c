"""What each way of sharing is: three cars below one limit, and who gets how much."""

from __future__ import annotations

from dataclasses import replace

import pytest

from voltbench.energy.allocate import STRATEGIES, Situation, allocate
from voltbench.energy.claim import Bounds, Claim
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE
from voltbench.site.limits import LimitTree, Node, Outlet

TREE = LimitTree([Node("grid")], [Outlet("socket", "grid")])
NOW = 10 * MS_PER_HOUR


def a_claim(id: str, minute: int, departs_h: float, needed_wh: float, priority: int = 0, weight: float = 1.0) -> Claim:
    departs_at = NOW + round(departs_h * MS_PER_HOUR)
    return Claim(
        id,
        TREE.rows_of("socket"),
        10_000.0,
        arrived_at=minute * MS_PER_MINUTE,
        departs_at=departs_at,
        needed_wh=needed_wh,
        priority=priority,
        weight=weight,
    )


CARS = [
    a_claim("first", 1, departs_h=4.0, needed_wh=5_000.0, priority=1),
    a_claim("hurried", 2, departs_h=1.0, needed_wh=2_000.0),
    a_claim("hungry", 3, departs_h=4.2, needed_wh=39_000.0, priority=2),
]
"""Laxities of 3.5, 0.8 and 0.3 h."""

DEMANDS_W = [10_000.0, 6_000.0, 8_000.0]


def shares(strategy: str, limit_w: float, turn: int = 0, claims: list[Claim] = CARS) -> list[float]:
    bounds = Bounds([limit_w], [], TREE.line_groups)
    powers, _ = allocate(Situation(NOW, TREE, bounds, claims, DEMANDS_W, turn), strategy)
    return powers


@pytest.mark.parametrize(
    ("strategy", "expected_w"),
    [
        ("max_min", [4_000, 4_000, 4_000]),
        ("proportional", [5_000, 3_000, 4_000]),
        ("equal", [4_000, 4_000, 4_000]),
        ("fcfs", [10_000, 2_000, 0]),
        ("lcfs", [0, 4_000, 8_000]),
        ("edf", [6_000, 6_000, 0]),
        ("llf", [0, 4_000, 8_000]),
        ("round_robin", [10_000, 2_000, 0]),
        ("priority", [4_000, 0, 8_000]),
        ("planned", [4_000, 4_000, 4_000]),
    ],
)
def test_who_gets_what_of_twelve_kilowatts(strategy, expected_w):
    assert shares(strategy, 12_000.0) == pytest.approx(expected_w)
    assert set(STRATEGIES) >= {strategy}


def test_equal_slices_are_not_handed_on_and_fair_shares_are():
    assert shares("equal", 21_000.0) == pytest.approx([7_000, 6_000, 7_000])
    assert shares("max_min", 21_000.0) == pytest.approx([7_500, 6_000, 7_500])


def test_the_first_place_goes_round():
    assert shares("round_robin", 12_000.0, turn=1) == pytest.approx([0, 6_000, 6_000])
    assert shares("round_robin", 12_000.0, turn=2) == pytest.approx([4_000, 0, 8_000])


def test_a_weight_of_two_is_two_shares():
    claims = [replace(claim, weight=weight) for claim, weight in zip(CARS, (2.0, 1.0, 1.0), strict=True)]
    assert shares("max_min", 12_000.0, claims=claims) == pytest.approx([6_000, 3_000, 3_000])


def test_least_laxity_goes_by_what_is_still_needed():
    served = [*CARS[:2], replace(CARS[2], needed_wh=1_000.0)]
    assert shares("llf", 12_000.0, claims=served) == pytest.approx([6_000, 6_000, 0])
