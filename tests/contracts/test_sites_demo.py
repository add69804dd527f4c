"""The site that lives by itself, and the series that are kept of what meters show."""

from pathlib import Path

import numpy as np
import pytest

from tests.builders import MIDNIGHT
from tests.site_bench import BOOSTED, StandingClock, a_bench, heard
from voltbench.adapters.station_json import BASE_EXAMPLE
from voltbench.adapters.store import Store
from voltbench.adapters.telemetry import Telemetry
from voltbench.apps.sites import (
    DEFAULT,
    DEMO,
    Sites,
)
from voltbench.errors import Conflict
from voltbench.events import LimitSet
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE
from voltbench.running.inputs import Recompute, StartSession

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


async def test_the_demo_has_no_end(tmp_path: Path):
    """It is kept nowhere, so one store will do."""
    async with a_bench(f"sqlite:///{tmp_path}/bench.db", demo_speed=1.0) as bench:
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
