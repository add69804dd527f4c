"""The live sites on a store: what they tell is durable, what they forget comes back, trouble undoes what it hits."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from tests.builders import MIDNIGHT
from voltbench.adapters.station_json import BASE_EXAMPLE, BatteryConfig, ChargerConfig, StationConfig
from voltbench.adapters.store import InputTaken, SiteSaved, SnapshotTaken, Store, Write
from voltbench.adapters.store.database import database_at
from voltbench.adapters.telemetry import Telemetry
from voltbench.apps.compose import Choices, store_urls
from voltbench.apps.sites import (
    DEFAULT,
    DEMO,
    ConfigurationReplaced,
    Event,
    FellBehind,
    SiteDeleted,
    Sites,
    Subscription,
    audience,
    stored,
)
from voltbench.apps.sites.stored import StoredSite
from voltbench.errors import Conflict, InvalidInput, NotFound, Unavailable
from voltbench.events import LimitSet, MeterRead, SessionEnded, SessionStarted, StorageSet
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND, Instant
from voltbench.running import hosted
from voltbench.running.inputs import Recompute, SetLimit, StartSession, StopSession, UpdatePower, encoded
from voltbench.running.views import SessionView

BOOSTED = StationConfig(
    station_id="BOOSTED",
    grid_capacity=400.0,
    chargers=[ChargerConfig("CP001", 300.0, 2), ChargerConfig("CP002", 300.0, 2)],
    battery=BatteryConfig(200.0, 200.0),
)


class StandingClock:
    """A clock that is set by hand."""

    def __init__(self, at: Instant = MIDNIGHT) -> None:
        self.at = at

    def now(self) -> Instant:
        return self.at

    def seconds_until(self, instant: Instant) -> float:
        return (instant - self.at) / MS_PER_SECOND


class Bench:
    """Sites on a store by a clock that is set by hand."""

    def __init__(self, sites: Sites, store: Store, clock: StandingClock) -> None:
        self.sites, self.store, self.clock = sites, store, clock
        self._number = count(1)

    async def start(self, place: str, kw: float = 150.0, site: str = DEFAULT) -> SessionView:
        charger, connector = place.split(":")
        start = StartSession(self.sites.new_id(), charger, connector, kw * 1_000)
        return await self.sites.take(site, start)

    async def shares_kw(self, site: str = DEFAULT) -> list[float]:
        return [round(session.allocated_w / 1_000, 2) for session in (await self.sites.status(site)).sessions]

    def break_store(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def fail(writes: object) -> None:
            await asyncio.sleep(0.01)
            raise OSError("the disk is full")

        monkeypatch.setattr(self.store._writer, "_transaction", fail)


@asynccontextmanager
async def a_bench(url: str, at: Instant = MIDNIGHT, in_order: bool = True, demo_speed: float | None = None):
    """A bench that comes to rest in the end, or (not in order) is simply gone but for what was on its way."""
    store, clock = await Store.open(url), StandingClock(at)
    sites = await Sites.open(store, clock=clock, demo_speed=demo_speed)
    try:
        yield Bench(sites, store, clock)
    finally:
        if not in_order:
            for site in sites._sites.values():
                if isinstance(site, StoredSite) and site._returning is not None:
                    site._returning.cancel()
            sites._sites.clear()
        await sites.close()
        await store.close()


@pytest.fixture
async def bench(url: str) -> AsyncIterator[Bench]:
    async with a_bench(url) as bench:
        yield bench


async def heard(subscription: Subscription, number: int) -> list[object]:
    """The next so many things that are told."""
    async with asyncio.timeout(10):
        return [(await anext(subscription)).fact for _ in range(number)]


# --- going on --------------------------------------------------------------------------------------------------------


async def test_unconfigured_the_default_site_is_the_contracts_example(bench):
    assert bench.sites.ids() == [DEFAULT]
    assert await bench.sites.config(DEFAULT) == BASE_EXAMPLE
    view = await bench.sites.status(DEFAULT)
    assert (view.id, view.grid_capacity_w) == ("ELECTRA_PARIS_15", 400_000.0)
    assert view.battery is not None
    assert view.battery.soc == 1.0


@pytest.mark.parametrize("in_order", [True, False])
async def test_a_restart_goes_on(url, in_order):
    async with a_bench(url, in_order=in_order) as bench:
        first = await bench.start("CP001:1")
        bench.clock.at += MS_PER_MINUTE
        second = await bench.start("CP001:2")
        await bench.sites.take(DEFAULT, UpdatePower(first.id, 80_000.0, 120_000.0))
        bench.clock.at += MS_PER_MINUTE
        ended = await bench.sites.take(DEFAULT, StopSession(second.id))
        await bench.sites.take(DEFAULT, SetLimit("grid", "dso", 90_000.0))
        before = await bench.sites.status(DEFAULT)
    async with a_bench(url, before.at) as bench:
        assert await bench.sites.status(DEFAULT) == before
        assert await bench.sites.session(DEFAULT, second.id) == ended
        assert await bench.sites.sessions(DEFAULT) == [ended]
        with pytest.raises(Conflict, match="occupied"):
            await bench.start("CP001:1")
        await bench.sites.take(DEFAULT, SetLimit("grid", "dso", None))
        assert await bench.shares_kw() == [120.0]


async def test_what_was_due_while_nobody_was_there_has_happened_when_it_was_due(url):
    async with a_bench(url) as bench:
        await bench.sites.replace(DEFAULT, BOOSTED)
        for place in ("CP001:1", "CP001:2", "CP002:1", "CP002:2"):
            await bench.start(place)
        assert await bench.shares_kw() == [150.0] * 4
    async with a_bench(url, MIDNIGHT + 120 * MS_PER_MINUTE) as bench:
        view = await bench.sites.status(DEFAULT)
        assert {session.allocated_w for session in view.sessions} == {100_000.0}
        assert view.sessions[0].energy_wh == pytest.approx(150_000 * 0.9 + 100_000 * 1.1)


async def test_the_clock_of_a_site_never_goes_back(url):
    async with a_bench(url, MIDNIGHT + MS_PER_MINUTE) as bench:
        await bench.start("CP001:1")
    async with a_bench(url, MIDNIGHT) as bench:
        assert (await bench.start("CP001:2")).started_at == MIDNIGHT + MS_PER_MINUTE


async def test_snapshots_shorten_the_journal(url, monkeypatch):
    monkeypatch.setattr(stored, "INPUTS_PER_SNAPSHOT", 5)
    async with a_bench(url, in_order=False) as bench:
        for _ in range(13):
            await bench.sites.take(DEFAULT, Recompute())
        restored = await bench.store.restore(DEFAULT)
        assert restored.snapshot is not None
        assert (restored.snapshot.sequence, len(restored.inputs)) == (10, 3)
    async with a_bench(url) as bench:
        await bench.sites.take(DEFAULT, Recompute())


# --- several sites ---------------------------------------------------------------------------------------------------


async def test_sites_come_and_go(url):
    async with a_bench(url) as bench:
        await bench.sites.create("hub", BOOSTED)
        await bench.start("CP001:1", site="hub")
        assert await bench.shares_kw() == []
    async with a_bench(url) as bench:
        assert bench.sites.ids() == [DEFAULT, "hub"]
        assert await bench.shares_kw("hub") == [150.0]
        with pytest.raises(Conflict, match="exists already"):
            await bench.sites.create("hub", BOOSTED)
        await bench.sites.delete("hub")
        with pytest.raises(NotFound):
            await bench.sites.status("hub")
        await bench.sites.create("hub", BASE_EXAMPLE)
        assert await bench.shares_kw("hub") == []
        assert await bench.sites.sessions("hub") == []


async def test_the_default_site_stays_and_ids_are_plain(bench):
    with pytest.raises(Conflict, match="always there"):
        await bench.sites.delete(DEFAULT)
    for id in ("", "a b", "../x", "-x", "x" * 65):
        with pytest.raises(InvalidInput):
            await bench.sites.create(id, BASE_EXAMPLE)
    with pytest.raises(Conflict):
        await bench.sites.create(DEMO, BASE_EXAMPLE)


async def test_two_who_create_the_same_site_at_once(bench):
    results = await asyncio.gather(*(bench.sites.create("hub", BOOSTED) for _ in range(2)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), Conflict]


async def test_a_new_configuration_ends_every_session(url):
    async with a_bench(url) as bench:
        session = await bench.start("CP001:1")
        bench.clock.at += MS_PER_MINUTE
        await bench.sites.replace(DEFAULT, BOOSTED)
        assert await bench.sites.config(DEFAULT) == BOOSTED
        assert (await bench.sites.status(DEFAULT)).id == "BOOSTED"
    async with a_bench(url) as bench:
        assert await bench.sites.config(DEFAULT) == BOOSTED
        ended = await bench.sites.session(DEFAULT, session.id)
        assert (ended.status, ended.reason, ended.energy_wh) == ("Ended", "configuration replaced", 2_500.0)
        assert await bench.sites.sessions(DEFAULT) == [ended]


async def test_limits_of_others_outlast_the_configuration_as_far_as_it_has_a_place_for_them(url, caplog):
    async with a_bench(url) as bench:
        await bench.sites.take(DEFAULT, SetLimit("grid", "dso", 50_000.0))
        await bench.sites.take(DEFAULT, SetLimit("CP003", "ems", 20_000.0))
        await bench.sites.replace(DEFAULT, BASE_EXAMPLE)
        assert len((await bench.sites.status(DEFAULT)).limits) == 2
        await bench.sites.replace(DEFAULT, BOOSTED)
    assert "CP003" in caplog.text
    async with a_bench(url) as bench:
        view = await bench.sites.status(DEFAULT)
        assert [(limit.node, limit.source) for limit in view.limits] == [("grid", "dso")]
        assert view.grid_limit_w == 50_000.0


# --- sessions that ended ---------------------------------------------------------------------------------------------


async def test_ended_sessions_are_found_however_long_ago(bench, monkeypatch):
    monkeypatch.setattr(hosted, "RECENT_SESSIONS", 1)
    ended = []
    for _ in range(3):
        session = await bench.start("CP001:1")
        bench.clock.at += MS_PER_MINUTE
        ended.append(await bench.sites.take(DEFAULT, StopSession(session.id, 1_000.0, 59.5)))
    assert [await bench.sites.session(DEFAULT, session.id) for session in ended] == ended
    first_page = await bench.sites.sessions(DEFAULT, limit=2)
    assert first_page == [ended[2], ended[1]]
    last = first_page[-1]
    assert last.ended_at is not None
    assert await bench.sites.sessions(DEFAULT, before=(last.ended_at, last.id)) == [ended[0]]
    for late in (StopSession(ended[0].id), UpdatePower(ended[0].id, 0.0, 1.0)):
        with pytest.raises(Conflict, match="has ended"):
            await bench.sites.take(DEFAULT, late)
    with pytest.raises(NotFound):
        await bench.sites.session(DEFAULT, "session-never-seen")


async def test_of_many_who_want_one_connector_one_gets_it(bench):
    results = await asyncio.gather(*(bench.start("CP001:1") for _ in range(50)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 49 + ["SessionView"]


# --- listening -------------------------------------------------------------------------------------------------------


async def test_what_happens_is_told_in_its_order(bench):
    await bench.sites.create("hub", BOOSTED)
    subscription = bench.sites.subscribe("hub")
    for place in ("CP001:1", "CP001:2"):
        await bench.start(place, site="hub")
    session = await bench.start("CP002:1", site="hub")
    await bench.sites.take("hub", UpdatePower(session.id, 10_000.0, 150_000.0))
    await bench.sites.take("hub", StopSession(session.id))
    await bench.sites.replace("hub", BASE_EXAMPLE)
    await bench.sites.delete("hub")
    told = await heard(subscription, 14)
    assert [type(fact) for fact in told] == [
        *(SessionStarted, LimitSet) * 2,
        *(SessionStarted, LimitSet, StorageSet),
        *(MeterRead, StorageSet),
        SessionEnded,
        *(SessionEnded, SessionEnded),
        *(ConfigurationReplaced, SiteDeleted),
    ]
    with pytest.raises(StopAsyncIteration):
        await anext(subscription)


async def test_what_happens_by_itself_is_told_too(bench):
    await bench.sites.replace(DEFAULT, BOOSTED)
    for place in ("CP001:1", "CP001:2", "CP002:1", "CP002:2"):
        await bench.start(place)
    subscription = bench.sites.subscribe(DEFAULT)
    bench.clock.at += 54 * MS_PER_MINUTE
    bench.sites._sites[DEFAULT].stirred.set()
    told = await heard(subscription, 5)
    assert {type(fact) for fact in told} == {LimitSet, StorageSet}


async def test_who_is_too_slow_is_told_so_and_let_go(bench, monkeypatch):
    monkeypatch.setattr(audience, "MOST_WAITING", 2)
    subscription = bench.sites.subscribe(DEFAULT)
    other = bench.sites.subscribe(DEFAULT)
    waiting = asyncio.create_task(heard(other, 4))
    await bench.start("CP001:1")
    await asyncio.sleep(0)
    await bench.start("CP001:2")
    assert len(await waiting) == 4
    events = [event async for event in subscription]
    assert isinstance(events[-1], Event)
    assert isinstance(events[-1].fact, FellBehind)
    assert len(events) == 3
    other.close()


async def test_whatever_one_action_tells_fits(bench, monkeypatch):
    for place in ("CP001:1", "CP001:2", "CP002:1"):
        await bench.start(place)
    monkeypatch.setattr(audience, "MOST_WAITING", 1)
    subscription = bench.sites.subscribe(DEFAULT)
    await bench.sites.take(DEFAULT, SetLimit("grid", "dso", 30_000.0))
    assert {type(fact) for fact in await heard(subscription, 3)} == {LimitSet}


# --- trouble ---------------------------------------------------------------------------------------------------------


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
    async with asyncio.timeout(10):
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


# --- the demo --------------------------------------------------------------------------------------------------------


async def test_the_demo_lives_by_itself(url):
    async with a_bench(url, demo_speed=50_000.0) as bench:
        assert bench.sites.ids() == [DEFAULT, DEMO]
        subscription = bench.sites.subscribe(DEMO)
        before = await bench.sites.status(DEMO)
        could_take_w = {session.id: session.vehicle_max_w for session in before.sessions}
        assert len(await heard(subscription, 50)) == 50
        assert (await bench.sites.status(DEMO)).at > before.at
        ended = await bench.sites.sessions(DEMO, limit=3)
        assert await bench.sites.session(DEMO, ended[0].id) == ended[0]
        bench.sites.set_speed(DEMO, 1.0)
        assert could_take_w
        demo = bench.sites._sites[DEMO]
        demo.advance((await demo.status()).at + 3 * 60 * MS_PER_MINUTE)
        for id, power_w in could_take_w.items():
            assert (await bench.sites.session(DEMO, id)).vehicle_max_w == power_w
        with pytest.raises(Conflict, match="lives by itself"):
            await bench.sites.take(DEMO, Recompute())
        for refused in (bench.sites.replace(DEMO, BOOSTED), bench.sites.delete(DEMO), bench.sites.config(DEMO)):
            with pytest.raises(Conflict, match="is a demonstration"):
                await refused
        bench.sites.set_speed(DEMO, 1.0)
        assert bench.sites.speed(DEMO) == 1.0
        with pytest.raises(Conflict, match="real time"):
            bench.sites.set_speed(DEFAULT, 2.0)
    async with a_bench(url) as bench:
        assert bench.sites.ids() == [DEFAULT]


async def test_the_demo_has_no_end(url):
    async with a_bench(url, demo_speed=1.0) as bench:
        demo = bench.sites._sites[DEMO]
        busy = set()
        for day in range(4):
            demo.advance(MIDNIGHT + round((day + 0.7) * MS_PER_DAY))
            busy |= {day} if (await demo.status()).sessions else set()
        assert busy == set(range(4))


# --- telemetry -------------------------------------------------------------------------------------------------------


async def test_what_the_meters_show_is_kept(tmp_path: Path):
    store = await Store.open(f"sqlite:///{tmp_path}/live.db")
    telemetry, clock = await Telemetry.open(f"sqlite:///{tmp_path}/telemetry.db"), StandingClock()
    sites = await Sites.open(store, telemetry, clock=clock)
    await sites.replace(DEFAULT, BOOSTED)
    for i, place in enumerate(("CP001:1", "CP001:2", "CP002:1", "CP002:2")):
        charger, connector = place.split(":")
        await sites.take(DEFAULT, StartSession(f"S{i}", charger, connector, 150_000.0))
    clock.at += 60 * MS_PER_MINUTE
    await sites.status(DEFAULT)
    await sites.close()
    grid = await telemetry.read(DEFAULT, "grid_w", MIDNIGHT, clock.at + 1)
    battery = await telemetry.read(DEFAULT, "battery_w", MIDNIGHT, clock.at)
    soc = await telemetry.read(DEFAULT, "battery_soc", MIDNIGHT, clock.at)
    assert set(grid.values) == {400_000.0}
    assert dict(zip(battery.instants, battery.values, strict=True)) == {
        MIDNIGHT: -200_000.0,
        MIDNIGHT + 54 * MS_PER_MINUTE: 0.0,
    }
    assert soc.values[-1] == pytest.approx(0.1)
    await telemetry.close()
    await store.close()


async def test_what_the_demos_meters_show_is_kept_however_fast_it_lives(tmp_path: Path):
    store = await Store.open(f"sqlite:///{tmp_path}/live.db")
    telemetry, clock = await Telemetry.open(f"sqlite:///{tmp_path}/telemetry.db"), StandingClock()
    sites = await Sites.open(store, telemetry, clock=clock, demo_speed=50_000.0)
    opened_at = (await sites.status(DEMO)).at
    last = [fact for fact in await heard(sites.subscribe(DEMO), 60) if isinstance(fact, LimitSet)][-1].at
    await sites.close()
    for series in ("grid_w", "vehicles_w"):
        read = await telemetry.read(DEMO, series, opened_at, last + 1)
        assert len(set(read.values)) > 10
        assert last - read.instants[-1] <= MS_PER_MINUTE
        assert np.all(np.diff(read.instants) <= MS_PER_HOUR)
    await telemetry.close()
    await store.close()


async def test_what_is_too_old_is_forgotten_at_the_start(tmp_path: Path):
    store = await Store.open(f"sqlite:///{tmp_path}/live.db")
    telemetry, clock = await Telemetry.open(f"sqlite:///{tmp_path}/telemetry.db"), StandingClock()
    await (await Sites.open(store, telemetry, clock=clock)).close()
    for days in (1, 40):
        telemetry.append("default", "grid_w", np.array([MIDNIGHT - days * MS_PER_DAY]), np.array([1.0]))
    await telemetry.flush()
    sites = await Sites.open(store, telemetry, clock=clock, retention_days=30.0)
    await sites.close()
    assert (await telemetry.read("default", "grid_w", 0, clock.at)).instants.tolist() == [MIDNIGHT - MS_PER_DAY]
    await telemetry.close()
    await store.close()


async def test_a_new_site_does_not_begin_with_the_series_of_one_that_was_deleted(tmp_path: Path):
    store = await Store.open(f"sqlite:///{tmp_path}/live.db")
    telemetry = await Telemetry.open(f"sqlite:///{tmp_path}/telemetry.db")
    sites = await Sites.open(store, telemetry, clock=StandingClock())
    telemetry.append("hub", "grid_w", np.array([MIDNIGHT]), np.array([1.0]))
    await telemetry.flush()
    await sites.create("hub", BASE_EXAMPLE)
    assert (await telemetry.read("hub", "grid_w", 0, MIDNIGHT + 1)).instants.tolist() == []
    await sites.close()
    await telemetry.close()
    await store.close()


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:///."])
def test_a_store_without_a_name_is_refused(url: str, tmp_path: Path):
    with pytest.raises(InvalidInput):
        store_urls(Choices(tmp_path, url))
