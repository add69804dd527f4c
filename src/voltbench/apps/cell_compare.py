"""`voltbench cell compare`: the same load for several models or cells, and how far they are apart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from voltbench.adapters.record_files.words import in_words
from voltbench.apps import cell_options as o
from voltbench.apps.cell_report import differences, draw, plot_form
from voltbench.apps.cell_request import SimulationOptions, requested
from voltbench.apps.cell_solve import solved
from voltbench.battery.analysis import difference, figures
from voltbench.battery.record import Record
from voltbench.battery.simulation import (
    CurrentLoad,
    DriveCycleLoad,
    PowerLoad,
    ProfileLoad,
    Simulation,
)
from voltbench.errors import InvalidInput

ROWS = 1_000
"""Of a record that is compared, where nobody says how often: at the same times in all of them."""

STEPS_EVERY_S = 10.0
"""The same, for what ends nobody knows when."""


@o.takes_load
def compare(
    context: typer.Context,
    model: Annotated[
        str, typer.Option(help="Models, with commas between; the last is what others are held against.")
    ] = "SPM,SPMe,DFN",
    cell: Annotated[str, typer.Option(help="Cells of the catalog, with commas between.")] = "Chen2020",
    bpx: o.Bpx = None,
    load: o.LoadOptions = o.NO_LOAD,
    soc: o.Soc = 1.0,
    ambient: o.Ambient = 25.0,
    thermal: o.Thermal = "isothermal",
    every: o.Every = None,
    numbers: o.Set = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw as .html, .png or .svg.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print figures and differences as JSON.")] = False,
) -> None:
    """Do the same to several cells, or by several models, and tell how far they are apart."""
    if bpx is not None:
        o.require_unused(context, "--bpx", "cell", allowed="one of them")
    if plot is not None:
        plot_form(plot)
    options = SimulationOptions(soc, ambient, thermal, None, every, numbers)
    cells = _listed("--cell", cell) if bpx is None else [bpx.name]
    simulations = _named(_listed("--model", model), cells, bpx, load, options)
    if len(simulations) < 2:
        raise InvalidInput("--model", "leaves nothing to compare", found=model, allowed="two models or cells, or more")
    records = solved(simulations)
    if plot is not None:
        table = {name: f"{rms} mV rms, at most {most} mV" for name, (rms, most) in differences(records).items() if rms}
        draw(plot, records, " / ".join(records), f"cell: {', '.join(cells)}; models: {model}", table)
    if json:
        print(_as_json(records))
        return
    Console().print(_table(records))
    if plot is not None:
        print(f"Written to {plot}")


def _named(
    models: list[str], cells: list[str], bpx: Path | None, load: o.LoadOptions, options: SimulationOptions
) -> dict[str, Simulation]:
    """Each model of each cell, by what sets them apart."""
    asked = {}
    for cell in cells:
        for model in models:
            name = model if len(cells) == 1 else cell if len(models) == 1 else f"{cell} {model}"
            asked[name] = _often(requested(model, cell, bpx, load, options))
    return asked


def _often(simulation: Simulation) -> Simulation:
    """The same with rows so close that straight lines between them are true."""
    load = simulation.load
    if simulation.every_s is not None or isinstance(load, ProfileLoad | DriveCycleLoad):
        return simulation
    every_s = load.duration_s / ROWS if isinstance(load, CurrentLoad | PowerLoad) else STEPS_EVERY_S
    return msgspec.structs.replace(simulation, every_s=every_s)


def _table(records: dict[str, Record]) -> Table:
    last = list(records)[-1]
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, caption=f"mV: voltage less that of {last}", caption_justify="left"
    )
    for number, name in enumerate(("", "ended", "after", "Ah", "Wh", "mV rms", "mV at most", "s")):
        table.add_column(name, justify="left" if number < 3 else "right", style="bold" if number == 0 else "")
    for name, (rms, most) in differences(records).items():
        record = records[name]
        told = figures(record)
        table.add_row(
            name,
            record.ending.reason.replace("_", " "),
            in_words(record.ending.at_s),
            f"{told.charged_ah - told.discharged_ah:.4g}",
            f"{told.charged_wh - told.discharged_wh:.4g}",
            rms,
            most,
            f"{record.made_with.solve_s:.2g}",
        )
    return table


def _as_json(records: dict[str, Record]) -> str:
    last = list(records)[-1]
    told = {
        name: {
            "ending": record.ending,
            "figures": figures(record),
            "made_with": record.made_with,
            "difference": None if name == last else difference(record, records[last]),
        }
        for name, record in records.items()
    }
    return msgspec.json.encode({"against": last, "compared": told}).decode()


def _listed(option: str, names: str) -> list[str]:
    listed = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if not listed:
        raise InvalidInput(option, "names nothing", found=names, allowed="names with commas between")
    return listed
