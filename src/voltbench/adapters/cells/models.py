"""PyBaMM models as they are asked for: options, mesh, and how the current is set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from voltbench.adapters.cells.balance import inputs_in
from voltbench.adapters.cells.library import pybamm
from voltbench.battery.record import Floats
from voltbench.battery.simulation import Ageing, Mesh, Simulation

CURRENT, LOWER, UPPER = "Current function [A]", "Lower voltage cut-off [V]", "Upper voltage cut-off [V]"
AMBIENT, INITIAL = "Ambient temperature [K]", "Initial temperature [K]"
BY_CURRENT, BY_VOLTAGE, BY_POWER = "Part of current", "Part of voltage", "Part of power"
TARGET, LEAST_CURRENT, SCALE = "Target", "Current that ends [A]", "Scale of the profile"

JUST_BEYOND = 1e-6
"""How far a state of charge may be beyond full or empty: a full cell may rest."""


def options_of(simulation: Simulation, of_cell: Mapping[str, Any]) -> dict[str, Any]:
    """PyBaMM's options for what is asked of a cell that has options of its own."""
    options: dict[str, Any] = {**of_cell, "thermal": simulation.thermal, **_ageing(simulation.ageing)}
    if "Contact resistance [Ohm]" in simulation.parameters:
        options["contact resistance"] = "true"
    return options


def _ageing(ageing: Ageing) -> dict[str, Any]:
    """Nothing is said of what does not happen, so that sets without its parameters go as well."""
    said = {
        "SEI": ageing.sei,
        "lithium plating": ageing.plating,
        "loss of active material": ageing.loss_of_active_material,
    }
    return {name: word for name, word in said.items() if word != "none"}


def new_model(name: str, options: Mapping[str, Any]) -> Any:
    """A model by its name, with an explicit current."""
    if name == "Thevenin":
        return pybamm.equivalent_circuit.Thevenin()
    return getattr(pybamm.lithium_ion, name)(dict(options))


def points_of(model: Any, mesh: Mesh) -> dict[str, int]:
    """How many points the model has along each of its directions."""
    if isinstance(model, pybamm.equivalent_circuit.Thevenin):
        return {}
    along = {name if isinstance(name, str) else name.name: count for name, count in model.default_var_pts.items()}
    return {
        name: mesh.particle_points if name.startswith("r_") else mesh.electrode_points
        for name in along
        if name.startswith(("r_", "x_"))
    }


def set_by_steps(model: Any, values: Any) -> None:
    """Let the current follow from a current, a voltage or a power, whichever has part 1; an event ends small currents.

    One model for every step of a protocol: the state of one is the start of the next.
    """
    given = pybamm.InputParameter

    def residual(variables: Mapping[str, Any]) -> Any:
        current, voltage = variables["Current [A]"], variables["Voltage [V]"]
        reached = given(BY_CURRENT) * current + given(BY_VOLTAGE) * voltage + given(BY_POWER) * current * voltage
        return reached - given(TARGET)

    set_by(model, values, residual)
    model.events.append(pybamm.Event("Least current [A]", abs(model.variables["Current [A]"]) - given(LEAST_CURRENT)))


def set_by_current_profile(values: Any, time_s: Floats, discharge_a: Floats) -> None:
    """Let the current follow a profile, times the scale."""
    values.update({CURRENT: pybamm.InputParameter(SCALE) * pybamm.Interpolant(time_s, discharge_a, pybamm.t)})


def set_by_power_profile(model: Any, values: Any, time_s: Floats, discharge_w: Floats) -> None:
    """Let the power at the terminals follow a profile, times the scale."""
    asked = pybamm.InputParameter(SCALE) * pybamm.Interpolant(time_s, discharge_w, pybamm.t)
    set_by(model, values, lambda variables: variables["Current [A]"] * variables["Voltage [V]"] - asked)


def set_by(model: Any, values: Any, residual: Any) -> None:
    """Let the current be what makes an expression of the model's variables zero."""
    submodel = pybamm.external_circuit.FunctionControl(model.param, residual, model.options, control="algebraic")
    pybamm.step.BaseStepImplicit.add_control_submodel(model, submodel, values)


def let_rest_at_the_ends(model: Any) -> None:
    """An equivalent circuit may rest full and empty: its events begin just beyond."""
    for number, event in enumerate(model.events):
        if event.name in ("Minimum SoC", "Maximum SoC"):
            model.events[number] = pybamm.Event(event.name, event.expression + JUST_BEYOND, event.event_type)


def needs(model: Any, values: Any, outputs: Iterable[str]) -> frozenset[str]:
    """Names of the inputs that a model's equations, events or some of its variables depend on; it is not built yet."""
    edges = (expression for sides in model.boundary_conditions.values() for expression, _ in sides.values())
    parts = (
        *model.rhs.values(),
        *model.algebraic.values(),
        *model.initial_conditions.values(),
        *edges,
        *(event.expression for event in model.events),
        *(model.variables[name] for name in outputs),
    )
    return inputs_in(values.process_symbol(part) for part in parts)


def discretised(model: Any, values: Any, points: Mapping[str, int]) -> Any:
    """The model with its parameters, on its mesh."""
    simulation = pybamm.Simulation(model, parameter_values=values, var_pts=dict(points) or None)
    simulation.build()
    return simulation.built_model
