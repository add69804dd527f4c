"""Numbers that replace a cell's own: which may, within which bounds, and which without building its model anew."""

from __future__ import annotations

from math import inf

from voltbench.adapters.strict import like
from voltbench.battery.cell import Cell
from voltbench.battery.simulation import Simulation
from voltbench.errors import InvalidInput

HAS_FIELD = {
    "Current function [A]": "load",
    "Ambient temperature [K]": "ambient_degc",
    "Initial temperature [K]": "initial_degc",
    "Initial SoC": "initial_soc",
    "Lower voltage cut-off [V]": "lower_voltage_v",
    "Upper voltage cut-off [V]": "upper_voltage_v",
}
"""What a request says in a field of its own."""

NOT_CHANGED = {
    "Nominal cell capacity [A.h]": "says what 1C is and makes no cell larger; change the electrodes",
    "Reference temperature [K]": "is what the others were measured at",
    "Number of cells connected in series to make a battery": "is of a pack; this is one cell",
    "Faraday constant [C.mol-1]": "is the same in every cell",
    "Ideal gas constant [J.K-1.mol-1]": "is the same in every cell",
    "Boltzmann constant [J.K-1]": "is the same in every cell",
    "Electron charge [C]": "is the same in every cell",
}

FIXED_IN_A_MODEL = ("thickness", "radius", "Number of", "width", "Typical", "Nominal")
"""Words in the names of those that decide the mesh or the scales: each value of theirs is a model of its own."""

_BOUNDS: tuple[tuple[str, float, float, str], ...] = (
    ("fraction", 0.0, 1.0, "0 to 1"),
    ("porosity", 0.01, 1.0, "0.01 to 1"),
    ("Bruggeman", 0.0, 10.0, "0 to 10"),
    ("transference number", 0.0, 1.0, "0 to 1"),
    ("thickness", 1e-9, 1.0, "1e-9 to 1 m"),
    ("radius", 1e-10, 1.0, "1e-10 to 1 m"),
    ("height", 1e-6, 100.0, "1e-6 to 100 m"),
    ("width", 1e-6, 100.0, "1e-6 to 100 m"),
    ("conductivity", 0.0, inf, "0 or more"),
    ("conductivity [S.m-1]", 1e-20, 1e9, "1e-20 to 1e9 S/m"),
    ("diffusivity", 0.0, inf, "0 or more"),
    ("diffusivity [m2.s-1]", 1e-25, 1e-3, "1e-25 to 1e-3 m2/s"),
    ("oncentration", 0.0, inf, "0 or more"),
    ("oncentration in electrolyte [mol.m-3]", 1.0, 20_000.0, "1 to 20000 mol/m3"),
    ("electrode [mol.m-3]", 0.0, 500_000.0, "0 to 500000 mol/m3"),
    ("density", 0.0, inf, "0 or more"),
    ("resistance", 0.0, inf, "0 or more"),
    ("heat capacity", 0.0, inf, "0 or more"),
)
"""By words in the names."""


_OF_HEAT = (
    " current collector ", " density [kg.m-3]", "specific heat capacity", "thermal conductivity",
    "heat transfer coefficient", "cooling surface area", "Cell volume",
)  # fmt: skip
_OF_FILMS = ("SEI", "Bulk solvent", "EC diffusivity", "EC initial", "Lithium interstitial")
_OF_LOSS = ("LAM constant", "LAM factor")


def check_overrides(simulation: Simulation, cell: Cell) -> None:
    """Raise InvalidInput for a number that may not be replaced, or not by that, or where it changes nothing."""
    overrides, idle = simulation.parameters, _idle(simulation)
    for name, number in overrides.items():
        field = f"parameters.{name}"
        if name in HAS_FIELD:
            raise InvalidInput(field, "has a field of its own", found=number, allowed=HAS_FIELD[name])
        if name in NOT_CHANGED:
            raise InvalidInput(field, NOT_CHANGED[name], found=number)
        if cell.numbers and name not in cell.numbers:
            raise InvalidInput(field, f"is no number of {cell.name}", allowed=like(name, cell.numbers))
        check_bounds(field, name, number)
        for word, allowed in idle.items():
            if word in name:
                raise InvalidInput(field, "changes nothing in this model", found=number, allowed=allowed)
    merged = {**cell.numbers, **overrides}
    for side in ("Negative", "Positive"):
        porosity = merged.get(f"{side} electrode porosity", 0.0)
        active = merged.get(f"{side} electrode active material volume fraction", 0.0)
        if any(name.startswith(f"{side} electrode") for name in overrides) and porosity + active > 1.0 + 1e-9:
            problem = f"leaves pores and active material more room than there is in the {side.lower()} electrode"
            raise InvalidInput("parameters", problem, found=porosity + active, allowed="a sum of at most 1")


def _idle(simulation: Simulation) -> dict[str, str]:
    """Words in the names of those that certainly have no effect, with what they would have one in; models tell more."""
    ageing = simulation.ageing
    found = {"double-layer": "no model here has one"}
    if simulation.thermal == "isothermal" and simulation.model != "Thevenin":
        found |= dict.fromkeys(_OF_HEAT, "thermal: lumped")
    if ageing.sei == ageing.plating == "none":
        found |= dict.fromkeys(_OF_FILMS, "ageing.sei")
    if ageing.loss_of_active_material == "none":
        found |= dict.fromkeys(_OF_LOSS, "ageing.loss_of_active_material")
    return found


def check_bounds(field: str, name: str, number: float) -> None:
    """Raise InvalidInput for a number that a quantity of this name cannot have."""
    for word, least, most, allowed in _BOUNDS:
        if word in name and not least <= number <= most:
            raise InvalidInput(field, "is out of its range", found=number, allowed=allowed)


def is_live(name: str) -> bool:
    """Whether one built model serves all values of a parameter."""
    return not any(word in name for word in FIXED_IN_A_MODEL)
