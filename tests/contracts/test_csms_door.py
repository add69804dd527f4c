"""Who comes in at the CSMS's door for stations, and what happens to connections."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.csms_live import LiveCsms, a_csms, connected
from voltbench.adapters.ocpp_csms.door import Rules, password_in, station_id
from voltbench.ocpp.v16.csms.secrets_kept import is_password

HEARTBEAT = '[2,"h","Heartbeat",{}]'
KEY = "00112233445566778899aabbccddeeff00112233"


@pytest.fixture
async def csms(tmp_path: Path) -> AsyncIterator[LiveCsms]:
    async with a_csms(tmp_path) as csms:
        yield csms


async def answer(connection: ClientConnection, frame: str | bytes = HEARTBEAT) -> list[object]:
    await connection.send(frame)
    async with asyncio.timeout(10):
        heard: list[object] = json.loads(await connection.recv())
    return heard


def credentials(name: str, password: str | bytes) -> dict[str, str]:
    shown = password if isinstance(password, bytes) else password.encode()
    return {"Authorization": "Basic " + base64.b64encode(name.encode() + b":" + shown).decode()}


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


async def test_a_new_connection_takes_the_place_of_the_old_one(csms: LiveCsms):
    async with connected(csms.url) as old, connected(csms.url) as new:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(old.recv(), 10)
        await answer(new)
        assert (await csms.get("/csms/stations/CP1"))["is_connected"]
    await csms.gone()


async def test_many_connections_of_one_station_leave_one(csms: LiveCsms):
    connections = await asyncio.gather(*(connected(csms.url) for _ in range(20)))
    (living,) = [one for one in await asyncio.gather(*map(whether_living, connections)) if one is not None]
    await answer(living)
    assert csms.service.csms.connected == 1
    await asyncio.gather(*(one.close() for one in connections))


async def whether_living(connection: ClientConnection) -> ClientConnection | None:
    try:
        await answer(connection)
        await asyncio.wait_for(connection.recv(), 0.5)
    except ConnectionClosed:
        return None
    except TimeoutError:
        return connection
    raise AssertionError("nobody was asked anything")


# --- passwords ------------------------------------------------------------------------------------------------------


async def test_who_has_a_password_has_to_show_it(csms: LiveCsms):
    known = await csms.put("/csms/stations/CP1", password=KEY)
    assert known["has_password"]
    for headers in ({}, credentials("CP1", "wrong-password"), credentials("CP2", KEY)):
        with pytest.raises(InvalidStatus) as refusal:
            await connected(csms.url, additional_headers=headers)
        assert refusal.value.response.status_code == 401
    for shown in (KEY, bytes.fromhex(KEY)):
        async with connected(csms.url, additional_headers=credentials("CP1", shown)) as connection:
            await answer(connection)
    async with connected(csms.url, "CP2") as connection:
        await answer(connection)


async def test_a_station_that_did_not_say_whether_it_took_a_new_password_comes_in_with_either(tmp_path: Path):
    async with a_csms(tmp_path) as csms:
        await csms.put("/csms/stations/CP1", password=KEY)
        async with connected(csms.url, additional_headers=credentials("CP1", KEY)) as connection:
            asked = {"key": "authorizationkey", "value": "a-new-password-of-20"}
            await csms.client.post("/csms/stations/CP1/commands/ChangeConfiguration", json=asked)
            await connection.recv()
            with closing(sqlite3.connect(tmp_path / "csms.db")) as program:  # should the CSMS be killed now
                ((secret,),) = program.execute("SELECT secret FROM csms_stations")
            assert is_password(asked["value"], secret)
    async with a_csms(tmp_path) as csms:  # nor has it answered before the CSMS went
        for shown in (KEY, "a-new-password-of-20"):
            async with connected(csms.url, additional_headers=credentials("CP1", shown)) as connection:
                await answer(connection)
    async with a_csms(tmp_path) as csms:
        with pytest.raises(InvalidStatus):
            await connected(csms.url, additional_headers=credentials("CP1", KEY))
    assert not is_in_a_file(b"a-new-password-of-20", tmp_path)


async def test_without_a_password_nobody_comes_in_where_one_is_required(tmp_path: Path):
    async with a_csms(tmp_path, rules=Rules(password_required=True)) as csms:
        for headers in ({}, credentials("CP1", KEY)):
            with pytest.raises(InvalidStatus):
                await connected(csms.url, additional_headers=headers)
        await csms.put("/csms/stations/CP1", password=KEY)
        async with connected(csms.url, additional_headers=credentials("CP1", KEY)) as connection:
            await answer(connection)


def is_in_a_file(content: bytes, directory: Path) -> bool:
    return any(content in path.read_bytes() for path in directory.glob("csms.db*"))


async def test_a_password_is_not_kept_as_it_is(csms: LiveCsms, tmp_path: Path):
    await csms.put("/csms/stations/CP1", password=KEY)
    assert not is_in_a_file(KEY.encode(), tmp_path)
    assert KEY not in json.dumps(await csms.get("/csms/stations/CP1"))
