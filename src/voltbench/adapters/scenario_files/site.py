"""The site of a scenario file: its tree of limits, its battery, its own load and generation."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from voltbench.adapters import strict
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.scenario_files.lines import line_limits
from voltbench.adapters.scenario_files.quantity import Setting, quantity
from voltbench.adapters.scenario_files.stations import GRID, Station, looked_up, stations_of
from voltbench.adapters.scenario_files.tables import (
    LimitTable,
    Quantity,
    SiteTable,
    StationTable,
    StorageStart,
    StorageTable,
)
from voltbench.errors import InvalidInput
from voltbench.running.site_plan import SitePlan
from voltbench.site.generation import clear_sky
from voltbench.site.limits import LimitTree, Node, Outlet
from voltbench.site.series import StepSeries
from voltbench.site.storage import StorageModel

STORAGE_PROSE = ("site.storage.source",)
"""Where a battery's figures are from may take several lines, as in the catalog."""


def site_plan(site: SiteTable, groups: Sequence[StationTable], setting: Setting, catalog: Catalog) -> SitePlan:
    """The site that the tables `site` and `stations` describe."""
    stations = stations_of(groups, site.nodes, catalog)
    places = [place for station in stations for place in station.places()]
    storage, soc = _storage(site.storage, catalog)
    if storage is not None and soc is not None and not storage.soc_min <= soc <= storage.soc_max:
        allowed = f"soc_min to soc_max, {storage.soc_min:g} to {storage.soc_max:g}"
        raise InvalidInput("site.storage.soc", "is out of range", found=soc, allowed=allowed)
    return SitePlan(
        id=site.id,
        tree=_tree(site, stations, setting),
        places=places,
        storage=storage,
        storage_soc=soc,
        load_w=quantity(site.load_w, "site.load_w", setting),
        generation_w=_generation(site, setting),
        export_limit_w=inf if site.export_limit_w is None else site.export_limit_w,
    )


def _tree(site: SiteTable, stations: Sequence[Station], setting: Setting) -> LimitTree:
    sharing = [station for station in stations if station.shares_power]
    nodes = [Node(GRID), *(Node(node.id, node.parent) for node in site.nodes)]
    nodes += [Node(station.id, station.node) for station in sharing]
    outlets = [outlet for station in stations for outlet in _outlets(station)]
    tree = LimitTree(nodes, outlets, line_limits(site.lines, stations))
    _limit(tree, GRID, "contract", site.limit_w, site.limit_a, ("site.limit_w", "site.limit_a"), setting)
    for i, node in enumerate(site.nodes):
        places = (f"site.nodes[{i}].limit_w", f"site.nodes[{i}].limit_a")
        _limit(tree, node.id, "rating", node.limit_w, node.limit_a, places, setting)
    for station in sharing:
        tree.set_limit(station.id, "rating", power_w=station.input_w)
    for i, limit in enumerate(site.limits):
        _further_limit(tree, f"site.limits[{i}]", limit, setting)
    return tree


def _outlets(station: Station) -> list[Outlet]:
    node = station.id if station.shares_power else station.node
    return [
        Outlet(place.connector, node, station.rotation, place.connector_model.voltage_v) for place in station.places()
    ]


def _further_limit(tree: LimitTree, place: str, limit: LimitTable, setting: Setting) -> None:
    strict.chosen(limit.node, [node.id for node in tree.nodes], f"{place}.node")
    if limit.power_w is None and limit.current_a is None:
        raise InvalidInput(place, "limits nothing", allowed="power_w, current_a or both")
    if limit.source in ("contract", "rating"):
        problem = "is the name of limit_w and limit_a; a further source needs another"
        raise InvalidInput(f"{place}.source", problem, found=limit.source)
    places = (f"{place}.power_w", f"{place}.current_a")
    _limit(tree, limit.node, limit.source, limit.power_w, limit.current_a, places, setting)


def _limit(
    tree: LimitTree,
    node: str,
    source: str,
    in_watts: Quantity | None,
    in_amperes: Quantity | None,
    places: tuple[str, str],
    setting: Setting,
) -> None:
    power_w = quantity(in_watts, places[0], setting) if in_watts is not None else None
    current_a = quantity(in_amperes, places[1], setting) if in_amperes is not None else None
    if power_w is not None or current_a is not None:
        tree.set_limit(node, source, power_w, current_a)


def _generation(site: SiteTable, setting: Setting) -> StepSeries:
    if site.pv is not None and site.generation_w is not None:
        raise InvalidInput("site.generation_w", "is said twice", allowed="generation_w or pv")
    if site.pv is None:
        return quantity(site.generation_w or 0.0, "site.generation_w", setting)
    return clear_sky(
        site.pv.peak_w,
        site.pv.latitude_deg,
        setting.clock.midnight,
        setting.ends_at,
        performance=site.pv.performance,
        solar_noon_h=site.pv.solar_noon_h,
        utc_offset_ms=setting.clock.utc_offset_ms,
    )


def _storage(table: dict[str, Any] | None, catalog: Catalog) -> tuple[StorageModel | None, float | None]:
    """The battery, and its state of charge at the start where that is said."""
    place = "site.storage"
    if table is None:
        return None, None
    if "model" in table:
        chosen = strict.convert(table, StorageTable, place)
        return looked_up(catalog.storage, chosen.model, f"{place}.model"), chosen.soc
    start = strict.convert({"soc": table.get("soc")}, StorageStart, place)
    written = {"id": "storage", "name": "Storage", **table}
    written.pop("soc", None)
    return strict.convert(written, StorageModel, place, STORAGE_PROSE), start.soc
