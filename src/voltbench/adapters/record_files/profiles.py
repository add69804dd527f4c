"""What somebody's file says was done to a cell: a column of times, and one of currents or powers.

Columns are found by their names, whatever the program that wrote them: `time_s,current_a`, `Test_Time(s),Current(A)`,
`time [s],Power [kW]`. Each must name its unit. A file without a header may name its columns in the last line after `#`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from io import StringIO
from math import inf, isfinite
from typing import Literal, NamedTuple, TypeAlias, get_args

from voltbench.adapters import strict
from voltbench.adapters.rows import Row
from voltbench.battery.simulation import MOST_ROWS, ProfileLoad
from voltbench.errors import InvalidInput

Sign: TypeAlias = Literal["charge", "discharge"]
"""What is positive in a file."""

SIGNS: tuple[Sign, ...] = get_args(Sign)

UNITS: dict[str, dict[str, float]] = {
    "time": {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "min": 60.0, "h": 3_600.0},
    "current": {"a": 1.0, "ma": 1e-3},
    "power": {"w": 1.0, "kw": 1e3},
}
"""What may be read, in which units, and how many of ours they are."""

OURS = {"time": "time_s", "current": "current_a", "power": "power_w"}

TIMES = ("time", "test time", "total time", "elapsed time")
"""Names of a time that runs through the whole file, the likeliest first."""

_HEAD = re.compile(r"(?P<name>.*?)\s*(?:[(\[]\s*(?P<unit>\w+)\s*[)\]]|[/_]\s*(?P<tail>[a-zA-Z]+))\s*")


class _Column(NamedTuple):
    place: int
    head: str
    kind: str
    name: str
    factor: float


class _Table(NamedTuple):
    columns: list[str]
    rows: Iterator[tuple[int, list[str]]]


def profile_load(text: bytes, positive: Sign | None = None) -> ProfileLoad:
    """The profile that a CSV tells, charging positive, from its first row on.

    Columns with our names are charging positive; of others the caller must say. Where there is a current and a power,
    the current counts. Raises InvalidInput that names line and column.
    """
    table = _table(text)
    columns = _columns(table.columns)
    time, asked = _time(columns), _asked(columns)
    times, numbers = _numbers(table.rows, time, asked)
    if len(times) < 2:
        raise InvalidInput("file", "has not two rows of numbers", found=len(times), allowed=f"2 to {MOST_ROWS}")
    into = _into(positive, asked)
    time_s = [round((at - times[0]) * time.factor, 9) for at in times]
    charging = [0.0 + number * asked.factor * into for number in numbers]
    if asked.kind == "current":
        return ProfileLoad(time_s=time_s, current_a=charging)
    return ProfileLoad(time_s=time_s, power_w=charging)


# --- columns ---------------------------------------------------------------------------------------------------------


def _columns(heads: Sequence[str]) -> list[_Column]:
    """Those of the columns that we could use."""
    return [column for place, head in enumerate(heads) if (column := _column(place, head)) is not None]


def _column(place: int, head: str) -> _Column | None:
    match = _HEAD.fullmatch(head.strip())
    if match is None:
        return None
    name = re.sub(r"[\s_]+", " ", match["name"]).strip().lower()
    unit = (match["unit"] or match["tail"]).lower()
    for kind, units in UNITS.items():
        if re.search(rf"\b{kind}\b", name) and unit in units:
            return _Column(place, head.strip(), kind, name, units[unit])
    return None


def _time(columns: Sequence[_Column]) -> _Column:
    times = [column for column in columns if column.kind == "time"]
    for name in TIMES:
        named = [column for column in times if column.name == name]
        if len(named) == 1:
            return named[0]
    return _only("time", times)


def _asked(columns: Sequence[_Column]) -> _Column:
    """The current, or else the power."""
    for kind in ("current", "power"):
        of_kind = [column for column in columns if column.kind == kind]
        ours = [column for column in of_kind if column.head == OURS[kind]]
        if of_kind:
            return ours[0] if ours else _only(kind, of_kind)
    return _only("current", [])


def _only(kind: str, found: Sequence[_Column]) -> _Column:
    if len(found) == 1:
        return found[0]
    if not found:
        raise InvalidInput(
            "header", f"names no {kind} with its unit", allowed=f"{OURS[kind]}, or {kind.title()} (unit)"
        )
    heads = ", ".join(column.head for column in found)
    raise InvalidInput("header", f"names several columns of {kind}", found=heads, allowed=f"one, as {OURS[kind]}")


def _into(positive: Sign | None, asked: _Column) -> float:
    """What makes charging positive. Whoever does not use our names may count either way, so we do not guess."""
    if positive is None and asked.head != OURS[asked.kind]:
        raise InvalidInput("positive", f"is not said of {asked.head}", allowed="charge or discharge")
    return -1.0 if positive == "discharge" else 1.0


# --- rows ------------------------------------------------------------------------------------------------------------


def _table(text: bytes) -> _Table:
    """The names of the columns, and the rows below them with the numbers of their lines."""
    try:
        lines = text.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidInput("file", "is not UTF-8", allowed="CSV in UTF-8") from error
    told = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    if not told:
        raise InvalidInput("file", "is empty", allowed="a header, and rows of numbers")
    comments = [line.lstrip("# ") for line in lines[: told[0][0] - 1] if line.startswith("#")]
    if comments and _is_numbers(told[0][1]):
        head = comments[-1]
    else:
        head, told = told[0][1], told[1:]
    delimiter = next((mark for mark in ",;\t" if mark in head), ",")
    return _Table(_cells(head, delimiter), ((number, _cells(line, delimiter)) for number, line in told))


def _is_numbers(line: str) -> bool:
    return re.fullmatch(r"[\s\d.,;+\-eE]+", line) is not None


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader(StringIO(line), delimiter=delimiter)) if '"' in line else line.split(delimiter)


def _numbers(rows: Iterator[tuple[int, list[str]]], time: _Column, asked: _Column) -> tuple[list[float], list[float]]:
    """The times, which must rise, and what is asked at them."""
    times: list[float] = []
    numbers: list[float] = []
    for line, cells in rows:
        at = _number(line, cells, time)
        if times and at <= times[-1]:
            raise InvalidInput(_place(line, time), "does not rise", found=at, allowed=f"more than {times[-1]:g}")
        if len(times) == MOST_ROWS:
            raise InvalidInput(f"line {line}", "is one row too many", allowed=f"{MOST_ROWS} rows")
        times.append(at)
        numbers.append(_number(line, cells, asked))
    return times, numbers


def _number(line: int, cells: Sequence[str], column: _Column) -> float:
    cell = cells[column.place].strip() if column.place < len(cells) else ""
    if not cell:
        raise InvalidInput(_place(line, column), "is empty", allowed=strict.FINITE)
    try:
        number = float(cell)
    except ValueError:
        return Row(f"line {line}", {column.head: cell}, is_text=True).number(column.head, -inf)
    if not isfinite(number):
        raise InvalidInput(_place(line, column), "is not finite", found=cell, allowed=strict.FINITE)
    return number


def _place(line: int, column: _Column) -> str:
    return f"line {line}, {column.head}"
