"""A live bench to talk to: the real application over a real store, in this process or in one of its own."""

from __future__ import annotations

import re
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.programs import voltbench
from tests.waiting import DEADLINE_S, eventually
from voltbench.adapters.telemetry import Telemetry
from voltbench.apps.api.app import make_app
from voltbench.apps.api.trust import trust_for
from voltbench.apps.compose import Choices, opened

ONE_CHARGER = {"stationId": "S1", "gridCapacity": 400, "chargers": [{"id": "CP001", "maxPower": 200, "connectors": 2}]}
TWO_CHARGERS = {
    "stationId": "S2",
    "gridCapacity": 400,
    "chargers": [{"id": id, "maxPower": 300, "connectors": 2} for id in ("CP001", "CP002")],
}


def with_battery(config: dict[str, Any], power: float, capacity: float = 200) -> dict[str, Any]:
    return config | {"battery": {"initialCapacity": capacity, "power": power}}


@asynccontextmanager
async def a_bench(directory: Path, token: str | None = None, **choices: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, called without a network."""
    async with a_bench_with_telemetry(directory, token, **choices) as (client, _):
        yield client


@asynccontextmanager
async def a_bench_with_telemetry(
    directory: Path, token: str | None = None, **choices: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Telemetry]]:
    """The same, and its time series."""
    async with opened(Choices(directory, **choices)) as bench:
        app = make_app(bench, trust_for("127.0.0.1", token))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client, bench.telemetry


class Up:
    """A `voltbench up` in a process of its own, started in a directory."""

    def __init__(self, directory: Path, arguments: Sequence[str], port: int, constants: Mapping[str, object]) -> None:
        self._log = directory.parent / f"{directory.name}.log"
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        ports = ["--port", str(port), "--csms-port", "0"]
        self.process = voltbench("up", *ports, *arguments, directory=directory, log=self._log, constants=constants)

    @property
    def said(self) -> str:
        """What it has printed since it was started."""
        return self._log.read_bytes()[self._log_start :].decode() if self._log.exists() else ""

    @property
    def address(self) -> str:
        """Where it listens, once it does."""
        return eventually(self._found_address)

    def _found_address(self) -> str | None:
        assert self.process.poll() is None, self.said
        found = re.search(r"listening on (http://\S+)", self.said)
        return found.group(1) if found else None

    def ends(self, number: int | None = None) -> int:
        """Send a signal, if any, and wait for the end: the exit code."""
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


@contextmanager
def up(directory: Path, *arguments: str, port: int = 0, constants: Mapping[str, object] | None = None) -> Iterator[Up]:
    """A `voltbench up` that is gone afterwards, whatever happens; see `programs.voltbench` for its `constants`."""
    running = Up(directory, arguments, port, constants or {})
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.ends(signal.SIGKILL)
