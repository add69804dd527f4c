"""A yard of three stations that a CSMS in a process of its own steers: what they draw is looked at all the time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.csms_live import CsmsProcess, a_csms_process, soon
from tests.ocpp16 import NoNotary, an_ac_car
from tests.waiting import DEADLINE_S
from voltbench.adapters.ocpp_station.host import HostedStation, StationHost
from voltbench.adapters.ocpp_station.line import Address
from voltbench.adapters.ocpp_station.picows_line import PicowsDialler
from voltbench.adapters.ocpp_station.transfers import Transfers
from voltbench.apps.steered_site import KEYS
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.clock import ScaledClock, wall_instant
from voltbench.ocpp.v16.station.registration import Identity
from voltbench.ocpp.v16.station.station import Station

GRID_W = 22_080.0
CHARGERS = [
    {"id": f"Y-{n}", "maxPower": 22.08, "connectors": [{"connector_id": 1, "connector_type": "TYPE2"}]}
    for n in (1, 2, 3)
]
OFTEN = {
    "voltbench.apps.steered_site:KEYS": KEYS | {"MeterValueSampleInterval": "2"},
    "voltbench.apps.steered_site:LOOK_S": 0.2,
}
"""Stations tell what they draw every 2 s instead of every 10 s, so that all goes on five times as fast."""

ONE = StationModel("one", "one", 22_080.0, (ConnectorModel("cType2", 22_080.0),), "made up")


class Yard:
    """Three stations, and the CSMS that steers them."""

    def __init__(self, host: StationHost, csms: CsmsProcess, grid_w: float) -> None:
        self.host = host
        self.grid_w = grid_w
        self.csms = csms
        self.hosted: list[HostedStation] = []
        self.closed = set[str]()

    def powers_w(self) -> list[float]:
        now = self.host.now()
        return [one.station.life.evse(1).feed.power_w(now) for one in self.hosted]

    async def until(self, holds: Callable[[list[float]], object], least_w: float = 0.0) -> None:
        """Return once it is so; at no instant may they draw more than the connection carries, or one less than that."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                powers = self.powers_w()
                assert sum(powers) <= self.grid_w + 1.0, powers
                assert min(powers) >= least_w, powers
                if holds(powers):
                    return
                await asyncio.sleep(0.02)

    async def is_steered(self) -> None:
        """Return when each station has the limit that holds where nobody says one, or has refused it."""

        async def look() -> bool | None:
            installed = (await client.get("/csms/profiles")).json()["installed"]
            chargers = (await client.get("/csms/site")).json()["chargers"]
            safe = {one["station_id"] for one in installed if one["transaction_id"] is None}
            return safe | {one["id"] for one in chargers if one["refuses_limits"]} == {"Y-1", "Y-2", "Y-3"} or None

        async with httpx.AsyncClient(base_url=self.csms.api, trust_env=False) as client:
            await soon(look)

    def charge(self, number: int) -> None:
        one = self.hosted[number]
        one.do(lambda station, now: station.plug_in(now, 1, an_ac_car(current_a=32.0)))
        one.do(lambda station, now: station.present(now, "TAG", 1))

    def drop(self, number: int) -> None:
        """Its line is cut, and it finds no way back."""
        one = self.hosted[number]
        self.closed.add(one.station.id)
        one.hang_up()
        one.do(lambda station, now: station.disconnected(now))

    def address(self, station: Station) -> Address:
        """Where the line of a station leads."""
        url = "ws://127.0.0.1:1" if station.id in self.closed else self.csms.url
        return Address(f"{url}/{station.id}", "ocpp1.6")


@asynccontextmanager
async def a_yard(
    directory: Path, validity_s: int = 10, *, grid_w: float = GRID_W, keys: Mapping[str, str] | None = None
) -> AsyncIterator[Yard]:
    """A yard whose stations are accepted and steered. `keys` are the first one's own, as `--key` sets them."""
    site = directory / "site.json"
    site.write_text(json.dumps({"stationId": "YARD", "gridCapacity": grid_w / 1e3, "chargers": CHARGERS}))
    options = ["--site", str(site), "--validity", str(validity_s), "--unknown-tokens", "accepted"]
    with a_csms_process(directory, *options, constants=OFTEN) as csms:
        host = StationHost(ScaledClock(wall_instant()), PicowsDialler(), None, Transfers())
        yard, numbers = Yard(host, csms, grid_w), iter(range(1_000_000))
        for n in (1, 2, 3):
            station = Station(
                host.world.now,
                Identity(f"Y-{n}"),
                ONE,
                NoNotary(),
                new_id=lambda: f"m{next(numbers)}",
                chance=lambda: 0.5,
                fixed=keys if n == 1 else None,
            )
            yard.hosted.append(host.add(station, yard.address))
        try:
            await yard.is_steered()
            yield yard
        finally:
            await host.close()
