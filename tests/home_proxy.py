"""A home station on the network that answers what a test lets it answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

from tests.homes import JSON, Said, Station
from voltbench.adapters.home_station import HomeStation


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
ON, OFF = 'POST /charge {"charging":"on"}', 'POST /charge {"charging":"off"}'


@asynccontextmanager
async def behind_a_proxy(
    home: Station, meddle: Callable[[str, PassOn], Awaitable[Said | None]]
) -> AsyncIterator[HomeStation]:
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
