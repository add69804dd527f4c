"""Records and errors as bytes between processes, and in a store: a record is a stream of Apache Arrow.

What is no column stands in the schema's metadata as JSON, so that any reader of Arrow understands the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from voltbench.battery.record import Ending, Figures, Floats, MadeWith, Record
from voltbench.errors import Failed, InvalidInput, VoltbenchError

RECORD, ERROR = b"R", b"E"
"""The first byte says what follows."""

_ABOUT = b"voltbench"


class _About(msgspec.Struct, frozen=True):
    ending: Ending
    made_with: MadeWith
    warnings: tuple[str, ...] = ()
    figures: Figures | None = None


class _Refusal(msgspec.Struct, frozen=True):
    """An error: for `invalid` the field, the problem and what is allowed; else the kind of failure and its reason."""

    kind: str
    reason: str
    field: str = ""
    found: str | float | int | None = None
    allowed: str = ""


INVALID = "invalid"


def encode(answer: Record | VoltbenchError) -> bytes:
    """An answer as bytes, float64 as it is."""
    if isinstance(answer, Record):
        return RECORD + _arrow(answer)
    return ERROR + msgspec.json.encode(_refusal(answer))


def decode(answer: bytes) -> Record | InvalidInput | Failed:
    """What was encoded. The error is returned, not raised: whoever asked for many wants to know of each."""
    if answer[:1] == ERROR:
        told = msgspec.json.decode(answer[1:], type=_Refusal)
        if told.kind == INVALID:
            return InvalidInput(told.field, told.reason, found=told.found, allowed=told.allowed)
        return Failed(told.kind, told.reason)
    with pa.ipc.open_stream(pa.py_buffer(answer[1:])) as reader:
        batch = reader.read_next_batch()
    about = msgspec.json.decode((batch.schema.metadata or {})[_ABOUT], type=_About)
    columns: Mapping[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {
        name: column.to_numpy() for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    return Record(columns, about.ending, about.made_with, about.warnings, about.figures)


def _arrow(record: Record) -> bytes:
    about = msgspec.json.encode(_About(record.ending, record.made_with, record.warnings, record.figures))
    schema = pa.schema([(name, pa.float64()) for name in record.columns], metadata={_ABOUT: about})
    batch = pa.RecordBatch.from_arrays([_column(column) for column in record.columns.values()], schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _column(column: Floats) -> pa.Array[Any]:
    """The same memory. `pa.array` would look at it, and import pandas to do so."""
    numbers = np.ascontiguousarray(column, dtype=np.float64)
    return pa.Array.from_buffers(pa.float64(), len(numbers), [None, pa.py_buffer(numbers.data)])


def _refusal(error: VoltbenchError) -> _Refusal:
    if isinstance(error, InvalidInput):
        found = error.found if isinstance(error.found, str | float | int) else None
        return _Refusal(INVALID, error.problem, error.field, found, error.allowed)
    if isinstance(error, Failed):
        return _Refusal(error.kind, error.reason)
    return _Refusal("failed", str(error))
