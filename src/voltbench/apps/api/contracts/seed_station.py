"""The routes of the seed's own program on the default site, unchanged; 4xx where it had 200 or 500."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from voltbench.apps.api.addressing import Site, struct_answer
from voltbench.apps.api.contracts.station_models import ConnectorId, Demand, connector_id, connector_name
from voltbench.apps.api.docs import says
from voltbench.apps.api.problems import problems
from voltbench.errors import NotFound
from voltbench.quantities import kw_from_w, w_from_kw
from voltbench.running.inputs import StartSession, StopSession
from voltbench.running.views import BatteryView, ChargerView, ConnectorView, SessionView, SiteView

router = APIRouter(tags=["seed"])

Charger = Annotated[str, Query(alias="chargerId", max_length=255)]
Connector = Annotated[int, Query(alias="connectorId")]
Capacity = Annotated[Demand, Query(alias="powerCapacity")]


class Message(msgspec.Struct, frozen=True):
    """What happened, in a sentence."""

    message: str


class SeedSession(msgspec.Struct, frozen=True):
    """A session. `boosted_power` is the part of `allocated_power` that the battery gives."""

    session_id: str
    allocated_power: float
    vehicle_max_power: float
    is_boosted: bool
    boosted_power: float
    active: bool


class SeedConnector(msgspec.Struct, frozen=True):
    """A connector, and its session if it has one."""

    connector_id: ConnectorId
    session: SeedSession | None


class SeedCharger(msgspec.Struct, frozen=True):
    """A charger, and what its vehicles ask for."""

    charger_id: str
    max_power: float
    max_asked_power: float
    connectors: list[SeedConnector]


class SeedBoost(msgspec.Struct, frozen=True):
    """The power that the battery gives to a session."""

    session_id: str = msgspec.field(name="sessionId")
    boost: float


class SeedBattery(msgspec.Struct, frozen=True):
    """The stationary battery; `state_of_charge` in percent."""

    max_power: float
    state_of_charge: float
    session_boosts: list[SeedBoost]


class SeedStation(msgspec.Struct, frozen=True):
    """The station as the seed shows it, in kW."""

    station_id: str
    max_asked_power: float
    grid_capacity: float
    chargers: list[SeedCharger]
    battery: SeedBattery | None


@router.get("/", responses=says(Message))
async def read_root() -> Response:
    """Where to go from here."""
    return _message("This is voltbench, a station energy management system. Go to /docs to see its API.")


@router.get("/station/station_status", responses=says(SeedStation))
async def read_station_status(site: Site) -> Response:
    """Everything about the station at one instant."""
    return struct_answer(_station(await site.status()))


@router.post("/start_session/", responses=says(Message) | problems(404, 409))
@router.post("/start_session", include_in_schema=False)
async def start_session(charger: Charger, connector: Connector, capacity: Capacity, site: Site) -> Response:
    """Plug a vehicle in that can take so many kW."""
    session = StartSession(site.sites.new_id(), charger, connector_name(connector), w_from_kw(capacity))
    view = await site.tell(session)
    power_kw = kw_from_w(view.allocated_w)
    return _message(f"Session {view.id} started on {charger}, connector {connector}, with {power_kw:g} kW")


@router.post("/stop_session/", responses=says(Message) | problems(404))
@router.post("/stop_session", include_in_schema=False)
async def stop_session(charger: Charger, connector: Connector, site: Site) -> Response:
    """Unplug the vehicle at a connector."""
    session = _session_at(await site.status(), charger, connector_name(connector))
    await site.tell(StopSession(session.id))
    return _message(f"Session {session.id} on {charger}, connector {connector}, stopped")


def _message(words: str) -> Response:
    return struct_answer(Message(words))


def _session_at(site: SiteView, charger_id: str, connector_id: str) -> SessionView:
    """The session at a connector; NotFound says what is missing: the charger, the connector or the session."""
    charger = next((charger for charger in site.chargers if charger.id == charger_id), None)
    if charger is None:
        raise NotFound("charger", charger_id)
    connector = next((connector for connector in charger.connectors if connector.id == connector_id), None)
    if connector is None:
        raise NotFound("connector", connector_id)
    if connector.session is None:
        raise NotFound("session at connector", f"{charger_id}:{connector_id}")
    return connector.session


def _station(site: SiteView) -> SeedStation:
    return SeedStation(
        station_id=site.id,
        max_asked_power=kw_from_w(sum(charger.requested_w for charger in site.chargers)),
        grid_capacity=kw_from_w(site.grid_capacity_w),
        chargers=[_charger(charger) for charger in site.chargers],
        battery=None if site.battery is None else _battery(site.battery, site.sessions),
    )


def _charger(view: ChargerView) -> SeedCharger:
    return SeedCharger(
        charger_id=view.id,
        max_power=kw_from_w(view.max_power_w),
        max_asked_power=kw_from_w(view.requested_w),
        connectors=[_connector(connector) for connector in view.connectors],
    )


def _connector(view: ConnectorView) -> SeedConnector:
    return SeedConnector(
        connector_id=connector_id(view.id), session=None if view.session is None else _session(view.session)
    )


def _session(view: SessionView) -> SeedSession:
    return SeedSession(
        session_id=view.id,
        allocated_power=kw_from_w(view.allocated_w),
        vehicle_max_power=kw_from_w(view.vehicle_max_w),
        is_boosted=view.boosted_w > 0.0,
        boosted_power=kw_from_w(view.boosted_w),
        active=True,
    )


def _battery(view: BatteryView, sessions: list[SessionView]) -> SeedBattery:
    boosts = [SeedBoost(session_id=s.id, boost=kw_from_w(s.boosted_w)) for s in sessions if s.boosted_w > 0.0]
    return SeedBattery(max_power=kw_from_w(view.max_power_w), state_of_charge=view.soc * 100.0, session_boosts=boosts)
