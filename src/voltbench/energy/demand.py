"""What a fleet asks of slots, and the cheapest energies that meet it: needs by priority, then extras, then cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.plan_fleet import plan_fleet, served_wh

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Integers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Demand:
    """What each car could take in each slot (T x C), under limits row by row (L x T), and what all ask for; in Wh.

    The first limit is the site's; `limit` is each car's row, that of its circuit or the site's. A level says how much
    each car asks for in all, and none asks for less than the one before.
    """

    price_per_kwh: Floats
    room_wh: Floats
    limits_wh: Floats
    limit: Integers
    levels: Sequence[Floats]

    def met(self, exact: bool = True) -> Floats:
        """The cheapest energies (T x C) among those that leave out as little as can be, level by level.

        Where not all can have all, it is always `exact`, since the heuristic would leave out more.
        """
        by_car, site_wh = self.room_wh.T, self.limits_wh[0]
        limits = self.limit, self.limits_wh
        found = plan_fleet(
            self.price_per_kwh, by_car, self.levels[-1], site_wh, circuit=limits[0], circuit_wh=limits[1], exact=exact
        )
        if found.shortfall_wh.any():
            served = served_wh(by_car, self.levels, site_wh, *limits)
            found = plan_fleet(self.price_per_kwh, by_car, served, site_wh, circuit=limits[0], circuit_wh=limits[1])
        return found.energy_wh.T

    def carried(self, energy_wh: Floats) -> Floats:
        """What each limit carries in each slot, row by row (L x T): the site all, a circuit what its cars take."""
        rows = (energy_wh[:, self.limit == row].sum(axis=1) for row in range(1, len(self.limits_wh)))
        return np.array([energy_wh.sum(axis=1), *rows])

    def lacking_wh(self, energy_wh: Floats) -> list[float]:
        """What is left out, level by level."""
        had_wh = energy_wh.sum(axis=0)
        return [float(np.maximum(0.0, level - had_wh).sum()) for level in self.levels]

    def cost(self, energy_wh: Floats) -> float:
        """What energies cost."""
        return float(self.price_per_kwh @ energy_wh.sum(axis=1)) / 1e3

    def met_beside(self, reserved_wh: Floats, barred: Flags) -> Floats:
        """The same where cars have some of the limits for themselves (T x C), and take nothing in the slots barred.

        What is reserved is as good as other slots of the same price, whose limit is all of it.
        """
        more_wh = np.where(barred, 0.0, np.maximum(0.0, self.room_wh - reserved_wh))
        reserved = self.carried(reserved_wh)
        both = Demand(
            np.concatenate((self.price_per_kwh, self.price_per_kwh)),
            np.concatenate((reserved_wh, more_wh)),
            np.hstack((reserved, np.maximum(0.0, self.limits_wh - reserved))),
            self.limit,
            self.levels,
        ).met()
        return both[: len(more_wh)] + both[len(more_wh) :]
