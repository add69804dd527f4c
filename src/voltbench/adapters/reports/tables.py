"""Tables of an outcome as Parquet and CSV: the site interval by interval, and its sessions.

Columns have their units in their names. `instant` is where an interval begins, in UTC; powers, limits and prices are
means over it and `interval_s` long, so that power times interval is energy; `storage_soc` is that of the instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from voltbench.adapters.reports.files import Format
from voltbench.quantities import DurationMs
from voltbench.running.flows import Recorded, connectors_w, flows, grid_limit_w, stored_wh
from voltbench.running.scenario import Outcome
from voltbench.site.sampling import Integers, hours, sample_edges, sampled_mean

INSTANT = pa.timestamp("ms", tz="UTC")
ROWS_AT_ONCE = 1 << 14
"""Rows made and written together, so that a year of seconds needs no more memory than a day of them."""


def write_timeseries(
    folder: Path, outcome: Outcome, every_ms: DurationMs, formats: Sequence[Format], per_connector: bool = False
) -> None:
    """Write `timeseries` into a folder, in each format; optionally with a column for each connector."""
    edges = sample_edges(outcome.scenario.starts_at, outcome.scenario.ends_at, every_ms)
    recorded = Recorded.of(outcome)
    _write(folder, "timeseries", (_timeseries(outcome, recorded, e, per_connector) for e in _windows(edges)), formats)


def write_sessions(folder: Path, outcome: Outcome, formats: Sequence[Format]) -> None:
    """Write `sessions` into a folder, in each format: one row for each visit of the ledger."""
    _write(folder, "sessions", [_sessions(outcome)], formats)


def _timeseries(outcome: Outcome, recorded: Recorded, edges: Integers, per_connector: bool) -> pa.Table:
    flow = flows(recorded, edges)
    columns = {
        "instant": pa.array(edges[:-1], INSTANT),
        "interval_s": hours(edges) * 3_600.0,
        "grid_w": flow.grid_w,
        "vehicles_w": flow.vehicles_w,
        "load_w": flow.load_w,
        "generation_w": flow.generation_w,
        "curtailed_w": flow.curtailed_w,
        "storage_w": flow.storage_w,
        "storage_soc": _soc(recorded, edges[:-1]),
        "limit_w": pa.array(grid_limit_w(outcome.scenario, edges), from_pandas=True),
    }
    columns |= _prices(outcome, edges)
    if per_connector:
        names = [f"{place.connector}_w" for place in outcome.scenario.site.places]
        columns |= dict(zip(names, connectors_w(outcome, recorded, edges), strict=True))
    return pa.table(columns)


def _soc(recorded: Recorded, instants: Integers) -> Any:
    energy_wh, model = stored_wh(recorded, instants), recorded.scenario.site.storage
    return (
        pa.nulls(len(instants), pa.float64()) if energy_wh is None or model is None else energy_wh / model.capacity_wh
    )


def _prices(outcome: Outcome, edges: Integers) -> dict[str, Any]:
    tariff = outcome.scenario.tariff
    names = ("import_price_per_kwh", "export_price_per_kwh", "co2_g_per_kwh")
    known = {name: getattr(tariff, name) for name in names}
    return {name: sampled_mean(series, edges) for name, series in known.items() if series is not None}


def _sessions(outcome: Outcome) -> pa.Table:
    ledger = sorted(outcome.ledger, key=lambda visit: (visit.arrived_at, visit.id))
    texts = ("id", "vehicle", "connector")
    instants = ("arrived_at", "plugged_at", "ended_at")
    numbers = (
        "asked_wh",
        "fitting_wh",
        "delivered_wh",
        "unmet_wh",
        "drawn_wh",
        "soc_start",
        "soc_end",
        "queued_s",
        "waited_s",
    )
    return pa.table(
        {name: pa.array([getattr(visit, name) or None for visit in ledger], pa.string()) for name in texts}
        | {name: pa.array([getattr(visit, name) for visit in ledger], INSTANT) for name in instants}
        | {"ending": pa.array([visit.ending.value for visit in ledger], pa.string())}
        | {name: pa.array([getattr(visit, name) for visit in ledger], pa.float64()) for name in numbers}
    )


def _windows(edges: Integers) -> Iterator[Integers]:
    for first in range(0, len(edges) - 1, ROWS_AT_ONCE):
        yield edges[first : first + ROWS_AT_ONCE + 1]


def _write(folder: Path, name: str, tables: Iterable[pa.Table], formats: Sequence[Format]) -> None:
    """Write the same rows in each format, as they come."""
    with ExitStack() as open_files:
        writers: list[Any] = []
        for table in tables:
            if not writers:
                writers = [open_files.enter_context(_writer(folder / f"{name}.{f}", f, table)) for f in formats]
            for writer, format in zip(writers, formats, strict=True):
                writer.write_table(_with_text_instants(table) if format == "csv" else table)


def _writer(path: Path, format: Format, table: pa.Table) -> Any:
    if format == "csv":
        return pacsv.CSVWriter(path, _with_text_instants(table).schema)
    return pq.ParquetWriter(path, table.schema, compression="zstd")


def _with_text_instants(table: pa.Table) -> pa.Table:
    """The same table with its instants as RFC 3339 text, as every reader of CSV knows them."""
    for i, field in enumerate(table.schema):
        if field.type == INSTANT:
            instants = table.column(i).to_numpy().astype("datetime64[ms]")
            table = table.set_column(i, field.name, pa.array(np.datetime_as_string(instants, timezone="UTC")))
    return table
