"""aWATTar: hourly day-ahead prices of Germany and Austria, without VAT, for everybody.

https://www.awattar.de/services/api: `/v1/marketdata?start=..&end=..` (ms since 1970) gives `data`, a list of slots
with `start_timestamp`, `end_timestamp` (ms) and `marketprice` in `Eur/MWh`. Tomorrow is there from about 14:00. Whether
it gives the hour that has begun before `start` is not said, so it is asked from the hour on.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from voltbench.adapters.prices.units import per_kwh
from voltbench.adapters.prices.wanted import check_span, wanted
from voltbench.adapters.prices.web import Service, sense_of
from voltbench.quantities import MS_PER_HOUR, Instant
from voltbench.site.prices import Prices
from voltbench.site.slots import Slot

SERVICES = {"at": Service("https://api.awattar.at"), "de": Service("https://api.awattar.de")}


class MarketSlot(msgspec.Struct):
    """A slot as the service has it."""

    start_timestamp: int
    end_timestamp: int
    marketprice: float
    unit: str


class MarketData(msgspec.Struct):
    """The answer."""

    data: list[MarketSlot]


@dataclass(frozen=True)
class Awattar:
    """Prices of the German or the Austrian exchange, in EUR."""

    service: Service = SERVICES["de"]

    async def prices(self, starts_at: Instant, ends_at: Instant) -> Prices:
        """What is known of the prices between two instants: see `PriceSource.prices`."""
        check_span(starts_at, ends_at)
        query = {"start": str(starts_at - starts_at % MS_PER_HOUR), "end": str(ends_at)}
        answer = await self.service.get("/v1/marketdata", query)
        with sense_of(answer.source):
            told = [
                Slot(entry.start_timestamp, entry.end_timestamp, per_kwh(entry.marketprice, entry.unit))
                for entry in answer.read(MarketData).data
            ]
            return Prices(wanted(told, starts_at, ends_at, answer.source), "EUR")
