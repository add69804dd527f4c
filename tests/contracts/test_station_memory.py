"""What the memory of stations promises."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from tests.contracts.memory_until_killed import STATIONS, change, run
from tests.programs import said_until_killed
from voltbench.adapters.ocpp_station.memory import Change, Memory
from voltbench.errors import InvalidInput, Unavailable

KILLS = 4


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "stations" / "memory.db"


@asynccontextmanager
async def opened(file: Path) -> AsyncIterator[Memory]:
    memory = Memory(file)
    try:
        yield memory
    finally:
        await memory.close()


async def kept(memory: Memory, station: str, *changes: Change) -> None:
    await memory.put(station, changes)


async def test_a_station_finds_what_it_put_and_nothing_of_others(file: Path):
    async with opened(file) as memory:
        await kept(memory, "CP001", ("key/HeartbeatInterval", b"300"), ("list", bytes(range(256))))
        await kept(memory, "CP002", ("key/HeartbeatInterval", b"60"))
        assert memory.load("CP001") == {"key/HeartbeatInterval": b"300", "list": bytes(range(256))}
        assert memory.load("CP002") == {"key/HeartbeatInterval": b"60"}
        assert memory.load("CP003") == {}


async def test_the_last_change_of_a_key_counts(file: Path):
    async with opened(file) as memory:
        await kept(memory, "CP001", ("register/1", b"1"), ("register/1", b"2"), ("queue/1", b"stop"))
        await kept(memory, "CP001", ("register/1", b"3"), ("queue/1", None), ("never", None))
        await kept(memory, "CP001", ("gone", b"soon"), ("gone", None), ("back", None), ("back", b""))
        assert memory.load("CP001") == {"register/1": b"3", "back": b""}


async def test_what_is_still_on_its_way_is_found(file: Path):
    async with opened(file) as memory:
        memory.put("CP001", [("queue/1", b"start"), ("queue/2", b"stop")])
        assert memory.load("CP001") == {"queue/1": b"start", "queue/2": b"stop"}
        await asyncio.sleep(0)
        memory.put("CP001", [("queue/1", None)])
        assert memory.load("CP001") == {"queue/2": b"stop"}


async def test_what_is_loaded_is_the_stations_own(file: Path):
    async with opened(file) as memory:
        await kept(memory, "CP001", ("list", b"1"))
        memory.load("CP001").clear()
        assert memory.load("CP001") == {"list": b"1"}


async def test_any_changes_in_any_order_end_as_in_a_dictionary(file: Path):
    chance, expected = random.Random(3), dict[str, dict[str, bytes]]()
    async with opened(file) as memory:
        for _ in range(300):
            station, changes = some_station(chance), some_changes(chance)
            future = memory.put(station, changes)
            apply(changes, expected.setdefault(station, {}))
            if chance.random() < 0.1:
                await future
        await kept(memory, "nobody")
        assert {station: memory.load(station) for station in expected} == expected


def some_station(chance: random.Random) -> str:
    return f"CP{chance.randrange(STATIONS)}"


def some_changes(chance: random.Random) -> list[Change]:
    keys = [f"key/{chance.randrange(50)}" for _ in range(chance.randrange(40))]
    return [(key, chance.randbytes(chance.randrange(300)) if chance.random() < 0.7 else None) for key in keys]


def apply(changes: list[Change], entries: dict[str, bytes]) -> None:
    for key, entry in changes:
        if entry is None:
            entries.pop(key, None)
        else:
            entries[key] = entry


async def test_it_is_there_after_a_restart_also_what_nobody_waited_for(file: Path):
    async with opened(file) as memory:
        for number in range(1_000):
            memory.put(f"CP{number % 10}", [(f"queue/{number:04}", b"%d" % number)])
    async with opened(file) as memory:
        found = [memory.load(f"CP{station}") for station in range(10)]
    assert sum(map(len, found)) == 1_000
    assert found[7]["queue/0997"] == b"997"


async def test_it_knows_what_time_it_was_last(file: Path):
    async with opened(file) as memory:
        assert memory.latest() is None
        memory.it_is(1_000)
        assert memory.latest() == 1_000
        await kept(memory, "CP001", ("list", b"1"))
        memory.it_is(2_000)
    memory.it_is(3_000)
    async with opened(file) as memory:
        assert memory.latest() == 2_000
        assert memory.load("CP001") == {"list": b"1"}


async def test_a_closed_memory_takes_nothing(file: Path):
    memory = Memory(file)
    await memory.close()
    with pytest.raises(Unavailable, match="closed"):
        memory.put("CP001", [("list", b"1")])


async def test_who_stops_waiting_takes_nothing_from_others(file: Path):
    async with opened(file) as memory:
        impatient, patient = memory.put("CP001", [("list", b"1")]), memory.put("CP002", [("list", b"2")])
        impatient.cancel()
        await patient
        assert memory.load("CP001") == {"list": b"1"}


async def test_passwords_are_read_by_nobody_else(file: Path):
    async with opened(file) as memory:
        await kept(memory, "CP001", ("key/AuthorizationKey", b"secret"))
        modes = {stat.S_IMODE(one.stat().st_mode) for one in file.parent.iterdir()}
    assert modes == {0o600}


async def test_one_process_holds_it_at_a_time(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("voltbench.adapters.ocpp_station.memory.PATIENCE_S", 0.0)
    async with opened(file):
        with pytest.raises(Unavailable, match="locked"):
            Memory(file)
    await Memory(file).close()


def test_a_file_of_something_else_is_refused_and_left_alone(file: Path):
    file.parent.mkdir()
    file.write_bytes(b"a diary, " * 1_000)
    with pytest.raises(InvalidInput, match="damaged"):
        Memory(file)
    assert file.read_bytes() == b"a diary, " * 1_000


def test_a_database_of_another_program_is_refused_and_left_alone(file: Path):
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as program:
        program.execute("CREATE TABLE kept (something)")
    before = file.read_bytes()
    with pytest.raises(InvalidInput, match="another program"):
        Memory(file)
    assert file.read_bytes() == before


async def test_a_memory_of_a_later_version_is_refused(file: Path):
    await Memory(file).close()
    with closing(sqlite3.connect(file)) as later:
        later.execute("PRAGMA user_version = 2")
    with pytest.raises(InvalidInput, match="another version"):
        Memory(file)


def test_a_place_that_cannot_be_had_is_unavailable(tmp_path: Path):
    (tmp_path / "stations").write_text("a file")
    with pytest.raises(Unavailable, match="stations"):
        Memory(tmp_path / "stations" / "memory.db")


async def test_what_cannot_be_written_fails_for_those_who_wait_and_the_next_is_kept(file: Path):
    async with opened(file) as memory:
        with pytest.raises(Unavailable):
            await kept(memory, "CP001", ("half a character: \ud800", b"1"))
        await kept(memory, "CP001", ("list", b"2"))
        assert memory.load("CP001") == {"list": b"2"}


# --- kill -9 --------------------------------------------------------------------------------------------------------


async def test_what_was_confirmed_survives_a_kill_at_any_moment(file: Path):
    chance, confirmed = random.Random(17), 0
    for _ in range(KILLS):
        confirmed = max([confirmed, *confirmed_until_killed(file, after=chance.randrange(1, 400))])
        async with opened(file) as memory:
            last = int(memory.load("counter")["last"])
            assert last >= confirmed
            assert all(memory.load(f"CP{station}") == expected(station, last) for station in range(STATIONS))
    assert confirmed > 0


def confirmed_until_killed(file: Path, after: int) -> list[int]:
    """Let another process make changes, kill it once it has confirmed so many, and return all that it confirmed."""
    lines = said_until_killed(run, file, log=file.parent.with_name("said"), lines=after)
    return [int(line) for line in lines]


def expected(station: int, last: int) -> dict[str, bytes]:
    """What a station has kept after so many changes, of all stations together."""
    entries: dict[str, bytes] = {}
    for number in range(station or STATIONS, last + 1, STATIONS):
        apply(change(number), entries)
    return entries
