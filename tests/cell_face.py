"""The service of cells with what stands around it: a real pool of one process, real jobs, a real application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from voltbench.apps.api.app import make_app
from voltbench.apps.api.trust import trust_for
from voltbench.apps.cells.facing import Face, FaceChoices, face_opened
from voltbench.apps.cells.opening import CellChoices, cells_opened
from voltbench.apps.cells.service import Cells
from voltbench.apps.compose import Choices, opened


@dataclass
class Service:
    """A client of the application, called without a network, and what is behind it."""

    client: httpx.AsyncClient
    cells: Cells
    face: Face


@asynccontextmanager
async def cell_service(directory: Path, choices: FaceChoices, processes: int = 1) -> AsyncIterator[Service]:
    async with (
        opened(Choices(directory)) as bench,
        cells_opened(CellChoices(directory, processes=processes)) as cells,
        face_opened(cells, choices) as face,
    ):
        app = make_app(bench, trust_for("127.0.0.1", None), None, cells, face)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost", timeout=120
        ) as client:
            yield Service(client, cells, face)


@dataclass
class Posted:
    """A POST that somebody got."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Listener:
    """A program on the web that keeps what is posted to it, and answers as told: then with status 200."""

    port: int = 0
    statuses: list[int] = field(default_factory=list)
    location: str = ""
    posted: list[Posted] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, enough: Callable[[Sequence[Posted]], bool]) -> list[Posted]:
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(lambda: enough(self.posted))
        return list(self.posted)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): found for name, _, found in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        status = self.statuses.pop(0) if self.statuses else 200
        location = f"Location: {self.location}\r\n" if self.location else ""
        writer.write(f"HTTP/1.1 {status} Said\r\n{location}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        async with self._news:
            self.posted.append(Posted(head[0].split(" ")[1], headers, body))
            self._news.notify_all()


@asynccontextmanager
async def listener(*statuses: int) -> AsyncIterator[Listener]:
    heard = Listener(statuses=list(statuses))
    server = await asyncio.start_server(heard.answer, "127.0.0.1", 0)
    heard.port = server.sockets[0].getsockname()[1]
    try:
        yield heard
    finally:
        server.close()
        await server.wait_closed()
