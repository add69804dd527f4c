"""A tariff in the words of whoever describes it: `[tariff]` in a scenario, `tariff` in what a plan is asked for.

source = "elprisetjustnu:SE3"           # or prices that are given, or time_of_use
zone = "Europe/Stockholm"               # whose clocks windows and months go by
markup = 0.02                           # ((price x (1 + markup)) + fees) x (1 + vat)
fees_per_kwh = 0.499
vat = 0.25
grid_fee = { price_per_kwh = 0.25, rates = [{ from = "06:00", until = "22:00", price_per_kwh = 0.76 }] }
feed_in = { per_kwh = 0.05, market_share = 1 }
peak = { price_per_kw = 81.25, weights = [{ from = "22:00", until = "06:00", weight = 0.5 }] }
co2_source = "energy-charts:se"
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

Price: TypeAlias = Annotated[float, Meta(ge=-1e6, le=1e6)]
Source: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1_000)]
Weekday: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

MOST_WINDOWS = 50


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class WindowTable(_Table, frozen=True, kw_only=True):
    """A part of local time, `from` a time of day `until` another, which may be 24:00 or on the next day."""

    begins: str = msgspec.field(default="00:00", name="from")
    until: str = "24:00"
    weekdays: Literal["every_day", "working_days", "weekend"] | list[Weekday] = "every_day"
    season: Annotated[list[str], Meta(min_length=2, max_length=2)] | None = None


class RateTable(WindowTable, frozen=True, kw_only=True):
    """A price that holds in a window of local time, `from` a time of day `until` another, which may be on the next day.

    A season is its first and its last day, as `["11-01", "03-31"]`. Weekday, date and time are those of the moment
    itself; holidays are Sundays.
    """

    price_per_kwh: Price


class TimeOfUseTable(_Table, frozen=True, kw_only=True):
    """Prices by local time: that of the first of the `rates` whose window holds, else `price_per_kwh`."""

    price_per_kwh: Price
    rates: Annotated[list[RateTable], Meta(max_length=MOST_WINDOWS)] = []


class FeedInTable(_Table, frozen=True, kw_only=True):
    """What is paid for energy into the grid: a share of the market price, and an amount (a fee, where below zero).

    It does not fall below `least_per_kwh`.
    """

    per_kwh: Price = 0.0
    market_share: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.0
    least_per_kwh: Price | None = None


class WeightTable(WindowTable, frozen=True, kw_only=True):
    """How much of an hour's power counts in a window of local time (as of a rate): 0.5 at night, 0 at weekends."""

    weight: Annotated[float, Meta(ge=0.0, le=10.0)]


class PeakTable(_Table, frozen=True, kw_only=True):
    """What the mean of the `count` highest hours of a local month costs, at most one of each day if `different_days`.

    How much of an hour counts is told by the first of the `weights` whose window holds, else by `otherwise`.
    """

    price_per_kw: Annotated[float, Meta(ge=0.0, le=1e6)]
    count: Annotated[int, Meta(ge=1, le=100)] = 3
    different_days: bool = True
    interval_min: Literal[15, 30, 60] = 60
    weights: Annotated[list[WeightTable], Meta(max_length=MOST_WINDOWS)] = []
    otherwise: Annotated[float, Meta(ge=0.0, le=10.0)] = 1.0


class TariffTable(_Table, frozen=True, kw_only=True):
    """What energy costs: prices of a `source`, by `time_of_use` or given beside it, and what is paid on top.

    A kWh costs ((price x (1 + `markup`)) + fees) x (1 + `vat`); fees are `fees_per_kwh` and the `grid_fee`, without
    VAT. To prices that include VAT (a source says so itself) it is not added again. `zone` is needed for windows and
    peaks. `holidays` are dates that count as Sundays.
    """

    source: Source | None = None
    time_of_use: TimeOfUseTable | None = None
    prices_include_vat: bool = False
    currency: Annotated[str, Meta(min_length=1, max_length=20)] | None = None
    zone: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    holidays: Annotated[list[Any], Meta(max_length=1_000)] = []
    markup: Annotated[float, Meta(ge=-1.0, le=10.0)] = 0.0
    fees_per_kwh: Price = 0.0
    grid_fee: TimeOfUseTable | None = None
    vat: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    feed_in: FeedInTable | None = None
    peak: PeakTable | None = None
    co2_source: Source | None = None

    @property
    def adds_to_prices(self) -> bool:
        """Whether what is paid is more than the prices that are given."""
        return bool(self.markup or self.fees_per_kwh or self.vat or self.grid_fee is not None)
