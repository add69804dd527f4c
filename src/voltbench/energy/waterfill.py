"""Exact weighted max-min: raise everybody's level together, and stop each where something binds.

The share of a claim is min(demand, weight * level), where the level is that of the first limit above it to fill up
(Bertsekas & Gallager, Data Networks, 2nd ed., section 6.5.2: bottleneck levels). On a tree of limits in W the levels
follow bottom-up from sums alone; with rows per phase or on lines the filling is played in rounds, each of which
freezes the claims of the row that fills first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import accumulate
from math import inf, sqrt
from typing import TypeVar

from voltbench.energy.claim import UNBOUND, Bounds, Claim

_ROUNDING = 1e-12
"""Relative difference that is none: a claim whose own level is a row's level has all it wants."""

Shares = tuple[list[float], list[int]]
"""The power of each claim in W, and the row that binds it (UNBOUND: its own demand)."""


def fill_tree(
    parent: Sequence[int],
    bound_w: Sequence[float],
    nodes: Sequence[int],
    demand_w: Sequence[float],
    weight: Sequence[float],
) -> Shares:
    """Weighted max-min shares on a tree of limits in W.

    `parent` and `bound_w` describe the nodes, parents first, the root's parent being -1; `nodes`, `demand_w` and
    `weight` the claims. O(n log n) for a given depth: each node sorts what its children left sorted.
    """
    if weight.count(1.0) == len(weight):
        level, binding = _tree_levels(parent, bound_w, *_gathered_alike(parent, nodes, demand_w), _level_alike)
    else:
        level, binding = _tree_levels(parent, bound_w, *_gathered(parent, nodes, demand_w, weight), _level)
    powers, rows = list(demand_w), [UNBOUND] * len(nodes)
    if not binding:
        return powers, rows
    for i, node in enumerate(nodes):
        share = weight[i] * level[node]
        if share < powers[i]:
            powers[i], rows[i] = share, binding[node]
    return powers, rows


Step = TypeVar("Step", float, tuple[float, float])
"""Where a claim has all it wants: its own level, and its weight where weights differ."""


def _gathered(
    parent: Sequence[int], nodes: Sequence[int], demand_w: Sequence[float], weight: Sequence[float]
) -> tuple[list[float], list[list[tuple[float, float]]]]:
    """What is wanted at each node in all, and the steps of its claims."""
    wanted_w = [0.0] * len(parent)
    steps: list[list[tuple[float, float]]] = [[] for _ in parent]
    for node, demand, w in zip(nodes, demand_w, weight, strict=True):
        wanted_w[node] += demand
        steps[node].append((demand / w, w))
    return wanted_w, steps


def _gathered_alike(
    parent: Sequence[int], nodes: Sequence[int], demand_w: Sequence[float]
) -> tuple[list[float], list[list[float]]]:
    """The same where all weights are 1."""
    steps: list[list[float]] = [[] for _ in parent]
    for node, demand in zip(nodes, demand_w, strict=True):
        steps[node].append(demand)
    return [sum(demands) for demands in steps], steps


def _tree_levels(
    parent: Sequence[int],
    bound_w: Sequence[float],
    total_w: list[float],
    steps: list[list[Step]],
    level_of: Callable[[list[Step], float, float], float],
) -> tuple[list[float], list[int]]:
    """The level at which each node's claims stop, and the node that stops them; no nodes where nobody is stopped.

    `total_w` and the `steps` start as those of each node's own claims.
    """
    level = [inf] * len(parent)
    for v in range(len(parent) - 1, 0, -1):
        below, total, bound = steps[v], total_w[v], bound_w[v]
        if total > bound:
            level[v] = level_of(below, total, bound)
            total = bound if bound > 0.0 else 0.0
        up = parent[v]
        total_w[up] += total
        above = steps[up]
        if len(below) > len(above):
            below, above, steps[up] = above, below, below
        above += below
    if total_w[0] > bound_w[0]:
        level[0] = level_of(steps[0], total_w[0], bound_w[0])
    if min(level) == inf:
        return level, []
    binding = list(range(len(parent)))
    for v in range(1, len(parent)):
        if level[parent[v]] <= level[v]:
            level[v], binding[v] = level[parent[v]], binding[parent[v]]
    return level, binding


def _level(steps: list[tuple[float, float]], total_w: float, bound_w: float) -> float:
    """The level at which claims that stop at given levels draw a bound together.

    The steps are left with the ones above the level merged into one.
    """
    if bound_w <= 0.0:
        steps[:] = [(0.0, sum(w for _, w in steps))]
        return 0.0
    steps.sort()
    rest_w, merged = total_w, 0.0
    while True:
        own, w = steps.pop()
        rest_w -= own * w
        merged += w
        level = (bound_w - rest_w) / merged
        if not steps or level >= steps[-1][0]:
            level = max(level, 0.0)
            steps.append((level, merged))
            return level


def _level_alike(steps: list[float], total_w: float, bound_w: float) -> float:
    """The same where all weights are 1, which is nearly always: a quarter faster. Steps come down to the level."""
    if bound_w <= 0.0:
        steps[:] = [0.0] * len(steps)
        return 0.0
    if len(steps) == 2:  # two connectors of a station
        one, two = steps
        level = bound_w - (one if one < two else two)
        if level + level < bound_w:
            level = bound_w / 2.0
        steps[0], steps[1] = bound_w - level, level
        return level
    steps.sort()
    rest_w, stopped = total_w, 0
    while True:
        rest_w -= steps.pop()
        stopped += 1
        level = (bound_w - rest_w) / stopped
        if not steps or level >= steps[-1]:
            level = max(level, 0.0)
            steps += [level] * stopped
            return level


def fill_rows(
    bounds: Bounds,
    claims: Sequence[Claim],
    demand_w: Sequence[float],
    weight: Sequence[float],
    settled: Collection[int] = (),
) -> Shares:
    """Weighted max-min shares under any rows: W, A per phase, and line subsets.

    Each round finds the row that fills first as the level rises and freezes its claims there: at most as many rounds
    as rows that bind. Claims whose index is `settled` keep their demand.
    """
    rows = _filling_rows(bounds, claims, demand_w)
    powers = list(demand_w)
    binding = [UNBOUND] * len(claims)
    rising = [i not in settled for i in range(len(claims))]
    own = [d / w for d, w in zip(demand_w, weight, strict=True)]
    order = sorted(range(len(claims)), key=own.__getitem__)
    while rows:
        level, first = min(
            (_row_level(members, bound, order, own, weight, powers, rising), row)
            for row, (members, bound) in rows.items()
        )
        if level == inf:
            break
        members, _ = rows.pop(first)
        for i in members:
            if rising[i] and own[i] > level * (1.0 + _ROUNDING):
                powers[i], binding[i], rising[i] = weight[i] * level, first, False
    return powers, binding


Members = dict[int, complex]


def _filling_rows(
    bounds: Bounds, claims: Sequence[Claim], demand_w: Sequence[float]
) -> dict[int, tuple[Members, float]]:
    """The rows that could fill up: coefficients by claim, and the bound. Rows that hold every demand are left out."""
    linear_count = len(bounds.linear)
    members: dict[int, Members] = {}
    for i, claim in enumerate(claims):
        for row, per_w in claim.rows.linear:
            members.setdefault(row, {})[i] = complex(per_w)
        for subset, a_per_w in claim.rows.lines:
            members.setdefault(linear_count + subset, {})[i] = a_per_w
    rows = {}
    for row in sorted(members):
        bound = bounds.linear[row] if row < linear_count else bounds.lines[row - linear_count]
        if sum(abs(c) * demand_w[i] for i, c in members[row].items()) > bound:
            rows[row] = (members[row], max(bound, 0.0))
    return rows


def _row_level(
    members: Members,
    bound: float,
    order: Sequence[int],
    own: Sequence[float],
    weight: Sequence[float],
    powers: Sequence[float],
    rising: Sequence[bool],
) -> float:
    """The level at which a row fills: where |fixed + level * slope| meets its bound, infinite when it never does.

    `fixed` is what frozen and satisfied claims draw, `slope` the weights of those still rising.
    """
    fixed = sum((c * powers[i] for i, c in members.items() if not rising[i]), 0j)
    still = [i for i in order if i in members and rising[i]]
    slopes = list(accumulate((members[i] * weight[i] for i in reversed(still)), initial=0j))
    for i, slope in zip(still, reversed(slopes), strict=False):
        if abs(fixed + slope * own[i]) > bound:
            return _crossing(fixed, slope, bound)
        fixed += members[i] * powers[i]
    return inf


def _crossing(fixed: complex, slope: complex, bound: float) -> float:
    """The larger level at which |fixed + level * slope| equals a bound."""
    a = slope.real * slope.real + slope.imag * slope.imag
    b = fixed.real * slope.real + fixed.imag * slope.imag
    c = fixed.real * fixed.real + fixed.imag * fixed.imag - bound * bound
    return max(0.0, (sqrt(max(0.0, b * b - a * c)) - b) / a)
