"""An outcome as a picture (PNG): the balance of power, the battery, the price, and who was plugged in where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from voltbench.adapters.reports import colours
from voltbench.adapters.reports.measures import ENERGY, PART, POWER, title, written
from voltbench.adapters.reports.view import View
from voltbench.running.visits import VisitRecord
from voltbench.site.meter import Floats

WIDTH_IN, MARGIN_IN = 13.0, 0.25
HEAD_IN, FOOT_IN, TITLE_IN = 0.6, 0.75, 0.48
PLUGS_WITH_NAMES = 60


class Panel(NamedTuple):
    """One of the drawings above each other that share the time axis, with its height in inches."""

    draw: Callable[[Axes, View], None]
    height_in: float


def write_picture(path: Path, view: View) -> None:
    """Draw an outcome and write it as PNG."""
    panels = _panels(view)
    height_in = HEAD_IN + FOOT_IN + sum(TITLE_IN + panel.height_in for panel in panels)
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=130, facecolor="white")
    top_in = height_in - HEAD_IN
    for panel in panels:
        top_in -= TITLE_IN + panel.height_in
        ax = _axes(figure, view, top_in, panel.height_in, is_last=panel is panels[-1])
        panel.draw(ax, view)
    _heading(figure, view)
    figure.savefig(path)


def _axes(figure: Figure, view: View, bottom_in: float, height_in: float, is_last: bool) -> Axes:
    """Axes over the whole width at a height, with the time below them if they are the last."""
    whole_in = figure.get_figheight()
    left = (MARGIN_IN + max(0.45, 0.1 + 0.068 * max(map(len, view.plugs)))) / WIDTH_IN
    right = 1.0 - 1.2 * MARGIN_IN / WIDTH_IN
    ax = figure.add_axes((left, bottom_in / whole_in, right - left, height_in / whole_in))
    _prepare(ax)
    _time_axis(ax, view, with_labels=is_last)
    return ax


def _panels(view: View) -> list[Panel]:
    panels = [Panel(_balance, 3.6)]
    if view.soc is not None:
        panels.append(Panel(_charge, 0.8))
    if view.price_per_kwh is not None:
        panels.append(Panel(_price, 0.7))
    return [*panels, Panel(_plugs, _rows_height_in(view))]


def _rows_height_in(view: View) -> float:
    return min(8.0, 0.22 * len(view.plugs))


# --- panels ----------------------------------------------------------------------------------------------------------


def _balance(ax: Axes, view: View) -> None:
    """What draws power above zero, what gives it below, and what goes through the grid connection for it."""
    f = view.flows
    drawn = [("site load", f.load_w, colours.LOAD), ("vehicles", f.vehicles_w, colours.VEHICLES)]
    given = [("generation", -f.generation_w, colours.GENERATION)]
    if view.soc is not None:
        drawn.append(("battery charging", f.storage_w.clip(min=0.0), colours.STORAGE_CHARGING))
        given.append(("battery discharging", f.storage_w.clip(max=0.0), colours.STORAGE))
    _stack(ax, view, drawn)
    _stack(ax, view, given)
    width = 1.1 if len(f.load_w) < 1_000 else 0.7
    ax.plot(view.edges, _held(f.grid_w), drawstyle="steps-post", color=colours.GRID, linewidth=width, label="grid")
    _limits(ax, view)
    ax.axhline(0.0, color=colours.FAINT, linewidth=0.8)
    _label(ax, f"Power, kW ({view.sampled})")
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=8, frameon=False, fontsize=9, handlelength=1.2)


def _stack(ax: Axes, view: View, flows_w: list[tuple[str, Floats, str]]) -> None:
    below = np.zeros(len(view.flows.vehicles_w))
    for name, power_w, colour in flows_w:
        if np.any(power_w):
            above = below + power_w / 1e3
            band = (view.edges, np.append(above, above[-1:]), np.append(below, below[-1:]))
            ax.fill_between(*band, step="post", color=colour, linewidth=0.0, label=name)
            below = above


def _limits(ax: Axes, view: View) -> None:
    if view.limit_w is not None:
        style: dict[str, Any] = {"color": colours.LIMIT, "linewidth": 1.4, "linestyle": (0, (5, 2))}
        ax.plot(view.edges, _held(view.limit_w), drawstyle="steps-post", label="grid limit", **style)
    if np.isfinite(view.export_limit_w) and view.flows.generation_w.any():
        ax.axhline(-view.export_limit_w / 1e3, color=colours.LIMIT, linewidth=1.0, linestyle=":", label="export limit")


def _charge(ax: Axes, view: View) -> None:
    assert view.soc is not None
    ax.fill_between(view.edges, view.soc * 100.0, color=colours.STORAGE, alpha=0.22, linewidth=0.0)
    ax.plot(view.edges, view.soc * 100.0, color=colours.STORAGE, linewidth=1.6)
    ax.set_ylim(0.0, 104.0)
    ax.set_yticks([0, 50, 100])
    _label(ax, "Battery, state of charge, %")


def _price(ax: Axes, view: View) -> None:
    assert view.price_per_kwh is not None
    ax.plot(view.edges, _held(view.price_per_kwh * 1e3), drawstyle="steps-post", color=colours.PRICE, linewidth=1.6)
    ax.yaxis.set_major_locator(MaxNLocator(3))
    low, high = min(0.0, float(view.price_per_kwh.min())), float(view.price_per_kwh.max())
    ax.set_ylim(low * 1.15, max(high, 0.01) * 1.15)
    currency = view.summary.cost.currency if view.summary.cost is not None else ""
    _label(ax, f"Price of imported energy, {currency} per kWh")


def _plugs(ax: Axes, view: View) -> None:
    """Each connector as a row: coloured while somebody is plugged in, the darker the more power."""
    ax.set_facecolor(colours.EMPTY)
    rows = np.arange(len(view.plugs) + 1)
    most_kw = max(float(np.nanmax(view.plugs_w, initial=0.0)) / 1e3, 1.0)
    scale = LinearSegmentedColormap.from_list("power", colours.POWER_SCALE)
    mesh = ax.pcolormesh(view.edges, rows, view.plugs_w / 1e3, cmap=scale, vmin=0.0, vmax=most_kw, rasterized=True)
    ax.hlines(rows, *view.edges[[0, -1]], color="white", linewidth=2.2 if len(rows) < 40 else 1.0)
    ax.set_ylim(len(view.plugs), 0)
    ax.set_yticks(rows[:-1] + 0.5, view.plugs, fontsize=8 if len(rows) < 40 else 6)
    if len(rows) > PLUGS_WITH_NAMES:
        ax.set_yticks([])
    ax.grid(visible=False)
    _label(ax, "Vehicles at the connectors (kWh delivered)" if _name_stays(ax, view) else "Vehicles at the connectors")
    _power_key(ax, mesh, _rows_height_in(view))


def _power_key(ax: Axes, mesh: Any, rows_height_in: float) -> None:
    """The scale of colours, above the panel at the right."""
    key = ax.inset_axes((0.84, 1.0 + 0.07 / rows_height_in, 0.16, 0.09 / rows_height_in))
    bar = ax.figure.colorbar(mesh, cax=key, orientation="horizontal", ticklocation="top")
    bar.outline.set_visible(False)
    key.tick_params(length=0, labelsize=8, colors=colours.FAINT, pad=1)
    key.text(-0.03, 0.5, "kW", transform=key.transAxes, ha="right", va="center", fontsize=8, color=colours.FAINT)


def _name_stays(ax: Axes, view: View) -> bool:
    """Write into each stay how much it brought, where there is room; return whether there was."""
    whole_ms = view.summary.ends_at - view.summary.starts_at
    if len(view.plugs) > 40:
        return False
    roomy = [stay for stay in view.stays if stay.ended_at - stay.plugged_at > 0.022 * whole_ms]
    for stay in roomy:
        _name_stay(ax, view, stay)
    return bool(roomy)


def _name_stay(ax: Axes, view: View, stay: VisitRecord) -> None:
    middle: Any = np.datetime64((stay.plugged_at + stay.ended_at) // 2, "ms")
    row = view.plugs.index(stay.connector)
    middle_w = view.plugs_w[row, int(np.searchsorted(view.edges, middle, side="right")) - 1]
    dark = middle_w > 0.45 * np.nanmax(view.plugs_w)
    colour = "white" if dark else colours.INK
    kwh = f"{stay.delivered_wh / 1e3:.0f}"
    ax.text(middle, row + 0.53, kwh, ha="center", va="center", fontsize=7.5, color=colour, clip_on=True)


# --- around them -----------------------------------------------------------------------------------------------------


def _prepare(ax: Axes) -> None:
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(colours.LINE)
    ax.tick_params(length=0, labelsize=9, colors=colours.FAINT)
    ax.grid(axis="y", color=colours.LINE, linewidth=0.8)
    ax.set_axisbelow(True)


def _label(ax: Axes, text: str) -> None:
    ax.set_title(text, loc="left", fontsize=10, color=colours.INK, fontweight="bold", y=1.0, pad=7)


def _time_axis(ax: Axes, view: View, with_labels: bool) -> None:
    locator = AutoDateLocator(minticks=6, maxticks=14)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(formatter)
    ax.set_xlim(view.edges[0], view.edges[-1])
    ax.tick_params(labelbottom=with_labels)


def _held(power_w: Floats) -> Floats:
    """Means over intervals in kW, the last once more: it holds until the end."""
    return np.append(power_w, power_w[-1:]) / 1e3


def _heading(figure: Figure, view: View) -> None:
    s = view.summary
    part = s.delivery.part if s.delivery.part is not None else 1.0
    facts = [
        f"strategy {s.strategy}",
        f"{s.visits.served} of {s.visits.came} visits served",
        f"{written(s.delivery.delivered_wh, ENERGY)} delivered, {written(part, PART)} of what was asked",
        f"grid peak {written(s.grid.peak_minute_w, POWER)} (1-minute mean)",
    ]
    x, head, foot = MARGIN_IN / WIDTH_IN, 1.0 - 0.22 / figure.get_figheight(), 0.15 / figure.get_figheight()
    figure.text(x, head, title(s), va="top", fontsize=14, fontweight="bold", color=colours.INK)
    figure.text(x, foot, "   ·   ".join(facts), fontsize=10, color=colours.FAINT)
