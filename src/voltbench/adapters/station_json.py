"""The station configuration of the contract, as JSON in its own names: powers in kW, energy in kWh, SoC in percent.

    {
      "stationId": "ELECTRA_PARIS_15", "gridCapacity": 400,
      "chargers": [{"id": "CP001", "maxPower": 200, "connectors": 2}],   // or a list, see ConnectorConfig
      "battery": {"initialCapacity": 200, "power": 100}                  // optional
    }

Optional: `staticLoad` (kW), `confirmation`, `releaseUnused`, `limitValidity` (s), `strategy`.
Comments are allowed. A charger's power is shared by its connectors. The battery starts full (at `maxSOC`) unless
`initialSoc` says otherwise, and has no losses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from voltbench.adapters import json_text, strict
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.charging.vehicle import CONNECTOR_TYPES
from voltbench.energy.allocate import BY_PLAN, STRATEGIES
from voltbench.energy.claim import BINDING_WORDS
from voltbench.energy.commit import Confirmation
from voltbench.energy.control import ControlOptions
from voltbench.errors import InvalidInput
from voltbench.quantities import w_from_kw
from voltbench.running.site_plan import Place, SitePlan
from voltbench.site.limits import LimitTree, Node, Outlet
from voltbench.site.series import StepSeries
from voltbench.site.storage import StorageModel

GRID = "grid"
"""The node of the grid connection; `vehicle` is what binds where no limit of the site does."""

TAKEN_IDS = (GRID, *BINDING_WORDS)
LIVE_STRATEGIES = tuple(name for name in STRATEGIES if name not in BY_PLAN)
"""Strategies for sessions of which nothing but the power is told."""

LARGEST_KW = 1e6
MOST_CONNECTORS = 2_000
"""Of one configuration, all chargers together: while more are looked at, every other site would have to wait."""

Id = Annotated[str, Meta(min_length=1, max_length=255)]
Kilo = Annotated[float, Meta(gt=0, le=LARGEST_KW)]
Percent = Annotated[float, Meta(ge=0, le=100)]

CONNECTOR_WORDS = {
    "CCS": "cCCS2",
    "CCS1": "cCCS1",
    "CCS2": "cCCS2",
    "COMBO CCS": "cCCS2",
    "CHADEMO": "cG105",
    "NACS": "cTesla",
    "TYPE1": "cType1",
    "TYPE2": "cType2",
    "TYPE 2": "cType2",
}
"""Names by which people call connectors, in capitals, beside those of OCPP 2.0.1."""


class ConnectorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A connector of a charger; `max_power` in kW is its own ceiling, beside what the charger shares out."""

    connector_id: Annotated[int, Meta(ge=1, le=1_000_000)]
    connector_type: str = "CCS2"
    max_power: Kilo | None = None


class ChargerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A charger: `max_power` in kW, shared by its connectors. A number of connectors counts them from 1."""

    id: Id
    max_power: Kilo = field(name="maxPower")
    connectors: Annotated[int, Meta(ge=1, le=100)] | Annotated[list[ConnectorConfig], Meta(max_length=100)]

    @property
    def connector_count(self) -> int:
        """How many connectors it has."""
        return self.connectors if isinstance(self.connectors, int) else len(self.connectors)

    def connector_list(self) -> list[ConnectorConfig]:
        """Its connectors, spelled out."""
        if isinstance(self.connectors, int):
            return [ConnectorConfig(i) for i in range(1, self.connectors + 1)]
        return self.connectors


class BatteryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The stationary battery: its capacity in kWh, its power each way in kW, its SoC window and start in percent."""

    initial_capacity: Kilo = field(name="initialCapacity")
    power: Kilo
    min_soc: Percent = field(name="minSOC", default=10.0)
    max_soc: Percent = field(name="maxSOC", default=100.0)
    initial_soc: Percent | None = field(name="initialSoc", default=None)

    @property
    def start_soc(self) -> float:
        """State of charge it starts with, in percent."""
        return self.max_soc if self.initial_soc is None else self.initial_soc


class StationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the contract calls a station, and we a site. Raises InvalidInput when ids repeat or do not fit together."""

    station_id: Id = field(name="stationId")
    grid_capacity: Kilo = field(name="gridCapacity")
    chargers: Annotated[list[ChargerConfig], Meta(max_length=1_000)]
    battery: BatteryConfig | None = None
    static_load: Annotated[float, Meta(ge=0, le=LARGEST_KW)] = field(name="staticLoad", default=0.0)
    confirmation: Literal["instant", "reported"] = "instant"
    release_unused: bool = field(name="releaseUnused", default=False)
    limit_validity: Annotated[float, Meta(ge=1, le=86_400)] | None = field(name="limitValidity", default=None)
    strategy: str = "max_min"

    def __post_init__(self) -> None:
        _check_chargers(self.chargers)
        strict.chosen(self.strategy, STRATEGIES, "strategy")
        if self.strategy in BY_PLAN:
            problem = "plans for departures, which a live session does not state; simulate it with --strategy"
            raise InvalidInput("strategy", problem, found=self.strategy, allowed=", ".join(LIVE_STRATEGIES))
        if self.battery is not None:
            _check_window(self.battery)


def parse(text: bytes | str) -> StationConfig:
    """The configuration a JSON text gives. Raises UnreadableJson (not JSON) or InvalidInput (naming the field)."""
    return config_of(json_text.parse(text))


def config_of(table: Any) -> StationConfig:
    """The configuration that a parsed JSON object gives. Raises InvalidInput that names the field."""
    if not isinstance(table, dict):
        allowed = "an object with stationId, gridCapacity and chargers"
        raise InvalidInput("configuration", "is no JSON object", found=strict.shown(table), allowed=allowed)
    return strict.convert(table, StationConfig)


def to_json(config: StationConfig) -> dict[str, Any]:
    """The JSON object of a configuration; parsed again it is the same configuration."""
    table = msgspec.to_builtins(config)
    assert isinstance(table, dict)
    return table


def control_options(config: StationConfig) -> ControlOptions:
    """How the configured site is run."""
    return ControlOptions(strategy=config.strategy, confirmation=Confirmation(config.confirmation))


def site_plan(config: StationConfig) -> SitePlan:
    """The site of a configuration: a node for each charger, an outlet `CHARGER:CONNECTOR` for each connector."""
    places = [place for charger in config.chargers for place in _places(charger)]
    nodes = [Node(GRID), *(Node(charger.id, GRID) for charger in config.chargers)]
    tree = LimitTree(nodes, [Outlet(place.connector, place.station) for place in places])
    tree.set_limit(GRID, "contract", power_w=w_from_kw(config.grid_capacity))
    for charger in config.chargers:
        tree.set_limit(charger.id, "rating", power_w=w_from_kw(charger.max_power))
    return SitePlan(
        id=config.station_id,
        tree=tree,
        places=places,
        storage=_storage(config.battery) if config.battery is not None else None,
        storage_soc=config.battery.start_soc / 100.0 if config.battery is not None else None,
        load_w=StepSeries.constant(w_from_kw(config.static_load)),
    )


def outlet_id(charger: str, connector: int) -> str:
    """The name of a connector on its site, such as `CP001:1`."""
    return f"{charger}:{connector}"


def _places(charger: ChargerConfig) -> list[Place]:
    connectors = {c.connector_id: _connector_model(c, charger.max_power) for c in charger.connector_list()}
    station = StationModel(charger.id, charger.id, w_from_kw(charger.max_power), tuple(connectors.values()), "config")
    return [Place(outlet_id(charger.id, i), charger.id, station, model) for i, model in connectors.items()]


def _connector_model(connector: ConnectorConfig, shared_kw: float) -> ConnectorModel:
    most_kw = shared_kw if connector.max_power is None else connector.max_power
    return ConnectorModel(_connector_type(connector.connector_type), w_from_kw(most_kw))


def _connector_type(name: str) -> str:
    return name if name in CONNECTOR_TYPES else CONNECTOR_WORDS[name.upper()]


def _storage(battery: BatteryConfig) -> StorageModel:
    return StorageModel(
        id="battery",
        name="Battery",
        capacity_wh=w_from_kw(battery.initial_capacity),
        charge_max_w=w_from_kw(battery.power),
        discharge_max_w=w_from_kw(battery.power),
        soc_min=battery.min_soc / 100.0,
        soc_max=battery.max_soc / 100.0,
    )


def _check_chargers(chargers: list[ChargerConfig]) -> None:
    if not chargers:
        raise InvalidInput("chargers", "are missing", found="an empty list", allowed="at least one")
    connectors = sum(charger.connector_count for charger in chargers)
    if connectors > MOST_CONNECTORS:
        allowed = f"{MOST_CONNECTORS} or fewer"
        raise InvalidInput("chargers", "have too many connectors in all", found=connectors, allowed=allowed)
    _refuse_twins(((f"chargers[{i}].id", c.id) for i, c in enumerate(chargers)), TAKEN_IDS)
    for i, charger in enumerate(chargers):
        _check_connectors(charger, f"chargers[{i}].connectors")


def _check_connectors(charger: ChargerConfig, place: str) -> None:
    connectors = charger.connector_list()
    if not connectors:
        raise InvalidInput(place, "are missing", found="an empty list", allowed="at least one")
    _refuse_twins((f"{place}[{k}].connector_id", c.connector_id) for k, c in enumerate(connectors))
    for k, connector in enumerate(connectors):
        known = connector.connector_type in CONNECTOR_TYPES or connector.connector_type.upper() in CONNECTOR_WORDS
        if not known:
            names = [*CONNECTOR_WORDS, *CONNECTOR_TYPES]
            strict.chosen(connector.connector_type, names, f"{place}[{k}].connector_type")


def _check_window(battery: BatteryConfig) -> None:
    """Refuse a window of state of charge that is none, and a start outside of it."""
    least, most = battery.min_soc, battery.max_soc
    if least >= most:
        raise InvalidInput("battery.minSOC", "is out of range", found=least, allowed="less than maxSOC")
    if not least <= battery.start_soc <= most:
        allowed = f"minSOC to maxSOC, {least:g} to {most:g}"
        raise InvalidInput("battery.initialSoc", "is out of range", found=battery.start_soc, allowed=allowed)


def _refuse_twins(ids: Iterable[tuple[str, str | int]], taken: Iterable[str] = ()) -> None:
    seen: set[str | int] = set(taken)
    for place, id in ids:
        if id in seen:
            raise InvalidInput(place, "is taken already", found=id, allowed="each id once")
        seen.add(id)


BASE_EXAMPLE = StationConfig(
    station_id="ELECTRA_PARIS_15",
    grid_capacity=400.0,
    chargers=[
        ChargerConfig(id="CP001", max_power=200.0, connectors=2),
        ChargerConfig(id="CP002", max_power=200.0, connectors=2),
        ChargerConfig(id="CP003", max_power=300.0, connectors=2),
    ],
    battery=BatteryConfig(initial_capacity=200.0, power=100.0),
)
"""The base example of the contract, with its battery: what the default site is until somebody configures it."""
