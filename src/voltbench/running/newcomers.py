"""Who may still come to a site, and what anybody would lack if they came while others wait for a better hour."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voltbench.quantities import MS_PER_HOUR, MS_PER_SECOND, SECONDS_PER_HOUR, Instant
from voltbench.running.bay import Bay
from voltbench.running.needs import Limits, Need, Shared
from voltbench.site.sampling import Integers

Floats = NDArray[np.float64]

LOOKS_BACK = 1_000
"""So many of those who came last are looked at: more would hardly say more, and habits change over a year."""

USUAL, LARGE = 0.5, 0.75
"""A newcomer stays as long as half of those who came, and needs what three in four of them can do with."""


class Arrival(NamedTuple):
    """Newcomers that come together.

    They come to a part of the free connectors, to one at least, and have a part of the usual time to spare.
    """

    part: float
    spare: float


UNLIMITED_W = 1e9
"""A limit that allows more than a gigawatt is none; it has to be a number to be reckoned with."""

ARRIVALS = (Arrival(1.0, 1.0), Arrival(0.25, 0.0), Arrival(0.0, 0.0))
"""To every free connector at once, with the usual time; and some, or one, that cannot wait at all."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What a car that may come is taken to be like: what it needs, its power, and how long it stays."""

    needed_wh: float
    power_w: float
    stays_h: float


class Newcomers:
    """Those who came last; who may come is taken to be like them."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._came: deque[Newcomer] = deque(maxlen=LOOKS_BACK)

    def see(self, now: Instant, bays: Iterable[Bay], there: Collection[str]) -> None:
        """These want something now. `there` are the sessions of all who are at a connector: the others have gone."""
        self._seen.intersection_update(there)
        for bay in bays:
            if bay.session.id not in self._seen:
                self._seen.add(bay.session.id)
                self._note(now, bay)

    def _note(self, now: Instant, bay: Bay) -> None:
        session = bay.session
        needed_wh, quickest_h = session.needed_wh(now), session.quickest_s(now) / SECONDS_PER_HOUR
        if not (needed_wh > 0.0 < quickest_h and isfinite(needed_wh) and isfinite(quickest_h)):
            return
        stays_h = quickest_h
        if session.departs_at is not None and not bay.claim.is_hurried:
            stays_h = max(MS_PER_SECOND, session.departs_at - now) / MS_PER_HOUR
        power_w = needed_wh / quickest_h
        self._came.append(Newcomer(min(needed_wh, power_w * stays_h), power_w, stays_h))

    def expected(self) -> Newcomer | None:
        """What the next one is taken to be like."""
        if not self._came:
            return None
        came = np.array([(one.needed_wh, one.power_w, one.stays_h) for one in self._came])
        needed_wh, power_w = np.quantile(came[:, :2], LARGE, axis=0).tolist()
        stays_h = float(np.quantile(came[:, 2], USUAL))
        return Newcomer(needed_wh, power_w, max(stays_h, needed_wh / power_w))


class Prospect:
    """The hours to come, as somebody may come in each of them."""

    def __init__(self, edges: Integers, limits: Limits, needs: Sequence[Need], newcomer: Newcomer) -> None:
        self._newcomer, self._shared = newcomer, limits.shared()
        self._edges_h = (edges - edges[0]) / MS_PER_HOUR
        self._comes_h = np.unique(np.concatenate((self._edges_h[::4], self._edges_h[-1:])))
        last = float(self._comes_h[-1])
        self._until_h = np.concatenate((self._comes_h, last + np.arange(1, ceil(newcomer.stays_h) + 1)))
        self._ready_h = (np.array([need.ready_by for need in needs]) - edges[0]) / MS_PER_HOUR
        self._most_w = np.array([need.most_w for need in needs])

    def lacking_wh(self, energy_wh: Floats) -> Floats:
        """What would be lacking in all beside these energies (sessions x slots): by limit and arrival, and by hour.

        Of those who are there and those who come together then, each set that must be ready by some hour needs so much
        until then; what the limit does not give by that hour is lacking (the cut of Ford and Fulkerson).
        """
        forced_wh = self._forced_wh(energy_wh)
        found = []
        for shared in self._shared:
            own_wh = forced_wh[shared.members].sum(axis=0) - self._given_wh(shared)
            gone = (self._ready_h[shared.members, None] <= self._comes_h).sum(axis=0)
            free = shared.free + gone
            for arrival in ARRIVALS:
                coming = np.minimum(free, np.maximum(1.0, arrival.part * free))
                lacking_wh = own_wh + coming[:, None] * self._asked_wh(arrival.spare)
                found.append(np.maximum(0.0, lacking_wh).max(axis=1, where=self._is_after, initial=0.0))
        return np.array(found)

    @property
    def _is_after(self) -> NDArray[np.bool_]:
        return self._until_h[None, :] > self._comes_h[:, None]

    def _forced_wh(self, energy_wh: Floats) -> Floats:
        """What each session has to draw after an hour (second axis) until another (third), to be ready in time."""
        drawn_wh = np.concatenate((np.zeros((len(energy_wh), 1)), np.cumsum(energy_wh, axis=1)), axis=1)
        left_wh = np.array([np.interp(self._comes_h, self._edges_h, row[-1] - row) for row in drawn_wh])
        later_wh = self._most_w[:, None] * np.maximum(0.0, self._ready_h[:, None] - self._until_h)
        return np.asarray(np.maximum(0.0, left_wh[:, :, None] - later_wh[:, None, :]))

    def _given_wh(self, shared: Shared) -> Floats:
        """What a limit gives after an hour until another; beyond the hours that are known, as on average of them."""
        given_wh = np.concatenate(([0.0], np.cumsum(np.minimum(shared.limit_w, UNLIMITED_W) * np.diff(self._edges_h))))
        beyond_h = np.maximum(0.0, self._until_h - self._edges_h[-1])
        by_wh = np.interp(self._until_h, self._edges_h, given_wh) + beyond_h * given_wh[-1] / self._edges_h[-1]
        return np.asarray(by_wh[None, :] - np.interp(self._comes_h, self._edges_h, given_wh)[:, None])

    def _asked_wh(self, spare: float) -> Floats:
        """What a newcomer that comes at an hour has to draw until another."""
        one = self._newcomer
        quickest_h = one.needed_wh / one.power_w
        leaves_h = self._comes_h[:, None] + quickest_h + spare * (one.stays_h - quickest_h)
        return np.asarray(np.maximum(0.0, one.needed_wh - one.power_w * np.maximum(0.0, leaves_h - self._until_h)))
