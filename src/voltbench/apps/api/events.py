"""What changes on a site, as server-sent events: first the whole site, then each fact as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import StreamingResponse

from voltbench.apps.api.addressing import Addressed, Site
from voltbench.apps.api.problems import problems
from voltbench.apps.sites import Event, Subscription

router = APIRouter(tags=["events"], responses=problems(404))

HEARTBEAT_S = 15.0
"""A comment is sent after so much silence, so that both sides notice a dead connection."""

_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Until either side ends it", "content": {"text/event-stream": {}}}
}


@router.get("/events", response_class=StreamingResponse, responses=_STREAM)
async def stream_events(request: Request, site: Site) -> StreamingResponse:
    """Server-sent events: `Site` with the whole site, then one event for each fact (`LimitSet`, `SessionEnded` ...).

    Ids count the facts. There is no replay: whoever connects again begins with the whole site.
    """
    await site.status()  # a site that is not there is told before the stream begins
    told = _stream(request.app.state.streams, site)
    return StreamingResponse(told, media_type="text/event-stream", headers=_HEADERS)


def end_streams(app: FastAPI) -> None:
    """End every stream, so that a server that waits for its answers to be complete can stop."""
    for subscription in list(app.state.streams):
        subscription.close()


async def _stream(streams: set[Subscription], site: Addressed) -> AsyncIterator[bytes]:
    subscription = site.sites.subscribe(site.id)
    streams.add(subscription)
    try:
        yield _event("Site", await site.status())
        async for event in _with_heartbeats(subscription):
            yield b": still here\n\n" if event is None else _event(type(event.fact).__name__, event.fact, event.number)
    finally:
        streams.discard(subscription)
        subscription.close()


async def _with_heartbeats(subscription: Subscription) -> AsyncIterator[Event | None]:
    """The events as they come, and None whenever nothing came for a while."""
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                event = await anext(subscription)
        except TimeoutError:
            yield None
        except StopAsyncIteration:
            return
        else:
            yield event


def _event(name: str, content: Any, number: int | None = None) -> bytes:
    """An event in the format of HTML's server-sent events; JSON has no line breaks, so it is one line."""
    id = b"" if number is None else b"id: %d\n" % number
    return b"%sevent: %s\ndata: %s\n\n" % (id, name.encode(), msgspec.json.encode(content))
