"""Outcomes as one page of HTML that needs nothing else: figures, charts to move about in, strategies compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from string import Template

import plotly.graph_objects as go
from plotly.io import to_html
from plotly.offline import get_plotlyjs

from voltbench import __version__
from voltbench.adapters.reports.charts import power_comparison, share_comparison, site_chart
from voltbench.adapters.reports.measures import MONEY, PART, POWER, Row, rows, section_title, title, written
from voltbench.adapters.reports.view import View
from voltbench.running.summary import Summary


def write_page(path: Path, views: Sequence[View]) -> None:
    """Write a page about one strategy, or several beside each other."""
    template = Template((files(__package__) / "page.html").read_text(encoding="utf-8"))
    summaries = [view.summary for view in views]
    text = template.substitute(
        title=escape(title(summaries[0])),
        facts=escape(_facts(summaries)),
        cards="".join(_cards(summaries[0])) if len(views) == 1 else "",
        sections="\n".join(_sections(views)),
        plotly=get_plotlyjs(),
        times="Times are UTC.",
        version=__version__,
    )
    path.write_text(text, encoding="utf-8")


def _facts(summaries: Sequence[Summary]) -> str:
    s = summaries[0]
    names = ", ".join(summary.strategy for summary in summaries)
    strategies = f"strategies {names}" if len(summaries) > 1 else f"strategy {names}"
    return f"{s.visits.came} visits to {len(s.connectors)} connectors, {strategies}, seed {s.seed}"


def _cards(s: Summary) -> Iterator[str]:
    if s.delivery.part is not None:
        yield _card(written(s.delivery.part, PART), "of the energy asked was delivered")
    yield _card(f"{s.visits.served} of {s.visits.came}", "visits were served")
    yield _card(written(s.grid.peak_minute_w, POWER), "peak of the grid connection, 1 min")
    yield _card(f"{s.delivery.fairness:.3f}", "fairness (Jain's index)")
    if s.storage is not None:
        yield _card(f"{s.storage.full_cycles:.2f}", "full cycles of the battery")
    if s.cost is not None:
        yield _card(f"{written(s.cost.total, MONEY)} {escape(s.cost.currency)}", "for energy and demand")


def _card(figure: str, words: str) -> str:
    return f'<div class="card"><b>{figure}</b><span>{words}</span></div>'


def _sections(views: Sequence[View]) -> Iterator[str]:
    summaries = [view.summary for view in views]
    if len(views) == 1:
        yield _section(summaries[0].strategy, _chart("site", site_chart(views[0])))
        yield _section("In figures", _figures(summaries[0]))
        return
    yield _section("Strategies compared", _comparison(summaries))
    yield _section("Power through the grid connection, kW", _chart("grid", power_comparison(views)))
    yield _section("How alike the visits were served", _chart("shares", share_comparison(views)))
    for view in views:
        yield _section(view.summary.strategy, _chart(f"site-{view.summary.strategy}", site_chart(view)))


def _section(name: str, content: str) -> str:
    return f"<section><h2>{escape(name)}</h2>{content}</section>"


def _chart(id: str, figure: go.Figure) -> str:
    buttons = [["zoom2d", "pan2d", "resetScale2d", "toImage"]]
    config = {"displaylogo": False, "responsive": True, "modeBarButtons": buttons}
    return str(to_html(figure, config=config, include_plotlyjs=False, full_html=False, div_id=id))


def _figures(summary: Summary) -> str:
    """All figures of one summary, a small table for each section."""
    tables = []
    for section, group in groupby(rows([summary]), key=lambda row: row.section):
        body = "".join(_table_row(row) for row in group)
        head = f'<tr class="section"><th colspan="3">{escape(section_title(section, summary))}</th></tr>'
        tables.append(f"<table>{head}{body}</table>")
    return f'<div class="columns">{"".join(tables)}</div>'


def _comparison(summaries: Sequence[Summary]) -> str:
    """All figures side by side, the best of each set off."""
    names = "".join(f"<th>{escape(summary.strategy)}</th>" for summary in summaries)
    body = []
    for section, group in groupby(rows(summaries), key=lambda row: row.section):
        words = escape(section_title(section, summaries[0]))
        body.append(f'<tr class="section"><th colspan="{len(summaries) + 2}">{words}</th></tr>')
        body += [_table_row(row) for row in group]
    head = f"<thead><tr><th></th><th></th>{names}</tr></thead>"
    return f'<div class="wide"><table>{head}<tbody>{"".join(body)}</tbody></table></div>'


def _table_row(row: Row) -> str:
    marks = [' class="best"' if best else "" for best in row.best]
    cells = "".join(f"<td{mark}>{text}</td>" for mark, text in zip(marks, row.texts, strict=True))
    return f'<tr><td>{escape(row.name)}</td><td class="unit">{escape(row.unit)}</td>{cells}</tr>'
