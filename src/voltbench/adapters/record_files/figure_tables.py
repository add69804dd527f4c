"""A table of figures, a row for each simulation of a sweep, as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import pyarrow as pa
from pyarrow import csv, parquet

from voltbench.adapters.record_files.forms import write_whole
from voltbench.errors import InvalidInput

Form: TypeAlias = Literal["csv", "parquet"]


def table_form(path: Path) -> Form:
    """The form that a file's name ends with. Raises InvalidInput."""
    for form in get_args(Form):
        if path.suffix.lower() == f".{form}":
            found: Form = form
            return found
    raise InvalidInput("--out", "ends like no table", found=path.name, allowed=".csv, .parquet")


def write_table(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write columns of equal length, whole or not at all; None is an empty cell. Raises InvalidInput."""
    table = pa.table({name: _column(column) for name, column in columns.items()})
    written = BytesIO()
    if table_form(path) == "csv":
        csv.write_csv(table, written)
    else:
        parquet.write_table(table, written)
    write_whole(path, written.getvalue())


def _column(column: Sequence[Any]) -> pa.Array[Any]:
    """Numbers as numbers; texts, and whatever is mixed, as texts."""
    there = [cell for cell in column if cell is not None]
    if all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in there) and there:
        return pa.array([None if cell is None else float(cell) for cell in column], pa.float64())
    return pa.array([None if cell is None else str(cell) for cell in column], pa.string())
