"""Commands to stations: sent at once, answered when the station does."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from voltbench.adapters import json_text
from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.csms import views
from voltbench.apps.api.csms.addressing import STATION, Limit, ServedCsms, StationId
from voltbench.apps.api.csms.slashes import id_in_path
from voltbench.apps.api.docs import says
from voltbench.apps.api.problems import problems
from voltbench.errors import NotFound

router = APIRouter(prefix="/csms", tags=["csms: commands"])

Action = Annotated[str, Path(description="A message of OCPP 1.6 that the CSMS sends, such as `RemoteStartTransaction`")]

_PAYLOAD: dict[str, Any] = {
    "requestBody": {
        "description": "The payload of the message, in OCPP's own words; nothing where it has none. A charging "
        "profile may be the name of a stored one.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


@router.post(
    f"{STATION}/commands/{{action}}",
    status_code=202,
    responses=says(views.CommandSent, 202) | problems(404, 409, 503),
    openapi_extra=_PAYLOAD,
)
async def send_command(station_id: StationId, action: Action, request: Request, csms: ServedCsms) -> Response:
    """Ask a station to do something. The answer is found at `/csms/commands/{id}`."""
    payload = json_text.parse(await request.body() or b"{}")
    sent = await csms.command(station_id, action, payload)
    return struct_answer(views.CommandSent(sent.id), 202, {"Location": f"/csms/commands/{sent.id}"})


@router.get(f"{STATION}/commands", responses=says(views.Commands) | problems(404))
async def list_commands(station_id: StationId, csms: ServedCsms, limit: Limit = 100) -> Response:
    """What a station was asked last."""
    csms.central.dossier(station_id)
    found = await csms.store.commands(station_id, limit)
    return struct_answer(views.Commands([views.command(one) for one in found]))


@router.get(f"/commands/{id_in_path('command_id')}", responses=says(views.CommandView) | problems(404))
async def read_command(
    command_id: Annotated[str, Path(description="The id that was given for it")],
    csms: ServedCsms,
    wait_s: Annotated[float, Query(ge=0, le=60, description="Answer when the command is over, or after so long")] = 0.0,
) -> Response:
    """What came of a command: the answer, the error, the time-out, or nothing yet."""
    found = await csms.outcome(command_id, wait_s)
    if found is None:
        raise NotFound("command", command_id)
    return struct_answer(views.command(found))
