"""A station's wire log: its last frames as JSON, or all of them from now on as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from voltbench.adapters.ocpp_csms.wire_log import Follower, Frame
from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.csms import views
from voltbench.apps.api.csms.addressing import STATION, ServedCsms, StationId
from voltbench.apps.api.docs import says
from voltbench.apps.api.problems import problems
from voltbench.apps.api.streams import HEADERS, STILL_HERE, Streams, event, with_heartbeats

router = APIRouter(prefix="/csms", tags=["csms: wire log"])


def _responses() -> dict[int | str, dict[str, Any]]:
    told = says(views.Wire)
    told[200]["content"]["text/event-stream"] = {}
    return told | problems(404)


@router.get(f"{STATION}/wire", responses=_responses())
async def read_wire(station_id: StationId, request: Request, csms: ServedCsms) -> Response:
    """The last frames of a station. With `Accept: text/event-stream`: these, and each from now on, as it goes."""
    csms.central.dossier(station_id)
    if "text/event-stream" not in request.headers.get("accept", ""):
        return struct_answer(views.Wire(csms.wire.last(station_id)))
    follower = csms.wire.follow(station_id)
    told = _stream(request.app.state.streams, follower, csms.wire.last(station_id))
    return StreamingResponse(told, media_type="text/event-stream", headers=HEADERS)


async def _stream(streams: Streams, follower: Follower, last: list[Frame]) -> AsyncIterator[bytes]:
    with streams.listening(follower):
        for frame in last:
            yield event("Frame", frame, frame.number)
        async for told in with_heartbeats(follower):
            yield STILL_HERE if told is None else event("Frame", told, told.number)
