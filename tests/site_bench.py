"""Live sites on a store, by a clock that is set by hand."""

import asyncio
from contextlib import asynccontextmanager
from itertools import count

import pytest

from tests.builders import MIDNIGHT
from voltbench.adapters.station_json import BatteryConfig, ChargerConfig, StationConfig
from voltbench.adapters.store import Store
from voltbench.apps.sites import (
    DEFAULT,
    Sites,
    Subscription,
)
from voltbench.apps.sites.stored import StoredSite
from voltbench.quantities import MS_PER_SECOND, Instant
from voltbench.running.inputs import StartSession
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


async def heard(subscription: Subscription, number: int) -> list[object]:
    """The next so many things that are told."""
    async with asyncio.timeout(60):
        return [(await anext(subscription)).fact for _ in range(number)]
