"""What came of charging at a home: as text, as JSON, and as one page of HTML that needs nothing else."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import msgspec

from voltbench import __version__
from voltbench.adapters.reports import colours
from voltbench.adapters.reports.files import whole_directory
from voltbench.running.home_client.report import ChargeReport

NAMES = ("report.txt", "report.json", "report.html")
QUARTERS_PER_HOUR = 4


def write_charge_report(folder: Path, report: ChargeReport) -> None:
    """Write `report.txt`, `report.json` and `report.html` into a folder, which is made if need be."""
    with whole_directory(folder, NAMES) as part:
        (part / "report.txt").write_text(charge_text(report), encoding="utf-8")
        (part / "report.json").write_text(charge_json(report), encoding="utf-8")
        (part / "report.html").write_text(_page(report), encoding="utf-8")


def charge_text(report: ChargeReport) -> str:
    """The figures, and what happened meanwhile."""
    lines = [f"{name:<10}{words}" for name, words in report.figures().items()]
    return "\n".join([*lines, *(["", *report.notes] if report.notes else [])]) + "\n"


def charge_json(report: ChargeReport) -> str:
    """All of it."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def _page(report: ChargeReport) -> str:
    from plotly.offline import get_plotlyjs  # noqa: PLC0415  Plotly takes half a second

    template = Template((files(__package__) / "page.html").read_text(encoding="utf-8"))
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(words)}</td></tr>" for name, words in report.figures().items()
    )
    notes = "".join(f"<tr><td>{escape(note)}</td></tr>" for note in report.notes)
    sections = [f"<section><h2>In figures</h2><table>{rows}</table></section>", f"<section>{_chart(report)}</section>"]
    if notes:
        sections.append(f"<section><h2>Meanwhile</h2><table>{notes}</table></section>")
    return template.substitute(
        title=escape(f"Charging at {report.url}"),
        facts=escape(f"mode {report.mode}, {report.target_soc * 100:g} % wanted"),
        cards="",
        sections="\n".join(sections),
        plotly=get_plotlyjs(),
        times="Times are those of the home's clock.",
        version=__version__,
    )


def _chart(report: ChargeReport) -> str:
    """Power under the fuse, the price, and the battery, over the hours of the home's clock."""
    from plotly.io import to_html  # noqa: PLC0415
    from plotly.subplots import make_subplots  # noqa: PLC0415

    quarters = report.quarters
    x = [number / QUARTERS_PER_HOUR for number in range(len(quarters))]
    clocks = [quarter.clock for quarter in quarters]
    titles = ["Power, kW", f"Price, {report.price_unit}", "Battery, state of charge, %"]
    figure = make_subplots(3, 1, shared_xaxes=True, row_heights=[3, 1, 1], subplot_titles=titles, vertical_spacing=0.07)
    bar: dict[str, Any] = {
        "x": x,
        "width": 1 / QUARTERS_PER_HOUR,
        "offset": 0,
        "customdata": clocks,
        "row": 1,
        "col": 1,
    }
    told = "%{customdata}: %{y:.2f} "
    household_kw = [quarter.household_w / 1e3 for quarter in quarters]
    car_kw = [quarter.charged_wh * QUARTERS_PER_HOUR / 1e3 for quarter in quarters]
    figure.add_bar(y=household_kw, name="household", marker_color=colours.LOAD, hovertemplate=told + "kW", **bar)
    figure.add_bar(y=car_kw, name="car", marker_color=colours.VEHICLES, hovertemplate=told + "kW", **bar)
    figure.add_hline(report.fuse_w / 1e3, line={"dash": "dash", "color": colours.LIMIT}, row=1, col=1)
    line: dict[str, Any] = {"x": x, "mode": "lines", "customdata": clocks, "showlegend": False}
    price = {"shape": "hv", "color": colours.PRICE}
    prices = [quarter.price_ore_per_kwh for quarter in quarters]
    figure.add_scatter(y=prices, name="price", line=price, hovertemplate=told + report.price_unit, **line, row=2, col=1)
    charge = {"shape": "hv", "color": colours.STORAGE}
    soc = [quarter.soc * 100.0 for quarter in quarters]
    figure.add_scatter(y=soc, name="battery", line=charge, hovertemplate=told + "%", **line, row=3, col=1)
    every = max(1, len(x) // 24)
    hours = [number for number, clock in enumerate(clocks) if clock[3:5] == "00"][:: -(-every // QUARTERS_PER_HOUR)]
    figure.update_xaxes(tickvals=[x[number] for number in hours], ticktext=[clocks[number] for number in hours])
    figure.update_layout(barmode="stack", bargap=0, height=720, template="plotly_white", margin={"t": 40, "b": 40})
    return str(to_html(figure, include_plotlyjs=False, full_html=False, config={"displaylogo": False}))
