"""What import costs by its height, beside its energy: a demand charge, and the highest hours of each month.

Of a month that goes on, a peak costs what `site.peaks.so_far_cost` says, as in any plan: price / count for each day (or
hour) that a plan lets rise above what is paid already, as far as they are billed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from voltbench.quantities import MS_PER_HOUR, MS_PER_SECOND, Instant
from voltbench.running.balance import Balance
from voltbench.running.bay import Bay
from voltbench.running.foresight import Outlook
from voltbench.running.peak_terms import Charge, PeakTerms
from voltbench.site.calendar import QUARTER_MS
from voltbench.site.peaks import Mean, PeakTariff, counted_room_w, monthly_peaks
from voltbench.site.sampling import sample_edges
from voltbench.site.tariff import Tariff


class PeakMeter:
    """What of a peak is paid already by what has been imported.

    Of quarter hours that are over it keeps the highest, and of this month's intervals those that count so far. The
    quarters of an interval that still goes on are kept until it is over.
    """

    def __init__(self, balance: Balance) -> None:
        self._balance = balance
        self._noted_at: Instant | None = None
        self._drawn_wh: dict[Bay, float] = {}
        self._quarters_wh: dict[Instant, float] = {}
        self._highest_wh = 0.0
        self._counted: list[Mean] = []

    @staticmethod
    def matters(tariff: Tariff) -> bool:
        """Whether a peak costs anything."""
        return tariff.demand_price_per_kw > 0.0 or (tariff.peak is not None and tariff.peak.price_per_kw > 0.0)

    def note(self, now: Instant, bays: Iterable[Bay], tariff: Tariff) -> None:
        """Count what has flowed since the last time as the tariff does; these are the sessions that go on."""
        drawn_wh = sum(bay.session.drawn_wh(now) - before_wh for bay, before_wh in self._drawn_wh.items())
        if self._noted_at is not None and self._noted_at < now:
            edges = sample_edges(self._noted_at, now, QUARTER_MS)
            hours = np.diff(edges) / MS_PER_HOUR
            own_wh = np.diff(self._balance.load_w.integral(edges) - self._balance.generation_w.integral(edges))
            flowed_wh = own_wh + hours * (self._balance.storage_w() + drawn_wh / hours.sum())
            for at, wh in zip((edges[:-1] // QUARTER_MS * QUARTER_MS).tolist(), flowed_wh.tolist(), strict=True):
                self._quarters_wh[at] = self._quarters_wh.get(at, 0.0) + wh
        self._noted_at, self._drawn_wh = now, {bay: bay.session.drawn_wh(now) for bay in bays}
        self._settle(now, tariff.peak)

    def terms(self, tariff: Tariff, outlook: Outlook) -> PeakTerms | None:
        """What a higher peak costs in the hours to come; None where it costs nothing."""
        charges = []
        if tariff.demand_price_per_kw > 0.0:
            highest_w = self._highest_wh * MS_PER_HOUR / QUARTER_MS
            paid_w = np.array([max(highest_w, float(outlook.background_w.max()))])
            every = np.ones(len(outlook.hours))
            charges.append(Charge(tariff.demand_price_per_kw, 1, every, np.zeros(len(every), dtype=np.int64), paid_w))
        if tariff.peak is not None and tariff.peak.price_per_kw > 0.0:
            charges.append(self._of_month(tariff.peak, outlook))
        return PeakTerms(charges) if charges else None

    def _settle(self, now: Instant, peak: PeakTariff | None) -> None:
        """Keep of what is over only what may still count."""
        over_wh = (wh for at, wh in self._quarters_wh.items() if at + QUARTER_MS <= now)
        self._highest_wh = max(self._highest_wh, max(over_wh, default=0.0))
        since = now // QUARTER_MS * QUARTER_MS if peak is None else _interval_start(now, peak)
        over = {at: wh for at, wh in self._quarters_wh.items() if at < since}
        self._quarters_wh = {at: wh for at, wh in self._quarters_wh.items() if at >= since}
        if over and peak is not None:
            self._counted = _that_count([*self._counted, *_means(over, peak)], peak)

    def _of_month(self, peak: PeakTariff, outlook: Outlook) -> Charge:
        """What the highest hours of the month cost, by what the month has seen and is sure to see."""
        starts = [_interval_start(at, peak) for at in outlook.edges[:-1].tolist()]
        weight = np.array([peak.weight(at) for at in starts])
        peaks = [peak.calendar.local(at).date().toordinal() if peak.different_days else at for at in starts]
        _, firsts, peak_of = np.unique(peaks, return_index=True, return_inverse=True)
        paid_w = np.array([counted_room_w(self._counted, int(outlook.edges[first]), peak) for first in firsts])
        np.maximum.at(paid_w, peak_of, outlook.background_w * weight)
        return Charge(peak.price_per_kw / peak.count, peak.count, weight, peak_of, paid_w)


def _interval_start(at: Instant, peak: PeakTariff) -> Instant:
    """When the interval begins, by local time, in which an instant lies."""
    ahead = peak.calendar.local(at).utcoffset()
    ahead_ms = round(ahead.total_seconds() * MS_PER_SECOND) if ahead is not None else 0
    return (at + ahead_ms) // peak.interval_ms * peak.interval_ms - ahead_ms


def _means(quarters_wh: Mapping[Instant, float], peak: PeakTariff) -> list[Mean]:
    """The mean import of the intervals that the tariff counts by; quarters of export count as none."""
    wh: dict[Instant, float] = {}
    for at, quarter_wh in quarters_wh.items():
        begins_at = _interval_start(at, peak)
        wh[begins_at] = wh.get(begins_at, 0.0) + max(0.0, quarter_wh)
    hours = peak.interval_ms / MS_PER_HOUR
    return [Mean(at, energy_wh / hours) for at, energy_wh in wh.items()]


def _that_count(found: Sequence[Mean], peak: PeakTariff) -> list[Mean]:
    """The intervals that are billed of the last month that is seen: no other can count any more."""
    billed = {counted.starts_at for counted in monthly_peaks(found, peak)[-1].peaks}
    return [mean for mean in found if mean.starts_at in billed]
