"""`voltbench worker`: do the jobs that others ask for, on as many machines as there are."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from voltbench.apps.cells.opening import CellChoices, cells_opened, is_installed
from voltbench.apps.options import require_range
from voltbench.apps.serving import log_to, told_to_stop
from voltbench.errors import InvalidInput, Unavailable

_log = logging.getLogger("voltbench")


def worker(
    store: Annotated[str, typer.Option(help="The database of `voltbench up`: postgresql://...")],
    processes: Annotated[
        int, typer.Option(help="Processes that solve.", show_default="one a core")
    ] = CellChoices.processes,
    dask: Annotated[str | None, typer.Option(help="Solve on this Dask cluster instead: tcp://HOST:PORT.")] = None,
) -> None:
    """Do the jobs that are asked for at a store, until told to stop; then others go on with them."""
    if not is_installed():
        raise Unavailable("cells are simulated by PyBaMM, which is not installed: pip install 'voltbench[cells]'")
    require_range("processes", processes, 1, 256)
    if not store.startswith(("postgresql://", "postgres://")):
        allowed = "postgresql://...; what is kept in a file belongs to the one process that has it open"
        raise InvalidInput("store", "is not shared with other processes", found=store, allowed=allowed)
    asyncio.run(_work(choices_of(store, processes, dask)))


def choices_of(store: str, processes: int, dask: str | None) -> CellChoices:
    """How a worker works: it forgets nothing, for how long things are kept was said to `voltbench up`."""
    return CellChoices(Path(), store, processes, dask, retention_days=None)


async def _work(choices: CellChoices) -> None:
    log_to(Console())
    stop = told_to_stop()
    async with cells_opened(choices):
        who = choices.dask or f"{choices.processes} processes"
        _log.info("working with %s", who)
        await stop.wait()
        _log.info("stopping: what is under way is left to others")
    _log.info("stopped")
