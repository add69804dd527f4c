"""Energy-Charts (Fraunhofer ISE): day-ahead prices of European bidding zones, and carbon intensity.

https://api.energy-charts.info: `/price?bzn=DE-LU&start=2026-03-28&end=2026-03-30` gives `unix_seconds`, `price` of the
same length (some may be null), and `unit`, always `EUR / MWh`. `/co2eq?country=de` gives `unix_seconds`, `co2eq` and
`co2eq_forecast` in g/kWh, of which one is null before and one after now. A slot lasts until the next one begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from voltbench.adapters.prices.units import per_kwh
from voltbench.adapters.prices.wanted import check_span, wanted
from voltbench.adapters.prices.web import Answer, Service, sense_of
from voltbench.adapters.prices.zones import zone_named
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_SECOND, Instant, utc
from voltbench.site.prices import Prices
from voltbench.site.slots import Slot, Slots, from_starts

URL = "https://api.energy-charts.info"
SERVICE = Service(URL)
ZONE = "Europe/Berlin"


class PriceAnswer(msgspec.Struct):
    """Prices, one for each start."""

    unix_seconds: list[int]
    price: list[float | None]
    unit: str


class Co2Answer(msgspec.Struct):
    """Carbon intensities, measured and foretold."""

    unix_seconds: list[int]
    co2eq: list[float | None]
    co2eq_forecast: list[float | None] = []


@dataclass(frozen=True)
class EnergyCharts:
    """Prices of a bidding zone, in EUR whatever its currency; or carbon intensities of a country."""

    area: str
    service: Service = SERVICE

    async def prices(self, starts_at: Instant, ends_at: Instant) -> Prices:
        """What is known of the prices between two instants: see `PriceSource.prices`."""
        answer = await self._ask("/price", "bzn", starts_at, ends_at)
        found = answer.read(PriceAnswer)
        with sense_of(answer.source):
            prices = [per_kwh(price, found.unit) if price is not None else None for price in found.price]
            told = _slots(found.unix_seconds, prices, "price")
            return Prices(wanted(told, starts_at, ends_at, answer.source), "EUR")

    async def co2_g_per_kwh(self, starts_at: Instant, ends_at: Instant) -> Slots:
        """What is measured of the carbon intensity between two instants, and foretold where it is not."""
        answer = await self._ask("/co2eq", "country", starts_at, ends_at)
        found = answer.read(Co2Answer)
        with sense_of(answer.source):
            foretold = found.co2eq_forecast or [None] * len(found.unix_seconds)
            if len(foretold) != len(found.co2eq):
                raise InvalidInput("co2eq_forecast", "has another length than co2eq", found=len(foretold))
            both = [m if m is not None else f for m, f in zip(found.co2eq, foretold, strict=True)]
            told = _slots(found.unix_seconds, both, "co2eq")
            return wanted(told, starts_at, ends_at, answer.source)

    async def _ask(self, path: str, of: str, starts_at: Instant, ends_at: Instant) -> Answer:
        """Whole local days, and one more, whether the service counts the last one or not."""
        check_span(starts_at, ends_at)
        first, last = (utc(at).astimezone(zone_named(ZONE)).date() for at in (starts_at, ends_at))
        query = {of: self.area, "start": first.isoformat(), "end": (last + timedelta(days=1)).isoformat()}
        return await self.service.get(path, query)


def _slots(unix_seconds: Sequence[int], found: Sequence[float | None], name: str) -> list[Slot]:
    if len(unix_seconds) != len(found):
        allowed = f"{len(unix_seconds)}, as unix_seconds"
        raise InvalidInput(name, "has another length than its times", found=len(found), allowed=allowed)
    return from_starts([second * MS_PER_SECOND for second in unix_seconds], found)
