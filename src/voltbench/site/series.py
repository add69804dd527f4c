"""Quantities that are constant between given instants: limits, loads, generation, prices."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from voltbench.errors import InvalidInput
from voltbench.quantities import Instant


class StepSeries:
    """A quantity that holds each value from its instant until the next one; the first value also holds before."""

    __slots__ = ("_instants", "_values")

    def __init__(self, steps: Iterable[tuple[Instant, float]]) -> None:
        pairs = list(steps)
        self._instants = [instant for instant, _ in pairs]
        self._values = [float(value) for _, value in pairs]
        if not pairs:
            raise InvalidInput("series", "is empty", allowed="at least one value")
        if any(later <= earlier for earlier, later in pairwise(self._instants)):
            raise InvalidInput("series", "has instants that do not rise", allowed="each later than the one before")
        for value in self._values:
            if not isfinite(value):
                raise InvalidInput("series", "holds a value that is not finite", found=value, allowed="a number")

    @classmethod
    def constant(cls, value: float) -> StepSeries:
        """The same value always."""
        return cls([(0, value)])

    def at(self, now: Instant) -> float:
        """The value that holds at an instant."""
        return self._values[max(bisect_right(self._instants, now) - 1, 0)]

    def next_change(self, now: Instant) -> Instant | None:
        """The first instant after this one at which the value changes, or None."""
        i = bisect_right(self._instants, now)
        return self._instants[i] if 0 < i < len(self._instants) or (i == 0 and len(self._instants) > 1) else None

    def steps(self) -> list[tuple[Instant, float]]:
        """Each value with the instant from which it holds."""
        return list(zip(self._instants, self._values, strict=True))

    def integral(self, instants: NDArray[np.int64]) -> NDArray[np.float64]:
        """Integral over time from the first to each of the rising instants (ms), in value times hours."""
        edges = np.asarray(self._instants, dtype=np.int64)
        values = np.asarray(self._values)
        cumulative = np.concatenate(([0.0], np.cumsum(values[:-1] * np.diff(edges))))
        at = np.clip(np.searchsorted(edges, instants, side="right") - 1, 0, None)
        total = cumulative[at] + values[at] * (instants - edges[at])
        return np.asarray((total - total[0]) / 3_600_000.0, dtype=np.float64)


def as_series(value: float | StepSeries) -> StepSeries:
    """A plain number as a constant series."""
    return value if isinstance(value, StepSeries) else StepSeries.constant(value)
