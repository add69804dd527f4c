"""What a fleet asks of slots, and the cheapest energies that meet it: needs by priority, then extras, then cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from voltbench.energy.arrays import NEGLIGIBLE_WH, Flags, Floats, Integers
from voltbench.energy.plan_effort import Effort
from voltbench.energy.plan_fleet import plan_fleet, served


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

    def met(self, effort: Effort) -> Floats:
        """The cheapest energies (T x C) among those that leave out as little as can be, level by level.

        Where the effort is not for exact ones, they cost more, but leave out no more as long as it lasts.
        """
        last = self.levels[-1]
        levels = [one for one, after in pairwise(self.levels) if (one != after).any()]
        at_all = effort if effort.is_for_exact or not levels else Effort(0.0)  # nobody makes room yet
        found = self._cheapest(last, at_all)
        if not levels or not (last - found.sum(axis=0) > NEGLIGIBLE_WH).any():
            return found
        had_wh = served(
            self.price_per_kwh, self.room_wh.T, [*levels, last], self.limits_wh[0], self.limit, self.limits_wh, effort
        )
        if effort.is_over:
            return had_wh
        cheaper = self._cheapest(had_wh.sum(axis=0), effort)
        return min(cheaper, had_wh, key=self._badness)

    def _cheapest(self, asked_wh: Floats, effort: Effort) -> Floats:
        found = plan_fleet(
            self.price_per_kwh,
            self.room_wh.T,
            asked_wh,
            self.limits_wh[0],
            circuit=self.limit,
            circuit_wh=self.limits_wh,
            effort=effort,
        )
        return found.energy_wh.T

    def _badness(self, energy_wh: Floats) -> tuple[list[float], float]:
        """What is lacking, level by level, and then the cost."""
        return [round(wh, 3) for wh in self.lacking_wh(energy_wh)], self.cost(energy_wh)

    def carried(self, energy_wh: Floats) -> Floats:
        """What each limit carries in each slot, row by row (L x T): the site all, a circuit what its cars take."""
        rows = (energy_wh[:, self.limit == row].sum(axis=1) for row in range(1, len(self.limits_wh)))
        return np.array([energy_wh.sum(axis=1), *rows])

    def lacking_wh(self, energy_wh: Floats) -> list[float]:
        """What is left out, level by level."""
        return lacking_wh(self.levels, energy_wh)

    def cost(self, energy_wh: Floats) -> float:
        """What energies cost."""
        return float(self.price_per_kwh @ energy_wh.sum(axis=1)) / 1e3

    def met_beside(self, reserved_wh: Floats, barred: Flags, effort: Effort) -> Floats:
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
        ).met(effort)
        return both[: len(more_wh)] + both[len(more_wh) :]


def lacking_wh(levels: Sequence[Floats], energy_wh: Floats) -> list[float]:
    """What energies (T x C) leave out of what is asked for, level by level."""
    had_wh = energy_wh.sum(axis=0)
    return [float(np.maximum(0.0, level - had_wh).sum()) for level in levels]
