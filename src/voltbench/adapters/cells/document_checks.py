"""What numbers of a BPX document are refused: those that are impossible by themselves, and those that do not agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from voltbench.adapters.cells.document_functions import (
    ELECTRODES,
    ELECTROLYTE,
    ENTROPIC,
    OF_CONCENTRATION,
    OF_STOICHIOMETRY,
    USUAL_CONCENTRATION,
    check_functions,
)
from voltbench.adapters.cells.expressions import read_expression
from voltbench.adapters.cells.variables import FARADAY_AH
from voltbench.adapters.strict import shown
from voltbench.battery.record import Floats
from voltbench.errors import InvalidInput

PLACE = "bpx.Parameterisation"
REFERENCE = "Reference temperature [K]"
ACTIVATION = "activation energy [J.mol-1]"
NOMINAL = "Nominal cell capacity [A.h]"
CONCENTRATION = "Initial electrolyte concentration [mol.m-3]"
CONCENTRATION_BEFORE_1 = "Initial concentration [mol.m-3]"

INSIDE = ("Porosity", "Transport efficiency")
FRACTIONS = ("Minimum stoichiometry", "Maximum stoichiometry", "Cation transference number")
POSITIVE = (
    "Thickness [m]", "Particle radius [m]", "Surface area per unit volume [m-1]", "Electrode area [m2]",
    "External surface area [m2]", NOMINAL, "Maximum concentration [mol.m-3]", "Volume [m3]",
    "Density [kg.m-3]", "Specific heat capacity [J.K-1.kg-1]", REFERENCE,
    CONCENTRATION, CONCENTRATION_BEFORE_1, "Reaction rate constant [mol.m-2.s-1]",
    "Conductivity [S.m-1]", "Diffusivity [m2.s-1]",
    "Number of electrode pairs connected in parallel to make a cell",
    "Lower voltage cut-off [V]", "Upper voltage cut-off [V]",
    "Ambient temperature [K]", "Initial temperature [K]",
)  # fmt: skip
LONGEST_M = 1.0

MOST_TIMES = 3.0
"""Between a nominal capacity and what the smaller electrode holds between its stoichiometries, either way."""
ABOVE_V = 1.0
"""Flat fits of a potential end well before the voltage that a cell is charged to."""


def check_document(document: Mapping[str, Any]) -> None:
    """Raise InvalidInput for what is impossible by itself, before `bpx` looks at the document and runs some of it."""
    parameters = document.get("Parameterisation")
    if not isinstance(parameters, dict):
        raise InvalidInput(PLACE, "is missing", allowed="a table")
    wanted, others = ("Cell", *ELECTRODES), (ELECTROLYTE, "Separator")
    for part in (*wanted, *(name for name in others if name in parameters)):
        if not isinstance(parameters.get(part), dict):
            problem = "is no table" if part in parameters else "is missing"
            raise InvalidInput(f"{PLACE}.{part}", problem, allowed="a table")
    state = document.get("State")
    state = state if isinstance(state, dict) else {}
    for where, name, found in (*_leaves(parameters, PLACE), *_leaves(state, "bpx.State")):
        _check_number(where, name, found)
    check_functions(parameters, _concentration(parameters, state), PLACE)


def _check_number(place: str, name: str, found: Any) -> None:
    if isinstance(found, str) and _may_be_text(place, name):
        read_expression(found, place)
    elif isinstance(found, bool) or not isinstance(found, int | float):
        allowed = "a number, an expression or a table" if _may_be_text(place, name) else "a number"
        raise InvalidInput(place, "is no number", found=shown(found), allowed=allowed)
    elif name in FRACTIONS and not 0.0 <= found <= 1.0:
        raise InvalidInput(place, "is no fraction", found=found, allowed="0 to 1")
    elif name in INSIDE and not 0.0 < found < 1.0:
        raise InvalidInput(place, "is no part of a whole", found=found, allowed="between 0 and 1, and neither")
    elif name in POSITIVE and not found > 0.0:
        raise InvalidInput(place, "is not positive", found=found, allowed="above 0")
    elif name.endswith("[m]") and found > LONGEST_M:
        raise InvalidInput(place, "is too long", found=found, allowed=f"up to {LONGEST_M:g} m")


def _may_be_text(place: str, name: str) -> bool:
    """Elsewhere `bpx` takes a text for the number that it spells, and nobody would look at it."""
    if place.startswith(f"{PLACE}.User-defined"):
        return bool(name)
    return name in (OF_CONCENTRATION if place.startswith(f"{PLACE}.{ELECTROLYTE}.") else OF_STOICHIOMETRY)


def _concentration(parameters: Mapping[str, Any], state: Mapping[str, Any]) -> float:
    """Of salt, to begin with. Documents of before BPX 1.0 say it where the electrolyte is."""
    begins = state.get("Initial conditions")
    now = begins.get(CONCENTRATION) if isinstance(begins, dict) else None
    before = parameters.get(ELECTROLYTE, {}).get(CONCENTRATION_BEFORE_1)
    return next((float(said) for said in (now, before) if isinstance(said, int | float)), USUAL_CONCENTRATION)


def check_reference(parameters: Mapping[str, Any]) -> None:
    """Numbers that change with temperature hold at one of them."""
    if parameters["Cell"].get(REFERENCE) is not None:
        return
    for place, name, found in _leaves(parameters, PLACE):
        if (name.endswith(ACTIVATION) or name == ENTROPIC) and found != 0:
            raise InvalidInput(f"{PLACE}.Cell.{REFERENCE}", f"is missing, and {place} depends on it")


def _leaves(tree: Mapping[str, Any], place: str) -> Iterator[tuple[str, str, Any]]:
    """Numbers and texts with their places and names; a table's columns have no names of quantities."""
    for name, part in tree.items():
        where = f"{place}.{name}"
        if isinstance(part, dict):
            yield from _leaves(part, where)
        elif isinstance(part, list):
            yield from ((f"{where}[{row}]", "", found) for row, found in enumerate(part))
        elif part is not None:
            yield where, name, part


# --- what does not agree: said of the part, where any of several numbers may be the wrong one -------------------------


def check_room(electrode: Any, name: str) -> None:
    """Spheres of a radius have 3/r surface for each part of volume: that is how BPX says the active fraction."""
    place, least, most = f"{PLACE}.{name}", electrode.minimum_stoichiometry, electrode.maximum_stoichiometry
    taken = active_fraction(electrode) + float(getattr(electrode, "porosity", 0.0) or 0.0)
    if taken > 1.0 + 1e-6:
        raise InvalidInput(place, "has more pores and active material than room", found=taken, allowed="at most 1")
    if least >= most:
        problem = "has a Minimum stoichiometry that is not below the maximum"
        raise InvalidInput(place, problem, found=least, allowed=f"below {most:g}")


def active_fraction(electrode: Any) -> float:
    """Of the electrode's volume."""
    return float(electrode.surface_area_per_unit_volume) * float(electrode.particle_radius) / 3.0


def held_mol_per_m2(electrode: Any) -> float:
    """What an electrode can hold, for each area."""
    return active_fraction(electrode) * float(electrode.thickness) * float(electrode.maximum_concentration)


def _used_mol_per_m2(electrode: Any) -> float:
    return held_mol_per_m2(electrode) * float(electrode.maximum_stoichiometry - electrode.minimum_stoichiometry)


def check_capacity(described: Any, negative: Any, positive: Any) -> None:
    """A C-rate is none where the capacity is not the cell's: it is as large as the smaller of its electrodes."""
    area_m2 = float(described.electrode_area) * described.number_of_electrodes
    negative_ah, positive_ah = (_used_mol_per_m2(one) * area_m2 * FARADAY_AH for one in (negative, positive))
    held_ah, nominal_ah = min(negative_ah, positive_ah), float(described.nominal_cell_capacity)
    if not held_ah / MOST_TIMES <= nominal_ah <= held_ah * MOST_TIMES:
        allowed = (
            f"{held_ah / MOST_TIMES:.3g} to {held_ah * MOST_TIMES:.3g}: "
            f"the negative electrode holds {negative_ah:.3g} Ah, the positive {positive_ah:.3g} Ah"
        )
        problem = f"has a {NOMINAL} that is not what its electrodes hold"
        raise InvalidInput(f"{PLACE}.Cell", problem, found=nominal_ah, allowed=allowed)


def check_cut_offs(lower_v: float, upper_v: float, volts: Floats) -> None:
    """The cut-offs are among the voltages that a cell has from what its document calls empty to what it calls full."""
    least_v, most_v = float(volts.min()), float(volts.max())
    if not least_v < upper_v <= most_v + ABOVE_V:
        problem = "has an Upper voltage cut-off [V] that is not among the voltages its electrodes have"
        allowed = f"above {least_v:.3f} V, up to {most_v + ABOVE_V:.3f} V"
        raise InvalidInput(f"{PLACE}.Cell", problem, found=upper_v, allowed=allowed)
    place = f"{PLACE}.Cell.Lower voltage cut-off [V]"
    if lower_v >= upper_v:
        raise InvalidInput(place, "is not below the upper one", found=lower_v, allowed=f"below {upper_v:g} V")
    if lower_v >= most_v:
        problem = "is not among the voltages its electrodes have"
        raise InvalidInput(place, problem, found=lower_v, allowed=f"below {most_v:.3f} V")
