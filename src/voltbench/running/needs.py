"""What sessions need of a plan, and the limits that they share, in W as the planner has them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.claim import Claim
from voltbench.energy.plan import PlannedCar
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND, DurationMs, Instant
from voltbench.running.bay import Bay
from voltbench.running.foresight import Outlook
from voltbench.site.limits import LimitTree

Floats = NDArray[np.float64]

SPARE_MS: DurationMs = 15 * MS_PER_MINUTE
"""How long before its departure a car is to be ready, where it has the time: what a plan did not foresee may last."""

LEAST_WH = 1.0
"""Less than this is not worth a plan."""

_ROUNDED_W = 1.0


@dataclass(frozen=True, slots=True)
class Need:
    """What a session needs until an instant, and the most it draws until then.

    A pack that fills up takes ever less, and what it was held to before is not won back. So `most_w` is what it takes
    now, and `ready_by` is earlier by what its taper lasts longer: what is left at any time it can then still have by
    its departure. `is_late` says that it cannot have all, whatever is left to it.
    """

    claim: Claim
    needed_wh: float
    most_w: float
    ready_by: Instant
    is_late: bool = False

    def car(self, now: Instant, circuit: str | None) -> PlannedCar:
        """The same in the planner's words. Minimum powers are seen to where it is shared: by turns."""
        claim = self.claim
        return PlannedCar(
            claim.id, now, self.ready_by, self.needed_wh, self.most_w, circuit=circuit, priority=claim.priority
        )


def need_of(now: Instant, bay: Bay, ends_at: Instant | None) -> Need | None:
    """What a session needs by its departure, or by the end of the story; None where it should just charge."""
    departs_at = bay.session.departs_at
    if departs_at is None:
        return None
    departs_at = min(departs_at, ends_at) if ends_at is not None else departs_at
    needed_wh = bay.session.needed_wh(now)
    rated_w = min(bay.session.ceiling_w, bay.ceiling_w())
    if departs_at - now < MS_PER_SECOND or not LEAST_WH < needed_wh < np.inf or rated_w <= 0.0:
        return None
    least_ms = max(needed_wh / rated_w * MS_PER_HOUR, bay.session.quickest_s(now) * MS_PER_SECOND)
    if not isfinite(least_ms) or now + least_ms >= departs_at:
        return Need(bay.claim, min(needed_wh, rated_w * (departs_at - now) / MS_PER_HOUR), rated_w, departs_at, True)
    most_w = max(needed_wh / least_ms * MS_PER_HOUR, min(rated_w, bay.session.demand_w(now)))
    untapered_ms = needed_wh / most_w * MS_PER_HOUR
    ready_by = departs_at - SPARE_MS - (least_ms - untapered_ms)
    return Need(bay.claim, needed_wh, most_w, max(int(ready_by), now + int(untapered_ms) + 1))


class Shared(NamedTuple):
    """A limit in each slot, which sessions are below it, and how many connectors below it are free."""

    limit_w: Floats
    members: list[bool]
    free: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Power that is left for sessions in each slot: at the site, and in its circuits; `circuit_of` names each one's.

    `free` says how many connectors nobody occupies: of the site, and of each circuit.
    """

    site_w: Floats
    circuits_w: dict[str, Floats]
    circuit_of: list[str | None]
    free: int
    circuits_free: dict[str, int]

    def less(self, drawn_w: Floats) -> Limits:
        """What is left beside these powers (sessions x slots)."""
        circuits_w = {name: limit_w - drawn_w[self._in(name)].sum(axis=0) for name, limit_w in self.circuits_w.items()}
        return replace(self, site_w=self.site_w - drawn_w.sum(axis=0), circuits_w=circuits_w)

    def below(self, site_w: Floats) -> Limits:
        """The same with no more than so much at the site."""
        return replace(self, site_w=np.minimum(self.site_w, site_w))

    def shared(self) -> list[Shared]:
        """Each limit by itself."""
        circuits = [
            Shared(limit_w, self._in(name), self.circuits_free[name]) for name, limit_w in self.circuits_w.items()
        ]
        return [Shared(self.site_w, [True] * len(self.circuit_of), self.free), *circuits]

    @property
    def are_kept(self) -> bool:
        """Whether nothing is taken that is not there."""
        return all(float(left_w.min()) >= -_ROUNDED_W for left_w in (self.site_w, *self.circuits_w.values()))

    def have_room_for(self, drawn_w: Floats) -> NDArray[np.bool_]:
        """In which slots these powers fit."""
        left = self.less(drawn_w)
        fits = left.site_w >= -_ROUNDED_W
        for left_w in left.circuits_w.values():
            fits &= left_w >= -_ROUNDED_W
        return fits

    def _in(self, name: str) -> list[bool]:
        return [circuit == name for circuit in self.circuit_of]


def limits_of(tree: LimitTree, outlook: Outlook, needs: Sequence[Need], occupied: Collection[str]) -> Limits:
    """The limits of a tree as the planner has them: one for the site, and for each session the tightest of the others.

    What a limit in A per phase allows in W depends on who draws it: it is taken for the mix of those who are there, by
    their energies. The plan may be mistaken in that; what is allocated keeps every limit.
    """
    free = [{row for row, _ in tree.rows_of(outlet).linear} for outlet in tree.outlets if outlet not in occupied]
    site_w = np.full(len(outlook.hours), np.inf)
    for row, per_w in tree.root_rows:
        mean = _mean(row, needs)
        if mean > 0.0:
            site_w = np.minimum(site_w, (outlook.bounds[row] - outlook.background_w * per_w) / mean)
    tightest = _tightest(tree, outlook, needs)
    circuits_w, circuits_free = {}, {}
    for row in sorted({row for row in tightest if row is not None}):
        members = [need for need, own in zip(needs, tightest, strict=True) if own == row]
        circuits_w[tree.name_of(row)] = np.maximum(0.0, outlook.bounds[row] / _mean(row, members))
        circuits_free[tree.name_of(row)] = sum(row in rows for rows in free)
    circuit_of = [tree.name_of(row) if row is not None else None for row in tightest]
    return Limits(np.maximum(0.0, site_w), circuits_w, circuit_of, len(free), circuits_free)


def _tightest(tree: LimitTree, outlook: Outlook, needs: Sequence[Need]) -> list[int | None]:
    """The row that limits each session the most, beside the site's; None where it can be no limit."""
    load: dict[int, float] = {}
    for need in needs:
        for row, per_w in need.claim.rows.linear:
            load[row] = load.get(row, 0.0) + need.most_w * per_w
    least, sites = outlook.bounds.min(axis=1).tolist(), _of_everybody(tree, needs)
    part = {row: least[row] / load_a for row, load_a in load.items() if row not in sites and least[row] < load_a}
    own = ([row for row, _ in need.claim.rows.linear if row in part] for need in needs)
    return [min(rows, key=part.__getitem__, default=None) for rows in own]


def _of_everybody(tree: LimitTree, needs: Sequence[Need]) -> Collection[int]:
    """The rows of the grid connection that everybody loads alike: they are the site's limit."""
    every = [dict(need.claim.rows.linear) for need in needs]
    return {row for row, _ in tree.root_rows if len({rows.get(row, 0.0) for rows in every}) == 1}


def _mean(row: int, needs: Sequence[Need]) -> float:
    """What a watt of these sessions does to a row, on average of their energies."""
    total_wh = sum(need.needed_wh for need in needs)
    return sum(need.needed_wh * dict(need.claim.rows.linear).get(row, 0.0) for need in needs) / total_wh
