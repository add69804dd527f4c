"""`voltbench cell circuit`: a cell as an equivalent circuit, as an entry of the catalog that packs can name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, get_args

import msgspec
import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from voltbench.adapters.cells import catalog, pulses, task
from voltbench.adapters.record_files.forms import write_whole
from voltbench.adapters.strict import like
from voltbench.apps.cell_solve import Processes, each_solved
from voltbench.apps.options import require
from voltbench.battery.cell import Cell
from voltbench.battery.charge_map import toml_text
from voltbench.battery.circuit import EquivalentCircuit
from voltbench.battery.record import Record
from voltbench.battery.simulation import DriveCycleLoad, Model, Simulation
from voltbench.clock import wall_instant
from voltbench.errors import InvalidInput, NotFound, VoltbenchError
from voltbench.quantities import utc

CYCLE, FROM_SOC = "US06", 0.8
"""What the circuit is held against the model by, once it is found."""

SHOWN = (10, 30, 50, 70, 90)
"""The percentages that are printed."""


def circuit(
    cell: Annotated[str, typer.Argument(metavar="CELL", help="A cell of the catalog; see cell cells.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Write the entry of the catalog (.toml).")],
    model: Annotated[str, typer.Option(help="DFN, SPMe or SPM: what is given the pulses.")] = "DFN",
    ambient: Annotated[float, typer.Option(metavar="DEGC", help="How warm the cell is.")] = 25.0,
    name: Annotated[str, typer.Option(help="What people call the cell.")] = "",
    processes: Processes = None,
) -> None:
    """Tell a cell's voltage by a circuit: a source, R0 over SoC and current, and two RC pairs, fitted to a model."""
    require(out.suffix == ".toml", "--out", out.name, "a name that ends with .toml")
    known = _known(cell)
    warmth = f"{known.least_degc:g} to {known.most_degc:g}"
    require(known.least_degc <= ambient <= known.most_degc, "--ambient", ambient, warmth)
    try:
        given = pulses.pulses(known, _model(model), ambient)
    except InvalidInput as error:
        raise error.at(f"--{error.field}") from error
    cycle = Simulation(
        load=DriveCycleLoad(name=CYCLE), model=_model(model), cell=cell, initial_soc=FROM_SOC, ambient_degc=ambient
    )
    *records, driven = _solved([*(pulse.simulation for pulse in given), cycle], processes)
    found = pulses.identified(known, given, records, utc(wall_instant()).date())
    off_mv = pulses.off_v(found, driven, FROM_SOC) * 1e3
    fit = f"{CYCLE} from {FROM_SOC:.0%}: {np.sqrt(np.mean(off_mv**2)):.1f} mV rms, {np.abs(off_mv).max():.1f} at most"
    found = _named(found, out.stem, name, fit)
    write_whole(out, toml_text(found).encode())
    Console().print(_table(found))
    print(f"Beside the {model}, {fit}.\nA model, not a measurement. Written to {out}")


def _known(name: str) -> Cell:
    try:
        return catalog.cell(name)
    except NotFound:
        raise InvalidInput("CELL", "is not in the catalog", found=name, allowed=like(name, catalog.names())) from None


def _model(name: str) -> Model:
    for model in get_args(Model):
        if name == model:
            known: Model = model
            return known
    raise InvalidInput("model", "is unknown", found=name, allowed="DFN, SPMe or SPM")


def _solved(simulations: Sequence[Simulation], processes: int | None) -> list[Record]:
    """The record of each. Raises what went wrong with the first that has none."""
    asked = [[task.request_of(simulation)] for simulation in simulations]
    records = []
    for (answer,) in each_solved(f"{len(asked)} runs", task.solve, asked, processes):
        record = task.decode(answer)
        if isinstance(record, VoltbenchError):
            raise record
        records.append(record)
    return records


def _named(found: EquivalentCircuit, id: str, name: str, fit: str) -> EquivalentCircuit:
    notes = f"{found.provenance.notes} Beside the model, {fit}."
    provenance = msgspec.structs.replace(found.provenance, notes=notes)
    return msgspec.structs.replace(found, id=id, name=name or found.name, provenance=provenance)


def _table(found: EquivalentCircuit) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=found.name, title_justify="left")
    heads = ["%", "V", *(f"R0 at {size:g} A, mOhm" for size in found.current_a), "R1", "tau1, s", "R2", "tau2, s"]
    for head in heads:
        table.add_column(head, justify="right")
    for percent in SHOWN:
        at = found.soc.index(percent / 100.0)
        first, second = (found.r1_ohm[at], found.c1_f[at]), (found.r2_ohm[at], found.c2_f[at])
        pairs = [text for ohm, farad in (first, second) for text in (f"{ohm * 1e3:.1f}", f"{ohm * farad:.0f}")]
        r0 = [f"{ohm * 1e3:.1f}" for ohm in found.r0_ohm[at]]
        table.add_row(str(percent), f"{found.ocv_v[at]:.3f}", *r0, *pairs)
    return table
