"""Charging curves as a picture: what a fresh cell, or a pack of them, takes over its state of charge."""

from __future__ import annotations

from io import BytesIO
from typing import Literal

import matplotlib as mpl
from matplotlib.figure import Figure

from voltbench.adapters.reports import colours
from voltbench.battery.charge_map import CellChargeMap
from voltbench.battery.record import Floats

WARMEST = 0.78
"""Where the colours end, of those from blue over red to orange and yellow: none of them fades into the page."""

TAKEN = {"C": "Current, C", "kW": "Power, kW"}


def curve_picture(map: CellChargeMap, rows: Floats, unit: str, form: Literal["png", "svg"]) -> bytes:
    """A line for each temperature, of rows over the map's SoC. The same map gives the same bytes."""
    figure = Figure(figsize=(9.0, 5.2), dpi=120, facecolor="white", layout="constrained")
    ax = figure.add_subplot()
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.grid(axis="y", color=colours.LINE, linewidth=0.8)
    ax.tick_params(length=0, labelsize=9, colors=colours.FAINT)
    cold_to_warm = mpl.colormaps["plasma"]
    for number, (degc, row) in enumerate(zip(map.temperature_degc, rows, strict=True)):
        colour = cold_to_warm(WARMEST * number / max(1, len(rows) - 1))
        ax.plot([100.0 * soc for soc in map.soc], row, color=colour, linewidth=1.5, label=f"{degc:g} °C")
    ax.set_xlim(0.0, 100.0)
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel("State of charge, %", color=colours.FAINT, fontsize=9)
    ax.set_ylabel(TAKEN.get(unit, unit), color=colours.FAINT, fontsize=9)
    ax.set_title(f"{map.name}: what it takes when fresh (a model)", loc="left", fontsize=11)
    ax.legend(frameon=False, fontsize=9)
    written = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "voltbench", "svg.fonttype": "path"}):
        figure.savefig(written, format=form, metadata={"Date": None} if form == "svg" else None)
    return written.getvalue()
