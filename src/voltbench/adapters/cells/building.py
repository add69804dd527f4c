"""A model of PyBaMM that is built once and solved many times, a piece of time after the other.

PyBaMM's own `Simulation.solve` and `Solver.solve` check the inputs' names, make objects for a state that nobody reads,
and take the initial state from a second model: as much again as a short solve. So its solver is set up by PyBaMM and
called here as PyBaMM calls it. The version is pinned for that reason; tests/golden compares both ways.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

import numpy as np
from pybammsolvers import idaklu

from voltbench.adapters.cells.library import pybamm
from voltbench.adapters.cells.machine_code import Compiler, Functions, Translation, from_library, translated
from voltbench.battery.record import Floats
from voltbench.errors import Failed

_log = logging.getLogger(__name__)

ROOT_FOUND = 2
"""SUNDIALS' word for an event, `IDA_ROOT_RETURN`."""

ABSOLUTE_PART = 1e-2
"""The absolute tolerance, as a part of the relative one: PyBaMM's own."""

PAST = 1e-6
"""An event is at zero within so much, or else it was met before: a search for a zero ends nearer."""

AS_LONG_AS_IT_LIKES_S = 0.0
"""The solver's word for a first step that it chooses: a thousandth of the time to the next stop, if nothing moves."""

AS_SOLVED = np.empty(0)
"""Rows where the solver steps."""

STUCK_STEPS, STUCK_S = 1_000, 1e-2
"""Who comes no further than that with so many steps never will: some corners let the solver creep by microseconds."""

COMPILING_S_PER_STATE = 0.01
"""About what compiling takes of CPU. Who has solved for as long will again: then it is worth it."""

MOST_STATES_COMPILED = 5_000
"""Of a model; compilers take gigabytes for much larger ones."""

_NO_SENSITIVITIES = np.empty((0, 0))


@dataclass(frozen=True, slots=True)
class Piece:
    """What was solved: rows in time, a column for each variable, the state at the end, and the event that ended it."""

    time_s: Floats
    rows: Floats
    state: Floats
    event: str | None


class Built:
    """A discretised model with its solver. Its variables are numbers, not fields.

    `inputs` are the names of those that its equations and events need. `is_restarted` is for a solver that starts anew
    at each of many rows: what is algebraic is solved for there, and how well it was foretold in between, where it has
    its corners, is then no reason for shorter steps. From each stop on, the first step is of `first_step_s`, or less.
    """

    def __init__(
        self,
        model: Any,
        variables: Sequence[str],
        inputs: Mapping[str, float],
        tolerance: float,
        *,
        is_restarted: bool = False,
        first_step_s: float = AS_LONG_AS_IT_LIKES_S,
    ) -> None:
        self._model = model
        self._tolerance, self._variables = tolerance, list(variables)
        self._options = {
            "num_threads": 1,
            "silence_sundials_errors": True,
            "suppress_algebraic_error": is_restarted,
            "dt_init": first_step_s,
            "num_steps_no_progress": STUCK_STEPS,
            "t_no_progress": STUCK_S,
        }
        self._checked = pybamm.BaseSolver._set_up_model_inputs(model, dict(inputs))
        self._names = tuple(self._checked)
        self.inputs = frozenset(parameter.name for parameter in model.required_input_parameters)
        pybamm.BaseSolver._solve_process_calculate_sensitivities_arg(self._checked, model, False)
        self._solver = self._set_up(lambda functions: functions)
        self._setup = self._solver._setup
        self._spent_s = 0.0
        self._library: Path | None = None
        self._is_settled = model.len_rhs_and_alg > MOST_STATES_COMPILED
        self._events = [event.name for event in model.events if event.event_type == pybamm.EventType.TERMINATION]
        self._zeros = np.zeros((model.len_rhs_and_alg, 1))

    def _set_up(self, translation: Translation) -> Any:
        """A solver of the model, whose functions are what becomes of PyBaMM's."""
        solver = pybamm.IDAKLUSolver(
            rtol=self._tolerance,
            atol=self._tolerance * ABSOLUTE_PART,
            output_variables=self._variables,
            options={**self._options, "compile": True},
        )
        with translated(translation):
            solver.set_up(self._model, [self._checked], np.array([0.0, 1.0]))
        return solver

    def spend(self, seconds: float, compiler: Compiler) -> None:
        """Note what solving took. Once that is as much as compiling takes, it is begun, and used when it has ended."""
        self._spent_s += seconds
        if self._is_settled or self._spent_s < COMPILING_S_PER_STATE * self._model.len_rhs_and_alg:
            return
        try:
            if self._library is None:
                self._begin(compiler)
            if self._library is not None and self._library.exists():
                self._compiled(self._library)
        except (OSError, RuntimeError, SubprocessError) as error:
            _log.warning("a model stays as it is, not compiled: %s", error)
            self._is_settled = True

    def _begin(self, compiler: Compiler) -> None:
        def begun(functions: Functions) -> Functions:
            self._library = compiler.begin(functions)
            return functions

        self._set_up(begun)

    def _compiled(self, library: Path) -> None:
        self._solver = self._set_up(lambda functions: from_library(library, functions))
        self._setup = self._solver._setup
        self._is_settled = True

    def start(self, inputs: Mapping[str, float]) -> Floats:
        """The state that the model begins in."""
        state = self._model.initial_conditions_eval(0.0, self._zeros, self._vector(inputs))
        return np.array(state, dtype=np.float64).reshape(-1)

    def solve(self, state: Floats, stops_s: Floats, inputs: Mapping[str, float], rows_s: Floats = AS_SOLVED) -> Piece:
        """Solve from the first of the stops to the last, with rows where asked for, or else where the solver steps.

        The solver starts anew at each stop, as it must where the current has a corner. Raises Failed.
        """
        vector = self._vector(inputs)
        given = {name: inputs[name] for name in self._names}
        slopes = self._solver._rhs_dot_consistent_initialization(state, self._model, stops_s[0], given)
        try:
            (found,) = self._setup["solver"].solve(
                stops_s,
                rows_s,
                state[None, :],
                slopes[None, :],
                vector[None, :],
                logger=None,
                pbar=_NO_SENSITIVITIES,
            )
        except ValueError as error:
            raise Failed("solver", str(error)) from None
        if found.flag < 0:
            raise Failed("solver", idaklu.sundials_error_message(found.flag))
        end = np.array(found.y_term)
        event = self._event(float(found.t[-1]), end, vector) if found.flag == ROOT_FOUND else None
        return Piece(np.array(found.t), np.array(found.y).reshape(found.t.size, -1), end, event)

    def _vector(self, inputs: Mapping[str, float]) -> Floats:
        return np.array([inputs[name] for name in self._names], dtype=np.float64)

    def _event(self, time_s: float, state: Floats, vector: Floats) -> str:
        """The event that is furthest past, as one may be from the beginning on, or else the one that is nearest."""
        distances = np.asarray(self._setup["rootfn_casadi"](time_s, state, vector)).reshape(-1)
        is_past = np.nanmin(distances) < -PAST
        return str(self._events[int(np.nanargmin(distances if is_past else np.abs(distances)))])
