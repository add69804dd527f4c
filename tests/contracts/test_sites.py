"""The live sites on a store: what they tell is durable, and what they forget comes back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.builders import MIDNIGHT
from tests.site_bench import BOOSTED, Bench, a_bench, heard
from voltbench.adapters.station_json import BASE_EXAMPLE
from voltbench.apps.compose import Choices, store_urls
from voltbench.apps.sites import (
    DEFAULT,
    DEMO,
    ConfigurationReplaced,
    Event,
    FellBehind,
    SiteDeleted,
    audience,
    stored,
)
from voltbench.errors import Conflict, InvalidInput, NotFound
from voltbench.events import LimitSet, MeterRead, SessionEnded, SessionStarted, StorageSet
from voltbench.quantities import MS_PER_MINUTE
from voltbench.running import hosted
from voltbench.running.inputs import Recompute, SetLimit, StopSession, UpdatePower


@pytest.fixture
async def bench(url: str) -> AsyncIterator[Bench]:
    async with a_bench(url) as bench:
        yield bench


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


# --- where they are kept ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:///."])
def test_a_store_without_a_name_is_refused(url: str, tmp_path: Path):
    with pytest.raises(InvalidInput):
        store_urls(Choices(tmp_path, url))
