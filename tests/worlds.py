"""Hypothesis strategies for sites and claims, in which the corners are common."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from math import ceil

from hypothesis import strategies as st

from voltbench.energy.allocate import Situation
from voltbench.energy.claim import Bounds, Claim
from voltbench.site.limits import LimitTree, Node, Outlet
from voltbench.site.lines import LineLimit

KW = 1_000.0
POWERS = st.sampled_from([0.0, 1.0, 3.7 * KW, 11 * KW, 22 * KW, 50 * KW, 150 * KW]) | st.floats(0.0, 300 * KW)
BOUNDS = st.sampled_from([0.0, 1.0, 22 * KW, 50 * KW, 150 * KW, 400 * KW]) | st.floats(0.0, 1_000 * KW)
WEIGHTS = st.sampled_from([1.0, 1.0, 2.0, 0.5, 1e-6, 1e6]) | st.floats(0.1, 10.0)
ROTATIONS = st.sampled_from([(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1)])
LINE_PAIRS = {"AB": 30.0, "BC": -90.0, "CA": 150.0}


@dataclass(frozen=True)
class Asked:
    """What one session asks for in a generated situation."""

    outlet: str
    phases: int
    demand_w: float
    weight: float
    priority: int
    arrived_at: int
    departs_at: int
    minimum_w: float = 0.0
    step_w: float = 0.0


@st.composite
def trees(draw: st.DrawFn, phases: bool = False, lines: bool = False) -> LimitTree:
    """A tree of one to eight nodes of any depth, two outlets each, some nodes limited, in W or in A per phase."""
    count = draw(st.integers(1, 8))
    nodes = [Node("node-0")] + [Node(f"node-{i}", f"node-{draw(st.integers(0, i - 1))}") for i in range(1, count)]
    outlets = [
        Outlet(f"outlet-{i}-{k}", node.id, rotation=draw(ROTATIONS)) for i, node in enumerate(nodes) for k in range(2)
    ]
    tree = LimitTree(nodes, outlets, delta_lines(outlets, draw(st.floats(0.0, 400.0))) if lines else ())
    for node in nodes:
        if draw(st.booleans()):
            tree.set_limit(node.id, "contract", draw(BOUNDS))
        if draw(st.booleans()):
            tree.set_limit(node.id, "operator", draw(BOUNDS))
        if phases and draw(st.booleans()):
            tree.set_limit(node.id, "breaker", current_a=draw(st.sampled_from([0.0, 16.0, 63.0]) | st.floats(0, 400)))
    return tree


def delta_lines(outlets: list[Outlet], limit_a: float) -> list[LineLimit]:
    """Line limits of a delta-wired site behind a delta-wye transformer, outlets dealt over the three line pairs."""
    pair_of = {outlet.id: list(LINE_PAIRS)[i % 3] for i, outlet in enumerate(outlets)}
    current = {pair: cmath.rect(1.0, math.radians(angle)) for pair, angle in LINE_PAIRS.items()}
    wired: dict[str, dict[str, float]] = {
        "line-A": {"AB": 1, "CA": -1},
        "line-B": {"BC": 1, "AB": -1},
        "line-C": {"CA": 1, "BC": -1},
        "primary-A": {"AB": 0.25, "BC": 0.25, "CA": -0.5},
        "primary-B": {"AB": -0.5, "BC": 0.25, "CA": 0.25},
    }
    return [
        LineLimit(
            name,
            limit_a * (0.5 if name.startswith("primary") else 1.0),
            {o: share[pair] * current[pair] for o, pair in pair_of.items() if pair in share},
        )
        for name, share in wired.items()
    ]


@st.composite
def situations(
    draw: st.DrawFn, phases: bool = False, lines: bool = False, gated: bool = False, most: int = 12
) -> Situation:
    """A tree with claims on its outlets (an outlet may hold several: allocation does not mind)."""
    tree = draw(trees(phases, lines))
    asked = draw(st.lists(_asks(list(tree.outlets), gated), max_size=most))
    claims = [
        Claim(
            id=f"session-{i}",
            rows=tree.rows_of(a.outlet, a.phases),
            maximum_w=max(a.demand_w, a.minimum_w, 1.0) + a.step_w,
            minimum_w=ceil(a.minimum_w / a.step_w) * a.step_w if a.step_w else a.minimum_w,
            step_w=a.step_w,
            weight=a.weight,
            priority=a.priority,
            arrived_at=a.arrived_at,
            departs_at=a.departs_at,
            needed_wh=a.demand_w,
        )
        for i, a in enumerate(asked)
    ]
    bounds = Bounds(tree.bounds(0), tree.line_bounds(), tree.line_groups)
    demand_w = [max(a.demand_w, claim.minimum_w) for a, claim in zip(asked, claims, strict=True)]
    return Situation(0, tree, bounds, claims, demand_w, draw(st.integers(0, 5)))


@st.composite
def _asks(draw: st.DrawFn, outlets: list[str], gated: bool) -> Asked:
    phases = draw(st.sampled_from([1, 2, 3]))
    has_minimum = gated and draw(st.booleans())
    return Asked(
        outlet=draw(st.sampled_from(outlets)),
        phases=phases,
        demand_w=draw(POWERS),
        weight=draw(WEIGHTS),
        priority=draw(st.integers(0, 2)),
        arrived_at=draw(st.integers(0, 3)),
        departs_at=draw(st.integers(4, 7)),
        minimum_w=6.0 * 230.0 * phases if has_minimum else 0.0,
        step_w=draw(st.sampled_from([230.0 * phases, 1_000.0])) if has_minimum and draw(st.booleans()) else 0.0,
    )
