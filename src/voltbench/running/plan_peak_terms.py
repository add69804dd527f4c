"""A tariff of peaks as the planners know it, who know no calendar; and a great fleet as a smaller one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from voltbench.energy.arrays import Floats
from voltbench.energy.peak_program import Peaks
from voltbench.energy.plan import Horizon, PlannedCar
from voltbench.quantities import Instant
from voltbench.site.peak_bill import PeakBill
from voltbench.site.peaks import Mean, PeakTariff, intervals, monthly_peaks


class _Alike(NamedTuple):
    """What cars have in common that count as one: the slots in which they stay, their circuit, and their priority."""

    first: int
    last: int
    circuit: str | None
    priority: int


def peaks_of(bill: PeakBill) -> Peaks:
    """The intervals of a bill's time, and what its months have seen, so that all of it costs what the tariff says.

    That is `so_far_cost` and what `PeakBill.added` comes to. Of what was seen only what is billed so far can matter.
    """
    peak = bill.peak
    starts = [start for start, _ in intervals(bill.starts_at, bill.ends_at, peak)]
    days = [_day(start, peak) for start in starts]
    names: list[object] = [*days] if peak.different_days else [*starts]
    items = {name: (day, 0.0) for name, day in zip(names, days, strict=True)}
    for number, mean in enumerate(_billed_so_far(bill)):
        day = _day(mean.starts_at, peak)
        name: object = day if peak.different_days else -1 - number  # an hour that is planned counts by itself
        items[name] = (day, mean.power_w)
    number_of = {name: number for number, name in enumerate(items)}
    months = [(day.year, day.month) for day, _ in items.values()]
    return Peaks(
        shares=_shares(bill),
        weight=np.array([peak.weight(start) for start in starts]),
        item=np.array([number_of[name] for name in names], dtype=np.intp),
        floor_w=np.array([seen_w for _, seen_w in items.values()]),
        month=np.unique(months, axis=0, return_inverse=True)[1].reshape(-1),
        count=peak.count,
        price_per_kw=peak.price_per_kw / peak.count,
    )


def _shares(bill: PeakBill) -> Floats:
    """How much of each interval, as far as it is planned, each slot is (I x T)."""
    spans = np.array(intervals(bill.starts_at, bill.ends_at, bill.peak), dtype=np.int64)
    spans = np.clip(spans, bill.starts_at, bill.ends_at)
    shared = np.minimum(spans[:, 1:], bill.edges[1:]) - np.maximum(spans[:, :1], bill.edges[:-1])
    shares: Floats = np.maximum(0, shared) / np.diff(spans, axis=1)
    return shares


def _billed_so_far(bill: PeakBill) -> list[Mean]:
    return [mean for month in monthly_peaks(bill.so_far, bill.peak) for mean in month.peaks]


def _day(at: Instant, peak: PeakTariff) -> date:
    return peak.calendar.local(at).date()


def merged(horizon: Horizon, cars: Sequence[PlannedCar], step: int) -> list[PlannedCar]:
    """Fewer cars, that can do all that these can do together: one for each stay, circuit and priority.

    Each stays from the beginning until the end of so many slots, or of several times as many.
    """
    alike: defaultdict[_Alike, list[PlannedCar]] = defaultdict(list)
    edges, slots = np.array(horizon.edges, dtype=np.int64), len(horizon.price_per_kwh)
    for car in cars:
        first = int(np.searchsorted(edges[1:-1], car.arrives_at, side="right")) // step * step
        last = min(slots, -(-int(np.searchsorted(edges, car.departs_at)) // step) * step)
        alike[_Alike(first, max(first + 1, last), car.circuit, car.priority)].append(car)
    return [
        PlannedCar(
            id=str(number),
            arrives_at=horizon.edges[stay.first],
            departs_at=horizon.edges[stay.last],
            needed_wh=sum(car.needed_wh for car in own),
            most_w=sum(car.most_w for car in own),
            extra_wh=sum(car.extra_wh for car in own),
            circuit=stay.circuit,
            priority=stay.priority,
        )
        for number, (stay, own) in enumerate(alike.items())
    ]
