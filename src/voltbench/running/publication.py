"""When prices become known, and what stands in for them until then.

A market tells those of a whole day at once, at a time of the day before. Who plans further ahead takes a later hour to
cost what the same local hour does on the last day on which it is known, as days are more alike than hours are; where it
is not known on any, the mean of the known ones. That goes for `simulate` as for `POST /plans`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo

import numpy as np

from voltbench.energy.arrays import Floats
from voltbench.quantities import Instant, instant_of, utc
from voltbench.site.calendar import Calendar, day_start
from voltbench.site.sampling import Integers, sampled_mean
from voltbench.site.series import StepSeries

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Publication:
    """Each day at a `minute` of the market's clocks the prices of its next day are told; until then nobody knows them.

    Nord Pool and EPEX tell theirs between 12:42 and 13:00, Central European Time.
    """

    zone: tzinfo
    minute: int = 13 * 60

    def known_until(self, now: Instant) -> Instant:
        """Until when prices are known: a midnight of the market."""
        today = self._today(now)
        return day_start(today + (2 * _A_DAY if now >= self._told_at(today) else _A_DAY), self.zone)

    def next_after(self, now: Instant) -> Instant:
        """When more is told next."""
        today = self._today(now)
        told_at = self._told_at(today)
        return told_at if told_at > now else self._told_at(today + _A_DAY)

    def day_before(self, at: Instant) -> Instant:
        """The same time by the market's clocks, a day earlier."""
        return day_before(at, self.zone)

    def _today(self, now: Instant) -> date:
        return utc(now).astimezone(self.zone).date()

    def _told_at(self, day: date) -> Instant:
        return Calendar(self.zone).wall_instants(day, self.minute)[0]


def day_before(at: Instant, zone: tzinfo) -> Instant:
    """The same time by local clocks, a day earlier."""
    return instant_of(utc(at).astimezone(zone) - _A_DAY)


def foreseen(
    prices: StepSeries,
    edges: Integers,
    known_until: Instant,
    earlier: Callable[[Instant], Instant],
    otherwise: float = 0.0,
) -> Floats:
    """The mean price of each slot: as it is known from the series' first instant on, or what stands in for it.

    `earlier` tells the same local time of the day before; `otherwise` is for where no slot is known.
    """
    found, known_from = sampled_mean(prices, edges), prices.steps()[0][0]
    is_known = edges[1:] <= known_until
    usual = float(found[is_known].mean()) if is_known.any() else otherwise
    for slot in np.flatnonzero(~is_known).tolist():
        at, lasts_ms = int(edges[slot]), int(edges[slot + 1] - edges[slot])
        while at >= known_until:
            at = earlier(at)
        found[slot] = _mean(prices, at, min(at + lasts_ms, known_until)) if at >= known_from else usual
    return found


def _mean(prices: StepSeries, starts_at: Instant, ends_at: Instant) -> float:
    changes_at = prices.next_change(starts_at)
    if changes_at is None or changes_at >= ends_at:
        return prices.at(starts_at)
    return float(sampled_mean(prices, np.array([starts_at, ends_at]))[0])
