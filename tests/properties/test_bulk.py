"""Sharing among thousands: the arrays say what the scalar filling says, whatever was asked of the same tree before."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worlds import BOUNDS, POWERS, WEIGHTS, situations, trees
from voltbench.energy.allocate import Situation, allocate
from voltbench.energy.bulk import BulkTree, Shape, floats, laid_out
from voltbench.energy.claim import UNBOUND, Bounds, Claim
from voltbench.energy.waterfill import Shares, fill_rows, fill_tree
from voltbench.site.limits import LimitTree, Node, Outlet

TOLERANCE_W = 1e-5


@pytest.fixture(autouse=True, scope="module")
def in_bulk() -> Iterator[None]:
    """However few the claims, they are filled as thousands are."""
    with patch("voltbench.energy.allocate._BULK_FROM", 0):
        yield


@st.composite
def asks(draw: st.DrawFn) -> tuple[list[int], list[float], list[int], list[float], list[float]]:
    """Parents and bounds of some nodes; nodes, demands and weights of some claims. A lack is a bound below zero."""
    parent = [-1] + [draw(st.integers(0, i)) for i in range(draw(st.integers(0, 9)))]
    bound_w = [draw(BOUNDS | st.just(float("inf")) | st.just(-5.0)) for _ in parent]
    nodes = draw(st.lists(st.integers(0, len(parent) - 1), max_size=40))
    return parent, bound_w, nodes, [draw(POWERS) for _ in nodes], [draw(WEIGHTS) for _ in nodes]


@given(asked=asks())
def test_arrays_and_scalars_share_alike(
    asked: tuple[list[int], list[float], list[int], list[float], list[float]],
) -> None:
    parent, bound_w, nodes, demand_w, weight = asked
    tree = BulkTree(Shape(parent), nodes)
    powers, rows = tree.shares(floats(bound_w), floats(demand_w), tree.weights(floats(weight)))
    expected, _ = fill_tree(*asked)
    assert powers.tolist() == pytest.approx(expected, rel=1e-9, abs=TOLERANCE_W)
    assert np.all((powers >= 0.0) & (powers <= demand_w))
    assert all((row == UNBOUND) == (power == demand) for power, demand, row in zip(powers, demand_w, rows, strict=True))
    assert all(_carries(parent, nodes, powers.tolist(), row) >= bound_w[row] - TOLERANCE_W for row in set(rows) - {-1})


def _carries(parent: list[int], nodes: list[int], powers: list[float], row: int) -> float:
    """What flows through a node, in W."""

    def is_below(node: int) -> bool:
        return node == row or (node > 0 and is_below(parent[node]))

    return sum(power for node, power in zip(nodes, powers, strict=True) if is_below(node))


# --- the same tree again and again -----------------------------------------------------------------------------------


CHANGES = ("come", "go", "swap", "move", "move in place", "weigh", "want", "limit", "amperes", "clear")


@given(tree=trees(), data=st.data())
def test_what_was_asked_of_a_tree_before_does_not_show(tree: LimitTree, data: st.DataObject) -> None:
    claims: list[Claim] = []
    for change in data.draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=12)):
        if change in ("limit", "amperes", "clear"):
            _limit(tree, claims, change, data)
        else:
            _change(tree, claims, change, data)
        demand_w = [claim.maximum_w for claim in claims]
        s = Situation(0, tree, Bounds(tree.bounds(0), [], tree.line_groups), claims, demand_w)
        assert allocate(s)[0] == pytest.approx(_expected(s)[0], rel=1e-9, abs=TOLERANCE_W)


def _expected(s: Situation) -> Shares:
    """Without any memory."""
    weight = [claim.weight for claim in s.claims]
    if not s.tree.in_watts_only:
        return fill_rows(s.bounds, s.claims, s.demand_w, weight)
    return fill_tree(s.tree.parent, s.bounds.linear, [c.rows.node for c in s.claims], s.demand_w, weight)


def _limit(tree: LimitTree, claims: list[Claim], change: str, data: st.DataObject) -> None:
    """Somebody limits a node, in W or in A, or no longer does; claims keep their places, in other rows."""
    node = data.draw(st.sampled_from(tree.nodes)).id
    if change == "limit":
        tree.set_limit(node, "operator", data.draw(BOUNDS))
    elif change == "amperes":
        tree.set_limit(node, "breaker", current_a=data.draw(st.floats(0.0, 400.0)))
    else:
        tree.clear_limit(node, data.draw(st.sampled_from(["operator", "contract", "breaker"])))
    for claim in claims:
        claim.rows = tree.rows_of(claim.id)


def _change(tree: LimitTree, claims: list[Claim], change: str, data: st.DataObject) -> None:
    """A session comes, goes, or changes; `move in place` keeps the claim but not its outlet, which is its id here."""
    outlet = data.draw(st.sampled_from(sorted(tree.outlets)))
    if change == "come" or not claims:
        claim = Claim(outlet, tree.rows_of(outlet), data.draw(POWERS), weight=data.draw(WEIGHTS))
        claims.insert(data.draw(st.integers(0, len(claims))), claim)
        return
    at = data.draw(st.integers(0, len(claims) - 1))
    if change == "go":
        del claims[at]
    elif change == "swap":
        claims[at], claims[0] = claims[0], claims[at]
    elif change == "move":
        claims[at] = Claim(outlet, tree.rows_of(outlet), claims[at].maximum_w, weight=claims[at].weight)
    elif change == "move in place":
        claims[at].id, claims[at].rows = outlet, tree.rows_of(outlet)
    elif change == "weigh":
        claims[at].weight = data.draw(WEIGHTS)
    else:
        claims[at].maximum_w = data.draw(POWERS)


@given(s=situations(), other=situations())
def test_two_sites_in_turn_do_not_disturb_each_other(s: Situation, other: Situation) -> None:
    for asked in (s, other, s, other):
        assert allocate(asked)[0] == pytest.approx(_expected(asked)[0], rel=1e-9, abs=TOLERANCE_W)


# --- what is remembered ----------------------------------------------------------------------------------------------


def a_tree() -> LimitTree:
    """A connection with two stations of two outlets."""
    outlets = [Outlet(f"o{i}", f"s{i // 2}") for i in range(4)]
    return LimitTree([Node("grid"), Node("s0", "grid"), Node("s1", "grid")], outlets)


def test_a_layout_is_used_again_while_the_claims_hang_where_they_did() -> None:
    tree = a_tree()
    rows = [tree.rows_of(f"o{i}") for i in range(4)]
    layout, weights = laid_out(tree, rows, [1.0] * 4)
    anew = [tree.rows_of(f"o{i}") for i in range(4)]
    assert laid_out(tree, anew, [1.0] * 4) == (layout, weights)
    assert laid_out(tree, anew, [2.0] * 4)[0] is layout
    assert laid_out(tree, anew[::-1], [1.0] * 4)[0] is not layout
    assert laid_out(tree, anew[:3], [1.0] * 3)[0] is not layout


def test_weights_that_their_owner_changes_afterwards_are_not_remembered() -> None:
    tree = a_tree()
    rows, weight = [tree.rows_of(f"o{i}") for i in range(4)], [1.0] * 4
    laid_out(tree, rows, weight)
    weight[2] = 5.0
    assert laid_out(tree, rows, weight)[1].of_claims.tolist() == [1.0, 1.0, 5.0, 1.0]


def test_a_tree_that_nobody_needs_is_forgotten() -> None:
    tree = a_tree()
    laid_out(tree, [tree.rows_of("o1")], [1.0])
    gone = weakref.ref(tree)
    del tree
    gc.collect()
    assert gone() is None
