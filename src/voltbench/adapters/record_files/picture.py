"""A drawing as a file: a picture (PNG or SVG)."""

from __future__ import annotations

from io import BytesIO
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from voltbench.adapters.record_files.panels import Drawing, Panel
from voltbench.adapters.reports import colours

WIDTH_IN, PANEL_IN = 11.0, 1.7
LEFT_IN, RIGHT_IN, HEAD_IN, FOOT_IN, GAP_IN = 0.75, 0.35, 0.75, 0.55, 0.5


def picture(drawing: Drawing, form: Literal["png", "svg"]) -> bytes:
    """The drawing as a file of that form. The same drawing gives the same bytes."""
    heights = [panel.height * PANEL_IN for panel in drawing.panels]
    height_in = HEAD_IN + FOOT_IN + sum(heights) + GAP_IN * len(heights)
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=120, facecolor="white")
    top_in = height_in - HEAD_IN
    for panel, panel_in in zip(drawing.panels, heights, strict=True):
        top_in -= GAP_IN + panel_in
        place = (LEFT_IN / WIDTH_IN, top_in / height_in, 1.0 - (LEFT_IN + RIGHT_IN) / WIDTH_IN, panel_in / height_in)
        ax = figure.add_axes(place)
        _draw(ax, panel, is_last=panel is drawing.panels[-1])
        if panel is drawing.panels[-1]:
            ax.set_xlabel(f"time, {drawing.time_unit}", color=colours.FAINT, fontsize=9)
    left = 0.25 / WIDTH_IN
    figure.text(left, 1.0 - 0.2 / height_in, drawing.title, va="top", fontsize=13, weight="bold", color=colours.INK)
    figure.text(left, 1.0 - 0.52 / height_in, drawing.facts, va="top", fontsize=9.5, color=colours.FAINT)
    written = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "voltbench", "svg.fonttype": "path"}):
        figure.savefig(written, format=form, metadata={"Date": None} if form == "svg" else None)
    return written.getvalue()


def _draw(ax: Axes, panel: Panel, is_last: bool) -> None:
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(colours.LINE)
    ax.tick_params(length=0, labelsize=9, colors=colours.FAINT, labelbottom=is_last)
    ax.grid(axis="y", color=colours.LINE, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.set_title(panel.title, loc="left", fontsize=10, color=colours.INK, fontweight="bold", pad=7)
    for curve in panel.curves:
        style = (0, (1, 1.5)) if curve.is_dotted else "-"
        ax.plot(curve.time, curve.heights, color=curve.colour, linewidth=1.3, linestyle=style, label=curve.name)
    ax.margins(x=0.0)
    ax.ticklabel_format(axis="y", useOffset=False)
    if len(panel.curves) > 1:
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=6, frameon=False, fontsize=9, handlelength=1.4)
