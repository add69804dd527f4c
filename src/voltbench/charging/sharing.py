"""How the connectors of one station share what it has."""

from __future__ import annotations

from collections.abc import Sequence

from voltbench.quantities import POWER_TOLERANCE_W


def shares(demands_w: Sequence[float], minimums_w: Sequence[float], total_w: float) -> list[float]:
    """What each may draw of a total: max-min, nobody more than it wants, nobody less than its minimum but nothing.

    Where the minimums do not all fit, whoever stands later in the sequence goes without.
    """
    served = [i for i, demand_w in enumerate(demands_w) if demand_w > 0.0]
    while True:
        given = _level(demands_w, served, total_w)
        short = [i for i in served if given[i] < min(minimums_w[i], demands_w[i]) - POWER_TOLERANCE_W]
        if not short:
            return given
        served.remove(short[-1])


def _level(demands_w: Sequence[float], served: Sequence[int], total_w: float) -> list[float]:
    """Everybody gets the same, or what he wants where that is less."""
    given, left_w = [0.0] * len(demands_w), total_w
    for count, i in enumerate(sorted(served, key=lambda i: demands_w[i])):
        given[i] = min(demands_w[i], left_w / (len(served) - count))
        left_w -= given[i]
    return given
