"""The peer of our fleet: stations built as the PyPI package `ocpp` has it, on `websockets`, without any physics.

    python -m benchmarks.peers.ocpp_fleet URL STATIONS SECONDS INTERVAL

Each boots, starts a transaction and sends meter values of its own; prints JSON: CPU seconds while values were sent, and
how many were answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from ocpp.v16 import ChargePoint, call
from websockets.asyncio.client import connect


def values(watts: float, register_wh: int) -> list[dict[str, Any]]:
    """What our stations send by default, in the peer's way."""
    sampled: list[dict[str, Any]] = [
        {
            "value": str(register_wh),
            "context": "Sample.Periodic",
            "measurand": "Energy.Active.Import.Register",
            "unit": "Wh",
        },
        {"value": f"{watts:.1f}", "context": "Sample.Periodic", "measurand": "Power.Active.Import", "unit": "W"},
    ]
    for phase in ("L1", "L2", "L3"):
        amperes, volts = f"{watts / 690.0:.2f}", "230.0"
        sampled.append(
            {"value": amperes, "context": "Sample.Periodic", "measurand": "Current.Import", "phase": phase, "unit": "A"}
        )
        sampled.append(
            {"value": volts, "context": "Sample.Periodic", "measurand": "Voltage", "phase": f"{phase}-N", "unit": "V"}
        )
    return [{"timestamp": datetime.now(UTC).isoformat(), "sampled_value": sampled}]


async def a_station(url: str, number: int, begin: asyncio.Event, seconds: float, interval: float) -> int:
    """One station's life; how many values were answered."""
    async with connect(f"{url}/P-{number}", subprotocols=["ocpp1.6"], compression=None, proxy=None) as line:  # type: ignore[list-item]
        station = ChargePoint(f"P-{number}", line)
        listening = asyncio.create_task(station.start())
        await station.call(call.BootNotification(charge_point_model="peer", charge_point_vendor="ocpp"))
        now = datetime.now(UTC).isoformat()
        started = await station.call(call.StartTransaction(connector_id=1, id_tag="TAG", meter_start=0, timestamp=now))
        await begin.wait()
        ends, answered = time.monotonic() + seconds, 0
        await asyncio.sleep(interval * (number % 97) / 97)
        while time.monotonic() < ends:
            told = values(11_040.0 - number, answered * 30 + number)
            request = call.MeterValues(connector_id=1, meter_value=told, transaction_id=started.transaction_id)
            await station.call(request)
            answered += 1
            await asyncio.sleep(interval)
        listening.cancel()
        return answered


async def main() -> None:
    """The whole fleet."""
    url, count, seconds, interval = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    begin = asyncio.Event()
    stations = [asyncio.create_task(a_station(url, number, begin, seconds, interval)) for number in range(count)]
    await asyncio.sleep(3.0 + count / 100)
    before_s = time.process_time()
    begin.set()
    answered = sum(await asyncio.gather(*stations))
    taken_s = time.process_time() - before_s
    print(json.dumps({"cpu_s": taken_s, "answered": answered}))


if __name__ == "__main__":
    asyncio.run(main())
