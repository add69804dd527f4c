"""`voltbench cell models|cells|cycles`: what there is to choose from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from voltbench.adapters.cells.catalog import cells as all_cells
from voltbench.adapters.cells.drive_cycles import DriveCycle, drive_cycles, speed_traces
from voltbench.apps.cell_models import MODELS


def models() -> None:
    """List the models there are."""
    _print(("model", "what it is"), MODELS.items())


def cells() -> None:
    """List the cells there are."""
    rows = [
        (
            cell.name,
            cell.chemistry,
            f"{cell.capacity_ah:g}",
            f"{cell.lower_voltage_v:g} to {cell.upper_voltage_v:g}",
            f"{cell.most_c_rate:g}",
            " ".join(cell.models),
        )
        for cell in all_cells()
    ]
    _print(("cell", "chemistry", "Ah", "V", "at most C", "models"), rows)


def cycles() -> None:
    """List the drive cycles and speed traces there are."""
    rows = [
        (cycle.name, "--drive-cycle", f"{cycle.duration_s:g}", _peak(cycle), cycle.source) for cycle in drive_cycles()
    ]
    rows += [
        (trace.name, "--speed-trace", f"{trace.time_s[-1]:g}", f"{trace.speed_m_per_s.max():.1f} m/s", trace.source)
        for trace in speed_traces()
    ]
    _print(("name", "option", "s", "at most", "source"), rows)


def _peak(cycle: DriveCycle) -> str:
    asked, unit = (cycle.current_a, "A") if cycle.current_a is not None else (cycle.power_w, "W")
    assert asked is not None
    return f"{np.abs(asked).max():.1f} {unit} a cell"


def _print(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=250)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(head):
        table.add_column(name, style="bold" if number == 0 else "")
    for row in rows:
        table.add_row(*row)
    console.print(table)
