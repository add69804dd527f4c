"""Octopus Energy (Great Britain): the half-hourly rates of Agile tariffs, or of any other, with VAT.

https://developer.octopus.energy/rest/guides/endpoints: `/v1/products/AGILE-24-10-01/electricity-tariffs/`
`E-1R-AGILE-24-10-01-C/standard-unit-rates/?period_from=..&period_to=..&page_size=..` gives pages of `results`, newest
first, with `value_inc_vat` in pence per kWh, `valid_from`, `valid_to` (null: until further notice) and
`payment_method`. A further page is there while `next` is not null. Tomorrow is there from about 16:00.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from voltbench.adapters import strict
from voltbench.adapters.prices.wanted import check_span, wanted
from voltbench.adapters.prices.web import Service, sense_of
from voltbench.adapters.prices.zones import instant_from
from voltbench.errors import InvalidInput, RemoteProtocolError
from voltbench.quantities import Instant, rfc3339
from voltbench.site.prices import Prices
from voltbench.site.slots import Slot

URL = "https://api.octopus.energy"
SERVICE = Service(URL)
PAGE_SIZE = 1_500
MOST_PAGES = 20
PENCE_PER_POUND = 100.0
_TARIFF = re.compile(r"(?:E-1R-)?([A-Z0-9]+(?:-[A-Z0-9]+)*)-([A-HJ-NP])")


class UnitRate(msgspec.Struct):
    """A rate as the service has it."""

    value_inc_vat: float
    valid_from: str | None
    valid_to: str | None
    payment_method: str | None = None


class Page(msgspec.Struct):
    """A page of rates."""

    results: list[UnitRate]
    next: str | None = None


@dataclass(frozen=True)
class Octopus:
    """Prices of a tariff in a region, in GBP with VAT: `AGILE-24-10-01-C`, a product's code and a region's letter."""

    tariff: str
    service: Service = SERVICE
    page_size: int = PAGE_SIZE

    def __post_init__(self) -> None:
        if _TARIFF.fullmatch(self.tariff) is None:
            allowed = "a product and a region from A to P, as in AGILE-24-10-01-C"
            raise InvalidInput("tariff", "is no tariff of one rate", found=strict.shown(self.tariff), allowed=allowed)

    async def prices(self, starts_at: Instant, ends_at: Instant) -> Prices:
        """What is known of the prices between two instants: see `PriceSource.prices`."""
        check_span(starts_at, ends_at)
        rates = [
            rate for rate in await self._rates(starts_at, ends_at) if rate.payment_method in (None, "DIRECT_DEBIT")
        ]
        with sense_of(self.service.name):
            told = [_slot(rate, i, starts_at, ends_at) for i, rate in enumerate(rates)]
            return Prices(wanted(told, starts_at, ends_at, self.service.name), "GBP", vat_included=True)

    async def _rates(self, starts_at: Instant, ends_at: Instant) -> list[UnitRate]:
        """The rates of all pages. Their number is counted here: where `next` leads to is the service's business."""
        product, region = _TARIFF.fullmatch(self.tariff).groups()  # type: ignore[union-attr]  # checked when made
        path = f"/v1/products/{product}/electricity-tariffs/E-1R-{product}-{region}/standard-unit-rates/"
        query = {"period_from": _zulu(starts_at), "period_to": _zulu(ends_at), "page_size": str(self.page_size)}
        rates: list[UnitRate] = []
        for number in range(1, MOST_PAGES + 1):
            page = (await self.service.get(path, {**query, "page": str(number)})).read(Page)
            rates += page.results
            if page.next is None:
                return rates
        raise RemoteProtocolError(f"{self.service.name} answers with more than {MOST_PAGES} pages")


def _slot(rate: UnitRate, i: int, starts_at: Instant, ends_at: Instant) -> Slot:
    start = instant_from(rate.valid_from, f"results[{i}].valid_from") if rate.valid_from is not None else starts_at
    end = (
        instant_from(rate.valid_to, f"results[{i}].valid_to") if rate.valid_to is not None else max(ends_at, start + 1)
    )
    return Slot(start, end, rate.value_inc_vat / PENCE_PER_POUND)


def _zulu(instant: Instant) -> str:
    return f"{rfc3339(instant)[:19]}Z"
