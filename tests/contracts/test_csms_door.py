"""Who comes in at the CSMS's door for stations, and what happens to connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from tests.csms_live import LiveCsms, a_csms, answer, connected
from tests.waiting import DEADLINE_S
from voltbench.adapters.ocpp_csms.door import LARGEST_FRAME, password_in, station_id


@pytest.fixture
async def csms(tmp_path: Path) -> AsyncIterator[LiveCsms]:
    async with a_csms(tmp_path) as csms:
        yield csms


@pytest.mark.parametrize(
    ("path", "id"),
    [
        ("/CP1", "CP1"),
        ("/a/b/CP%201?x=/y", "CP 1"),
        ("/ocpp/CP%2F1", "CP/1"),
        ("/", None),
        ("/%00", None),
        ("/%ff", None),
        (f"/{'x' * 256}", None),
    ],
)
def test_the_last_segment_of_the_path_is_the_stations_id(path, id):
    assert station_id(path) == id


@pytest.mark.parametrize("header", ["", "Bearer x", "Basic", "Basic !!", "Basic Q1Ax", "Basic Q1AyOng="])
def test_what_is_no_password_of_the_station_is_none(header):
    assert password_in([header], "CP1") is None


@pytest.mark.parametrize("subprotocols", [None, ["ocpp1.5"], ["ocpp2.0.1"]])
async def test_an_unknown_subprotocol_is_refused(csms: LiveCsms, subprotocols):
    with pytest.raises(InvalidStatus) as refusal:
        await connect(f"{csms.url}/CP1", subprotocols=subprotocols, proxy=None)
    assert refusal.value.response.status_code == 400


async def test_what_the_station_offers_is_taken_if_we_speak_it(csms: LiveCsms):
    offered = [Subprotocol(name) for name in ("ocpp2.0.1", "ocpp1.6")]
    async with connect(f"{csms.url}/CP1", subprotocols=offered, proxy=None) as connection:
        assert connection.subprotocol == "ocpp1.6"


async def test_no_frame_closes_a_connection(csms: LiveCsms):
    async with connected(csms.url) as connection:
        for frame in ("", "{}", "[", "[" * 10_000, "[1,2,3]", '[3,"x",{}]', '["2","x","Heartbeat",{}]', b"\xff\x00"):
            await connection.send(frame)
        await connection.send(b"[2,\xff]", text=True)  # not even UTF-8
        assert (await answer(connection, '[2,"a","Fly",{}]'))[2] == "NotImplemented"
        assert (await answer(connection, '[2,"b","Heartbeat",{},1]'))[2] == "FormationViolation"
        assert (await answer(connection, b'[2,"c","Heartbeat",{}]'))[:2] == [3, "c"]


START = {"connectorId": 1, "idTag": "ADA", "meterStart": 0, "timestamp": "2026-03-02T12:00:00Z"}
STOP = {"transactionId": 1, "meterStop": 5_000, "timestamp": "2026-03-02T13:00:00Z"}


def with_readings(size: int) -> str:
    """A stop whose frame has so many bytes, most of them readings."""
    reading = {"timestamp": STOP["timestamp"], "sampledValue": [{"value": "1"}]}
    frame = json.dumps([2, "stop", "StopTransaction", STOP | {"transactionData": [reading] * (size // 80)}])
    assert len(frame) <= size
    return frame + " " * (size - len(frame))


async def test_a_frame_beyond_all_measure_ends_the_line_and_nothing_else(
    csms: LiveCsms, caplog: pytest.LogCaptureFixture
):
    """The line ends by the code for that; what was said before is kept, and the station is back and goes on."""
    async with connected(csms.url) as connection:
        assert (await answer(connection, json.dumps([2, "start", "StartTransaction", START])))[0] == 3
        await connection.send(with_readings(LARGEST_FRAME + 1))
        async with asyncio.timeout(60):
            await connection.wait_closed()
        assert connection.close_code == CloseCode.MESSAGE_TOO_BIG
    await csms.gone()
    assert "CP1: a frame of more than 1048576 bytes has ended its line" in caplog.text
    async with connected(csms.url) as connection:
        (running,) = (await csms.get("/csms/transactions?state=open"))["transactions"]
        assert running["id"] == 1
        assert (await answer(connection, with_readings(LARGEST_FRAME)))[:2] == [3, "stop"]
    (stopped,) = (await csms.get("/csms/transactions?state=closed"))["transactions"]
    assert (stopped["id"], stopped["energy_wh"]) == (1, 5_000)


async def test_a_new_connection_takes_the_place_of_the_old_one(csms: LiveCsms):
    async with connected(csms.url) as old, connected(csms.url) as new:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(old.recv(), 60)
        await answer(new)
        assert (await csms.get("/csms/stations/CP1"))["is_connected"]
    await csms.gone()


async def test_many_connections_of_one_station_leave_one(csms: LiveCsms):
    connections = await asyncio.gather(*(connected(csms.url) for _ in range(20)))
    closed = {asyncio.create_task(one.wait_closed()): one for one in connections}
    async with asyncio.timeout(DEADLINE_S):
        for _, is_closed in zip(range(19), asyncio.as_completed(closed), strict=False):
            await is_closed
    (living,) = [one for task, one in closed.items() if not task.done()]
    await answer(living)
    assert csms.service.csms.connected == 1
    await asyncio.gather(*(one.close() for one in connections))
