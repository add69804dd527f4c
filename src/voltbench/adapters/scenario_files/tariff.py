"""The tariff of a scenario file: prices that it gives, or that somebody else knows, and what is paid on top."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

from voltbench.adapters import strict
from voltbench.adapters.prices.tariffs import Surroundings, market_tariff_of
from voltbench.adapters.scenario_files.quantity import Setting, quantity
from voltbench.adapters.scenario_files.tables import Quantity, ScenarioTariff
from voltbench.errors import InvalidInput
from voltbench.quantities import Instant, rfc3339
from voltbench.site.prices import Prices
from voltbench.site.series import StepSeries
from voltbench.site.slots import from_series
from voltbench.site.tariff import MarketTariff, Tariff

Found = TypeVar("Found")

USUAL_CURRENCY = "EUR"


def tariff_of(table: ScenarioTariff, setting: Setting) -> Tariff:
    """The tariff that the table `tariff` describes. Services are asked for what they know."""
    _check_said_once(table)
    given = _series(table.import_price_per_kwh, "import_price_per_kwh", setting, -strict.LARGEST_NUMBER)
    sold = _series(table.export_price_per_kwh, "export_price_per_kwh", setting, -strict.LARGEST_NUMBER)
    co2 = _series(table.co2_g_per_kwh, "co2_g_per_kwh", setting, 0.0)
    plain = Tariff(table.currency or USUAL_CURRENCY, given, sold, table.demand_price_per_kw, co2)
    if not _needs_market(table):
        return plain
    with strict.at("tariff"):
        market = _known_throughout(table, given, setting)
    return Tariff(
        currency=market.currency or plain.currency,
        import_price_per_kwh=market.import_price_per_kwh,
        export_price_per_kwh=market.export_price_per_kwh or sold,
        demand_price_per_kw=table.demand_price_per_kw,
        co2_g_per_kwh=market.co2_g_per_kwh or co2,
        peak=market.peak,
    )


def _series(found: Quantity | None, name: str, setting: Setting, least: float) -> StepSeries | None:
    return quantity(found, f"tariff.{name}", setting, least) if found is not None else None


def _check_said_once(table: ScenarioTariff) -> None:
    twice = (
        ("source", table.source, "import_price_per_kwh", table.import_price_per_kwh),
        ("time_of_use", table.time_of_use, "import_price_per_kwh", table.import_price_per_kwh),
        ("feed_in", table.feed_in, "export_price_per_kwh", table.export_price_per_kwh),
        ("co2_source", table.co2_source, "co2_g_per_kwh", table.co2_g_per_kwh),
    )
    for one, said, other, again in twice:
        if said is not None and again is not None:
            raise InvalidInput(f"tariff.{one}", f"says what {other} says", allowed=f"{one} or {other}")


def _needs_market(table: ScenarioTariff) -> bool:
    """Whether more is said than plain series."""
    told = (table.source, table.time_of_use, table.feed_in, table.peak, table.co2_source)
    return table.adds_to_prices or any(part is not None for part in told)


def _known_throughout(table: ScenarioTariff, given: StepSeries | None, setting: Setting) -> Tariff:
    """What energy costs from the start until the end, all of it known."""
    starts_at, ends_at = setting.clock.start, setting.ends_at
    clocks = timezone(timedelta(milliseconds=setting.clock.utc_offset_ms))
    around = Surroundings(os.environ, folder=Path(str(setting.folder)), zone=clocks)
    currency = table.currency or USUAL_CURRENCY
    prices = None
    if given is not None:
        prices = Prices(from_series(given, starts_at, ends_at), currency, table.prices_include_vat)
    market = _waited_for(market_tariff_of(table, prices, starts_at, ends_at, around))
    _check_all_is_known(market, starts_at, ends_at)
    return market.series()


def _check_all_is_known(market: MarketTariff, starts_at: Instant, ends_at: Instant) -> None:
    for name, part in (("source", market.paid.slots), ("co2_source", market.co2_g_per_kwh)):
        known_until = ends_at if part is None else part.known_until(starts_at)
        if known_until < ends_at:
            problem = "does not know all of the horizon"
            allowed = f"known from {rfc3339(starts_at)} until {rfc3339(ends_at)}"
            raise InvalidInput(name, problem, found=f"until {rfc3339(known_until)}", allowed=allowed)


def _waited_for(asking: Coroutine[Any, Any, Found]) -> Found:
    """What comes of it, whoever waits: in a thread of its own, as the caller may have a loop that runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asking).result()
