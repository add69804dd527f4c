"""What a station tells once more is recorded once, however long ago it told it first; on each database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosedError

from tests.csms16 import NOON
from tests.csms_live import LiveCsms, a_csms, connected
from voltbench.ocpp.v16.csms.transactions import RECENT
from voltbench.quantities import rfc3339


async def tells(connection: ClientConnection, action: str, id: str = "a", **payload: Any) -> Any:
    """The answer to a call: its payload, or the code of the error."""
    await connection.send(json.dumps([2, id, action, payload]))
    return json.loads(await connection.recv())[2]


async def starts(connection: ClientConnection, number: int) -> int:
    """The id of a transaction that begins at so many seconds after noon."""
    at = rfc3339(NOON + number * 1_000)
    answer = await tells(connection, "StartTransaction", connectorId=1, idTag="ADA", meterStart=number, timestamp=at)
    id: int = answer["transactionId"]
    return id


async def charges(connection: ClientConnection, number: int) -> int:
    """The id of a transaction that begins and ends."""
    id = await starts(connection, number)
    at = rfc3339(NOON + number * 1_000 + 500)
    await tells(connection, "StopTransaction", transactionId=id, meterStop=number + 1, timestamp=at)
    return id


async def reads(connection: ClientConnection, transaction: int, wh: int, id: str = "a", connector: int = 1) -> Any:
    values = [{"timestamp": rfc3339(NOON + wh), "sampledValue": [{"value": str(wh)}]}]
    return await tells(
        connection, "MeterValues", id, connectorId=connector, transactionId=transaction, meterValue=values
    )


async def values(csms: LiveCsms, transaction: int) -> list[str]:
    """The values that are recorded of a transaction."""
    found = (await csms.get(f"/csms/transactions/{transaction}"))["readings"]
    return [one["message"]["meterValue"][0]["sampledValue"][0]["value"] for one in found]


# --- starts ---------------------------------------------------------------------------------------------------------


async def test_a_start_that_comes_again_after_many_others_is_the_one_it_was(tmp_path: Path, url: str):
    async with a_csms(tmp_path, url) as csms, connected(csms.url) as connection:
        ids = [await charges(connection, number) for number in range(RECENT + 4)]
        assert [await starts(connection, number) for number in range(RECENT + 4)] == ids
        assert await starts(connection, 100) == ids[-1] + 1
    async with a_csms(tmp_path, url) as csms, connected(csms.url) as connection:
        assert await starts(connection, 0) == ids[0]
        assert await starts(connection, -1) == ids[-1] + 2  # older than all of them, and new all the same
        recorded = (await csms.get("/csms/transactions?limit=100"))["transactions"]
        assert len(recorded) == len(ids) + 2


async def test_an_old_start_is_not_answered_while_nobody_can_look_it_up(tmp_path: Path):
    async with a_csms(tmp_path) as csms:
        async with connected(csms.url) as connection:
            ids = [await charges(connection, number) for number in range(RECENT + 1)]
            with a_table_lost(tmp_path, "csms_transactions"):
                await hangs_up(starts(connection, 0))
        async with connected(csms.url) as again:
            assert await starts(again, 0) == ids[0]


@contextmanager
def a_table_lost(directory: Path, name: str) -> Iterator[None]:
    """The database has no such table, for a while."""
    with closing(sqlite3.connect(directory / "csms.db", isolation_level=None)) as program:
        program.execute(f"ALTER TABLE {name} RENAME TO lost")
        yield
        program.execute(f"ALTER TABLE lost RENAME TO {name}")


async def hangs_up(telling: Awaitable[Any]) -> None:
    """The CSMS does not answer, but closes the line, so that the station will tell it once more."""
    with pytest.raises(ConnectionClosedError) as closed:
        await telling
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011


# --- stops ----------------------------------------------------------------------------------------------------------


async def test_the_stop_of_a_transaction_that_was_closed_long_ago_is_recorded(tmp_path: Path, url: str):
    """An operator took it for stale; its station comes back after many others have charged, and a restart."""
    async with a_csms(tmp_path, url) as csms, connected(csms.url) as connection:
        ids = [await starts(connection, number) for number in (0, 1)]
        for id in ids:
            assert (await csms.client.post(f"/csms/transactions/{id}/close")).status_code == 200
        for number in range(2, RECENT + 3):
            await charges(connection, number)
        for id in ids[:1]:
            await stops_late(csms, connection, id)
    async with a_csms(tmp_path, url) as csms, connected(csms.url) as connection:
        for id in ids:
            await stops_late(csms, connection, id)
        assert "StopTransaction" not in {one["kind"] for one in await events(csms)}


async def stops_late(csms: LiveCsms, connection: ClientConnection, id: int) -> None:
    """The last reading and the stop of a transaction are told, and recorded once."""
    await reads(connection, id, 7_000)
    await tells(connection, "StopTransaction", transactionId=id, meterStop=7_000, timestamp=rfc3339(NOON))
    found = (await csms.get(f"/csms/transactions/{id}"))["transaction"]
    assert (found["closed_by"], found["meter_stop_wh"]) == ("station", 7_000)
    assert await values(csms, id) == ["7000"]


async def test_a_stop_of_what_another_station_began_long_ago_changes_nothing(tmp_path: Path):
    async with a_csms(tmp_path) as csms, connected(csms.url) as mine, connected(csms.url, "CP2") as other:
        ids = [await charges(mine, number) for number in range(RECENT + 1)]
        await tells(other, "StopTransaction", transactionId=ids[0], meterStop=9, timestamp=rfc3339(NOON))
        assert (await csms.get(f"/csms/transactions/{ids[0]}"))["transaction"]["meter_stop_wh"] == 1
        assert [one["kind"] for one in await events(csms, "CP2")] == ["StopTransaction"]


async def events(csms: LiveCsms, station_id: str = "CP1") -> list[Any]:
    found: list[Any] = (await csms.get(f"/csms/stations/{station_id}/events"))["events"]
    return found


# --- meter values ---------------------------------------------------------------------------------------------------


async def test_meter_values_that_come_again_are_recorded_once_by_whatever_id(tmp_path: Path, url: str):
    async with a_csms(tmp_path, url) as csms, connected(csms.url) as connection:
        id = await starts(connection, 0)
        for wh, message in ((1, "x"), (1, "x"), (1, "y"), (2, "x"), (3, "z")):
            assert await reads(connection, id, wh, message) == {}
        assert await reads(connection, id, 3, connector=2) == {}  # another meter
        async with connected(csms.url) as again:
            assert await reads(again, id, 3) == {}
            assert await values(csms, id) == ["1", "2", "3", "3"]


async def test_meter_values_that_come_again_after_a_restart_are_recorded_once(tmp_path: Path, url: str, monkeypatch):
    """However many have come since of others, those of an open transaction are known; of the rest, those of late."""
    monkeypatch.setattr("voltbench.adapters.ocpp_csms.store.LATELY", 2)
    async with a_csms(tmp_path, url) as csms, connected(csms.url) as mine, connected(csms.url, "CP2") as other:
        id, others = await starts(mine, 0), await starts(other, 0)
        await reads(mine, id, 1)
        for wh in range(5):
            await reads(other, others, wh, connector=2)
        at = rfc3339(NOON)
        await tells(other, "StopTransaction", transactionId=others, meterStop=9, timestamp=at)
    async with a_csms(tmp_path, url) as csms, connected(csms.url) as mine, connected(csms.url, "CP2") as other:
        await reads(mine, id, 1)
        await reads(other, others, 4, connector=2)
        await reads(mine, id, 2)
        assert await values(csms, id) == ["1", "2"]
        assert await values(csms, others) == ["0", "1", "2", "3", "4"]
        shown = (await csms.get("/csms/stations/CP1"))["connectors"]
        assert [one["meter_values"][0]["sampledValue"][0]["value"] for one in shown] == ["2"]


async def test_meter_values_that_could_not_be_kept_are_recorded_when_they_come_again(tmp_path: Path):
    async with a_csms(tmp_path) as csms:
        async with connected(csms.url) as connection:
            id = await starts(connection, 0)
            with a_table_lost(tmp_path, "csms_meter_values"):
                await hangs_up(reads(connection, id, 1))
        async with connected(csms.url) as again:
            for _ in range(2):
                assert await reads(again, id, 1) == {}
        assert await values(csms, id) == ["1"]
