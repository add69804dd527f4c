"""What it costs to import more than is paid already, in the hours to come: the bill that a plan is measured by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.arrays import Floats
from voltbench.quantities import kw_from_w
from voltbench.running.foresight import Outlook
from voltbench.site.sampling import Integers

_DAYS = 3
"""A horizon of two days touches so many; of hours that are billed one by one there are more, and they are levelled."""


class Ceiling(NamedTuple):
    """How much may count of import in the hours to come, beside what is paid already: of all, or of one day alone."""

    counted_w: float
    only: int | None = None


NO_CEILING = Ceiling(inf)


@dataclass(frozen=True, slots=True)
class Charge:
    """A price on the highest of some peaks, of which up to `count` are billed: days of a month, hours, or one for all.

    Each slot belongs to the peak `peak_of` it, and this `weight` of its power counts. Of each peak so much is paid.
    """

    price_per_kw: float
    count: int
    weight: Floats
    peak_of: Integers
    paid_w: Floats

    def cost(self, import_w: Floats, counts: NDArray[np.bool_]) -> float:
        """What import in these slots costs beyond what is paid."""
        over_w = np.sort(self.over_w(import_w, counts))[-self.count :]
        return self.price_per_kw * kw_from_w(float(over_w.sum()))

    def over_w(self, import_w: Floats, counts: NDArray[np.bool_]) -> Floats:
        """By how much import in these slots raises each peak."""
        over_w = np.zeros(len(self.paid_w))
        np.maximum.at(over_w, self.peak_of[counts], (import_w * self.weight - self.paid_w[self.peak_of])[counts])
        return over_w

    def import_w(self, ceiling: Ceiling) -> Floats:
        """How high import may be in each slot under a ceiling."""
        may_rise = len(self.paid_w) == 1 or ceiling.only is None or self.peak_of == ceiling.only
        counted_w = np.maximum(self.paid_w[self.peak_of], np.where(may_rise, ceiling.counted_w, 0.0))
        return np.divide(counted_w, self.weight, out=np.full_like(counted_w, inf), where=self.weight > 0.0)


@dataclass(frozen=True, slots=True)
class PeakTerms:
    """All that a higher peak costs."""

    charges: Sequence[Charge]

    def cost(self, outlook: Outlook, energy_wh: Floats) -> float:
        """What sessions with these energies (sessions x slots) add to the bill of peaks."""
        import_w, counts = _import_w(outlook, energy_wh)
        return sum(charge.cost(import_w, counts) for charge in self.charges)

    def over_w(self, outlook: Outlook, energy_wh: Floats) -> float:
        """By how much they raise a peak at most."""
        import_w, counts = _import_w(outlook, energy_wh)
        return max(float(charge.over_w(import_w, counts).max(initial=0.0)) for charge in self.charges)

    def counted_w(self, outlook: Outlook, energy_wh: Floats) -> float:
        """The most that counts of import while they draw."""
        import_w, counts = _import_w(outlook, energy_wh)
        return max(float((import_w * charge.weight)[counts].max(initial=0.0)) for charge in self.charges)

    def site_w(self, outlook: Outlook, ceiling: Ceiling) -> Floats:
        """What sessions may draw under a ceiling."""
        import_w = np.min([charge.import_w(ceiling) for charge in self.charges], axis=0)
        return np.asarray(np.maximum(0.0, import_w - outlook.background_w))

    @property
    def paid(self) -> list[Ceiling]:
        """The ceilings that something is paid up to already."""
        return [Ceiling(paid_w) for paid_w in sorted({w for charge in self.charges for w in charge.paid_w.tolist()})]

    @property
    def lone_peaks(self) -> list[int | None]:
        """Whose rise may be looked at: that of all peaks, and of each single day."""
        days = max(len(charge.paid_w) for charge in self.charges)
        return [None, *(range(days) if 1 < days <= _DAYS else ())]


def _import_w(outlook: Outlook, energy_wh: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """What is imported in each slot, and where sessions have a part in it."""
    power_w = energy_wh.sum(axis=0) / outlook.hours
    return outlook.background_w + power_w, power_w > 1.0
