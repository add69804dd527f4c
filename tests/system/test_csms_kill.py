"""`kill -9` of the CSMS while stations charge: each start and each stop is recorded exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from ocpp.v16 import call
from websockets.exceptions import WebSocketException

from tests.csms16 import NOON_TEXT
from tests.csms_live import CsmsProcess, Station, a_csms_process, a_station, soon

STATIONS, CHARGES = 200, 3
AFTER = (317, 1_103)
"""Answers after which the CSMS is killed, of the 1,800 that there are."""


@pytest.fixture(params=["sqlite", "postgresql"])
def csms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CsmsProcess]:
    store = [] if request.param == "sqlite" else ["--store", request.getfixturevalue("postgresql_url")]
    with a_csms_process(tmp_path, *store) as running:
        yield running


async def test_each_start_and_each_stop_is_recorded_exactly_once(csms: CsmsProcess):
    answered: list[str] = []
    charging = [asyncio.create_task(charge(csms, f"CP{number}", answered)) for number in range(STATIONS)]
    for after in AFTER:
        await soon(lambda after=after: has_come_to(answered, after))  # type: ignore[misc]
        csms.kill()
        await asyncio.to_thread(csms.again)
    confirmed = {key: id for ids in await asyncio.gather(*charging) for key, id in ids.items()}
    found = await all_transactions(csms)
    recorded = {key(one): one for one in found}
    assert len(recorded) == len(found) == STATIONS * CHARGES
    assert {key: one["id"] for key, one in recorded.items()} == confirmed
    assert all(one["closed_by"] == "station" and one["energy_wh"] == 500 for one in recorded.values())


async def has_come_to(answered: list[str], number: int) -> bool | None:
    return len(answered) >= number or None


def key(one: dict[str, Any]) -> tuple[str, int]:
    return one["station_id"], one["meter_start_wh"]


async def charge(csms: CsmsProcess, id: str, answered: list[str]) -> dict[tuple[str, int], int]:
    """Charge some times, whatever becomes of the connection; the transaction's id of each charge."""
    charges = [Charge(id, meter, answered) for meter in range(0, CHARGES * 1_000, 1_000)]
    while not all(one.is_over for one in charges):
        with suppress(OSError, WebSocketException, TimeoutError):
            async with a_station(csms.url, id, open_timeout=5) as station:
                for one in charges:
                    await one.go_on(station)
    return {(id, one.meter): one.id for one in charges}


@dataclass
class Charge:
    """A charge, which says again what was not answered."""

    station_id: str
    meter: int
    answered: list[str]
    id: int = 0
    is_over: bool = False

    async def go_on(self, station: Station) -> None:
        if not self.id:
            self.id = (await self.told(station, self.start)).transaction_id
        if not self.is_over:
            values = [{"timestamp": NOON_TEXT, "sampled_value": [{"value": str(self.meter)}]}]
            await self.told(station, call.MeterValues(connector_id=1, transaction_id=self.id, meter_value=values))
            meter_stop = self.meter + 500
            await self.told(
                station, call.StopTransaction(meter_stop=meter_stop, timestamp=NOON_TEXT, transaction_id=self.id)
            )
            self.is_over = True

    async def told(self, station: Station, request: Any) -> Any:
        """The answer to a call, if it comes before the connection is gone."""
        answering = station.tells(request, is_validated=False)  # what is said is not the question here
        answer, gone = asyncio.create_task(answering), asyncio.create_task(station.gone())
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not answer.done():
            answer.cancel()
            raise ConnectionError
        self.answered.append(type(request).__name__)
        return await answer

    @property
    def start(self) -> Any:
        return call.StartTransaction(
            connector_id=1, id_tag=self.station_id, meter_start=self.meter, timestamp=NOON_TEXT
        )


async def all_transactions(csms: CsmsProcess) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=csms.api, trust_env=False) as client:
        found: list[dict[str, Any]] = (await client.get("/csms/transactions?limit=1000")).json()["transactions"]
    return found
