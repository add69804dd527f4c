"""A home as JSON: its model in the words of `HomeModel`, and a tariff. What it leaves out is as in the course."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from voltbench.adapters import json_text, strict
from voltbench.adapters.prices.day_prices import DayTariffTable, day_prices
from voltbench.adapters.prices.tariffs import Surroundings
from voltbench.errors import InvalidInput
from voltbench.quantities import Instant
from voltbench.running.home.model import HomeModel

PRICES, CURRENCY, TARIFF = "price_ore_per_kwh", "currency", "tariff"
ORE = 100.0
"""In a krona: tariffs are in the currency itself, a home's prices in hundredths of it."""

DECIMALS = 6
"""Of prices in öre: beyond these they are rounding."""


class HomeTable(HomeModel, frozen=True, forbid_unknown_fields=True):
    """A home as it is asked for, in the words of its `model`: with prices, or a `tariff` that is made into them.

    What is left out is as in the course.
    """

    tariff: DayTariffTable | None = None

    def __post_init__(self) -> None:
        if self.tariff is None:  # else the prices are yet to come, and how long the day is with them
            HomeModel.__post_init__(self)


class BuiltHome(msgspec.Struct, frozen=True):
    """What a home is made of, and the tariff that its prices were made from, if they were."""

    model: HomeModel
    tariff: DayTariffTable | None = None


def model_of(table: Any) -> HomeModel:
    """The model that a parsed JSON object gives. Raises InvalidInput that names the field."""
    return strict.convert(_object(table), HomeModel)


def built(text: bytes | str, environment: Mapping[str, str], now: Instant) -> BuiltHome:
    """The home that a stranger's JSON text asks for; its tariff is made into prices, for which it waits for services.

    Raises what `day_prices` does, and UnreadableJson or InvalidInput (naming the field).
    """
    table = _object(json_text.parse(text))
    asked = strict.convert(table, HomeTable)
    if asked.tariff is None:
        return _of(table)
    if PRICES in table:
        raise InvalidInput(PRICES, "is said beside a tariff that says it too", allowed="one of the two")
    with strict.at(TARIFF):
        found = day_prices(asked.tariff, Surroundings(environment, trusted=False), now)
    currency = found.currency or asked.currency
    if CURRENCY in table and table[CURRENCY] != currency:
        raise InvalidInput(CURRENCY, "is not that of the tariff", found=asked.currency, allowed=currency)
    prices = [round(price * ORE, DECIMALS) for price in found.per_kwh]
    try:
        return BuiltHome(model_of(_without_tariff(table) | {PRICES: prices, CURRENCY: currency}), found.tariff)
    except InvalidInput as error:
        raise strict.under(TARIFF, error) if error.field.startswith(PRICES) else error from error


def kept(text: str) -> BuiltHome:
    """The home that was written by `text_of`: its prices are there. Raises as `model_of`."""
    return _of(_object(json_text.parse(text)))


def text_of(home: BuiltHome) -> str:
    """The JSON text of a home."""
    told = msgspec.to_builtins(home.model) | ({} if home.tariff is None else {TARIFF: home.tariff})
    return msgspec.json.encode(told).decode()


def _of(table: dict[str, Any]) -> BuiltHome:
    tariff = strict.convert(table[TARIFF], DayTariffTable, TARIFF) if table.get(TARIFF) is not None else None
    return BuiltHome(model_of(_without_tariff(table)), tariff)


def _without_tariff(table: dict[str, Any]) -> dict[str, Any]:
    return {name: found for name, found in table.items() if name != TARIFF}


def _object(table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise InvalidInput("home", "is no JSON object", found=strict.shown(table), allowed="an object; {} is allowed")
    return table
