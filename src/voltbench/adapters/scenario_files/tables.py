"""The TOML format of a scenario, as structs: what may be written, in which units, and what is meant without it.

    name = "Our car park"                   seed = 1

    [horizon]   start = 2026-06-01          days = 7

    [site]      limit_w = 150_000           limit_a, load_w, pv or generation_w, export_limit_w
    [[site.nodes]]      id = "feeder-1"     parent, limit_w, limit_a
    [[site.limits]]     source = "operator" node, power_w, current_a
    [[site.lines]]      id = "line 1"       limit_a, line, terms
    [site.storage]      model = "..."       soc; or a storage model written out

    [[stations]]        model = "..."       id, count, node, rotation
    [control]           strategy = "..."    interval_s, rotation_min, ...
    [arrivals]          pattern = "..."     per_day, mix, patience_min; or sessions = "file.csv"
    [tariff]            source = "..."      or time_of_use, import_price_per_kwh; vat, feed_in, peak, ...

Powers are in W, energies in Wh, currents in A per phase, and so on: the unit is in the name. Whatever may change over
time (`Quantity`) is a number or a table, see `quantity.py`. Paths are relative to the scenario file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from voltbench.adapters.prices.tariff_tables import TariffTable
from voltbench.battery.thermal import MILD_DEGC
from voltbench.charging.vehicle import Condition

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
Amount: TypeAlias = Annotated[float, Meta(ge=0)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Quantity: TypeAlias = float | dict[str, Any]
Celsius: TypeAlias = Annotated[float, Meta(ge=-40, le=60)]
Line: TypeAlias = Literal["L1", "L2", "L3"]

MOST_DAYS = 3_660
MOST_STATIONS = 5_000


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of a scenario file."""


class Horizon(Table, frozen=True):
    """From when, and for how long. `start` is a date (its midnight, UTC) or a time with its UTC offset, then local.

    Without `days` it is one day, or as long as the recorded sessions last.
    """

    start: Any = None
    days: Annotated[float, Meta(gt=0, le=MOST_DAYS)] | None = None


class StorageStart(Table, frozen=True):
    """The state of charge a battery starts with; without it, it is full."""

    soc: Share | None = None


class StorageTable(StorageStart, frozen=True, kw_only=True):
    """A battery of the catalog."""

    model: Id


class NodeTable(Table, frozen=True):
    """A feeder or panel below the grid connection, which is called `grid`; its limits count as its `rating`."""

    id: Id
    parent: Id = "grid"
    limit_w: Quantity | None = None
    limit_a: Quantity | None = None


class LimitTable(Table, frozen=True):
    """What one source allows at a node, or at a station whose connectors share power."""

    source: Id
    node: Id = "grid"
    power_w: Quantity | None = None
    current_a: Quantity | None = None


class TermTable(Table, frozen=True):
    """How the connectors of `of` (a connector, a station or a group of stations) load a line.

    Either `pair` says between which lines they hang, or the line carries `magnitude` times their current, turned by
    `angle_deg`.
    """

    of: Id
    pair: Literal["L1-L2", "L2-L3", "L3-L1"] | None = None
    magnitude: Amount | None = None
    angle_deg: float = 0.0


class LineTable(Table, frozen=True):
    """A limit on the current of one line, which is a sum of phasors. `line` is needed for terms with a `pair`."""

    id: Id
    limit_a: Amount
    terms: Annotated[list[TermTable], Meta(min_length=1)]
    line: Line | None = None


class PvTable(Table, frozen=True):
    """Photovoltaics under a clear sky."""

    peak_w: Amount
    latitude_deg: Annotated[float, Meta(ge=-90, le=90)]
    performance: Share = 0.85
    solar_noon_h: Annotated[float, Meta(ge=0, lt=24)] = 12.0


class SiteTable(Table, frozen=True):
    """The place: its grid connection (limits of the `contract`), what lies below it, and its own load and generation.

    `storage` is a model of the catalog, or a storage model written out; its `soc` is that at the start. What is
    `ambient_degc` around cars matters to those whose pack is modelled.
    """

    id: Id = "site"
    limit_w: Quantity | None = None
    limit_a: Quantity | None = None
    export_limit_w: Amount | None = None
    load_w: Quantity = 0.0
    generation_w: Quantity | None = None
    pv: PvTable | None = None
    storage: dict[str, Any] | None = None
    ambient_degc: Celsius = MILD_DEGC
    nodes: Annotated[list[NodeTable], Meta(max_length=MOST_STATIONS)] = []
    limits: Annotated[list[LimitTable], Meta(max_length=MOST_STATIONS)] = []
    lines: Annotated[list[LineTable], Meta(max_length=100)] = []


class StationTable(Table, frozen=True):
    """Stations of one model. With `count` they are called `id-1`, `id-2` and so on, else just `id`.

    `id` is the model's unless said. `rotation` is the line on which their first phase lies; `alternate` moves on by
    one from station to station.
    """

    model: Id
    id: Id | None = None
    count: Annotated[int, Meta(ge=1, le=MOST_STATIONS)] | None = None
    node: Id = "grid"
    rotation: Literal["L1", "L2", "L3", "alternate"] = "L1"


class ControlTable(Table, frozen=True):
    """How the site is run; what is not said is as in `energy.control.ControlOptions`."""

    strategy: str = "max_min"
    interval_s: Annotated[float, Meta(ge=0.001, le=86_400)] = 10.0
    on_events: bool = True
    by_rating: bool = False
    rotation_min: Annotated[float, Meta(ge=0.1, le=1_440)] = 15.0
    minimum_on_min: Annotated[float, Meta(ge=0, le=1_440)] = 0.0
    minimum_off_min: Annotated[float, Meta(ge=0, le=1_440)] = 0.0
    recharge_band_w: Amount = 1_000.0


class ArrivalsTable(Table, frozen=True):
    """Who comes: made up by a `pattern`, or recorded in a file of `sessions`.

    `mix` gives weights to vehicles of the catalog. Their batteries hold `soh` of what they held when new. Those whose
    pack is modelled are at `battery_degc` as they come, and have `resistance` times what they had when new: cells age
    in both ways, and one alone says too little. Sessions that overlap on one connector are refused, or the later one
    waits for the earlier to leave.
    """

    pattern: Literal["workplace", "public", "home", "highway"] | None = None
    per_day: Annotated[float, Meta(ge=0, le=100_000)] | None = None
    mix: dict[str, Any] | None = None
    patience_min: Annotated[float, Meta(ge=0, le=1_440)] | None = None
    sessions: Annotated[str, Meta(min_length=1)] | None = None
    battery_degc: Celsius = MILD_DEGC
    soh: Annotated[float, Meta(gt=0, le=1)] = 1.0
    resistance: Annotated[float, Meta(gt=0, le=100)] = 1.0
    overlaps: Literal["refuse", "wait"] = "refuse"

    @property
    def condition(self) -> Condition:
        """How the batteries are that come."""
        return Condition(self.battery_degc, self.soh, self.resistance)


class ScenarioTariff(TariffTable, frozen=True, kw_only=True):
    """What energy costs and emits. Prices may be negative, and may be unknown.

    A kWh costs ((price x (1 + `markup`)) + fees) x (1 + `vat`), where the price is `import_price_per_kwh`, that of a
    `source` as `elprisetjustnu:SE3` or `file:prices.csv` ([which there are](../how-to/prices-and-tariffs.md); it has to
    know all of the horizon), or that by `time_of_use`. Fees are `fees_per_kwh` and the `grid_fee`, without VAT. To
    prices that include VAT (a source says so itself) it is not added again. Windows and months go by the clocks of
    `zone`, without it by those of the start. `holidays` are dates that count as Sundays. `demand_price_per_kw` is
    charged once, on the largest quarter hour.

    The strategy `planned` knows prices of a `source`, and those given for certain days (`values`, `steps`, `file`), as
    markets publish them: those of a day `published_at` a time of the day before, `"13:00"` unless said. Day and time
    go by the clocks of the market, which for services are Central European (Octopus: `"17:00"` there), else by those
    of `zone`. With `"always"` they are known from the start, as one price, a `daily` one and `time_of_use` are anyway.
    """

    published_at: Annotated[str, Meta(min_length=1, max_length=20)] | None = None
    import_price_per_kwh: Quantity | None = None
    export_price_per_kwh: Quantity | None = None
    demand_price_per_kw: Amount = 0.0
    co2_g_per_kwh: Quantity | None = None


class ScenarioTable(Table, frozen=True):
    """A whole scenario file."""

    stations: Annotated[list[StationTable], Meta(min_length=1, max_length=MOST_STATIONS)]
    name: Id | None = None
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    horizon: Horizon = Horizon()
    site: SiteTable = SiteTable()
    control: ControlTable = ControlTable()
    arrivals: ArrivalsTable | None = None
    tariff: ScenarioTariff = ScenarioTariff()
