"""A linear or mixed-integer program, put together in blocks of columns and rows, and solved by HiGHS."""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltbench.errors import LocalProtocolError

Floats = NDArray[np.float64]
Columns = NDArray[np.int32]

MANY_COLUMNS = 20_000
"""From here on an interior point is faster than the simplex method."""


@dataclass(frozen=True, slots=True)
class Solved:
    """The solution: each column, and the objective. `gap` is what a better one could save at most, relatively."""

    columns: Floats
    objective: float
    gap: float


class Program:
    """A program that is to be minimised. Columns and rows are told apart by the numbers that they were given."""

    def __init__(self) -> None:
        self._lower: list[Floats] = []
        self._upper: list[Floats] = []
        self._cost: list[Floats] = []
        self._is_whole: list[NDArray[np.bool_]] = []
        self._row_lower: list[Floats] = []
        self._row_upper: list[Floats] = []
        self._entries: list[tuple[Columns, Columns, Floats]] = []
        self._columns = self._rows = 0

    def columns(
        self, count: int, lower: ArrayLike = 0.0, upper: ArrayLike = np.inf, cost: ArrayLike = 0.0, whole: bool = False
    ) -> Columns:
        """More columns between bounds, each with its cost; `whole` ones are whole numbers."""
        for kept, given in ((self._lower, lower), (self._upper, upper), (self._cost, cost)):
            kept.append(np.broadcast_to(np.asarray(given, dtype=np.float64), (count,)))
        self._is_whole.append(np.full(count, whole))
        self._columns += count
        return np.arange(self._columns - count, self._columns, dtype=np.int32)

    def rows(self, count: int, lower: ArrayLike, upper: ArrayLike) -> Columns:
        """More rows, each of which lies between bounds."""
        for kept, given in ((self._row_lower, lower), (self._row_upper, upper)):
            kept.append(np.broadcast_to(np.asarray(given, dtype=np.float64), (count,)))
        self._rows += count
        return np.arange(self._rows - count, self._rows, dtype=np.int32)

    def enter(self, rows: Columns, columns: Columns, factors: ArrayLike) -> None:
        """Each row gets a column, times a factor."""
        self._entries.append((rows, columns, np.broadcast_to(np.asarray(factors, dtype=np.float64), rows.shape)))

    def solve(self, relative_gap: float = 1e-6, longest_s: float = 60.0) -> Solved:
        """The cheapest solution, or one that is at most `relative_gap` dearer, or the best within so many seconds.

        Whoever makes a program makes it so that it has a solution.
        """
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.setOptionValue("time_limit", longest_s)
        solver.setOptionValue("mip_rel_gap", relative_gap)
        has_whole = any(kind.any() for kind in self._is_whole)
        if self._columns >= MANY_COLUMNS and not has_whole:
            solver.setOptionValue("solver", "ipm")
            solver.setOptionValue("run_crossover", "off")
        solver.passModel(self._model(has_whole))
        solver.run()
        found, figures = solver.getSolution(), solver.getInfo()
        if not found.value_valid:
            raise LocalProtocolError(f"HiGHS found no solution: {solver.modelStatusToString(solver.getModelStatus())}")
        gap = figures.mip_gap if has_whole and np.isfinite(figures.mip_gap) else 0.0
        return Solved(np.array(found.col_value), float(figures.objective_function_value), float(gap))

    def _model(self, has_whole: bool) -> highspy.HighsLp:
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = self._columns, self._rows
        model.col_cost_, model.col_lower_ = np.concatenate(self._cost), np.concatenate(self._lower)
        model.col_upper_ = np.concatenate(self._upper)
        model.row_lower_, model.row_upper_ = np.concatenate(self._row_lower), np.concatenate(self._row_upper)
        rows, columns, factors = (np.concatenate(parts) for parts in zip(*self._entries, strict=True))
        order = np.argsort(columns, kind="stable")
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = np.searchsorted(columns[order], np.arange(self._columns + 1)).astype(np.int32)
        model.a_matrix_.index_, model.a_matrix_.value_ = rows[order], factors[order]
        if has_whole:
            kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
            model.integrality_ = [kinds[int(one)] for one in np.concatenate(self._is_whole)]
        return model
