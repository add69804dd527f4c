"""What a plan adds to the bills of its months, where a tariff bills their highest hours.

A month that is planned in goes on, so that it is reckoned as `peaks.so_far_cost` has it: never less than nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from voltbench.quantities import DurationMs, Instant
from voltbench.site.meter import Floats
from voltbench.site.peaks import Mean, PeakTariff, intervals

Integers: TypeAlias = NDArray[np.int64]


class _Month(NamedTuple):
    """A month's part of a plan: which parts are in it, the peaks of other days, and what counts before the plan."""

    parts: Integers
    others_w: Floats
    before_w: float


@dataclass(frozen=True, slots=True)
class PeakBill:
    """A tariff of peaks, the highest hours of the month that are over, and the slots of a plan.

    Its time has `parts`, of each of which no more than one hour is billed: local days, where the tariff goes by
    different days, or else the hours themselves.
    """

    peak: PeakTariff
    so_far: Sequence[Mean]
    starts_at: Instant
    slot_ms: DurationMs
    slots: int
    _ahead: _Ahead = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ahead", _Ahead(self))  # plans are many, and calendars are slow

    @property
    def ends_at(self) -> Instant:
        """When the last slot ends."""
        return self.starts_at + self.slots * self.slot_ms

    @property
    def edges(self) -> Integers:
        """When slots begin and end."""
        return self.starts_at + self.slot_ms * np.arange(self.slots + 1, dtype=np.int64)

    def added(self, import_w: Floats) -> float:
        """What the power in each slot adds to the bills.

        Of an hour that is planned in part only, nobody knows the rest: it counts with the mean of the part.
        """
        return self._ahead.added_kw(import_w) * self.peak.price_per_kw / self.peak.count

    def added_beside(self, own_w: Floats, more_w: Floats) -> float:
        """What power beside the load adds: what both come to, less what the load adds alone."""
        return self.added(own_w + more_w) - self.added(own_w)

    def weights(self) -> Floats:
        """How much counts of the power in each slot, as of the hour that it is in."""
        weights: Floats = self._ahead.weights[self._ahead.interval]
        return weights

    def parts(self) -> Integers:
        """In which part each slot is, from 0."""
        parts: Integers = self._ahead.part[self._ahead.interval]
        return parts

    def rooms_w(self) -> Floats:
        """How much may count of an hour of each part without costing more."""
        return self._ahead.rooms_w

    def room_w(self) -> float:
        """How much may count of any hour without costing more."""
        return float(self.rooms_w().min())

    def demand_price_per_kw(self) -> float:
        """What a kW that counts costs more, if all hours have it."""
        return self.peak.ceiling_price_per_kw(self._ahead.starts)


class _Ahead:
    """The hours of a plan, by weight, part and month, beside the peaks that were seen so far."""

    def __init__(self, bill: PeakBill) -> None:
        found, peak = intervals(bill.starts_at, bill.ends_at, bill.peak), bill.peak
        self.starts, self._count, self._edges = [start for start, _ in found], peak.count, bill.edges
        self.interval = np.searchsorted(self.starts, self._edges[:-1], side="right") - 1
        self.weights = np.array([peak.weight(start) for start in self.starts])
        self._spans = np.clip(np.array(found, dtype=np.int64), bill.starts_at, bill.ends_at)
        days = [_day(start, peak) for start in self.starts]
        names: list[date] | list[Instant] = days if peak.different_days else self.starts
        numbers: dict[object, int] = {name: part for part, name in enumerate(dict.fromkeys(names))}
        self.part = np.array([numbers[name] for name in names], dtype=np.int64)
        self.seen_w = np.zeros(len(numbers))
        others = self._see(bill, numbers)
        month_of = {part: (day.year, day.month) for part, day in zip(self.part.tolist(), days, strict=True)}
        self.rooms_w = np.zeros(len(numbers))
        self._months = [self._month(month_of, name, others[name]) for name in sorted(set(month_of.values()))]

    def added_kw(self, import_w: Floats) -> float:
        """How much more counts in all months by these means of slots; export counts as none."""
        flowed = np.concatenate(([0.0], np.cumsum(np.maximum(import_w, 0.0) * np.diff(self._edges))))
        means_w = np.diff(np.interp(self._spans, self._edges, flowed), axis=1)[:, 0] / np.diff(self._spans)[:, 0]
        peaks_w = self.seen_w.copy()
        np.maximum.at(peaks_w, self.part, means_w * self.weights)
        more_w = sum(float(self._highest_w(month, peaks_w).sum()) - month.before_w for month in self._months)
        return more_w / 1e3

    def _see(self, bill: PeakBill, numbers: dict[object, int]) -> dict[tuple[int, int], list[float]]:
        """Take note of what the parts have seen themselves; what counts of other hours so far, by months."""
        of_days: dict[object, tuple[date, float]] = {}
        for number, mean in enumerate(bill.so_far):
            day, counted_w = _day(mean.starts_at, bill.peak), mean.power_w * bill.peak.weight(mean.starts_at)
            name: object = day if bill.peak.different_days else -1 - number  # an hour that is planned counts by itself
            of_days[name] = (day, max(counted_w, of_days.get(name, (day, 0.0))[1]))
        others: dict[tuple[int, int], list[float]] = defaultdict(list)
        for key, (day, counted_w) in of_days.items():
            if key in numbers:
                self.seen_w[numbers[key]] = counted_w
            else:
                others[day.year, day.month].append(counted_w)
        return others

    def _month(self, month_of: dict[int, tuple[int, int]], name: tuple[int, int], others: list[float]) -> _Month:
        parts = np.array([part for part, own in month_of.items() if own == name], dtype=np.int64)
        month = _Month(parts, np.array(others, dtype=np.float64), 0.0)
        highest_w = self._highest_w(month, self.seen_w)
        least_w = float(highest_w[0]) if len(highest_w) == self._count else 0.0
        self.rooms_w[parts] = np.maximum(self.seen_w[parts], least_w)
        return month._replace(before_w=float(highest_w.sum()))

    def _highest_w(self, month: _Month, peaks_w: Floats) -> Floats:
        """The peaks that count of a month, the lowest first."""
        return np.sort(np.concatenate((month.others_w, peaks_w[month.parts])))[-self._count :]


def _day(at: Instant, peak: PeakTariff) -> date:
    return peak.calendar.local(at).date()
