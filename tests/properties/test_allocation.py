"""Laws of sharing: every limit is kept, nothing usable is wasted, nobody is favoured, order does not matter."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worlds import situations
from voltbench.energy.allocate import STRATEGIES, Situation, allocate
from voltbench.energy.claim import UNBOUND, Bounds, room_after
from voltbench.energy.waterfill import fill_rows, fill_tree

TOLERANCE = 1e-5
ANY_SITE = st.one_of(situations(), situations(phases=True), situations(lines=True), situations(True, True))


def usage(s: Situation, powers: list[float], row: int) -> tuple[float, float]:
    """What a row carries and what it may carry, in the row's unit."""
    linear = len(s.bounds.linear)
    if row < linear:
        used = sum(p * c for claim, p in zip(s.claims, powers, strict=True) for r, c in claim.rows.linear if r == row)
        return used, s.bounds.linear[row]
    total = sum(
        p * c for claim, p in zip(s.claims, powers, strict=True) for r, c in claim.rows.lines if r == row - linear
    )
    return abs(total), s.bounds.lines[row - linear]


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(s=ANY_SITE)
def test_shares_respect_every_limit_and_no_demand_is_exceeded(strategy: str, s: Situation) -> None:
    powers, _ = allocate(s, strategy)
    assert all(0.0 <= p <= d for p, d in zip(powers, s.demand_w, strict=True))
    assert room_after(s.bounds, s.claims, powers).excess()[0] <= TOLERANCE


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "equal"])
@given(s=ANY_SITE)
def test_who_gets_less_than_it_wants_has_a_full_limit_above_it_which_is_named(strategy: str, s: Situation) -> None:
    powers, binding = allocate(s, strategy)
    for power, demand, row in zip(powers, s.demand_w, binding, strict=True):
        if power < demand - TOLERANCE:
            used, bound = usage(s, powers, row)
            assert used == pytest.approx(bound, rel=1e-9, abs=TOLERANCE)


@given(s=st.one_of(situations(), situations(phases=True)))
def test_max_min_gives_everybody_a_bottleneck_where_nobody_stands_higher(s: Situation) -> None:
    """The characterisation of max-min fairness (Bertsekas & Gallager, section 6.5.2)."""
    powers, binding = allocate(s)
    level = [p / c.weight for p, c in zip(powers, s.claims, strict=True)]
    for i, row in enumerate(binding):
        if row == UNBOUND:
            assert powers[i] == s.demand_w[i]
            continue
        rivals = [j for j, claim in enumerate(s.claims) if any(r == row for r, _ in claim.rows.linear)]
        assert max(level[j] for j in rivals) <= level[i] + TOLERANCE + 1e-9 * level[i]


@given(s=situations())
def test_the_tree_and_the_rows_agree(s: Situation) -> None:
    weight = [claim.weight for claim in s.claims]
    by_tree, _ = fill_tree(s.tree.parent, s.bounds.linear, [c.rows.node for c in s.claims], s.demand_w, weight)
    by_rows, _ = fill_rows(s.bounds, s.claims, s.demand_w, weight)
    assert by_tree == pytest.approx(by_rows, rel=1e-9, abs=TOLERANCE)


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(s=ANY_SITE, seed=st.integers(0, 1_000))
def test_the_order_of_sessions_does_not_matter(strategy: str, s: Situation, seed: int) -> None:
    order = list(range(len(s.claims)))
    random.Random(seed).shuffle(order)
    shuffled = replace(s, claims=[s.claims[i] for i in order], demand_w=[s.demand_w[i] for i in order])
    powers, _ = allocate(s, strategy)
    again, _ = allocate(shuffled, strategy)
    assert again == pytest.approx([powers[i] for i in order], rel=1e-9, abs=TOLERANCE)


@given(s=situations(lines=True), drawn=st.randoms(use_true_random=False))
def test_a_line_limit_holds_whatever_part_of_its_limit_each_car_draws(s: Situation, drawn: random.Random) -> None:
    powers, _ = allocate(s)
    part = [p * drawn.choice([0.0, 1.0, drawn.random()]) for p in powers]
    lines = {line.id: (line, 0j) for line in s.tree.lines}
    for line in s.tree.lines:
        total = 0j
        for claim, p in zip(s.claims, part, strict=True):
            outlet = _outlet_of(s, claim.id)
            total += line.terms.get(outlet, 0j) * p / s.tree.outlets[outlet].voltage_v
        assert abs(total) <= lines[line.id][0].limit_a + TOLERANCE


def _outlet_of(s: Situation, claim_id: str) -> str:
    rows = next(claim.rows for claim in s.claims if claim.id == claim_id)
    return next(outlet for outlet in s.tree.outlets for phases in (1, 2, 3) if s.tree.rows_of(outlet, phases) == rows)


@given(s=situations())
def test_more_weight_never_gets_less(s: Situation) -> None:
    if not s.claims:
        return
    before, _ = allocate(s)
    heavier = [replace(s.claims[0], weight=s.claims[0].weight * 2), *s.claims[1:]]
    after, _ = allocate(replace(s, claims=heavier))
    assert after[0] >= before[0] - TOLERANCE


@given(situations(lines=True), st.floats(1.0, 100.0))
def test_a_line_that_lacks_current_already_carries_nobody_more(s: Situation, lacking_a: float) -> None:
    bounds = Bounds(s.bounds.linear, [-lacking_a] * len(s.bounds.lines), s.bounds.groups)
    for strategy in STRATEGIES.values():
        powers, _ = strategy(replace(s, bounds=bounds))
        for claim, power in zip(s.claims, powers, strict=True):
            assert power <= 1e-9 or not claim.rows.lines
