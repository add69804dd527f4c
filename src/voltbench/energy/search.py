"""The cheapest solution of a program, by HiGHS (highs.dev): what is lacking first, then the cost.

A program with choices (whole numbers, something or nothing) can take longer than anybody waits. So it is solved
without them before, which says how good a solution can be at all; then guesses at the choices are tried, with each of
which it is a linear program again; and only what is missing between these two is searched for, for a while. Whatever
happens, the best of them is told, and how much better another one could be. The time is that of HiGHS' own clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from voltbench.energy.arrays import Floats
from voltbench.energy.program import LATER, SOMETHING, Columns, Model
from voltbench.errors import LocalProtocolError, Unavailable

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
"""How long all of it may take where there is a solution already; half of what is left is for what is lacking."""
PATIENCE_S = 60.0
"""How long it may take until there is a solution at all."""

_STATUS = highspy.HighsModelStatus
Guess = Callable[[Floats], Iterable[Floats]]
"""Columns like which choices may be made, from those of the solution without choices."""


@dataclass(frozen=True, slots=True)
class Solved:
    """The solution, column by column.

    A better one could weigh less by `first_gap` at most in what comes first; or else cost less, by `gap` of its cost.
    """

    columns: Floats
    gap: float
    first_gap: float


@dataclass(frozen=True, slots=True)
class _Found:
    """A solution: what it comes to turn by turn of what comes first, and then what it costs."""

    columns: Floats
    first: tuple[float, ...]
    cost: float

    def turn_lacking(self, first: tuple[float, ...]) -> int | None:
        """The turn in which it comes to more than that, where it is as good in those before."""
        for turn, (own, other) in enumerate(zip(self.first, first, strict=True)):
            if abs(own - other) > KEPT_WITHIN + LOOSELY * abs(min(own, other)):
                return turn if own > other else None
        return None

    def is_better_than(self, other: _Found) -> bool:
        """Less is lacking, or as much for less."""
        if other.turn_lacking(self.first) is not None:
            return True
        return self.turn_lacking(other.first) is None and self.cost < other.cost


def method(columns: int, has_choices: bool) -> str:
    """Which of HiGHS's methods solves a program of so many columns soonest."""
    return "ipm" if columns >= MANY_COLUMNS and not has_choices else "choose"


def solve(model: Model, guess: Guess = lambda _: (), longest_s: float = LONGEST_S) -> Solved:
    """The cheapest solution, or one that is dearer by NEAR at most, or the best that was found in the time.

    Whoever makes a model makes it so that it has a solution. Raises Unavailable where none is found within PATIENCE_S.
    """
    return _Search(model, longest_s).solved(guess)


def _gap(cost: float, least: float) -> float:
    """The part of a cost by which another one could be less; all of it, where nobody knows."""
    if not np.isfinite(least):
        return 1.0
    return max(0.0, cost - least) / max(abs(cost), TINY) if cost - least > TINY else 0.0


class _Search:
    """A search for the cheapest solution of a model, and the time that it has taken."""

    def __init__(self, model: Model, longest_s: float) -> None:
        self._model, self._longest_s, self._taken_s = model, longest_s, 0.0

    def solved(self, guess: Guess) -> Solved:
        """The best that is found in the time."""
        bound = self._by_levels(self._model.relaxed(), PATIENCE_S)
        if self._model.is_kept_by(bound.columns):
            return Solved(bound.columns, 0.0, 0.0)
        to_tell_s = self._taken_s  # what is found last is solved without choices again
        return self._searched(bound, self._guessed(guess, bound), to_tell_s)

    def _guessed(self, guess: Guess, bound: _Found) -> _Found | None:
        """The best of the guesses for which there is time: half of it always; more, until one is any good."""
        best: _Found | None = None
        ends_s = max(self._longest_s, self._taken_s + self._longest_s / 2.0)
        for like in guess(bound.columns):
            best = self._better(like, best, PATIENCE_S if best is None else ends_s)
            if self._taken_s >= (PATIENCE_S if best is None else ends_s):
                break
            if best is not None and best.turn_lacking(bound.first) is None and _gap(best.cost, bound.cost) <= NEAR:
                break
        return best

    def _searched(self, bound: _Found, best: _Found | None, to_tell_s: float) -> Solved:
        """The best choices: what is lacking first, if a guess lacks more than has to be, and then the cost."""
        cost, lacked, least = bound.cost, 0.0, 0.0
        turn = 0 if best is None else best.turn_lacking(bound.first)
        if turn is not None and self._model.turns:
            best, least = self._improved(best, turn, self._left_s(best) / 2.0 - to_tell_s)
            lacked = float(self._model.weights(turn, LATER) @ best.columns)
            least = max(bound.first[turn], least)
            cost = -np.inf  # who may lack more, may pay less
        if best is None or _gap(best.cost, cost) > NEAR:
            best, at_least = self._improved(best, self._model.turns, self._left_s(best) - to_tell_s)
            cost = max(cost, at_least)
        return Solved(best.columns, _gap(best.cost, cost), max(0.0, lacked - least))

    def _left_s(self, best: _Found | None) -> float:
        """The time that is left: more, where there is nothing yet."""
        return (PATIENCE_S if best is None else self._longest_s) - self._taken_s

    # --- HiGHS ----------------------------------------------------------------------------------------------------

    def _by_levels(self, model: Model, until_s: float) -> _Found:
        """The cheapest solution of a model without choices."""
        solver, first = _solver(model), list[float]()
        columns: Floats | None = None
        for turn, own in enumerate(model.first):
            if (model.upper[own] > model.lower[own]).any():
                columns = self._least(solver, model, turn, columns, until_s)
            if columns is not None:
                _keep(solver, own, columns, len(model.cost))
            first.append(0.0 if columns is None else float(columns[own].sum()))
        _minimise(solver, model.cost)
        columns = self._run(solver, until_s)
        return _Found(columns, tuple(first), float(model.cost @ columns))

    def _least(self, solver: Any, model: Model, turn: int, columns: Floats | None, until_s: float) -> Floats:
        """A solution in which the sum of a turn is the least; if it is nothing already, the one there is.

        The later ones count a little at first, since mostly there is enough for all. What is then left of this one
        could be less where the others can be more: so it is minimised once more, by itself.
        """
        own = model.first[turn]
        if columns is not None and columns[own].max() <= NOTHING:
            return columns
        _minimise(solver, model.weights(turn, LATER))
        columns = self._run(solver, until_s)
        goes_on = (
            method(len(model.cost), has_choices=False) != "ipm"
        )  # which would begin anew, to change next to nothing
        if goes_on and columns[own].max() > NOTHING and turn + 1 < model.turns:
            _minimise(solver, model.weights(turn))
            columns = self._run(solver, until_s)
        return columns

    def _run(self, solver: Any, until_s: float) -> Floats:
        """Let a solver run, at the longest until the search has taken so long."""
        self._timed(solver, until_s - self._taken_s)
        found, status = solver.getSolution(), solver.getModelStatus()
        if not found.value_valid or status in (_STATUS.kInfeasible, _STATUS.kTimeLimit):
            raise _without_solution(solver)
        return np.array(found.col_value)

    def _timed(self, solver: Any, longest_s: float) -> None:
        before_s = solver.getRunTime()
        solver.setOptionValue("time_limit", before_s + max(0.0, longest_s))
        solver.run()
        self._taken_s += solver.getRunTime() - before_s

    def _improved(self, best: _Found | None, turn: int, longest_s: float) -> tuple[_Found, float]:
        """The best that is found in a time, beginning with what there is; and the least that a turn can come to.

        What comes in the turns before is kept.
        """
        if best is not None and longest_s <= 0.0:
            return best, -np.inf
        model, costs = self._model, self._model.weights(turn, LATER)
        solver, is_cost = _solver(model), turn == model.turns
        _minimise(solver, costs)
        solver.setOptionValue("mip_rel_gap", NEAR if is_cost else 0.0)
        solver.setOptionValue("mip_abs_gap", TINY if is_cost else KEPT_WITHIN)
        _add_choices(solver, model)
        if best is not None:
            for before in range(turn):
                _keep(solver, model.first[before], best.columns, len(costs))
            _begin_with(solver, model, best.columns)
        self._timed(solver, longest_s)
        at_least, solution = float(solver.getInfo().mip_dual_bound), solver.getSolution()
        is_new = best is None or solver.getInfo().objective_function_value < float(costs @ best.columns) - TINY
        if solution.value_valid and is_new:
            like = np.array(solution.col_value)
            like[model.switched] = like[len(costs) :] > 0.5
            best = self._better(like[: len(costs)], best, PATIENCE_S)
        if best is None:
            raise _without_solution(solver)
        return best, at_least

    def _better(self, like: Floats, best: _Found | None, until_s: float) -> _Found | None:
        """The cheapest solution that makes choices like these, or the one before, if that is better."""
        try:
            found = self._by_levels(self._model.chosen(like), until_s)
        except (LocalProtocolError, Unavailable):
            return best  # a guess may be wrong, or lead too far
        return found if best is None or found.is_better_than(best) else best


def _without_solution(solver: Any) -> LocalProtocolError | Unavailable:
    """Why a solver tells none: for lack of time, or because there is none."""
    status = solver.getModelStatus()
    if status == _STATUS.kTimeLimit:
        return Unavailable(f"a plan this large is not found within {PATIENCE_S:g} s: ask for fewer cars or slots")
    return LocalProtocolError(f"HiGHS found no solution: {solver.modelStatusToString(status)}")


def _minimise(solver: Any, costs: Floats) -> None:
    solver.changeColsCost(len(costs), np.arange(len(costs), dtype=np.int32), costs)


def _keep(solver: Any, own: Columns, found: Floats, columns: int) -> None:
    """The sum of a turn's own columns may be no more from now on."""
    relative = LOOSELY if method(columns, has_choices=False) == "ipm" else 1e-9
    if abs(found[own]).max() <= NOTHING:
        solver.changeColsBounds(len(own), own, np.zeros(len(own)), np.zeros(len(own)))
        return
    most = float(found[own].sum())
    solver.addRow(-np.inf, most + KEPT_WITHIN + abs(most) * relative, len(own), own, np.ones(len(own)))


def _begin_with(solver: Any, model: Model, columns: Floats) -> None:
    """Let a solver know a solution."""
    start = highspy.HighsSolution()
    is_on = columns[model.switched] > SOMETHING
    start.col_value = [*columns.tolist(), *is_on.astype(np.float64).tolist()]
    solver.setSolution(start)


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
