"""Peak tariffs: what the highest hours of a month cost, as grid companies in Sweden, Norway and Flanders bill it.

A month that is over is billed for the mean of its `count` highest hours (`monthly_peaks`). One that goes on has hours
to come: whoever plans in it takes each of the highest so far to be one of `count`, so that a kW more of it costs
price / count, on the first of the month as on the last (`so_far_cost`). Hours to come, of which nobody knows anything,
count as none. So nothing that is imported ever makes a bill smaller; and once a month has `count` peaks, both are one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np

from voltbench.errors import InvalidInput
from voltbench.quantities import DurationMs, Instant, kw_from_w
from voltbench.site.calendar import HOUR_MS, Calendar, Window, day_slots, local_days
from voltbench.site.series import StepSeries


class Mean(NamedTuple):
    """The mean power of import over an hour (or a quarter) that starts then."""

    starts_at: Instant
    power_w: float


@dataclass(frozen=True, slots=True)
class Weight:
    """How much of an hour's power counts in a window of local time: 0.5 at night, 0 at weekends."""

    window: Window
    weight: float


@dataclass(frozen=True, slots=True)
class PeakTariff:
    """A price on the mean of the highest hours of each local month (in Sweden, EIFS 2022:1: an effect charge).

    The `count` highest means of `interval_ms` are averaged, with `different_days` at most one of each day.
    What counts of an hour is told by the first weight whose window holds when it starts, else by `otherwise`.
    """

    calendar: Calendar
    price_per_kw: float
    count: int = 3
    different_days: bool = True
    weights: tuple[Weight, ...] = ()
    otherwise: float = 1.0
    interval_ms: DurationMs = HOUR_MS

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InvalidInput("count", "is out of range", found=self.count, allowed="1 or more")
        if any(weight < 0.0 for weight in (self.otherwise, *(each.weight for each in self.weights))):
            raise InvalidInput("weights", "holds one below zero", allowed="0 or more")

    def ceiling_price_per_kw(self, starts: Sequence[Instant]) -> float:
        """What a kW more costs if it counts in all of these intervals: price / count for each that is billed of them.

        That is one of each day, where it goes by different days. What does not count at all costs nothing.
        """
        counting = [start for start in starts if self.weight(start) > 0.0]
        peaks = {self.calendar.local(start).date() for start in counting} if self.different_days else set(counting)
        return self.price_per_kw * min(1.0, len(peaks) / self.count)

    def weight(self, now: Instant) -> float:
        """How much of the power counts at an instant."""
        for each in self.weights:
            if each.window.holds(now, self.calendar):
                return each.weight
        return self.otherwise


@dataclass(frozen=True, slots=True)
class MonthlyPeak:
    """What a month's peaks come to: the hours that counted, weighted, with the highest first, and what they cost."""

    year: int
    month: int
    peaks: tuple[Mean, ...]
    billed_w: float
    cost: float


def means(power_w: StepSeries, starts_at: Instant, ends_at: Instant, tariff: PeakTariff) -> list[Mean]:
    """Mean import in each whole hour of local time between two instants; export counts as none."""
    import_w = StepSeries((at, max(power, 0.0)) for at, power in power_w.steps())
    spans = [
        (start, end) for start, end in intervals(starts_at, ends_at, tariff) if starts_at <= start <= end <= ends_at
    ]
    if not spans:
        return []
    edges = np.array([spans[0][0], *(end for _, end in spans)], dtype=np.int64)
    watt_hours = np.diff(import_w.integral(edges))
    return [
        Mean(start, float(wh) * HOUR_MS / (end - start)) for (start, end), wh in zip(spans, watt_hours, strict=True)
    ]


def intervals(starts_at: Instant, ends_at: Instant, tariff: PeakTariff) -> list[tuple[Instant, Instant]]:
    """The hours (or quarters) of local time that lie between two instants, whole or in part: from and until when."""
    zone = tariff.calendar.zone
    return [
        (start, end)
        for day in local_days(starts_at, ends_at, zone)
        for start, end in day_slots(day, zone, tariff.interval_ms)
        if start < ends_at and end > starts_at
    ]


def monthly_peaks(found: Iterable[Mean], tariff: PeakTariff) -> list[MonthlyPeak]:
    """What each local month is billed for once it is over, by the tariff's own words: the mean of its highest hours.

    One with fewer hours or days than count is billed for the mean of those it has, as if there were no more of it: a
    scenario of a day is a month in which only that day was.
    """
    months: dict[tuple[int, int], list[Mean]] = defaultdict(list)
    for mean in found:
        local = tariff.calendar.local(mean.starts_at)
        months[local.year, local.month].append(Mean(mean.starts_at, mean.power_w * tariff.weight(mean.starts_at)))
    return [_month_of(year, month, weighted, tariff) for (year, month), weighted in sorted(months.items())]


def so_far_cost(found: Iterable[Mean], tariff: PeakTariff) -> float:
    """What the months cost by what is known of them, while they go on: price / count for each peak that counts."""
    counted_w = sum(peak.power_w for month in monthly_peaks(found, tariff) for peak in month.peaks)
    return kw_from_w(counted_w) * tariff.price_per_kw / tariff.count


def counted_room_w(found: Iterable[Mean], now: Instant, tariff: PeakTariff) -> float:
    """How much may count of an hour of this day without costing more, by what the month has seen so far.

    That is the lowest of the peaks that count, or the peak of the day itself.
    """
    local = tariff.calendar.local(now)
    month = [m for m in monthly_peaks(found, tariff) if (m.year, m.month) == (local.year, local.month)]
    peaks = month[0].peaks if month else ()
    if tariff.different_days:
        of_today = [peak.power_w for peak in peaks if _day(peak, tariff) == local.date()]
        if of_today:
            return of_today[0]
    return peaks[-1].power_w if len(peaks) == tariff.count else 0.0


def _month_of(year: int, month: int, weighted: list[Mean], tariff: PeakTariff) -> MonthlyPeak:
    highest = sorted(weighted, key=lambda mean: (-mean.power_w, mean.starts_at))
    if tariff.different_days:
        of_days: dict[date, Mean] = {}
        for mean in highest:
            of_days.setdefault(_day(mean, tariff), mean)
        highest = list(of_days.values())
    peaks = tuple(highest[: tariff.count])
    billed_w = sum(peak.power_w for peak in peaks) / len(peaks)
    return MonthlyPeak(year, month, peaks, billed_w, kw_from_w(billed_w) * tariff.price_per_kw)


def _day(mean: Mean, tariff: PeakTariff) -> date:
    return tariff.calendar.local(mean.starts_at).date()
