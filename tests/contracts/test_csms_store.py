"""What the CSMS's store promises, on each database."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace
from websockets.exceptions import ConnectionClosedError

from tests.csms16 import NOON, NOON_TEXT, a_profile
from tests.csms_live import a_csms, connected
from voltbench.adapters.ocpp_csms import schema
from voltbench.adapters.ocpp_csms.store import CsmsStore
from voltbench.adapters.store import Store
from voltbench.errors import Conflict, Unavailable
from voltbench.ocpp.v16.csms import records
from voltbench.ocpp.v16.csms.dossier import EXPIRED_FOR_MS
from voltbench.ocpp.v16.csms.records import Record
from voltbench.quantities import MS_PER_DAY

STATION = records.KnownStation(
    id="CP1", registration="Accepted", subprotocol="ocpp1.6", first_seen_at=NOON, seen_at=NOON
)
STARTED = records.Transaction(
    id=1, station_id="CP1", connector_id=1, id_token="ADA", started_at=NOON, meter_start_wh=5, authorization="Accepted"
)
RESERVED = records.Reservation(
    station_id="CP1", reservation_id=5, connector_id=0, id_token="ADA", group=None, expires_at=NOON, state="Active",
    changed_at=NOON,
)  # fmt: skip
INSTALLED = records.InstalledProfile(
    station_id="CP1", profile_id=1, connector_id=0, purpose="TxDefaultProfile", stack_level=0, transaction_id=None,
    profile=json.dumps(a_profile()), installed_at=NOON,
)  # fmt: skip
COMMAND = records.Command(id="c", station_id="CP1", action="Reset", payload="{}", asked_at=NOON)
READ = records.MetersRead(id=1, station_id="CP1", connector_id=1, transaction_id=1, at=NOON, payload="{}")
ONE_OF_EACH: list[Record] = [
    STATION,
    records.ConnectorState(station_id="CP1", connector_id=1, is_scheduled=True),
    records.Token(id_token="ADA", group="FAMILY", expires_at=NOON),
    STARTED,
    records.StopReadings(transaction_id=1, payload="[]"),
    READ,
    RESERVED,
    INSTALLED,
    records.NamedProfile(name="night", profile="{}", at=NOON),
    records.LocalList(station_id="CP1", version=3, entries="{}", at=NOON),
    records.Setting(station_id="CP1", key="A", setting=None, readonly=True, needs_reboot=False, at=NOON),
    COMMAND,
    records.Note(station_id="CP1", topic="firmware", content="{}", at=NOON),
    records.Event(station_id="CP1", kind="BootNotification", content="{}", at=NOON),
]


async def test_whatever_is_kept_is_found_again(url: str):
    assert {type(record) for record in ONE_OF_EACH} == set(schema.TABLES)
    store = await CsmsStore.open(url)
    for _ in range(2):  # what is kept again does no harm, but for events
        await store.keep(ONE_OF_EACH)
    await store.close()
    store = await CsmsStore.open(url)
    memory = await store.memory(NOON + 1)
    assert (memory.stations, memory.tokens, memory.transactions) == ([STATION], [ONE_OF_EACH[2]], [STARTED])
    kept_alone = (STATION, STARTED, READ, COMMAND, *ONE_OF_EACH[2:3], *ONE_OF_EACH[4:5], *ONE_OF_EACH[8:9])
    assert sorted(map(repr, memory.belongings)) == sorted(
        repr(one) for one in ONE_OF_EACH[:-1] if one not in kept_alone
    )
    assert memory.last_transaction_id == 1
    assert [one.name for one in memory.named_profiles] == ["night"]
    assert await store.readings(STARTED, 10) == memory.readings == [READ]
    assert await store.events("CP1", "BootNotification", 10) == [ONE_OF_EACH[-1]] * 2
    lost = await store.command("c")
    assert lost is not None
    assert (lost.state, lost.ended_at) == ("lost", NOON + 1)
    await store.close()


async def test_open_transactions_and_the_last_closed_ones_are_remembered(url: str):
    store = await CsmsStore.open(url)
    many = [transaction(id, station=f"CP{id % 2}", is_open=id < 5) for id in range(1, 101)]
    await store.keep(many)
    remembered = {one.id for one in (await store.memory(NOON)).transactions}
    assert remembered == {1, 2, 3, 4, *range(69, 101)}
    await store.close()


def transaction(id: int, station: str, is_open: bool) -> records.Transaction:
    return records.Transaction(
        id=id,
        station_id=station,
        connector_id=1,
        id_token="ADA",
        started_at=NOON + id,
        meter_start_wh=0,
        authorization="Accepted",
        closed_by=None if is_open else "station",
    )


async def test_what_cannot_be_kept_fails_alone(url: str):
    store = await CsmsStore.open(url)
    good, bad = store.keep([STATION]), store.keep([records.Note(station_id="CP1", topic="x", content="{}", at=2**70)])
    also_good = store.keep([STARTED])
    await asyncio.gather(good, also_good)
    with pytest.raises(Unavailable):
        await bad
    await store.close()


async def test_a_store_is_held_by_one_csms(url: str):
    store = await CsmsStore.open(url)
    with pytest.raises(Unavailable, match="used by another voltbench process"):
        await CsmsStore.open(url, patience_s=0.1)
    await store.close()
    await (await CsmsStore.open(url)).close()


async def test_what_is_old_is_forgotten_but_transactions(url: str):
    store = await CsmsStore.open(url)
    events = [replace(ONE_OF_EACH[-1], at=NOON + number) for number in range(4)]
    day = [*events, *(replace(READ, id=number + 1, at=NOON + number) for number in range(4))]
    commands = [replace(COMMAND, id=state, state=state) for state in ("pending", "answered")]
    await store.keep([STARTED, *day, *commands])
    await store.prune(NOON + 2)
    assert [one.at for one in await store.readings(STARTED, 10)] == [NOON + 2, NOON + 3]
    assert [one.at for one in await store.events("CP1", None, 10)] == [NOON + 3, NOON + 2]
    assert [one.id for one in await store.commands("CP1", 10)] == ["pending"]
    assert await store.transaction(1) == STARTED
    await store.close()


async def test_what_is_over_is_not_loaded_and_forgotten_in_time(url: str):
    """Profiles that were cleared, reservations that were used or expired, readings of stops."""
    store = await CsmsStore.open(url)
    cleared = [replace(INSTALLED, profile_id=2 + number, cleared_at=NOON + number) for number in range(3)]
    used = [replace(RESERVED, reservation_id=6 + n, state="Used", changed_at=NOON + n) for n in range(3)]
    expired = replace(RESERVED, reservation_id=9, expires_at=NOON - EXPIRED_FOR_MS)
    lasting = replace(RESERVED, reservation_id=10, expires_at=NOON + MS_PER_DAY)
    stopped = [replace(transaction(1 + n, "CP1", is_open=False), stopped_at=NOON + n) for n in range(3)]
    stops = [records.StopReadings(transaction_id=1 + number, payload="[]") for number in range(3)]
    await store.keep([INSTALLED, RESERVED, expired, lasting, *cleared, *used, *stopped, *stops])
    assert (await store.memory(NOON + 1)).belongings == [RESERVED, lasting, INSTALLED]
    await store.prune(NOON + 2)
    assert {one.reservation_id for one in await store.reservations(10)} == {8, 10}
    assert [(await store.stop_readings(id)) is None for id in (1, 2, 3)] == [True, True, False]
    assert len(await store.transactions(is_open=None, station_id=None, before=None, limit=10)) == 3
    await store.keep([replace(INSTALLED, profile_id=4)])  # installed again
    assert [one for one in (await store.memory(NOON + 2)).belongings if isinstance(one, records.InstalledProfile)] == [
        INSTALLED,
        replace(INSTALLED, profile_id=4),
    ]
    await store.close()


async def test_csms_and_sites_share_a_database(postgresql_url: str):
    for _ in range(2):
        csms, sites = await CsmsStore.open(postgresql_url), await Store.open(postgresql_url)
        await csms.close()
        await sites.close()


async def test_a_file_of_another_program_is_left_alone(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "bench.db")) as program:
        program.execute("CREATE TABLE theirs (id)")
    with pytest.raises(Conflict, match="belongs to something else"):
        await CsmsStore.open(f"sqlite:///{tmp_path}/bench.db")


async def test_nothing_is_answered_that_is_not_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """While the database is locked by somebody else, a start is not confirmed; sent again, it is the same one."""
    monkeypatch.setitem(CsmsStore.open.__func__.__kwdefaults__, "patience_s", 0.2)  # type: ignore[attr-defined]
    start = [2, "a", "StartTransaction", {"connectorId": 1, "idTag": "A", "meterStart": 1, "timestamp": NOON_TEXT}]
    async with a_csms(tmp_path) as csms:
        with closing(sqlite3.connect(tmp_path / "csms.db", isolation_level=None)) as program:
            program.execute("BEGIN IMMEDIATE")
            async with connected(csms.url) as connection:
                await connection.send(json.dumps(start))
                with pytest.raises(ConnectionClosedError, match="1011"):
                    await connection.recv()
        async with connected(csms.url) as again:
            await again.send(json.dumps(start))
            assert json.loads(await again.recv())[2]["transactionId"] == 1
        assert len((await csms.get("/csms/transactions"))["transactions"]) == 1
