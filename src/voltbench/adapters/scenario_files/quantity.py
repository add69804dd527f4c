"""A quantity over time as a scenario file gives it: a load, a limit, a price.

    load_w = 3000                                                    # always
    load_w = { daily = { "00:00" = 800, "07:00" = 3000 } }           # by the time of day, each value until the next
    load_w = { daily = { ... }, weekend = { ... } }                  # other values on Saturdays and Sundays
    load_w = { steps = { "2026-06-01T17:00Z" = 3000, ... } }         # from an instant on
    load_w = { values = [800, 700, ...], every_min = 60 }            # one after another, from the first midnight
    load_w = { file = "load.csv", column = "load_w" }                # CSV: a column `at` and one with the values

Times without a zone are local. Before the first value the first one holds, after the last the last. `scale`
multiplies what the table or file says (1000 for a file in kW).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from itertools import pairwise
from math import inf
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from voltbench.adapters import strict
from voltbench.adapters.rows import Row, csv_rows, read_bytes
from voltbench.adapters.scenario_files.moments import LocalTime, time_of_day_ms
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_DAY, MS_PER_MINUTE, Instant
from voltbench.site.generation import changes
from voltbench.site.series import StepSeries

Steps = list[tuple[Instant, float]]


class QuantityTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ways to say how a quantity runs over time; exactly one of `daily`, `steps`, `values` and `file`."""

    daily: dict[str, Any] | None = None
    weekend: dict[str, Any] | None = None
    steps: dict[str, Any] | None = None
    values: list[float] | None = None
    every_min: Annotated[float, Meta(ge=1, le=525_600)] = 60.0
    file: str | None = None
    column: str | None = None
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What a file's times and paths refer to: the clocks of the place, the end of the story, and the folder."""

    clock: LocalTime
    ends_at: Instant
    folder: Traversable


def quantity(found: float | dict[str, Any], place: str, setting: Setting, least: float = 0.0) -> StepSeries:
    """The quantity that stands at a place of a scenario file. Raises InvalidInput, also for values below `least`."""
    if not isinstance(found, dict):
        return StepSeries.constant(_checked(found, place, least))
    table = strict.convert(found, QuantityTable, place)
    with strict.at(place):
        steps = [(at, number * table.scale) for at, number in _steps(table, setting)]
        lowest = min((number for _, number in steps), default=inf)
        if lowest < least:
            raise InvalidInput("", "holds a number that is too small", found=lowest, allowed=f"{least:g} or more")
        return StepSeries(changes(steps))


def _steps(table: QuantityTable, setting: Setting) -> Steps:
    names = ("daily", "steps", "values", "file")
    given = [name for name in names if getattr(table, name) is not None]
    if len(given) != 1:
        raise InvalidInput("", "needs one way to say it", found=", ".join(given) or "none", allowed=", ".join(names))
    if table.weekend is not None and table.daily is None:
        raise InvalidInput("weekend", "needs daily beside it")
    if table.column is not None and table.file is None:
        raise InvalidInput("column", "needs file beside it")
    if table.daily is not None:
        return _daily(table.daily, table.weekend, setting)
    if table.steps is not None:
        return _from_instants(table.steps, setting.clock)
    if table.values is not None:
        return _listed(table.values, table.every_min, setting.clock)
    assert table.file is not None
    return _from_file(setting.folder.joinpath(table.file), table.column, setting.clock)


def _daily(daily: Mapping[str, Any], weekend: Mapping[str, Any] | None, setting: Setting) -> Steps:
    """The steps of every day of the story. The last value of a day goes on until the first time of the next."""
    workday = _of_a_day(daily, "daily")
    day_off = _of_a_day(weekend, "weekend") if weekend is not None else workday
    steps: Steps = []
    before = workday[-1][1]
    for midnight in range(setting.clock.midnight, setting.ends_at, MS_PER_DAY):
        weekday = ((midnight + setting.clock.utc_offset_ms) // MS_PER_DAY + 3) % 7
        of_this_day = day_off if weekday >= 5 else workday
        if of_this_day[0][0] > 0:
            steps.append((midnight, before))
        steps += [(midnight + after_ms, number) for after_ms, number in of_this_day]
        before = of_this_day[-1][1]
    return steps


def _of_a_day(table: Mapping[str, Any], name: str) -> list[tuple[int, float]]:
    if not table:
        raise InvalidInput(name, "is empty", allowed='times and values, such as "07:00" = 3000')
    return sorted((time_of_day_ms(k, f"{name}.{k}"), _checked(table[k], f"{name}.{k}")) for k in table)


def _from_instants(table: Mapping[str, Any], clock: LocalTime) -> Steps:
    steps = sorted((clock.instant(k, f"steps.{k}"), _checked(table[k], f"steps.{k}")) for k in table)
    if not steps or any(later == earlier for (earlier, _), (later, _) in pairwise(steps)):
        raise InvalidInput("steps", "is empty or says one instant twice", allowed="instants and values")
    return steps


def _listed(values: list[float], every_min: float, clock: LocalTime) -> Steps:
    if not values:
        raise InvalidInput("values", "is empty", allowed="at least one number")
    return [(clock.midnight + round(i * every_min * MS_PER_MINUTE), number) for i, number in enumerate(values)]


def _from_file(file: Traversable, column: str | None, clock: LocalTime) -> Steps:
    rows = csv_rows_of(file)
    with strict.within(str(file)):
        if not rows:
            raise InvalidInput("line 2", "is missing", allowed="at least one row below the header")
        return _risen([_step(row, column, clock) for row in rows], rows)


def csv_rows_of(file: Traversable) -> list[Row]:
    """The rows of a CSV file; what is wrong with them is refused in its name."""
    content = read_bytes(file)
    with strict.within(str(file)):
        return csv_rows(content)


def _step(row: Row, column: str | None, clock: LocalTime) -> tuple[Instant, float]:
    if "at" not in row.cells:
        raise InvalidInput(
            row.field("at"), "is missing", allowed="minutes from midnight, or a time like 2026-06-01T08:30"
        )
    others = [name for name in row.cells if name != "at"]
    if column is None and len(others) != 1:
        raise InvalidInput(
            row.place, "leaves open which column counts", found=", ".join(others), allowed="say `column`"
        )
    name = column or others[0]
    if name not in row.cells:
        raise InvalidInput(row.field(name), "is missing", allowed=", ".join(others))
    return clock.instant(row.cells["at"], row.field("at")), row.number(name, least=-inf)


def _risen(steps: Steps, rows: list[Row]) -> Steps:
    for i, ((earlier, _), (later, _)) in enumerate(pairwise(steps)):
        if later <= earlier:
            raise InvalidInput(
                rows[i + 1].field("at"), "is not later than the row before", found=strict.shown(rows[i + 1].cells["at"])
            )
    return steps


def _checked(found: Any, place: str, least: float = -inf) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise InvalidInput(place, "is not allowed", found=strict.shown(found), allowed="a number")
    if found < least:
        raise InvalidInput(place, "is out of range", found=strict.shown(found), allowed=f"{least:g} or more")
    return float(found)
