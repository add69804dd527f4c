"""Stations that nobody knows: so many are let in, and those that never take part are forgotten; on each database."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from websockets.exceptions import InvalidStatus

from tests.csms_live import LiveCsms, a_csms, answer, connected, soon
from tests.databases import a_full_disk
from voltbench.adapters.ocpp_csms.store import STATIONS_AT_ONCE
from voltbench.clock import wall_instant
from voltbench.errors import Unavailable
from voltbench.ocpp.v16.csms.central import Policy
from voltbench.ocpp.v16.csms.records import KnownStation
from voltbench.quantities import MS_PER_DAY

BOOT = '[2,"b","BootNotification",{"chargePointVendor":"Acme","chargePointModel":"One"}]'
STATUS = '[2,"s","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]'


async def comes(csms: LiveCsms, id: str, frame: str = BOOT) -> str | None:
    """A station comes, says something, hears the answer and goes."""
    async with connected(csms.url, id) as connection:
        await connection.send(frame)
        answer: dict[str, str] = json.loads(await connection.recv())[2]
    await csms.gone(id)
    return answer.get("status")


async def known(csms: LiveCsms) -> list[str]:
    return [one["id"] for one in (await csms.get("/csms/stations"))["stations"]]


async def test_no_more_strangers_are_let_in_than_there_is_room_for(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    async with a_csms(tmp_path, policy=Policy(most_stations=2)) as csms:
        for id in ("CP1", "CP2", "CP1"):
            assert await comes(csms, id) == "Accepted"
        with pytest.raises(InvalidStatus) as refusal:
            await connected(csms.url, "CP3")
        assert refusal.value.response.status_code == 503
        assert "CP3: refused, it is unknown, and 2 stations are known already" in caplog.text
        await csms.put("/csms/stations/CP3", registration="Accepted")
        assert await comes(csms, "CP3") == "Accepted"
    async with a_csms(tmp_path, policy=Policy(most_stations=2)) as csms:
        assert await known(csms) == ["CP1", "CP2", "CP3"]


async def test_strangers_that_never_took_part_are_forgotten(tmp_path: Path, url: str):
    """Who was accepted, who an operator has spoken of, and who is there stays."""
    async with a_csms(tmp_path, url, policy=Policy(unknown_stations="Rejected")) as csms:
        for id in ("GONE", "ADMITTED", "SECRET"):
            assert await comes(csms, id) == "Rejected"
        await csms.put("/csms/stations/ADMITTED", registration="Accepted")
        await csms.put("/csms/stations/SECRET", password="a-password-of-its-own")
        await csms.put("/csms/stations/EXPECTED", registration="Rejected")
        async with connected(csms.url, "THERE"):
            for before in (0, wall_instant() + MS_PER_DAY):
                await csms.service.csms.forget_strangers(before)
                gone = {"GONE"} if before else set()
                assert set(await known(csms)) == {"GONE", "ADMITTED", "SECRET", "EXPECTED", "THERE"} - gone
    async with a_csms(tmp_path, url, policy=Policy(unknown_stations="Rejected")) as csms:
        assert await known(csms) == ["ADMITTED", "EXPECTED", "SECRET", "THERE"]
        assert await comes(csms, "GONE") == "Rejected"
        assert len((await csms.get("/csms/stations/GONE/events"))["events"]) == 1


async def test_where_all_are_accepted_who_only_knocked_is_forgotten(tmp_path: Path):
    async with a_csms(tmp_path) as csms:
        await comes(csms, "KNOCKS", '[2,"h","Heartbeat",{}]')
        await comes(csms, "BOOTS")
        await csms.service.csms.forget_strangers(wall_instant() + MS_PER_DAY)
        assert await known(csms) == ["BOOTS"]


async def test_who_could_not_be_forgotten_is_known_still(tmp_path: Path):
    async with a_csms(tmp_path, policy=Policy(unknown_stations="Rejected")) as csms:
        await comes(csms, "CP1")
        with a_full_disk(tmp_path / "csms.db-wal"), pytest.raises(Unavailable):
            await csms.service.csms.forget_strangers(wall_instant() + MS_PER_DAY)
        assert await known(csms) == ["CP1"]


async def test_who_comes_back_after_all_could_not_be_forgotten_is_kept_again(tmp_path: Path):
    """Some were, for they are forgotten by the hundreds."""
    stranger = KnownStation(
        id="", registration="Accepted", subprotocol="ocpp1.6", first_seen_at=0, seen_at=wall_instant()
    )
    async with a_csms(tmp_path) as csms:
        await csms.service.csms.store.keep([replace(stranger, id=f"CP{n}") for n in range(STATIONS_AT_ONCE + 1)])
    async with a_csms(tmp_path) as csms:
        with refused(tmp_path, f"DELETE ON csms_stations WHEN OLD.id = 'CP{STATIONS_AT_ONCE}'"):
            with pytest.raises(Unavailable):
                await csms.service.csms.forget_strangers(wall_instant() + MS_PER_DAY)
            assert kept(tmp_path, "CP0") == []
        async with connected(csms.url, "CP0") as connection:
            await answer(connection, STATUS)
            assert kept(tmp_path, "CP0") == ["CP0"]


async def test_a_newcomer_that_could_not_be_kept_is_kept_with_what_it_says_next(tmp_path: Path):
    async with a_csms(tmp_path) as csms:
        with refused(tmp_path, "INSERT ON csms_stations"):
            connection = await connected(csms.url, "CP1")

            async def has_entered() -> bool | None:
                return csms.service.csms.is_connected("CP1") or None

            await soon(has_entered)
            await csms.service.csms.store.keep([])  # after what came before
        async with connection:
            await answer(connection, STATUS)
            assert kept(tmp_path, "CP1") == ["CP1"]


@contextmanager
def refused(directory: Path, what: str) -> Iterator[None]:
    """The database does not do that for a while."""
    trigger = f"CREATE TRIGGER refuse BEFORE {what} BEGIN SELECT RAISE(ABORT, 'not now'); END"
    with closing(sqlite3.connect(directory / "csms.db", timeout=60.0)) as program:
        program.execute(trigger)
        yield
        program.execute("DROP TRIGGER refuse")


def kept(directory: Path, id: str) -> list[str]:
    """The ids of a station's rows."""
    with closing(sqlite3.connect(directory / "csms.db", timeout=60.0)) as program:
        return [row[0] for row in program.execute("SELECT id FROM csms_stations WHERE id = ?", (id,))]


async def test_who_comes_back_while_it_is_forgotten_stays(tmp_path: Path, url: str):
    async with a_csms(tmp_path, url, policy=Policy(unknown_stations="Rejected")) as csms:
        await comes(csms, "BACK")
        forgetting = asyncio.create_task(csms.service.csms.forget_strangers(wall_instant() + 1))
        await comes(csms, "BACK")
        await forgetting
        assert await known(csms) == ["BACK"]
    async with a_csms(tmp_path, url) as csms:
        assert await known(csms) == ["BACK"]


async def test_they_are_forgotten_in_time_by_themselves(tmp_path: Path):
    async with a_csms(tmp_path, policy=Policy(unknown_stations="Rejected")) as csms:
        await comes(csms, "GONE")
    async with a_csms(tmp_path, policy=Policy(unknown_stations="Rejected"), stranger_days=0.0) as csms:

        async def all_gone() -> bool | None:
            return not await known(csms) or None

        await soon(all_gone)
