"""Fewer rows of a record, so that a chart of it looks the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from voltbench.battery.record import Floats, Record

Rows: TypeAlias = NDArray[np.intp]


def thinned(record: Record, points: int) -> Record:
    """At most so many rows, those without which its curves would look most different; at least the first and the last.

    In the way of Douglas and Peucker (1973), on all columns at once and each by its own range: again and again the rows
    that are furthest from the straight lines between those already kept. So extremes and corners stay, and what is
    straight needs few rows. Fewer come back where a hundred-thousandth of a column's range shows nothing more.
    """
    if len(record) <= points:
        return record
    kept = _kept(record.columns["time_s"], _by_range(record), max(points, 2))
    columns = {name: column[kept] for name, column in record.columns.items()}
    return replace(record, columns=columns)


FINEST = 1e-5
"""Part of a column's range that nobody sees in a chart."""

LEAST_IN_A_ROUND = 16
"""Otherwise half of what may still come, so that rounds are few."""


def _kept(time_s: Floats, curves: Floats, points: int) -> Rows:
    """Begins with a quarter of the rows evenly spread, and every curve's extremes."""
    even = np.linspace(0, len(time_s) - 1, max(points // 4, 2)).astype(np.intp)
    extremes = np.concatenate([curves.argmin(axis=1), curves.argmax(axis=1)])
    kept: Rows = np.union1d(even, extremes if len(even) + len(extremes) <= points else even)
    while len(kept) < points:
        off = _off(time_s, curves, kept)
        worst = np.maximum.reduceat(off, kept[:-1])
        room = points - len(kept)
        ranked = np.argsort(-worst, kind="stable")[: min(room, max(room // 2, LEAST_IN_A_ROUND))]
        chosen = ranked[worst[ranked] > FINEST]
        if not len(chosen):
            break
        found = [kept[i] + int(off[kept[i] : kept[i + 1]].argmax()) for i in chosen]
        kept = np.union1d(kept, np.array(found, dtype=np.intp))
    return kept


def _off(time_s: Floats, curves: Floats, kept: Rows) -> Floats:
    """How far each row is off the straight line, in time, between the kept rows around it; the most of all columns."""
    lengths = np.diff(kept)
    lengths[-1] += 1
    spans = np.diff(time_s[kept])
    from_left = time_s - np.repeat(time_s[kept[:-1]], lengths)
    off = np.zeros_like(time_s)
    for curve in curves:
        slopes = np.divide(np.diff(curve[kept]), spans, out=np.zeros_like(spans), where=spans > 0.0)
        line = np.repeat(curve[kept[:-1]], lengths) + np.repeat(slopes, lengths) * from_left
        np.maximum(off, np.abs(curve - line), out=off)
    off[kept] = 0.0
    return off


def _by_range(record: Record) -> NDArray[np.float64]:
    """Each column but time as parts of its range; zero where it is constant or not finite."""
    columns = np.stack([column for name, column in record.columns.items() if name != "time_s"])
    finite = np.isfinite(columns)
    least = np.where(finite, columns, np.inf).min(axis=1, keepdims=True)
    span = np.where(finite, columns, -np.inf).max(axis=1, keepdims=True) - least
    with np.errstate(invalid="ignore"):
        above = columns - least
    parts: NDArray[np.float64] = np.divide(above, span, out=np.zeros_like(columns), where=finite & (span > 0.0))
    return parts
