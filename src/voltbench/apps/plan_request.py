"""What `POST /plans` is asked: a plan with prices slot by slot, or with a tariff in words, which is made into those."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from math import ceil
from typing import Annotated, NamedTuple, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta

from voltbench.adapters import json_text, strict
from voltbench.adapters.prices.choose import FILE
from voltbench.adapters.prices.tariff_tables import TariffTable
from voltbench.adapters.prices.tariffs import Surroundings, market_tariff_of, zone_of
from voltbench.adapters.prices.zones import zone_named
from voltbench.adapters.scenario_files.publication import MARKET_ZONE
from voltbench.energy.schedule import CAR, SITE
from voltbench.errors import InvalidInput, NotFound, Unavailable
from voltbench.quantities import MS_PER_DAY, MS_PER_MINUTE, DurationMs, Instant, utc
from voltbench.running.plan_asked import PlanAsked, Price
from voltbench.running.publication import day_before, foreseen
from voltbench.site.calendar import day_start
from voltbench.site.peaks import Mean, PeakTariff
from voltbench.site.prices import Prices
from voltbench.site.slots import Slot, Slots
from voltbench.site.tariff import MarketTariff

Moment: TypeAlias = Annotated[Instant, Meta(ge=0, le=7_258_118_400_000)]
"""From 1970 to the year 2200: what comes later is no time of day of anybody's."""

FURTHEST_MS = 9 * MS_PER_DAY
"""Nobody is asked for prices further ahead; a plan ends before."""

WITHOUT_CARS_MS = 2 * MS_PER_DAY
"""So far prices of the day ahead are known at best."""

PATIENCE_S = 30.0
"""How long sources may take to tell all that is wanted of them."""

MOST_VALUES = 80_000
"""Values in a body: those of 5,000 cars. With more, only reading it would keep everybody else waiting."""


class PeakHour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The mean power that was imported in an hour (or a quarter) that began then."""

    starts_at_ms: Moment
    power_w: Annotated[float, Meta(ge=0.0, le=1e9)]


class PlanRequest(PlanAsked, frozen=True, kw_only=True):
    """What is to be planned. Prices are slot by slot from `starts_at_ms` on, or come from a `source` or the `tariff`.

    A `tariff` says what is added to prices and what else is to be paid; `source`, `fees_per_kwh` and `vat` beside it
    are the short form of one that says no more. Beyond what is known of prices, up to the last departure, the same hour
    of the last known day stands in, or else the mean of what is known. `load_w` is foreseen at the site, and counts
    against `site_limit_w`, the most that the site may import. `demand_price_per_kw` is paid once, on the highest mean
    import of a slot of `slot_minutes`, as far as it is above `peak_so_far_w`. `peak_hours_so_far` are the highest hours
    of the month, for a tariff that bills them. `plan_before` is the id of a plan that is followed now: it is kept where
    it serves as well, and costs at most `hysteresis` (0.01 is 1 %) more than a new one.
    """

    starts_at_ms: Moment
    source: Annotated[str, Meta(max_length=1_000)] | None = None
    fees_per_kwh: Price = 0.0
    vat: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    tariff: TariffTable | None = None
    peak_hours_so_far: Annotated[list[PeakHour], Meta(max_length=1_000)] = msgspec.field(default_factory=list)
    plan_before: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    hysteresis: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.01


@dataclass(frozen=True, slots=True)
class PricedPlan:
    """What is to be planned, with prices slot by slot from its start, and how peaks are billed, if they are.

    Of the prices, those of so many slots are known; what comes later stands in for what is not.
    """

    asked: PlanAsked
    prices_per_kwh: Sequence[float]
    known_slots: int
    peak: PeakTariff | None = None
    peaks_so_far: Sequence[Mean] = ()


def request_in(body: bytes) -> PlanRequest:
    """What a JSON text asks for. Raises UnreadableJson, or InvalidInput that names the field."""
    values = body.count(b",")
    if values > MOST_VALUES:
        raise InvalidInput("body", "holds too many values", found=values, allowed=f"<= {MOST_VALUES}")
    try:
        found = json_text.parse_plain(body)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise json_text.UnreadableJson(place, f"is not JSON: {error.msg}", allowed="JSON") from error
    if not isinstance(found, dict):
        raise InvalidInput("body", "is not allowed", found=strict.shown(found), allowed="a JSON object")
    request = strict.convert(found, PlanRequest)
    for name in {SITE, CAR} & request.circuits_w.keys():
        problem = "is a name by which hindrances tell of something else"
        raise InvalidInput(f"circuits_w.{name}", problem, allowed=f"any but {SITE} and {CAR}")
    _check_said_once(request)
    return request


def _check_said_once(request: PlanRequest) -> None:
    if (request.prices_per_kwh is not None) + (request.source is not None) + _prices_itself(request.tariff) != 1:
        allowed = "one of the two, or a tariff with source or time_of_use"
        raise InvalidInput("prices_per_kwh", "or a source has to be given, and not both", allowed=allowed)
    tariff = request.tariff
    if request.peak_hours_so_far and (tariff is None or tariff.peak is None):
        raise InvalidInput("peak_hours_so_far", "are for a tariff that bills peaks", allowed="tariff.peak beside it")
    if tariff is None:
        return
    twice = {
        "source": request.source,
        "fees_per_kwh": request.fees_per_kwh,
        "vat": request.vat,
        "demand_price_per_kw": tariff.peak and request.demand_price_per_kw,
        "peak_so_far_w": tariff.peak and request.peak_so_far_w,
        "export_prices_per_kwh": tariff.feed_in and request.export_prices_per_kwh,
        "co2_g_per_kwh": tariff.co2_source and request.co2_g_per_kwh,
    }
    for name, said in twice.items():
        if said:
            raise InvalidInput(name, "is said beside a tariff that says it too", allowed="the tariff's alone")
    if tariff.co2_source and not request.co2_price_per_kg:
        raise InvalidInput("co2_price_per_kg", "is missing beside tariff.co2_source", allowed="what a kg is to weigh")


def _prices_itself(tariff: TariffTable | None) -> bool:
    return tariff is not None and (tariff.source is not None or tariff.time_of_use is not None)


# --- prices ----------------------------------------------------------------------------------------------------------


def priced(request: PlanRequest, environment: Mapping[str, str]) -> PricedPlan:
    """What is asked, with what energy costs, as far as that is known. It waits for services.

    Raises what `PriceSource.prices` does.
    """
    table = request.tariff or TariffTable(source=request.source, fees_per_kwh=request.fees_per_kwh, vat=request.vat)
    given = request.prices_per_kwh
    if given is not None and table == TariffTable():
        return PricedPlan(request, given, len(given))
    around = Surroundings(environment, trusted=False)
    with strict.at("tariff" if request.tariff is not None else ""):
        zone = _market_zone(table)
        foretold = _Foretold(request, zone)
        market = asyncio.run(_asked_sources(table, request, zone, around, foretold))
    if not foretold.known:
        raise NotFound("price for the start of the plan from", table.source or "prices_per_kwh")
    prices = _ahead(market.paid.slots, request, zone)
    seen = [Mean(hour.starts_at_ms, hour.power_w) for hour in request.peak_hours_so_far]
    return PricedPlan(_with_series(request, market, zone), prices.means, foretold.known, market.peak, seen)


def _market_zone(table: TariffTable) -> tzinfo:
    """By whose clocks an hour is the same on another day: all services tell of days of Central Europe."""
    if table.source is not None and table.source.strip().partition("?")[0].partition(":")[0] != FILE:
        return zone_named(MARKET_ZONE)
    return zone_of(table) or UTC


async def _asked_sources(
    table: TariffTable, request: PlanRequest, zone: tzinfo, around: Surroundings, foretold: _Foretold
) -> MarketTariff:
    """What all of it costs from the morning of the first day on: by that, a later one is foreseen."""
    morning = day_start(utc(request.starts_at_ms).astimezone(zone).date(), zone)
    try:
        async with asyncio.timeout(PATIENCE_S):
            given = _given(request, table)
            return await market_tariff_of(table, given, morning, _ends_at(request), around, foretold)
    except TimeoutError as error:
        raise Unavailable(f"prices are not told within {PATIENCE_S:g} s") from error


def _given(request: PlanRequest, table: TariffTable) -> Prices | None:
    """The prices that are given slot by slot."""
    if request.prices_per_kwh is None:
        return None
    starts_at, slot_ms = request.starts_at_ms, _slot_ms(request)
    slots = (
        Slot(starts_at + i * slot_ms, starts_at + (i + 1) * slot_ms, price)
        for i, price in enumerate(request.prices_per_kwh)
    )
    return Prices(Slots(slots), table.currency or request.currency, table.prices_include_vat)


def _with_series(request: PlanRequest, market: MarketTariff, zone: tzinfo) -> PlanAsked:
    """What is asked, in the currency of its prices, with series for what the tariff says in words."""
    currency = market.paid.currency or request.currency
    if request.currency and currency != request.currency:
        raise InvalidInput("currency", "is not that of the prices", found=request.currency, allowed=currency)
    asked = msgspec.structs.replace(request, currency=currency)
    if market.earned is not None:
        earned = _ahead(market.earned.slots, request, zone)
        asked = msgspec.structs.replace(asked, export_prices_per_kwh=earned.means)
    if market.co2_g_per_kwh is not None:
        grams = _ahead(market.co2_g_per_kwh, request, zone)
        if not grams.known:
            raise NotFound("figure for the start of the plan from", "tariff.co2_source")
        asked = msgspec.structs.replace(asked, co2_g_per_kwh=grams.means)
    return asked


class _Foretold:
    """Market prices, with what stands in for those of a plan's last slots, where nobody knows them yet.

    Of the slots the first so many are `known`.
    """

    def __init__(self, request: PlanRequest, zone: tzinfo) -> None:
        self._request, self._zone, self.known = request, zone, 0

    def __call__(self, market: Prices) -> Prices:
        starts_at, slot_ms = self._request.starts_at_ms, _slot_ms(self._request)
        means, self.known = _ahead(market.slots, self._request, self._zone)
        known_until = market.known_until(starts_at)
        told = [slot for slot in market.slots if slot.starts_at < known_until]
        for number in range(self.known, len(means)):
            begins_at, ends_at = max(starts_at + number * slot_ms, known_until), starts_at + (number + 1) * slot_ms
            told.append(Slot(begins_at, ends_at, means[number]))
        return replace(market, slots=Slots(told)) if self.known else market


class _Ahead(NamedTuple):
    """A figure in each slot of a plan, of which the first so many are known to their ends."""

    means: list[float]
    known: int


def _ahead(told: Slots, asked: PlanRequest, zone: tzinfo) -> _Ahead:
    """A figure in each slot until the last departure, and as far as it is known."""
    starts_at, slot_ms = asked.starts_at_ms, _slot_ms(asked)
    known_until = told.known_until(starts_at)
    known = max(0, (min(known_until, _ends_at(asked) + slot_ms - 1) - starts_at) // slot_ms)
    departs_at = max((car.departs_at_ms for car in asked.cars), default=starts_at)
    count = max(known, ceil((min(departs_at, starts_at + FURTHEST_MS) - starts_at) / slot_ms))
    if not known:
        return _Ahead([], 0)
    edges = starts_at + slot_ms * np.arange(count + 1, dtype=np.int64)
    return _Ahead(foreseen(told.series(), edges, known_until, lambda at: day_before(at, zone)).tolist(), known)


def _ends_at(asked: PlanRequest) -> Instant:
    """Until when prices are wanted: to the end of the last departure's slot, or without cars as far as is usual."""
    given_ms = len(asked.prices_per_kwh or [0.0]) * _slot_ms(asked)
    last = max((car.departs_at_ms for car in asked.cars), default=asked.starts_at_ms + WITHOUT_CARS_MS)
    span_ms = max(min(last - asked.starts_at_ms, FURTHEST_MS), given_ms)
    return asked.starts_at_ms + ceil(span_ms / _slot_ms(asked)) * _slot_ms(asked)


def _slot_ms(asked: PlanAsked) -> DurationMs:
    return asked.slot_minutes * MS_PER_MINUTE
