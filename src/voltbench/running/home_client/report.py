"""What came of a client's work at a home. Money is in öre, as the home tells it: hundredths of its currency."""

from __future__ import annotations

import msgspec

from voltbench.quantities import MS_PER_HOUR
from voltbench.running.home_client.client import ChargingClient, Ending
from voltbench.running.home_client.ledger import LivedQuarter
from voltbench.running.home_client.money import hundredth, in_words
from voltbench.running.home_client.watch import Crediting, Watch
from voltbench.running.home_client.wishes import Mode
from voltbench.site.calendar import QUARTER_MS


class Quarter(msgspec.Struct, frozen=True):
    """A quarter hour on the home's clock: what the household drew, what the charger, and the battery at its end."""

    clock: str
    price_ore_per_kwh: float
    household_w: float
    charged_wh: float
    cost_ore: float
    soc: float


class ChargeReport(msgspec.Struct, frozen=True):
    """What came of a client's work, to be written down.

    `ended` is why it ended; `left_off` whether the station confirmed that the charger is off. Energy is what the
    charger drew. What is in öre is in hundredths of `currency`. `at_once_ore` is what as much would have cost from the
    first moment on, but for the fuse; `saved_ore` is what is left of it. `peak_w` is household and car together while
    the car charged; `household_peak_w` the highest of the household alone. `shortfall_wh` is what the battery lacks of
    its target.
    """

    url: str
    currency: str
    mode: str
    target_soc: float
    fuse_w: float
    ended: str
    left_off: bool
    began: str
    until: str
    took_h: float
    soc_start: float
    soc_end: float
    energy_wh: float
    cost_ore: float
    average_ore_per_kwh: float | None
    at_once_ore: float | None
    saved_ore: float | None
    peak_w: float | None
    household_peak_w: float
    shortfall_wh: float
    lacking: str | None
    plans: int
    switches: int
    looks: int
    notes: list[str]
    quarters: list[Quarter]

    @property
    def price_unit(self) -> str:
        """What prices are in, in words."""
        return f"{hundredth(self.currency)}/kWh"

    def _money(self, ore: float) -> str:
        return in_words(ore, self.currency)

    def figures(self) -> dict[str, str]:
        """What is worth telling, in words."""
        mean = self.average_ore_per_kwh
        average = "" if mean is None else f", {mean:.2f} {self.price_unit} on average"
        saved = (
            "nothing was charged"
            if self.saved_ore is None or self.at_once_ore is None
            else f"{self._money(self.saved_ore)} against charging at once ({self._money(self.at_once_ore)})"
        )
        peak = "" if self.peak_w is None else f"{self.peak_w / 1e3:.2f} kW while charging; "
        off = "the charger is off" if self.left_off else "WHETHER THE CHARGER IS OFF IS NOT KNOWN"
        return {
            "ended": f"{self.ended}; {off}",
            "time": f"{self.began} to {self.until}, {self.took_h:g} h on the home's clock",
            "battery": f"{self.soc_start * 100:.2f} to {self.soc_end * 100:.2f} %, {self.target_soc * 100:g} % wanted",
            "energy": f"{self.energy_wh / 1e3:.2f} kWh",
            "cost": f"{self._money(self.cost_ore)}{average}",
            "saved": saved,
            "peak load": f"{peak}household alone {self.household_peak_w / 1e3:.2f} kW, fuse {self.fuse_w / 1e3:g} kW",
            "mode": f"{self.mode}; {self.plans} plans, {self.switches} switches, {self.looks} looks",
        } | ({} if self.lacking is None else {"lacking": self.lacking})


def report_on(client: ChargingClient, url: str, ended: str, left_off: bool) -> ChargeReport | None:
    """What came of it; None where the home never told of a moment."""
    watch = client.watch
    if watch is None or watch.info is None or not watch.ledger.entries:
        return None
    ledger, entries = watch.ledger, watch.ledger.entries
    began = entries[0].quarter
    at_once = _at_once_ore(client, watch)
    energy_wh = ledger.drawn_wh
    end_wh = watch.info.energy_wh
    return ChargeReport(
        url=url,
        currency=watch.household.currency,
        mode=client.wishes.mode.value,
        target_soc=client.wishes.until_soc,
        fuse_w=client.wishes.fuse_w,
        ended=ended,
        left_off=left_off,
        began=watch.household.clock(began * QUARTER_MS),
        until=client.clock(),
        took_h=(len(entries) - 1) * QUARTER_MS / MS_PER_HOUR,
        soc_start=round(watch.start_wh / client.capacity_wh, 4),
        soc_end=round(end_wh / client.capacity_wh, 4),
        energy_wh=round(energy_wh, 1),
        cost_ore=round(ledger.cost_ore, 2),
        average_ore_per_kwh=round(ledger.cost_ore / energy_wh * 1e3, 3) if energy_wh > 0.0 else None,
        at_once_ore=None if at_once is None else round(at_once, 2),
        saved_ore=None if at_once is None else round(at_once - ledger.cost_ore, 2),
        peak_w=_peak_w(watch, entries),
        household_peak_w=max(entry.household_w for entry in entries),
        shortfall_wh=0.0 if client.ended is Ending.REACHED else round(max(0.0, client.target_wh - end_wh), 1),
        lacking=client.lacking(),
        plans=client.plans,
        switches=client.switches,
        looks=client.looks,
        notes=client.notes,
        quarters=[_quarter(watch, entry) for entry in entries],
    )


def _at_once_ore(client: ChargingClient, watch: Watch) -> float | None:
    """What as much would have cost at once: from the next quarter hour on where energy comes as one begins, else now.

    Who charged at once knows what that costs.
    """
    ledger = watch.ledger
    if ledger.drawn_wh <= 0.0:
        return None
    if client.wishes.mode is Mode.NOW:
        return ledger.cost_ore
    in_portions = watch.crediting is Crediting.TICKS
    next_quarter = ledger.entries[0].quarter * QUARTER_MS + QUARTER_MS
    return ledger.at_once_ore(watch.household, next_quarter if in_portions else watch.began_at)


def _peak_w(watch: Watch, entries: list[LivedQuarter]) -> float | None:
    """The highest load while charging: what was told where energy comes steadily, else what its portions make of it."""
    charged = [entry.power_w for entry in entries if entry.drawn_wh > 0.0]
    if not charged:
        return None
    is_told = watch.crediting is Crediting.STEADY and watch.peak_told_w > 0.0
    return round(watch.peak_told_w if is_told else max(*charged, watch.peak_told_w), 1)


def _quarter(watch: Watch, entry: LivedQuarter) -> Quarter:
    return Quarter(
        watch.household.clock(entry.quarter * QUARTER_MS),
        entry.price_ore,
        entry.household_w,
        round(entry.drawn_wh, 1),
        round(entry.cost_ore, 3),
        round(entry.soc, 4),
    )
