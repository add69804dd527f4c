"""Summaries as tables in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from voltbench.adapters.reports.measures import Row, rows, section_title, title
from voltbench.running.summary import Summary

LABELS_WIDTH = 41
COLUMN_WIDTH = 13


def print_summaries(console: Console, summaries: Sequence[Summary]) -> None:
    """The figures of one strategy, or of several side by side with the best of each figure set off.

    Strategies that do not fit beside the others go into a table below.
    """
    console.print(Text(title(summaries[0]), style="bold"), soft_wrap=True)
    console.print(Group(*_tables(summaries, max(1, (console.width - LABELS_WIDTH) // COLUMN_WIDTH))))


def _tables(summaries: Sequence[Summary], at_most: int) -> Iterator[Table]:
    known = rows(summaries)
    for first in range(0, len(summaries), at_most):
        yield _table(summaries, known, slice(first, first + at_most))


def _table(summaries: Sequence[Summary], known: Sequence[Row], part: slice) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for style in ("bold", "", "dim"):
        table.add_column("", style=style, no_wrap=True)
    for summary in summaries[part]:
        table.add_column(summary.strategy, justify="right", no_wrap=True)
    section = ""
    for row in known:
        begins, section = row.section != section, row.section
        if begins and table.rows:
            table.add_section()
        table.add_row(section_title(section, summaries[0]) if begins else "", row.name, row.unit, *_cells(row, part))
    return table


def _cells(row: Row, part: slice) -> list[Text]:
    styles = ["bold green" if best else "" for best in row.best[part]]
    return [Text(text, style=style) for text, style in zip(row.texts[part], styles, strict=True)]
