"""A record as a table: CSV for people, Parquet to keep, Arrow to hand over.

CSV begins with a line after `#` that tells where it is from, so that the file alone says it; readers of CSV can be told
to skip it (`comment="#"`). Parquet and Arrow have the same under `voltbench` in the metadata of their schema. A name
that ends with `.arrow` is a file of Arrow, with an index at its end; `.arrows` is a stream, to read as it comes.
"""

from __future__ import annotations

from io import BytesIO

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from voltbench.adapters.record_files.json_form import About, about, whole
from voltbench.battery.record import Record
from voltbench.errors import InvalidInput

KEY = b"voltbench"
HEAD = b"# voltbench record "

FILE_OF_ARROW = b"ARROW1"
"""What a file of Arrow begins with, and a stream does not."""


def as_csv(record: Record) -> bytes:
    """A record as CSV with a header."""
    written = BytesIO()
    written.write(HEAD + msgspec.json.encode(about(record)) + b"\n" + ",".join(record.columns).encode() + b"\n")
    pacsv.write_csv(_table(record), written, pacsv.WriteOptions(include_header=False))
    return written.getvalue()


def from_csv(content: bytes) -> Record:
    """The record that was written as CSV. Raises InvalidInput where it is none."""
    head, _, numbers = content.partition(b"\n")
    if not head.startswith(HEAD):
        raise InvalidInput("line 1", "does not tell what was recorded", allowed=f"{HEAD.decode()}{{...}}")
    try:
        return _record(pacsv.read_csv(BytesIO(numbers)), head.removeprefix(HEAD))
    except pa.ArrowException as error:
        raise InvalidInput("record", f"is not CSV: {error}") from error


def as_parquet(record: Record) -> bytes:
    """A record as Parquet."""
    written = BytesIO()
    pq.write_table(_table(record), written, compression="zstd")
    return written.getvalue()


def from_parquet(content: bytes) -> Record:
    """The record that was written as Parquet. Raises InvalidInput where it is none."""
    try:
        return _described(pq.read_table(BytesIO(content)))
    except pa.ArrowException as error:
        raise InvalidInput("record", f"is not Parquet: {error}") from error


def as_arrow(record: Record) -> bytes:
    """A record as a file of Arrow, which is Feather's second version."""
    table, written = _table(record), BytesIO()
    with pa.ipc.new_file(written, table.schema) as file:
        file.write_table(table)
    return written.getvalue()


def as_arrows(record: Record) -> bytes:
    """A record as a stream of Arrow."""
    table, written = _table(record), BytesIO()
    with pa.ipc.new_stream(written, table.schema) as stream:
        stream.write_table(table)
    return written.getvalue()


def from_arrow(content: bytes) -> Record:
    """The record that was written as a file of Arrow, or as a stream of it. Raises InvalidInput where it is none."""
    opened = pa.ipc.open_file if content.startswith(FILE_OF_ARROW) else pa.ipc.open_stream
    try:
        with opened(content) as reader:
            return _described(reader.read_all())
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput("record", f"is not Arrow: {error}") from error


from_arrows = from_arrow
"""Whatever a file is called: one reader knows both."""


def _table(record: Record) -> pa.Table:
    """What is not finite is null."""
    columns = {name: pa.array(numbers, mask=~np.isfinite(numbers)) for name, numbers in record.columns.items()}
    return pa.table(columns).replace_schema_metadata({KEY: msgspec.json.encode(about(record))})


def _described(table: pa.Table) -> Record:
    return _record(table, (table.schema.metadata or {}).get(KEY, b""))


def _record(table: pa.Table, described: bytes) -> Record:
    try:
        told = msgspec.json.decode(described, type=About)
        columns = {
            name: np.array(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    except (msgspec.DecodeError, pa.ArrowException) as error:
        raise InvalidInput("record", f"is not one of ours: {error}") from error
    return whole(Record(columns, told.ending, told.made_with, told.warnings))
