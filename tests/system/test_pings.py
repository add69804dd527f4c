"""Each side pings the other, and leaves it when it does not answer any more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from tests.csms_live import a_csms, connected
from tests.waiting import DEADLINE_S
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.ocpp_csms.door import Rules
from voltbench.apps.station_choices import DIALLERS, StationChoices, Stations
from voltbench.ocpp.v16.csms.records import KnownStation, Record


async def test_the_csms_leaves_a_station_that_answers_no_ping(tmp_path: Path):
    is_gone = asyncio.Event()

    def hear(record: Record) -> None:
        if isinstance(record, KnownStation) and not csms.service.csms.is_connected("SILENT"):
            is_gone.set()

    rules = Rules(ping_s=0.05, pong_within_s=1.5, goodbye_s=0.05)
    async with a_csms(tmp_path, rules=rules) as csms:
        csms.service.csms.watch(hear)
        async with connected(csms.url, "SILENT", close_timeout=0.05) as silent:
            silent.transport.pause_reading()
            await asyncio.wait_for(is_gone.wait(), DEADLINE_S)
        async with connected(csms.url, "LIVELY") as lively:
            await lively.send('[2,"h","Heartbeat",{}]')
            assert '"currentTime"' in str(await lively.recv())


@pytest.mark.parametrize("transport", DIALLERS)
async def test_a_station_leaves_a_silent_csms_and_comes_back(transport: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("voltbench.adapters.ocpp_station.line.PONG_S", 0.5)
    monkeypatch.setattr("voltbench.adapters.ocpp_station.line.GOODBYE_S", 0.05)
    visits: asyncio.Queue[str] = asyncio.Queue()

    async def fall_silent(connection: ServerConnection) -> None:
        assert connection.request is not None
        visits.put_nowait(connection.request.path)
        connection.transport.pause_reading()
        await connection.wait_closed()

    async with serve(
        fall_silent, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], ping_interval=None, close_timeout=0.05
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        keys = {"WebSocketPingInterval": "1"}
        choices = StationChoices(f"ws://127.0.0.1:{port}", "easee-home-22", 10.0, transport=transport, keys=keys)
        stations = Stations(choices, Catalog())
        stations.add("CP1")
        try:
            async with asyncio.timeout(DEADLINE_S):
                assert [await visits.get() for _ in range(2)] == ["/CP1", "/CP1"]
        finally:
            await stations.host.close()
