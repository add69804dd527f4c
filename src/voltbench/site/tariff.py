"""What energy costs, and what it emits, over time."""

from __future__ import annotations

from dataclasses import dataclass

from voltbench.site.series import StepSeries


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices at the grid connection.

    `import_price_per_kwh` and `export_price_per_kwh` are in `currency`; `demand_price_per_kw` is charged once on the
    largest quarter-hour mean of a run; `co2_g_per_kwh` is the carbon intensity of imported energy.
    """

    currency: str = "EUR"
    import_price_per_kwh: StepSeries | None = None
    export_price_per_kwh: StepSeries | None = None
    demand_price_per_kw: float = 0.0
    co2_g_per_kwh: StepSeries | None = None
