"""BPX documents (https://bpxstandard.com): cells that others describe, read without trust.

The `bpx` library checks the form. Its expressions are checked by us as well, because they are run; and its numbers,
because to it any of them will do.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from voltbench.adapters.cells.document_checks import (
    PLACE,
    REFERENCE,
    check_capacity,
    check_cut_offs,
    check_document,
    check_reference,
    check_room,
    held_mol_per_m2,
)
from voltbench.adapters.cells.document_functions import ELECTRODES, ENTROPIC, OCP, as_function
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

ANY_KELVIN = 298.15
COOLING = "Heat transfer coefficient [W.m-2.K-1]"

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
    whole = None not in (getattr(electrodes, "electrolyte", None), getattr(electrodes, "separator", None))
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
    document = _looked_at(text)
    with warnings.catch_warnings():
        # What bpx says of pyparsing is not ours to change; what of older documents, and of 1 mV, is in our docs.
        warnings.simplefilter("ignore")
        from bpx import parse_bpx_obj  # noqa: PLC0415 - 0.3 s, for whoever has a document

        try:
            parsed = parse_bpx_obj(document)
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
            raise InvalidInput("bpx", f"is no BPX document: {_first_line(error)}") from None
    electrodes = parsed.parameterisation
    for name, electrode in zip(ELECTRODES, (electrodes.negative_electrode, electrodes.positive_electrode), strict=True):
        if not hasattr(electrode, "ocp"):
            raise InvalidInput(f"{PLACE}.{name}", "is of several materials", allowed="one")
        check_room(electrode, name)
    check_capacity(electrodes.cell, electrodes.negative_electrode, electrodes.positive_electrode)
    check_reference(msgspec.json.decode(text)["Parameterisation"])  # bpx has put its own objects into the other one
    return parsed


def _looked_at(text: bytes) -> Any:
    """The document, in which nothing is impossible by itself. Raises InvalidInput."""
    try:
        document = msgspec.json.decode(text)
        refuse_odd_values(document, "bpx", prose=_prose(document))
        if not isinstance(document, dict):
            raise InvalidInput("bpx", "is no table")
        check_document(document)
    except RecursionError:
        raise InvalidInput("bpx", "is nested too deeply") from None
    return document


def _prose(document: Any) -> tuple[str, ...]:
    header = document.get("Header", {}) if isinstance(document, dict) else {}
    return tuple(f"bpx.Header.{name}" for name in header) if isinstance(header, dict) else ()


def _first_line(error: Exception) -> str:
    """What is wrong first: pydantic tells all of it, in several lines each."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[1:3])[:300] if len(lines) > 2 else " ".join(lines)[:300]


def _open_circuit(negative: Any, positive: Any, lower_v: float, upper_v: float) -> tuple[float, Floats]:
    """Open-circuit voltage as described, and from empty to full: between the cut-offs, where the cell comes as far.

    As PyBaMM has it: from the state that the document calls full, charge moves lithium between the electrodes, by what
    each can hold. The stoichiometries that it calls empty say less, and are only checked. Raises InvalidInput where a
    cut-off is no voltage between those.
    """
    full_x, full_y = negative.maximum_stoichiometry, positive.minimum_stoichiometry
    described_x = np.linspace(negative.minimum_stoichiometry, full_x, SOC_POINTS)
    described_y = np.linspace(positive.maximum_stoichiometry, full_y, SOC_POINTS)
    described_v = _voltage(negative, positive, described_x, described_y)
    check_cut_offs(lower_v, upper_v, described_v)
    moved = np.linspace(-MORE_THAN_FULL, full_x, SEARCH_POINTS)
    x, y = full_x - moved, full_y + moved * held_mol_per_m2(negative) / held_mol_per_m2(positive)
    inside = (x > 0.0) & (x < 1.0) & (y > 0.0) & (y < 1.0)
    volts = _voltage(negative, positive, x[inside], y[inside])
    known = np.isfinite(volts)
    moved, volts = moved[inside][known], volts[known]
    if not len(moved):
        raise InvalidInput(PLACE, "has no open-circuit voltage around the state that it calls full")
    begin, end = _between(moved, volts, lower_v, upper_v)
    return float(described_v[-1]), np.interp(np.linspace(end, begin, SOC_POINTS), moved, volts)


def _between(moved: Floats, volts: Floats, lower_v: float, upper_v: float) -> tuple[float, float]:
    """Where the voltage is the upper one, and where it is the lower, around the state that is called full."""
    full = int(np.searchsorted(moved, 0.0))
    above = np.flatnonzero(volts[: full + 1] >= upper_v)
    below = np.flatnonzero(volts[full:] <= lower_v) + full
    begin = moved[above[-1]] if len(above) else moved[0]
    return float(begin), float(moved[below[0]] if len(below) else moved[-1])


def _voltage(negative: Any, positive: Any, x: Floats, y: Floats) -> Floats:
    """Beyond what is described, where both were tried, an expression may be anything."""
    negative_ocp, positive_ocp = (
        as_function(electrode.ocp, f"{PLACE}.{name}.{OCP}")
        for name, electrode in zip(ELECTRODES, (negative, positive), strict=True)
    )
    with np.errstate(all="ignore"):
        return positive_ocp(y) - negative_ocp(x)
