"""Small makers of the things that tests speak of: a car, a visit, a site, a scenario. Each fact has a plain default."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.charging.vehicle import Acceptance, OnboardCharger, Vehicle, VehicleModel
from voltbench.energy.control import ControlOptions
from voltbench.jobs import Job, JobId, JobStatus
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, Instant
from voltbench.running.scenario import Scenario
from voltbench.running.site_plan import Place, SitePlan
from voltbench.running.visits import Visit
from voltbench.site.limits import LimitTree, Node, Outlet
from voltbench.site.series import StepSeries, as_series
from voltbench.site.storage import StorageModel
from voltbench.site.tariff import Tariff

MIDNIGHT: Instant = 1_772_409_600_000
"""When the tests' day begins: Monday 2026-03-02 00:00 UTC."""


def at(hour: float, minute: float = 0.0) -> Instant:
    """An instant on the tests' day."""
    return MIDNIGHT + round(hour * MS_PER_HOUR + minute * MS_PER_MINUTE)


def a_vehicle_model(
    id: str = "car",
    capacity_wh: float = 75_000.0,
    peak_w: float = 150_000.0,
    knee_soc: float = 0.8,
    ac: OnboardCharger | None = None,
) -> VehicleModel:
    """A car that takes `peak_w` up to its knee and then ever less, on CCS2 (and Type 2 with `ac`)."""
    inlets = ("cCCS2", "cType2") if ac is not None else ("cCCS2",)
    curve = Acceptance((0.0, knee_soc, 1.0), (peak_w, peak_w, 0.0))
    return VehicleModel(id, id, capacity_wh, curve, inlets, "made up for tests", ac)


def a_visit(
    id: str = "visit-1",
    arrives_at: Instant | None = None,
    stays_h: float = 2.0,
    asked_wh: float = 40_000.0,
    soc: float = 0.2,
    model: VehicleModel | None = None,
    connector: str | None = None,
    leaves_satisfied: bool = False,
    patience_ms: int = 0,
) -> Visit:
    """A car that comes at eight for 40 kWh and stays two hours."""
    arrives_at = at(8) if arrives_at is None else arrives_at
    departs_at = arrives_at + round(stays_h * MS_PER_HOUR)
    vehicle = Vehicle(id, model or a_vehicle_model(), soc)
    return Visit(id, vehicle, asked_wh, arrives_at, departs_at, connector, leaves_satisfied, patience_ms)


def a_station_model(power_w: float = 200_000.0, connectors: int = 2, efficiency: float = 1.0) -> StationModel:
    """A fast charging station whose connectors share its power."""
    connector = ConnectorModel("cCCS2", power_w)
    return StationModel("station", "station", power_w, (connector,) * connectors, "made up for tests", efficiency)


def a_site(
    grid_w: float | StepSeries = 400_000.0,
    stations: int = 2,
    station: StationModel | None = None,
    storage: StorageModel | None = None,
    storage_soc: float | None = None,
    load_w: float | StepSeries = 0.0,
    generation_w: float | StepSeries = 0.0,
    export_limit_w: float = inf,
) -> SitePlan:
    """A site of equal stations below one grid connection; connectors are called `station-1:1`, `station-1:2` ..."""
    model = station or a_station_model()
    names = [f"station-{i + 1}" for i in range(stations)]
    places = [Place(f"{n}:{k + 1}", n, model, c) for n in names for k, c in enumerate(model.connectors)]
    nodes = [Node("grid")] + [Node(name, "grid") for name in names]
    tree = LimitTree(nodes, [Outlet(place.connector, place.station) for place in places])
    tree.set_limit("grid", "contract", power_w=grid_w)
    for name in names:
        tree.set_limit(name, "rating", power_w=model.max_power_w / model.efficiency)
    load, generation = as_series(load_w), as_series(generation_w)
    return SitePlan("site", tree, places, storage, storage_soc, load, generation, export_limit_w)


def a_storage(capacity_wh: float = 200_000.0, power_w: float = 200_000.0, efficiency: float = 1.0) -> StorageModel:
    """A stationary battery that works between 10 and 100 %, as strong one way as the other."""
    return StorageModel("bess", "bess", capacity_wh, power_w, power_w, efficiency, efficiency)


def a_scenario(
    visits: Sequence[Visit] | None = None,
    site: SitePlan | None = None,
    strategy: str = "max_min",
    hours: float = 24.0,
    tariff: Tariff | None = None,
    options: ControlOptions | None = None,
) -> Scenario:
    """A day at a site, from midnight; without visits, one car comes at eight."""
    return Scenario(
        name="a day",
        site=site or a_site(),
        visits=[a_visit()] if visits is None else visits,
        starts_at=MIDNIGHT,
        ends_at=MIDNIGHT + round(hours * MS_PER_DAY / 24),
        options=replace(options or ControlOptions(), strategy=strategy),
        tariff=tariff or Tariff(),
    )


def a_job(id: str, status: JobStatus) -> Job:
    """A job that was asked for, begun and ended in the first milliseconds of all time, if it has begun and ended."""
    return Job(
        id=JobId(id),
        kind="simulation",
        status=status,
        priority=0,
        submitted_at=0,
        started_at=None if status is JobStatus.QUEUED else 1,
        ended_at=2 if status.is_ended else None,
        done=1,
        total=1,
        attempts=1,
    )
