"""Plans that might be followed: the cheapest for those who are there, the more eager ones, and which is prudent.

Departures come first, those too of cars that may still come. So a plan may let cars wait for a better hour only as long
as nothing more is put at risk than if all charged at once: whatever the hour at which others come (`newcomers`),
nobody lacks more. Where the cheapest plan does not hold that, waiting is given a price, as low as will do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.plan import Horizon, plan
from voltbench.quantities import MS_PER_HOUR, Instant
from voltbench.running.courses import Course, stages_of
from voltbench.running.foresight import AT_ONCE, Outlook
from voltbench.running.golden_section import golden_section
from voltbench.running.needs import LEAST_WH, Limits, Need
from voltbench.running.newcomers import Newcomer, Prospect
from voltbench.running.peak_terms import NO_CEILING, Ceiling, PeakTerms

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

HYSTERESIS = 0.01
"""What another plan has to save at least, of what all energies would cost at the dearest."""

EXACT_UP_TO = 12
"""Sessions up to which no plan is cheaper; beyond, one that costs a little more is found sooner."""

AT_RISK_WH = 50.0
"""So much more may be lacking if others come: less than what they need is uncertain by."""

_ASTRAY, _ASTRAY_WH = 0.02, 50.0
"""How far a session may be from where its plan has it."""

_WAITING = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
_LEVELLED = (0.0, 0.03, 0.3)


class Haste(NamedTuple):
    """How eager a plan is: what an hour of `waiting` costs, as part of the dearest price, and how high it may peak."""

    waiting: float
    ceiling: Ceiling


NO_WAITING = Haste(AT_ONCE, NO_CEILING)


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan that may be followed: energies (sessions x slots), whose are kept, who is short, what is lacking, cost.

    `is_open` says where a session may take more than is planned, since what it then has left to draw costs as much.
    """

    energy_wh: Floats
    is_open: Flags
    is_kept: list[bool]
    is_short: list[bool]
    lacking_wh: float
    cost: float
    ceiling: Ceiling
    limits: Limits
    is_level: bool


@dataclass(frozen=True)
class Setting:
    """What a plan is made for: who is there and needs what, below which limits, at which prices, and who may come."""

    now: Instant
    outlook: Outlook
    limits: Limits
    needs: Sequence[Need]
    newcomer: Newcomer | None
    peak: PeakTerms | None

    # --- which is followed -------------------------------------------------------------------------------------------

    def chosen(self, before: Mapping[str, Course], afresh: bool) -> Draft:
        """The plan as it was, with what has to be added, unless a new one serves better or is clearly cheaper.

        A cheaper one is only looked for `afresh`.
        """
        patched = self._patched(before)
        if patched is not None and not afresh and patched.lacking_wh <= LEAST_WH:
            return patched
        fresh = self._prudent()
        if patched is None or patched.lacking_wh > fresh.lacking_wh + LEAST_WH:
            return fresh
        dearest = max(np.abs(self.outlook.price_per_kwh).max(), np.abs(self.outlook.surplus_price_per_kwh).max())
        least_saving = HYSTERESIS * float(dearest) * sum(need.needed_wh for need in self.needs) / 1e3
        return patched if patched.cost <= fresh.cost + least_saving else fresh

    def courses(self, draft: Draft, before: Mapping[str, Course]) -> dict[str, Course]:
        """The draft as powers over time: at full where all who charge in a slot can, else evenly through it."""
        full_w = np.where(draft.energy_wh > LEAST_WH, np.array([need.most_w for need in self.needs])[:, None], 0.0)
        surplus_w = self.outlook.surplus_w
        at_full = draft.limits.have_room_for(full_w) & ((surplus_w <= 0.0) | (full_w.sum(axis=0) <= surplus_w))
        return {
            need.claim.id: before[need.claim.id]
            if draft.is_kept[i]
            else Course(
                stages_of(self.outlook.edges, need, draft.energy_wh[i], at_full, draft.is_open[i]),
                inf if draft.is_level else need.most_w,
                need.ready_by,
                draft.is_short[i],
            )
            for i, need in enumerate(self.needs)
        }

    def _patched(self, before: Mapping[str, Course]) -> Draft | None:
        """What was planned, and beside it the cheapest for the others; None where that is no prudent plan."""
        kept = self._still_good(before)
        if not kept.any() or not self.limits.less(kept / self.outlook.hours).are_kept:
            return None
        patched = self._levelled(kept)
        return patched if self._is_prudent(patched) else None

    def _still_good(self, before: Mapping[str, Course]) -> Floats:
        """What is left of the plans of sessions that still get by them what they need, in time; nothing of others."""
        kept = np.zeros((len(self.needs), len(self.outlook.hours)))
        for i, need in enumerate(self.needs):
            course = before.get(need.claim.id)
            if course is not None and not course.is_short and course.ends_at <= need.ready_by:
                energy_wh = np.minimum(course.energy_wh(self.outlook.edges), need.most_w * self.outlook.hours)
                if agrees(float(energy_wh.sum()), need.needed_wh):
                    kept[i] = energy_wh
        return kept

    # --- prudence ----------------------------------------------------------------------------------------------------

    def _prudent(self) -> Draft:
        """The cheapest plan; where it is not prudent, one that is as little more eager as may be."""
        cheapest = self._levelled(self._nothing)
        if self._is_prudent(cheapest):
            return cheapest
        hastes, found = self._hastes(cheapest), self._at_once
        low, high = 0, len(hastes)
        while high - low > 1:
            middle = (low + high) // 2
            draft = self._draft(self._nothing, hastes[middle])
            if self._is_prudent(draft):
                high, found = middle, draft
            else:
                low = middle
        return found

    def _hastes(self, cheapest: Draft) -> list[Haste]:
        """From the cheapest on ever more eager."""
        if self.peak is None:
            return [Haste(waiting, NO_CEILING) for waiting in _WAITING]
        counted_w = cheapest.ceiling.counted_w
        more_w = max(0.0, self.peak.counted_w(self.outlook, self._at_once.energy_wh) - counted_w)
        levelled = [Haste(waiting, cheapest.ceiling) for waiting in _LEVELLED]
        return levelled + [Haste(1.0, Ceiling(counted_w + part * more_w)) for part in (0.0, 0.3, 0.6, 1.0)]

    def _is_prudent(self, draft: Draft) -> bool:
        """Whether nothing more would be lacking than if all charged at once, whoever may come, and whenever."""
        if self._prospect is None:
            return True
        lacking_wh = self._prospect.lacking_wh(draft.energy_wh)
        return not lacking_wh.any() or bool((lacking_wh <= self._lacking_at_once_wh + AT_RISK_WH).all())

    @cached_property
    def _prospect(self) -> Prospect | None:
        if self.newcomer is None:
            return None
        return Prospect(self.outlook.edges, self.limits, self.needs, self.newcomer)

    @cached_property
    def _at_once(self) -> Draft:
        return self._draft(self._nothing, NO_WAITING)

    @cached_property
    def _lacking_at_once_wh(self) -> Floats:
        assert self._prospect is not None
        return self._prospect.lacking_wh(self._at_once.energy_wh)

    @property
    def _nothing(self) -> Floats:
        return np.zeros((len(self.needs), len(self.outlook.hours)))

    # --- drafting ----------------------------------------------------------------------------------------------------

    def _levelled(self, kept: Floats) -> Draft:
        """The cheapest plan, peak included, beside what is kept."""
        anyhow = self._draft(kept, Haste(0.0, NO_CEILING))
        if self.peak is None or all(anyhow.is_kept):
            return anyhow

        def levelled(ceiling: Ceiling) -> Draft:
            return self._draft(kept, Haste(0.0, ceiling))

        most_w = self.peak.counted_w(self.outlook, anyhow.energy_wh)
        if self.peak.over_w(self.outlook, anyhow.energy_wh) <= _LEVEL_W:
            return levelled(Ceiling(most_w))
        return _least(levelled, self.peak, most_w, anyhow.lacking_wh)

    def _draft(self, kept: Floats, haste: Haste) -> Draft:
        """The cheapest plan of such haste for those whose energies are not kept, beside those that are."""
        is_level, limits = self.peak is not None and haste != NO_WAITING, self.limits
        if self.peak is not None and haste.ceiling != NO_CEILING:
            limits = limits.below(self.peak.site_w(self.outlook, haste.ceiling))
        energy_wh, is_open = kept.copy(), np.zeros(kept.shape, dtype=np.bool_)
        short_wh, others = np.zeros(len(kept)), np.flatnonzero(~kept.any(axis=1))
        if len(others):
            kept_w = kept / self.outlook.hours
            left, beside = limits.less(kept_w), self.outlook.less(kept_w.sum(axis=0))
            energy_wh[others], is_open[others], short_wh[others] = self._planned(beside, left, others.tolist(), haste)
        of_peak = self.peak.cost(self.outlook, energy_wh) if self.peak is not None else 0.0
        return Draft(
            energy_wh,
            is_open & (not is_level),
            [bool(row.any()) for row in kept],
            [need.is_late or lacks_wh > LEAST_WH for need, lacks_wh in zip(self.needs, short_wh.tolist(), strict=True)],
            float(short_wh.sum()),
            self.outlook.cost(energy_wh.sum(axis=0)) + of_peak,
            haste.ceiling,
            limits,
            is_level,
        )

    def _planned(
        self, outlook: Outlook, limits: Limits, others: Sequence[int], haste: Haste
    ) -> tuple[Floats, Flags, Floats]:
        """What some sessions draw in each slot, where each may take more, and what each lacks."""
        needs, circuit_of = [self.needs[i] for i in others], [limits.circuit_of[i] for i in others]
        most_w = sum(need.most_w for need in needs)
        horizon, slot = outlook.horizon(limits.site_w, limits.circuits_w, most_w, haste.waiting)
        cars = [need.car(self.now, circuit) for need, circuit in zip(needs, circuit_of, strict=True)]
        found = plan(horizon, cars, exact=len(cars) <= EXACT_UP_TO)
        parts_wh = _in_turn(horizon, found.energy_wh, needs, circuit_of)
        drawn_wh = np.zeros((len(others), len(outlook.hours)))
        np.add.at(drawn_wh.T, slot, parts_wh.T)
        return drawn_wh, _open(horizon, slot, parts_wh), found.short_wh


def agrees(left_wh: float, needed_wh: float) -> bool:
    """Whether what is planned is about what is needed; some is planned as long as some is needed."""
    is_over = needed_wh > LEAST_WH >= left_wh
    return not is_over and abs(left_wh - needed_wh) <= max(_ASTRAY_WH, _ASTRAY * needed_wh)


def _in_turn(horizon: Horizon, energy_wh: Floats, needs: Sequence[Need], circuit_of: Sequence[str | None]) -> Floats:
    """As much in every slot, at the same cost, but first those who have to begin first; if nobody loses by it."""
    edges = np.array(horizon.edges)
    begins_by = [need.ready_by - need.needed_wh / need.most_w * MS_PER_HOUR for need in needs]
    drawn_wh = np.zeros_like(energy_wh)
    for circuit in set(circuit_of):
        members = [i for i, own in enumerate(circuit_of) if own == circuit]
        left_wh = energy_wh[members].sum(axis=0)
        for i in sorted(members, key=begins_by.__getitem__):
            lasts_h = np.maximum(0, np.minimum(edges[1:], needs[i].ready_by) - edges[:-1]) / MS_PER_HOUR
            can_wh = np.minimum(needs[i].most_w * lasts_h, left_wh)
            before_wh = np.cumsum(can_wh) - can_wh
            drawn_wh[i] = np.clip(energy_wh[i].sum() - before_wh, 0.0, can_wh)
            left_wh = left_wh - drawn_wh[i]
    loses = drawn_wh.sum(axis=1) < energy_wh.sum(axis=1) - LEAST_WH
    return energy_wh if loses.any() else drawn_wh


def _open(horizon: Horizon, slot: NDArray[np.int64], drawn_wh: Floats) -> Flags:
    """In which slots more would cost no more than what each session still has to draw from there on."""
    price = np.array(horizon.price_per_kwh)
    count = int(slot[-1]) + 1
    first, last = np.searchsorted(slot, np.arange(count)), np.searchsorted(slot, np.arange(count), side="right") - 1
    paid = np.where(drawn_wh > LEAST_WH, price, inf)
    cheapest_left = np.minimum.accumulate(paid[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(price[last] <= cheapest_left[:, first] + 1e-6)


_LOOKS = 11
_LEVEL_W = 100.0
"""A peak that is raised by no more than this is as good as level."""


def _least(levelled: Callable[[Ceiling], Draft], peak: PeakTerms, most_w: float, lacking_wh: float) -> Draft:
    """The cheapest of the plans under a ceiling of up to so much, of those that lack no more.

    The ceiling is the same whatever is paid already: else each plan would raise the peak of today above the one before.
    """

    def badness(draft: Draft) -> tuple[float, float]:
        return max(0.0, draft.lacking_wh - lacking_wh - LEAST_WH), draft.cost

    def of(only: int | None) -> Callable[[float], Draft]:
        return lambda counted_w: levelled(Ceiling(counted_w, only))

    low_w = min(most_w, peak.paid[0].counted_w)
    found = [levelled(ceiling) for ceiling in peak.paid]
    for only in peak.lone_peaks:
        found += golden_section(of(only), badness, low_w, most_w, _LOOKS)
    return min(found, key=badness)
