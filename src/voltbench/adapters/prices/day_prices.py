"""What a kWh costs on one local day, all of it: from a tariff in words to the day's hours or quarter hours."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import parse_qsl

import msgspec
import numpy as np

from voltbench.adapters import strict
from voltbench.adapters.prices.tariff_tables import TariffTable
from voltbench.adapters.prices.tariffs import Surroundings, market_tariff_of
from voltbench.adapters.prices.zones import zone_named
from voltbench.errors import InvalidInput, NotFound, Unavailable
from voltbench.quantities import MS_PER_HOUR, Instant, utc
from voltbench.running.home.day import HOURS, QUARTERS_PER_HOUR
from voltbench.site.calendar import QUARTER_MS, day_start
from voltbench.site.sampling import sampled_mean
from voltbench.site.tariff import MarketTariff

TOLD_WITHIN_S = 30.0
"""How long sources may take to tell all that is wanted of them."""

USUAL_ZONE = "Europe/Stockholm"

_NOTHING_TO_A_DRAWER = ("feed_in", "peak", "co2_source")
"""What a tariff says of others than those who draw energy at a price."""

_SECRET, _HIDDEN = "token", "..."


class DayTariffTable(TariffTable, frozen=True, kw_only=True, omit_defaults=True):
    """A tariff in words, of one day: its `date` (or today) in its `zone` (or that of the course, Europe/Stockholm).

    It has a `source` or `time_of_use`. A kWh costs ((price x (1 + `markup`)) + fees) x (1 + `vat`); fees are
    `fees_per_kwh` and the `grid_fee`, without VAT, and all of these are in the `currency`, not in its hundredths.
    `peak`, `feed_in` and `co2_source` are refused: they are nothing that a home's charger is told.
    """

    date: str | None = None


@dataclass(frozen=True, slots=True)
class DayPrices:
    """What a kWh costs in each hour, or quarter hour, of a day; the `tariff` says of which, and no secret any more."""

    per_kwh: tuple[float, ...]
    currency: str | None
    tariff: DayTariffTable


def day_prices(table: DayTariffTable, around: Surroundings, now: Instant) -> DayPrices:
    """What a tariff comes to on its day. It waits for services.

    Raises what `PriceSource.prices` does; NotFound also where a part of the day is not known.
    """
    for name in _NOTHING_TO_A_DRAWER:
        if getattr(table, name) is not None:
            raise InvalidInput(name, "is nothing to a home, which only draws energy", allowed="a tariff without it")
    day, zone = _day(table, now), zone_named(table.zone or USUAL_ZONE)
    starts_at, ends_at = day_start(day, zone), day_start(day + timedelta(days=1), zone)
    if ends_at - starts_at not in [hours * MS_PER_HOUR for hours in HOURS]:
        found = f"{(ends_at - starts_at) / MS_PER_HOUR:g} hours"
        raise InvalidInput("date", "is no day of 23, 24 or 25 hours there", found=found)
    said = msgspec.structs.replace(table, date=day.isoformat(), zone=table.zone or USUAL_ZONE)
    market = asyncio.run(_asked(said, starts_at, ends_at, around))
    if market.paid.known_until(starts_at) < ends_at:
        raise NotFound(f"price of {_public(table.source) or 'time_of_use'} for all of", day.isoformat())
    return DayPrices(_means(market, starts_at, ends_at), market.paid.currency or None, _without_secrets(said))


async def _asked(table: DayTariffTable, starts_at: Instant, ends_at: Instant, around: Surroundings) -> MarketTariff:
    try:
        async with asyncio.timeout(TOLD_WITHIN_S):
            return await market_tariff_of(table, None, starts_at, ends_at, around)
    except TimeoutError as error:
        raise Unavailable(f"prices are not told within {TOLD_WITHIN_S:g} s") from error


def _day(table: DayTariffTable, now: Instant) -> date:
    if table.date is None:
        return utc(now).astimezone(zone_named(table.zone or USUAL_ZONE)).date()
    try:
        day = date.fromisoformat(table.date)
    except ValueError as error:
        raise InvalidInput(
            "date", "is no date", found=strict.shown(table.date), allowed="such as 2026-12-24"
        ) from error
    if not 1970 < day.year < 2200:
        raise InvalidInput("date", "is no usable date", found=table.date, allowed="the years 1971 to 2199")
    return day


def _means(market: MarketTariff, starts_at: Instant, ends_at: Instant) -> tuple[float, ...]:
    """The price of each hour; of each quarter hour where they are not the same throughout an hour."""
    edges = np.arange(starts_at, ends_at + QUARTER_MS, QUARTER_MS, dtype=np.int64)
    quarters: list[float] = sampled_mean(market.paid.slots.series(), edges).tolist()
    hours = [quarters[first : first + QUARTERS_PER_HOUR] for first in range(0, len(quarters), QUARTERS_PER_HOUR)]
    if all(len(set(hour)) == 1 for hour in hours):
        return tuple(hour[0] for hour in hours)
    return tuple(quarters)


def _without_secrets(table: DayTariffTable) -> DayTariffTable:
    return msgspec.structs.replace(table, source=_public(table.source))


def _public(source: str | None) -> str | None:
    """The text of a source without the token in it."""
    if source is None:
        return None
    address, mark, query = source.partition("?")
    options = (f"{name}={_HIDDEN if name == _SECRET else said}" for name, said in parse_qsl(query))
    return address + mark + "&".join(options)
