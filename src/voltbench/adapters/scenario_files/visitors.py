"""The visits of a scenario: recorded sessions brought to the connectors of a site, or arrivals made up by a pattern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from voltbench.adapters import strict
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.scenario_files.mixes import mix_of
from voltbench.adapters.scenario_files.moments import LocalTime, written
from voltbench.adapters.scenario_files.sessions import RecordedSession, Recording, refuse_overlaps
from voltbench.adapters.scenario_files.tables import ArrivalsTable
from voltbench.charging.path import can_plug_in
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_DAY, Instant
from voltbench.running import arrivals
from voltbench.running.site_plan import Place
from voltbench.running.visits import Visit

ARRIVALS_PER_CONNECTOR = 8.0
"""How many vehicles come to each connector on a weekday where nobody says."""


def recorded_visits(
    recording: Recording, places: Sequence[Place], clock: LocalTime, ends_at: Instant, overlaps: str = "refuse"
) -> list[Visit]:
    """The recorded sessions that arrive within the story, each as a visit to its connector.

    Where sessions overlap on a connector they are refused, or (`wait`) the later one waits until it has to leave.
    """
    with strict.within(recording.source):
        by_name = _places_by_name(places)
        connectors = [_connector(session, places, by_name) for session in recording.sessions]
        if overlaps == "refuse":
            refuse_overlaps(recording.sessions, connectors)
        together = zip(recording.sessions, connectors, strict=True)
        visits = [_visit(s, c, overlaps == "wait") for s, c in together if clock.start <= s.arrives_at < ends_at]
        if not visits:
            raise _nobody_comes(recording.sessions, clock, ends_at)
        return visits


def _nobody_comes(sessions: Sequence[RecordedSession], clock: LocalTime, ends_at: Instant) -> InvalidInput:
    arrivals_at = sorted(session.arrives_at for session in sessions)
    found = f"arrivals from {written(arrivals_at[0])} to {written(arrivals_at[-1])}"
    allowed = f"{written(clock.start)} to {written(ends_at)}"
    return InvalidInput("sessions", "do not arrive within the horizon", found=found, allowed=allowed)


def made_up_visits(
    table: ArrivalsTable, places: Sequence[Place], clock: LocalTime, days: float, seed: int, catalog: Catalog
) -> list[Visit]:
    """Arrivals by the pattern of a table, with vehicles that fit a connector of the site."""
    assert table.pattern is not None
    connectors = [place.connector_model for place in places]
    mix = mix_of(table.pattern, table.mix, connectors, catalog)
    per_day = ARRIVALS_PER_CONNECTOR * len(places) if table.per_day is None else table.per_day
    with strict.at("arrivals"):
        return arrivals.visits(
            table.pattern,
            per_day,
            days,
            clock.start,
            mix,
            seed,
            dc=any(connector.is_dc for connector in connectors),
            patience_min=table.patience_min,
            utc_offset_ms=clock.utc_offset_ms,
            condition=table.condition,
        )


LONGEST_DAYS = 3_660
"""A horizon that nobody has asked for, and that is longer than this, is taken for a wrong year in a file."""


def days_of(recording: Recording, clock: LocalTime) -> float:
    """Days from the start to the end of the day on which the last session departs."""
    last = max(session.departs_at for session in recording.sessions)
    whole_days = max(1, -(-(last - clock.midnight) // MS_PER_DAY))
    if whole_days > LONGEST_DAYS:
        allowed = f"up to {LONGEST_DAYS} days from the start, or horizon.days that says how many"
        raise InvalidInput("sessions", "span a long time", found=f"{whole_days} days", allowed=allowed)
    return (clock.midnight + whole_days * MS_PER_DAY - clock.start) / MS_PER_DAY


def _visit(session: RecordedSession, connector: str | None, waits: bool) -> Visit:
    return Visit(
        id=session.id,
        vehicle=session.vehicle,
        asked_wh=session.asked_wh,
        arrives_at=session.arrives_at,
        departs_at=session.departs_at,
        connector=connector,
        patience_ms=session.departs_at - session.arrives_at if waits else 0,
        weight=session.weight,
        priority=session.priority,
    )


def _places_by_name(places: Sequence[Place]) -> dict[str, list[Place]]:
    """The connectors that are meant by the name of a connector or of a station."""
    by_name: dict[str, list[Place]] = {}
    for place in places:
        for name in {place.connector, place.station}:
            by_name.setdefault(name, []).append(place)
    return by_name


def _connector(session: RecordedSession, places: Sequence[Place], by_name: Mapping[str, Sequence[Place]]) -> str | None:
    """The connector a session means, which its vehicle has to fit; None where any will do."""
    if session.connector is None:
        _check_fits(session, places, session.row.one_of("vehicle", "capacity_wh", "capacity_kwh") or "vehicle")
        return None
    column = session.row.needed("connector", "evse")
    meant, field = session.connector, session.row.field(column)
    place = _numbered(meant, places, field) if isinstance(meant, int) else _named(meant, by_name, field)
    _check_fits(session, [place], column)
    return place.connector


def _numbered(number: int, places: Sequence[Place], field: str) -> Place:
    if number >= len(places):
        raise InvalidInput(field, "is no connector of the site", found=number, allowed=f"0 to {len(places) - 1}")
    return places[number]


def _named(name: str, by_name: Mapping[str, Sequence[Place]], field: str) -> Place:
    found = by_name[strict.chosen(name, by_name, field, "is no connector of the site")]
    if len(found) > 1:
        names = ", ".join(place.connector for place in found)
        raise InvalidInput(field, "is a station with several connectors", found=name, allowed=names)
    return found[0]


def _check_fits(session: RecordedSession, places: Sequence[Place], column: str) -> None:
    if not any(can_plug_in(session.vehicle, place.connector_model) for place in places):
        types = ", ".join(sorted({place.connector_model.type for place in places}))
        found = f"{session.vehicle.model.id} with {', '.join(session.vehicle.model.inlets)}"
        raise InvalidInput(session.row.field(column), "does not fit its vehicle", found=found, allowed=types)
