"""`voltbench cell simulate`: one cell, one load, and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voltbench.adapters.record_files.forms import form_of, in_form, write
from voltbench.adapters.record_files.thin import thinned
from voltbench.apps import cell_options as o
from voltbench.apps.cell_report import draw, facts, figure_of, plot_form
from voltbench.apps.cell_request import SimulationOptions, requested
from voltbench.apps.cell_solve import solved
from voltbench.apps.options import require


@o.takes_load
def simulate(
    context: typer.Context,
    model: Annotated[str, typer.Option(help="SPM, SPMe, DFN or Thevenin; see cell models.")] = "SPMe",
    cell: Annotated[str, typer.Option(help="A cell of the catalog; see cell cells.")] = "Chen2020",
    bpx: o.Bpx = None,
    load: o.LoadOptions = o.NO_LOAD,
    soc: o.Soc = 1.0,
    ambient: o.Ambient = 25.0,
    thermal: o.Thermal = "isothermal",
    output: Annotated[str | None, typer.Option(metavar="COLUMNS", help="Further columns, with commas between.")] = None,
    every: o.Every = None,
    numbers: o.Set = None,
    points: Annotated[int | None, typer.Option(help="At most so many rows are written, the telling ones.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write .csv, .json, .parquet, .arrow or .arrows.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw as .html, .png or .svg.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the record as JSON instead of its figures.")] = False,
) -> None:
    """Simulate a cell, and tell what became of it."""
    if bpx is not None:
        o.require_unused(context, "--bpx", "cell", allowed="one of them")
    require(points is None or points >= 2, "--points", points, "2 or more")
    for path, judge in ((out, form_of), (plot, plot_form)):
        if path is not None:
            judge(path)
    options = SimulationOptions(soc, ambient, thermal, output, every, numbers)
    simulation = requested(model, cell, bpx, load, options)
    name = f"{simulation.model} of {cell if bpx is None else bpx.name}"
    record = solved({name: simulation})[name]
    written = record if points is None else thinned(record, points)
    if out is not None:
        write(out, written)
    if plot is not None:
        draw(plot, {name: record}, name, facts(record), figure_of(record))
    if json:
        print(in_form(written, "json").decode())
        return
    print(name)
    for words, figure in figure_of(record).items():
        print(f"{words:<14}{figure}")
    for path in (out, plot):
        if path is not None:
            print(f"Written to {path}")
