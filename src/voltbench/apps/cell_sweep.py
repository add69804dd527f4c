"""`voltbench cell sweep`: one simulation many times with other numbers, and a table of what came of each."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import msgspec
import typer

from voltbench.adapters import json_text, strict
from voltbench.adapters.cells import task
from voltbench.adapters.record_files.figure_tables import table_form, write_table
from voltbench.adapters.rows import read_bytes
from voltbench.apps import cell_options as o
from voltbench.apps.cell_outcomes import Outcome, all_failed, outcomes
from voltbench.apps.cell_request import SimulationOptions, requested
from voltbench.apps.cell_solve import Processes, each_solved
from voltbench.apps.cell_varied import varied
from voltbench.apps.cells.asked import simulation_at
from voltbench.battery.analysis import Figures
from voltbench.battery.sweep import Batch, Point, points
from voltbench.errors import VoltbenchError

AT_ONCE = 16
"""Simulations of a process's task at most: so few that the bar moves, so many that it does not cost."""

ERROR = "error"


@o.takes_load
def sweep(
    context: typer.Context,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Write a table to .csv or .parquet.")],
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A request as for POST /simulations:batch (JSON).")
    ] = None,
    over: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=...", help="What varies: 0,10,25, or from:to:count, or with --samples from:to."),
    ] = None,
    samples: Annotated[int | None, typer.Option(help="So many points spread evenly (Latin hypercube).")] = None,
    seed: Annotated[int, typer.Option(help="Of the spread points.")] = 0,
    model: Annotated[str, typer.Option(help="SPM, SPMe, DFN or Thevenin; see cell models.")] = "SPMe",
    cell: Annotated[str, typer.Option(help="A cell of the catalog; see cell cells.")] = "Chen2020",
    bpx: o.Bpx = None,
    load: o.LoadOptions = o.NO_LOAD,
    soc: o.Soc = 1.0,
    ambient: o.Ambient = 25.0,
    thermal: o.Thermal = "isothermal",
    output: Annotated[str | None, typer.Option(metavar="COLUMNS", help="Figures of soc, temperature_degc.")] = None,
    numbers: o.Set = None,
    processes: Processes = None,
) -> None:
    """Do the same many times with other numbers, over all cores, and write a table of what came of it.

    Nothing begins where any point makes no sense, as at POST /simulations:batch. What fails as it is solved is told in
    the table, in the point's row.
    """
    table_form(out)
    if file is not None:
        others = set(o.typed_options(context)) - {"file", "out", "processes"}
        o.require_unused(context, "FILE", *others, allowed="with a file, --out and --processes only")
        batch = _batch(file)
    else:
        if bpx is not None:
            o.require_unused(context, "--bpx", "cell", allowed="one of them")
        if samples is None:
            o.require_unused(context, "combinations", "seed", allowed="with --samples")
        options = SimulationOptions(soc, ambient, thermal, output, None, numbers)
        base = requested(model, cell, bpx, load, options, is_varied=True)
        sweep = varied(over or [], samples, seed)
        if load.c_rate is not None and any("cell" in point for point in points(sweep)):
            base = msgspec.structs.replace(base, load=o.at_own_rate(load))
        batch = Batch(base=msgspec.to_builtins(base), sweep=sweep)
    began = monotonic()
    some = points(batch.sweep)
    results = _results(batch, some, processes)
    write_table(out, _columns(some, results))
    lasted_s = monotonic() - began
    failed = sum(result.error != "" for result in results)
    print(f"{len(some)} points, {failed} of them failed; {lasted_s:.1f} s, {len(some) / lasted_s:.3g} a second")
    print(f"Written to {out}")


def _batch(file: Path) -> Batch:
    with strict.within(str(file)):
        told = json_text.parse(read_bytes(file))
        return strict.convert(told, Batch)


def _results(batch: Batch, some: list[Point], processes: int | None) -> list[Outcome]:
    """What each point comes to. Raises InvalidInput for the first that makes no sense, before any is solved."""
    requests = [task.request_of(simulation_at(batch, point, number)) for number, point in enumerate(some)]
    results = [Outcome()] * len(requests)
    by_key: dict[str, list[int]] = defaultdict(list)
    for at, request in enumerate(requests):
        by_key[task.key_of(request)].append(at)
    size = min(AT_ONCE, -(-len(requests) // (processes or os.cpu_count() or 1)))
    chunks = [chunk for places in by_key.values() for chunk in _in_chunks(places, size)]
    found = _solved([[requests[at] for at in chunk] for chunk in chunks], processes)
    for chunk, told in zip(chunks, found, strict=True):
        for at, outcome in zip(chunk, told, strict=True):
            results[at] = outcome
    return results


def _solved(work: list[list[bytes]], processes: int | None) -> list[list[Outcome]]:
    """What the requests of each task come to. Where a process dies over several, each of them is tried alone."""
    found = _tried(work, processes, lambda chunk, error: all_failed(chunk, error) if len(chunk) == 1 else [])
    alone = [[request] for chunk, told in zip(work, found, strict=True) if not told for request in chunk]
    again = iter(_tried(alone, processes, all_failed) if alone else [])
    return [told or [next(again)[0] for _ in chunk] for chunk, told in zip(work, found, strict=True)]


def _tried(
    work: list[list[bytes]],
    processes: int | None,
    instead: Callable[[list[bytes], VoltbenchError], list[Outcome]],
) -> list[list[Outcome]]:
    return each_solved("points", outcomes, work, processes, lambda chunk: task.key_of(chunk[0]), len, instead)


def _in_chunks(places: list[int], size: int) -> list[list[int]]:
    left = iter(places)
    return list(iter(lambda: list(islice(left, size)), []))


def _columns(some: list[Point], results: list[Outcome]) -> Mapping[str, list[Any]]:
    """What varied, the figures, how long it took to solve, and what went wrong."""
    names = dict.fromkeys(name for point in some for name in point)
    columns: dict[str, list[Any]] = {name: [_plain(point.get(name)) for point in some] for name in names}
    for name in Figures.__struct_fields__:
        columns[name] = [None if result.figures is None else getattr(result.figures, name) for result in results]
    columns["solve_s"] = [result.solve_s for result in results]
    columns[ERROR] = [result.error or None for result in results]
    return columns


def _plain(setting: Any) -> Any:
    return setting if isinstance(setting, int | float | str | None) else msgspec.json.encode(setting).decode()
