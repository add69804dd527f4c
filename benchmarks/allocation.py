"""One weighted max-min allocation, beside a linear program that finds how much can be given at all.

On a tree of limits every share-out that wastes nothing gives the same total, so the total of the LP (HiGHS, through
scipy) checks ours; the LP alone does not make shares fair, so it is the least a solver would take. Every row is timed
over the same inputs: one site, and demands and bounds that are others at each call.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from benchmarks.figures import Figure, median_cpu_s, ms
from voltbench.energy.allocate import Situation, allocate
from voltbench.energy.bulk import BulkTree, Shape, floats
from voltbench.energy.claim import Bounds, Claim
from voltbench.energy.waterfill import fill_tree
from voltbench.site.limits import LimitTree, Node, Outlet

ROUNDS = 31
"""Enough for a median that does not mind the machine's moods."""


@dataclass(frozen=True)
class Ask:
    """A tree, where each claim hangs, and what it wants."""

    parent: list[int]
    bound_w: list[float]
    nodes: list[int]
    demand_w: list[float]
    weight: list[float]


def figures(quick: bool = False) -> list[Figure]:
    """54 sessions on two trees, 1,000 sessions, 10,000 leaves in three levels."""
    many, few = (10, 2) if quick else (50, 10)
    return [
        *_rows("54 sessions below one limit", [one_limit(54, seed) for seed in range(many)], "<= 0.05 ms", scalar_s),
        *_rows(
            "54 sessions on 27 stations that bind too",
            [stations(54, seed) for seed in range(many)],
            "<= 0.05 ms",
            scalar_s,
        ),
        *_rows("1,000 sessions on 500 stations", [stations(1_000, seed) for seed in range(few)], "<= 1 ms", arrays_s),
        *_rows(
            "10,000 leaves in three levels", [three_levels(10_000, seed) for seed in range(few)], "<= 2 ms", arrays_s
        ),
    ]


def stations(count: int, seed: int) -> Ask:
    """Two connectors a station, stations of 10 kW, a connection that holds a bit more than half of what is wanted."""
    chance = random.Random(seed)
    half = count // 2
    demand_w = [chance.uniform(1_000.0, 11_000.0) for _ in range(count)]
    parent, nodes = [-1] + [0] * half, [1 + i // 2 for i in range(count)]
    return Ask(parent, [count * 2_800.0] + [10_000.0] * half, nodes, demand_w, [1.0] * count)


def one_limit(count: int, seed: int) -> Ask:
    """A connection that holds a bit less than half of what is wanted, and nothing else that is limited."""
    chance = random.Random(seed)
    demand_w = [chance.uniform(1_000.0, 11_000.0) for _ in range(count)]
    return Ask([-1], [count * 2_800.0], [0] * count, demand_w, [1.0] * count)


def three_levels(leaves: int, seed: int) -> Ask:
    """A connection, 10 feeders, 100 stations below them."""
    chance = random.Random(seed)
    parent = [-1] + [0] * 10 + [1 + i % 10 for i in range(100)]
    bound_w = [leaves * 2_000.0] + [leaves * 250.0] * 10 + [leaves * chance.uniform(20.0, 40.0) for _ in range(100)]
    demand_w = [chance.uniform(1_000.0, 11_000.0) for _ in range(leaves)]
    return Ask(parent, bound_w, [11 + i % 100 for i in range(leaves)], demand_w, [1.0] * leaves)


def _rows(what: str, asks: list[Ask], promise: str, filling_s: Callable[[list[Ask]], float]) -> list[Figure]:
    """The whole public call, with the sessions of the call before and with others; and the filling in it."""
    same, others = situations(asks), situations(asks, moving=True)
    for ask, situation in zip(asks[:3], same, strict=False):
        _check(ask, situation)
    peer_s = median_cpu_s(asks[:3], most, rounds=3)
    peer = f"{ms(peer_s)} (LP, total only)"
    timed = [
        (f"max-min, {what}: `allocate`, the whole call", median_cpu_s(same, allocate, ROUNDS), promise),
        (
            "  the same, two sessions having changed places since the last call",
            median_cpu_s(others, allocate, ROUNDS),
            "",
        ),
        ("  the filling alone", filling_s(asks), promise),
    ]
    return [Figure(row, ms(taken_s), peer, f"{peer_s / taken_s:.0f}x", due) for row, taken_s, due in timed]


def situations(asks: list[Ask], moving: bool = False) -> list[Situation]:
    """The asks of one site as its controller puts them; with `moving`, two sessions change places between any two."""
    nodes = [Node(f"n{i}", f"n{up}" if up >= 0 else None) for i, up in enumerate(asks[0].parent)]
    tree = LimitTree(nodes, [Outlet(f"o{i}", f"n{node}") for i, node in enumerate(asks[0].nodes)])
    claims = [Claim(f"c{i}", tree.rows_of(f"o{i}"), 11_000.0) for i in range(len(asks[0].nodes))]
    called = []
    for k, ask in enumerate(asks):
        here = claims[:]
        if moving:
            here[k], here[-1 - k] = here[-1 - k], here[k]
        called.append(Situation(0, tree, Bounds(ask.bound_w, [], tree.line_groups), here, ask.demand_w))
    return called


def _check(ask: Ask, situation: Situation) -> None:
    """The public call gives all that can be given, and the shares of the scalar filling."""
    powers, _ = allocate(situation)
    expected, _ = fill_tree(ask.parent, ask.bound_w, ask.nodes, ask.demand_w, ask.weight)
    assert np.allclose(powers, expected, rtol=1e-9, atol=1e-6)
    total_w, most_w = sum(powers), most(ask)
    assert abs(total_w - most_w) <= 1e-6 * most_w, (total_w, most_w)


def scalar_s(asks: list[Ask]) -> float:
    """CPU seconds of one filling by the plain loops that few claims go through."""
    return median_cpu_s(asks, lambda a: fill_tree(a.parent, a.bound_w, a.nodes, a.demand_w, a.weight), ROUNDS)


def arrays_s(asks: list[Ask]) -> float:
    """CPU seconds of one filling by the arrays that many claims go through, laid out before."""
    tree = BulkTree(Shape(asks[0].parent), asks[0].nodes)
    weights = tree.weights(floats(asks[0].weight))
    arrays = [(floats(a.bound_w), floats(a.demand_w)) for a in asks]
    return median_cpu_s(arrays, lambda a: tree.shares(*a, weights), ROUNDS)


def most(ask: Ask) -> float:
    """The largest total power the limits allow."""
    rows, columns = [], []
    for i, node in enumerate(ask.nodes):
        above = node
        while above >= 0:
            rows.append(above)
            columns.append(i)
            above = ask.parent[above]
    matrix = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(ask.parent), len(ask.nodes)))
    solved = linprog(
        -np.ones(len(ask.nodes)), matrix, ask.bound_w, bounds=[(0.0, d) for d in ask.demand_w], method="highs"
    )
    return -float(solved.fun)
