"""Many vehicles with packs of one kind, stepped together: a table, an energy balance and a warmth for each.

For fleets whose offers change at every step. A session (`charging.warm_session`) is exact, however long they stand.
"""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltbench.battery.pack import PackModel
from voltbench.battery.thermal import MILD_DEGC
from voltbench.quantities import SECONDS_PER_HOUR

Floats = NDArray[np.float64]


class PackFleet:
    """Packs by their `soc` and `degc`, which steps move, and their `soh` and `resistance`, which stay."""

    def __init__(
        self,
        model: PackModel,
        capacity_wh: float,
        soc: Floats,
        degc: Floats,
        soh: ArrayLike = 1.0,
        resistance: ArrayLike = 1.0,
    ) -> None:
        self.soc, self.degc = np.array(soc, dtype=np.float64), np.array(degc, dtype=np.float64)
        self.soh, self.resistance = np.asarray(soh, np.float64), np.asarray(resistance, np.float64)
        self.charge_map = model.accepts(capacity_wh)
        self._thermal = model.thermal
        self._capacity_wh = capacity_wh * self.soh
        self._losses = model.losses()
        self._mild_per_w2 = (self.resistance * self._losses.per_w2).astype(np.float32)

    def accepted_w(self) -> NDArray[np.float32]:
        """What each accepts now."""
        return self.charge_map.power_w(self.soc, self.degc, self.soh, self.resistance)

    def _heat_per_w2(self) -> NDArray[np.float32]:
        k = self._losses.halves_every_k
        if k == inf:
            return self._mild_per_w2
        return np.asarray(np.exp2((MILD_DEGC - self.degc).astype(np.float32) * np.float32(1.0 / k)) * self._mild_per_w2)

    def step(self, offered_w: ArrayLike, ambient_degc: float, seconds: float) -> Floats:
        """Offer power to each for a while that is short beside what changes it; return what each takes, in W.

        Less than nothing is drawn from it. Who is full or empty before the while is over takes or gives less of it.
        """
        hours = seconds / SECONDS_PER_HOUR
        taken_w = np.minimum(self.accepted_w(), offered_w).astype(np.float64)
        heat_w = taken_w * taken_w * self._heat_per_w2()
        after = self.soc + (taken_w - heat_w) * (hours / self._capacity_wh)
        if after.max() > 1.0 or after.min() < 0.0:
            end = np.clip(after, 0.0, 1.0)
            moved = after - self.soc
            part = np.where(after == end, 1.0, (end - self.soc) / np.where(moved == 0.0, 1.0, moved))
            taken_w, heat_w, after = taken_w * part, heat_w * part, end
        self.soc = after
        self.degc = self._thermal.step(self.degc, ambient_degc, heat_w, seconds)
        return taken_w
