"""What a session asks of a site, and what room the site has left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, sqrt

from voltbench.quantities import Instant
from voltbench.site.limits import LimitTree, Rows
from voltbench.site.lines import LineGroups

UNBOUND = -1
"""Binding row of a share that no limit of the site holds back: the vehicle takes no more."""

TURN = -2
"""Binding row of a share that has to wait for its turn, or for its minimum time off."""

PLAN = -3
"""Binding row of a share that its plan holds back, for an hour that suits better."""

BINDING_WORDS = ("vehicle", "turn", "plan", "silence", "refusal")
"""What may hold a session back beside the limits, stations and connectors of its site: names that none of those has."""

_WORDS = {UNBOUND: "vehicle", TURN: "turn", PLAN: "plan"}


@dataclass(slots=True, eq=False)
class Claim:
    """A session's claim on its site: where it hangs, what it wants, and what a strategy may go by.

    `minimum_w` is the smallest power that can be offered at all (6 A on AC); `step_w` the station's resolution, 0 for
    none. `needed_wh` is the energy still missing, drawn from the site, as of the last action. Who `is_hurried` leaves
    as soon as it has that, and is not to wait for a better hour. `planned_w` is what its plan has for it before
    anybody takes more than is planned.
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
    is_hurried: bool = False
    planned_w: float = inf


@dataclass(slots=True)
class Bounds:
    """The bounds of a site's rows at one instant: linear rows (W, then A per phase), and line subsets (A)."""

    linear: list[float]
    lines: list[float]
    groups: LineGroups

    def less(self, taken: Iterable[tuple[Claim, float]]) -> Bounds:
        """What claims leave that draw up to these powers, in W: line bounds by the worst angle."""
        linear, lines = self.linear[:], self.lines[:]
        for claim, power_w in taken:
            for row, per_w in claim.rows.linear:
                linear[row] -= power_w * per_w
            for subset, a_per_w in claim.rows.lines:
                lines[subset] -= power_w * abs(a_per_w)
        return Bounds(linear, lines, self.groups)


class Room:
    """What is left below every limit while powers are given out one after another.

    Lines are looked at only when they matter: `_safe_until[g]` is the total of powers given out, to anybody, up to
    which certainly no line that group g loads is full.
    """

    __slots__ = (
        "_free",
        "_full",
        "_given_w",
        "_group_w",
        "_groups",
        "_last",
        "_last_subset",
        "_line_bound",
        "_safe_until",
    )

    def __init__(self, bounds: Bounds) -> None:
        self._free = bounds.linear[:]
        self._line_bound = bounds.lines
        self._groups = bounds.groups
        self._group_w = [0.0] * len(bounds.groups)
        self._given_w = 0.0
        self._safe_until = bounds.groups.safe_w(bounds.lines)
        self._full: dict[int, int] = {}
        self._last = (UNBOUND, 0.0)
        self._last_subset = UNBOUND

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
        group = claim.rows.line_group
        if group >= 0 and self._given_w + fits_w > self._safe_until[group]:
            line_w, subset = self._line_headroom(group, fits_w)
            if subset != UNBOUND:
                fits_w, binding = line_w, len(free) + subset
        return (fits_w, binding) if fits_w > 0.0 else (0.0, binding)

    def take(self, claim: Claim, power_w: float) -> None:
        """Give a power to a claim; negative gives it back."""
        free = self._free
        for row, per_w in claim.rows.linear:
            free[row] -= power_w * per_w
        group = claim.rows.line_group
        if group >= 0:
            self._group_w[group] += power_w
            self._given_w += abs(power_w)
            if power_w < 0.0:
                self._full.clear()
            elif self._last == (group, power_w):
                self._fill(self._last_subset)

    def excess(self, rows: Rows | None = None) -> tuple[float, int]:
        """The largest amount by which a row is exceeded (in the row's unit; negative when none is), and the row.

        Of all rows, or of those that one session loads.
        """
        over = dict(enumerate(-free for free in self._free))
        for subset, total in enumerate(self._groups.sums(self._group_w)):
            over[len(self._free) + subset] = abs(total) - self._line_bound[subset]
        if rows is not None:
            loaded = [row for row, _ in rows.linear] + [len(self._free) + subset for subset, _ in rows.lines]
            over = {row: over[row] for row in loaded}
        row = max(over, key=over.__getitem__)
        return over[row], row

    def _line_headroom(self, group: int, wanted_w: float) -> tuple[float, int]:
        """How much more a group of outlets may draw by the lines, and the subset that allows no more."""
        if group in self._full:
            return 0.0, self._full[group]
        groups, group_w, bounds = self._groups, self._group_w, self._line_bound
        fits_w, binding, slack_w = wanted_w, UNBOUND, inf
        for subset, a_per_w in groups.terms[group]:
            total = 0j  # not `groups.total`: this is where a simulation of a large delta-wired site spends its time
            for member, member_a_per_w in groups.members[subset]:
                total += member_a_per_w * group_w[member]
            left_w = (bounds[subset] - abs(total)) / groups.largest[subset]
            slack_w = min(slack_w, left_w)
            if fits_w > left_w and abs(total + a_per_w * fits_w) > bounds[subset]:
                fits_w, binding = _crossing_w(total, a_per_w, bounds[subset]), subset
        self._safe_until[group] = self._given_w + slack_w
        if binding != UNBOUND:
            self._last, self._last_subset = (group, fits_w), binding
        return fits_w, binding

    def _fill(self, subset: int) -> None:
        """A line subset is full: whoever could only raise it further gets nothing more."""
        total = self._groups.total(subset, self._group_w)
        for group, a_per_w in self._groups.members[subset]:
            if total.real * a_per_w.real + total.imag * a_per_w.imag > 0.0:
                self._full.setdefault(group, subset)


def _crossing_w(total: complex, a_per_w: complex, bound_a: float) -> float:
    """Largest power for which |total + a_per_w * power| stays within a bound: the root of a quadratic."""
    if bound_a <= 0.0:  # its square would be as good as that of a current
        return 0.0
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
    """The name of a binding row: a limit of the tree, a line, `turn`, `plan`, or `vehicle` if nothing holds it back."""
    if row in _WORDS:
        return _WORDS[row]
    linear = tree.row_count
    return tree.name_of(row) if row < linear else tree.line_name_of(row - linear)


def certainly_fit(bounds: Bounds, claims: Sequence[Claim], powers_w: Sequence[float]) -> bool:
    """Whether powers fit below every bound, whatever part of them is drawn."""
    free = bounds.linear[:]
    group_w = [0.0] * len(bounds.groups)
    for claim, power_w in zip(claims, powers_w, strict=True):
        rows = claim.rows
        for row, per_w in rows.linear:
            free[row] -= power_w * per_w
        if rows.line_group >= 0:
            group_w[rows.line_group] += power_w
    if min(free) < 0.0:
        return False
    if not group_w or sum(group_w) <= min(bounds.groups.safe_w(bounds.lines)):
        return True
    sums = bounds.groups.sums(group_w)
    return all(abs(total) <= bound for total, bound in zip(sums, bounds.lines, strict=True))
