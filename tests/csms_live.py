"""A CSMS on real sockets, and a station of the PyPI package `ocpp` that knows nothing of us."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from ocpp.routing import on
from ocpp.v16 import ChargePoint
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.ports import HeldPort
from tests.programs import voltbench
from tests.waiting import DEADLINE_S, eventually
from voltbench.apps.api.csms.addressing import CsmsService
from voltbench.apps.api.csms.app import make_csms_app
from voltbench.apps.api.trust import trust_for
from voltbench.apps.csms_service import Certificates, CsmsChoices, Doors, csms_opened
from voltbench.apps.serving import listening
from voltbench.ocpp.v16.messages import FROM_CSMS

logging.getLogger("ocpp").setLevel(logging.CRITICAL)

Found = TypeVar("Found")

HEARTBEAT = '[2,"h","Heartbeat",{}]'


@dataclass
class LiveCsms:
    """A CSMS: where stations connect, and a client of its API."""

    service: CsmsService
    client: httpx.AsyncClient
    url: str

    async def get(self, path: str) -> Any:
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def put(self, path: str, **body: Any) -> Any:
        answer = await self.client.put(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def gone(self, station_id: str = "CP1") -> None:
        """Return when a station is not there any more."""

        async def look() -> bool | None:
            return None if (await self.get(f"/csms/stations/{station_id}"))["is_connected"] else True

        await soon(look)

    async def command(self, station_id: str, action: str, payload: dict[str, Any]) -> Any:
        """What became of a command, when it is over."""
        sent = await self.client.post(f"/csms/stations/{station_id}/commands/{action}", json=payload)
        assert sent.status_code == 202, sent.text
        return await self.get(f"/csms/commands/{sent.json()['id']}?wait_s=60")


async def soon(look: Callable[[], Awaitable[Found | None]]) -> Found:
    """What a look finds, as soon as it finds something: `eventually`, while our loop goes on."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = await look()
            if found is not None:
                return found
            await asyncio.sleep(0.01)


@asynccontextmanager
async def a_csms(
    directory: Path, store: str | None = None, *, certificates: Certificates | None = None, **choices: Any
) -> AsyncIterator[LiveCsms]:
    with listening("127.0.0.1", 0) as door:
        doors = Doors(door) if certificates is None else Doors(None, door, certificates)
        async with csms_opened(CsmsChoices(directory, store, **choices), doors) as service:
            app = make_csms_app(service, trust_for("127.0.0.1", None))
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                scheme = "ws" if certificates is None else "wss"
                yield LiveCsms(service, client, f"{scheme}://localhost:{door.getsockname()[1]}/ocpp")


class Station(ChargePoint):  # type: ignore[misc]
    """A station that answers each command as it is told to."""

    def __init__(self, id: str, connection: ClientConnection) -> None:
        super().__init__(id, connection, response_timeout=60)
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def tells(self, request: Any, *, is_validated: bool = True) -> Any:
        """The answer to a call, which must not be an error, nor anything that their schemas do not allow."""
        return await self.call(request, suppress=False, skip_schema_validation=not is_validated)

    async def gone(self) -> None:
        """Return when the connection is gone."""
        await self._connection.wait_closed()


def _answering(action: str) -> Any:
    async def answer(self: Station, **payload: Any) -> Any:
        self.asked.append((action, payload))
        return self.answers[action]

    answer.__name__ = f"on_{action}"  # by which the library finds it
    return on(action)(answer)


for _action in FROM_CSMS:
    setattr(Station, f"on_{_action}", _answering(_action))


def connected(url: str, id: str = "CP1", **options: Any) -> connect:
    """A connection of a station: to be awaited, or for as long as it is needed."""
    return connect(f"{url}/{id}", subprotocols=[Subprotocol("ocpp1.6")], proxy=None, **options)


@asynccontextmanager
async def a_station(url: str, id: str = "CP1", **options: Any) -> AsyncIterator[Station]:
    async with connected(url, id, **options) as connection:
        station = Station(id, connection)
        listening_task = asyncio.create_task(station.start())
        try:
            yield station
        finally:
            await connection.close()
            with suppress(Exception):
                await listening_task


class CsmsProcess:
    """A `voltbench csms` in a process of its own, which can be killed and started again on the same ports."""

    def __init__(self, directory: Path, *arguments: str, constants: Mapping[str, object] | None = None) -> None:
        self._log = directory / "csms.log"
        self._arguments = arguments
        self._constants = constants
        self._directory = directory
        self._held = ExitStack()
        self.start(0, 0)

    def start(self, port: int, http_port: int) -> None:
        """Start it, and wait until it listens."""
        self._log.write_bytes(b"")
        ports = ["--port", str(port), "--http-port", str(http_port), "--data", str(self._directory / "data")]
        arguments = ["csms", *ports, *self._arguments]
        self.process = voltbench(*arguments, directory=self._directory, log=self._log, constants=self._constants)
        self.http_port = int(eventually(lambda: self._said(r"listening on http://127.0.0.1:(\d+)")))
        self.port = int(eventually(lambda: self._said(r"ws://127.0.0.1:(\d+)")))

    def _said(self, words: str) -> str | None:
        assert self.process.poll() is None, self.said
        found = re.search(words, self.said)
        return found.group(1) if found else None

    @property
    def said(self) -> str:
        """What it has printed since it was started."""
        return self._log.read_text()

    @property
    def tls_port(self) -> int:
        """Where stations connect by TLS."""
        return int(eventually(lambda: self._said(r"wss://127.0.0.1:(\d+)")))

    @property
    def url(self) -> str:
        """Where stations connect."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.http_port}"

    def kill(self) -> None:
        """Kill it, so that it can do nothing more."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE_S)
        for port in (self.port, self.http_port):
            self._held.enter_context(HeldPort(port))

    def close(self) -> None:
        """End it for good."""
        self.process.kill()
        self.process.wait(DEADLINE_S)
        self._held.close()

    def again(self) -> None:
        """Start it again where it was."""
        self.start(self.port, self.http_port)
        self._held.close()


@contextmanager
def a_csms_process(
    directory: Path, *arguments: str, constants: Mapping[str, object] | None = None
) -> Iterator[CsmsProcess]:
    """A `voltbench csms` that is gone afterwards, whatever happens; see `programs.voltbench` for its `constants`."""
    running = CsmsProcess(directory, *arguments, constants=constants)
    try:
        yield running
    finally:
        running.close()


async def answer(connection: ClientConnection, frame: str | bytes = HEARTBEAT) -> list[object]:
    """What a CSMS answers a frame with."""
    await connection.send(frame)
    async with asyncio.timeout(DEADLINE_S):
        heard: list[object] = json.loads(await connection.recv())
    return heard
