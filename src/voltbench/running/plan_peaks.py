"""Plans under a tariff that bills the highest hours of a month.

The planners know limits and prices, and none of them months. What such a bill adds is convex; so a linear program tells
how high each hour may become beside which cars cost least (`energy.peak_program`), and the cars are planned under that.
Where they have no minimum powers, no losses and may pause, nothing costs less, which is seen by its cost.

Where that is not seen, ceilings are searched for, at which each hour counts as it is billed. First there are those of
the program, raised together, and one for all the time: coarsely, since the bill of several hours, or days, may fall and
rise again as the ceiling does, and then finely around the best. Then one day that has to be high must not spoil the
others: a few parts of the time are left as they are while the rest is lowered, and in the end each has a ceiling of its
own. To charge at once is among the plans of which the best is taken, always. Whichever it is, what it adds to the bills
of its months is told as the tariff has it of months that go on (`site.peak_bill`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import NamedTuple

import numpy as np

from voltbench.energy.arrays import NEGLIGIBLE_WH, Flags, Floats
from voltbench.energy.peak_program import LeastPeaks, columns_of, least_peaks
from voltbench.energy.plan import Horizon, Plan, PlannedCar, hours_present, plan
from voltbench.running.golden_section import golden_section
from voltbench.running.plan_at_once import plan_at_once
from voltbench.running.plan_kept import as_hindered
from voltbench.running.plan_peak_place import place_under_peaks
from voltbench.running.plan_peak_terms import merged, peaks_of
from voltbench.site.peak_bill import PeakBill
from voltbench.site.peaks import so_far_cost
from voltbench.site.series import StepSeries

__all__ = ["drawn_w", "place_under_peaks", "plan_under_peaks"]

Badness = tuple[float, float, float]
"""What of a plan counts, the most important first; the cost is last."""

MOST_TRIES, LEAST_TRIES = 120, 6
CELLS_IN_ALL = 480_000
"""How many ceilings are tried, about: as many as cars times slots of all of them come to so many."""

LOOKS = 6
"""With fewer tries no ceiling is searched for."""
REACHES = (1.0, 0.25, 0.06, 0.015)
"""How far around the best ceilings are looked for, turn after turn, as a share of all that can be."""
MANY_TRIES = 50
"""With fewer left, not all ways are gone."""
MOST_ABOVE, FEW_PARTS = 3, 10
"""How many parts of the time have ceilings of their own at most, unless there are few in all."""

MOST_COLUMNS, MOST_QUICKLY = 40_000, 4_000
"""How great the linear program may be, in cars times the slots they stay; and where a plan need not be exact."""
MARGINS_W = (1e-5, 1e-3, 0.1)
"""What is added to the program's limits, one after the other until cars have enough: it keeps them no more exactly."""
PROVEN, GOOD_ENOUGH = 1e-6, 1e-4
"""What costs no more than the program, but for this part, costs least; with that one no search is worth it."""


def drawn_w(horizon: Horizon, found: Plan) -> Floats:
    """The mean power that all cars of a plan draw in each slot, with what their chargers lose."""
    if all(car.losses is None for car in found.cars):
        drawn_wh: Floats = found.energy_wh.sum(axis=0)
    else:
        edges, before = np.array(horizon.edges, dtype=np.int64), (horizon.edges[0] - 1, 0.0)
        courses = [StepSeries([before, *schedule.steps]).integral(edges) for schedule in found.schedules]
        drawn_wh = np.diff(np.sum(courses, axis=0))
    return drawn_wh / horizon.hours


# --- cars beside a load ----------------------------------------------------------------------------------------------


class _Tried(NamedTuple):
    """A plan; by parts of the bill's time what counts of it with the load, and the ceilings that it was made under."""

    plan: Plan
    peaks_w: Floats
    ceilings_w: Floats
    badness: Badness


def plan_under_peaks(
    horizon: Horizon, cars: Sequence[PlannedCar], load_w: Floats, bill: PeakBill, *, exact: bool = True
) -> Plan:
    """The best plan of those that are tried, and no worse than charging at once. Its cost is that of energy alone.

    It `is_exact` where the linear program has shown that no other costs less. Raises InvalidInput.
    """
    search = _Search(horizon, cars, load_w, bill, exact)
    if search.adds_nothing():
        return search.free.plan
    search.by_program()
    if not search.is_within(GOOD_ENOUGH):
        search.by_ceilings()
    found = search.best.plan if search.best is search.free else as_hindered(search.best.plan, horizon)
    found.is_exact = search.is_within(PROVEN) and search.free.plan.is_exact
    return found


class _Search:
    """Plans under ceilings, and the best of them; no more of them than are allowed."""

    def __init__(
        self, horizon: Horizon, cars: Sequence[PlannedCar], load_w: Floats, bill: PeakBill, exact: bool
    ) -> None:
        self._horizon, self._cars, self._load_w, self._bill, self._exact = horizon, cars, load_w, bill, exact
        self._weights, self._parts, self._by_load = bill.weights(), bill.parts(), bill.added(load_w)
        self._left = max(LEAST_TRIES, min(MOST_TRIES, CELLS_IN_ALL // (bill.slots * max(1, len(cars)))))
        self._most_columns = MOST_COLUMNS if exact else MOST_QUICKLY
        free = plan(horizon, cars, exact=exact)
        asked_wh = sum(car.needed_wh + car.extra_wh for car in cars)
        self._lacks_nothing = float(free.energy_wh.sum()) >= asked_wh - NEGLIGIBLE_WH * len(cars)
        self._least_wh = free.shortfall_wh, -float(free.energy_wh.sum())
        self.best = self.free = self._told(free)
        self._loads_w, self._most_w = self._peaks_w(load_w), self._peaks_w(load_w + drawn_w(horizon, free))
        self.at_once, self._least_cost = self._tried(plan_at_once(horizon, cars)), -inf

    def adds_nothing(self) -> bool:
        """Whether a plan that knows nothing of peaks is the best already, since it adds nothing to the bills."""
        return self.best is self.free and self.free.badness[-1] <= self.free.plan.cost + 1e-9

    def is_within(self, part: float) -> bool:
        """Whether the best lacks no more than any plan has to, and costs more by no more than a part."""
        short_wh, missing_wh, cost = self.best.badness
        return max(short_wh, missing_wh) <= 0.0 and cost <= self._least_cost + part * max(1.0, abs(cost))

    def by_program(self) -> None:
        """Try the limits of the linear program; where that is not the least already, its ceilings, raised together."""
        given_wh, cars = self.free.plan.energy_wh.sum(axis=1), self._cars
        is_whole, has_losses = columns_of(self._horizon, cars) <= self._most_columns, cars[0].losses is not None
        if has_losses or not is_whole:
            given_wh, cars = self._as_given(given_wh)
        if columns_of(self._horizon, cars) > self._most_columns:
            return
        least = least_peaks(self._horizon, cars, self._load_w, peaks_of(self._bill), given_wh)
        if least is None:
            return
        if not has_losses and (is_whole or self._lacks_nothing):
            self._least_cost = least.cost - so_far_cost(self._bill.so_far, self._bill.peak) - self._by_load
        left, ceilings_w = self._left, least.items_w[: len(self._loads_w)]
        self._under(ceilings_w + MARGINS_W[0])  # evenly, where slots of an hour need not differ
        if not self.is_within(PROVEN):
            self._within_margins(least)
        if not self.is_within(GOOD_ENOUGH):
            most_w = max(0.1 * float(ceilings_w.max()), *(car.least_w for car in self._cars))
            _least_bad(lambda more_w: self._under(ceilings_w + more_w), 0.0, most_w, LOOKS)
        self._left = left

    def by_ceilings(self) -> None:
        """Search for ceilings as if there were no program; and then around what it has led to, where that is better."""
        by_program, left = self.best, self._left
        self.best = min(self.free, self.at_once, key=_badness)
        self._under_one_ceiling()
        self._with_some_above()
        self._part_by_part()
        if by_program.badness < self.best.badness:
            self.best, self._left = by_program, left // 2
            self._part_by_part()

    def _under_one_ceiling(self) -> None:
        """Try ceilings that are the same for all parts."""
        low = max(self._bill.room_w(), float(self._loads_w.max()))
        high, tries = float(self._most_w.max()), min(24, max(self._left // 2, LEAST_TRIES - 1))
        if high > low:
            _least_bad(lambda ceiling_w: self._under(np.full(len(self._loads_w), ceiling_w)), low, high, tries)
        self._under(self.at_once.peaks_w)  # no more than at once, and cheaper

    def _with_some_above(self) -> None:
        """Try to leave a few parts as high as they are, and to lower all others together."""
        if self._left < MANY_TRIES:
            return
        best_w, forced_w = self.best.peaks_w, self._forced_w()
        ways = [(best_w, forced_w), *((peaks_w, peaks_w) for peaks_w in (best_w, self._loads_w))]
        ways += [(tried.peaks_w, tried.peaks_w) for tried in (self.at_once, self.free)]
        most = min(self._bill.peak.count, MOST_ABOVE, len(best_w) - 1)
        above = [_above(peaks_w, rank_w, count) for peaks_w, rank_w in ways for count in range(1, most + 1)]
        distinct = list({tuple(np.nan_to_num(one_w, nan=-1.0).tolist()): one_w for one_w in above}.values())
        distinct = distinct[: self._left // (2 * LOOKS)]  # the other half is for each by itself
        each = max(LOOKS, self._left // (2 * max(1, len(distinct))))
        for ceilings_w in distinct:
            self._lower(ceilings_w, np.isnan(ceilings_w), each)

    def _part_by_part(self) -> None:
        """Try to better the best, ceiling after ceiling, ever nearer to where they are."""
        for reach in REACHES:
            for part in self._in_turn():
                self._lower(self.best.ceilings_w, part, LOOKS, reach)

    def _in_turn(self) -> list[Flags]:
        """Which ceilings are searched for together: each by itself, or where they are many, all but the highest."""
        order, every = np.argsort(-self.best.peaks_w, kind="stable"), np.arange(len(self._loads_w))
        singly = order if len(order) <= FEW_PARTS else order[: min(self._bill.peak.count, MOST_ABOVE)]
        rest = ~np.isin(every, singly)
        return [every == one for one in singly.tolist()] + ([rest] if rest.any() else [])

    def _forced_w(self) -> Floats:
        """The mean power that cars have to draw in each part, as the time that they have elsewhere is too short."""
        forced_w, parts = np.zeros(len(self._loads_w)), self._parts
        for car in self._cars:
            present_h = np.bincount(parts, hours_present(self._horizon, car), len(forced_w))
            elsewhere_wh = car.most_w * (present_h.sum() - present_h)
            lacks_wh = np.clip(car.needed_wh + car.extra_wh - elsewhere_wh, 0.0, car.most_w * present_h)
            forced_w += np.divide(lacks_wh, present_h, out=np.zeros_like(forced_w), where=present_h > 0.0)
        return forced_w

    def _lower(self, ceilings_w: Floats, part: Flags, tries: int, reach: float = 1.0) -> None:
        """Try ceilings of a part of the time, one for all of it, beside those of the others.

        They are all that can be, or that share of these around the best.
        """
        low = float(min(self._bill.rooms_w()[part].min(), self._loads_w[part].min()))
        high, best = float(self._most_w[part].max()), float(self.best.peaks_w[part].max())
        if reach < 1.0:
            span = reach * (high - low)
            low, high = max(low, best - span), min(high, best + span)
        if high > low + 1.0 and self._left >= tries:
            _least_bad(lambda ceiling_w: self._under(np.where(part, ceiling_w, ceilings_w)), low, high, tries)

    # --- the linear program ---

    def _as_given(self, given_wh: Floats) -> tuple[Floats, list[PlannedCar]]:
        """Cars that need what these are given, or draw for it: as few as the program can have. And their needs."""
        if self._cars[0].losses is not None:
            given_wh = np.array([drawn_w(self._horizon, self.free.plan) @ self._horizon.hours])
        needs_wh = zip(self._cars, given_wh.tolist(), strict=True)
        cars = [replace(car, needed_wh=wh, extra_wh=0.0, least_w=0.0, losses=None) for car, wh in needs_wh]
        step, alike = 1, cars
        while columns_of(self._horizon, alike) > self._most_columns and step <= len(self._load_w):
            step, alike = 2 * step, merged(self._horizon, cars, step)
        return np.array([car.needed_wh for car in alike]), alike

    def _within_margins(self, least: LeastPeaks) -> None:
        """Try the limits of the program, a little wider until cars have enough."""
        for more_w in MARGINS_W:
            if self._tried(self._within(least, more_w)).badness[:2] <= (0.0, 0.0):
                break

    def _within(self, least: LeastPeaks, more_w: float) -> Plan:
        """The plan under the limits of the program, told by the slots that were asked for."""
        slots = least.slots
        _, *circuits_w = map(tuple, slots.limits_w.tolist())
        beneath = Horizon(
            tuple(slots.edges.astype(np.int64).tolist()),
            tuple(slots.price_per_kwh.tolist()),
            tuple(np.minimum(slots.limits_w[0], least.site_w + more_w).tolist()),
            dict(zip(slots.circuits, circuits_w, strict=True)),
        )
        found = plan(beneath, self._cars, exact=self._exact)
        by_slot_wh = slots.joined(np.ascontiguousarray(found.energy_wh.T))
        is_cut_short = found.is_cut_short
        return Plan(
            found.cars, by_slot_wh, found.costs, found.short_wh, lambda: found.timeline, is_cut_short=is_cut_short
        )

    # --- one of them ---

    def _under(self, ceilings_w: Floats) -> _Tried:
        """The plan that lets no more than this count of any hour, with the load, part by part."""
        self._left -= 1
        ceiling_w = np.full(len(self._load_w), inf)
        np.divide(ceilings_w[self._parts], self._weights, out=ceiling_w, where=self._weights > 0.0)
        site_w = np.minimum(self._horizon.site_w, ceiling_w - self._load_w)
        beneath = replace(self._horizon, site_w=tuple(site_w.tolist()))
        return self._tried(plan(beneath, self._cars, exact=self._exact), ceilings_w)

    def _tried(self, found: Plan, ceilings_w: Floats | None = None) -> _Tried:
        """What a plan comes to; it is the best, if it is better than the one before."""
        tried = self._told(found, ceilings_w)
        if tried.badness < self.best.badness:
            self.best = tried
        return tried

    def _told(self, found: Plan, ceilings_w: Floats | None = None) -> _Tried:
        """What a plan comes to. What it lacks more than one that knows nothing of peaks comes before what it costs."""
        import_w = self._load_w + drawn_w(self._horizon, found)
        lacks_wh = found.shortfall_wh - self._least_wh[0], -float(found.energy_wh.sum()) - self._least_wh[1]
        short_wh, missing_wh = (one if abs(one) > NEGLIGIBLE_WH * len(self._cars) else 0.0 for one in lacks_wh)
        cost = found.cost + self._bill.added(import_w) - self._by_load
        peaks_w = self._peaks_w(import_w)
        return _Tried(found, peaks_w, peaks_w if ceilings_w is None else ceilings_w, (short_wh, missing_wh, cost))

    def _peaks_w(self, import_w: Floats) -> Floats:
        """The most that counts of any slot, part by part."""
        peaks_w = np.zeros(int(self._parts.max()) + 1)
        np.maximum.at(peaks_w, self._parts, import_w * self._weights)
        return peaks_w


def _least_bad(under: Callable[[float], _Tried], low: float, high: float, tries: int) -> None:
    """Try evenly spread ceilings between two, and then golden section beside the best."""
    spread = np.linspace(low, high, max(3, tries // 3)).tolist()
    found = [under(ceiling) for ceiling in spread]
    best = min(range(len(found)), key=lambda i: found[i].badness)
    low, high = spread[max(0, best - 1)], spread[min(best + 1, len(spread) - 1)]
    golden_section(under, _badness, low, high, max(2, tries - len(spread)))


def _above(peaks_w: Floats, rank_w: Floats, count: int) -> Floats:
    """The peaks of the parts that rank highest, as ceilings; for the others there is none yet (nan)."""
    highest = np.argsort(-rank_w, kind="stable")[:count]
    ceilings_w = np.full(len(peaks_w), np.nan)
    ceilings_w[highest] = peaks_w[highest]
    return ceilings_w


def _badness(tried: _Tried) -> Badness:
    return tried.badness
