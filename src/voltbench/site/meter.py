"""What flowed, in closed form: every stretch of power of every session, and of the stationary battery.

A stretch starts at an instant and holds P(t) = power * exp(growth * t) until the next one of the same source. Any
sampled view is derived from these exactly.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voltbench.quantities import Instant

Floats = NDArray[np.float64]


class Stretches(NamedTuple):
    """Stretches of power as columns: whose, from when to when (ms, may be fractional), W, and growth in 1/s.

    Sorted by source, then by start. Stretches without power are left out.
    """

    source: NDArray[np.int64]
    start_ms: Floats
    end_ms: Floats
    power_w: Floats
    growth_per_s: Floats

    def energy_wh(self) -> Floats:
        """Energy of each stretch, in Wh."""
        return stretch_energy_wh(self.power_w, self.growth_per_s, (self.end_ms - self.start_ms) / 1_000.0)


def stretch_energy_wh(power_w: Floats, growth_per_s: Floats, seconds: Floats) -> Floats:
    """Energy in Wh of P(t) = power * exp(growth * t) over some seconds, each an array."""
    exponent = growth_per_s * seconds
    small = np.abs(exponent) < 1e-12
    factor = np.where(small, seconds, np.expm1(exponent) / np.where(small, 1.0, growth_per_s))
    return np.asarray(power_w * factor / 3_600.0)


class PowerRecord:
    """Collects stretches of power as they begin. Sources are numbered by the caller."""

    __slots__ = ("_growth", "_power", "_source", "_start")

    def __init__(self) -> None:
        self._source = array("q")
        self._start = array("d")
        self._power = array("d")
        self._growth = array("d")

    def __len__(self) -> int:
        return len(self._start)

    def begin(self, source: int, start_ms: float, power_w: float, growth_per_s: float) -> None:
        """A source draws this power from now on."""
        self._source.append(source)
        self._start.append(start_ms)
        self._power.append(power_w)
        self._growth.append(growth_per_s)

    def stretches(self, until: Instant) -> Stretches:
        """Everything recorded, up to an instant."""
        source = np.array(self._source, dtype=np.int64)
        start = np.array(self._start)
        order = np.argsort(source, kind="stable")  # by source as told: a later word replaces an earlier one
        source, start = source[order], start[order]
        end = np.append(start[1:], float(until))
        last = np.append(source[1:] != source[:-1], True)
        end[last] = until
        power, growth = np.array(self._power)[order], np.array(self._growth)[order]
        kept = (power != 0.0) & (end > start)
        return Stretches(source[kept], start[kept], end[kept], power[kept], growth[kept])
