"""When prices become known to who plans in a scenario: day by day, as markets publish them, or all at once."""

from __future__ import annotations

from datetime import timedelta, timezone, tzinfo

from voltbench.adapters import strict
from voltbench.adapters.prices.choose import FILE
from voltbench.adapters.prices.zones import zone_named
from voltbench.adapters.scenario_files.moments import LocalTime, time_of_day_ms
from voltbench.adapters.scenario_files.tables import ScenarioTariff
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_MINUTE
from voltbench.running.publication import Publication

ALWAYS = "always"
"""Who says so has all prices known from the start."""

USUALLY_AT, OF_OCTOPUS = "13:00", "17:00"
MARKET_ZONE = "Europe/Brussels"
"""The day of the European market, of which all services tell, is that of Central Europe, in Finland and Britain too.

Nord Pool and EPEX publish between 12:42 and 13:00; Octopus from 16:00 on by British clocks.
"""


def publication_of(table: ScenarioTariff, clock: LocalTime) -> Publication | None:
    """When prices become known that the table `tariff` describes; None where all are from the start.

    Raises InvalidInput.
    """
    said = table.published_at
    if said not in (None, ALWAYS) and table.time_of_use is not None:
        problem = "does not go with time_of_use, which is known always"
        raise InvalidInput("tariff.published_at", problem, found=strict.shown(said), allowed=ALWAYS)
    if said == ALWAYS or (said is None and not _goes_by_dates(table)):
        return None
    return Publication(
        _market_zone(table, clock), _minute(said or (OF_OCTOPUS if _kind(table) == "octopus" else USUALLY_AT))
    )


def _goes_by_dates(table: ScenarioTariff) -> bool:
    """Whether prices are those of certain days, and no rule that may be known for ever."""
    given = table.import_price_per_kwh
    return table.source is not None or (isinstance(given, dict) and given.get("daily") is None)


def _market_zone(table: ScenarioTariff, clock: LocalTime) -> tzinfo:
    if _kind(table) not in (None, FILE):
        return zone_named(MARKET_ZONE)
    if table.zone is not None:
        return zone_named(table.zone, "tariff.zone")
    return timezone(timedelta(milliseconds=clock.utc_offset_ms))


def _kind(table: ScenarioTariff) -> str | None:
    """Which kind of source tells the prices; None where they are given."""
    return None if table.source is None else table.source.strip().partition("?")[0].partition(":")[0]


def _minute(text: str) -> int:
    try:
        return time_of_day_ms(text, "tariff.published_at") // MS_PER_MINUTE
    except InvalidInput as error:
        allowed = f"{error.allowed}, or {ALWAYS}"
        raise InvalidInput("tariff.published_at", error.problem, found=error.found, allowed=allowed) from error
