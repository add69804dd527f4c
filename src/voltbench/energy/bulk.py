"""Weighted max-min for thousands of claims at once: the same law as `waterfill`, level by level, on arrays.

Claims are put in the order of the tree, so that everything below a node is one slice. From the deepest nodes up, the
level of every full node of one depth is found together: starting from bound / weight, the level is raised to
(bound - what stops below it) / (weight of the rest) until nothing changes, which is exact after a few rounds because
the level only rises and each round settles at least one claim.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.claim import UNBOUND

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class BulkTree:
    """A tree with the nodes its claims hang on, laid out once and filled many times.

    `parent` describes the nodes, parents first, the root's parent being -1; `nodes` says where each claim hangs.
    """

    def __init__(self, parent: Sequence[int], nodes: Sequence[int] | Ints) -> None:
        parents = np.asarray(parent, dtype=np.int64)
        depth = _depths(parents)
        rank = _preorder(parents)
        at = np.asarray(nodes, dtype=np.int64)
        self._order: Ints = np.argsort(rank[at], kind="stable")
        below = np.bincount(at, minlength=len(parents)).astype(np.int64)
        first = np.searchsorted(rank[at][self._order], rank)
        for node in range(len(parents) - 1, 0, -1):
            below[parents[node]] += below[node]
        self._count = len(at)
        self._layers = []
        for level in range(int(depth.max()), -1, -1):
            layer = np.flatnonzero((depth == level) & (below > 0))
            layer = layer[np.argsort(first[layer])]
            if len(layer):
                self._layers.append((layer, first[layer], below[layer]))

    def shares(self, bound_w: Floats, demand_w: Floats, weight: Floats) -> tuple[Floats, Ints]:
        """The power of each claim in W and the node that binds it (UNBOUND: its own demand)."""
        w = weight[self._order]
        demand = demand_w[self._order]
        level = demand / w
        binding = np.full(self._count, UNBOUND, dtype=np.int64)
        for nodes, first, count in self._layers:
            bounds = np.maximum(bound_w[nodes], 0.0)
            members = _slices(first, count)
            total = np.add.reduceat((w * level)[members], np.cumsum(count) - count)
            full = total > bounds
            if full.any():
                _lower(level, binding, w, nodes[full], bounds[full], first[full], count[full])
        powers, rows = np.empty(self._count), np.empty(self._count, dtype=np.int64)
        powers[self._order] = np.where(binding == UNBOUND, demand, w * level)
        rows[self._order] = binding
        return powers, rows


def _lower(level: Floats, binding: Ints, w: Floats, nodes: Ints, bounds: Floats, first: Ints, count: Ints) -> None:
    """Bring the claims below full nodes down to the level at which each node just carries its bound."""
    members = _slices(first, count)
    starts = np.cumsum(count) - count
    own, weight = level[members], w[members]
    stopped_w = own * weight
    reached = bounds / np.add.reduceat(weight, starts)
    while True:
        rises = own > np.repeat(reached, count)
        rest_w = np.add.reduceat(np.where(rises, 0.0, stopped_w), starts)
        rising = np.add.reduceat(np.where(rises, weight, 0.0), starts)
        higher = np.where(rising > 0.0, (bounds - rest_w) / np.where(rising > 0.0, rising, 1.0), reached)
        if not (higher > reached * (1.0 + 1e-15)).any():
            break
        reached = np.maximum(reached, higher)
    cut = np.repeat(reached, count)
    lowered = own > cut
    level[members] = np.where(lowered, cut, own)
    binding[members] = np.where(lowered, np.repeat(nodes, count), binding[members])


def _slices(first: Ints, count: Ints) -> Ints | slice:
    """The positions of several slices one after another; one slice where they adjoin."""
    total = int(count.sum())
    if int(first[-1] + count[-1] - first[0]) == total:
        return slice(int(first[0]), int(first[0]) + total)
    return np.repeat(first - (np.cumsum(count) - count), count) + np.arange(total)


def _depths(parents: Ints) -> Ints:
    depth = np.zeros(len(parents), dtype=np.int64)
    for node in range(1, len(parents)):
        depth[node] = depth[parents[node]] + 1
    return depth


def _preorder(parents: Ints) -> Ints:
    """Each node's place in a walk that visits a node before its subtree, and a subtree without interruption."""
    size = np.ones(len(parents), dtype=np.int64)
    for node in range(len(parents) - 1, 0, -1):
        size[parents[node]] += size[node]
    rank = np.zeros(len(parents), dtype=np.int64)
    used = np.ones(len(parents), dtype=np.int64)
    for node in range(1, len(parents)):
        up = parents[node]
        rank[node] = rank[up] + used[up]
        used[up] += size[node]
    return rank
