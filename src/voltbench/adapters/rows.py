"""Tables of rows, from CSV or JSON, each row knowing where it stands in its file."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from io import StringIO
from math import inf, isfinite
from typing import Any

from voltbench.adapters import strict
from voltbench.errors import InvalidInput

_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its cells by column, and the place it has in its file. An empty cell is not there.

    Cells from CSV are texts, those from JSON have their own types, and a number in quotes is no number.
    """

    place: str
    cells: Mapping[str, Any]
    is_text: bool

    def field(self, column: str) -> str:
        """How a cell is named to a person: `line 5, kwh` or `sessions[3].kwh`."""
        return f"{self.place}, {column}" if self.is_text else f"{self.place}.{column}"

    def one_of(self, *columns: str) -> str | None:
        """Which of several columns, that say the same in different words, is filled. InvalidInput when two are."""
        filled = [column for column in columns if self.cells.get(column) is not None]
        if len(filled) > 1:
            raise InvalidInput(
                self.field(filled[1]), "says again what another column says", allowed=f"only {filled[0]}"
            )
        return filled[0] if filled else None

    def needed(self, *columns: str) -> str:
        """Which of several columns is filled; InvalidInput when none is."""
        column = self.one_of(*columns)
        if column is None:
            raise InvalidInput(self.field(columns[0]), "is missing", allowed=" or ".join(columns))
        return column

    def text(self, column: str) -> str | None:
        """The text of a cell, or None where it is empty."""
        found = self.cells.get(column)
        if found is None or isinstance(found, str):
            return found
        raise InvalidInput(self.field(column), "is no text", found=strict.shown(found), allowed="a text in quotes")

    def number(self, column: str, least: float = 0.0, most: float = strict.LARGEST_NUMBER) -> float:
        """The number in a cell."""
        found = self.cells.get(column)
        number = _number(found, self.is_text)
        if number is None or not (isfinite(number) and least <= number <= most):
            problem, allowed = _why_no_number(found, least, most)
            raise InvalidInput(self.field(column), problem, found=strict.shown(found), allowed=allowed)
        return number

    def whole(self, column: str, least: int = 0, most: int = 1_000_000) -> int:
        """The whole number in a cell."""
        number = self.number(column, least, most)
        if number != int(number):
            raise InvalidInput(self.field(column), "is not a whole number", found=number, allowed=f"{least} to {most}")
        return int(number)


def read_bytes(file: Traversable, field: str = "file") -> bytes:
    """What a file holds. InvalidInput when it is not there or cannot be read."""
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise InvalidInput(field, "does not exist", found=strict.shown(str(file))) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidInput(field, f"cannot be read: {reason}", found=strict.shown(str(file))) from error


def csv_rows(text: bytes) -> list[Row]:
    """The rows of a CSV text with a header; columns are parted by commas, or else by semicolons."""
    try:
        lines = text.decode("utf-8-sig")
        delimiter = ";" if "," not in lines.partition("\n")[0] else ","
        reader = csv.reader(StringIO(lines, newline=""), delimiter=delimiter, strict=True)
        header = [column.strip() for column in next(reader, [])]
        _check_header(header)
        return [_csv_row(header, reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except UnicodeDecodeError as error:
        raise InvalidInput("text", "is not UTF-8", allowed="CSV in UTF-8") from error
    except csv.Error as error:
        raise InvalidInput(f"line {reader.line_num}", f"is not CSV: {error}") from error


def json_rows(found: Any, place: str) -> list[Row]:
    """The rows of a JSON list of objects that stands at a place."""
    if not isinstance(found, list):
        raise InvalidInput(place, "is not allowed", found=strict.shown(found), allowed="a list of objects")
    strict.refuse_odd_values(found, place)
    for i, cells in enumerate(found):
        if not isinstance(cells, dict):
            raise InvalidInput(f"{place}[{i}]", "is not allowed", found=strict.shown(cells), allowed="an object")
    return [Row(f"{place}[{i}]", cells, is_text=False) for i, cells in enumerate(found)]


def refuse_unknown_columns(rows: Sequence[Row], known: Collection[str]) -> None:
    """Raise InvalidInput for the first column that means nothing to us."""
    for row in rows:
        for column in row.cells:
            strict.chosen(column, known, row.field(column))


def _check_header(header: Sequence[str]) -> None:
    if not any(header):
        raise InvalidInput("line 1", "has no header", allowed="the names of the columns")
    mixed = next((column for column in header if ";" in column), None)
    if mixed is not None:
        problem = "parts its columns with semicolons and with commas"
        raise InvalidInput("line 1", problem, found=strict.shown(mixed), allowed="one of both")
    for i, column in enumerate(header):
        strict.refuse_odd_key(column, "line 1")
        if not column or column in header[:i]:
            raise InvalidInput("line 1", "names a column twice or not at all", found=column, allowed="each name once")


def _csv_row(header: Sequence[str], line: int, cells: Sequence[str]) -> Row:
    if len(cells) > len(header):
        raise InvalidInput(f"line {line}", "has too many cells", found=len(cells), allowed=f"{len(header)}")
    stripped = [cell.strip() for cell in cells]
    row = Row(f"line {line}", {c: cell for c, cell in zip(header, stripped, strict=False) if cell}, is_text=True)
    for column, cell in row.cells.items():
        strict.refuse_odd_text(cell, row.field(column))
    return row


def _why_no_number(found: Any, least: float, most: float) -> tuple[str, str]:
    """What is wrong with a cell that should hold a number, and what is allowed."""
    if isinstance(found, str) and _DECIMAL_COMMA.fullmatch(found):
        return "has a decimal comma", f"a decimal point, as in {found.replace(',', '.')}"
    return "is not allowed", strict.FINITE if least == -inf else f"{least:g} to {most:g}"


def _number(found: Any, is_text: bool) -> float | None:
    if is_text and isinstance(found, str):
        try:
            return float(found)
        except ValueError:
            return None
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
