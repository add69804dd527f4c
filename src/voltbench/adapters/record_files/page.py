"""A drawing as one page of HTML that needs nothing else, to move about in (Plotly)."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template

import numpy as np
import plotly.graph_objects as go
from plotly.io import to_html
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from voltbench import __version__
from voltbench.adapters import reports
from voltbench.adapters.record_files.panels import Drawing
from voltbench.adapters.reports import colours

PANEL_PX, GAP_PX, AROUND_PX = 190, 46, 90


def page(drawing: Drawing, figures: Mapping[str, str]) -> bytes:
    """The drawing, and a table of figures, as HTML."""
    template = Template((files(reports) / "page.html").read_text(encoding="utf-8"))
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(words)}</td></tr>" for name, words in figures.items())
    chart = to_html(_chart(drawing), config=_CONFIG, include_plotlyjs=False, full_html=False, div_id="cell")
    text = template.substitute(
        title=escape(drawing.title),
        facts=escape(drawing.facts),
        cards="",
        sections=f"<section>{chart}</section><section><h2>In figures</h2><table>{rows}</table></section>",
        plotly=get_plotlyjs(),
        times="Charging is positive.",
        version=__version__,
    )
    return text.encode()


_CONFIG = {"displaylogo": False, "responsive": True, "modeBarButtons": [["zoom2d", "pan2d", "resetScale2d", "toImage"]]}


def _chart(drawing: Drawing) -> go.Figure:
    heights = [panel.height * PANEL_PX for panel in drawing.panels]
    whole = sum(heights) + GAP_PX * (len(heights) - 1)
    figure = make_subplots(
        len(heights),
        1,
        shared_xaxes=True,
        row_heights=heights,
        vertical_spacing=GAP_PX / whole if len(heights) > 1 else 0.0,
        subplot_titles=[f"<b>{escape(panel.title)}</b>" for panel in drawing.panels],
    )
    told: set[str] = set()
    for row, panel in enumerate(drawing.panels, 1):
        for curve in panel.curves:
            figure.add_scatter(
                x=curve.time.astype(np.float32),
                y=curve.heights.astype(np.float32),
                name=curve.name,
                legendgroup=curve.name,
                showlegend=len(panel.curves) > 1 and curve.name not in told,
                mode="lines",
                line={"width": 1.6, "color": curve.colour, "dash": "dot" if curve.is_dotted else "solid"},
                hovertemplate="%{y:.5~g}",
                row=row,
                col=1,
            )
            told |= {curve.name} if len(panel.curves) > 1 else set()
    figure.update_xaxes(title=f"time, {drawing.time_unit}", row=len(heights), col=1)
    return _styled(figure, whole + AROUND_PX)


def _styled(figure: go.Figure, height: float) -> go.Figure:
    figure.update_layout(
        template="none",
        height=height,
        font={"size": 12, "color": colours.INK},
        margin={"l": 60, "r": 20, "t": 50, "b": 45},
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1.0, "xanchor": "right"},
        paper_bgcolor="white",
        plot_bgcolor="white",
    )
    figure.update_xaxes(showgrid=False, zeroline=False, linecolor=colours.LINE, color=colours.FAINT)
    figure.update_yaxes(gridcolor=colours.LINE, zerolinecolor=colours.LINE, color=colours.FAINT, ticks="")
    figure.update_annotations(x=0.0, xanchor="left", font={"size": 13, "color": colours.INK})
    return figure
