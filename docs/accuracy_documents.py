"""BPX documents beside the measurements that they bring: the last section of docs/accuracy.md.

BPX keeps measurements of the cell in a part `Validation` (bpx, `schema.Experiment`): time, current, voltage and maybe
temperature. The sign of the current is ours: in the schema's own example it is negative while the voltage falls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from voltbench.adapters.cells.documents import cell_of_document
from voltbench.battery.cell import KELVIN, Cell
from voltbench.battery.record import Floats, Record
from voltbench.battery.simulation import MOST_ROWS, Model, ProfileLoad, Simulation
from voltbench.errors import InvalidInput

Solve = Callable[[Simulation], Record]

AS_WARM_DEGC = 25.0
MODEL: Model = "DFN"


@dataclass(frozen=True)
class Measured:
    """What was measured: who, in which document, and rows of it."""

    name: str
    time_s: Floats
    current_a: Floats
    voltage_v: Floats
    degc: float


@dataclass(frozen=True)
class Beside:
    """How far a simulation is from what was measured, over how much of it, from which state of charge."""

    measured: Measured
    soc: float
    lasts_s: float
    off_mv: Floats


def measured_in(document: Mapping[str, Any]) -> Iterator[Measured]:
    """The measurements that a document brings. Raises InvalidInput where one cannot be followed."""
    for name, told in (document.get("Validation") or {}).items():
        columns = [np.array(told[f"{what}"], dtype=float) for what in ("Time [s]", "Current [A]", "Voltage [V]")]
        degc = float(np.mean(told["Temperature [K]"])) - KELVIN if told.get("Temperature [K]") else AS_WARM_DEGC
        if len({len(column) for column in columns}) > 1 or not 2 <= len(columns[0]) <= MOST_ROWS:
            raise InvalidInput(
                f"Validation.{name}", "has no rows", allowed=f"2 to {MOST_ROWS} times, and as many values"
            )
        time_s, current_a, voltage_v = columns
        yield Measured(name, time_s - time_s[0], current_a, voltage_v, degc)


def beside(document: Mapping[str, Any], solve: Solve) -> Iterator[Beside]:
    """Each of a document's measurements beside DFN, from the state of charge whose voltage at rest it begins with."""
    described = {name: part for name, part in document.items() if name != "Validation"}
    cell = cell_of_document(msgspec.json.encode(described))
    for one in measured_in(document):
        soc = _soc_at(cell, float(one.voltage_v[0]))
        load = ProfileLoad(time_s=one.time_s.tolist(), current_a=one.current_a.tolist())
        asked = Simulation(load=load, bpx=described, model=MODEL, initial_soc=soc, ambient_degc=one.degc)
        columns = solve(asked).columns
        lasts_s = float(columns["time_s"][-1])
        both = one.time_s <= lasts_s
        off_v = np.interp(one.time_s[both], columns["time_s"], columns["voltage_v"]) - one.voltage_v[both]
        yield Beside(one, soc, lasts_s, off_v * 1e3)


def rows(files: Sequence[Path], solve: Solve) -> Iterator[Sequence[str]]:
    """A row of the page for each measurement in each file."""
    for file in files:
        for one in beside(json.loads(file.read_text()), solve):
            whole_s = float(one.measured.time_s[-1])
            yield (
                f"{file.name}: {one.measured.name}",
                f"{one.measured.degc:.0f} °C, from {one.soc:.0%}",
                f"{one.lasts_s:,.0f} of {whole_s:,.0f} s",
                f"{float(np.sqrt(np.mean(one.off_mv**2))):.1f}",
                f"{one.off_mv[int(np.abs(one.off_mv).argmax())]:+.1f}",
            )


def _soc_at(cell: Cell, voltage_v: float) -> float:
    """The state of charge at which a cell at rest has a voltage."""
    return float(np.interp(voltage_v, cell.ocv_v, np.linspace(0.0, 1.0, len(cell.ocv_v))))
