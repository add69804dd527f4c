"""One fleet of ours in a process of its own, measured: boots, sessions, then nothing but meter values.

    python -m benchmarks.ocpp_fleet URL STATIONS SECONDS INTERVAL [--durable]

Prints JSON: seconds until all were accepted, CPU seconds and answers while values were sent, the process's memory.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import sys
import tempfile
import time
from pathlib import Path

from voltbench.adapters.catalog import Catalog
from voltbench.apps.station_choices import StationChoices, Stations
from voltbench.charging.vehicle import Vehicle


def most_mb() -> float:
    """The most memory that this process has had (`ru_maxrss` may be its parent's)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


async def main() -> None:
    """The whole fleet."""
    url, count, seconds, interval = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) if "--durable" in sys.argv else None
        keys = {"MeterValueSampleInterval": str(interval), "HeartbeatInterval": "3600"}
        made = Stations(StationChoices(url, "alfen-eve-double-pro", data=data, keys=keys), Catalog())
        begun = time.monotonic()
        hosted = [made.add(f"V-{number:05}") for number in range(count)]
        while not all(one.station.is_accepted for one in hosted):  # noqa: ASYNC110  another process accepts them
            await asyncio.sleep(0.02)
        accepted_s = time.monotonic() - begun
        model = Catalog().vehicle("bmw-i4-edrive40")
        for number, one in enumerate(hosted):
            vehicle = Vehicle(f"car-{number}", model, 0.1 + 0.0001 * (number % 1_000))
            one.do(lambda station, now, vehicle=vehicle: station.plug_in(now, 1, vehicle))  # type: ignore[misc]
            one.do(lambda station, now: station.present(now, "TAG", 1))
            await asyncio.sleep(interval / count / 2)
        await asyncio.sleep(interval)
        gc.collect()
        gc.freeze()
        tally = made.host.tally
        before_s, before = time.process_time(), tally.calls
        await asyncio.sleep(seconds)
        taken_s, answered = time.process_time() - before_s, tally.calls - before
        power_w = sum(one.station.life.evses[0].feed.power_w(made.host.now()) for one in hosted)
        mb = most_mb()
        await made.host.close()
    print(
        json.dumps(
            {
                "accepted_s": accepted_s,
                "cpu_s": taken_s,
                "answered": answered,
                "seconds": seconds,
                "mb": mb,
                "power_w": power_w,
                "errors": tally.errors_in,
                "lost": tally.losses,
                "p99_s": tally.latency_s(0.99),
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main())
