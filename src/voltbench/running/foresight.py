"""What a site knows of the hours to come: prices, limits, load and generation, in quarter hours, for its plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from voltbench.energy.arrays import Floats
from voltbench.energy.plan import Horizon
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, DurationMs, Instant
from voltbench.running.balance import Balance
from voltbench.running.publication import Publication, foreseen
from voltbench.site.calendar import QUARTER_MS
from voltbench.site.limits import LimitTree
from voltbench.site.sampling import Integers, hours, sample_edges, sampled_mean
from voltbench.site.series import StepSeries
from voltbench.site.tariff import Tariff

SLOT_MS: DurationMs = QUARTER_MS
LOOKS_AHEAD_MS: DurationMs = 48 * MS_PER_HOUR
"""Nothing is planned further ahead."""

FLAT_PRICE = 1.0
"""What every kWh costs where nobody tells: then the first slots are as cheap as any."""

AT_ONCE = inf
"""What waiting costs where nobody is to wait."""

_GRAIN = 0.005
_SLIVER = 0.01
"""A part of a slot that is not worth a slot of its own."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """The slots to come: what the site may draw (rows of the tree x slots), its background, and what energy costs.

    `surplus_w` is generation that the site has left over; it costs what feeding it in would have earned.
    """

    edges: Integers
    hours: Floats
    bounds: Floats
    background_w: Floats
    price_per_kwh: Floats
    surplus_w: Floats
    surplus_price_per_kwh: Floats

    def less(self, drawn_w: Floats) -> Outlook:
        """What is left beside somebody who draws these powers."""
        left_w = np.maximum(0.0, self.surplus_w - drawn_w)
        return replace(self, background_w=self.background_w + drawn_w, surplus_w=left_w)

    def cost(self, energy_wh: Floats) -> float:
        """What energies in the slots cost; first what is left of generation is taken."""
        of_surplus_wh = np.minimum(energy_wh, self.surplus_w * self.hours)
        bought = float((energy_wh - of_surplus_wh) @ self.price_per_kwh)
        return (bought + float(of_surplus_wh @ self.surplus_price_per_kwh)) / 1e3

    def horizon(
        self, site_w: Floats, circuits_w: Mapping[str, Floats], most_w: float, waiting: float = 0.0
    ) -> tuple[Horizon, Integers]:
        """The slots as the planner has them, and the slot that each of them is a part of.

        A slot of which cars of `most_w` in all can take only a part from what generation leaves over is two, one after
        the other: what is so in power is so in time. Each hour of `waiting` costs so much of the dearest price more;
        `AT_ONCE`, and nothing else counts.
        """
        site_w = np.minimum(site_w, most_w)
        reach_w = np.maximum(1e-9, site_w)
        part = np.where(self.surplus_price_per_kwh < self.price_per_kwh, self.surplus_w / reach_w, 0.0)
        cuts = np.flatnonzero((part > _SLIVER) & (part < 1.0 - _SLIVER))
        cuts_ms = self.edges[cuts] + (part[cuts] * np.diff(self.edges)[cuts]).astype(np.int64)
        edges = np.sort(np.concatenate((self.edges, cuts_ms)))
        slot = np.searchsorted(self.edges, edges[:-1], side="right") - 1
        is_surplus = np.isin(edges[:-1], self.edges[:-1][part > _SLIVER])
        waited_h = (edges[:-1] - edges[0]) / MS_PER_HOUR
        price = waited_h
        if waiting < AT_ONCE:
            true_price = np.where(is_surplus, self.surplus_price_per_kwh[slot], self.price_per_kwh[slot])
            price = _coarse(true_price) + waiting / _GRAIN * waited_h
        circuits = {name: tuple(np.minimum(series, most_w)[slot].tolist()) for name, series in circuits_w.items()}
        return Horizon(tuple(edges.tolist()), tuple(price.tolist()), tuple(site_w[slot].tolist()), circuits), slot


def _coarse(price_per_kwh: Floats) -> Floats:
    """Prices in steps of a grain of the dearest: what differs by less is not worth a pause."""
    grain = float(np.abs(price_per_kwh).max()) * _GRAIN
    return np.round(price_per_kwh / grain) if grain > 0.0 else price_per_kwh


class Foresight:
    """What is known ahead at a site. `ends_at` is when its story ends; without it, it goes on.

    Prices are known as far as they are `published`; without that, all of them. What a later hour is taken to cost is
    told by `publication.foreseen`.
    """

    def __init__(
        self,
        tree: LimitTree,
        balance: Balance,
        tariff: Tariff | None,
        ends_at: Instant | None,
        published: Publication | None = None,
    ) -> None:
        self.ends_at = ends_at
        self.tariff = tariff or Tariff()
        self.balance = balance
        self._tree = tree
        self._published = published
        self._known_until: Instant | None = None

    def prices_are(self, tariff: Tariff, known_until: Instant | None) -> None:
        """Prices are others than was known, and these are known until then, or to the end."""
        self.tariff, self._published, self._known_until = tariff, None, known_until

    def known_until(self, now: Instant) -> Instant | None:
        """Until when prices are known; None where all are."""
        return self._known_until if self._published is None else self._published.known_until(now)

    def news_at(self, now: Instant, until: Instant) -> Instant | None:
        """When more becomes known of the prices until an instant; None where that is not foreseen, or nothing lacks."""
        if self._published is None or until <= self._published.known_until(now):
            return None
        return self._published.next_after(now)

    def outlook(self, now: Instant, until: Instant) -> Outlook:
        """The slots from now until an instant."""
        edges = sample_edges(now, min(until, now + LOOKS_AHEAD_MS), SLOT_MS)
        load_w = sampled_mean(self.balance.load_w, edges)
        generation_w = sampled_mean(self.balance.generation_w, edges)
        price, surplus_price = self._prices(now, edges)
        surplus_w = np.maximum(0.0, generation_w - load_w)
        return Outlook(edges, hours(edges), self._bounds(edges), load_w - generation_w, price, surplus_w, surplus_price)

    def _prices(self, now: Instant, edges: Integers) -> tuple[Floats, Floats]:
        bought, sold = self.tariff.import_price_per_kwh, self.tariff.export_price_per_kwh
        if bought is None:
            flat = np.full(len(edges) - 1, FLAT_PRICE)
            return flat, flat
        prices = self._as_known(now, bought, edges)
        return prices, self._as_known(now, sold, edges) if sold is not None else np.zeros_like(prices)

    def _as_known(self, now: Instant, prices: StepSeries, edges: Integers) -> Floats:
        """Prices in the slots, and what is taken for those that are not known."""
        until = self.known_until(now)
        if until is None or edges[-1] <= until:
            return sampled_mean(prices, edges)
        return foreseen(prices, edges, until, self._day_before, FLAT_PRICE)

    def _day_before(self, at: Instant) -> Instant:
        return at - MS_PER_DAY if self._published is None else self._published.day_before(at)

    def _bounds(self, edges: Integers) -> Floats:
        """The least that each row of the tree allows during each slot."""
        at: Instant | None = int(edges[0])
        found = np.full((self._tree.row_count, len(edges) - 1), np.inf)
        while at is not None and at < edges[-1]:
            changes_at = self._tree.next_change(at)
            ends_at = int(edges[-1]) if changes_at is None else changes_at
            first, last = np.searchsorted(edges, at, side="right") - 1, np.searchsorted(edges, ends_at)
            bounds = np.array(self._tree.bounds(at))[:, None]
            found[:, first:last] = np.minimum(found[:, first:last], bounds)
            at = changes_at
        return found
