"""A home station to talk to over a real socket, whose wall clock is turned by hand."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from fastapi import FastAPI

from voltbench.apps.api.home_app import make_home_app
from voltbench.apps.api.trust import trust_for
from voltbench.apps.homes import Homes
from voltbench.apps.serving import listening, serve
from voltbench.clock import seconds_since_boot
from voltbench.running.home.model import COURSE, HomeModel

JSON = "application/json"


class Said(NamedTuple):
    """An answer, as it came off the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class Station:
    """A server at an address; `seconds` is what its wall clock shows."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.address: tuple[str, int] = ("", 0)

    async def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Said:
        """Send a request as it stands, without a client that would tidy it up."""
        told = {"host": f"{self.address[0]}:{self.address[1]}", "connection": "close"}
        told |= {name.replace("_", "-"): said for name, said in headers.items()}
        told |= {"content-length": str(len(body))} if body is not None else {}
        head = "".join(f"{name}: {said}\r\n" for name, said in told.items())
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + (body or b""))
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return _said(answer)

    async def get(self, path: str) -> str:
        """The body of an answer that is a success."""
        said = await self.ask("GET", path)
        assert said.status == 200, said
        return said.body.decode()

    async def post(self, path: str, body: str, kind: str | None = JSON) -> Said:
        """What is answered to a body of this kind."""
        headers = {} if kind is None else {"content_type": kind}
        return await self.ask("POST", path, body.encode(), **headers)


@asynccontextmanager
async def a_home_station(
    model: HomeModel = COURSE, token: str | None = None, runs: bool = False
) -> AsyncIterator[Station]:
    """`voltbench home`, in this process; where it `runs`, nobody has to turn its clock."""
    trust = trust_for("127.0.0.1", token)

    def make(station: Station) -> FastAPI:
        return make_home_app(Homes(model, monotonic=seconds_since_boot if runs else lambda: station.seconds), trust)

    async with a_station(make) as one:
        yield one


@asynccontextmanager
async def a_station(make: Callable[[Station], FastAPI]) -> AsyncIterator[Station]:
    """An application at a free port of this machine."""
    station, stop = Station(), asyncio.Event()
    with listening("127.0.0.1", 0) as door:
        station.address = door.getsockname()[:2]
        serving = asyncio.create_task(serve(make(station), door, stop))
        try:
            yield station
        finally:
            stop.set()
            await serving
            gc.unfreeze()


def _said(answer: bytes) -> Said:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Said(int(first.split()[1]), {name.lower(): said for name, said in headers.items()}, body)
