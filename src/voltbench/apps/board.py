"""The live table in a terminal: who draws what, and what holds whom back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from voltbench.quantities import utc
from voltbench.running.views import BatteryView, SessionView, SiteView

_BAR_WIDTH = 40


@dataclass(frozen=True)
class Panel:
    """A site as it is shown: its id, how fast its time goes by, and what is there."""

    site_id: str
    speed: float
    view: SiteView


def board(panels: Sequence[Panel]) -> RenderableType:
    """Every site, one below the other."""
    return Group(*[part for panel in panels for part in (Text(" "), *_site(panel))])


def _site(panel: Panel) -> list[RenderableType]:
    view = panel.view
    clock = utc(view.at).strftime("%a %H:%M:%S")
    name = "" if view.id == panel.site_id else f"  {view.id}"
    title = Text.assemble((panel.site_id, "bold"), f"{name}  {clock} UTC  {panel.speed:g}x")
    return [title, _gauges(view), _sessions(view)]


def _gauges(view: SiteView) -> Table:
    gauges = Table.grid(padding=(0, 2))
    grid_w, limit_w = max(0.0, view.grid_power_w), view.grid_limit_w
    style = "red" if grid_w > 0.99 * limit_w else "green"
    gauges.add_row("grid", _bar(grid_w, limit_w, style), f"{_kw(view.grid_power_w)} of {_kw(limit_w)} kW")
    if view.battery is not None:
        gauges.add_row("battery", _bar(view.battery.soc, 1.0, "blue"), _battery(view.battery))
    return gauges


def _bar(part: float, whole: float, style: str) -> ProgressBar:
    return ProgressBar(max(whole, 1e-9), min(part, whole), width=_BAR_WIDTH, complete_style=style, finished_style=style)


def _battery(battery: BatteryView) -> str:
    doing = "charges" if battery.power_w > 0 else "gives" if battery.power_w < 0 else "rests"
    power = f" {_kw(abs(battery.power_w))} kW" if battery.power_w else ""
    return f"{battery.soc:.0%} of {_kw(battery.capacity_wh)} kWh, {doing}{power}"


def _sessions(view: SiteView) -> Table:
    table = Table("connector", "session", "status", box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("could take", "may draw", "draws", "energy"):
        table.add_column(name, justify="right")
    table.add_column("held back by")
    for session in view.sessions:
        table.add_row(*_row(session))
    if not view.sessions:
        table.add_row(Text("nobody is here", style="dim"))
    return table


def _row(session: SessionView) -> Sequence[str]:
    return (
        f"{session.charger}:{session.connector}",
        session.id,
        session.status,
        f"{_kw(session.vehicle_max_w)} kW",
        f"{_kw(session.allocated_w)} kW",
        f"{_kw(session.power_w)} kW",
        f"{_kw(session.energy_wh)} kWh",
        "" if session.binding == "vehicle" else session.binding,
    )


def _kw(amount_w: float) -> str:
    return f"{amount_w / 1_000:.1f}"
