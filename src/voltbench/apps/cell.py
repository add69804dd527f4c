"""`voltbench cell`: simulate cells, once or often, compare models, find curves and circuits, list what there is."""

from __future__ import annotations

import typer

from voltbench.apps.cell_circuit import circuit
from voltbench.apps.cell_compare import compare
from voltbench.apps.cell_curve import curve
from voltbench.apps.cell_lists import cells, cycles, models
from voltbench.apps.cell_simulate import simulate
from voltbench.apps.cell_sweep import sweep
from voltbench.apps.cell_validate import validate

cell = typer.Typer(rich_markup_mode=None)
cell.command(help="Simulate a cell, and tell what became of it.")(simulate)
cell.command(help="Do the same to several cells, or by several models, and tell how far they are apart.")(compare)
cell.command(help="Do the same many times with other numbers, over all cores, and write a table of what came of it.")(
    sweep
)
cell.command(help="Tell what a cell lets itself be charged with, as an entry of the catalog: a model.")(curve)
cell.command(help="Tell a cell's voltage by an equivalent circuit, as an entry of the catalog: a model.")(circuit)
cell.command(help="Tell everything that is wrong with a request (JSON) or a cell (BPX).")(validate)
cell.command(help="List the models there are.")(models)
cell.command(help="List the cells there are.")(cells)
cell.command(help="List the drive cycles and speed traces there are.")(cycles)
