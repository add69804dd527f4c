"""What a record says on a grid of sample intervals: exact energies and mean powers, and power at given instants.

A sampled view is never stepped through: the energy of each stretch in each interval it touches is the integral of its
exponential, so the samples of any grid add up to what flowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voltbench.quantities import MS_PER_HOUR, MS_PER_SECOND, DurationMs, Instant
from voltbench.site.meter import Floats, Stretches, stretch_energy_wh
from voltbench.site.series import StepSeries

Integers = NDArray[np.int64]

PAIRS_AT_ONCE = 1 << 17
"""Pairs of a stretch and an interval worked on together: some 15 MB of columns, whatever the record's size."""


def sample_edges(starts_at: Instant, ends_at: Instant, every_ms: DurationMs) -> Integers:
    """Edges of sample intervals: both ends, and between them every whole multiple of `every_ms` since the epoch.

    So quarter hours are those of the clock, and the first and the last interval may be shorter than the others.
    """
    inner = np.arange(starts_at // every_ms * every_ms + every_ms, ends_at, every_ms, dtype=np.int64)
    return np.concatenate(([starts_at], inner, [ends_at])).astype(np.int64)


def chosen(stretches: Stretches, which: NDArray[np.bool_]) -> Stretches:
    """Those stretches for which `which` is true, in the same order."""
    source, *columns = stretches
    return Stretches(source[which], *(column[which] for column in columns))


def hours(edges_ms: Integers) -> Floats:
    """Length of each interval, in h: energy in Wh over this is the mean power in W."""
    return np.asarray(np.diff(edges_ms) / MS_PER_HOUR, dtype=np.float64)


def sampled_energy_wh(stretches: Stretches, edges_ms: Integers) -> Floats:
    """Energy of all stretches together in each interval, in Wh."""
    return sampled_energy_by_group_wh(stretches, np.zeros(len(stretches.source), np.int64), 1, edges_ms).ravel()


def sampled_energy_by_group_wh(stretches: Stretches, group: Integers, groups: int, edges_ms: Integers) -> Floats:
    """Energy in each interval, in Wh, as rows of `groups`; `group` says to which row each stretch belongs."""
    edges, count = edges_ms.astype(np.float64), len(edges_ms) - 1
    energy_wh = np.zeros(groups * count)
    first = np.maximum(np.searchsorted(edges, stretches.start_ms, side="right") - 1, 0)
    beyond = np.minimum(np.searchsorted(edges, stretches.end_ms, side="left"), count)
    for which, interval in _pairs(first, beyond):
        part_wh = _energy_between_wh(stretches, which, edges[interval], edges[interval + 1])
        cell = group[which] * count + interval
        lowest = int(cell.min())
        sums_wh = np.bincount(cell - lowest, weights=part_wh)
        energy_wh[lowest : lowest + len(sums_wh)] += sums_wh
    return energy_wh.reshape(groups, count)


def sampled_mean(series: StepSeries, edges_ms: Integers) -> Floats:
    """Mean of a step series over each interval, in its own unit; exactly its value where it holds throughout."""
    instants, values = (np.array(column) for column in zip(*series.steps(), strict=True))
    first = np.maximum(np.searchsorted(instants, edges_ms[:-1], side="right") - 1, 0)
    last = np.maximum(np.searchsorted(instants, edges_ms[1:], side="left") - 1, 0)
    mean = np.diff(series.integral(edges_ms)) / hours(edges_ms)
    return np.where(first == last, values[first], mean)


def power_at_w(stretches: Stretches, instants_ms: Floats, *, before: bool = False) -> Floats:
    """Total power just after each of the rising instants, or just before it, in W."""
    side: Literal["left", "right"] = "right" if before else "left"
    first = np.searchsorted(instants_ms, stretches.start_ms, side=side)
    beyond = np.searchsorted(instants_ms, stretches.end_ms, side=side)
    power_w = np.zeros(len(instants_ms))
    for which, i in _pairs(first, beyond):
        power_w += np.bincount(i, weights=_power_w(stretches, which, instants_ms[i]), minlength=len(power_w))
    return power_w


def _energy_between_wh(stretches: Stretches, which: Integers, from_ms: Floats, to_ms: Floats) -> Floats:
    start_ms = np.maximum(from_ms, stretches.start_ms[which])
    seconds = (np.minimum(to_ms, stretches.end_ms[which]) - start_ms) / MS_PER_SECOND
    return stretch_energy_wh(_power_w(stretches, which, start_ms), stretches.growth_per_s[which], seconds)


def _power_w(stretches: Stretches, which: Integers, at_ms: Floats) -> Floats:
    seconds = (at_ms - stretches.start_ms[which]) / MS_PER_SECOND
    return np.asarray(stretches.power_w[which] * np.exp(stretches.growth_per_s[which] * seconds))


def _pairs(first: Integers, beyond: Integers) -> Iterator[tuple[Integers, Integers]]:
    """Every index i with every j from first[i] to below beyond[i], as two columns, so many pairs at a time."""
    counts = np.maximum(beyond - first, 0)
    ends = np.cumsum(counts)
    begins = ends - counts
    total = int(ends[-1]) if len(ends) else 0
    for low in range(0, total, PAIRS_AT_ONCE):
        high = min(low + PAIRS_AT_ONCE, total)
        rows = np.arange(np.searchsorted(ends, low, side="right"), np.searchsorted(begins, high, side="left"))
        here = np.minimum(ends[rows], high) - np.maximum(begins[rows], low)
        which = np.repeat(rows, here)
        yield which, first[which] + np.arange(low, high) - begins[which]
