"""Scenarios from files that tell only a part: a configured station, or recorded sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources.abc import Traversable
from typing import Any

from voltbench.adapters import station_json, strict
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.rows import Row
from voltbench.adapters.scenario_files.changes import Changes
from voltbench.adapters.scenario_files.default_site import default_site, on_default_site
from voltbench.adapters.scenario_files.moments import LocalTime, local_time
from voltbench.adapters.scenario_files.sessions import Recording, clock_of, read_rows, recording
from voltbench.adapters.scenario_files.tables import ArrivalsTable
from voltbench.adapters.scenario_files.visitors import days_of, made_up_visits, recorded_visits
from voltbench.energy.commit import Confirmation
from voltbench.energy.control import ControlOptions
from voltbench.quantities import MS_PER_DAY, Instant
from voltbench.running.scenario import Scenario
from voltbench.running.site_plan import SitePlan


def of_station(table: dict[str, Any], name: str, changes: Changes, catalog: Catalog) -> Scenario:
    """A configured station, lived through with recorded sessions, or for a day with arrivals as on a highway.

    Its vehicles are our own twins, so that what they are told counts at once, whatever `confirmation` says.
    """
    config = station_json.config_of(table)
    site = changes.of_site(station_json.site_plan(config))
    options = replace(station_json.control_options(config), confirmation=Confirmation.INSTANT)
    if changes.sessions is not None:
        rows = read_rows(changes.sessions, "sessions")
        clock = clock_of(rows, str(changes.sessions))
        recorded = recording(rows, str(changes.sessions), clock, catalog)
        return _lived_through(name, site, recorded, clock, changes, options)
    clock, days, seed = local_time(None), changes.days or 1.0, changes.seed or 0
    visits = made_up_visits(ArrivalsTable(pattern="highway"), site.places, clock, days, seed, catalog)
    return Scenario(name, site, visits, clock.start, _end(clock, days), changes.of_options(options), seed=seed)


def of_sessions(rows: Sequence[Row], file: Traversable, changes: Changes, catalog: Catalog) -> Scenario:
    """Recorded sessions on a site of their own (see `default_site.py`), or those that the caller names instead."""
    source = str(file)
    if changes.sessions is not None:
        rows, source = read_rows(changes.sessions, "sessions"), str(changes.sessions)
    clock = clock_of(rows, source)
    recorded = recording(rows, source, clock, catalog)
    with strict.within(source):
        site = changes.of_site(default_site(recorded.sessions))
    recorded = replace(recorded, sessions=[on_default_site(session) for session in recorded.sessions])
    name = file.name.rpartition(".")[0] or file.name
    return _lived_through(name, site, recorded, clock, changes, ControlOptions())


def _lived_through(
    name: str, site: SitePlan, recorded: Recording, clock: LocalTime, changes: Changes, options: ControlOptions
) -> Scenario:
    """A site with recorded sessions, until the day is over on which the last one departs."""
    ends_at = _end(clock, changes.days or days_of(recorded, clock))
    visits = recorded_visits(recorded, site.places, clock, ends_at, changes.overlaps or "refuse")
    return Scenario(name, site, visits, clock.start, ends_at, changes.of_options(options), seed=changes.seed or 0)


def _end(clock: LocalTime, days: float) -> Instant:
    return clock.start + round(days * MS_PER_DAY)
