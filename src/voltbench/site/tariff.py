"""What energy costs, and what it emits, over time."""

from __future__ import annotations

from dataclasses import dataclass

from voltbench.site.peaks import PeakTariff
from voltbench.site.prices import NO_CHARGES, Charges, FeedIn, Prices, all_in, feed_in_price
from voltbench.site.series import StepSeries
from voltbench.site.slots import Slots


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices at the grid connection.

    `import_price_per_kwh` and `export_price_per_kwh` are in `currency`; `demand_price_per_kw` is charged once on the
    largest quarter-hour mean of a run, `peak` on the highest hours of each month; `co2_g_per_kwh` is the carbon
    intensity of imported energy.
    """

    currency: str = "EUR"
    import_price_per_kwh: StepSeries | None = None
    export_price_per_kwh: StepSeries | None = None
    demand_price_per_kw: float = 0.0
    co2_g_per_kwh: StepSeries | None = None
    peak: PeakTariff | None = None


@dataclass(frozen=True, slots=True)
class MarketTariff:
    """The tariff of somebody who buys at market prices, each part of it as far as it is known.

    `paid` is what a kWh costs in the end, `earned` what one brings that is fed in.
    """

    paid: Prices
    earned: Prices | None = None
    co2_g_per_kwh: Slots | None = None
    peak: PeakTariff | None = None

    def series(self) -> Tariff:
        """The same as series, which may be trusted for as long as each part is known."""
        return Tariff(
            currency=self.paid.currency,
            import_price_per_kwh=self.paid.series(),
            export_price_per_kwh=self.earned.series() if self.earned is not None else None,
            co2_g_per_kwh=self.co2_g_per_kwh.series() if self.co2_g_per_kwh is not None else None,
            peak=self.peak,
        )


def market_tariff(
    prices: Prices,
    charges: Charges = NO_CHARGES,
    feed_in: FeedIn | None = None,
    co2_g_per_kwh: Slots | None = None,
    peak: PeakTariff | None = None,
) -> MarketTariff:
    """What energy costs at market prices, with what is charged on top and paid for what is fed in."""
    earned = None if feed_in is None else feed_in_price(prices, feed_in)
    return MarketTariff(all_in(prices, charges), earned, co2_g_per_kwh, peak)
