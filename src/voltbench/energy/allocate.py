"""Share what a site may draw, now: a pure function from claims and bounds to powers and what binds each.

A strategy is a function of a `Situation`; `STRATEGIES` names them all. Every one respects every row; the default,
`max_min`, also wastes nothing: whoever gets less than it wants has a full row above it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from voltbench.energy.bulk import floats, laid_out
from voltbench.energy.claim import UNBOUND, Bounds, Claim, Room
from voltbench.energy.waterfill import Shares, fill_rows, fill_tree
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_SECOND, POWER_TOLERANCE_W, SECONDS_PER_HOUR, Instant
from voltbench.site.limits import LimitTree

_FAR_FUTURE: Instant = 1 << 62
_BULK_FROM = 400
"""From this many claims on, laying them out as arrays pays (measured in benchmarks/allocation.py)."""


@dataclass(slots=True)
class Situation:
    """All a strategy may know: the limits that hold now, the claims, and the power each wants, in W.

    `turn` counts the rotation intervals that have passed, for strategies that take turns.
    """

    now: Instant
    tree: LimitTree
    bounds: Bounds
    claims: Sequence[Claim]
    demand_w: Sequence[float]
    turn: int = 0


Strategy: TypeAlias = Callable[[Situation], Shares]


def allocate(situation: Situation, strategy: str = "max_min") -> Shares:
    """The power of each claim in W and the row that binds it. Raises InvalidInput for an unknown strategy."""
    return strategy_named(strategy)(situation)


def strategy_named(name: str) -> Strategy:
    """The strategy of a name, or InvalidInput."""
    strategy = STRATEGIES.get(name)
    if strategy is None:
        raise InvalidInput("strategy", "is unknown", found=name, allowed=", ".join(STRATEGIES))
    return strategy


# --- fair shares -----------------------------------------------------------------------------------------------------


def max_min(s: Situation) -> Shares:
    """Weighted max-min: raise everybody's level together until something binds."""
    return fill(s, s.demand_w, [claim.weight for claim in s.claims])


def proportional(s: Situation) -> Shares:
    """Everybody gets the same fraction of its demand, as far as the limits let it."""
    return fill(s, s.demand_w, [claim.weight * max(d, 1e-9) for claim, d in zip(s.claims, s.demand_w, strict=True)])


def equal(s: Situation) -> Shares:
    """Every limit is cut into equal slices, used or not: the plain rule that many installations run."""
    slice_w: dict[int, complex] = {}
    linear_count = len(s.bounds.linear)
    for claim in s.claims:
        for row, per_w in claim.rows.linear:
            slice_w[row] = slice_w.get(row, 0j) + per_w
        for subset, a_per_w in claim.rows.lines:
            slice_w[linear_count + subset] = slice_w.get(linear_count + subset, 0j) + a_per_w
    bounds = s.bounds.linear + s.bounds.lines
    level_w = {row: max(0.0, bounds[row]) / abs(total) for row, total in slice_w.items() if abs(total) > 0.0}
    powers, binding = [], []
    for claim, demand in zip(s.claims, s.demand_w, strict=True):
        rows = [row for row, _ in claim.rows.linear] + [linear_count + subset for subset, _ in claim.rows.lines]
        tightest = min((row for row in rows if row in level_w), key=level_w.__getitem__, default=UNBOUND)
        held = tightest != UNBOUND and level_w[tightest] < demand
        powers.append(level_w[tightest] if held else demand)
        binding.append(tightest if held else UNBOUND)
    return powers, binding


def fill(s: Situation, demand_w: Sequence[float], weight: Sequence[float], settled: Collection[int] = ()) -> Shares:
    """Weighted max-min by whichever way is the shorter: the tree alone in W, or all rows."""
    if not s.tree.in_watts_only:
        return fill_rows(s.bounds, s.claims, demand_w, weight, settled)
    if not settled and len(s.claims) >= _BULK_FROM:
        return _fill_bulk(s, demand_w, weight)
    if not settled:
        return fill_tree(s.tree.parent, s.bounds.linear, [c.rows.node for c in s.claims], demand_w, weight)
    room = Room(s.bounds)
    for i in settled:
        room.take(s.claims[i], demand_w[i])
    free = [i for i in range(len(s.claims)) if i not in settled]
    nodes = [s.claims[i].rows.node for i in free]
    shares, rows = fill_tree(s.tree.parent, room.free_w, nodes, [demand_w[i] for i in free], [weight[i] for i in free])
    powers, binding = list(demand_w), [UNBOUND] * len(s.claims)
    for i, share, row in zip(free, shares, rows, strict=True):
        powers[i], binding[i] = share, row
    return powers, binding


def _fill_bulk(s: Situation, demand_w: Sequence[float], weight: Sequence[float]) -> Shares:
    layout, weights = laid_out(s.tree, [claim.rows for claim in s.claims], weight)
    powers, rows = layout.shares(floats(s.bounds.linear), floats(demand_w), weights)
    return powers.tolist(), rows.tolist()


# --- one after another -----------------------------------------------------------------------------------------------


def in_order(s: Situation, order: Sequence[int]) -> Shares:
    """Each claim in turn takes all it wants of what is left; what is less than it can use goes to the next."""
    room = Room(s.bounds)
    powers, binding = [0.0] * len(order), [UNBOUND] * len(order)
    for i in order:
        claim = s.claims[i]
        power, row = room.headroom(claim, s.demand_w[i])
        if power < claim.minimum_w - POWER_TOLERANCE_W or power <= POWER_TOLERANCE_W:
            power = 0.0  # what rounding leaves over is no power
        if power > 0.0:
            room.take(claim, power)
        powers[i], binding[i] = power, row
    return powers, binding


def _by(key: Callable[[Situation, Claim], float], doc: str) -> Strategy:
    def strategy(s: Situation) -> Shares:
        ranks = [(key(s, claim), claim.arrived_at, claim.id) for claim in s.claims]
        return in_order(s, sorted(range(len(ranks)), key=ranks.__getitem__))

    strategy.__doc__ = doc
    return strategy


def laxity_s(now: Instant, claim: Claim) -> float:
    """Time to spare before a claim must be served at full power to be ready, in s.

    Smallest laxity first is the optimal single-processor order (Dertouzos & Mok, IEEE TSE 15, 1989).
    """
    departs_at = claim.departs_at if claim.departs_at is not None else _FAR_FUTURE
    return (departs_at - now) / MS_PER_SECOND - claim.needed_wh / claim.maximum_w * SECONDS_PER_HOUR


def round_robin(s: Situation) -> Shares:
    """Each claim in turn takes all it wants; whose turn comes first moves on by one every rotation interval."""
    order = sorted(range(len(s.claims)), key=lambda i: (s.claims[i].arrived_at, s.claims[i].id))
    first = s.turn % len(order) if order else 0
    return in_order(s, order[first:] + order[:first])


def priority(s: Situation) -> Shares:
    """Strict classes, the highest number first; inside a class max-min."""
    weight = [claim.weight for claim in s.claims]
    settled: set[int] = set()
    powers = [0.0] * len(s.claims)
    binding = [UNBOUND] * len(s.claims)
    for rank in sorted({claim.priority for claim in s.claims}, reverse=True):
        members = {i for i, claim in enumerate(s.claims) if claim.priority == rank}
        wanted = [powers[i] if i in settled else s.demand_w[i] if i in members else 0.0 for i in range(len(s.claims))]
        shares, rows = fill(s, wanted, weight, settled)
        for i in members:
            powers[i], binding[i] = shares[i], rows[i]
        settled |= members
    return powers, binding


def planned(s: Situation) -> Shares:
    """Max-min of what a plan has for each; what that leaves goes to those who may take more. It needs no plan."""
    weight = [claim.weight for claim in s.claims]
    first_w = [min(demand, claim.planned_w) for claim, demand in zip(s.claims, s.demand_w, strict=True)]
    powers, binding = fill(s, first_w, weight)
    settled = {i for i, demand in enumerate(s.demand_w) if demand <= first_w[i]}
    if len(settled) == len(powers):
        return powers, binding
    wanted = [powers[i] if i in settled else demand for i, demand in enumerate(s.demand_w)]
    more, rows = fill(s, wanted, weight, settled)
    return more, [binding[i] if i in settled else row for i, row in enumerate(rows)]


STRATEGIES: dict[str, Strategy] = {
    "max_min": max_min,
    "fcfs": _by(lambda _, claim: claim.arrived_at, "First come, first served."),
    "lcfs": _by(lambda _, claim: -claim.arrived_at, "Last come, first served."),
    "edf": _by(
        lambda _, claim: claim.departs_at if claim.departs_at is not None else _FAR_FUTURE,
        "Earliest departure first (Liu & Layland, J. ACM 20, 1973: earliest deadline first).",
    ),
    "llf": _by(lambda s, claim: laxity_s(s.now, claim), "Least laxity first."),
    "round_robin": round_robin,
    "equal": equal,
    "proportional": proportional,
    "priority": priority,
    "planned": planned,
}

BY_NEED = frozenset({"llf"})
"""Strategies that look at `Claim.needed_wh`."""

BY_CLASS = frozenset({"priority"})
"""Strategies for which a higher `Claim.priority` comes first."""

BY_PLAN = frozenset({"planned"})
"""Strategies that follow a plan (`running.rolling_plan`). It needs departures: not for sites that are told of none."""

BY_TURN = frozenset({"round_robin"})
"""Strategies that look at `Situation.turn`: they are asked again whenever it changes."""
