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


def market_tariff(
    prices: Prices,
    charges: Charges = NO_CHARGES,
    feed_in: FeedIn | None = None,
    co2_g_per_kwh: Slots | None = None,
    peak: PeakTariff | None = None,
) -> Tariff:
    """The tariff of somebody who buys at market prices; it may be trusted until `prices.known_until`."""
    return Tariff(
        currency=prices.currency,
        import_price_per_kwh=all_in(prices, charges).series(),
        export_price_per_kwh=feed_in_price(prices, feed_in).series() if feed_in is not None else None,
        co2_g_per_kwh=co2_g_per_kwh.series() if co2_g_per_kwh is not None else None,
        peak=peak,
    )
