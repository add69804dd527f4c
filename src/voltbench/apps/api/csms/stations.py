"""The stations of the CSMS, and what belongs to them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.bodies import PlainRoute
from voltbench.apps.api.csms import views
from voltbench.apps.api.csms.addressing import STATION, Limit, ServedCsms, Service, StationId
from voltbench.apps.api.docs import says
from voltbench.apps.api.names import ONE_LINE
from voltbench.apps.api.problems import problems
from voltbench.errors import NotFound
from voltbench.running.views import SiteView

router = APIRouter(prefix="/csms", tags=["csms: stations"], route_class=PlainRoute)

NewStationId = Annotated[str, Path(description="A station's id", min_length=1, max_length=255, pattern=ONE_LINE)]


class StationAsked(BaseModel):
    """Whether a station may take part, and the password that it has to show; what is left out stays."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    registration: Literal["Accepted", "Pending", "Rejected"] | None = None
    password: str | None = Field(default=None, min_length=8, max_length=40, pattern=ONE_LINE)


@router.get("/stations", responses=says(views.Stations))
async def list_stations(csms: ServedCsms) -> Response:
    """Every station that has ever been here."""
    return struct_answer(views.Stations([views.summary(csms, one) for one in csms.central.dossiers()]))


@router.get(STATION, responses=says(views.StationView) | problems(404))
async def read_station(station_id: StationId, csms: ServedCsms) -> Response:
    """A station: its boot, connectors, configuration, local list, and the newest of firmware, files and security."""
    return struct_answer(views.station(csms, csms.central.dossier(station_id)))


@router.put(STATION, responses=says(views.StationView) | problems(503))
async def put_station(station_id: NewStationId, asked: StationAsked, csms: ServedCsms) -> Response:
    """Accept a station, hold it or reject it, of which it hears when it boots next; or give it a password."""
    dossier = await csms.admit(station_id, asked.registration, asked.password)
    return struct_answer(views.station(csms, dossier))


@router.get(f"{STATION}/events", responses=says(views.Events) | problems(404))
async def list_events(
    station_id: StationId,
    csms: ServedCsms,
    limit: Limit = 100,
    kind: Annotated[str | None, Query(description="Such as `SecurityEventNotification`", max_length=50)] = None,
) -> Response:
    """What a station told last: boots, statuses, security events, logs, firmware, data."""
    csms.central.dossier(station_id)
    found = await csms.store.events(station_id, kind, limit)
    return struct_answer(views.Events([views.event(one) for one in found]))


@router.get("/reservations", responses=says(views.Reservations))
async def list_reservations(csms: ServedCsms, limit: Limit = 1_000) -> Response:
    """The last reservations that were asked for, and what came of them; the newest first."""
    now, found = csms.now(), await csms.store.reservations(limit)
    return struct_answer(views.Reservations([views.reservation(now, one) for one in found]))


@router.get("/site", responses=says(SiteView) | problems(404))
async def read_site(service: Service) -> Response:
    """The site that is steered: what its stations draw and may draw, and why no more. Powers in W."""
    if service.site is None:
        raise NotFound("site", "of this CSMS")
    return struct_answer(service.site())
