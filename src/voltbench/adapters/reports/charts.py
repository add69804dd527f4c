"""An outcome as charts to move about in, and several strategies beside each other (Plotly)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from voltbench.adapters.reports import colours
from voltbench.adapters.reports.view import View
from voltbench.running.visits import VisitRecord
from voltbench.site.meter import Floats

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
MOST_MARKED_STAYS = 2_000
KW = "%{y:,.1f} kW"


def site_chart(view: View) -> go.Figure:
    """The balance of power, the battery, the price, and who was plugged in where, on one time axis."""
    heights = {f"Power, kW ({view.sampled})": 330, "Vehicles at the connectors": 40 + 20 * min(len(view.plugs), 60)}
    if view.soc is not None:
        heights["Battery, state of charge, %"] = 90
    if view.price_per_kwh is not None:
        heights["Price of imported energy, per kWh"] = 80
    order = sorted(heights, key=lambda name: name == "Vehicles at the connectors")
    figure = make_subplots(
        len(order),
        1,
        shared_xaxes=True,
        row_heights=[heights[name] for name in order],
        vertical_spacing=48 / (sum(heights.values()) + 48 * len(order)),
        subplot_titles=[f"<b>{name}</b>" for name in order],
    )
    _balance(figure, view, 1)
    for row, name in enumerate(order[1:], start=2):
        _ROWS[name](figure, view, row)
    return _styled(figure, sum(heights.values()) + 48 * len(order) + 60, order)


def power_comparison(views: Sequence[View]) -> go.Figure:
    """Power through the grid connection under each strategy."""
    figure = go.Figure()
    for view, colour in zip(views, _colours(), strict=False):
        line = {"shape": "hv", "width": 1.4, "color": colour}
        figure.add_scatter(**_steps(view, view.flows.grid_w), name=view.summary.strategy, line=line, hovertemplate=KW)
    _limit(figure, views[0], {})
    return _styled(figure, 380, [])


def share_comparison(views: Sequence[View]) -> go.Figure:
    """What part of what they asked for the visits got, from the worst off to the best off, under each strategy."""
    figure = go.Figure()
    for view, colour in zip(views, _colours(), strict=False):
        shares = np.sort([v.served_part for v in view.stays if v.served_part is not None]) * 100.0
        rank = (np.arange(len(shares)) + 1) / max(len(shares), 1) * 100.0
        name, line = view.summary.strategy, {"width": 2, "color": colour}
        figure.add_scatter(x=_small(rank), y=_small(shares), name=name, line=line, hovertemplate="%{y:.1f} %")
    figure.update_xaxes(title="visits, from the worst off, %")
    figure.update_yaxes(title="delivered of asked, %", range=[0, 103])
    return _styled(figure, 380, [])


# --- rows of the site's chart ----------------------------------------------------------------------------------------


def _balance(figure: go.Figure, view: View, row: int) -> None:
    f = view.flows
    bands = [
        ("site load", f.load_w, colours.LOAD, "drawn"),
        ("vehicles", f.vehicles_w, colours.VEHICLES, "drawn"),
        ("battery charging", f.storage_w.clip(min=0.0), colours.STORAGE_CHARGING, "drawn"),
        ("generation", -f.generation_w, colours.GENERATION, "given"),
        ("battery discharging", f.storage_w.clip(max=0.0), colours.STORAGE, "given"),
    ]
    for name, power_w, colour, stack in bands:
        if np.any(power_w):
            line = {"shape": "hv", "width": 0, "color": colour}
            band = {"stackgroup": stack, "fillcolor": colour, "line": line, "hovertemplate": KW}
            figure.add_scatter(**_steps(view, power_w), name=name, **band, row=row, col=1)
    line = {"shape": "hv", "width": 1.3 if len(f.load_w) < 3_000 else 0.8, "color": colours.GRID}
    figure.add_scatter(**_steps(view, f.grid_w), name="grid", line=line, hovertemplate=KW, row=row, col=1)
    _limit(figure, view, {"row": row, "col": 1})


def _limit(figure: go.Figure, view: View, place: dict[str, int]) -> None:
    if view.limit_w is not None:
        line = {"shape": "hv", "width": 1.6, "dash": "dash", "color": colours.LIMIT}
        figure.add_scatter(**_steps(view, view.limit_w), name="grid limit", line=line, hovertemplate=KW, **place)


def _charge(figure: go.Figure, view: View, row: int) -> None:
    assert view.soc is not None
    style = {"line": {"width": 1.8, "color": colours.STORAGE}, "fill": "tozeroy", "fillcolor": "rgba(42,157,120,0.2)"}
    soc = {"x": view.edges, "y": _small(view.soc * 100.0)}
    figure.add_scatter(
        **soc, name="battery", hovertemplate="%{y:.1f} %", showlegend=False, mode="lines", **style, row=row, col=1
    )
    figure.update_yaxes(range=[0, 104], row=row, col=1)


def _price(figure: go.Figure, view: View, row: int) -> None:
    assert view.price_per_kwh is not None
    line = {"shape": "hv", "width": 1.8, "color": colours.PRICE}
    price = _steps(view, view.price_per_kwh * 1e3)
    figure.add_scatter(**price, name="price", line=line, hovertemplate="%{y:.3f}", showlegend=False, row=row, col=1)
    figure.update_yaxes(rangemode="tozero", row=row, col=1)


def _plugs(figure: go.Figure, view: View, row: int) -> None:
    scale = [[i / (len(colours.POWER_SCALE) - 1), colour] for i, colour in enumerate(colours.POWER_SCALE)]
    figure.add_heatmap(
        x=view.edges,
        y=view.plugs,
        z=_small(view.plugs_w / 1e3),
        zmin=0.0,
        colorscale=scale,
        ygap=3 if len(view.plugs) <= 60 else 0,
        hoverongaps=False,
        hovertemplate="%{y}<br>%{x|%d %b %H:%M}: %{z:.1f} kW<extra></extra>",
        colorbar=_POWER_KEY | {"y": figure.get_subplot(row, 1).yaxis.domain[1]},
        row=row,
        col=1,
    )
    _stays(figure, view, row)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category", automargin=True, row=row, col=1)


def _stays(figure: go.Figure, view: View, row: int) -> None:
    """A dot where each vehicle was plugged in, which tells what became of it."""
    if len(view.stays) <= MOST_MARKED_STAYS:
        figure.add_scatter(
            x=np.array([stay.plugged_at for stay in view.stays], "datetime64[ms]"),
            y=[stay.connector for stay in view.stays],
            mode="markers",
            marker={"size": 6, "color": "white", "line": {"width": 1, "color": colours.INK}},
            text=[_told(stay) for stay in view.stays],
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
            row=row,
            col=1,
        )


def _told(stay: VisitRecord) -> str:
    plugged, ended = (str(np.datetime64(at, "m")).replace("T", " ") for at in _minutes(stay))
    energy = f"{stay.delivered_wh / 1e3:.1f} of {stay.asked_wh / 1e3:.1f} kWh"
    soc = f"SoC {stay.soc_start * 100:.0f} to {stay.soc_end * 100:.0f} %"
    return f"<b>{stay.id}</b> {stay.vehicle}<br>{plugged} to {ended[11:]}<br>{energy}, {soc}<br>{stay.ending.value}"


def _minutes(stay: VisitRecord) -> tuple[int, int]:
    return stay.plugged_at // 60_000, stay.ended_at // 60_000


_POWER_KEY: dict[str, Any] = {
    "title": {"text": "kW"},
    "thickness": 10,
    "lenmode": "pixels",
    "len": 130,
    "yanchor": "top",
    "outlinewidth": 0,
}
"""The scale of colours, beside the connectors."""

_ROWS = {
    "Battery, state of charge, %": _charge,
    "Price of imported energy, per kWh": _price,
    "Vehicles at the connectors": _plugs,
}


# --- style -----------------------------------------------------------------------------------------------------------


def _steps(view: View, power_w: Floats) -> dict[str, Any]:
    """Means over intervals as steps in kW: each holds until the next, and the last until the end."""
    return {"x": view.edges, "y": _small(np.append(power_w, power_w[-1]) / 1e3), "mode": "lines"}


def _small(numbers: Floats) -> np.ndarray[Any, np.dtype[np.float32]]:
    return numbers.astype(np.float32)


def _colours() -> list[str]:
    return [*colours.STRATEGIES] * 10


def _styled(figure: go.Figure, height: int, titles: Sequence[str]) -> go.Figure:
    figure.update_layout(
        template="none",
        height=height,
        font={"family": FONT, "size": 12, "color": colours.INK},
        margin={"l": 70, "r": 20, "t": 80, "b": 40},
        hovermode="x unified" if not titles else "closest",
        legend={"orientation": "h", "y": 1.0 + 24 / height, "yanchor": "bottom", "x": 1.0, "xanchor": "right"},
        paper_bgcolor="white",
        plot_bgcolor="white",
    )
    figure.update_xaxes(showgrid=False, zeroline=False, linecolor=colours.LINE, color=colours.FAINT)
    figure.update_yaxes(
        gridcolor=colours.LINE, zerolinecolor=colours.FAINT, zerolinewidth=1, color=colours.FAINT, ticks=""
    )
    figure.update_annotations(x=0.0, xanchor="left", font={"size": 13, "color": colours.INK})
    return figure
