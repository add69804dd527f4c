"""Choices are made here, by URL: which store, which clock, which sites."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from voltbench.adapters.store import Store
from voltbench.adapters.telemetry import Telemetry
from voltbench.apps.homes import Homes
from voltbench.apps.plans import Plans
from voltbench.apps.sites import Sites
from voltbench.errors import InvalidInput

LIVE_FILE, TELEMETRY_FILE = "live.db", "telemetry.db"


@dataclass(frozen=True)
class Choices:
    """What a live bench is made of. Without `demo_speed` there is no demo; telemetry is kept `retention_days`."""

    data: Path
    store: str | None = None
    demo_speed: float | None = None
    full_sync: bool = False
    retention_days: float = 30.0


@dataclass(frozen=True)
class Bench:
    """A live bench: its sites, their time series, its homes, and who makes plans."""

    sites: Sites
    telemetry: Telemetry
    homes: Homes
    plans: Plans


@asynccontextmanager
async def opened(choices: Choices) -> AsyncIterator[Bench]:
    """A live bench that goes on where it stopped. At the end its sites are put down, then the series, the store."""
    live_url, telemetry_url = store_urls(choices)
    async with AsyncExitStack() as open_things:
        store = await Store.open(live_url, full_sync=choices.full_sync)
        open_things.push_async_callback(store.close)
        telemetry = await Telemetry.open(telemetry_url)
        open_things.push_async_callback(telemetry.close)
        sites = await Sites.open(store, telemetry, demo_speed=choices.demo_speed, retention_days=choices.retention_days)
        open_things.push_async_callback(sites.close)
        yield Bench(sites, telemetry, await Homes.open(store), Plans(store, os.environ))


def store_urls(choices: Choices) -> tuple[str, str]:
    """Where live state and telemetry are kept: two SQLite files side by side, or one PostgreSQL database."""
    url = choices.store
    if url is None:
        data = choices.data.absolute()
        return f"sqlite:///{data / LIVE_FILE}", f"sqlite:///{data / TELEMETRY_FILE}"
    if url.startswith("sqlite:///"):
        file = Path(url.removeprefix("sqlite:///"))
        if not file.name:
            raise InvalidInput("store", "names no file", found=url, allowed="sqlite:///FILE or postgresql://...")
        return url, f"sqlite:///{file.with_name(f'{file.stem}-telemetry{file.suffix}')}"
    return url, url
