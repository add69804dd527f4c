"""What a kWh costs: market prices, what is added to them, prices by the time of day, and the price of feeding in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from voltbench.errors import InvalidInput
from voltbench.quantities import Instant
from voltbench.site.calendar import Calendar, Window, changes_between
from voltbench.site.series import StepSeries, as_series
from voltbench.site.slots import Slot, Slots


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices per kWh in a currency, as far as they are known; `vat_included` says whether value added tax is in them.

    Day-ahead prices come in slots of an hour or a quarter, 23 to 25 or 92 to 100 a day. They may be negative.
    """

    slots: Slots
    currency: str = "EUR"
    vat_included: bool = False

    def known_until(self, now: Instant) -> Instant:
        """Until when prices are known without a gap from now on; now itself where none is."""
        return self.slots.known_until(now)

    def series(self) -> StepSeries:
        """The prices as a series. After `known_until` it only repeats what was known last."""
        return self.slots.series()


class PriceSource(Protocol):
    """Somebody who knows prices: a file, an exchange, a supplier."""

    async def prices(self, starts_at: Instant, ends_at: Instant) -> Prices:
        """What is known of the prices between two instants, in whole slots.

        It is less than was asked for where prices are not published yet; `known_until` says how far it goes. Raises
        NotFound where nothing is known, Unavailable what may be better later, InvalidInput what will not: a refused
        token, an unknown area, an answer that makes no sense.
        """


class Co2Source(Protocol):
    """Somebody who knows, or foretells, what energy from the grid emits."""

    async def co2_g_per_kwh(self, starts_at: Instant, ends_at: Instant) -> Slots:
        """What is known of the carbon intensity between two instants, as `PriceSource.prices` is."""


# --- what is added ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Charges:
    """What is paid on top of the market price: `all_in` says in which order.

    `markup` is a share of the market price that the supplier adds (0.02 is 2 %). `fees_per_kwh` are amounts per kWh
    without VAT, each constant or changing by the hour: supplier's fee, grid fee, excise duty. `vat` is 0.25 for 25 %.
    """

    fees_per_kwh: Sequence[StepSeries | float] = ()
    vat: float = 0.0
    markup: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.vat <= 1.0:
            raise InvalidInput("vat", "is out of range", found=self.vat, allowed="0 to 1")
        if not -1.0 <= self.markup <= 10.0:
            raise InvalidInput("markup", "is out of range", found=self.markup, allowed="-1 to 10")


NO_CHARGES = Charges()


def all_in(prices: Prices, charges: Charges = NO_CHARGES) -> Prices:
    """What a kWh from the grid costs in the end: ((market price x (1 + markup)) + fees) x (1 + VAT).

    VAT is due on taxes, duties and fees too (Directive 2006/112/EC, article 78), so it comes last; to prices that
    include it already it is not added again. It is known for as long as the market price is.
    """
    fees = [as_series(fee) for fee in charges.fees_per_kwh]
    on_market = (1.0 + charges.markup) * (1.0 if prices.vat_included else 1.0 + charges.vat)

    def price(slot: Slot) -> float:
        return slot.per_kwh * on_market + sum(fee.at(slot.starts_at) for fee in fees) * (1.0 + charges.vat)

    return Prices(prices.slots.cut_at_changes(fees).mapped(price), prices.currency, vat_included=True)


# --- what is paid for ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FeedIn:
    """What is paid for energy that flows into the grid: a share of the market price plus an amount per kWh.

    A fixed price has `market_share` 0. A fee for selling is a negative `per_kwh`. `least_per_kwh` is what it does not
    fall below, as where negative market prices are not passed on.
    """

    per_kwh: float = 0.0
    market_share: float = 0.0
    least_per_kwh: float | None = None


def feed_in_price(prices: Prices, feed_in: FeedIn) -> Prices:
    """What a kWh into the grid earns, for as long as the market price is known. Negative: it costs."""
    if prices.vat_included and feed_in.market_share:
        problem = "is of prices that include VAT, which is not paid for what a household feeds in"
        allowed = "0, or market prices without VAT"
        raise InvalidInput("market_share", problem, found=feed_in.market_share, allowed=allowed)

    def price(slot: Slot) -> float:
        earned = slot.per_kwh * feed_in.market_share + feed_in.per_kwh
        return earned if feed_in.least_per_kwh is None else max(earned, feed_in.least_per_kwh)

    return Prices(prices.slots.mapped(price), prices.currency, prices.vat_included)


# --- by the time of day ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rate:
    """A price per kWh that holds in a window of local time."""

    window: Window
    price_per_kwh: float


@dataclass(frozen=True, slots=True)
class TimeOfUse:
    """Prices by local time: that of the first rate whose window holds, else `price_per_kwh`.

    So a weekend rate that stands first beats a night rate that stands second. It serves for supply and for grid fees.
    """

    calendar: Calendar
    price_per_kwh: float
    rates: tuple[Rate, ...] = field(default=())

    def at(self, now: Instant) -> float:
        """The price at an instant."""
        for rate in self.rates:
            if rate.window.holds(now, self.calendar):
                return rate.price_per_kwh
        return self.price_per_kwh

    def slots(self, starts_at: Instant, ends_at: Instant) -> Slots:
        """The prices between two instants, a slot for as long as one holds; hours that clocks skip are not there."""
        windows = [rate.window for rate in self.rates]
        starts = changes_between(windows, self.calendar, starts_at, ends_at)
        steps: list[tuple[Instant, float]] = []
        for start in starts:
            price = self.at(start)
            if not steps or steps[-1][1] != price:
                steps.append((start, price))
        ends = [start for start, _ in steps[1:]] + [ends_at]
        return Slots(Slot(start, end, price) for (start, price), end in zip(steps, ends, strict=True))
