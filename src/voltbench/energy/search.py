"""The cheapest solution of a program, by HiGHS (highs.dev): what is lacking first, then the cost.

A program with choices (whole numbers, something or nothing) can take longer than anybody waits. So it is solved
without them before, which says how good a solution can be at all; then guesses at the choices are tried, with each of
which it is a linear program again; and only what is missing between these two is searched for, for a while. Whatever
happens, the best of them is told, and how much better another one could be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from voltbench.energy.program import SOMETHING, Floats, Model
from voltbench.errors import LocalProtocolError

MANY_COLUMNS = 20_000
"""From here on an interior point is faster than the simplex method."""
KEPT_WITHIN = 1e-4
"""The second level may exceed what the first one found by so much, and a little relatively, so that it is solvable."""
LOOSELY = 1e-6
"""How exact the interior point is, relatively."""
NOTHING = 1e-9
"""What is no more than this stays none on the second level."""
TINY = 1e-9
NEAR = 1e-4
"""A solution with choices is good enough when it costs so little more than one could cost at all, relatively."""
LONGEST_S = 10.0
"""How long choices are searched for; half of it at most for what is lacking."""

Guess = Callable[[Floats], Iterable[Floats]]
"""Columns like which choices may be made, from those of the solution without choices."""


@dataclass(frozen=True, slots=True)
class Solved:
    """The solution, column by column, and what it costs.

    A better one could weigh less by `first_gap` at most in what comes first; or else cost less, by `gap` of its cost.
    """

    columns: Floats
    objective: float
    gap: float
    first_gap: float


@dataclass(frozen=True, slots=True)
class _Found:
    columns: Floats
    first: float
    cost: float

    def lacks_more_than(self, first: float) -> bool:
        """Whether what comes first weighs more than that."""
        return self.first > first + KEPT_WITHIN + LOOSELY * abs(first)

    def is_better_than(self, other: _Found) -> bool:
        """Less is lacking, or as much for less."""
        return other.lacks_more_than(self.first) or (not self.lacks_more_than(other.first) and self.cost < other.cost)


def method(columns: int, has_choices: bool) -> str:
    """Which of HiGHS's methods solves a program of so many columns soonest."""
    return "ipm" if columns >= MANY_COLUMNS and not has_choices else "choose"


def solve(model: Model, guess: Guess = lambda _: (), longest_s: float = LONGEST_S) -> Solved:
    """The cheapest solution, or one that is dearer by NEAR at most, or the best that was found in the time.

    Whoever makes a model makes it so that it has a solution.
    """
    bound = _by_levels(model.relaxed())
    if model.is_kept_by(bound.columns):
        return Solved(bound.columns, bound.cost, 0.0, 0.0)
    best: _Found | None = None
    for like in guess(bound.columns):
        try:
            found = _by_levels(model.chosen(like))
        except LocalProtocolError:
            continue  # a guess may be wrong
        best = found if best is None or found.is_better_than(best) else best
        if not best.lacks_more_than(bound.first) and _gap(best.cost, bound.cost) <= NEAR:
            break
    return _searched(model, bound, best, longest_s)


def _searched(model: Model, bound: _Found, best: _Found | None, longest_s: float) -> Solved:
    """The best choices: what is lacking first, if a guess lacks more than has to be, and then the cost."""
    first, cost = bound.first, bound.cost
    if best is None or best.lacks_more_than(first):
        longest_s /= 2.0
        best, at_least = _improved(model, best, model.weights, longest_s)
        first, cost = max(first, at_least), -np.inf  # who may lack more, may pay less
    if _gap(best.cost, cost) > NEAR:
        best, at_least = _improved(model, best, model.cost, longest_s)
        cost = max(cost, at_least)
    return Solved(best.columns, best.cost, _gap(best.cost, cost), max(0.0, best.first - first))


def _gap(cost: float, least: float) -> float:
    """The part of a cost by which another one could be less; all of it, where nobody knows."""
    if not np.isfinite(least):
        return 1.0
    return max(0.0, cost - least) / max(abs(cost), TINY) if cost - least > TINY else 0.0


# --- HiGHS ------------------------------------------------------------------------------------------------------------


def _by_levels(model: Model) -> _Found:
    """The cheapest solution of a model without choices."""
    solver = _solver(model)
    count, every = len(model.cost), np.arange(len(model.cost), dtype=np.int32)
    first = 0.0
    if any((model.upper[columns] > model.lower[columns]).any() for columns, _ in model.first):
        solver.changeColsCost(count, every, model.weights)
        least = _run(solver)
        first = float(model.weights @ least)
        _keep_first(solver, model, least)
        solver.changeColsCost(count, every, model.cost)
    columns = _run(solver)
    return _Found(columns, first, float(model.cost @ columns))


def _keep_first(solver: Any, model: Model, found: Floats) -> None:
    """Each of the sums that come first may be no more from now on."""
    relative = LOOSELY if method(len(model.cost), has_choices=False) == "ipm" else 1e-9
    for columns, _ in model.first:
        most = float(found[columns].sum())
        if abs(found[columns]).max() <= NOTHING:
            solver.changeColsBounds(len(columns), columns, np.zeros(len(columns)), np.zeros(len(columns)))
            continue
        most += KEPT_WITHIN + abs(most) * relative
        solver.addRow(-np.inf, most, len(columns), columns, np.ones(len(columns)))


def _improved(model: Model, best: _Found | None, costs: Floats, longest_s: float) -> tuple[_Found, float]:
    """The best that is found in a time, beginning with what there is; and the least that any can come to.

    With the model's own costs, what comes first is kept.
    """
    solver = _solver(model)
    every = np.arange(len(costs), dtype=np.int32)
    solver.changeColsCost(len(costs), every, costs)
    is_cost = best is not None and costs is model.cost
    solver.setOptionValue("time_limit", longest_s)
    solver.setOptionValue("mip_rel_gap", NEAR if is_cost else 0.0)
    solver.setOptionValue("mip_abs_gap", TINY if is_cost else KEPT_WITHIN)
    _add_choices(solver, model)
    if best is not None:
        if is_cost:
            _keep_first(solver, model, best.columns)
        start = highspy.HighsSolution()
        is_on = best.columns[model.switched] > SOMETHING
        start.col_value = [*best.columns.tolist(), *is_on.astype(np.float64).tolist()]
        solver.setSolution(start)
    solver.run()
    at_least, solution = float(solver.getInfo().mip_dual_bound), solver.getSolution()
    is_new = best is None or solver.getInfo().objective_function_value < float(costs @ best.columns) - TINY
    if solution.value_valid and is_new:
        like = np.array(solution.col_value)
        like[model.switched] = like[len(costs) :] > 0.5
        found = _by_levels(model.chosen(like[: len(costs)]))
        best = found if best is None or found.is_better_than(best) else best
    if best is None:
        raise LocalProtocolError(f"HiGHS found no solution: {solver.modelStatusToString(solver.getModelStatus())}")
    return best, at_least


def _add_choices(solver: Any, model: Model) -> None:
    """Whole numbers, and for each column that is switched another one that says whether it is on."""
    whole, count = np.flatnonzero(model.whole).astype(np.int32), len(model.switched)
    is_on = np.arange(count, dtype=np.int32) + len(model.cost)
    solver.addVars(count, np.zeros(count), np.ones(count))
    for columns in (whole, is_on):
        kinds = np.full(len(columns), highspy.HighsVarType.kInteger)
        solver.changeColsIntegrality(len(columns), columns, kinds)
    for row, column, floor in zip(model.floor_row.tolist(), is_on.tolist(), model.floor.tolist(), strict=True):
        solver.changeCoeff(row, column, -floor)
    pairs = np.column_stack((model.switched, is_on)).ravel()
    entries = np.column_stack((np.ones(count), -model.upper[model.switched])).ravel()
    start = np.arange(count, dtype=np.int32) * 2
    solver.addRows(count, np.full(count, -np.inf), np.zeros(count), len(pairs), start, pairs, entries)


def _solver(model: Model) -> Any:
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    options: dict[str, Any] = {"output_flag": False, "threads": 1, "solver": method(len(model.cost), model.has_choices)}
    if options["solver"] == "ipm":
        options["run_crossover"] = "off"  # which would take longer than all the rest
    for name, setting in options.items():
        solver.setOptionValue(name, setting)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(model.cost), len(model.row_lower)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = model.cost, model.lower, model.upper
    lp.row_lower_, lp.row_upper_ = model.row_lower, model.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = model.start, model.index, model.factor
    solver.passModel(lp)
    return solver


def _run(solver: Any) -> Floats:
    solver.run()
    found, status = solver.getSolution(), solver.getModelStatus()
    if not found.value_valid or status == highspy.HighsModelStatus.kInfeasible:
        raise LocalProtocolError(f"HiGHS found no solution: {solver.modelStatusToString(status)}")
    return np.array(found.col_value)
