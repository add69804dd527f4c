"""The plan that a site follows while sessions come and go: when each charges, and when that is thought over.

It is thought over when a session comes, when one goes or has enough while another lacks something, when prices become
known, when limits or prices change otherwise than foreseen, when a session is not where its plan has it, and every
hour. What was planned stays unless it no longer serves, or another plan is clearly cheaper. A plan only ever lowers
what a session may draw; no limit depends on it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from math import inf

import numpy as np

from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, DurationMs, Instant, earliest
from voltbench.running.bay import Bay
from voltbench.running.courses import Course, in_their_order
from voltbench.running.drafts import Setting, agrees
from voltbench.running.foresight import SLOT_MS, Foresight, Outlook
from voltbench.running.needs import limits_of, need_of
from voltbench.running.newcomers import Newcomers
from voltbench.running.peak_meter import PeakMeter
from voltbench.site.limits import LimitTree
from voltbench.site.tariff import Tariff

AFRESH_MS: DurationMs = MS_PER_HOUR
"""How often it is thought over at least."""

SOON_MS: DurationMs = MS_PER_MINUTE
"""How long it stands at least, if nothing happens that nobody planned."""


class RollingPlan:
    """When the sessions of a site charge, as it is known now. `occupied` are connectors at which nobody can come."""

    def __init__(self, tree: LimitTree, foresight: Foresight, occupied: Mapping[str, Bay]) -> None:
        self._tree = tree
        self._occupied = occupied
        self._foresight = foresight
        self._newcomers = Newcomers()
        self._peak_meter = PeakMeter(foresight.balance)
        self._courses: dict[str, Course] = {}
        self._present: list[str] = []
        self._steps: list[Instant] = []
        self._held_until: Instant | None = None
        self._planned_at: Instant = 0
        self._looks_at: Instant = 0
        self._news_at: Instant | None = None
        self._is_stale = True

    def overturn(self, tariff: Tariff | None = None, known_until: Instant | None = None) -> None:
        """Limits or loads are not what they were taken to be, or prices: these are the new ones, known until then."""
        self._is_stale = True
        if tariff is not None:
            self._foresight.prices_are(tariff, known_until)

    def follow(self, now: Instant, bays: Sequence[Bay]) -> None:
        """Hold sessions to what their plan has for them now; think it over where that is due."""
        if self._peak_meter.matters(self._foresight.tariff):
            self._peak_meter.note(now, bays, self._foresight.tariff)
        self._is_stale |= self._news_at is not None and now >= self._news_at
        present = [bay.session.id for bay in bays]
        if self._is_due(now, bays, present):
            self._think_over(now, bays)
            self._present = present
        elif self._held_until is None or now < self._held_until:
            return
        self._hold(now, bays)
        self._held_until = self._next_step(now)

    def next_wakeup(self, now: Instant) -> Instant | None:
        """When a session's power changes next by the plan, one should look how far they are, or prices are told."""
        return earliest(self._next_step(now), self._looks_at, self._news_at) if self._courses else None

    def _hold(self, now: Instant, bays: Sequence[Bay]) -> None:
        planned = [bay for bay in bays if bay.session.id in self._courses]
        courses = [self._courses[bay.session.id] for bay in planned]
        for bay in bays:
            bay.held_w = bay.claim.planned_w = inf
        for bay, course in zip(planned, courses, strict=True):
            course.hold(now, bay)
        in_their_order(now, planned, courses)

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
        return not agrees(left_wh, needed_wh) and not (course.is_short and left_wh < needed_wh)

    # --- thinking it over --------------------------------------------------------------------------------------------

    def _think_over(self, now: Instant, bays: Sequence[Bay]) -> None:
        afresh = self._is_stale or now - self._planned_at >= AFRESH_MS
        if afresh:
            self._planned_at, self._is_stale = now, False
        self._newcomers.see(now, bays, {bay.session.id for bay in self._occupied.values()})
        found = [(bay, need_of(now, bay, self._foresight.ends_at)) for bay in bays]
        needs = [need for _, need in found if need is not None]
        before, self._courses, self._news_at = self._courses, {}, None
        if needs:
            until = max(need.ready_by for need in needs)
            outlook, self._news_at = self._foresight.outlook(now, until), self._foresight.news_at(now, until)
            outlook = _beside(outlook, self._tree, now, [bay for bay, need in found if need is None])
            limits = limits_of(self._tree, outlook, needs, self._occupied)
            peak = self._peak_meter.terms(self._foresight.tariff, outlook)
            setting = Setting(now, outlook, limits, needs, self._newcomers.expected(), peak)
            self._courses = setting.courses(setting.chosen(before, afresh), before)
        self._steps = sorted({at for course in self._courses.values() for at in course.instants})
        self._look_again(now)

    def _look_again(self, now: Instant) -> None:
        """Look how far sessions are when the next slot begins, or where one should have enough."""
        ends = [max(course.ends_at, now + SOON_MS) for course in self._courses.values() if course.ends_at > now]
        self._looks_at = min([(now // SLOT_MS + 1) * SLOT_MS, *ends])


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
