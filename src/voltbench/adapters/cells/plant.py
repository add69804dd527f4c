"""A built model with all that must be known to give it inputs: what a cell, a model and a load make together."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from voltbench.adapters.cells import models
from voltbench.adapters.cells.building import Built
from voltbench.adapters.cells.chemistries import OPTIONS
from voltbench.adapters.cells.documents import completed
from voltbench.adapters.cells.drive_cycles import drive_cycle
from voltbench.adapters.cells.initial import InitialStates, Start
from voltbench.adapters.cells.library import pybamm
from voltbench.adapters.cells.parameters import is_live
from voltbench.adapters.cells.variables import Variable, asked_of
from voltbench.adapters.strict import like
from voltbench.battery.cell import Cell, kelvin
from voltbench.battery.checks import lower_v, upper_v
from voltbench.battery.record import Floats
from voltbench.battery.simulation import CurrentLoad, DriveCycleLoad, ProfileLoad, Simulation
from voltbench.errors import Failed, InvalidInput

STEP_INPUTS = (models.BY_CURRENT, models.BY_VOLTAGE, models.BY_POWER, models.TARGET, models.LEAST_CURRENT)

PROFILE_TOLERANCE = {"SPM": 1e-5, "SPMe": 5e-5, "Thevenin": 1e-4}
"""No looser for profiles, whatever is asked for: the errors of a thousand corners add up, and show in the charge. DFN
is solved from row to row, where they do not."""

SHORT_S = 0.1
"""A first step of so much is not too long for anything in a cell but its current. With it a power of rows of 0.1 s
takes 0.6 of the time, and its voltage is 0.1 mV off."""

NEAR_S = 1.0 + 1e-6
"""Between rows of a profile that are near each other, as a drive cycle's are. What is algebraic is solved for at its
rows only: in the middle of 10 s a DFN would be 1 mV off."""

SHORT_PART = 0.1
"""Of the shortest time between rows of a profile: a first step of so much sees where the next change goes."""

STAYS_AS_WARM_J_PER_K = 1e15
"""The equivalent circuit always has heat in it; with that thermal mass it changes nothing."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What is asked over time, discharging positive as PyBaMM has it; `is_power` in W, or else in A."""

    time_s: Floats
    asked: Floats
    is_power: bool


@dataclass(frozen=True, slots=True)
class Description:
    """A parameter set as PyBaMM has it, with the options and the initial states that belong to it."""

    values: Any
    options: Mapping[str, Any]
    initial: InitialStates


@dataclass(frozen=True, slots=True)
class Plant:
    """A built model, its variables by our names, its initial states, and the profile that is built in, if any."""

    built: Built
    variables: Mapping[str, Variable]
    initial: InitialStates
    profile: Profile | None
    tolerance: float

    def start(self, simulation: Simulation) -> Start:
        """Where the cell starts. Raises InvalidInput where what replaces its numbers leaves no such state."""
        return self.initial.at(simulation.initial_soc, simulation.parameters)

    def columns(self, rows: Floats) -> dict[str, Floats]:
        """What was solved, by our names, in our units and with our sign."""
        return {name: variable.ours(rows[:, at]) for at, (name, variable) in enumerate(self.variables.items())}


def inputs_of(simulation: Simulation, cell: Cell, start: Start) -> dict[str, float]:
    """All that may differ between simulations by one built model, but for the load."""
    ambient_k = kelvin(simulation.ambient_degc)
    initial_k = ambient_k if simulation.initial_degc is None else kelvin(simulation.initial_degc)
    live = {name: number for name, number in simulation.parameters.items() if is_live(name)}
    return {
        **live,
        **start.parameters,
        models.AMBIENT: ambient_k,
        models.INITIAL: initial_k,
        models.LOWER: lower_v(simulation, cell),
        models.UPPER: upper_v(simulation, cell),
    }


def planted(simulation: Simulation, cell: Cell) -> Plant:
    """Build what a simulation needs. Raises InvalidInput, or Failed where PyBaMM cannot build it."""
    try:
        return _planted(simulation, cell)
    except (ArithmeticError, RecursionError) as error:
        if simulation.bpx is None:
            raise Failed("solver", f"the model cannot be built: {error}") from error
        problem = f"has an expression that cannot be worked out: {type(error).__name__}, {error}"
        raise InvalidInput("bpx.Parameterisation", problem) from error


def _planted(simulation: Simulation, cell: Cell) -> Plant:
    baked = tuple(sorted(pair for pair in simulation.parameters.items() if not is_live(pair[0])))
    document = None if simulation.bpx is None else msgspec.json.encode(simulation.bpx, order="deterministic")
    described = _described(cell, document, simulation.cell, baked)
    inputs = inputs_of(simulation, cell, described.initial.at(simulation.initial_soc, simulation.parameters))
    is_circuit = simulation.model == "Thevenin"
    variables = asked_of(simulation.outputs, is_circuit)
    model = models.new_model(simulation.model, models.options_of(simulation, described.options))
    values = described.values.copy()
    values.update(dict.fromkeys(inputs, "[input]"))
    profile = profile_of(simulation)
    inputs |= _steered(model, values, simulation, profile)
    tolerance = simulation.tolerance
    if profile is not None:
        tolerance = min(tolerance, PROFILE_TOLERANCE.get(simulation.model, tolerance))
    if is_circuit:
        models.let_rest_at_the_ends(model)
        if simulation.thermal == "isothermal":
            values.update({"Cell thermal mass [J/K]": STAYS_AS_WARM_J_PER_K})
    try:
        needed = _needed(simulation, model, values, variables, described.initial)
        _refuse_idle(simulation, needed, _values_of(document, simulation.cell))
        discretised = models.discretised(model, values, models.points_of(model, simulation.mesh))
        names = [variable.name for variable in variables.values()]
        built = Built(discretised, names, inputs, tolerance, **_steps_along(profile, simulation.model))
    except (KeyError, ValueError, IndexError, pybamm.ModelError, pybamm.SolverError, pybamm.OptionError) as error:
        raise Failed("solver", f"the model cannot be built: {error}") from error
    return Plant(built, variables, described.initial, profile, tolerance)


def _needed(
    simulation: Simulation, model: Any, values: Any, variables: Mapping[str, Variable], initial: InitialStates
) -> frozenset[str]:
    """Names of the numbers that are replaced on which anything depends: the model, or where the cell starts."""
    if not simulation.parameters:
        return frozenset()
    free = values.copy()
    free.update({name: "[input]" for name in simulation.parameters if not is_live(name)})
    needed = models.needs(model, free, [variable.name for variable in variables.values()])
    left = {name: number for name, number in simulation.parameters.items() if name not in needed}
    return needed | initial.needs(left, simulation.initial_soc)


def _refuse_idle(simulation: Simulation, needed: frozenset[str], described: Any) -> None:
    """Raise InvalidInput for a number that would change nothing: nobody shall believe that it did."""
    for name, number in simulation.parameters.items():
        if name in needed:
            continue
        if name not in described:  # which is known of documents here only
            numbers = [known for known, found in described.items() if isinstance(found, int | float)]
            raise InvalidInput(f"parameters.{name}", "is no number of this cell", allowed=like(name, numbers))
        raise InvalidInput(f"parameters.{name}", "changes nothing in this model", found=number)


def profile_of(simulation: Simulation) -> Profile | None:
    """The profile that a load has, without its scale."""
    load = simulation.load
    if isinstance(load, DriveCycleLoad):
        load = drive_cycle(load.name).load(times=load.times)
    if not isinstance(load, ProfileLoad):
        return None
    asked = load.power_w if load.current_a is None else load.current_a
    return Profile(np.array(load.time_s), -np.array(asked), is_power=load.current_a is None)


def _steered(model: Any, values: Any, simulation: Simulation, profile: Profile | None) -> dict[str, float]:
    """Let the load set the current; the inputs that it is told by, with values to build with."""
    if isinstance(simulation.load, CurrentLoad):
        values.update({models.CURRENT: "[input]"})
        return {models.CURRENT: 0.0}
    if profile is None:
        models.set_by_steps(model, values)
        return dict.fromkeys(STEP_INPUTS, 0.0)
    if profile.is_power:
        models.set_by_power_profile(model, values, profile.time_s, profile.asked)
    else:
        models.set_by_current_profile(values, profile.time_s, profile.asked)
    return {models.SCALE: 1.0}


def _steps_along(profile: Profile | None, model: str) -> dict[str, Any]:
    """How the solver steps along a profile. At rest it would begin with a step over the whole of a short pulse."""
    if profile is None:
        return {}
    gaps_s = np.diff(profile.time_s)
    shortest_s, longest_s = float(gaps_s.min()), float(gaps_s.max())
    if not stops_at_rows(profile, model):
        return {"first_step_s": SHORT_PART * shortest_s}
    if model == "DFN":
        return {"is_restarted": longest_s <= NEAR_S}
    return {"is_restarted": True, "first_step_s": min(shortest_s, SHORT_S)}


def stops_at_rows(profile: Profile, model: str) -> bool:
    """Whether a profile is solved from row to row.

    PyBaMM's DFN fails on short ones without. Where the current follows from a power it has a corner at each row that no
    step may pass, and to search for it takes longer than to start anew.
    """
    return model == "DFN" or profile.is_power


@lru_cache(maxsize=64)
def _values_of(document: bytes | None, name: str) -> Any:
    if document is None:
        return pybamm.ParameterValues(name)
    with warnings.catch_warnings():
        # That voltages at 0 and 100 % are the cut-offs, and what else it fills in, is in our docs.
        warnings.simplefilter("ignore")
        try:
            return pybamm.ParameterValues.create_from_bpx_obj(completed(msgspec.json.decode(document)))
        except (KeyError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise InvalidInput("bpx", f"is nothing PyBaMM can take: {error}") from error


_DESCRIPTIONS: dict[tuple[bytes | None, str, tuple[tuple[str, float], ...]], Description] = {}
_MOST_DESCRIPTIONS = 256


def _described(cell: Cell, document: bytes | None, name: str, baked: tuple[tuple[str, float], ...]) -> Description:
    """The parameter set, with those numbers replaced that each make a model of their own."""
    key = (document, name, baked)
    if key not in _DESCRIPTIONS:
        values = _values_of(document, name).copy()
        values.update(dict(baked))
        options = OPTIONS.get(name, {}) if document is None else {}
        soc = float(np.interp(cell.ocv_at(None), cell.ocv_v, np.linspace(0.0, 1.0, len(cell.ocv_v))))
        initial = InitialStates(values, options, cell.usable_ah or cell.capacity_ah, soc)
        _DESCRIPTIONS[key] = Description(values, options, initial)
        if len(_DESCRIPTIONS) > _MOST_DESCRIPTIONS:
            del _DESCRIPTIONS[next(iter(_DESCRIPTIONS))]
    return _DESCRIPTIONS[key]
