"""A home station on the network that answers what a test lets it answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from math import inf
from typing import cast

import httpx

from tests.home_time import loop_seconds
from tests.homes import JSON, Said, Station
from voltbench.adapters.home_station import HomeStation
from voltbench.apps.api.home_app import make_home_app
from voltbench.apps.api.trust import trust_for
from voltbench.apps.homes import Homes


@asynccontextmanager
async def answering(status: int, body: str) -> AsyncIterator[str]:
    """A server that always says the same; where it is."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} Whatever\r\ncontent-type: text/html\r\ncontent-length: {len(body)}\r\n"
        writer.write(f"{head}connection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


PassOn = Callable[[], Awaitable[Said]]
Meddle = Callable[[str, PassOn], Awaitable[Said | None]]
ON, OFF = 'POST /charge {"charging":"on"}', 'POST /charge {"charging":"off"}'


@asynccontextmanager
async def behind_a_proxy(home: Station, meddle: Meddle) -> AsyncIterator[HomeStation]:
    """A station behind a proxy: what is asked is answered by `meddle`, which may pass it on; None is silence."""

    answering = set[asyncio.Task[None]]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.add(cast("asyncio.Task[None]", asyncio.current_task()))
        try:
            with suppress(asyncio.IncompleteReadError):  # who gave it up before it was asked
                await respond(reader, writer)
        finally:
            writer.close()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        lines = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:-1])
        body = await reader.readexactly(int(lines.get("content-length", 0)))

        async def pass_on() -> Said:
            return await home.ask(method, path, body or None, content_type=JSON)

        said = await meddle(f"{method} {path} {body.decode()}".strip(), pass_on)
        if said is not None:
            length = f"content-length: {len(said.body)}\r\nconnection: close\r\n\r\n"
            writer.write(f"HTTP/1.1 {said.status} Whatever\r\n{length}".encode() + said.body)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        async with HomeStation(f"http://{host}:{port}") as station:
            yield station
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)


# --- without a network, for stories on virtual time -------------------------------------------------------------------

TAKES_S = 0.004
"""How long it takes until a question is heard."""


class NearHome(Station):
    """The course's home in this process, called without a socket. Its time is the loop's, until it stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.stands_at_s = inf
        seconds = loop_seconds()
        homes = Homes(monotonic=lambda: min(seconds(), self.stands_at_s))
        app = make_home_app(homes, trust_for("127.0.0.1", None))
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")

    async def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Said:
        told = {name.replace("_", "-"): said for name, said in headers.items()}
        answer = await self._client.request(method, path, content=body, headers=told)
        return Said(answer.status_code, dict(answer.headers), answer.content)


class _Line(httpx.AsyncBaseTransport):
    """The way there. What was asked is heard and answered, also if whoever asked waits no more."""

    def __init__(self, home: Station, meddle: Meddle) -> None:
        self._home, self._meddle = home, meddle
        self._answering = set[asyncio.Task[Said | None]]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answering = asyncio.create_task(self._answer(request))
        self._answering.add(answering)
        said = await asyncio.shield(answering)
        if said is None:
            raise httpx.RemoteProtocolError("hung up", request=request)
        return httpx.Response(said.status, content=said.body, request=request)

    async def aclose(self) -> None:
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    async def _answer(self, request: httpx.Request) -> Said | None:
        await asyncio.sleep(TAKES_S)
        method, path, body = request.method, request.url.path, request.content

        async def pass_on() -> Said:
            return await self._home.ask(method, path, body or None, content_type=JSON)

        return await self._meddle(f"{method} {path} {body.decode()}".strip(), pass_on)


@asynccontextmanager
async def behind_a_line(meddle: Meddle) -> AsyncIterator[tuple[NearHome, HomeStation]]:
    """A home, and a station that is the way to it: as behind a proxy, on the loop's time."""
    home = NearHome()
    async with HomeStation("http://home", transport=_Line(home, meddle), seconds=loop_seconds(), seed=0) as station:
        yield home, station
