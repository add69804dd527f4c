"""One fleet of ours in a process of its own, measured: boots, sessions, then nothing but meter values.

    python -m benchmarks.ocpp_fleet URL STATIONS SECONDS [--interval S] [--speed X] [--durable] [--ca FILE] [--key K=V]

Prints JSON: seconds until all were accepted, CPU seconds and answers while values were sent, the process's memory.
With 0 seconds it ends when all are accepted.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from voltbench.adapters.catalog import Catalog
from voltbench.adapters.ocpp_station.host import HostedStation
from voltbench.apps.station_choices import StationChoices, Stations, keys_of
from voltbench.charging.vehicle import Vehicle


def most_mb() -> float:
    """The most memory that this process has had (`ru_maxrss` may be its parent's)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def arguments() -> argparse.Namespace:
    """What is wanted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("stations", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--interval", type=int, default=10)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--durable", action="store_true")
    parser.add_argument("--ca", type=Path)
    parser.add_argument("--key", action="append", default=[])
    return parser.parse_args()


async def accepted(made: Stations, count: int) -> tuple[list[HostedStation], dict[str, Any]]:
    """So many stations, once their CSMS has accepted them all."""
    begun, before_s = time.monotonic(), time.process_time()
    hosted = [made.add(f"V-{number:05}") for number in range(count)]
    while not all(one.station.is_accepted for one in hosted):  # noqa: ASYNC110  another process accepts them
        await asyncio.sleep(0.005)
    return hosted, {"accepted_s": time.monotonic() - begun, "accepted_cpu_s": time.process_time() - before_s}


async def charging(hosted: list[HostedStation], within_s: float) -> None:
    """A car of its own at each, and a transaction."""
    model = Catalog().vehicle("bmw-i4-edrive40")
    for number, one in enumerate(hosted):
        vehicle = Vehicle(f"car-{number}", model, 0.1 + 0.0001 * (number % 1_000))
        one.do(lambda station, now, vehicle=vehicle: station.plug_in(now, 1, vehicle))  # type: ignore[misc]
        one.do(lambda station, now: station.present(now, "TAG", 1))
        await asyncio.sleep(within_s / len(hosted))


async def measured(made: Stations, hosted: list[HostedStation], seconds: float) -> dict[str, Any]:
    """What meter values cost for a while."""
    gc.collect()
    gc.freeze()
    tally = made.host.tally
    before_s, before = time.process_time(), tally.calls
    await asyncio.sleep(seconds)
    return {
        "cpu_s": time.process_time() - before_s,
        "answered": tally.calls - before,
        "seconds": seconds,
        "power_w": sum(one.station.life.evses[0].feed.power_w(made.host.now()) for one in hosted),
        "errors": tally.errors_in,
        "lost": tally.losses,
        "p99_s": tally.latency_s(0.99),
    }


async def main() -> None:
    """The whole fleet."""
    asked = arguments()
    keys = {"MeterValueSampleInterval": str(asked.interval), "HeartbeatInterval": "3600", **keys_of(asked.key)}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) if asked.durable else None
        choices = StationChoices(
            asked.url, "alfen-eve-double-pro", speed=asked.speed, data=data, ca=asked.ca, keys=keys
        )
        made = Stations(choices, Catalog())
        hosted, found = await accepted(made, asked.stations)
        if asked.seconds:
            between_s = asked.interval / asked.speed
            await charging(hosted, max(1.0, between_s / 2))
            await asyncio.sleep(between_s)
            found |= await measured(made, hosted, asked.seconds)
        found["mb"] = most_mb()
        await made.host.close()
    print(json.dumps(found))


if __name__ == "__main__":
    uvloop.run(main())
