"""The power that a pack of modelled cells accepts, over state of charge, temperature, health and resistance.

Between the table's entries everything is linear in each axis. Beyond its temperatures power falls in a straight line
to nothing at those between which the pack lets itself be charged; beyond its resistances it is as at the edge; and of
states of health that it does not have nobody knows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import product
from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltbench.battery.acceptance import AcceptanceCurve
from voltbench.battery.charge_map import CellChargeMap, Floats
from voltbench.battery.even_grid import EvenGrid
from voltbench.errors import InvalidInput

COLDEST_DEGC, HOTTEST_DEGC = -20.0, 60.0
"""Where charging is over, if nobody says otherwise. Hot: JEITA and BAJ's guide to the safe use of lithium-ion cells
(2007) ends charging at 60 degrees. Cold: ours; makers of cells say 0 to -20, and that guide, written for laptops, 0."""

TRICKLE_C = 0.01
"""Where a pack lets itself be charged at all it is never refused wholly, and so gets full: as little as the current at
which makers end the charge at a constant voltage (C/100 of an LG M50's 5 Ah: 50 mA)."""

STRAIGHT_WITHIN = 0.01
"""A curve keeps those entries of its table between which straight lines are off by no more than this part. The ripples
that a mesh leaves on a table are about as large; in time and energy they cancel, to a tenth of that."""

SMALL_C = 0.1
"""Of less power than this, in capacities an hour, nobody asks how far a part of itself it moves."""

LEAST_MOVE_K = 1e-3
"""A curve is good for this much at least: colder than that nobody measures a pack."""


class ChargeMap:
    """What packs of one kind accept at their terminals, in W: `table_w` by resistance, health, temperature and SoC.

    `capacity_wh` is what a fresh one holds; an aged one holds `soh` times that, and its SoC counts from there. At the
    temperatures of `charges_degc`, and beyond, it accepts nothing: there its own table begins and ends.
    """

    def __init__(
        self,
        capacity_wh: float,
        resistance: Sequence[float],
        soh: Sequence[float],
        temperature_degc: Sequence[float],
        soc: Sequence[float],
        table_w: Floats,
        charges_degc: tuple[float, float] = (COLDEST_DEGC, HOTTEST_DEGC),
    ) -> None:
        self.capacity_wh = capacity_wh
        degc, self.table_w = _between_limits(
            np.asarray(temperature_degc, dtype=np.float64), np.maximum(table_w, capacity_wh * TRICKLE_C), charges_degc
        )
        self.axes: tuple[Floats, ...] = tuple(np.asarray(a, dtype=np.float64) for a in (resistance, soh, degc, soc))
        self._straight: dict[tuple[int, int], set[int]] = {}

    @classmethod
    def of_cells(
        cls,
        cells: CellChargeMap,
        series: int,
        parallel: int,
        capacity_wh: float,
        max_power_w: float = inf,
        max_current_a: float = inf,
        margin: float = 0.0,
        charges_degc: tuple[float, float] = (COLDEST_DEGC, HOTTEST_DEGC),
    ) -> ChargeMap:
        """A pack of so many cells, of which the part `margin` is left unused; its leads take a current at most.

        Cells are taken to be alike, and the vehicle's SoC to be theirs.
        """
        current_a = cells.currents * cells.capacity_ah * parallel * (1.0 - margin)
        volts = cells.voltages * series
        power_w = np.minimum(np.minimum(current_a, max_current_a) * volts, max_power_w)
        soh = [1.0 - lost for lost in reversed(cells.lam)]
        table_w = power_w[:, ::-1]
        return cls(capacity_wh, cells.resistance, soh, cells.temperature_degc, cells.soc, table_w, charges_degc)

    def require_known(self, soh: float, resistance: float = 1.0) -> None:
        """Raise InvalidInput for a state of health, or a resistance, that the table does not have."""
        for name, asked, axis in (("soh", soh, self.axes[1]), ("resistance", resistance, self.axes[0])):
            least, most = float(axis[0]), float(axis[-1])
            if not least <= asked <= most:
                problem = "is beyond what the table of its cells was made for"
                raise InvalidInput(name, problem, found=asked, allowed=f"{least:g} to {most:g}")

    def aged(self, soh: float = 1.0, resistance: float = 1.0) -> AgedMap:
        """What is left of it for one pack of this health and resistance, by the entries that its curves need."""
        table = _between(self.axes[1], _between(self.axes[0], self.table_w, resistance), soh)
        corners = product(_corners(self.axes[0], resistance), _corners(self.axes[1], soh))
        kept = sorted(set().union(*(self._kept(*corner) for corner in corners)))
        return AgedMap(self.capacity_wh * soh, self.axes[3][kept], self.axes[2], table[:, kept])

    def curve(self, temperature_degc: float, soh: float = 1.0, resistance: float = 1.0) -> AcceptanceCurve:
        """The curve of one pack at a temperature. Raises InvalidInput for a health that the table does not have."""
        self.require_known(soh)
        return self.aged(soh, resistance).curve(temperature_degc)

    def _kept(self, resistance_at: int, soh_at: int) -> set[int]:
        """Between which entries straight lines hold, at all temperatures, for one entry of resistance and health."""
        corner = (resistance_at, soh_at)
        if corner not in self._straight:
            self._straight[corner] = _bends(self.axes[3], self.table_w[corner][1:-1], STRAIGHT_WITHIN)
        return self._straight[corner]

    def power_w(
        self, soc: ArrayLike, temperature_degc: ArrayLike, soh: ArrayLike = 1.0, resistance: ArrayLike = 1.0
    ) -> NDArray[np.float32]:
        """What each of many packs accepts, in W; arrays and single numbers may be mixed."""
        grids, table_w, asked = list(self._even_grids), self._even_table_w, [resistance, soh, temperature_degc, soc]
        while len(asked) > 2 and np.ndim(asked[0]) == 0:
            table_w = grids.pop(0).blend(table_w, float(np.asarray(asked.pop(0))))
        start: NDArray[np.float32] = np.zeros((), dtype=np.float32)
        corners, parts = [0], list[NDArray[np.float32]]()
        for axis, (grid, places) in enumerate(zip(grids, asked, strict=True)):
            if grid.count == 1:
                continue
            stride = int(np.prod(table_w.shape[axis + 1 :], dtype=int))
            entry, part = grid.locate(np.asarray(places, dtype=np.float32))
            start = start + entry * np.float32(stride)
            corners = [corner + step for corner in corners for step in (0, stride)]
            parts.append(part)
        flat_w, index = table_w.reshape(-1), start.astype(np.intp)
        found = [flat_w[corner:].take(index, mode="clip") for corner in corners]
        for part in reversed(parts):
            found = [_blended(low, high, part) for low, high in zip(found[::2], found[1::2], strict=True)]
        return found[0]

    @cached_property
    def _even_grids(self) -> tuple[EvenGrid, ...]:
        return tuple(EvenGrid.through(axis) for axis in self.axes)

    @cached_property
    def _even_table_w(self) -> NDArray[np.float32]:
        table_w = self.table_w
        for i, (grid, axis) in enumerate(zip(self._even_grids, self.axes, strict=True)):
            lines = np.moveaxis(table_w, i, -1).reshape(-1, len(axis))
            even = np.array([np.interp(grid.entries, axis, line) for line in lines])
            others = [n for k, n in enumerate(table_w.shape) if k != i]
            table_w = np.moveaxis(even.reshape(*others, grid.count), -1, i)
        return np.ascontiguousarray(table_w, dtype=np.float32)


class AgedMap:
    """What one pack accepts at each temperature: `table_w` by temperature and SoC; it holds `capacity_wh`.

    Between the first and the last of its temperatures it accepts something at every SoC, at those and beyond nothing.
    """

    def __init__(self, capacity_wh: float, soc: Floats, temperature_degc: Floats, table_w: Floats) -> None:
        self.capacity_wh = capacity_wh
        self.peak_w = float(table_w.max())
        self.small_w = SMALL_C * capacity_wh
        self.degc: list[float] = temperature_degc.tolist()
        self.soc: list[float] = soc.tolist()
        self.rows_w: list[list[float]] = table_w.tolist()
        self._first = AcceptanceCurve(capacity_wh, self.soc, self.rows_w[1])

    def stored(self, part: float) -> AgedMap:
        """The same, told by what is stored of the power that enters: always the same part of it."""
        return AgedMap(self.capacity_wh, np.array(self.soc), np.array(self.degc), np.array(self.rows_w) * part)

    def in_table(self, temperature_degc: float) -> float:
        """A temperature, or the nearest of those that its cells' own table has."""
        return min(max(temperature_degc, self.degc[1]), self.degc[-2])

    def curve(self, temperature_degc: float) -> AcceptanceCurve:
        """What it accepts at a temperature."""
        row, part = self.placed(temperature_degc)
        if part == 0.0:
            return self._first.with_power(self.rows_w[row])
        rows = zip(self.rows_w[row], self.rows_w[row + 1], strict=True)
        return self._first.with_power([low + (high - low) * part for low, high in rows])

    def placed(self, temperature_degc: float) -> tuple[int, float]:
        """The row below a temperature, and the part of the way to the next; beyond an end it is that end."""
        nodes = self.degc
        row = bisect_right(nodes, temperature_degc) - 1
        if row < 0:
            return 0, 0.0
        if row >= len(nodes) - 1:
            return len(nodes) - 1, 0.0
        return row, (temperature_degc - nodes[row]) / (nodes[row + 1] - nodes[row])


class Room:
    """How far the temperature may move before the curve of one of them is off by more than a part of its power.

    Known entry by entry of the table, as charging comes to them: `low` and `high` are as far as is known by now.
    """

    __slots__ = ("_ceiling_w", "_degc", "_knots", "_map", "_within", "high", "low")

    def __init__(self, map: AgedMap, degc: float, within: float) -> None:
        self._map, self._degc, self._within = map, degc, within
        self._knots = range(0)
        self._ceiling_w = 0.0
        self.low, self.high = -inf, inf

    def between(self, soc: tuple[float, float], ceiling_w: float) -> tuple[float, float]:
        """Between which temperatures, from the entry below one SoC to the one above another."""
        entries = self._map.soc
        last = len(entries) - 1
        first = max(0, min(bisect_right(entries, soc[0]) - 1, last - 1))
        end = min(last, max(bisect_left(entries, soc[1]), first + 1)) + 1
        if ceiling_w != self._ceiling_w or first != self._knots.start or not self._knots:
            self._knots, self._ceiling_w = range(first, first), ceiling_w
            self.low, self.high = -inf, inf
        if end > self._knots.stop:
            self._look(range(self._knots.stop, end))
            self._knots = range(first, end)
            self.low, self.high = min(self._degc - LEAST_MOVE_K, self.low), max(self._degc + LEAST_MOVE_K, self.high)
        return self.low, self.high

    def _look(self, knots: range) -> None:
        """Take further entries into account."""
        map, degc, ceiling_w = self._map, self._degc, self._ceiling_w
        row, part = map.placed(degc)
        below = range(row if degc >= map.degc[0] else -1, -1, -1)
        above = range(row + 1 if degc >= map.degc[0] else 0, len(map.degc))
        for knot in knots:
            held_w = map.rows_w[row][knot]
            if part:
                held_w += part * (map.rows_w[row + 1][knot] - held_w)
            seen_w = min(held_w, ceiling_w)
            moves_w = self._within * max(seen_w, map.small_w)
            low_w, high_w = seen_w - moves_w, seen_w + moves_w
            if high_w >= ceiling_w:
                high_w = inf
            self.low = max(self.low, self._leaves(below, knot, held_w, low_w, high_w, -inf))
            self.high = min(self.high, self._leaves(above, knot, held_w, low_w, high_w, inf))

    def _leaves(self, nodes: range, knot: int, before_w: float, low_w: float, high_w: float, otherwise: float) -> float:
        """The first temperature on the way over the nodes at which the power of an entry has moved too far."""
        map, before_degc = self._map, self._degc
        for node in nodes:
            node_degc, node_w = map.degc[node], map.rows_w[node][knot]
            if not low_w <= node_w <= high_w:
                part = ((high_w if node_w > high_w else low_w) - before_w) / (node_w - before_w)
                return before_degc + part * (node_degc - before_degc)
            before_degc, before_w = node_degc, node_w
        return otherwise


def _between_limits(degc: Floats, table_w: Floats, limits: tuple[float, float]) -> tuple[Floats, Floats]:
    """The temperatures within two limits, and these, at which there is nothing."""
    cold, hot = limits
    inside = (degc > cold) & (degc < hot)
    rows_w = table_w[..., inside, :]
    nothing = np.zeros_like(rows_w[..., :1, :])
    return np.concatenate(([cold], degc[inside], [hot])), np.concatenate((nothing, rows_w, nothing), axis=-2)


def _bends(axis: Floats, rows: Floats, within: float) -> set[int]:
    """The entries of an axis between which straight lines follow all rows, to a part of their values."""
    kept, begin, last = {0}, 0, len(axis) - 1
    while begin < last:
        end = begin + 1
        for further in range(begin + 2, last + 1):
            passed = rows[:, begin : further + 1]
            part = (axis[begin : further + 1] - axis[begin]) / (axis[further] - axis[begin])
            straight = passed[:, :1] + (passed[:, -1:] - passed[:, :1]) * part
            if (np.abs(straight - passed) <= within * passed).all():
                end = further
            elif further > end + _FURTHER:
                break
        kept.add(end)
        begin = end
    return kept


_FURTHER = 8
"""A straight line that holds no more may do so again a few entries on, where the table has ripples."""


def _corners(axis: Floats, at: float) -> set[int]:
    """The entries of an axis that a place lies between, or the one that it is at, or beyond."""
    i = min(int(np.searchsorted(axis, at)), len(axis) - 1)
    return {i} if i == 0 or at >= axis[i] else {i - 1, i}


def _between(axis: Floats, table: Floats, at: float) -> Floats:
    """A table at a place on its first axis, linear between two entries."""
    if at <= axis[0] or len(axis) == 1:
        return np.asarray(table[0])
    i = min(int(np.searchsorted(axis, at)), len(axis) - 1)
    part = min(1.0, (at - axis[i - 1]) / (axis[i] - axis[i - 1]))
    return np.asarray(table[i - 1] + (table[i] - table[i - 1]) * part)


def _blended(low: NDArray[np.float32], high: NDArray[np.float32], part: NDArray[np.float32]) -> NDArray[np.float32]:
    if not high.ndim or high.shape != np.broadcast_shapes(high.shape, part.shape):
        return low + (high - low) * part
    high -= low
    high *= part
    high += low
    return high
