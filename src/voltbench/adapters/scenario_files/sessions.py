"""Recorded sessions, from CSV or JSON: who came when, to which connector, in what state, and wanted how much.

Two vocabularies are understood, and may be mixed: our own, and that of ACN data as it is often passed on.

| ours                   | ACN                       | meaning                                                        |
|------------------------|---------------------------|----------------------------------------------------------------|
| `id`                   | `id`                      | name of the session; without it, its place in the file         |
| `connector`            | `evse`                    | connector by name; by number from 0, in the order of the site  |
| `arrives_at`           | `arrive_min`              | ISO 8601, or minutes from midnight of the first day            |
| `departs_at`           | `depart_min`              | the same; after the arrival                                    |
| `asked_wh`             | `kwh`                     | energy wanted at the connector                                 |
| `soc`                  | `init_kwh`                | state of charge, or energy stored, on arrival                  |
| `capacity_wh`, `max_w` | `capacity_kwh`, `max_kw`  | battery, and the most it accepts                               |
| `vehicle`              |                           | a model of the catalog, instead of capacity and power          |
| `phases`               |                           | AC phases the vehicle uses, 1 to 3 (only with capacity)        |
| `weight`, `priority`   |                           | for strategies that go by them                                 |

Where capacity and power are given the vehicle accepts its full power up to 80 % and then linearly less (the linear
two-stage model of ACN-Sim), without losses, on any connector; on AC it uses one phase up to 7.4 kW and three above.
JSON is a list of objects, or an object with such a list under `sessions` (what else it says is not read).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources.abc import Traversable
from typing import Any

from voltbench.adapters import json_text, strict
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.rows import Row, csv_rows, json_rows, read_bytes, refuse_unknown_columns
from voltbench.adapters.scenario_files.moments import LocalTime, local_time, midnight_of
from voltbench.adapters.scenario_files.stations import looked_up
from voltbench.charging.vehicle import CONNECTOR_TYPES, Acceptance, OnboardCharger, Vehicle, VehicleModel
from voltbench.errors import InvalidInput
from voltbench.quantities import Instant, w_from_kw

COLUMNS = (
    *("id", "connector", "evse", "arrives_at", "arrive_min", "departs_at", "depart_min", "asked_wh", "kwh"),
    *("soc", "init_kwh", "capacity_wh", "capacity_kwh", "max_w", "max_kw", "vehicle", "phases", "weight", "priority"),
)
TRANSITION_SOC = 0.8
RECORDED = "a recorded session"
"""The source of vehicle models that are made from a session's own figures."""

LARGEST_ONE_PHASE_W = 7_400.0
"""32 A at 230 V: what single-phase chargers in cars go up to."""

_LEAST_W = 1.0


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """A session as its file tells it. `connector` is a name, a number from 0, or not said."""

    row: Row
    id: str
    vehicle: Vehicle
    asked_wh: float
    arrives_at: Instant
    departs_at: Instant
    connector: str | int | None
    weight: float
    priority: int

    @property
    def arrival_field(self) -> str:
        """How the cell with its arrival is named to a person."""
        return self.row.field(self.row.needed("arrives_at", "arrive_min"))


@dataclass(frozen=True, slots=True)
class Recording:
    """The sessions of one file, in its order; `source` is the file."""

    source: str
    sessions: Sequence[RecordedSession]


def read_rows(file: Traversable, field: str) -> list[Row]:
    """The rows of a file of sessions, CSV or JSON. Raises InvalidInput in its name."""
    content = read_bytes(file, field)
    with strict.within(str(file)):
        return rows_of_json(json_text.parse(content)) if begins_like_json(content) else csv_rows(content)


def begins_like_json(content: bytes) -> bool:
    """Whether a text begins as our JSON does: with an object, a list of objects, or a comment."""
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start[:1] in (b"{", b"/") or (start[:1] == b"[" and start[1:].lstrip()[:1] in (b"{", b"/", b"]"))


def rows_of_json(found: Any) -> list[Row]:
    """The rows of parsed JSON: a list of objects, or what stands under `sessions`."""
    if isinstance(found, dict):
        if "sessions" not in found:
            raise InvalidInput("sessions", "are missing", allowed="a list of objects")
        return json_rows(found["sessions"], "sessions")
    return json_rows(found, "sessions")


def clock_of(rows: Sequence[Row], source: str) -> LocalTime:
    """The clocks of a place whose story starts at the midnight before the first arrival, if rows give dates."""
    with strict.within(source):
        columns = [(row, row.needed("arrives_at", "arrive_min")) for row in rows]
        moments = [midnight_of(row.cells[column], row.field(column)) for row, column in columns]
        known = [moment for moment in moments if moment is not None]
        return local_time(min(known, key=lambda moment: moment.replace(tzinfo=None), default=None))


def recording(rows: Sequence[Row], source: str, clock: LocalTime, catalog: Catalog) -> Recording:
    """The sessions that rows tell. Raises InvalidInput that names file, row and column."""
    with strict.within(source):
        if not rows:
            raise InvalidInput("sessions", "are missing", allowed="at least one")
        refuse_unknown_columns(rows, COLUMNS)
        sessions = [_session(row, clock, catalog) for row in rows]
        _refuse_twins(sessions)
        return Recording(source, sessions)


def _refuse_twins(sessions: Sequence[RecordedSession]) -> None:
    seen: dict[str, Row] = {}
    for session in sessions:
        if session.id in seen:
            problem = f"is that of {seen[session.id].place} already"
            raise InvalidInput(session.row.field("id"), problem, found=strict.shown(session.id), allowed="each id once")
        seen[session.id] = session.row


def refuse_overlaps(sessions: Sequence[RecordedSession], connectors: Sequence[str | int | None]) -> None:
    """Raise InvalidInput for the first session that comes to its connector while another is still there."""
    latest: dict[str | int, RecordedSession] = {}
    together = zip(sessions, connectors, strict=True)
    for session, connector in sorted(together, key=lambda pair: (pair[0].arrives_at, pair[0].id)):
        if connector is None:
            continue
        before = latest.get(connector)
        if before is not None and session.arrives_at < before.departs_at:
            problem = f"overlaps {before.row.place} on connector {connector!r}"
            raise InvalidInput(session.arrival_field, problem, allowed='a later arrival, or overlaps = "wait"')
        latest[connector] = session


def _session(row: Row, clock: LocalTime, catalog: Catalog) -> RecordedSession:
    arrival, departure = row.needed("arrives_at", "arrive_min"), row.needed("departs_at", "depart_min")
    arrives_at = clock.instant(row.cells[arrival], row.field(arrival))
    departs_at = clock.instant(row.cells[departure], row.field(departure))
    if departs_at <= arrives_at:
        found = strict.shown(row.cells[departure])
        raise InvalidInput(row.field(departure), "is not after the arrival", found=found, allowed="a later time")
    asked = row.needed("asked_wh", "kwh")
    id = row.text("id") or row.place
    return RecordedSession(
        row=row,
        id=id,
        vehicle=_vehicle(row, id, catalog),
        asked_wh=_energy_wh(row, asked),
        arrives_at=arrives_at,
        departs_at=departs_at,
        connector=_connector(row),
        weight=row.number("weight", 1e-6, 1e6) if "weight" in row.cells else 1.0,
        priority=row.whole("priority") if "priority" in row.cells else 0,
    )


def _connector(row: Row) -> str | int | None:
    column = row.one_of("connector", "evse")
    if column is None:
        return None
    found = row.cells[column]
    if column == "evse" and not (isinstance(found, str) and not found.isdecimal()):
        return row.whole(column)
    return row.text(column)


def _energy_wh(row: Row, column: str, least: float = 0.0) -> float:
    number = row.number(column, least)
    return w_from_kw(number) if column.endswith(("kwh", "kw")) else number


def _vehicle(row: Row, id: str, catalog: Catalog) -> Vehicle:
    capacity = row.one_of("capacity_wh", "capacity_kwh")
    named = row.text("vehicle")
    if named is not None and capacity is not None:
        raise InvalidInput(row.field(capacity), "says again what vehicle says", allowed="only one of both")
    if named is not None:
        model = looked_up(catalog.vehicle, named, row.field("vehicle"))
    else:
        model = _two_stage_model(row, row.needed("capacity_wh", "capacity_kwh", "vehicle"))
    return Vehicle(id, model, _soc(row, model))


def _two_stage_model(row: Row, capacity: str) -> VehicleModel:
    power_w = _energy_wh(row, row.needed("max_w", "max_kw"), _LEAST_W / 1_000.0)
    phases = row.whole("phases", 1, 3) if "phases" in row.cells else (1 if power_w <= LARGEST_ONE_PHASE_W else 3)
    return two_stage_vehicle(_energy_wh(row, capacity, 1e-3), power_w, phases)


@lru_cache(maxsize=4_096)
def two_stage_vehicle(capacity_wh: float, max_w: float, phases: int) -> VehicleModel:
    """A vehicle that accepts its full power up to 80 % and then linearly less, on any connector, without losses."""
    return VehicleModel(
        id=f"battery-{capacity_wh / 1_000:.1f}kwh-{max_w / 1_000:.1f}kw",
        name=f"{capacity_wh / 1_000:.1f} kWh, {max_w / 1_000:.1f} kW",
        usable_capacity_wh=capacity_wh,
        acceptance=Acceptance((0.0, TRANSITION_SOC, 1.0), (max_w, max_w, 0.0)),
        inlets=tuple(CONNECTOR_TYPES),
        source=RECORDED,
        ac=OnboardCharger(phases, max_current_a=_current_for(max_w, phases), efficiency=1.0),
    )


def _current_for(max_w: float, phases: int) -> float:
    """A current that never holds the vehicle back on any voltage from 100 V: its battery does."""
    return max(6.0, max_w / (100.0 * phases))


def _soc(row: Row, model: VehicleModel) -> float:
    column = row.needed("soc", "init_kwh")
    if column == "soc":
        return row.number(column, 0.0, 1.0)
    stored_wh, capacity_wh = _energy_wh(row, column), model.usable_capacity_wh
    if stored_wh > capacity_wh:
        problem, allowed = "is more than the battery holds", f"0 to {capacity_wh / 1_000:g}"
        raise InvalidInput(row.field(column), problem, found=row.cells[column], allowed=allowed)
    return stored_wh / capacity_wh
