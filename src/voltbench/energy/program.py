"""A linear or mixed-integer program, put together in blocks of columns and rows, and solved by HiGHS.

It is solved in two levels: first what must be as little as can be (`first`), then, with that kept, the costs.
"""

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


KEPT_WITHIN = 1e-4
"""The second level may exceed what the first one found by so much, and a little relatively, so that it is solvable."""
NOTHING = 1e-9
"""What is no more than this stays none on the second level."""


@dataclass(frozen=True, slots=True)
class Solved:
    """The solution: each column, and what it costs. `gap` is the part of that which a better one could save at most.

    What was minimised first has no part in either.
    """

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
        self._first: list[tuple[Columns, float]] = []
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

    def first(self, columns: Columns, weight: float) -> None:
        """The sum of these columns times a weight is minimised, together with others like it, before any cost.

        Each of these sums is then kept as it was found. None of these columns may be below zero.
        """
        if len(columns):
            self._first.append((columns, weight))

    def solve(self, relative_gap: float = 1e-6, longest_s: float = 60.0) -> Solved:
        """The cheapest solution, or one that is at most `relative_gap` dearer, or the best within so many seconds.

        Whoever makes a program makes it so that it has a solution.
        """
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        has_whole = any(kind.any() for kind in self._is_whole)
        options: dict[str, bool | float | str] = {
            "output_flag": False,
            "threads": 1,
            "time_limit": longest_s,
            "mip_rel_gap": relative_gap,
        }
        if self._columns >= MANY_COLUMNS and not has_whole:
            options |= {"solver": "ipm", "run_crossover": "off"}
        for name, value in options.items():
            solver.setOptionValue(name, value)
        solver.passModel(self._model(has_whole))
        if self._is_open():
            self._solve_first(solver, longest_s / 2.0, has_whole)
        found, figures = self._run(solver), solver.getInfo()
        gap = figures.mip_gap if has_whole and np.isfinite(figures.mip_gap) else 0.0
        return Solved(found, float(figures.objective_function_value), float(gap))

    def _is_open(self) -> bool:
        """Whether anything that is to be minimised first can be more than its least."""
        lower, upper = np.concatenate(self._lower), np.concatenate(self._upper)
        return any((upper[columns] > lower[columns]).any() for columns, _ in self._first)

    def _solve_first(self, solver: highspy.Highs, longest_s: float, has_whole: bool) -> None:
        """The first level, in at most so many seconds; each of its sums becomes a row of the second one."""
        weights = np.zeros(self._columns)
        for columns, weight in self._first:
            weights[columns] += weight
        every = np.arange(self._columns, dtype=np.int32)
        solver.changeColsCost(self._columns, every, weights)
        first = {"time_limit": longest_s, "mip_rel_gap": 0.0, "mip_abs_gap": KEPT_WITHIN}
        second = [(name, solver.getOptionValue(name)[1]) for name in first]
        for name, value in first.items():
            solver.setOptionValue(name, value)
        found = self._run(solver)
        for name, kept in second:
            solver.setOptionValue(name, kept)
        solver.changeColsCost(self._columns, every, np.concatenate(self._cost))
        for columns, _ in self._first:
            most = float(found[columns].sum())
            if abs(found[columns]).max() <= NOTHING:
                solver.changeColsBounds(len(columns), columns, np.zeros(len(columns)), np.zeros(len(columns)))
                continue
            most += KEPT_WITHIN + abs(most) * (1e-9 if self._columns < MANY_COLUMNS or has_whole else 1e-6)
            solver.addRow(-np.inf, most, len(columns), columns, np.ones(len(columns)))
        if has_whole:
            start = highspy.HighsSolution()
            start.col_value = found.tolist()
            solver.setSolution(start)

    def _run(self, solver: highspy.Highs) -> Floats:
        solver.run()
        found, status = solver.getSolution(), solver.getModelStatus()
        if not found.value_valid or status == highspy.HighsModelStatus.kInfeasible:
            raise LocalProtocolError(f"HiGHS found no solution: {solver.modelStatusToString(status)}")
        return np.array(found.col_value)

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
