"""The energy manager drives stations over real sockets, also while they drop off and return."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.ocpp16 import NoNotary, an_ac_car
from voltbench.adapters.ocpp_station.host import HostedStation, StationHost
from voltbench.adapters.ocpp_station.line import Address
from voltbench.adapters.ocpp_station.memory import ProcessMemory
from voltbench.adapters.ocpp_station.picows_line import PicowsDialler
from voltbench.adapters.ocpp_station.transfers import Transfers
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.clock import ScaledClock, wall_instant
from voltbench.ocpp.v16.station.registration import Identity
from voltbench.ocpp.v16.station.station import Station

GRID_W = 22_080.0
SITE = {
    "stationId": "YARD",
    "gridCapacity": GRID_W / 1e3,
    "chargers": [
        {"id": f"Y-{n}", "maxPower": 22.08, "connectors": [{"connector_id": 1, "connector_type": "TYPE2"}]}
        for n in (1, 2, 3)
    ],
}
ONE = StationModel("one", "one", 22_080.0, (ConnectorModel("cType2", 22_080.0),), "made up")


class Yard:
    """Three stations; the sum of what they draw is looked at all the time."""

    def __init__(self, host: StationHost, hosted: list[HostedStation]) -> None:
        self.host = host
        self.hosted = hosted
        self.closed = set[str]()

    def powers_w(self) -> list[float]:
        now = self.host.now()
        return [one.station.life.evse(1).feed.power_w(now) for one in self.hosted]

    async def until(self, holds: Callable[[list[float]], bool]) -> None:
        """Return once the powers are so; at no instant may they be more than the connection carries."""
        async with asyncio.timeout(60):
            while not holds(powers := self.powers_w()):
                assert sum(powers) <= GRID_W + 1.0, powers
                await asyncio.sleep(0.02)

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


@asynccontextmanager
async def a_yard(directory: Path) -> AsyncIterator[tuple[Yard, str]]:
    """A CSMS in a process of its own that steers the site, and its stations here."""
    (directory / "site.json").write_text(json.dumps(SITE))
    command = [str(Path(sys.executable).with_name("voltbench")), "csms", "--port", "0", "--http-port", "0"]
    command += ["--site", "site.json", "--validity", "12", "--unknown-tokens", "accepted"]
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220  at once
    assert process.stdout is not None
    found = [re.search(pattern, process.stdout.readline()) for pattern in (r"ws://\S+:(\d+)", r"http://\S+:(\d+)")]
    ports = [int(one[1]) for one in found if one is not None]
    host = StationHost(ScaledClock(wall_instant()), PicowsDialler(), ProcessMemory(), Transfers())
    yard = Yard(host, [])

    def address(station: Station) -> Address:
        port = 1 if station.id in yard.closed else ports[0]
        return Address(f"ws://127.0.0.1:{port}/{station.id}", "ocpp1.6")

    numbers = iter(range(1_000_000))
    for n in (1, 2, 3):
        station = Station(
            host.world.now,
            Identity(f"Y-{n}"),
            ONE,
            NoNotary(),
            new_id=lambda: f"m{next(numbers)}",
            chance=lambda: 0.5,
        )
        yard.hosted.append(host.add(station, address))
    try:
        yield yard, f"http://127.0.0.1:{ports[1]}"
    finally:
        await host.close()
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 20)
        process.stdout.close()


async def test_measured_power_never_breaks_the_limit_while_stations_drop_off_and_return(tmp_path: Path) -> None:
    async with a_yard(tmp_path) as (yard, url), httpx.AsyncClient(base_url=url) as client:
        third, half = GRID_W / 3, GRID_W / 2
        await yard.until(lambda _: all(one.station.is_accepted for one in yard.hosted))
        for number in range(3):
            yard.charge(number)
        await yard.until(lambda powers: min(powers) > third - 70.0)
        told = (await client.get("/csms/site")).json()
        assert told["grid_power_w"] <= GRID_W
        assert {c["connectors"][0]["session"]["binding"] for c in told["chargers"]} == {"grid"}
        yard.drop(0)
        await yard.until(lambda powers: powers[0] == 0.0 and min(powers[1:]) > half - 70.0)
        yard.closed.clear()
        await yard.until(lambda powers: min(powers) > third - 70.0)
