"""What a session asks of a site, and what room the site has left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, sqrt

from voltbench.quantities import Instant
from voltbench.site.limits import LimitTree, Rows

UNBOUND = -1
"""Binding row of a share that no limit of the site holds back: the vehicle takes no more."""


@dataclass(slots=True, eq=False)
class Claim:
    """A session's claim on its site: where it hangs, what it wants, and what a strategy may go by.

    `minimum_w` is the smallest power that can be offered at all (6 A on AC); `step_w` the station's resolution, 0 for
    none. `needed_wh` is the energy still missing, drawn from the site, as of the last action.
    """

    id: str
    rows: Rows
    maximum_w: float
    minimum_w: float = 0.0
    step_w: float = 0.0
    weight: float = 1.0
    priority: int = 0
    arrived_at: Instant = 0
    departs_at: Instant | None = None
    needed_wh: float = inf


@dataclass(slots=True)
class Bounds:
    """The bounds of a site's rows at one instant: linear rows (W, then A per phase) and line subsets (A)."""

    linear: list[float]
    lines: list[float] = field(default_factory=list)


class Room:
    """What is left below every limit while powers are given out one after another."""

    __slots__ = ("_free", "_line_bound", "_line_sum", "_line_upper")

    def __init__(self, bounds: Bounds) -> None:
        self._free = bounds.linear[:]
        self._line_bound = bounds.lines
        self._line_sum = [0j] * len(bounds.lines)
        self._line_upper = [0.0] * len(bounds.lines)

    @property
    def free_w(self) -> list[float]:
        """What is left of each linear row."""
        return self._free

    def headroom(self, claim: Claim, wanted_w: float) -> tuple[float, int]:
        """How much of a wanted power fits, and the row that allows no more (UNBOUND when all of it does).

        Line subsets count after the linear rows.
        """
        free = self._free
        fits_w, binding = wanted_w, UNBOUND
        for row, per_w in claim.rows.linear:
            if free[row] < fits_w * per_w:
                fits_w, binding = free[row] / per_w, row
        upper, bound = self._line_upper, self._line_bound
        for subset, a_per_w in claim.rows.lines:
            if upper[subset] + abs(a_per_w) * fits_w > bound[subset]:
                line_w = _line_headroom(self._line_sum[subset], a_per_w, bound[subset])
                if line_w < fits_w:
                    fits_w, binding = line_w, len(free) + subset
        return (fits_w, binding) if fits_w > 0.0 else (0.0, binding)

    def take(self, claim: Claim, power_w: float) -> None:
        """Give a power to a claim; negative gives it back."""
        free = self._free
        for row, per_w in claim.rows.linear:
            free[row] -= power_w * per_w
        for subset, a_per_w in claim.rows.lines:
            self._line_sum[subset] += a_per_w * power_w
            self._line_upper[subset] += abs(a_per_w) * power_w

    def excess(self) -> tuple[float, int]:
        """The largest amount by which a row is exceeded (in the row's unit; negative when none is), and the row."""
        worst, row = max(((-free, r) for r, free in enumerate(self._free)), default=(-inf, UNBOUND))
        for s, (total, bound) in enumerate(zip(self._line_sum, self._line_bound, strict=True)):
            if abs(total) - bound > worst:
                worst, row = abs(total) - bound, len(self._free) + s
        return worst, row


def _line_headroom(total: complex, a_per_w: complex, bound_a: float) -> float:
    """Largest power for which |total + a_per_w * power| stays within a bound: the root of a quadratic."""
    a = a_per_w.real * a_per_w.real + a_per_w.imag * a_per_w.imag
    b = total.real * a_per_w.real + total.imag * a_per_w.imag
    c = total.real * total.real + total.imag * total.imag - bound_a * bound_a
    discriminant = b * b - a * c
    if discriminant <= 0.0 or c > 0.0:
        return 0.0
    return max(0.0, (sqrt(discriminant) - b) / a)


def room_after(bounds: Bounds, claims: Sequence[Claim], powers_w: Sequence[float]) -> Room:
    """The room left when each claim draws a power."""
    room = Room(bounds)
    for claim, power_w in zip(claims, powers_w, strict=True):
        room.take(claim, power_w)
    return room


def row_name(tree: LimitTree, row: int) -> str:
    """The name of a binding row: a limit of the tree, a line, or `vehicle` where nothing of the site holds it back."""
    if row == UNBOUND:
        return "vehicle"
    linear = tree.row_count
    return tree.name_of(row) if row < linear else tree.line_name_of(row - linear)
