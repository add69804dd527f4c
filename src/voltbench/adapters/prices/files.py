"""Prices from a file, CSV or JSON, with a column `at` and one with the prices.

    at,price_per_kwh                          # or price_per_mwh; columns parted by commas or semicolons
    2026-03-29T00:00+01:00,0.4512             # each price holds until the next row, the last as long as the one before
    2026-03-29T00:15+01:00,0.4498             # a column `until` says it otherwise

    {"currency": "SEK", "vat_included": false, "zone": "Europe/Stockholm",
     "prices": [{"at": "2026-03-29T00:00", "price_per_kwh": 0.4512}, ...]}      // or the list alone

Times have an offset, or are local to the zone that is given. Rows are in the order of time; of a local time that comes
twice in autumn the second row is the second one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from voltbench.adapters import json_text, strict
from voltbench.adapters.prices.units import KWH_PER_MWH
from voltbench.adapters.prices.wanted import wanted
from voltbench.adapters.prices.zones import instant_from, zone_named
from voltbench.adapters.rows import Row, csv_rows, json_rows, read_bytes, refuse_unknown_columns
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR, Instant
from voltbench.site.prices import Prices
from voltbench.site.slots import Slot, Slots

COLUMNS = ("at", "until", "price_per_kwh", "price_per_mwh")
LARGEST_FILE = 16 << 20


class PriceTable(msgspec.Struct, forbid_unknown_fields=True):
    """A JSON file of prices."""

    prices: list[dict[str, Any]]
    currency: str | None = None
    vat_included: bool | None = None
    zone: str | None = None


@dataclass(frozen=True)
class PriceFile:
    """Prices in a file. What it says itself of currency, VAT and zone goes before what is said here."""

    path: Path
    currency: str = "EUR"
    vat_included: bool = False
    zone: tzinfo | None = None

    async def prices(self, starts_at: Instant, ends_at: Instant) -> Prices:
        """What the file has of the prices between two instants: see `PriceSource.prices`."""
        known = await asyncio.to_thread(self.read)
        return replace(known, slots=wanted(known.slots, starts_at, ends_at, str(self.path)))

    def read(self) -> Prices:
        """All prices of the file. Raises InvalidInput that names line or place."""
        content = read_bytes(self.path)
        with strict.within(str(self.path)):
            if len(content) > LARGEST_FILE:
                raise InvalidInput("file", "is too large", found=len(content), allowed=f"{LARGEST_FILE} bytes")
            if self.path.suffix.lower() == ".json" or content.lstrip()[:1] in (b"{", b"["):
                return self._of_table(json_text.parse(content))
            return Prices(_slots(csv_rows(content), self.zone), self.currency, self.vat_included)

    def _of_table(self, found: Any) -> Prices:
        table = strict.convert(found if isinstance(found, dict) else {"prices": found}, PriceTable)
        zone = zone_named(table.zone) if table.zone is not None else self.zone
        included = self.vat_included if table.vat_included is None else table.vat_included
        return Prices(_slots(json_rows(table.prices, "prices"), zone), table.currency or self.currency, included)


def _slots(rows: Sequence[Row], zone: tzinfo | None) -> Slots:
    if not rows:
        raise InvalidInput("prices", "are none", allowed="at least one row")
    refuse_unknown_columns(rows, COLUMNS)
    starts: list[Instant] = []
    for row in rows:
        field = row.field(row.needed("at"))
        start = instant_from(row.cells["at"], field, zone, after=starts[-1] if starts else None)
        if starts and start <= starts[-1]:
            raise InvalidInput(field, "is not later than the row before", found=strict.shown(row.cells["at"]))
        starts.append(start)
    ends = [
        _end(row, start, follower, zone) for row, start, follower in zip(rows, starts, _followers(starts), strict=True)
    ]
    return Slots(Slot(start, end, _price(row)) for row, start, end in zip(rows, starts, ends, strict=True))


def _followers(starts: Sequence[Instant]) -> list[Instant]:
    """When the next row starts; after the last one, as long after it as it is after the one before it."""
    last_ms = starts[-1] - starts[-2] if len(starts) > 1 else MS_PER_HOUR
    return [later for _, later in pairwise(starts)] + [starts[-1] + last_ms]


def _end(row: Row, start: Instant, follower: Instant, zone: tzinfo | None) -> Instant:
    if row.cells.get("until") is None:
        return follower
    end = instant_from(row.cells["until"], row.field("until"), zone, after=start)
    if end <= start:
        raise InvalidInput(row.field("until"), "is not later than at", found=strict.shown(row.cells["until"]))
    return end


def _price(row: Row) -> float:
    column = row.needed("price_per_kwh", "price_per_mwh")
    price = row.number(column, least=-strict.LARGEST_NUMBER)
    return price / KWH_PER_MWH if column == "price_per_mwh" else price
