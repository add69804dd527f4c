"""A model of a cell whose current is as great as three limits allow, solved once for each charging curve.

    0 = min((Imax - I) / Imax, (phi_anode - phi_min) / 50 mV, (Vmax - V) / (50 mV + Rcontact I))

is one more algebraic equation of the model. The minimum is a smooth one, and what has become worse of the contacts is
counted in: at a corner the solver finds no way on, nor where one limit is more than twice as steep in current as the
next. It keeps its Jacobian while it iterates, so its steps across such a switch do not shrink, however short it steps
in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from inspect import getsource
from typing import Any

import msgspec
import numpy as np

from voltbench.adapters.cells import catalog, models
from voltbench.adapters.cells.building import ABSOLUTE_PART, Built
from voltbench.adapters.cells.curve import FINER, CellFacts, Curve, CurvePoint, CurvesAsked
from voltbench.adapters.cells.initial import InitialStates
from voltbench.adapters.cells.library import pybamm
from voltbench.adapters.cells.variables import CHARGE, CURRENT, ELECTROCHEMICAL, VOLTAGE
from voltbench.adapters.cells.warm import SOLVER_VERSION, WarmSimulator
from voltbench.battery.cell import Cell, kelvin
from voltbench.battery.simulation import CurrentLoad, Mesh, Simulation
from voltbench.errors import Failed

SHARPNESS = 100.0
"""Of the smooth minimum: where two meet it is 1 / 200 below the sharp one, 0.25 mV or 0.5 % of the current.

In what is counted of the contacts: 0.25 mV and 0.5 % of what they take.
"""

VOLTS = 0.05
"""What is as much of a potential as the whole current is of a current: about what the anode falls by at its limit."""

LONGEST_S = 14 * 86_400.0

MOST_CURRENT, LEAST_CURRENT = "Most current [A]", "Least current [A]"
LEAST_ANODE, MOST_VOLTAGE = "Least anode potential [V]", "Most voltage [V]"
CONTACT = "Contact resistance [Ohm]"
FRACTIONS = tuple(f"{side} electrode active material volume fraction" for side in ("Negative", "Positive"))


@dataclass(frozen=True, slots=True)
class _Charging:
    """A built model that charges itself, the states it can begin in, and its inputs' names with usual values."""

    built: Built
    initial: InitialStates
    inputs: Mapping[str, float]
    cell: Cell


def curve_of(point: CurvePoint) -> Curve:
    """What the cell takes. Where the solver finds no way on, it tries again, to a finer tolerance. Raises Failed."""
    try:
        return _solved(point, point.asked.tolerance)
    except Failed as error:
        if error.kind != "solver":
            raise
        return replace(_solved(point, point.asked.tolerance * FINER), is_finer=True)


def _solved(point: CurvePoint, tolerance: float) -> Curve:
    asked = point.asked
    model = _charging(asked.cell, asked.model, asked.mesh, tolerance)
    fractions = {name: model.inputs[name] * (1.0 - point.lam) for name in FRACTIONS} if point.lam else {}
    start = model.initial.at(asked.start_soc, fractions)
    told = {
        **model.inputs,
        **fractions,
        **start.parameters,
        models.AMBIENT: kelvin(point.temperature_degc),
        models.INITIAL: kelvin(point.temperature_degc),
        CONTACT: point.contact_ohm,
        MOST_CURRENT: point.most_current_a,
        LEAST_CURRENT: point.least_current_a,
        LEAST_ANODE: asked.margin_v,
        MOST_VOLTAGE: model.cell.upper_voltage_v,
    }
    try:
        piece = model.built.solve(model.built.start(told), np.array([0.0, LONGEST_S]), told)
    except Failed as error:
        raise Failed(error.kind, f"{point}: {error.reason}") from error
    current_a, voltage_v, charge_ah = (
        variable.ours(piece.rows[:, at]) for at, variable in enumerate((CURRENT, VOLTAGE, CHARGE))
    )
    return Curve(start.charge_ah, asked.start_soc + charge_ah / start.charge_ah, current_a, voltage_v)


def facts_of(asked: CurvesAsked) -> CellFacts:
    """The fresh cell by its model."""
    model = _charging(asked.cell, asked.model, asked.mesh, asked.tolerance)
    rate_a = model.cell.capacity_ah
    pulse = Simulation(
        load=CurrentLoad(current_a=rate_a, duration_s=10.0),
        model=asked.model,
        cell=asked.cell,
        initial_soc=0.5,
        mesh=asked.mesh,
    )
    last_v = float(WarmSimulator().record(pulse).columns["voltage_v"][-1])
    return CellFacts(
        charge_ah=model.initial.at(asked.start_soc, {}).charge_ah,
        resistance_ohm=(last_v - model.cell.ocv_at(0.5)) / rate_a,
        parameters_sha256=_hash_of(asked.cell),
        simulator=f"PyBaMM {pybamm.__version__}, IDAKLU (pybammsolvers {SOLVER_VERSION}), relative tolerance "
        f"{asked.tolerance:g}, absolute {asked.tolerance * ABSOLUTE_PART:g}",
    )


@cache
def _charging(name: str, model_name: str, mesh: Mesh, tolerance: float) -> _Charging:
    """The model, built once for all its curves: what differs between them are inputs."""
    cell = catalog.cell(name)
    values = pybamm.ParameterValues(name)
    initial = InitialStates(values.copy(), {}, cell.usable_ah or cell.capacity_ah, 1.0)
    inputs = {
        **{fraction: float(values[fraction]) for fraction in FRACTIONS},
        **initial.at(0.5, {}).parameters,
        models.AMBIENT: kelvin(25.0),
        models.INITIAL: kelvin(25.0),
        CONTACT: 0.0,
    }
    model = models.new_model(model_name, {"contact resistance": "true"})
    values.update({CONTACT: 0.0})
    values.update(dict.fromkeys(inputs, "[input]"))
    models.set_by(model, values, _room_left)
    current = model.variables["Current [A]"]
    model.events = [pybamm.Event(LEAST_CURRENT, -current - pybamm.InputParameter(LEAST_CURRENT))]
    inputs |= {MOST_CURRENT: 3.0 * cell.capacity_ah, LEAST_CURRENT: 0.01 * cell.capacity_ah}
    inputs |= {LEAST_ANODE: 0.0, MOST_VOLTAGE: cell.upper_voltage_v}
    discretised = models.discretised(model, values, models.points_of(model, mesh))
    built = Built(discretised, [variable.name for variable in (CURRENT, VOLTAGE, CHARGE)], inputs, tolerance)
    return _Charging(built, initial, inputs, cell)


def _room_left(variables: Mapping[str, Any]) -> Any:
    """What is left up to the nearest of the three limits; the equation is that nothing is."""
    given = pybamm.InputParameter
    current_a = -variables[CURRENT.name]
    anode_v = variables[ELECTROCHEMICAL["anode_potential_v"].name]
    left = (
        (given(MOST_CURRENT) - current_a) / given(MOST_CURRENT),
        (anode_v - given(LEAST_ANODE)) / VOLTS,
        (given(MOST_VOLTAGE) - variables[VOLTAGE.name]) / (VOLTS + given(CONTACT) * abs(current_a)),
    )
    return pybamm.smooth_min(pybamm.smooth_min(left[0], left[1], SHARPNESS), left[2], SHARPNESS)


def _hash_of(name: str) -> str:
    """SHA-256 of a parameter set: its numbers, and the source of its functions."""
    values = pybamm.ParameterValues(name)
    described = {key: getsource(value) if callable(value) else repr(value) for key, value in values.items()}
    return sha256(msgspec.json.encode(described, order="deterministic")).hexdigest()
