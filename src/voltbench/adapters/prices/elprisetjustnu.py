"""elprisetjustnu.se: day-ahead prices of the four Swedish price areas, one JSON file a day, without VAT.

https://www.elprisetjustnu.se/elpris-api: `/api/v1/prices/2026/03-29_SE3.json` is a list of slots with `SEK_per_kWh`,
`EUR_per_kWh`, `time_start` and `time_end`, hourly until 2025-09-30 and quarter-hourly since. A day that is not
published, as tomorrow is not before 13:00, has no file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import msgspec

from voltbench.adapters import strict
from voltbench.adapters.prices.wanted import check_span, wanted
from voltbench.adapters.prices.web import Service, sense_of
from voltbench.adapters.prices.zones import instant_from, zone_named
from voltbench.errors import NotFound
from voltbench.quantities import Instant
from voltbench.site.calendar import local_days
from voltbench.site.prices import Prices
from voltbench.site.slots import Slot

URL = "https://www.elprisetjustnu.se"
SERVICE = Service(URL)
AREAS = ("SE1", "SE2", "SE3", "SE4")
ZONE = "Europe/Stockholm"


class PublishedSlot(msgspec.Struct):
    """A slot as the file has it."""

    SEK_per_kWh: float
    time_start: str
    time_end: str


@dataclass(frozen=True)
class ElprisetJustNu:
    """Prices of a Swedish area, in SEK."""

    area: str
    service: Service = SERVICE

    def __post_init__(self) -> None:
        strict.chosen(self.area, AREAS, "area")

    async def prices(self, starts_at: Instant, ends_at: Instant) -> Prices:
        """What is known of the prices between two instants: see `PriceSource.prices`."""
        check_span(starts_at, ends_at)
        told = [slot for day in local_days(starts_at, ends_at, zone_named(ZONE)) for slot in await self._day(day)]
        with sense_of(self.service.name):
            return Prices(wanted(told, starts_at, ends_at, self.service.name), "SEK")

    async def _day(self, day: date) -> list[Slot]:
        """The slots of a day; none where it is not published."""
        try:
            answer = await self.service.get(f"/api/v1/prices/{day:%Y/%m-%d}_{self.area}.json")
        except NotFound:
            return []
        with sense_of(answer.source):
            return list(_slots(answer.read(list[PublishedSlot])))


def _slots(rows: list[PublishedSlot]) -> Iterator[Slot]:
    for i, row in enumerate(rows):
        start, end = (
            instant_from(text, f"answer[{i}].{name}")
            for name, text in (("time_start", row.time_start), ("time_end", row.time_end))
        )
        yield Slot(start, end, row.SEK_per_kWh)
