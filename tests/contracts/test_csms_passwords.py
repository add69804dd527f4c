"""Passwords of stations at the CSMS's door: who has to show one, and when a new one counts."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from tests.csms_live import LiveCsms, a_csms, answer, connected
from tests.databases import a_full_disk
from voltbench.adapters.ocpp_csms.csms import Csms
from voltbench.adapters.ocpp_csms.door import Rules
from voltbench.ocpp.v16.csms.records import Command, Record
from voltbench.ocpp.v16.csms.secrets_kept import is_password

BOOT = '[2,"b","BootNotification",{"chargePointVendor":"Acme","chargePointModel":"One"}]'
KEY = "00112233445566778899aabbccddeeff00112233"
NEW_KEY = "a-new-password-of-20"


@pytest.fixture
async def csms(tmp_path: Path) -> AsyncIterator[LiveCsms]:
    async with a_csms(tmp_path) as csms:
        yield csms


def credentials(name: str, password: str | bytes) -> dict[str, str]:
    shown = password if isinstance(password, bytes) else password.encode()
    return {"Authorization": "Basic " + base64.b64encode(name.encode() + b":" + shown).decode()}


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
            asked = {"key": "authorizationkey", "value": NEW_KEY}
            await csms.client.post("/csms/stations/CP1/commands/ChangeConfiguration", json=asked)
            await connection.recv()
            assert may_come(tmp_path, asked["value"])
    async with a_csms(tmp_path) as csms:  # nor has it answered before the CSMS went
        for shown in (KEY, NEW_KEY):
            async with connected(csms.url, additional_headers=credentials("CP1", shown)) as connection:
                await answer(connection)
    async with a_csms(tmp_path) as csms:
        with pytest.raises(InvalidStatus):
            await connected(csms.url, additional_headers=credentials("CP1", KEY))
    assert not is_in_a_file(NEW_KEY.encode(), tmp_path)


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


# --- a new password ---------------------------------------------------------------------------------------------------


def may_come(directory: Path, password: str) -> bool:
    """Whether a station would come in with a password if the CSMS were killed now and started again."""
    with closing(sqlite3.connect(directory / "csms.db")) as program:
        ((secret,),) = program.execute("SELECT secret FROM csms_stations")
    return is_password(password, secret)


async def comes_in(csms: LiveCsms, password: str) -> bool:
    try:
        async with connected(csms.url, additional_headers=credentials("CP1", password)):
            return True
    except InvalidStatus:
        return False


@asynccontextmanager
async def a_slow_store(csms: Csms, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Event]:
    """A store that keeps no command before this is over; the event says that it was given one."""
    keep, has_begun, is_over = csms.store.keep, asyncio.Event(), asyncio.Event()

    async def kept(group: Sequence[Record]) -> None:
        has_begun.set()
        await is_over.wait()
        await keep(group)

    def slowly(group: Sequence[Record]) -> asyncio.Future[None]:
        is_slow = any(isinstance(record, Command) and record.state == "pending" for record in group)
        return asyncio.ensure_future(kept(group)) if is_slow else keep(group)

    monkeypatch.setattr(csms.store, "keep", slowly)
    yield has_begun
    is_over.set()


async def test_a_new_password_counts_once_it_is_kept_and_the_station_hears_of_it_afterwards(
    csms: LiveCsms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whenever the CSMS is killed, the station comes in with the password that it has then."""
    await csms.put("/csms/stations/CP1", password=KEY)
    asked = {"key": "AuthorizationKey", "value": NEW_KEY}
    async with connected(csms.url, additional_headers=credentials("CP1", KEY)) as connection:
        async with a_slow_store(csms.service.csms, monkeypatch) as has_begun:
            asking = asyncio.create_task(
                csms.client.post("/csms/stations/CP1/commands/ChangeConfiguration", json=asked)
            )
            await has_begun.wait()
            assert not await comes_in(csms, NEW_KEY)
            assert (await answer(connection, BOOT))[:2] == [3, "b"], "it hears of no new password"
        assert (await asking).status_code == 202
        assert json.loads(await connection.recv())[2:] == ["ChangeConfiguration", asked]
        assert may_come(tmp_path, KEY)
        assert may_come(tmp_path, NEW_KEY)
    await csms.gone()
    assert may_come(tmp_path, NEW_KEY), "also by what is kept when it goes"
    assert (await csms.get("/csms/stations/CP1"))["booted_at"] is not None
    assert await comes_in(csms, KEY)
    assert await comes_in(csms, NEW_KEY)
    assert not await comes_in(csms, KEY)


async def test_a_new_password_that_cannot_be_kept_counts_for_nothing(csms: LiveCsms, tmp_path: Path):
    await csms.put("/csms/stations/CP1", password=KEY)
    asked = {"key": "AuthorizationKey", "value": NEW_KEY}
    async with connected(csms.url, additional_headers=credentials("CP1", KEY)) as connection:
        with a_full_disk(tmp_path / "csms.db-wal"):
            refused = await csms.client.post("/csms/stations/CP1/commands/ChangeConfiguration", json=asked)
        assert refused.status_code == 503
        assert (await answer(connection))[0] == 3, "it was not asked for anything"
    await csms.gone()
    assert not may_come(tmp_path, NEW_KEY)
    assert not await comes_in(csms, NEW_KEY)


async def test_of_passwords_that_are_given_at_once_each_is_kept_when_the_station_hears_of_it(
    csms: LiveCsms, tmp_path: Path
):
    await csms.put("/csms/stations/CP1", password=KEY)
    async with connected(csms.url, additional_headers=credentials("CP1", KEY)) as connection:
        path, keys = "/csms/stations/CP1/commands/ChangeConfiguration", [f"password-number-{i}" for i in range(5)]
        asked = [csms.client.post(path, json={"key": "AuthorizationKey", "value": key}) for key in keys]
        giving = asyncio.gather(*asked)
        for _ in keys:
            _, id, _, request = json.loads(await connection.recv())
            assert may_come(tmp_path, request["value"])
            await connection.send(json.dumps([3, id, {"status": "Accepted"}]))
        await giving
