"""A scenario from a TOML file (see `tables.py` for what may stand in it)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources.abc import Traversable
from typing import Any

from voltbench.adapters import strict
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.scenario_files.changes import Changes
from voltbench.adapters.scenario_files.moments import LocalTime, local_time, refuse_naive
from voltbench.adapters.scenario_files.publication import publication_of
from voltbench.adapters.scenario_files.quantity import Setting
from voltbench.adapters.scenario_files.sessions import Recording, read_rows, recording
from voltbench.adapters.scenario_files.site import STORAGE_PROSE, site_plan
from voltbench.adapters.scenario_files.tables import (
    ArrivalsTable,
    ControlTable,
    ScenarioTable,
)
from voltbench.adapters.scenario_files.tariff import tariff_of
from voltbench.adapters.scenario_files.visitors import days_of, made_up_visits, recorded_visits
from voltbench.charging.vehicle import AS_NEW
from voltbench.energy.allocate import STRATEGIES
from voltbench.energy.control import ControlOptions
from voltbench.energy.gate import Turns
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_DAY, MS_PER_MINUTE, MS_PER_SECOND
from voltbench.running.scenario import Scenario
from voltbench.running.visits import Visit


def scenario_of(written: Any, name: str, folder: Traversable, changes: Changes, catalog: Catalog) -> Scenario:
    """The scenario that parsed TOML describes, with what the caller wants otherwise. Its paths start at `folder`."""
    table = strict.convert(written, ScenarioTable, prose=STORAGE_PROSE)
    refuse_naive(table.horizon.start, "horizon.start")
    clock = local_time(table.horizon.start, "horizon.start")
    arrivals = _arrivals(table.arrivals, changes)
    recorded = _recording(arrivals, folder, changes, clock, catalog)
    days = changes.days or table.horizon.days or (days_of(recorded, clock) if recorded is not None else 1.0)
    setting = Setting(clock, clock.start + round(days * MS_PER_DAY), folder)
    site = changes.of_site(site_plan(table.site, table.stations, setting, catalog))
    seed = table.seed if changes.seed is None else changes.seed
    if recorded is not None:
        overlaps = changes.overlaps or arrivals.overlaps
        visits = _in_condition(recorded_visits(recorded, site.places, clock, setting.ends_at, overlaps), arrivals)
    else:
        visits = made_up_visits(arrivals, site.places, clock, days, seed, catalog)
    return Scenario(
        name=table.name or name,
        site=site,
        visits=visits,
        starts_at=clock.start,
        ends_at=setting.ends_at,
        options=changes.of_options(_options(table.control)),
        tariff=tariff_of(table.tariff, setting),
        published=publication_of(table.tariff, clock),
        seed=seed,
        ambient_degc=table.site.ambient_degc,
    )


def _in_condition(visits: Sequence[Visit], arrivals: ArrivalsTable) -> Sequence[Visit]:
    """The same recorded visits, of vehicles whose batteries are in the condition that is told."""
    if arrivals.condition == AS_NEW:
        return visits
    return [replace(visit, vehicle=visit.vehicle.in_condition(arrivals.condition)) for visit in visits]


def _arrivals(table: ArrivalsTable | None, changes: Changes) -> ArrivalsTable:
    """Who comes. Where the caller names a file of sessions, that counts."""
    if changes.sessions is not None:
        return table or ArrivalsTable()
    if table is None:
        raise InvalidInput("arrivals", "is missing", allowed="a table with pattern or sessions")
    if (table.pattern is None) == (table.sessions is None):
        raise InvalidInput("arrivals", "needs one way to say who comes", allowed="pattern or sessions")
    return table


def _recording(
    arrivals: ArrivalsTable, folder: Traversable, changes: Changes, clock: LocalTime, catalog: Catalog
) -> Recording | None:
    file: Traversable
    if changes.sessions is not None:
        file, field = changes.sessions, "sessions"
    elif arrivals.sessions is not None:
        file, field = folder.joinpath(arrivals.sessions), "arrivals.sessions"
    else:
        return None
    return recording(read_rows(file, field), str(file), clock, catalog)


def _options(control: ControlTable) -> ControlOptions:
    return ControlOptions(
        strategy=strict.chosen(control.strategy, STRATEGIES, "control.strategy"),
        interval_ms=round(control.interval_s * MS_PER_SECOND),
        on_events=control.on_events,
        by_rating=control.by_rating,
        turns=_turns(control),
        recharge_band_w=control.recharge_band_w,
    )


def _turns(control: ControlTable) -> Turns:
    minutes = (control.rotation_min, control.minimum_on_min, control.minimum_off_min)
    try:
        return Turns(*(round(length * MS_PER_MINUTE) for length in minutes))
    except InvalidInput as error:
        raise strict.under("control", error) from error
