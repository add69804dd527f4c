"""From a tariff in words (`tariff_tables.py`) to what a kWh costs, as far as that is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from pathlib import Path

from voltbench.adapters import strict
from voltbench.adapters.prices.choose import co2_source, price_source
from voltbench.adapters.prices.tariff_tables import (
    FeedInTable,
    PeakTable,
    TariffTable,
    TimeOfUseTable,
    WindowTable,
)
from voltbench.adapters.prices.zones import zone_named
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_MINUTE, Instant
from voltbench.site.calendar import (
    EVERY_DAY,
    MINUTES_PER_DAY,
    WEEKEND,
    WHOLE_YEAR,
    WORKING_DAYS,
    Calendar,
    MonthDay,
    Window,
)
from voltbench.site.peaks import PeakTariff, Weight
from voltbench.site.prices import Charges, FeedIn, Prices, Rate, TimeOfUse
from voltbench.site.slots import Slots
from voltbench.site.tariff import MarketTariff, market_tariff

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAYS = {"every_day": EVERY_DAY, "working_days": WORKING_DAYS, "weekend": WEEKEND}
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_MONTH_DAY = re.compile(r"(\d\d)-(\d\d)")
_LEAP_YEAR = 2024


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Who asks for a tariff: tokens from the `environment`, files from a `folder`, clocks where no `zone` is said.

    Without `trusted`, for words that come from outside, no file is read and no address asked but the usual ones.
    """

    environment: Mapping[str, str]
    trusted: bool = True
    folder: Path = field(default_factory=Path)
    zone: tzinfo | None = None


async def market_tariff_of(
    table: TariffTable,
    given: Prices | None,
    starts_at: Instant,
    ends_at: Instant,
    around: Surroundings,
    foretold: Callable[[Prices], Prices] | None = None,
) -> MarketTariff:
    """What energy costs between two instants, as far as it is known; `given` are prices that the table lacks.

    `foretold` adds to market prices what stands in for those that nobody knows yet; fees come on top of these, too.
    Raises what `PriceSource.prices` does, and InvalidInput that names the field in the table.
    """
    calendar = _calendar(table, around)
    market = await _market(table, given, calendar, starts_at, ends_at, around)
    if foretold is not None:
        market = foretold(market)
    span = market.slots.starts_at, market.slots.ends_at
    fees = [table.fees_per_kwh]
    grid_fee = [] if table.grid_fee is None else [_time_of_use(table.grid_fee, calendar, "grid_fee").slots(*span)]
    charges = Charges([*fees, *(slots.series() for slots in grid_fee)], table.vat, table.markup)
    feed_in = None if table.feed_in is None else _feed_in(table.feed_in)
    peak = None if table.peak is None else _peak(table.peak, calendar)
    co2 = await _co2(table, starts_at, ends_at, around)
    with strict.at("feed_in"):
        return market_tariff(market, charges, feed_in, co2, peak)


async def _market(
    table: TariffTable,
    given: Prices | None,
    calendar: Calendar | None,
    starts_at: Instant,
    ends_at: Instant,
    around: Surroundings,
) -> Prices:
    """The prices before anything is added."""
    ways = {"prices": given, "source": table.source, "time_of_use": table.time_of_use}
    said = [name for name, way in ways.items() if way is not None]
    if len(said) != 1:
        allowed = "one of: prices that are given, source, time_of_use"
        raise InvalidInput("source", "or another way to say prices is needed, one alone", found=said, allowed=allowed)
    if given is not None:
        return given
    if table.time_of_use is not None:
        slots = _time_of_use(table.time_of_use, calendar, "time_of_use").slots(starts_at, ends_at)
        return Prices(slots, table.currency or "", table.prices_include_vat)
    assert table.source is not None
    with _within_text("source"):
        source = price_source(
            table.source, around.environment, trusted=around.trusted, folder=around.folder, zone=_zone(table, around)
        )
    prices = await source.prices(starts_at, ends_at)
    _check_source_alone(table, prices)
    return prices


def _check_source_alone(table: TariffTable, prices: Prices) -> None:
    """A source says currency and VAT itself; whatever else is said of them must not be something else."""
    if table.currency is not None and table.currency != prices.currency:
        problem = "is not that of the source's prices"
        raise InvalidInput("currency", problem, found=table.currency, allowed=prices.currency)
    if table.prices_include_vat and not prices.vat_included:
        raise InvalidInput("prices_include_vat", "is not so", found=True, allowed="false: the source's are without VAT")


async def _co2(table: TariffTable, starts_at: Instant, ends_at: Instant, around: Surroundings) -> Slots | None:
    if table.co2_source is None:
        return None
    with _within_text("co2_source"):
        source = co2_source(table.co2_source, around.environment, trusted=around.trusted)
    return await source.co2_g_per_kwh(starts_at, ends_at)


@contextmanager
def _within_text(name: str) -> Iterator[None]:
    """What is wrong with a text that names a source is told as a part of the field that holds it."""
    try:
        yield
    except InvalidInput as error:
        place = name if error.field == "source" else f"{name}.{error.field}"
        raise InvalidInput(place, error.problem, found=error.found, allowed=error.allowed) from error


# --- local time ------------------------------------------------------------------------------------------------------


def zone_of(table: TariffTable) -> tzinfo | None:
    """The zone whose clocks a tariff goes by, if it says one."""
    try:
        return None if table.zone is None else zone_named(table.zone)
    except InvalidInput as error:
        hint = str(error.allowed or "")
        known = f": {hint}" if "/" in hint and "..." not in hint else ""  # not the first ten of the world
        allowed = f"an IANA zone such as Europe/Stockholm{known}"
        raise InvalidInput("zone", error.problem, found=error.found, allowed=allowed) from error


def _zone(table: TariffTable, around: Surroundings) -> tzinfo | None:
    return around.zone if table.zone is None else zone_of(table)


def _calendar(table: TariffTable, around: Surroundings) -> Calendar | None:
    """The clocks of the tariff; None where nobody says which."""
    zone = _zone(table, around)
    days = frozenset(_holiday(found, f"holidays[{i}]") for i, found in enumerate(table.holidays))
    return None if zone is None else Calendar(zone, days)


def _needed(calendar: Calendar | None) -> Calendar:
    if calendar is None:
        raise InvalidInput("zone", "is missing, which windows and peaks need", allowed="such as Europe/Stockholm")
    return calendar


def _holiday(found: object, place: str) -> date:
    """A date, from TOML or as a text."""
    if isinstance(found, date) and not isinstance(found, datetime):
        return found
    try:
        return date.fromisoformat(str(found))
    except ValueError as error:
        raise InvalidInput(place, "is no date", found=strict.shown(found), allowed="such as 2026-12-25") from error


def _window(table: WindowTable, place: str) -> Window:
    with strict.at(place):
        weekdays = table.weekdays
        return Window(
            _minute(table.begins, "from"),
            _minute(table.until, "until"),
            _WEEKDAYS[weekdays] if isinstance(weekdays, str) else frozenset(map(_DAYS.index, weekdays)),
            WHOLE_YEAR if table.season is None else (_month_day(table.season[0], 0), _month_day(table.season[1], 1)),
        )


def _minute(text: str, name: str) -> int:
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None and text != "24:00":
        raise InvalidInput(name, "is no time of day", found=strict.shown(text), allowed="00:00 to 24:00")
    return int(match[1]) * 60 + int(match[2]) if match else MINUTES_PER_DAY


def _month_day(text: str, i: int) -> MonthDay:
    match = _MONTH_DAY.fullmatch(text)
    try:
        day = date(_LEAP_YEAR, int(match[1]), int(match[2])) if match else None
    except ValueError:
        day = None
    if day is None:
        raise InvalidInput(f"season[{i}]", "is no day of a year", found=strict.shown(text), allowed="such as 11-01")
    return day.month, day.day


# --- the parts of a tariff -------------------------------------------------------------------------------------------


def _time_of_use(table: TimeOfUseTable, calendar: Calendar | None, place: str) -> TimeOfUse:
    rates = (Rate(_window(rate, f"{place}.rates[{i}]"), rate.price_per_kwh) for i, rate in enumerate(table.rates))
    return TimeOfUse(_needed(calendar), table.price_per_kwh, tuple(rates))


def _feed_in(table: FeedInTable) -> FeedIn:
    return FeedIn(table.per_kwh, table.market_share, table.least_per_kwh)


def _peak(table: PeakTable, calendar: Calendar | None) -> PeakTariff:
    weights = (Weight(_window(each, f"peak.weights[{i}]"), each.weight) for i, each in enumerate(table.weights))
    return PeakTariff(
        _needed(calendar),
        table.price_per_kw,
        table.count,
        table.different_days,
        tuple(weights),
        table.otherwise,
        table.interval_min * MS_PER_MINUTE,
    )
