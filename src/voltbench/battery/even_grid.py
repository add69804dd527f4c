"""A grid of even steps, on which many places are found at once in a few array operations."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

_FINEST = 1e-6
"""Steps of an axis are whole multiples of this, or it has no common step."""

_MOST_ENTRIES = 512


@dataclass(frozen=True, slots=True)
class EvenGrid:
    """`count` places, `step` apart from `first` on."""

    first: float
    step: float
    count: int

    @classmethod
    def through(cls, axis: NDArray[np.float64]) -> EvenGrid:
        """The coarsest grid that has every place of an axis, or where there is none a fine one."""
        if len(axis) == 1:
            return cls(float(axis[0]), 1.0, 1)
        units = [round(step / _FINEST) for step in np.diff(axis).tolist()]
        span = float(axis[-1] - axis[0])
        entries = round(span / _FINEST / (gcd(*units) or 1)) + 1
        count = max(entries, len(axis)) if entries <= _MOST_ENTRIES else _MOST_ENTRIES
        return cls(float(axis[0]), span / (count - 1), count)

    @property
    def entries(self) -> NDArray[np.float64]:
        """All its places."""
        return np.asarray(self.first + self.step * np.arange(self.count, dtype=np.float64))

    def locate(self, at: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The entry below each place, and the part of the way to the next; beyond an end it is that end."""
        along = np.asarray((at - np.float32(self.first)) * np.float32(1.0 / self.step))
        last = np.nextafter(np.float32(self.count - 1), np.float32(0.0))
        along = np.minimum(np.maximum(along, np.float32(0.0), out=along), last, out=along)
        entry = np.asarray(np.floor(along))
        along -= entry
        return entry, along

    def blend(self, table: NDArray[np.float32], at: float) -> NDArray[np.float32]:
        """A table at one place of its first axis, which is this grid."""
        if self.count == 1:
            return np.asarray(table[0])
        along = min(max((at - self.first) / self.step, 0.0), self.count - 1.0)
        i = min(int(along), self.count - 2)
        return np.asarray(table[i] + (table[i + 1] - table[i]) * np.float32(along - i))
