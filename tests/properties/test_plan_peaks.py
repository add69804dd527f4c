"""Fleets under a tariff of peaks cost what a linear program says that is written here, by other words."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linprog

from tests.local_time import HERE, at
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, Instant
from voltbench.running.planning import CarAsked, PlanAsked, planned
from voltbench.site.calendar import Window
from voltbench.site.peaks import Mean, PeakTariff, Weight

EVENING = at("2026-06-30T20:00")
"""Four hours before a month ends."""


@dataclass(frozen=True)
class Asked:
    """A fleet, and the tariff under which it is planned."""

    plan: PlanAsked
    prices: list[float]
    peak: PeakTariff
    so_far: list[Mean]

    @property
    def load_w(self) -> NDArray[np.float64]:
        return np.array(self.plan.load_w)


@st.composite
def fleets(draw: st.DrawFn) -> Asked:
    shapes: list[tuple[Literal[15, 60], int]] = [(60, 8), (60, 30), (15, 20)]
    minutes, slots = draw(st.sampled_from(shapes))
    starts_at = EVENING + draw(st.sampled_from([0, 15 if minutes == 15 else 0, 24 * 60])) * MS_PER_MINUTE

    def series(values: list[float]) -> list[float]:
        return draw(st.lists(st.sampled_from(values), min_size=slots, max_size=slots))

    cars = []
    for number in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, slots - 1))
        last, most_w = draw(st.integers(first + 1, slots)), draw(st.sampled_from([3_700.0, 11_000.0]))
        share = draw(st.sampled_from([0.05, 0.2, 0.5, 1.0, 1.1]))
        come, go = (starts_at + slot * minutes * MS_PER_MINUTE for slot in (first, last))
        needed_wh = share * most_w * (last - first) * minutes / 60
        cars.append(CarAsked(id=f"car-{number}", arrives_at_ms=come, departs_at_ms=go, needed_wh=needed_wh,
                             max_power_w=most_w))  # fmt: skip
    seen = draw(st.lists(st.tuples(st.integers(1, 60), st.sampled_from([500.0, 3_000.0, 9_000.0])), max_size=5,
                         unique_by=lambda one: one[0]))  # fmt: skip
    nights = Weight(Window(22 * 60, 6 * 60), draw(st.sampled_from([0.0, 0.5])))
    limit_w = draw(st.sampled_from([None, 9_000.0, 14_000.0]))
    asked = PlanAsked(starts_at_ms=starts_at, slot_minutes=minutes, cars=cars,
                      load_w=series([300.0, 800.0, 4_000.0, 6_000.0]), site_limit_w=limit_w)  # fmt: skip
    peak = PeakTariff(HERE, draw(st.sampled_from([10.0, 81.25, 200.0])), draw(st.sampled_from([1, 2, 3, 5])),
                      draw(st.booleans()), weights=draw(st.sampled_from([(), (nights,)])))  # fmt: skip
    so_far = [Mean(EVENING - hours * MS_PER_HOUR, seen_w) for hours, seen_w in seen]
    return Asked(asked, series([0.2, 0.5, 1.0, 3.0]), peak, so_far)


@given(fleets())
@settings(max_examples=150, deadline=None)
def test_a_fleet_costs_no_more_than_a_linear_program_says(asked: Asked):
    told = planned("plan-1", asked.plan, asked.prices, asked.peak, asked.so_far)
    most_wh, least = _LinearProgram(asked).solved()
    assert told.energy_wh == pytest.approx(most_wh, abs=0.01)
    assert least - 1e-3 <= told.cost <= least + 1e-3 * abs(least) + 0.01
    assert told.is_exact
    assert told.cost_at_once is None or told.cost <= told.cost_at_once + 1e-6


class _LinearProgram:
    """Energies by car and slot, then each hour's or day's peak in kW, and the least billed and what is above it."""

    def __init__(self, asked: Asked) -> None:
        self.asked, plan, peak = asked, asked.plan, asked.peak
        self.slot_ms, self.hours = plan.slot_minutes * MS_PER_MINUTE, plan.slot_minutes / 60
        self.starts = [plan.starts_at_ms + slot * self.slot_ms for slot in range(len(asked.prices))]
        self.hour_of = [start // MS_PER_HOUR * MS_PER_HOUR for start in self.starts]  # zones of whole hours
        self.seen_kw: defaultdict[object, float] = defaultdict(float)
        self.month: dict[object, tuple[int, int]] = {}
        for mean in asked.so_far:
            key = self._key(mean.starts_at)
            self.seen_kw[key] = max(self.seen_kw[key], mean.power_w * peak.weight(mean.starts_at) / 1e3)
        for hour in self.hour_of:
            self._key(hour)
        self.keys, self.months = list(self.month), sorted(set(self.month.values()))
        self.cells = [(car, slot) for car, one in enumerate(plan.cars) for slot, start in enumerate(self.starts)
                      if one.arrives_at_ms <= start < one.departs_at_ms]  # fmt: skip

    def _key(self, at_ms: Instant) -> object:
        """What is billed once: a day, or an hour."""
        day: date = self.asked.peak.calendar.local(at_ms).date()
        key: object = day if self.asked.peak.different_days else at_ms
        self.month[key] = (day.year, day.month)
        return key

    def solved(self) -> tuple[float, float]:
        """The most energy, and what that costs at least with what it adds to the bills."""
        cells, keys, months = len(self.cells), len(self.keys), len(self.months)
        width, each = cells + 2 * keys + months, self.asked.peak.price_per_kw / self.asked.peak.count
        rows, most = self._rows(width)
        bounds: list[tuple[float, float | None]] = [
            (0.0, self.asked.plan.cars[car].max_power_w * self.hours) for car, _ in self.cells
        ]
        bounds += [(self.seen_kw[key], None) for key in self.keys] + [(0.0, None)] * (keys + months)
        gives = np.zeros(width)
        gives[:cells] = -1.0
        first = linprog(gives, A_ub=rows, b_ub=most, bounds=bounds, method="highs")
        costs = np.zeros(width)
        costs[:cells] = [self.asked.prices[slot] / 1e3 for _, slot in self.cells]
        costs[cells + keys : cells + 2 * keys] = each
        costs[cells + 2 * keys :] = each * self.asked.peak.count
        kept, least_wh = np.vstack((rows, gives)), [*most, first.fun + 1e-6]
        found = linprog(costs, A_ub=kept, b_ub=least_wh, bounds=bounds, method="highs")
        assert (first.status, found.status) == (0, 0)
        return -float(first.fun), float(found.fun) - self._by_load(each)

    def _rows(self, width: int) -> tuple[NDArray[np.float64], list[float]]:
        rows: list[NDArray[np.float64]] = []
        most: list[float] = []
        site_w = self.asked.plan.site_limit_w
        of_cell = np.array(self.cells)

        def add(columns: NDArray[np.intp], factors: float, others: dict[int, float], at_most: float) -> None:
            row = np.zeros(width)
            row[columns] = factors
            row[list(others)] = list(others.values())
            rows.append(row)
            most.append(at_most)

        for number, car in enumerate(self.asked.plan.cars):
            add(np.flatnonzero(of_cell[:, 0] == number), 1.0, {}, car.needed_wh)
        for slot, load_w in enumerate(self.asked.load_w if site_w is not None else []):
            left_wh = max(0.0, (site_w or 0.0) - load_w) * self.hours
            add(np.flatnonzero(of_cell[:, 1] == slot), 1.0, {}, left_wh)
        for hour, load_kw, slots in self._by_hours():
            weight, peak = self.asked.peak.weight(hour), len(self.cells) + self.keys.index(self._key(hour))
            own = np.flatnonzero(np.isin(of_cell[:, 1], slots))
            add(own, weight / 1e3 / (len(slots) * self.hours), {peak: -1.0}, -weight * load_kw)
        for number, key in enumerate(self.keys):
            peak, above = len(self.cells) + number, len(self.cells) + len(self.keys) + number
            least = len(self.cells) + 2 * len(self.keys) + self.months.index(self.month[key])
            add(np.zeros(0, dtype=np.intp), 0.0, {peak: 1.0, above: -1.0, least: -1.0}, 0.0)
        return np.array(rows), most

    def _by_hours(self) -> list[tuple[Instant, float, list[int]]]:
        """Each hour, its mean load as far as it is planned, and its slots."""
        slots: defaultdict[Instant, list[int]] = defaultdict(list)
        for slot, hour in enumerate(self.hour_of):
            slots[hour].append(slot)
        return [(hour, float(self.asked.load_w[own].mean()) / 1e3, own) for hour, own in slots.items()]

    def _by_load(self, each: float) -> float:
        """What the load costs without any car, with what was seen."""
        peaks_kw = dict(self.seen_kw)
        for hour, load_kw, _ in self._by_hours():
            key = self._key(hour)
            peaks_kw[key] = max(peaks_kw.get(key, 0.0), load_kw * self.asked.peak.weight(hour))
        in_months = [[kw for key, kw in peaks_kw.items() if self.month[key] == month] for month in self.months]
        return each * sum(sum(sorted(kws)[-self.asked.peak.count :]) for kws in in_months)
