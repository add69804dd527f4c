"""The stations of a scenario file: so many of a model, where they hang, and how their connectors are called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from voltbench.adapters import strict
from voltbench.adapters.catalog import Catalog, UnknownModel
from voltbench.adapters.scenario_files.tables import NodeTable, StationTable
from voltbench.charging.station import StationModel
from voltbench.energy.claim import BINDING_WORDS
from voltbench.errors import InvalidInput
from voltbench.running.site_plan import Place
from voltbench.site.limits import PHASES

GRID = "grid"
_TAKEN = (GRID, *BINDING_WORDS)

Model = TypeVar("Model")


@dataclass(frozen=True, slots=True)
class Station:
    """A station as it is built: which group of the file it is of, where it hangs, and how its phases are turned."""

    id: str
    group: str
    model: StationModel
    node: str
    rotation: tuple[int, int, int]

    @property
    def shares_power(self) -> bool:
        """Whether its connectors together could draw more than it gives, so that it is a limit of its own."""
        return sum(c.max_power_w for c in self.model.connectors) > self.model.max_power_w

    @property
    def input_w(self) -> float:
        """The most it draws from the site, in W."""
        return self.model.max_power_w / self.model.efficiency

    def places(self) -> list[Place]:
        """Its connectors, called `STATION:1`, `STATION:2` and so on."""
        return [
            Place(f"{self.id}:{i}", self.id, self.model, connector)
            for i, connector in enumerate(self.model.connectors, 1)
        ]


def stations_of(groups: Sequence[StationTable], nodes: Sequence[NodeTable], catalog: Catalog) -> list[Station]:
    """Every station of the file, in its order. Refuses unknown models and nodes, and ids that are taken."""
    stations = [station for i, group in enumerate(groups) for station in _stations(i, group, catalog)]
    _check_ids(nodes, groups, stations)
    return stations


def looked_up(find: Callable[[str], Model], id: str, field: str) -> Model:
    """A model of the catalog. What is not there is refused with ids that are spelled like it."""
    try:
        return find(id)
    except UnknownModel as error:
        allowed = ", ".join(error.similar) or f"see the catalog of {error.kind}s"
        raise InvalidInput(field, "is not in the catalog", found=strict.shown(id), allowed=allowed) from error


def _stations(i: int, group: StationTable, catalog: Catalog) -> Iterator[Station]:
    model = looked_up(catalog.station, group.model, f"stations[{i}].model")
    name = group.id or group.model
    count = group.count or 1
    width = len(str(count))
    for k in range(count):
        id = name if group.count is None else f"{name}-{k + 1:0{width}d}"
        first = k % 3 if group.rotation == "alternate" else PHASES.index(group.rotation)
        yield Station(id, name, model, group.node, (first, (first + 1) % 3, (first + 2) % 3))


def _check_ids(nodes: Sequence[NodeTable], groups: Sequence[StationTable], stations: Sequence[Station]) -> None:
    """Refuse ids that are taken, and nodes that are not there (or not yet: parents come first)."""
    known = [GRID]
    for i, node in enumerate(nodes):
        if node.id in (*known, *_TAKEN):
            raise InvalidInput(f"site.nodes[{i}].id", "is taken already", found=node.id, allowed="each id once")
        strict.chosen(node.parent, known, f"site.nodes[{i}].parent", "is unknown or comes later")
        known.append(node.id)
    names: list[str] = []
    for i, group in enumerate(groups):
        strict.chosen(group.node, known, f"stations[{i}].node")
        name = group.id or group.model
        if name in (*names, *known, *_TAKEN):
            problem = "is taken already; give each group of stations an id of its own"
            raise InvalidInput(f"stations[{i}].id", problem, found=name, allowed="each id once")
        names.append(name)
    taken = {*known, *_TAKEN}
    for station in stations:
        if station.id in taken:
            raise InvalidInput("stations", "give two things one id", found=station.id, allowed="each id once")
        taken.add(station.id)
