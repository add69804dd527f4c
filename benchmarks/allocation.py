"""One weighted max-min allocation, beside a linear program that finds how much can be given at all.

On a tree of limits every share-out that wastes nothing gives the same total, so the total of the LP (HiGHS, through
scipy) checks ours; the LP alone does not make shares fair, so it is the least a solver would take.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from benchmarks.figures import Figure, median_cpu_s, ms
from voltbench.energy.allocate import Situation, max_min
from voltbench.energy.bulk import BulkTree
from voltbench.energy.claim import Bounds, Claim
from voltbench.energy.waterfill import fill_tree
from voltbench.site.limits import LimitTree, Node, Outlet


@dataclass(frozen=True)
class Ask:
    """A tree, where each claim hangs, and what it wants."""

    parent: list[int]
    bound_w: list[float]
    nodes: list[int]
    demand_w: list[float]
    weight: list[float]


def figures(quick: bool = False) -> list[Figure]:
    """54 sessions, 1,000 sessions, 10,000 leaves in three levels: each a set of different inputs."""
    return [
        _compared("54 sessions on 27 stations", [stations(54, seed) for seed in range(50)], "<= 0.05 ms"),
        _situations(54),
        _compared("1,000 sessions on 500 stations", [stations(1_000, seed) for seed in range(10)], "<= 1 ms"),
        _bulk(10_000),
    ]


def stations(count: int, seed: int) -> Ask:
    """Two connectors a station, stations of 10 kW, a connection that holds a bit more than half of what is wanted."""
    chance = random.Random(seed)
    half = count // 2
    demand_w = [chance.uniform(1_000.0, 11_000.0) for _ in range(count)]
    parent, nodes = [-1] + [0] * half, [1 + i // 2 for i in range(count)]
    return Ask(parent, [count * 2_800.0] + [10_000.0] * half, nodes, demand_w, [1.0] * count)


def three_levels(leaves: int, seed: int) -> Ask:
    """A connection, 10 feeders, 100 stations below them."""
    chance = random.Random(seed)
    parent = [-1] + [0] * 10 + [1 + i % 10 for i in range(100)]
    bound_w = [leaves * 2_000.0] + [leaves * 250.0] * 10 + [leaves * chance.uniform(20.0, 40.0) for _ in range(100)]
    demand_w = [chance.uniform(1_000.0, 11_000.0) for _ in range(leaves)]
    return Ask(parent, bound_w, [11 + i % 100 for i in range(leaves)], demand_w, [1.0] * leaves)


def _compared(what: str, asks: list[Ask], promise: str) -> Figure:
    ours_s = median_cpu_s(asks, lambda a: fill_tree(a.parent, a.bound_w, a.nodes, a.demand_w, a.weight))
    peer_s = median_cpu_s(asks[:5], most, rounds=3)
    total_w, most_w = (
        sum(fill_tree(asks[0].parent, asks[0].bound_w, asks[0].nodes, asks[0].demand_w, asks[0].weight)[0]),
        most(asks[0]),
    )
    assert abs(total_w - most_w) <= 1e-6 * most_w, (total_w, most_w)
    return Figure(f"max-min, {what}", ms(ours_s), f"{ms(peer_s)} (LP, total only)", f"{peer_s / ours_s:.0f}x", promise)


def _situations(count: int) -> Figure:
    """The same through the public function, claims and all."""
    asks = [stations(count, seed) for seed in range(50)]
    situations = [_situation(ask) for ask in asks]
    taken_s = median_cpu_s(situations, max_min)
    return Figure(f"`allocate` of {count} claims, the whole call", ms(taken_s), promise="<= 0.05 ms")


def _situation(ask: Ask) -> Situation:
    nodes = [Node("grid")] + [Node(f"s{i}", "grid") for i in range(1, len(ask.parent))]
    tree = LimitTree(nodes, [Outlet(f"o{i}", f"s{node}") for i, node in enumerate(ask.nodes)])
    for node, bound_w in zip(nodes, ask.bound_w, strict=True):
        tree.set_limit(node.id, "contract", bound_w)
    claims = [Claim(f"c{i}", tree.rows_of(f"o{i}"), 11_000.0) for i in range(len(ask.nodes))]
    return Situation(0, tree, Bounds(tree.bounds(0), [], tree.line_groups), claims, ask.demand_w)


def _bulk(leaves: int) -> Figure:
    asks = [three_levels(leaves, seed) for seed in range(5)]
    tree = BulkTree(asks[0].parent, asks[0].nodes)
    arrays = [(np.array(a.bound_w), np.array(a.demand_w), np.array(a.weight)) for a in asks]
    ours_s = median_cpu_s(arrays, lambda a: tree.shares(*a))
    peer_s = median_cpu_s(asks[:1], most, rounds=3)
    total_w, most_w = float(tree.shares(*arrays[0])[0].sum()), most(asks[0])
    assert abs(total_w - most_w) <= 1e-6 * most_w, (total_w, most_w)
    what = f"max-min, {leaves:,} leaves in three levels"
    return Figure(what, ms(ours_s), f"{ms(peer_s)} (LP, total only)", f"{peer_s / ours_s:.0f}x", "<= 2 ms")


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
