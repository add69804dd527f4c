"""The station contract: its routes for the default site at their own paths, and for any site below `/sites/{id}`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from voltbench.adapters import station_json
from voltbench.apps.api.addressing import Site, struct_answer
from voltbench.apps.api.bodies import PlainRoute
from voltbench.apps.api.contracts import station_models as contract
from voltbench.apps.api.docs import body_of, says
from voltbench.apps.api.problems import problems
from voltbench.errors import NotFound
from voltbench.quantities import w_from_kw
from voltbench.running.inputs import Recompute, StartSession, StopSession, UpdatePower

router = APIRouter(responses=problems(404), route_class=PlainRoute)

SessionId = Annotated[str, Path(description="As `POST /sessions` told it")]


@router.post(
    "/sessions", status_code=201, tags=["sessions"], responses=says(contract.SessionStarted, 201) | problems(409)
)
async def start_session(asked: contract.SessionAsked, request: Request, site: Site) -> Response:
    """Plug a vehicle in, and learn what it may draw."""
    power_w = w_from_kw(asked.vehicle_max_power)
    connector = contract.connector_name(asked.connector_id)
    view = await site.tell(StartSession(site.sites.new_id(), asked.charger_id, connector, power_w))
    return struct_answer(contract.started(view), 201, {"Location": f"{request.url.path}/{view.id}"})


@router.get("/sessions/{session_id}", tags=["sessions"], responses=says(contract.SessionReport))
async def read_session(session_id: SessionId, site: Site) -> Response:
    """A session, running or ended."""
    return struct_answer(contract.report(await site.session(session_id)))


@router.post(
    "/sessions/{session_id}/power-update", tags=["sessions"], responses=says(contract.PowerAllocated) | problems(409)
)
async def update_power(session_id: SessionId, reported: contract.PowerReported, site: Site) -> Response:
    """Report what a vehicle draws and could take, and learn what it may draw."""
    consumed_w, max_w = w_from_kw(reported.consumed_power), w_from_kw(reported.vehicle_max_power)
    return struct_answer(contract.allocated(await site.tell(UpdatePower(session_id, consumed_w, max_w))))


@router.post("/sessions/{session_id}/stop", status_code=204, tags=["sessions"], responses=problems(409))
async def stop_session(session_id: SessionId, site: Site, counted: contract.StopAsked | None = None) -> None:
    """Unplug a vehicle; the others share what it had."""
    counted = counted or contract.StopAsked()
    energy_wh = None if counted.consumed_energy is None else w_from_kw(counted.consumed_energy)
    await site.tell(StopSession(session_id, energy_wh, counted.duration))


@router.get("/station/status", tags=["station"], responses=says(contract.StationStatus))
async def read_status(site: Site) -> Response:
    """Everything about the station at one instant."""
    return struct_answer(contract.status(await site.status()))


@router.get("/station/config", tags=["station"], responses=says(station_json.StationConfig))
async def read_configuration(site: Site) -> Response:
    """The station's configuration, as it can be posted again."""
    return struct_answer(await site.config())


@router.post(
    "/station/config",
    tags=["station"],
    responses=says(station_json.StationConfig) | problems(409),
    openapi_extra=body_of(station_json.StationConfig),
)
async def replace_configuration(request: Request, site: Site) -> Response:
    """Replace the station's configuration in one go, and end its sessions. Comments (`//`) are accepted."""
    config = station_json.parse(await request.body())
    await site.replace(config)
    return struct_answer(config)


@router.get("/station/battery", tags=["station"], responses=says(contract.BatteryReport))
async def read_battery(site: Site) -> Response:
    """The stationary battery; 404 where there is none."""
    view = await site.status()
    if view.battery is None:
        raise NotFound("battery", site.id)
    return struct_answer(contract.battery(view.battery))


@router.get("/station/load-summary", tags=["station"], responses=says(contract.LoadSummary))
async def read_load_summary(site: Site) -> Response:
    """Who has how much, summed up."""
    return struct_answer(contract.load_summary(await site.status()))


@router.post("/station/recompute", tags=["station"], responses=says(contract.StationStatus) | problems(409))
async def recompute(site: Site) -> Response:
    """Look at everything again and share anew."""
    return struct_answer(contract.status(await site.order(Recompute())))
