"""The plan that a site follows while sessions come and go: when each charges, and when that is thought over.

It is thought over when a session comes, when one goes or has enough while another lacks something, when limits or
prices change otherwise than foreseen, when a session is not where its plan has it, and every hour. What was planned
stays unless it no longer serves, or another plan is clearly cheaper. A plan only ever lowers what a session may draw;
no limit depends on it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.plan import plan
from voltbench.energy.steps import settable, step_below
from voltbench.quantities import MS_PER_HOUR, DurationMs, Instant
from voltbench.running.bay import Bay
from voltbench.running.foresight import SLOT_MS, Foresight, Outlook
from voltbench.running.needs import LEAST_WH, Limits, Need, limits_of, need_of
from voltbench.site.limits import LimitTree
from voltbench.site.sampling import Integers
from voltbench.site.tariff import Tariff

Floats = NDArray[np.float64]
AFRESH_MS: DurationMs = MS_PER_HOUR
"""How often it is thought over at least."""

HYSTERESIS = 0.01
"""What another plan has to save at least, of what all energies would cost at the dearest."""

EXACT_UP_TO = 12
"""Sessions up to which no plan is cheaper; beyond, one that costs a little more is found sooner."""

KEPT_FREE = (1.0, 0.5, 0.0)
"""How much of what should be kept for who may come is kept; less, where somebody who is there would lack something."""

_FULL = 0.999
_ASTRAY, _ASTRAY_WH = 0.02, 50.0
"""How far a session may be from where its plan has it."""


@dataclass(frozen=True, slots=True)
class Course:
    """One session's part of the plan: its power from each instant on, which is nothing in the end.

    Once it is over, and where it is short, it holds nobody back.
    """

    steps: list[tuple[Instant, float]]
    most_w: float
    ready_by: Instant
    is_short: bool
    instants: list[Instant] = field(init=False)
    total_wh: Floats = field(init=False)

    def __post_init__(self) -> None:
        instants, powers_w = [at for at, _ in self.steps], np.array([power_w for _, power_w in self.steps])
        lengths_ms = np.diff(np.array(instants, dtype=np.float64))
        object.__setattr__(self, "instants", instants)
        object.__setattr__(
            self, "total_wh", np.concatenate(([0.0], np.cumsum(powers_w[:-1] * lengths_ms))) / MS_PER_HOUR
        )

    @property
    def ends_at(self) -> Instant:
        """When it has drawn all that was planned."""
        return self.instants[-1]

    def energy_wh(self, edges: Integers) -> Floats:
        """The energy in each of some slots."""
        return np.diff(np.interp(edges, self.instants, self.total_wh))

    def left_wh(self, now: Instant) -> float:
        """What is still to come."""
        return float(self.total_wh[-1] - np.interp(now, self.instants, self.total_wh))

    def hold(self, now: Instant, bay: Bay) -> None:
        """Let a session draw what its plan has for it, or more where it is short, or where it should charge at full."""
        power_w = self.steps[max(0, bisect_right(self.instants, now) - 1)][1]
        is_free = self.is_short or power_w >= self.most_w * _FULL or now >= self.ready_by
        bay.held_w = inf if is_free else settable(bay.claim, step_below(bay.claim, power_w + bay.claim.step_w / 2))
        bay.claim.planned_w = power_w if is_free and now < self.ends_at else inf


@dataclass(frozen=True, slots=True)
class _Draft:
    """A plan that may be followed: energies (sessions x slots), whose are kept, who is short, what is lacking, cost.

    `taken` says how much it takes of what should be kept for who may come: its place in `KEPT_FREE`.
    """

    energy_wh: Floats
    is_kept: list[bool]
    is_short: list[bool]
    lacking_wh: float
    taken: int
    cost: float


class RollingPlan:
    """When the sessions of a site charge, as it is known now. `occupied` are connectors at which nobody can come."""

    def __init__(self, tree: LimitTree, foresight: Foresight, occupied: Collection[str]) -> None:
        self._tree = tree
        self._occupied = occupied
        self._foresight = foresight
        self._courses: dict[str, Course] = {}
        self._present: list[str] = []
        self._steps: list[Instant] = []
        self._held_until: Instant | None = None
        self._planned_at: Instant = 0
        self._looks_at: Instant = 0
        self._is_stale = True

    def overturn(self, tariff: Tariff | None = None, known_until: Instant | None = None) -> None:
        """Limits or loads are not what they were taken to be, or prices: these are the new ones, known until then."""
        self._is_stale = True
        if tariff is not None:
            self._foresight.tariff, self._foresight.known_until = tariff, known_until

    def follow(self, now: Instant, bays: Sequence[Bay]) -> None:
        """Hold sessions to what their plan has for them now; think it over where that is due."""
        present = [bay.session.id for bay in bays]
        if self._is_due(now, bays, present):
            self._think_over(now, bays)
            self._present = present
        elif self._held_until is None or now < self._held_until:
            return
        for bay in bays:
            course = self._courses.get(bay.session.id)
            if course is not None:
                course.hold(now, bay)
            else:
                bay.held_w = bay.claim.planned_w = inf
        self._held_until = self._next_step(now)

    def next_wakeup(self, now: Instant) -> Instant | None:
        """When a session's power changes next by the plan, or somebody should look how far they are."""
        if not self._courses:
            return None
        step = self._next_step(now)
        return self._looks_at if step is None else min(step, self._looks_at)

    def _next_step(self, now: Instant) -> Instant | None:
        at = bisect_right(self._steps, now)
        return self._steps[at] if at < len(self._steps) else None

    # --- when to think it over ---------------------------------------------------------------------------------------

    def _is_due(self, now: Instant, bays: Sequence[Bay], present: list[str]) -> bool:
        if self._is_stale or (present != self._present and not self._only_left(present)):
            return True
        if not self._courses or now < self._looks_at:
            return False
        self._look_again(now)
        return now - self._planned_at >= AFRESH_MS or any(self._is_astray(now, bay) for bay in bays)

    def _only_left(self, present: list[str]) -> bool:
        """Whether some have gone or have enough, and nobody lacks the room they had; then they are dropped."""
        lacks = any(course.is_short for course in self._courses.values())
        if lacks or not set(present) < set(self._present):
            return False
        self._courses = {id: self._courses[id] for id in present if id in self._courses}
        self._present = present
        return True

    def _is_astray(self, now: Instant, bay: Bay) -> bool:
        """Whether a session is not where its plan has it: far behind or ahead, or at its end without having enough."""
        course = self._courses.get(bay.session.id)
        if course is None:
            return False
        needed_wh, left_wh = bay.session.needed_wh(now), course.left_wh(now)
        return not _agrees(left_wh, needed_wh) and not (course.is_short and left_wh < needed_wh)

    # --- thinking it over --------------------------------------------------------------------------------------------

    def _think_over(self, now: Instant, bays: Sequence[Bay]) -> None:
        afresh = self._is_stale or now - self._planned_at >= AFRESH_MS
        if afresh:
            self._planned_at, self._is_stale = now, False
        ends_at = self._foresight.ends_at
        found = [(bay, need_of(now, bay, ends_at)) for bay in bays]
        needs = [need for _, need in found if need is not None]
        before, self._courses = self._courses, {}
        if needs:
            outlook = self._foresight.outlook(now, max(need.ready_by for need in needs))
            outlook = _beside(outlook, self._tree, now, [bay for bay, need in found if need is None])
            limits = limits_of(self._tree, outlook, needs, self._occupied)
            chosen = _chosen(now, outlook, limits, needs, before, afresh)
            self._courses = _courses(outlook, limits, needs, chosen, before)
        self._steps = sorted({at for course in self._courses.values() for at in course.instants})
        self._look_again(now)

    def _look_again(self, now: Instant) -> None:
        """Look how far sessions are when the next slot begins, or where one should have enough."""
        ends = [course.ends_at for course in self._courses.values() if course.ends_at > now]
        self._looks_at = min([(now // SLOT_MS + 1) * SLOT_MS, *ends])


def _chosen(
    now: Instant,
    outlook: Outlook,
    limits: Limits,
    needs: Sequence[Need],
    before: Mapping[str, Course],
    afresh: bool,
) -> _Draft:
    """The plan as it was, with what has to be added, unless a new one serves better or is clearly cheaper.

    A cheaper one is only looked for `afresh`.
    """
    kept = _still_good(outlook, needs, before)
    is_possible = kept.any() and limits.less(kept / outlook.hours).are_kept
    patched = _drafted(now, outlook, limits, needs, kept) if is_possible else None
    if patched is not None and not afresh and patched.lacking_wh <= LEAST_WH:
        return patched
    fresh = _drafted(now, outlook, limits, needs, np.zeros_like(kept))
    if patched is None:
        return fresh
    dearest = max(np.abs(outlook.price_per_kwh).max(), np.abs(outlook.surplus_price_per_kwh).max())
    least_saving = HYSTERESIS * float(dearest) * sum(need.needed_wh for need in needs) / 1e3
    serves = patched.lacking_wh <= fresh.lacking_wh + LEAST_WH and patched.taken <= fresh.taken
    return patched if serves and patched.cost <= fresh.cost + least_saving else fresh


def _still_good(outlook: Outlook, needs: Sequence[Need], before: Mapping[str, Course]) -> Floats:
    """What is left of the plans of sessions that still get by them what they need, in time; nothing of others."""
    kept = np.zeros((len(needs), len(outlook.hours)))
    for i, need in enumerate(needs):
        course = before.get(need.claim.id)
        if course is not None and not course.is_short and course.ends_at <= need.ready_by:
            energy_wh = np.minimum(course.energy_wh(outlook.edges), need.most_w * outlook.hours)
            if _agrees(float(energy_wh.sum()), need.needed_wh):
                kept[i] = energy_wh
    return kept


def _drafted(now: Instant, outlook: Outlook, limits: Limits, needs: Sequence[Need], kept: Floats) -> _Draft:
    """The cheapest plan for those whose energies are not kept, beside those that are.

    It leaves room for who may come, unless somebody who is there would lack something.
    """
    powers_w, others = kept / outlook.hours, np.flatnonzero(~kept.any(axis=1)).tolist()
    energy_wh, is_short, lacking_wh = kept.copy(), [need.is_late for need in needs], 0.0
    beside, taken = outlook.less(powers_w.sum(axis=0)), -1
    for kept_free in KEPT_FREE:
        taken += 1
        left = limits.less(powers_w, kept_free)
        if not left.are_kept and kept_free:
            continue
        if others:
            horizon, slot = beside.horizon(left.site_w, left.circuits_w, sum(needs[i].most_w for i in others))
            cars = [needs[i].car(now, limits.circuit_of[i]) for i in others]
            found = plan(horizon, cars, exact=len(cars) <= EXACT_UP_TO)
            lacking_wh = found.shortfall_wh
            for i, of in zip(others, found.schedules, strict=True):
                energy_wh[i] = np.bincount(slot, weights=of.energy_wh, minlength=len(outlook.hours))
                is_short[i] = needs[i].is_late or of.shortfall_wh > LEAST_WH
        if lacking_wh <= LEAST_WH:
            break
    return _Draft(
        energy_wh, [bool(row.any()) for row in kept], is_short, lacking_wh, taken, outlook.cost(energy_wh.sum(axis=0))
    )


def _courses(
    outlook: Outlook, limits: Limits, needs: Sequence[Need], draft: _Draft, before: Mapping[str, Course]
) -> dict[str, Course]:
    """The draft as powers over time: at full where everybody who charges in a slot can, else evenly through it."""
    full_w = np.where(draft.energy_wh > LEAST_WH, np.array([need.most_w for need in needs])[:, None], 0.0)
    all_w = full_w.sum(axis=0)
    at_full = limits.have_room_for(full_w) & ((outlook.surplus_w <= 0.0) | (all_w <= outlook.surplus_w))
    return {
        need.claim.id: before[need.claim.id]
        if draft.is_kept[i]
        else Course(_steps(outlook, need, draft.energy_wh[i], at_full), need.most_w, need.ready_by, draft.is_short[i])
        for i, need in enumerate(needs)
    }


def _steps(outlook: Outlook, need: Need, energy_wh: Floats, at_full: NDArray[np.bool_]) -> list[tuple[Instant, float]]:
    """A session's powers: even within a slot, but where it begins or ends, and all can charge at full, at full.

    What fills a part of a slot then lies next to the charging after or before it.
    """
    edges, used = outlook.edges.tolist(), np.flatnonzero(energy_wh > LEAST_WH).tolist()
    steps, busy = {edges[0]: 0.0}, set(used)
    for slot in used:
        begins_at, ends_at = edges[slot], min(edges[slot + 1], need.ready_by)
        even_w = float(energy_wh[slot]) * MS_PER_HOUR / (ends_at - begins_at)
        is_edge = slot - 1 not in busy or slot + 1 not in busy
        power_w = max(even_w, min(need.most_w, inf if at_full[slot] and is_edge else need.claim.minimum_w))
        lasts_ms = min(ends_at - begins_at, ceil(float(energy_wh[slot]) / power_w * MS_PER_HOUR))
        at = ends_at - lasts_ms if slot + 1 in busy and slot - 1 not in busy else begins_at
        steps[at] = power_w
        steps[at + lasts_ms] = 0.0
    told = sorted(steps.items())
    return [step for i, step in enumerate(told) if i == 0 or step[1] != told[i - 1][1]]


# --- small parts ------------------------------------------------------------------------------------------------------


def _beside(outlook: Outlook, tree: LimitTree, now: Instant, bays: Iterable[Bay]) -> Outlook:
    """What is left beside sessions that just charge: at full from now on, until they have what they need."""
    roots = {row for row, _ in tree.root_rows}
    for bay in bays:
        power_w = bay.session.ceiling_w
        needed_wh = bay.session.needed_wh(now)
        if power_w > 0.0:
            before_wh = power_w * np.concatenate(([0.0], np.cumsum(outlook.hours)))
            drawn_w = np.diff(np.minimum(before_wh, needed_wh)) / outlook.hours
            for row, per_w in bay.claim.rows.linear:
                if row not in roots:
                    outlook.bounds[row] -= drawn_w * per_w
            outlook = outlook.less(drawn_w)
    return outlook


def _agrees(left_wh: float, needed_wh: float) -> bool:
    """Whether what is planned is about what is needed; some is planned as long as some is needed."""
    is_over = needed_wh > LEAST_WH >= left_wh
    return not is_over and abs(left_wh - needed_wh) <= max(_ASTRAY_WH, _ASTRAY * needed_wh)
