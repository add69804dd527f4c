"""A fleet's run as one page of HTML that needs nothing else."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import msgspec
from plotly.io import to_html
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from voltbench import __version__
from voltbench.running.fleet_report import FleetReport


def write_fleet_report(folder: Path, report: FleetReport) -> None:
    """Write `report.json` and `report.html` into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    (folder / "report.html").write_text(_page(report), encoding="utf-8")


def _page(report: FleetReport) -> str:
    template = Template((files(__package__) / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(f"{report.stations} stations at {report.csms}"),
        facts=escape(f"model {report.model}"),
        cards="",
        sections=f"<section><h2>In figures</h2>{_figures(report)}</section><section>{_chart(report)}</section>",
        plotly=get_plotlyjs(),
        times="Times are UTC.",
        version=__version__,
    )


def _figures(report: FleetReport) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(words)}</td></tr>" for name, words in report.figures.items()
    )
    return f"<table>{rows}</table>"


def _chart(report: FleetReport) -> str:
    """Lines over the seconds of the run."""
    moments = report.moments
    seconds = [moment.after_s for moment in moments]
    named = {
        "Stations connected": [m.connected for m in moments],
        "EVSEs charging": [m.charging for m in moments],
        "Power, kW": [m.power_w / 1e3 for m in moments],
        "Messages a second": [m.messages_per_s for m in moments],
    }
    figure = make_subplots(len(named), 1, shared_xaxes=True, subplot_titles=list(named))
    for row, values in enumerate(named.values(), start=1):
        figure.add_scatter(x=seconds, y=values, mode="lines", row=row, col=1, showlegend=False)
    figure.update_layout(height=200 * len(named), margin={"t": 30, "b": 30}, template="plotly_white")
    figure.update_xaxes(title_text="seconds", row=len(named), col=1)
    return str(to_html(figure, include_plotlyjs=False, full_html=False, config={"displaylogo": False}))
