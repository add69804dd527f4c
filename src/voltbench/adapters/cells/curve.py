"""What a cell lets itself be charged with, by a model of it: the curves that are asked for, and the map made of them.

One solve is one whole curve over state of charge: the current is as great as its own limit, the potential of the anode
against lithium (below 0 V lithium may plate) and the upper voltage allow. What solves is in `curve_model.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from typing import Annotated, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta

from voltbench.adapters.cells import catalog
from voltbench.adapters.cells.chemistries import OPTIONS
from voltbench.adapters.strict import like
from voltbench.battery.cell import Cell
from voltbench.battery.charge_map import CellChargeMap, Provenance, nested
from voltbench.battery.record import Floats
from voltbench.battery.simulation import Mesh
from voltbench.errors import Failed, InvalidInput, NotFound

LEAST_C = 0.01
"""Where a curve ends: a cell that takes less is full."""

SETTLED = 0.05
"""A curve is still settling for so much SoC after its start; there, the map is as at its end."""

MOST_RISE = 0.05
"""A curve falls, but for ripples of the particles' mesh. What rises more in all, as a part of its peak, chatters."""

NOT_FITTED = "its graphite was not described for plating: at 25 degrees the anode never comes near lithium below 3C"

FINER = 0.1
"""Of the tolerance that is asked for: what a curve is solved to that does not come with it."""

REFUSED = {
    "Mohtat2020": NOT_FITTED,
    "Marquis2019": NOT_FITTED,
    "NCA_Kim2011": NOT_FITTED,
    "Ramadass2004": NOT_FITTED,
}
"""Cells whose curves could be computed, and would say nothing of what they bear."""

MOST_CURVES = 2_000

SOC = np.linspace(0.0, 1.0, 101)

Axis: TypeAlias = Annotated[tuple[float, ...], Meta(min_length=1, max_length=100)]


class CurvesAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Curves of one cell over temperature, loss of active material (0 is none) and resistance (1 is a fresh cell's).

    `most_c_rate` counts in what the fresh cell holds; `margin_v` is how far the anode stays above lithium.
    """

    cell: str
    model: Literal["DFN", "SPMe"] = "DFN"
    temperature_degc: Axis = (-10.0, 0.0, 10.0, 20.0, 25.0, 30.0, 40.0, 45.0)
    lam: Axis = (0.0, 0.1, 0.2)
    resistance: Axis = (1.0, 1.5)
    most_c_rate: Annotated[float, Meta(ge=0.1, le=20.0)] = 3.0
    margin_v: Annotated[float, Meta(ge=0.0, le=0.2)] = 0.0
    start_soc: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.05
    mesh: Mesh = Mesh()
    tolerance: Annotated[float, Meta(ge=1e-9, le=1e-2)] = 1e-4


class CellFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh cell by its model: what it holds, and its resistance: 1C for 10 s at 50 % and 25 degrees."""

    charge_ah: float
    resistance_ohm: float
    parameters_sha256: str
    simulator: str


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One curve of those asked for; `contact_ohm` is what the cell has become worse by."""

    asked: CurvesAsked
    temperature_degc: float
    lam: float
    contact_ohm: float
    most_current_a: float
    least_current_a: float

    def __str__(self) -> str:
        aged = f", {self.lam:.0%} of active material lost" if self.lam else ""
        worse = f", {self.contact_ohm * 1e3:.1f} mOhm more" if self.contact_ohm else ""
        return f"{self.asked.cell} at {self.temperature_degc:g} degrees{aged}{worse}"


@dataclass(frozen=True, slots=True)
class Curve:
    """What a cell took as it was charged: rows in the order of time. It holds `charge_ah`.

    `is_finer` says that it did not come with the tolerance that was asked for, and did with a finer one.
    """

    charge_ah: float
    soc: Floats
    current_a: Floats
    voltage_v: Floats
    is_finer: bool = False


def checked(asked: CurvesAsked) -> Cell:
    """The cell, if such curves of it make sense. Raises InvalidInput that names the field."""
    try:
        cell = catalog.cell(asked.cell)
    except NotFound:
        allowed = like(asked.cell, catalog.names())
        raise InvalidInput("cell", "is not in the catalog", found=asked.cell, allowed=allowed) from None
    why = REFUSED.get(cell.name) or cell.why_not.get(asked.model)
    if "working electrode" in OPTIONS.get(cell.name, {}):
        why = "it is half a cell: its other electrode is lithium already"
    elif cell.name in OPTIONS or (asked.model not in cell.models and why is None):
        why = f"{asked.model} does not describe its anode as one material with one potential"
    if why is not None:
        raise InvalidInput("cell", f"has no charging curve: {why}", found=cell.name)
    _check_axes(asked, cell)
    return cell


def _check_axes(asked: CurvesAsked, cell: Cell) -> None:
    for name, least, most in (
        ("temperature_degc", cell.least_degc, cell.most_degc),
        ("lam", 0.0, 0.6),
        ("resistance", 1.0, 20.0),
    ):
        axis = getattr(asked, name)
        if list(axis) != sorted(set(axis)) or not least <= axis[0] <= axis[-1] <= most:
            raise InvalidInput(name, "is no axis", found=list(axis), allowed=f"rising, {least:g} to {most:g}")
    count = len(asked.temperature_degc) * len(asked.lam) * len(asked.resistance)
    if count > MOST_CURVES:
        raise InvalidInput("temperature_degc", "comes to too many curves", found=count, allowed=f"<= {MOST_CURVES}")


def facts(asked: CurvesAsked) -> CellFacts:
    """What must be known of the fresh cell before its curves are asked for. Solves."""
    from voltbench.adapters.cells.curve_model import facts_of  # noqa: PLC0415  it imports PyBaMM

    return facts_of(asked)


def points(asked: CurvesAsked, fresh: CellFacts) -> list[CurvePoint]:
    """All curves that are asked for, in the order of the map's tables."""
    return [
        CurvePoint(
            asked=asked,
            temperature_degc=degc,
            lam=lam,
            contact_ohm=(resistance - 1.0) * fresh.resistance_ohm,
            most_current_a=asked.most_c_rate * fresh.charge_ah,
            least_current_a=LEAST_C * fresh.charge_ah,
        )
        for resistance, lam, degc in product(asked.resistance, asked.lam, asked.temperature_degc)
    ]


def solve(point: CurvePoint) -> Curve:
    """One curve. Raises Failed where none comes that can be trusted."""
    from voltbench.adapters.cells.curve_model import curve_of  # noqa: PLC0415  it imports PyBaMM

    curve = curve_of(point)
    if len(curve.soc) < 2 or curve.soc[-1] < point.asked.start_soc + SETTLED:
        raise Failed("implausible", f"{point}: it takes next to nothing")
    require_falling(curve, point)
    return curve


def require_falling(curve: Curve, point: CurvePoint) -> None:
    """Raise Failed for a curve that rises again and again, as where the potential of the anode is no smooth one."""
    settled = curve.current_a[curve.soc > point.asked.start_soc + SETTLED]
    rise = float(np.maximum(np.diff(settled), 0.0).sum()) / float(curve.current_a.max())
    if rise > MOST_RISE:
        problem = f"the current rises while it charges, by {rise:.0%} of its peak in all: no charger could follow"
        raise Failed("implausible", f"{point}: {problem}")


def on_grid(curve: Curve, asked: CurvesAsked, fresh: CellFacts) -> tuple[Floats, Floats]:
    """A curve over `SOC`: rates of what the fresh cell holds, and voltages."""
    first = int(np.searchsorted(SOC, asked.start_soc + SETTLED - 1e-9))
    rises = np.concatenate(([True], np.diff(np.maximum.accumulate(curve.soc)) > 0.0))
    soc, rate = curve.soc[rises], curve.current_a[rises] / fresh.charge_ah
    c_rate, voltage_v = np.interp(SOC, soc, rate, right=0.0), np.interp(SOC, soc, curve.voltage_v[rises])
    c_rate[:first], voltage_v[:first] = c_rate[first], voltage_v[first]
    c_rate[-1] = 0.0
    return np.maximum(c_rate, 0.0), voltage_v


def charge_map(
    id: str,
    asked: CurvesAsked,
    fresh: CellFacts,
    curves: Sequence[Curve],
    made_on: str,
    name: str = "",
    nominal_voltage_v: float | None = None,
) -> CellChargeMap:
    """The entry of the catalog that these curves make. Without a nominal voltage: the mean open-circuit one."""
    cell = catalog.cell(asked.cell)
    tables = np.array([on_grid(curve, asked, fresh) for curve in curves])
    shape = len(asked.resistance), len(asked.lam), len(asked.temperature_degc), len(SOC)
    mean_v = float(np.trapezoid(cell.ocv_v, dx=1.0 / (len(cell.ocv_v) - 1)))
    return CellChargeMap(
        id=id,
        name=name or f"{cell.name}, {cell.chemistry}",
        source=_source(asked, cell),
        cell=cell.name,
        capacity_ah=round(fresh.charge_ah, 4),
        nominal_voltage_v=round(nominal_voltage_v or mean_v, 3),
        provenance=_provenance(asked, fresh, cell, made_on, curves),
        soc=tuple(np.round(SOC, 2).tolist()),
        temperature_degc=asked.temperature_degc,
        lam=asked.lam,
        resistance=asked.resistance,
        c_rate=nested(tables[:, 0].reshape(shape), 4),
        voltage_v=nested(tables[:, 1].reshape(shape), 4),
    )


def minutes(c_rate: Floats, first: int = 10, last: int = 80) -> float:
    """How long a fresh cell takes between two percentages, by its curve over `SOC`; infinite where it never gets there.

    Between entries the current is linear, and so the time is the logarithm of its ratio.
    """
    before, after = c_rate[first:last], c_rate[first + 1 : last + 1]
    if min(before.min(), after.min()) <= 0.0:
        return float("inf")
    step = np.diff(SOC[first : last + 1])
    ratio = after / before
    is_flat = np.abs(ratio - 1.0) < 1e-6
    slope = np.where(is_flat, before, (after - before) / np.log(np.where(is_flat, 2.0, ratio)))
    return float((step / slope).sum() * 60.0)


def _source(asked: CurvesAsked, cell: Cell) -> str:
    model = {"DFN": "Doyle-Fuller-Newman", "SPMe": "single particles with electrolyte"}[asked.model]
    return (
        f"A model, not a measurement: {model} with PyBaMM's parameters {cell.name} ({cell.source}), charged with as "
        f"much current as {asked.most_c_rate:g} C, an anode potential of {asked.margin_v * 1e3:g} mV against lithium "
        f"at the separator, and {cell.upper_voltage_v:g} V allow."
    )


def _provenance(asked: CurvesAsked, fresh: CellFacts, cell: Cell, made_on: str, curves: Sequence[Curve]) -> Provenance:
    notes = (
        f"Made by `voltbench cell curve`. Isothermal; each curve in one go from {asked.start_soc:.0%} SoC, below "
        f"{asked.start_soc + SETTLED:.0%} as there. lam: as much of both electrodes. resistance: that of the fresh "
        f"cell is {fresh.resistance_ohm * 1e3:.1f} mOhm (1C for 10 s, 50 %, 25 degrees), what is more is added to its "
        "contacts."
    )
    if "plating" not in cell.ageing:
        notes += " The set has no parameters of plating: that the anode stays above lithium is all that is known."
    finer = sum(curve.is_finer for curve in curves)
    if finer:
        notes += f" {finer} of {len(curves)} curves came only with a relative tolerance of {asked.tolerance * FINER:g}."
    return Provenance(
        parameters=cell.name,
        model=f"{asked.model}, current by the anode potential",
        simulator=fresh.simulator,
        parameters_sha256=fresh.parameters_sha256,
        inputs_sha256=sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest(),
        made_on=made_on,
        notes=notes,
    )
