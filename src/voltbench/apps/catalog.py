"""`voltbench catalog`: the models and scenarios there are, as tables."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from voltbench.adapters.catalog import Catalog
from voltbench.adapters.scenario_files import built_in, load
from voltbench.charging.station import StationModel
from voltbench.charging.vehicle import CONNECTOR_TYPES, VehicleModel
from voltbench.quantities import MS_PER_DAY
from voltbench.site.storage import StorageModel


class Kind(StrEnum):
    """What the catalog holds."""

    VEHICLES = "vehicles"
    STATIONS = "stations"
    STORAGE = "storage"
    SCENARIOS = "scenarios"


def catalog(
    kind: Annotated[Kind | None, typer.Argument(help="Only these; without it, everything.")] = None,
    data: Annotated[Path, typer.Option(file_okay=False, help="Models of your own are in its catalog/.")] = Path("data"),
) -> None:
    """List the models and scenarios there are."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    for each in Kind if kind is None else [kind]:
        console.print(_TABLES[each](Catalog(data / "catalog")))


def _vehicles(models: Catalog) -> Table:
    head = ("vehicle", "name", "kWh", "DC kW", "AC kW", "inlets")
    return _table(head, (_vehicle(model) for model in models.vehicles()))


def _vehicle(model: VehicleModel) -> tuple[str, ...]:
    takes_dc = any(CONNECTOR_TYPES[inlet] == "dc" for inlet in model.inlets)
    return (
        model.id,
        model.name,
        f"{model.usable_capacity_wh / 1e3:.1f}",
        f"{model.curve.peak_w / 1e3:.0f}" if takes_dc else "",
        f"{model.ac.max_power_w() / 1e3:.1f}" if model.ac is not None else "",
        " ".join(model.inlets),
    )


def _stations(models: Catalog) -> Table:
    head = ("station", "name", "kW", "connectors", "efficiency")
    return _table(head, (_station(model) for model in models.stations()))


def _station(model: StationModel) -> tuple[str, ...]:
    types = [connector.type for connector in model.connectors]
    plugs = " + ".join(f"{types.count(type)} {type}" for type in dict.fromkeys(types))
    return model.id, model.name, f"{model.max_power_w / 1e3:.1f}", plugs, f"{model.efficiency:.2f}"


def _storages(models: Catalog) -> Table:
    head = ("storage", "name", "kWh", "charge kW", "discharge kW", "round trip")
    return _table(head, (_storage(model) for model in models.storages()))


def _storage(model: StorageModel) -> tuple[str, ...]:
    figures_w = (model.capacity_wh, model.charge_max_w, model.discharge_max_w)
    round_trip = f"{model.charge_efficiency * model.discharge_efficiency:.2f}"
    return model.id, model.name, *(f"{figure / 1e3:,.1f}" for figure in figures_w), round_trip


def _scenarios(models: Catalog) -> Table:
    return _table(("scenario", "name", "days", "connectors", "visits", "strategy"), map(_scenario, built_in()))


def _scenario(name: str) -> tuple[str, ...]:
    story = load(name)
    days = (story.ends_at - story.starts_at) / MS_PER_DAY
    counts = (f"{days:g}", f"{len(story.site.places)}", f"{len(story.visits)}")
    return name, story.name, *counts, story.options.strategy


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    """A table whose figures stand right under each other, below their heads."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    rows = list(rows)
    for i, name in enumerate(head):
        is_figure = any(row[i] for row in rows) and all(_is_figure(row[i]) for row in rows)
        table.add_column(name, justify="right" if is_figure else "left", style="bold" if i == 0 else "")
    for row in rows:
        table.add_row(*row)
    return table


def _is_figure(text: str) -> bool:
    return text.replace(".", "").replace(",", "").isdecimal() or not text


_TABLES = {
    Kind.VEHICLES: _vehicles,
    Kind.STATIONS: _stations,
    Kind.STORAGE: _storages,
    Kind.SCENARIOS: _scenarios,
}
