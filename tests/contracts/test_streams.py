"""Streams end when the server stops, whenever they began."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import StreamingResponse

from voltbench.apps.api.making import made_app
from voltbench.apps.api.streams import Listening, Streams, with_heartbeats
from voltbench.apps.api.trust import trust_for
from voltbench.apps.serving import listening, serve

DEADLINE_S = 60.0


async def never() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b"news"


class Ended(asyncio.Event):
    """A stream of which nothing matters but that it is ended."""

    def close(self) -> None:
        self.set()


async def test_who_is_closed_before_it_has_begun_to_listen_hears_no_more():
    listening = Listening(never())
    listening.close()
    async with asyncio.timeout(DEADLINE_S):
        assert [told async for told in listening] == []


async def test_a_stream_that_begins_when_the_others_have_been_ended_ends_at_once():
    is_asked, others, stop = asyncio.Event(), Ended(), asyncio.Event()

    async def told(streams: Streams) -> AsyncIterator[bytes]:
        listening = Listening(never())
        with streams.listening(listening):
            async for news in with_heartbeats(listening):
                yield news or b""

    async def news(request: Request) -> StreamingResponse:
        is_asked.set()
        await others.wait()
        return StreamingResponse(told(request.app.state.streams))

    def include(app: FastAPI) -> None:
        app.add_route("/news", news)

    app = made_app("news", "", include, trust_for("127.0.0.1", None), None)
    with listening("127.0.0.1", 0) as door, app.state.streams.listening(others):
        serving = asyncio.create_task(serve(app, door, stop))
        async with asyncio.timeout(DEADLINE_S), httpx.AsyncClient(timeout=DEADLINE_S) as client:
            answer = asyncio.create_task(client.get(f"http://127.0.0.1:{door.getsockname()[1]}/news"))
            await is_asked.wait()
            stop.set()
            assert (await answer).content == b""
            await serving
    gc.unfreeze()
