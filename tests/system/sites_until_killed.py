"""Sites that are used by many clients at once, until somebody kills this process. Each line is something told."""

from __future__ import annotations

import asyncio
import random
import sys

import msgspec

from voltbench.adapters.station_json import BatteryConfig, ChargerConfig, StationConfig
from voltbench.adapters.store import Store
from voltbench.apps.sites import Sites, stored
from voltbench.errors import Conflict
from voltbench.running.inputs import StartSession, StopSession, UpdatePower
from voltbench.running.views import SessionView

SITES = ("one", "two")
CONNECTORS = 40
CONFIG = StationConfig(
    station_id="BUSY",
    grid_capacity=400.0,
    chargers=[ChargerConfig(f"C{i}", 100.0, 4) for i in range(CONNECTORS // 4)],
    battery=BatteryConfig(10.0, 100.0),
    release_unused=True,
)


class Told(msgspec.Struct, frozen=True):
    """What a client was told of a session."""

    site: str
    session: SessionView


async def main(url: str, seed: int) -> None:
    stored.INPUTS_PER_SNAPSHOT = 37  # so that snapshots are hit, too
    store = await Store.open(url)
    sites = await Sites.open(store)
    for site_id in SITES:
        if site_id not in sites.ids():
            await sites.create(site_id, CONFIG)
    clients = [use(sites, site_id, n, random.Random(f"{seed} {site_id} {n}")) for site_id in SITES for n in range(8)]
    await asyncio.gather(*clients)


async def use(sites: Sites, site_id: str, number: int, chance: random.Random) -> None:
    """One client: it starts, reports and stops sessions on connectors of its own, for ever."""
    view = await sites.status(site_id)
    mine = {place: None for place in places() if hash_of(place) % 8 == number}
    running = {(s.charger, s.connector): s.id for s in view.sessions if (s.charger, s.connector) in mine}
    while True:
        place = chance.choice(list(mine))
        if place not in running:
            running[place] = (await start(sites, site_id, place, chance)).id
        elif chance.random() < 0.6:
            watts = chance.choice([0.0, 20_000.0, 90_000.0])
            told(site_id, await sites.take(site_id, UpdatePower(running[place], watts, 100_000.0)))
        else:
            told(site_id, await sites.take(site_id, StopSession(running.pop(place))))


async def start(sites: Sites, site_id: str, place: tuple[str, str], chance: random.Random) -> SessionView:
    session = StartSession(sites.new_id(), *place, chance.choice([50_000.0, 100_000.0]))
    view = await sites.take(site_id, session)
    told(site_id, view)
    try:
        await sites.take(site_id, session)
    except Conflict:
        return view
    raise AssertionError("a connector was given twice")


def places() -> list[tuple[str, str]]:
    return [(f"C{i // 4}", str(i % 4 + 1)) for i in range(CONNECTORS)]


def hash_of(place: tuple[str, str]) -> int:
    return int(place[0][1:]) * 4 + int(place[1])


def told(site_id: str, session: SessionView) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(Told(site_id, session)) + b"\n")
    sys.stdout.buffer.flush()


def run(url: str, seed: int) -> None:
    """What the process does."""
    asyncio.run(main(url, seed))
