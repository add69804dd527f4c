"""Weighted max-min for many claims at once: the same law as `waterfill`, depth by depth, on arrays.

Everything below a node is put in one slice. From the deepest nodes up, the level of every full node of one depth is
found together: starting from bound / weight, the level is raised to (bound - what stops below it) / (weight of the
rest) until nothing changes, which is exact after a few rounds because the level only rises and each round settles at
least one claim. What a full node stops goes on upwards as one item, so the nodes above have less to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from struct import pack
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.arrays import Floats
from voltbench.energy.claim import UNBOUND
from voltbench.site.limits import LimitTree, Rows

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_NO_WEIGHT = 1e-200
"""Divides in place of a weight of zero: nothing rises there any more, and the level that follows stops nobody."""


class Shape:
    """The nodes of a tree: how deep each lies, and its place in a walk that does not interrupt a subtree."""

    def __init__(self, parent: Sequence[int]) -> None:
        depth, size, rank = [0] * len(parent), [1] * len(parent), [0] * len(parent)
        for node in range(len(parent) - 1, 0, -1):
            size[parent[node]] += size[node]
        free = [1] * len(parent)
        for node in range(1, len(parent)):
            up = parent[node]
            depth[node], rank[node] = depth[up] + 1, rank[up] + free[up]
            free[up] += size[node]
        self.parent, self.rank, self.size = integers(parent), integers(rank), integers(size)
        walk = np.argsort(self.rank)
        self.by_depth = [walk[integers(depth)[walk] == level] for level in range(max(depth), -1, -1)]
        """The nodes of each depth in the order of the walk, the deepest first."""


class Weights(NamedTuple):
    """The weight of each claim, and of each item of a layout."""

    of_claims: Floats
    of_items: Floats


class BulkTree:
    """A tree with the nodes its claims hang on, laid out once and filled many times.

    Its items are a place for what a node stops, the node's claims, then the same for each node below it. Each depth
    cuts all the items into slices at its edges: one slice for each of its nodes, others for what lies between them.
    """

    def __init__(self, shape: Shape, nodes: Sequence[int]) -> None:
        self._shape = shape
        self._node_of = integers(nodes)
        rank_of = shape.rank[self._node_of]
        order = np.argsort(rank_of.astype(np.int16 if len(shape.rank) < 1 << 15 else np.int64), kind="stable")
        self._claim_of = np.full(len(shape.rank) + len(order), len(order))
        self._claim_of[np.arange(len(order)) + rank_of[order] + 1] = order
        self._cut(np.bincount(rank_of, minlength=len(shape.rank)))

    def _cut(self, claims_at: Ints) -> None:
        """Find the edges of each depth, given how many claims hang on each node of the walk."""
        shape, count = self._shape, len(self._claim_of)
        starts = np.append(np.arange(len(claims_at)) + np.cumsum(claims_at) - claims_at, count)
        self._slice_of = np.zeros(len(shape.rank), np.int64)
        self._depths: list[slice] = []
        edges, known = [], 0
        for nodes in shape.by_depth:
            first = shape.rank[nodes]
            cuts = np.unique(np.concatenate(([0, count], starts[first], starts[first + shape.size[nodes]])))
            self._slice_of[nodes] = known + np.searchsorted(cuts, starts[first])
            self._depths.append(slice(known, known + len(cuts)))
            edges.append(cuts)
            known += len(cuts)
        self._edges = np.concatenate(edges)

    def weights(self, weight: Floats) -> Weights:
        """The weights of the claims, laid out as well."""
        return Weights(weight, self._of_items(weight))

    def _of_items(self, values: Floats) -> Floats:
        """What is known of each claim in the order of the items; nothing where a node's place is."""
        of_items: Floats = np.append(values, 0.0)[self._claim_of]
        return of_items

    def shares(self, bound_w: Floats, demand_w: Floats, weights: Weights) -> tuple[Floats, Ints]:
        """The power of each claim in W and the node that binds it (UNBOUND: its own demand)."""
        kept_w = np.maximum(bound_w, 0.0)
        full = self._wanted_w(kept_w, demand_w) > bound_w
        if not full.any():
            return demand_w, np.full(len(demand_w), UNBOUND)
        own = self._of_items(demand_w / weights.of_claims)
        level, binding = self._passed_down(self._levels(np.where(full, kept_w, inf), own, weights.of_items))
        share_w = weights.of_claims * level[self._node_of]
        rows = (binding - UNBOUND)[self._node_of] * (share_w < demand_w) + UNBOUND
        return np.minimum(share_w, demand_w), rows

    def _wanted_w(self, bound_w: Floats, demand_w: Floats) -> Floats:
        """What is wanted below each node, after the nodes below it have kept their bounds."""
        count, parent = len(bound_w), self._shape.parent
        wanted_w = _summed(self._node_of, demand_w, count)
        for nodes in self._shape.by_depth[:-1]:
            let_by_w = np.minimum(wanted_w[nodes], bound_w[nodes])
            wanted_w += _summed(parent[nodes], let_by_w, count)
        return wanted_w

    def _levels(self, bound_w: Floats, own: Floats, weight: Floats) -> Floats:
        """The level at which each node stops its items, given their own; infinite where its bound is."""
        edges = self._edges
        levels = np.full(len(edges), inf)
        levels[self._slice_of] = bound_w
        for depth in self._depths:
            bounds = levels[depth][:-1]
            full = bounds < inf
            if not full.any():
                continue
            reached, rising, stopped = _filled(own, weight, edges[depth], bounds)
            kept = np.flatnonzero(stopped)
            edges = np.searchsorted(kept, edges)
            places = edges[depth][:-1][full]
            own, weight = own[kept], weight[kept]
            own[places], weight[places] = reached[full], rising[full]
            bounds[full] = reached[full]
        return levels[self._slice_of]

    def _passed_down(self, level: Floats) -> tuple[Floats, Ints]:
        """The lowest level on each node's way up, and the node it belongs to: the highest of those that share it."""
        binding = np.where(level < inf, np.arange(len(level)), UNBOUND)
        for nodes in self._shape.by_depth[-2::-1]:
            up = self._shape.parent[nodes]
            held = level[up] <= level[nodes]
            level[nodes] = np.where(held, level[up], level[nodes])
            binding[nodes] = np.where(held, binding[up], binding[nodes])
        return level, binding


def _summed(at: Ints, values: Floats, count: int) -> Floats:
    """The sum of the values at each of so many places."""
    return np.bincount(at, values, count).astype(np.float64)


def _filled(own: Floats, weight: Floats, edges: Ints, bounds: Floats) -> tuple[Floats, Floats, Flags]:
    """The level at which each slice draws its bound, the weight it stops there, and the items that stop of themselves.

    Every slice whose bound is not infinite has to want more than that.
    """
    begins, sizes = edges[:-1], edges[1:] - edges[:-1]
    drawn_w = own * weight
    rising = np.add.reduceat(weight, begins)
    reached = bounds / np.maximum(rising, _NO_WEIGHT)
    before = -1
    while True:
        stopped = own <= np.repeat(reached, sizes)
        count = int(np.count_nonzero(stopped))
        if count == before:
            return reached, rising, stopped
        before = count
        part = stopped.astype(np.float64)
        rest_w = np.add.reduceat(drawn_w * part, begins)
        np.subtract(1.0, part, out=part)
        rising = np.add.reduceat(weight * part, begins)
        reached = np.maximum(reached, (bounds - rest_w) / np.maximum(rising, _NO_WEIGHT))


# --- laid out once ---------------------------------------------------------------------------------------------------


class _Known(NamedTuple):
    rows: list[Rows]
    weight: list[float]
    shape: Shape
    layout: BulkTree
    weights: Weights


_KNOWN: WeakKeyDictionary[LimitTree, _Known] = WeakKeyDictionary()


def laid_out(tree: LimitTree, rows: list[Rows], weight: Sequence[float]) -> tuple[BulkTree, Weights]:
    """A tree with the claims that load these rows and weigh so much, laid out.

    The last layout of each tree is remembered, and used again while every claim loads what it loaded then; so are its
    weights. Where the nodes of a tree hang does not change in its life.
    """
    known = _KNOWN.get(tree)
    if known is None or known.rows != rows:
        shape = known.shape if known is not None else Shape(tree.parent)
        layout = BulkTree(shape, [loaded.node for loaded in rows])
        known = _Known(rows, list(weight), shape, layout, layout.weights(floats(weight)))
    elif known.weight != weight:
        known = known._replace(weight=list(weight), weights=known.layout.weights(floats(weight)))
    _KNOWN[tree] = known._replace(rows=rows)
    return known.layout, known.weights


def floats(values: Sequence[float]) -> Floats:
    """Numbers as an array (packing a list of thousands is several times faster than asking numpy to look into it)."""
    return np.frombuffer(pack(f"{len(values)}d", *values))


def integers(values: Sequence[int]) -> Ints:
    """Whole numbers as an array."""
    return np.frombuffer(pack(f"{len(values)}q", *values), dtype=np.int64)
