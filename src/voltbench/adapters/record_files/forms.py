"""A record in one of the forms that it is written in and read from: a column each, or a row each, nothing lost.

Every form carries how it ended, what it was made with and its warnings. What is not finite (a resistance at rest) is an
empty cell or `null`. A file that ends with `.arrow` is Arrow's file format (Feather), one with `.arrows` its stream;
both are read whatever they are called. Over HTTP, Arrow is a stream.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from voltbench.battery.record import Record
from voltbench.errors import InvalidInput

Form: TypeAlias = Literal["json", "csv", "parquet", "arrow"]

FORMS: tuple[Form, ...] = get_args(Form)
"""What a record is in over HTTP."""

FileForm: TypeAlias = Literal["json", "csv", "parquet", "arrow", "arrows"]

FILE_FORMS: tuple[FileForm, ...] = get_args(FileForm)
"""What a file can be in: what its name ends with."""

MEDIA_TYPES: dict[Form, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
"""How each is announced over HTTP."""


def in_form(record: Record, form: Form) -> bytes:
    """A record in a form, as it is handed over: of Arrow, a stream."""
    written: bytes = _of("arrows" if form == "arrow" else form, "as")(record)
    return written


def from_form(content: bytes, form: FileForm) -> Record:
    """The record that was written in a form. Raises InvalidInput where it is none."""
    record: Record = _of(form, "from")(content)
    return record


def write(path: Path, record: Record) -> None:
    """Write a record in the form that the name of the file ends with: whole, or not at all. Raises InvalidInput."""
    write_whole(path, _of(form_of(path), "as")(record))


def read(path: Path) -> Record:
    """The record that a file holds, in the form that its name ends with. Raises InvalidInput."""
    form = form_of(path)
    try:
        return from_form(path.read_bytes(), form)
    except OSError as error:
        raise InvalidInput("file", f"cannot be read ({error.strerror})", found=str(path)) from error
    except InvalidInput as error:
        raise error.within(str(path)) from error


def form_of(path: Path, field: str = "--out") -> FileForm:
    """The form that a file's name ends with. Raises InvalidInput."""
    for form in FILE_FORMS:
        if path.suffix.lower() == f".{form}":
            return form
    raise InvalidInput(
        field, "ends like no form", found=path.name, allowed=", ".join(f".{form}" for form in FILE_FORMS)
    )


def write_whole(path: Path, content: bytes, field: str = "--out") -> None:
    """Write a file, whole or not at all. Raises InvalidInput where nothing can be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise InvalidInput(field, f"cannot be written ({error.strerror})", found=str(path)) from error
    finally:
        with suppress(OSError):  # it is not there, or its folder is none
            part.unlink()


def _of(form: FileForm, direction: Literal["as", "from"]) -> Callable[..., Any]:
    """The function for a form; Arrow's library is only imported where it is needed."""
    module = import_module(f"voltbench.adapters.record_files.{'json_form' if form == 'json' else 'tables'}")
    function: Callable[..., Any] = getattr(module, f"{direction}_{form}")
    return function
