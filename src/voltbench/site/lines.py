"""Lines of delta-wired sites: currents that are sums of phasors, and the sets of outlets that bound the worst case."""

from __future__ import annotations

from cmath import phase
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, isfinite, pi

from voltbench.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class LineLimit:
    """A ceiling on a line current that is a sum of phasors, in A.

    `terms` gives, for each outlet that loads the line, the line's current phasor per ampere of the outlet's current:
    its size is the share (a transformer's ratio), its angle that of the outlet's current.
    """

    id: str
    limit_a: float
    terms: Mapping[str, complex]

    def __post_init__(self) -> None:
        if not (isfinite(self.limit_a) and self.limit_a >= 0):
            raise InvalidInput("limit_a", "is not a current", found=self.limit_a, allowed="0 or more")


class LineGroups:
    """The line subsets, and how groups of outlets that load them alike load them.

    `terms[g]` holds (subset, A per W) of group g; `members[s]` holds (group, A per W) of subset s; `largest[s]` is the
    largest size of a coefficient in it.
    """

    def __init__(
        self, group_of: dict[str, int], terms: tuple[tuple[tuple[int, complex], ...], ...], bounds: list[float]
    ) -> None:
        self.group_of = group_of
        self.terms = terms
        self.bounds = bounds
        self.members: list[list[tuple[int, complex]]] = [[] for _ in bounds]
        for group, loaded in enumerate(terms):
            for subset, a_per_w in loaded:
                self.members[subset].append((group, a_per_w))
        self.largest = [max((abs(c) for _, c in loads), default=0.0) for loads in self.members]
        self._safe: tuple[list[float], list[float]] = ([], [])

    def __len__(self) -> int:
        return len(self.terms)

    def safe_w(self, bounds: list[float]) -> list[float]:
        """For each group a total power, over everybody, up to which no line it loads can be full."""
        if self._safe[0] != bounds:
            rest_w = [bound / largest for bound, largest in zip(bounds, self.largest, strict=True)]
            self._safe = (bounds, [min(rest_w[subset] for subset, _ in terms) for terms in self.terms])
        return self._safe[1][:]

    def total(self, subset: int, group_w: Sequence[float]) -> complex:
        """The phasor sum of a subset, in A, when the groups draw so many W."""
        total = 0j
        for group, a_per_w in self.members[subset]:
            total += a_per_w * group_w[group]
        return total

    def sums(self, group_w: Sequence[float]) -> list[complex]:
        """The phasor sum of every subset, in A, when the groups draw so many W."""
        return [self.total(subset, group_w) for subset in range(len(self.members))]


def worst_case_subsets(line: LineLimit) -> list[tuple[str, frozenset[str]]]:
    """The sets of outlets among which the worst case of a line current is found, whatever is drawn.

    The largest |sum of a subset| is reached by all phasors within a quarter turn of some direction. Sets whose
    addition can only raise a larger one (all of whose phasors are within a quarter turn of each other) are left out.
    """
    direction = {outlet: round(phase(term), 9) for outlet, term in line.terms.items() if term != 0}
    distinct = angles(line)
    turns = sorted({(a + quarter) % (2 * pi) for a in distinct for quarter in (pi / 2, -pi / 2)})
    middles = [(a + b) / 2 for a, b in pairwise([*turns, turns[0] + 2 * pi])] if turns else []
    seen = {frozenset(a for a in distinct if cos(a - middle) > 1e-9) for middle in middles}
    needed = [s for s in seen if s and not any(s < other and _all_acute(other) for other in seen)]
    ordered = sorted(needed, key=lambda s: (-len(s), sorted(s)))
    return [(line.id, frozenset(o for o, a in direction.items() if a in subset)) for subset in ordered]


def angles(line: LineLimit) -> list[float]:
    """The directions a line is loaded in."""
    return sorted({round(phase(term), 9) for term in line.terms.values() if term != 0})


def _all_acute(directions: frozenset[float]) -> bool:
    return all(cos(a - b) > -1e-9 for a in directions for b in directions)
