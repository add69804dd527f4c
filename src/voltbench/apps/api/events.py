"""What changes on a site, as server-sent events: first the whole site, then each fact as it happens."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import StreamingResponse

from voltbench.apps.api.addressing import Addressed, Site
from voltbench.apps.api.problems import problems
from voltbench.apps.api.streams import HEADERS, STILL_HERE, STREAM, Streams, event, with_heartbeats

router = APIRouter(tags=["events"], responses=problems(404))


@router.get("/events", response_class=StreamingResponse, responses=STREAM)
async def stream_events(request: Request, site: Site) -> StreamingResponse:
    """Server-sent events: `Site` with the whole site, then one event for each fact (`LimitSet`, `SessionEnded` ...).

    Ids count the facts. There is no replay: whoever connects again begins with the whole site.
    """
    await site.status()  # a site that is not there is told before the stream begins
    told = _stream(request.app.state.streams, site)
    return StreamingResponse(told, media_type="text/event-stream", headers=HEADERS)


async def _stream(streams: Streams, site: Addressed) -> AsyncIterator[bytes]:
    subscription = site.sites.subscribe(site.id)
    with streams.listening(subscription):
        yield event("Site", await site.status())
        async for told in with_heartbeats(subscription):
            yield STILL_HERE if told is None else event(type(told.fact).__name__, told.fact, told.number)
