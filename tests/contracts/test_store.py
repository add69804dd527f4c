"""What the store promises, on each database."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from tests.databases import PostgreSQL
from voltbench.adapters.store import InputTaken, SessionEnded, SiteDeleted, SiteSaved, SnapshotTaken, Store, Write
from voltbench.adapters.store.database import database_at
from voltbench.adapters.store.journal import Position, place
from voltbench.adapters.store.writer import GroupWriter
from voltbench.adapters.telemetry import Telemetry
from voltbench.errors import Conflict, InvalidInput, LocalProtocolError, NotFound, Unavailable

NOON = 1_790_000_000_000
BEYOND_ANY_DATABASE = 2**70


@asynccontextmanager
async def opened(url: str, patience_s: float = 5.0) -> AsyncIterator[Store]:
    store = await Store.open(url, patience_s=patience_s)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def somebody_elses_lock(url: str) -> AsyncIterator[None]:
    """Another program is in the middle of a long change."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as program:
            program.execute("BEGIN IMMEDIATE")
            yield
    else:
        connection = await asyncpg.connect(url)
        await connection.execute("BEGIN; LOCK TABLE journal IN ACCESS EXCLUSIVE MODE")
        yield
        await connection.close()


def a_site(site_id: str = "depot", configuration: str = "{}") -> SiteSaved:
    return SiteSaved(site_id, configuration, NOON)


def an_input(sequence: int, site_id: str = "depot", instant: int | None = None) -> InputTaken:
    return InputTaken(site_id, sequence, NOON + sequence if instant is None else instant, b"input %d" % sequence)


def an_unwritable_input(sequence: int, site_id: str = "depot") -> InputTaken:
    return an_input(sequence, site_id, instant=BEYOND_ANY_DATABASE)


def a_snapshot(sequence: int, site_id: str = "depot") -> SnapshotTaken:
    return SnapshotTaken(site_id, sequence, NOON + sequence, b"after %d" % sequence)


def a_session(number: int, ended_at: int, site_id: str = "depot") -> SessionEnded:
    id = f"session-{number:03}"
    return SessionEnded(site_id, id, "CP001", "1", NOON, ended_at, 12_345.678, "EVDisconnected", {"soc": 0.8})


def sequences(restored_inputs: tuple[InputTaken, ...]) -> list[int]:
    return [taken.sequence for taken in restored_inputs]


# --- sites and their journals ----------------------------------------------------------------------------------------


async def test_a_site_is_there_after_a_restart_and_remembers_when_it_was_made(url: str):
    async with opened(url) as store:
        await store.put(SiteSaved("depot", '{"gridCapacity": 400}', NOON))
        await store.put(SiteSaved("depot", '{"gridCapacity": 250}', NOON + 5_000))
        await store.put(SiteSaved("car-park", "{}", NOON + 9_000))
    async with opened(url) as store:
        car_park, depot = await store.sites()
    assert (car_park.id, car_park.created_at) == ("car-park", NOON + 9_000)
    assert (depot.id, depot.configuration, depot.created_at) == ("depot", '{"gridCapacity": 250}', NOON)


async def test_a_site_is_rebuilt_from_all_its_inputs_when_it_has_no_snapshot(url: str):
    taken = [an_input(1), an_input(2), an_input(3)]
    async with opened(url) as store:
        await store.put(a_site(), *taken)
    async with opened(url) as store:
        restored = await store.restore("depot")
    assert restored.snapshot is None
    assert list(restored.inputs) == taken


async def test_a_site_is_rebuilt_from_its_last_snapshot_and_the_inputs_after_it(url: str):
    async with opened(url) as store:
        store.put(a_site(), a_site("car-park"), an_input(1, "car-park"))
        for sequence in range(1, 10):
            store.put(an_input(sequence))
        store.put(a_snapshot(4))
        store.put(a_snapshot(7))
        await store.durable()
    async with opened(url) as store:
        depot, car_park = await store.restore("depot"), await store.restore("car-park")
    assert depot.snapshot == a_snapshot(7)
    assert sequences(depot.inputs) == [8, 9]
    assert sequences(car_park.inputs) == [1]


async def test_a_snapshot_prunes_what_it_covers_of_its_own_site_and_there_is_one_of_each(url: str):
    async with opened(url) as store:
        for site_id in ("depot", "car-park"):
            await store.put(a_site(site_id), *(an_input(sequence, site_id) for sequence in range(1, 10)))
        await store.put(a_snapshot(4))
        await store.put(a_snapshot(7))
        assert await rows_of(url, "journal WHERE site_id = 'depot'") == 2
        assert await rows_of(url, "journal WHERE site_id = 'car-park'") == 9
        assert await rows_of(url, "snapshots") == 1


async def test_a_site_goes_on_where_it_stopped(url: str):
    async with opened(url) as store:
        await store.put(a_site(), an_input(1), an_input(2), a_snapshot(2))
    async with opened(url) as store:
        await store.put(an_input(3))
        with pytest.raises(LocalProtocolError, match="input 4 is next"):
            await store.put(an_input(3))
        assert sequences((await store.restore("depot")).inputs) == [3]
        await store.put(an_input(4))


async def test_a_deleted_site_is_gone_with_all_it_had_and_can_be_made_anew(url: str):
    async with opened(url) as store:
        await store.put(a_site(), an_input(1), an_input(2), a_snapshot(1), a_session(1, NOON))
        await store.put(SiteDeleted("depot"))
        with pytest.raises(NotFound, match="'depot'"):
            await store.restore("depot")
        await store.put(a_site(), an_input(1))
        assert await store.sessions("depot") == []
        restored = await store.restore("depot")
    assert restored.snapshot is None
    assert sequences(restored.inputs) == [1]


@pytest.mark.parametrize("sequence", [0, 1, 3], ids=["before the first", "a second time", "with a gap"])
async def test_an_input_out_of_order_is_a_bug_of_ours_and_is_not_written(url: str, sequence: int):
    async with opened(url) as store:
        await store.put(a_site(), an_input(1))
        with pytest.raises(LocalProtocolError, match="input 2 is next"):
            await store.put(an_input(sequence))
        assert sequences((await store.restore("depot")).inputs) == [1]


async def test_a_snapshot_neither_goes_back_nor_runs_ahead(url: str):
    async with opened(url) as store:
        await store.put(a_site(), an_input(1), an_input(2), a_snapshot(2))
        with pytest.raises(LocalProtocolError, match="already covers input 2"):
            await store.put(a_snapshot(1))
        with pytest.raises(LocalProtocolError, match="input 2 is the last"):
            await store.put(a_snapshot(3))
        await store.durable()
        assert (await store.restore("depot")).snapshot == a_snapshot(2)


async def test_nothing_is_kept_for_a_site_that_is_not_in_the_store(url: str):
    async with opened(url) as store:
        for write in (an_input(1), a_snapshot(1), a_session(1, NOON)):
            with pytest.raises(Unavailable, match="not in the store"):
                await store.put(write)
        with pytest.raises(NotFound):
            await store.restore("depot")


# --- groups ----------------------------------------------------------------------------------------------------------


async def test_what_is_put_together_is_kept_together_or_not_at_all(url: str):
    async with opened(url) as store:
        await store.put(a_site())
        with pytest.raises(Unavailable):
            await store.put(an_input(1), a_session(1, ended_at=BEYOND_ANY_DATABASE))
        assert (await store.restore("depot")).inputs == ()
        await store.put(an_input(1), a_session(1, NOON))
        assert len((await store.restore("depot")).inputs) == len(await store.sessions("depot")) == 1


async def test_a_bad_group_fails_alone(url: str):
    async with opened(url) as store:
        await store.put(a_site(), a_site("car-park"))
        first = store.put(an_input(1))
        bad = store.put(an_unwritable_input(1, "car-park"))
        second = store.put(an_input(2))
        await asyncio.wait([first, bad, second])
        assert first.exception() is None
        assert second.exception() is None
        failure = bad.exception()
        assert isinstance(failure, Unavailable)
        assert failure.__cause__ is not None
        await store.durable("depot")
        assert sequences((await store.restore("depot")).inputs) == [1, 2]
        assert (await store.restore("car-park")).inputs == ()


async def test_a_thousand_groups_put_at_once_are_all_kept_in_order(url: str):
    async with opened(url) as store:
        await store.put(a_site())
        futures = [store.put(an_input(sequence)) for sequence in range(1, 1_001)]
        await store.durable()
        assert all(future.done() for future in futures)
        assert sequences((await store.restore("depot")).inputs) == list(range(1, 1_001))


async def test_whoever_stops_waiting_does_not_stop_the_writing(url: str):
    async with opened(url) as store:
        store.put(a_site()).cancel()
        store.put(an_input(1)).cancel()
        await store.durable()
        assert sequences((await store.restore("depot")).inputs) == [1]


# --- what a reader may be shown --------------------------------------------------------------------------------------


async def test_a_reader_waits_for_what_was_put_before_and_for_nothing_else(url: str):
    async with opened(url) as store:
        await store.durable()
        before = store.put(a_site())
        reader = asyncio.ensure_future(store.durable())
        await asyncio.wait([before, reader], return_when=asyncio.FIRST_COMPLETED)
        assert before.done()
        await reader


async def test_after_a_lost_input_its_site_takes_nothing_more_and_shows_nothing_until_it_is_restored(url: str):
    async with opened(url) as store:
        await store.put(a_site(), an_input(1), a_site("car-park"))
        lost, refused, elsewhere = (
            store.put(an_unwritable_input(2)),
            store.put(an_input(3)),
            store.put(an_input(1, "car-park")),
        )
        await asyncio.wait([lost, refused, elsewhere])
        assert isinstance(lost.exception(), Unavailable)
        assert isinstance(refused.exception(), Unavailable)
        await store.durable("car-park")
        for site_id in ("depot", None):
            with pytest.raises(Unavailable, match="'depot'"):
                await store.durable(site_id)
        assert sequences((await store.restore("depot")).inputs) == [1]
        await store.put(an_input(2))
        await store.durable()


async def test_a_site_that_is_restored_while_another_is_written_goes_on_from_there():
    writing, restored = asyncio.Event(), asyncio.Event()

    async def write(_: Iterable[Write]) -> None:
        writing.set()
        await restored.wait()

    positions = {"depot": Position(sequence=1, lost=2), "car-park": Position(), "gone": Position(lost=1)}
    writer = GroupWriter(write, positions, patience_s=60.0)
    elsewhere = writer.put((an_input(1, "car-park"),))
    await writing.wait()
    place(writer.positions, "depot", Position(sequence=1))
    place(writer.positions, "gone", None)
    restored.set()
    await elsewhere
    assert writer.positions == {"depot": Position(sequence=1), "car-park": Position(sequence=1)}
    await writer.put((an_input(2),))
    await writer.close()


async def test_a_snapshot_makes_up_for_the_inputs_that_were_lost(url: str):
    async with opened(url) as store:
        await store.put(a_site(), an_input(1))
        await asyncio.wait([store.put(an_unwritable_input(2)), store.put(an_input(3))])
        await store.put(a_snapshot(1))
        with pytest.raises(Unavailable):
            await store.durable("depot")
        await store.put(a_snapshot(3))
        await store.durable("depot")
        await store.put(an_input(4))
        restored = await store.restore("depot")
    assert restored.snapshot == a_snapshot(3)
    assert sequences(restored.inputs) == [4]


async def test_a_lost_snapshot_loses_nothing(url: str):
    async with opened(url) as store:
        await store.put(a_site(), an_input(1))
        with pytest.raises(Unavailable):
            await store.put(SnapshotTaken("depot", 1, BEYOND_ANY_DATABASE, b""))
        await store.durable()
        await store.put(an_input(2))


async def test_a_site_that_could_not_be_saved_can_be_saved_again(url: str):
    async with opened(url) as store:
        with pytest.raises(Unavailable):
            await store.put(SiteSaved("depot", "{}", BEYOND_ANY_DATABASE))
        with pytest.raises(Unavailable):
            await store.durable("depot")
        await store.put(a_site(), an_input(1))
        await store.durable()


# --- the history -----------------------------------------------------------------------------------------------------


async def test_a_session_of_the_history_reads_as_it_was_written_however_often(url: str):
    async with opened(url) as store:
        await store.put(a_site(), a_session(1, NOON + 1), a_session(1, NOON + 2))
        assert await store.sessions("depot") == [a_session(1, NOON + 2)]


async def test_the_history_is_read_page_by_page_from_the_last_ended(url: str):
    ended = [a_session(number, NOON + number // 3) for number in range(20)]
    elsewhere = a_session(7, NOON + 50, "car-park")
    async with opened(url) as store:
        await store.put(a_site(), a_site("car-park"), elsewhere, *ended)
        read: list[SessionEnded] = []
        before = None
        while page := await store.sessions("depot", limit=4, before=before):
            read += page
            before = (page[-1].ended_at, page[-1].id)
    assert read == ended[::-1]


# --- trouble ---------------------------------------------------------------------------------------------------------


async def test_a_second_process_is_told_that_the_store_is_in_use(url: str):
    async with opened(url) as store:
        with pytest.raises(Unavailable, match="is used by another voltbench process"):
            await Store.open(url, patience_s=0.05)
        await store.put(a_site())
    async with opened(url):
        pass


async def test_while_somebody_else_locks_the_database_writes_fail_and_afterwards_it_goes_on(url: str):
    async with opened(url, patience_s=0.02) as store:
        await store.put(a_site())
        async with somebody_elses_lock(url):
            futures = [store.put(an_input(sequence)) for sequence in range(1, 200)]
            await asyncio.wait(futures)
            assert all(isinstance(future.exception(), Unavailable) for future in futures)
        await store.put(a_snapshot(199))
        await store.put(an_input(200))
        await store.durable()


async def test_a_closing_store_writes_what_was_put_and_then_takes_nothing(url: str):
    store = await Store.open(url)
    futures = [store.put(write) for write in (a_site(), an_input(1))]
    await store.close()
    assert all(future.done() for future in futures)
    with pytest.raises(Unavailable, match="closed"):
        store.put(an_input(2))
    async with opened(url) as store:
        assert sequences((await store.restore("depot")).inputs) == [1]


async def test_what_was_not_written_when_the_loop_is_torn_down_says_so(url: str):
    async with opened(url) as store:
        (writer,) = (task for task in asyncio.all_tasks() if task.get_name() == "group commit")
        future = store.put(a_site())
        writer.cancel()
        with pytest.raises(Unavailable, match="closed before"):
            await future


@pytest.mark.parametrize("url", ["mysql://host/name", "depot.db", "sqlite://", "sqlite:///:memory:", ""])
async def test_a_url_that_is_no_database_is_refused(url: str):
    with pytest.raises(InvalidInput, match="sqlite:///FILE or postgresql://"):
        await Store.open(url)


@pytest.mark.parametrize("url", ["postgresql://host:port/name", "postgresql://volt:secret@host:1x/name"])
async def test_a_url_that_postgresql_cannot_mean_is_refused(url: str):
    with pytest.raises(InvalidInput) as caught:
        await Store.open(url)
    assert "secret" not in str(caught.value)


async def test_the_path_of_a_file_is_taken_as_it_stands(tmp_path: Path):
    async with opened(f"sqlite:///{tmp_path}/50%25 of?/bench #1.db") as store:
        await store.put(a_site())
    assert (tmp_path / "50%25 of?" / "bench #1.db").exists()


async def test_a_password_is_never_shown():
    with pytest.raises(Unavailable) as caught:
        await Store.open("postgresql://volt:secret@127.0.0.1:1/bench")
    assert "secret" not in str(caught.value)


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path):
    (tmp_path / "bench.db").write_bytes(b"certainly not a database" * 100)
    with pytest.raises(Unavailable, match="not a database"):
        await Store.open(f"sqlite:///{tmp_path}/bench.db")


async def test_a_file_that_cannot_be_made_is_unavailable(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable):
        await Store.open(f"sqlite:///{tmp_path}/file/bench.db")


async def test_a_database_of_a_newer_voltbench_is_left_alone(url: str):
    async with opened(url) as store:
        await store.put(a_site())
    await changed(url, "UPDATE live_revision SET version_num = 'live_9999'")
    with pytest.raises(Conflict, match="another version of voltbench"):
        await Store.open(url)


async def test_a_file_of_another_program_is_left_alone(tmp_path: Path):
    file = tmp_path / "accounts.db"
    with closing(sqlite3.connect(file)) as program:
        program.execute("CREATE TABLE sites (id TEXT)")
    for open_at in (Store.open, Telemetry.open):
        with pytest.raises(Conflict, match=r"accounts.db.*belongs to something else") as caught:
            await open_at(f"sqlite:///{file}")
        assert "\n" not in str(caught.value)
    with closing(sqlite3.connect(file)) as program:
        assert program.execute("SELECT name FROM sqlite_master").fetchall() == [("sites",)]


async def rows_of(url: str, table: str) -> int:
    database = database_at(url)
    rows = await database.run(lambda connection: connection.scalar(text(f"SELECT count(*) FROM {table}")))
    await database.close()
    return int(rows or 0)


async def changed(url: str, statement: str) -> None:
    database = database_at(url)
    await database.run(lambda connection: connection.execute(text(statement)))
    await database.close()


async def test_a_lost_connection_is_taken_up_again(postgresql: PostgreSQL, postgresql_url: str):
    async with opened(postgresql_url) as store:
        await store.put(a_site())
        postgresql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='voltbench'")
        await store.put(an_input(1))
        with pytest.raises(Unavailable, match="is used by another"):
            await Store.open(postgresql_url, patience_s=0.05)
        assert sequences((await store.restore("depot")).inputs) == [1]


async def test_a_connection_is_not_taken_up_again_over_another_process(postgresql: PostgreSQL, postgresql_url: str):
    async with opened(postgresql_url) as store:
        await store.put(a_site())
        await changed(postgresql_url, "UPDATE tenures SET number = number + 1")
        postgresql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='voltbench'")
        with pytest.raises(Unavailable, match="another voltbench process has used it since"):
            await store.put(an_input(1))


WRITES: list[Write] = [a_site(), an_input(1), a_snapshot(1), a_session(1, NOON), SiteDeleted("depot")]


@pytest.mark.parametrize("write", WRITES, ids=lambda write: type(write).__name__)
async def test_every_write_can_be_written_again_as_after_a_commit_that_nobody_heard_of(url: str, write: Write):
    async with opened(url) as store:
        await store.put(a_site(), an_input(1))
        await store._writer._transaction([write])
        await store._writer._transaction([write])


async def test_an_input_that_its_snapshot_covers_already_is_not_replayed(url: str):
    async with opened(url) as store:
        await store.put(a_site(), an_input(1), an_input(2), a_snapshot(2), an_input(3))
        await store._writer._transaction([an_input(2)])
        assert sequences((await store.restore("depot")).inputs) == [3]
