"""BPX documents (https://bpxstandard.com): cells that others describe, read without trust.

The `bpx` library checks the form. Its expressions are checked here as well, because they are run; and its numbers,
because to it any of them will do.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from voltbench.adapters.cells.expressions import read_expression
from voltbench.adapters.strict import refuse_odd_values
from voltbench.battery.cell import Cell
from voltbench.battery.record import Floats
from voltbench.errors import InvalidInput

MOST_BYTES = 1_000_000
MOST_C_RATE = 3.0
"""A document does not say for which currents it holds."""

SOC_POINTS, SEARCH_POINTS = 101, 4_001
MORE_THAN_FULL = 0.05
"""Of the negative electrode's stoichiometry: where the upper cut-off is looked for."""

INSIDE = ("Porosity", "Transport efficiency")
FRACTIONS = ("Minimum stoichiometry", "Maximum stoichiometry", "Cation transference number")
POSITIVE = (
    "Thickness [m]", "Particle radius [m]", "Surface area per unit volume [m-1]", "Electrode area [m2]",
    "External surface area [m2]", "Nominal cell capacity [A.h]", "Maximum concentration [mol.m-3]", "Volume [m3]",
    "Density [kg.m-3]", "Specific heat capacity [J.K-1.kg-1]", "Reference temperature [K]",
    "Initial electrolyte concentration [mol.m-3]", "Reaction rate constant [mol.m-2.s-1]",
    "Conductivity [S.m-1]", "Diffusivity [m2.s-1]",
    "Number of electrode pairs connected in parallel to make a cell",
    "Lower voltage cut-off [V]", "Upper voltage cut-off [V]",
)  # fmt: skip
LONGEST_M = 1.0
ANY_KELVIN = 298.15

ENTROPIC, REFERENCE = "Entropic change coefficient [V.K-1]", "Reference temperature [K]"
ACTIVATION = "activation energy [J.mol-1]"
COOLING = "Heat transfer coefficient [W.m-2.K-1]"
ELECTRODES = ("Negative electrode", "Positive electrode")

WITHOUT_HEAT = {
    "External surface area [m2]": 1.0,
    "Volume [m3]": 1.0,
    "Density [kg.m-3]": 1.0,
    "Specific heat capacity [J.K-1.kg-1]": 1.0,
}
"""What PyBaMM asks for also where a cell stays as warm as it is, and these numbers have no effect."""


@lru_cache(maxsize=64)
def cell_of_document(text: bytes) -> Cell:
    """What is known of a cell that a BPX document describes, in JSON. Raises InvalidInput that names the place."""
    parsed = parsed_document(text)
    described, electrodes = parsed.parameterisation.cell, parsed.parameterisation
    lower, upper = float(described.lower_voltage_cutoff), float(described.upper_voltage_cutoff)
    whole = hasattr(electrodes, "electrolyte")
    lacks = _lacks_for_heat(msgspec.json.decode(text))
    full_v, ocv_v = _open_circuit(electrodes.negative_electrode, electrodes.positive_electrode, lower, upper)
    return Cell(
        name=str(parsed.header.title or "BPX document"),
        chemistry="lithium-ion",
        capacity_ah=float(described.nominal_cell_capacity),
        lower_voltage_v=lower,
        upper_voltage_v=upper,
        ocv_v=tuple(np.clip(ocv_v, lower, upper).tolist()),
        most_c_rate=MOST_C_RATE,
        models=("SPM", "SPMe", "DFN") if whole else (),
        why_not=_why_not(whole, lacks),
        source=str(parsed.header.references or ""),
        described_ocv_v=float(np.clip(full_v, lower, upper)),
        thermal=("isothermal",) if lacks else ("isothermal", "lumped"),
    )


def _lacks_for_heat(document: Mapping[str, Any]) -> list[str]:
    """Places in the document where nothing is, without which nobody knows how warm the cell becomes."""
    parameters = document["Parameterisation"]
    environment = ((document.get("State") or {}).get("Thermal environment")) or {}
    wanted = [
        *(("Cell", parameters["Cell"], name) for name in (*WITHOUT_HEAT, REFERENCE)),
        *((side, parameters[side], ENTROPIC) for side in ELECTRODES),
        ("State.Thermal environment", environment, COOLING),
    ]
    return [f"{place}.{name}" for place, part, name in wanted if part.get(name) is None]


def _why_not(whole: bool, lacks: list[str]) -> dict[str, str]:
    """Why it does not go with a model, or with heat."""
    found = {"Thevenin": "a BPX document describes electrodes"}
    if not whole:
        found |= dict.fromkeys(("SPM", "SPMe", "DFN"), "PyBaMM takes none without electrolyte and separator")
    if lacks:
        found["lumped"] = f"the document has no {', no '.join(lacks)}"
    return found


def completed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with what PyBaMM asks for and BPX does not: without effect, as heat is for those that have it all.

    Where nothing depends on temperature, any will do for a reference.
    """
    parameters = document["Parameterisation"]
    electrodes = {side: {ENTROPIC: 0.0, **parameters[side]} for side in ELECTRODES}
    cell = {**WITHOUT_HEAT, REFERENCE: ANY_KELVIN, **parameters["Cell"]}
    return {**document, "Parameterisation": {**parameters, **electrodes, "Cell": cell}}


@lru_cache(maxsize=8)
def parsed_document(text: bytes) -> Any:
    """The document as `bpx` reads it, after our own look at it. Raises InvalidInput."""
    if len(text) > MOST_BYTES:
        raise InvalidInput("bpx", "is too large", found=len(text), allowed=f"{MOST_BYTES} bytes")
    document = msgspec.json.decode(text)
    refuse_odd_values(document, "bpx", prose=_prose(document))
    _check_parts(document)
    with warnings.catch_warnings():
        # What bpx says of pyparsing is not ours to change; what of older documents, and of 1 mV, is in our docs.
        warnings.simplefilter("ignore")
        from bpx import parse_bpx_obj  # noqa: PLC0415 - 0.3 s, for whoever has a document

        try:
            parsed = parse_bpx_obj(document)
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
            raise InvalidInput("bpx", f"is no BPX document: {_first_line(error)}") from None
    for side in ("negative_electrode", "positive_electrode"):
        electrode = getattr(parsed.parameterisation, side, None)
        if not hasattr(electrode, "ocp"):
            place = f"bpx.Parameterisation.{side.replace('_', ' ').capitalize()}"
            raise InvalidInput(place, "is of several materials", allowed="one")
        _check_room(electrode, side.replace("_", " ").capitalize())
    _check_reference(msgspec.json.decode(text)["Parameterisation"])  # bpx has put its own objects into the other one
    return parsed


def _prose(document: Any) -> tuple[str, ...]:
    header = document.get("Header", {}) if isinstance(document, dict) else {}
    return tuple(f"bpx.Header.{name}" for name in header) if isinstance(header, dict) else ()


def _first_line(error: Exception) -> str:
    """What is wrong first: pydantic tells all of it, in several lines each."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[1:3])[:300] if len(lines) > 2 else " ".join(lines)[:300]


def _check_parts(document: Mapping[str, Any]) -> None:
    parameters = document.get("Parameterisation")
    if not isinstance(parameters, dict):
        raise InvalidInput("bpx.Parameterisation", "is missing", allowed="a table")
    for place, name, found in _leaves(parameters, "bpx.Parameterisation"):
        if isinstance(found, str):
            read_expression(found, place)
        elif isinstance(found, bool) or not isinstance(found, int | float):
            raise InvalidInput(place, "is no number", found=found, allowed="a number, an expression or a table")
        elif name in FRACTIONS and not 0.0 <= found <= 1.0:
            raise InvalidInput(place, "is no fraction", found=found, allowed="0 to 1")
        elif name in INSIDE and not 0.0 < found < 1.0:
            raise InvalidInput(place, "is no part of a whole", found=found, allowed="between 0 and 1, and neither")
        elif name in POSITIVE and not found > 0.0:
            raise InvalidInput(place, "is not positive", found=found, allowed="above 0")
        elif name.endswith("[m]") and found > LONGEST_M:
            raise InvalidInput(place, "is too long", found=found, allowed=f"up to {LONGEST_M:g} m")


def _check_reference(parameters: Mapping[str, Any]) -> None:
    """Numbers that change with temperature hold at one of them."""
    if parameters["Cell"].get(REFERENCE) is not None:
        return
    for place, name, found in _leaves(parameters, "bpx.Parameterisation"):
        if (name.endswith(ACTIVATION) or name == ENTROPIC) and found != 0:
            raise InvalidInput(f"bpx.Parameterisation.Cell.{REFERENCE}", f"is missing, and {place} depends on it")


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


def _check_room(electrode: Any, name: str) -> None:
    """Spheres of a radius have 3/r surface for each part of volume: that is how BPX says the active fraction."""
    active = float(electrode.surface_area_per_unit_volume) * float(electrode.particle_radius) / 3.0
    taken = active + float(getattr(electrode, "porosity", 0.0) or 0.0)
    if taken > 1.0 + 1e-6:
        place = f"bpx.Parameterisation.{name}"
        raise InvalidInput(place, "has more pores and active material than room", found=taken, allowed="at most 1")
    if electrode.minimum_stoichiometry >= electrode.maximum_stoichiometry:
        place = f"bpx.Parameterisation.{name}.Minimum stoichiometry"
        raise InvalidInput(place, "is not below the maximum", found=electrode.minimum_stoichiometry)


def _open_circuit(negative: Any, positive: Any, lower_v: float, upper_v: float) -> tuple[float, Floats]:
    """Open-circuit voltage as described, and from empty to full: between the cut-offs, where the cell comes as far.

    As PyBaMM has it: from the state that the document calls full, charge moves lithium between the electrodes, by what
    each can hold. The stoichiometries that it calls empty say less, and are only checked. Raises InvalidInput where the
    voltage is none between those.
    """
    full_x, full_y = negative.maximum_stoichiometry, positive.minimum_stoichiometry
    described_x = np.linspace(negative.minimum_stoichiometry, full_x, SOC_POINTS)
    described_y = np.linspace(positive.maximum_stoichiometry, full_y, SOC_POINTS)
    described_v = _voltage(negative, positive, described_x, described_y)
    for volts, name in zip(described_v, ("Negative", "Positive"), strict=True):
        if not np.isfinite(volts).all():
            place = f"bpx.Parameterisation.{name} electrode.OCP [V]"
            raise InvalidInput(place, "is not finite between the stoichiometries")
    moved = np.linspace(-MORE_THAN_FULL, full_x, SEARCH_POINTS)
    x, y = full_x - moved, full_y + moved * _held(negative) / _held(positive)
    inside = (x > 0.0) & (x < 1.0) & (y > 0.0) & (y < 1.0)
    with np.errstate(all="ignore"):  # beyond what is described an expression may be anything
        negative_v, positive_v = _voltage(negative, positive, x[inside], y[inside])
    known = np.isfinite(positive_v - negative_v)
    moved, volts = moved[inside][known], (positive_v - negative_v)[known]
    begin, end = _between(moved, volts, lower_v, upper_v)
    return float(described_v[1][-1] - described_v[0][-1]), np.interp(np.linspace(end, begin, SOC_POINTS), moved, volts)


def _between(moved: Floats, volts: Floats, lower_v: float, upper_v: float) -> tuple[float, float]:
    """Where the voltage is the upper one, and where it is the lower, around the state that is called full."""
    full = int(np.searchsorted(moved, 0.0))
    above = np.flatnonzero(volts[: full + 1] >= upper_v)
    below = np.flatnonzero(volts[full:] <= lower_v) + full
    begin = moved[above[-1]] if len(above) else moved[0]
    return float(begin), float(moved[below[0]] if len(below) else moved[-1])


def _held(electrode: Any) -> float:
    """What an electrode can hold, but for what both share. A third of its surface times the radius is active."""
    active = electrode.surface_area_per_unit_volume * electrode.particle_radius / 3.0
    return float(active * electrode.thickness * electrode.maximum_concentration)


def _voltage(negative: Any, positive: Any, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    return _potential(negative.ocp, x, "Negative electrode"), _potential(positive.ocp, y, "Positive electrode")


def _potential(described: Any, stoichiometry: Floats, name: str) -> Floats:
    place = f"bpx.Parameterisation.{name}.OCP [V]"
    if isinstance(described, str):
        volts = read_expression(described, place)(stoichiometry)
    elif hasattr(described, "x"):
        order = np.argsort(described.x)
        volts = np.interp(stoichiometry, np.array(described.x)[order], np.array(described.y)[order])
    else:
        volts = np.full_like(stoichiometry, float(described))
    return volts
