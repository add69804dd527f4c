"""How long it takes from asking our CSMS for a remote start until the station charges, and until the CSMS knows it.

    python -m benchmarks.ocpp_remote_start WS_URL HTTP_URL STATIONS

Each station has a car plugged in, and is asked once, one after the other. Prints JSON: the seconds of each.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import httpx

from benchmarks.ocpp_fleet import accepted
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.ocpp_station.host import HostedStation
from voltbench.apps.station_choices import StationChoices, Stations
from voltbench.charging.happenings import Happening, StatusChanged
from voltbench.charging.status import Status
from voltbench.charging.vehicle import Vehicle
from voltbench.quantities import Instant


async def started(client: httpx.AsyncClient, hosted: HostedStation, number: int) -> tuple[float, float]:
    """Seconds from the request until the station charges, and until the CSMS says so to who asks it."""
    charges = asyncio.Event()

    def hear(_now: Instant, fact: Happening) -> None:
        if isinstance(fact, StatusChanged) and fact.status is Status.CHARGING:
            charges.set()

    hosted.station.on_fact = hear
    vehicle = Vehicle(f"car-{number}", Catalog().vehicle("bmw-i4-edrive40"), 0.1 + 0.001 * number)
    hosted.do(lambda station, now: station.plug_in(now, 1, vehicle))
    at = f"/csms/stations/{hosted.station.id}"
    begun = time.perf_counter()
    wanted = {"connectorId": 1, "idTag": f"TAG-{number}"}
    (await client.post(f"{at}/commands/RemoteStartTransaction", json=wanted)).raise_for_status()
    await asyncio.wait_for(charges.wait(), 10)
    charges_s = time.perf_counter() - begun
    while (await client.get(at)).json()["connectors"][1]["status"] != "Charging":
        pass  # the request itself is what it waits for
    return charges_s, time.perf_counter() - begun


async def main() -> None:
    """All of them."""
    url, http, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    made = Stations(StationChoices(url, "alfen-eve-double-pro"), Catalog())
    hosted, _ = await accepted(made, count)
    async with httpx.AsyncClient(base_url=http, timeout=10) as client:
        found = [await started(client, one, number) for number, one in enumerate(hosted)]
    await made.host.close()
    print(json.dumps({"charges_s": [one for one, _ in found], "known_s": [one for _, one in found]}))


if __name__ == "__main__":
    asyncio.run(main())
