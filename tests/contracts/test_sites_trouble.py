"""What the live sites do in trouble: what cannot be kept never was, and who is damaged is set aside."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.builders import MIDNIGHT
from tests.site_bench import BOOSTED, Bench, a_bench, heard
from voltbench.adapters.station_json import BASE_EXAMPLE
from voltbench.adapters.store import InputTaken, SiteSaved, SnapshotTaken, Write
from voltbench.adapters.store.database import database_at
from voltbench.apps.sites import (
    DEFAULT,
    FellBehind,
    stored,
)
from voltbench.errors import Conflict, NotFound, Unavailable
from voltbench.running import hosted
from voltbench.running.inputs import StopSession, encoded


@pytest.fixture
async def bench(url: str) -> AsyncIterator[Bench]:
    async with a_bench(url) as bench:
        yield bench


async def test_what_cannot_be_kept_never_was(bench, monkeypatch):
    kept = await bench.start("CP001:1")
    subscription = bench.sites.subscribe(DEFAULT)
    with monkeypatch.context() as broken:
        bench.break_store(broken)
        results = await asyncio.gather(
            bench.start("CP001:2"),
            bench.start("CP002:1"),
            bench.sites.take(DEFAULT, StopSession(kept.id)),
            bench.sites.status(DEFAULT),
            bench.start("CP001:2"),
            return_exceptions=True,
        )
        assert {type(result) for result in results} == {Unavailable}
    assert [session.id for session in (await bench.sites.status(DEFAULT)).sessions] == [kept.id]
    assert isinstance((await heard(subscription, 1))[0], FellBehind)
    assert (await bench.start("CP001:2")).allocated_w == 100_000.0
    assert await bench.sites.sessions(DEFAULT) == []


async def in_doubt(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody starts a session just as the database breaks off, which has kept it all the same."""
    transaction = bench.store._writer._transaction

    async def break_off(writes: Iterable[Write]) -> None:
        await transaction(writes)
        raise Unavailable("no answer")

    with monkeypatch.context() as broken:
        broken.setattr(bench.store._writer, "_transaction", break_off)
        with pytest.raises(Unavailable, match="not known to be stored"):
            await bench.start("CP001:1")


async def test_a_session_that_was_kept_without_our_knowing_is_stopped(bench, monkeypatch):
    await in_doubt(bench, monkeypatch)
    assert await bench.shares_kw() == []
    assert [session.reason for session in await bench.sites.sessions(DEFAULT)] == ["stopped"]
    assert (await bench.start("CP001:1")).allocated_w == 150_000.0


async def kept_sessions(url: str) -> tuple[int, list[str]]:
    """How many inputs the journal of the default site has, and why its sessions ended: as another program reads it."""
    database = database_at(url)
    inputs = await database.run(lambda connection: connection.scalar(text("SELECT count(*) FROM journal")))
    endings = await database.run(lambda connection: connection.scalars(text("SELECT reason FROM sessions")).all())
    await database.close()
    return int(inputs or 0), list(endings)


async def test_it_is_stopped_although_nobody_asks_for_its_site(bench, url, monkeypatch):
    monkeypatch.setattr(stored, "RETURNS_AFTER_S", 0.0)
    await in_doubt(bench, monkeypatch)
    async with asyncio.timeout(60):
        while await kept_sessions(url) != (2, ["stopped"]):
            pass
    assert await bench.shares_kw() == []


async def test_it_is_stopped_at_the_end_at_the_latest(url, monkeypatch):
    async with a_bench(url) as bench:
        await in_doubt(bench, monkeypatch)
    assert (await kept_sessions(url))[1] == ["stopped"]
    async with a_bench(url) as bench:
        assert await bench.shares_kw() == []


async def test_after_a_kill_it_is_found_at_its_connector(url, monkeypatch):
    async with a_bench(url, in_order=False) as bench:
        await in_doubt(bench, monkeypatch)
    async with a_bench(url) as bench:
        (session,) = (await bench.sites.status(DEFAULT)).sessions
        with pytest.raises(Conflict, match=session.id):
            await bench.start("CP001:1")
        await bench.sites.take(DEFAULT, StopSession(session.id))
        assert (await bench.start("CP001:1")).allocated_w == 150_000.0


@pytest.mark.parametrize("what", ["snapshot", "input", "configuration"])
async def test_a_site_that_this_version_cannot_live_on_from_is_set_aside(url, caplog, what):
    async with a_bench(url, in_order=False) as bench:
        await bench.sites.create("hub", BOOSTED)
        ended = await bench.start("CP001:1", site="hub")
        await bench.sites.take("hub", StopSession(ended.id))
        for id in (DEFAULT, "hub"):
            sequence = bench.sites._sites[id]._sequence
            await bench.store.put(
                {
                    "snapshot": SnapshotTaken(id, sequence, MIDNIGHT, b"\x7fsnapshot"),
                    "input": InputTaken(id, sequence + 1, MIDNIGHT, encoded(StopSession("never seen"))),
                    "configuration": SiteSaved(id, '{"stationId": 7}', MIDNIGHT),
                }[what]
            )
        await bench.sites.create("other", BOOSTED)
    async with a_bench(url) as bench:
        assert await bench.shares_kw("other") == []
        for id in (DEFAULT, "hub"):
            with pytest.raises(Unavailable, match=f"site '{id}' is set aside"):
                await bench.start("CP001:1", site=id)
            assert f"site '{id}' is set aside" in caplog.text
        await bench.sites.delete("hub")
        await bench.sites.replace(DEFAULT, BOOSTED)
        session = await bench.start("CP001:1")
    async with a_bench(url) as bench:
        assert bench.sites.ids() == [DEFAULT, "other"]
        assert [known.id for known in (await bench.sites.status(DEFAULT)).sessions] == [session.id]


async def set_aside(url: str, id: str) -> None:
    """A site that was kept by a version that knows more than this one."""
    async with a_bench(url, in_order=False) as bench:
        await bench.sites.create(id, BOOSTED)
        await bench.store.put(SiteSaved(id, '{"stationId": 7}', MIDNIGHT))


async def test_a_site_that_is_set_aside_is_deleted_once_and_does_not_come_back(url):
    await set_aside(url, "hub")
    async with a_bench(url) as bench:
        results = await asyncio.gather(
            bench.sites.delete("hub"),
            bench.sites.replace("hub", BOOSTED),
            bench.sites.delete("hub"),
            return_exceptions=True,
        )
        assert [type(one) for one in results] == [type(None), NotFound, NotFound]
        assert bench.sites.ids() == [DEFAULT]
    async with a_bench(url) as bench:
        assert bench.sites.ids() == [DEFAULT]


async def test_a_site_that_is_set_aside_begins_anew_once_however_many_replace_it(url, monkeypatch):
    await set_aside(url, "hub")
    async with a_bench(url) as bench:
        transaction, replacing = bench.store._writer._transaction, list[asyncio.Task[None]]()

        async def write(writes: Iterable[Write]) -> None:
            await transaction(writes)
            if not replacing:
                replacing.append(asyncio.create_task(bench.sites.replace("hub", BOOSTED)))
                for _ in range(5):  # until it waits for the store, or for the other
                    await asyncio.sleep(0)

        monkeypatch.setattr(bench.store._writer, "_transaction", write)
        await bench.sites.replace("hub", BOOSTED)
        await asyncio.gather(bench.start("CP001:1", site="hub"), *replacing)
        session = await bench.start("CP001:2", site="hub")
        assert session.id in {known.id for known in (await bench.sites.status("hub")).sessions}


async def changed(url: str, statement: str) -> None:
    database = database_at(url)
    await database.run(lambda connection: connection.execute(text(statement)))
    await database.close()


async def test_a_site_whose_journal_has_a_hole_is_set_aside_and_can_begin_anew(url, caplog):
    async with a_bench(url, in_order=False) as bench:
        await bench.sites.create("other", BOOSTED)
        for place in ("CP001:1", "CP001:2", "CP002:1"):
            await bench.start(place)
    await changed(url, "DELETE FROM journal WHERE sequence = 2")
    for _ in range(2):
        async with a_bench(url) as bench:
            assert await bench.shares_kw("other") == []
            with pytest.raises(Unavailable, match=r"site 'default' is set aside.*lacks input 2"):
                await bench.shares_kw()
    async with a_bench(url) as bench:
        await bench.sites.replace(DEFAULT, BOOSTED)
        session = await bench.start("CP001:1")
    async with a_bench(url) as bench:
        assert [known.id for known in (await bench.sites.status(DEFAULT)).sessions] == [session.id]
    assert "site 'default' is set aside" in caplog.text


async def test_a_damaged_row_sets_aside_its_site_and_no_other(tmp_path: Path, caplog):
    url = f"sqlite:///{tmp_path}/bench.db"
    async with a_bench(url) as bench:
        await bench.sites.create("other", BOOSTED)
    await changed(url, "UPDATE snapshots SET sequence = 'smudged' WHERE site_id = 'default'")
    async with a_bench(url) as bench:
        assert await bench.shares_kw("other") == []
        with pytest.raises(Unavailable, match="site 'default' is set aside"):
            await bench.shares_kw()
    assert "site 'default' is set aside" in caplog.text


async def test_a_configuration_that_cannot_be_kept_never_was(bench, monkeypatch):
    session = await bench.start("CP001:1")
    with monkeypatch.context() as broken:
        bench.break_store(broken)
        with pytest.raises(Unavailable):
            await bench.sites.replace(DEFAULT, BOOSTED)
        with pytest.raises(Unavailable):
            await bench.sites.create("hub", BOOSTED)
    assert await bench.sites.config(DEFAULT) == BASE_EXAMPLE
    assert (await bench.sites.session(DEFAULT, session.id)).status == "Charging"
    assert bench.sites.ids() == [DEFAULT]
    await bench.sites.create("hub", BOOSTED)


async def test_a_site_that_could_not_be_deleted_is_there(bench, monkeypatch):
    await bench.sites.create("hub", BOOSTED)
    with monkeypatch.context() as broken:
        bench.break_store(broken)
        with pytest.raises(Unavailable):
            await bench.sites.delete("hub")
    assert (await bench.start("CP001:1", site="hub")).allocated_w == 150_000.0


async def test_a_bug_of_ours_is_not_kept(bench, monkeypatch):
    session = await bench.start("CP001:1")

    def stumble(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(hosted.HostedSite, "_view", stumble)
        with pytest.raises(ZeroDivisionError):
            await bench.start("CP001:2")
    assert [session.id for session in (await bench.sites.status(DEFAULT)).sessions] == [session.id]


async def test_who_gives_up_waiting_undoes_nothing(bench):
    waiting = asyncio.create_task(bench.start("CP001:1"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await bench.shares_kw() == [150.0]
