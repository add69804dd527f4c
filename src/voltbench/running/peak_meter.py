"""What import costs by its height, beside its energy: a demand charge, and the highest hours of each month."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND, DurationMs, Instant, kw_from_w
from voltbench.running.balance import Balance
from voltbench.running.bay import Bay
from voltbench.running.foresight import Outlook
from voltbench.site.peaks import Mean, PeakTariff, counted_room_w
from voltbench.site.sampling import sample_edges
from voltbench.site.tariff import Tariff

Floats = NDArray[np.float64]

QUARTER_MS: DurationMs = 15 * MS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class PeakTerms:
    """What a higher peak costs, per kW of what counts of it; import up to `paid_w` costs nothing more in a slot.

    `weight` is the part of the power that counts in each slot.
    """

    price_per_kw: float
    paid_w: Floats
    weight: Floats

    def cost(self, higher_w: float) -> float:
        """What it costs to raise the peak by so much."""
        return self.price_per_kw * kw_from_w(higher_w)

    def site_w(self, outlook: Outlook, higher_w: float) -> Floats:
        """What sessions may draw where the peak is to be no more than so much higher."""
        more_w = np.divide(higher_w, self.weight, out=np.full_like(self.weight, np.inf), where=self.weight > 0.0)
        return np.maximum(0.0, self.paid_w + more_w - outlook.background_w)

    def higher_w(self, outlook: Outlook, energy_wh: Floats) -> float:
        """By how much sessions with these energies (sessions x slots) raise the peak, of what counts."""
        power_w = energy_wh.sum(axis=0) / outlook.hours
        counts = (power_w > 1.0) & (self.weight > 0.0)
        over_w = (outlook.background_w + power_w - self.paid_w)[counts] * self.weight[counts]
        return float(over_w.max(initial=0.0))


class PeakMeter:
    """What has been imported so far, quarter hour by quarter hour, and so what of a peak is paid already."""

    def __init__(self, balance: Balance) -> None:
        self._balance = balance
        self._noted_at: Instant | None = None
        self._drawn_wh: dict[Bay, float] = {}
        self._quarters_wh: dict[Instant, float] = {}

    @staticmethod
    def matters(tariff: Tariff) -> bool:
        """Whether a peak costs anything."""
        return tariff.demand_price_per_kw > 0.0 or (tariff.peak is not None and tariff.peak.price_per_kw > 0.0)

    def note(self, now: Instant, bays: Iterable[Bay]) -> None:
        """Count what has flowed since the last time; these are the sessions that go on."""
        drawn_wh = sum(bay.session.drawn_wh(now) - before_wh for bay, before_wh in self._drawn_wh.items())
        if self._noted_at is not None and self._noted_at < now:
            edges = sample_edges(self._noted_at, now, QUARTER_MS)
            hours = np.diff(edges) / MS_PER_HOUR
            own_wh = np.diff(self._balance.load_w.integral(edges) - self._balance.generation_w.integral(edges))
            flowed_wh = own_wh + hours * (self._balance.storage_w() + drawn_wh / hours.sum())
            for at, wh in zip((edges[:-1] // QUARTER_MS * QUARTER_MS).tolist(), flowed_wh.tolist(), strict=True):
                self._quarters_wh[at] = self._quarters_wh.get(at, 0.0) + wh
        self._noted_at, self._drawn_wh = now, {bay: bay.session.drawn_wh(now) for bay in bays}

    def terms(self, now: Instant, tariff: Tariff, outlook: Outlook) -> PeakTerms | None:
        """What a higher peak costs in the hours to come; None where it costs nothing."""
        peak = tariff.peak if tariff.peak is not None and tariff.peak.price_per_kw > 0.0 else None
        if not self.matters(tariff):
            return None
        starts_at = outlook.edges[:-1].tolist()
        price_per_kw, weight = tariff.demand_price_per_kw, np.ones(len(starts_at))
        paid_w = np.full(len(starts_at), np.inf)
        if tariff.demand_price_per_kw > 0.0:
            paid_w[:] = max(0.0, self._highest_w(now), float(outlook.background_w.max()))
        if peak is not None:
            price_per_kw += peak.price_per_kw / peak.count
            paid_w = np.minimum(paid_w, self._room_w(now, peak, outlook))
            if tariff.demand_price_per_kw <= 0.0:
                weight = np.array([peak.weight(at) for at in starts_at])
        return PeakTerms(price_per_kw, paid_w, weight)

    def _highest_w(self, now: Instant) -> float:
        over = (wh for at, wh in self._quarters_wh.items() if at + QUARTER_MS <= now)
        return max(over, default=0.0) * MS_PER_HOUR / QUARTER_MS

    def _room_w(self, now: Instant, peak: PeakTariff, outlook: Outlook) -> Floats:
        """How high import may be in each slot without costing more, by what the month has seen and is sure to see."""
        found = self._means(now, peak)
        days = [peak.calendar.local(at).date() for at in outlook.edges[:-1].tolist()]
        weights = np.array([peak.weight(at) for at in outlook.edges[:-1].tolist()])
        paid_w = np.full(len(days), np.inf)
        for day in set(days):
            slots = np.array([one == day for one in days]) & (weights > 0.0)
            if not slots.any():
                continue
            at = int(outlook.edges[:-1][slots][0])
            billed_w = counted_room_w(found, at, peak)
            if peak.different_days:
                billed_w = max(billed_w, float((outlook.background_w * weights)[slots].max()))
            paid_w[slots] = np.maximum(0.0, billed_w / weights[slots])
        return paid_w

    def _means(self, now: Instant, peak: PeakTariff) -> list[Mean]:
        """The mean import of the intervals that are over and that the tariff counts by."""
        wh: dict[Instant, float] = {}
        for at, quarter_wh in self._quarters_wh.items():
            ahead = peak.calendar.local(at).utcoffset()
            ahead_ms = round(ahead.total_seconds() * MS_PER_SECOND) if ahead is not None else 0
            begins_at = (at + ahead_ms) // peak.interval_ms * peak.interval_ms - ahead_ms
            wh[begins_at] = wh.get(begins_at, 0.0) + max(0.0, quarter_wh)
        hours = peak.interval_ms / MS_PER_HOUR
        return [Mean(at, energy_wh / hours) for at, energy_wh in wh.items() if at + peak.interval_ms <= now]
