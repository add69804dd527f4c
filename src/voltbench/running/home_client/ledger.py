"""What was charged when: energy by quarter hour, at the price that the quarter had."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from voltbench.quantities import MS_PER_HOUR, DurationMs
from voltbench.running.home_client.household import Household
from voltbench.running.home_client.wishes import Wishes
from voltbench.site.calendar import QUARTER_MS


class LivedQuarter(NamedTuple):
    """A quarter hour that was lived through; `drawn_wh` is what the charger drew in it."""

    quarter: int
    price_ore: float
    household_w: float
    drawn_wh: float
    soc: float

    @property
    def cost_ore(self) -> float:
        """What that costs."""
        return self.drawn_wh / 1e3 * self.price_ore

    @property
    def power_w(self) -> float:
        """The mean power that household and car drew together."""
        return self.household_w + self.drawn_wh * MS_PER_HOUR / QUARTER_MS


class Ledger:
    """The quarters that were lived through, each with its energy. A home that begins anew adds to the same ledger."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._entries: dict[int, LivedQuarter] = {}

    def add(self, household: Household, quarters: range, drawn_wh: float, is_on: bool, soc: float) -> None:
        """So much was drawn in these quarters, the last of which is the present one, each portion at once.

        Where there was too little for all of them, and nobody looked, the last had it if the charger is on now, else
        the first.
        """
        shares = dict.fromkeys(quarters, 0.0)
        self._fill(shares, [*reversed(quarters)] if is_on else [*quarters], drawn_wh)
        self._note(household, shares, soc)

    def add_steadily(
        self, household: Household, span: tuple[float, float], drawn_wh: float, was_on: bool, is_on: bool, soc: float
    ) -> None:
        """So much was drawn in this time of the home's clock, evenly.

        A charger that was on at one end of it only is taken to have had its full power up to there, or from there on.
        """
        begins_at, ends_at = span
        needed_ms = drawn_wh / self._wishes.power_w * MS_PER_HOUR
        if is_on and not was_on:
            begins_at = max(begins_at, ends_at - needed_ms)
        elif was_on and not is_on:
            ends_at = min(ends_at, begins_at + needed_ms)
        quarters = range(int(span[0] // QUARTER_MS), int(span[1] // QUARTER_MS) + 1)
        shares = {
            quarter: min(drawn_wh * part, self._room_wh(quarter))
            for quarter, part in zip(quarters, _parts(quarters, begins_at, ends_at), strict=True)
        }
        left_wh, before = drawn_wh - sum(shares.values()), self._entries.get(quarters[0] - 1)
        if before is not None and before.drawn_wh > 0.0:
            shares = {before.quarter: 0.0} | shares  # the home's clock was a little ahead of what we made of it
        self._fill(shares, [*shares], left_wh)
        self._note(household, shares, soc)

    def _fill(self, shares: dict[int, float], order: list[int], left_wh: float) -> None:
        """Add what is left to shares in this order, to each as much as it has room for; the last gets the rest."""
        for quarter in order:
            room_wh = max(0.0, self._room_wh(quarter) - shares[quarter])
            own_wh = left_wh if quarter == order[-1] else min(left_wh, room_wh)
            shares[quarter] += own_wh
            left_wh -= own_wh

    def _room_wh(self, quarter: int) -> float:
        """What the charger can yet have drawn in a quarter."""
        before = self._entries.get(quarter)
        return max(0.0, self._wishes.portion_wh - (0.0 if before is None else before.drawn_wh))

    def _note(self, household: Household, shares: dict[int, float], soc: float) -> None:
        for quarter, own_wh in shares.items():
            at, before = quarter * QUARTER_MS, self._entries.get(quarter)
            drawn_wh = own_wh + (0.0 if before is None else before.drawn_wh)
            self._entries[quarter] = LivedQuarter(quarter, household.price_at(at), household.load_at(at), drawn_wh, soc)

    @property
    def entries(self) -> list[LivedQuarter]:
        """All of them, in their order."""
        return [self._entries[quarter] for quarter in sorted(self._entries)]

    @property
    def drawn_wh(self) -> float:
        """All that the charger drew."""
        return sum(entry.drawn_wh for entry in self._entries.values())

    @property
    def cost_ore(self) -> float:
        """What it costs."""
        return sum(entry.cost_ore for entry in self._entries.values())

    def at_once_ore(self, household: Household, begins_at: DurationMs) -> float | None:
        """What as much would have cost at once from then on, as the fuse allows. None where that never does."""
        left_wh, cost, at = self.drawn_wh, 0.0, begins_at
        days = 2 + int(left_wh / self._wishes.portion_wh)
        while at < begins_at + days * household.day.length_ms:
            if left_wh <= 1e-6:
                return cost
            ends_at = at - at % QUARTER_MS + QUARTER_MS
            if self._wishes.keeps_fuse(household.load_at(at)):
                own_wh = min(left_wh, self._wishes.power_w * (ends_at - at) / MS_PER_HOUR)
                left_wh -= own_wh
                cost += own_wh / 1e3 * household.price_at(at)
            at = ends_at
        return None


def _parts(quarters: range, begins_at: float, ends_at: float) -> list[float]:
    """What part of a time lies in each of these quarters; an instant lies in the last."""
    if ends_at <= begins_at:
        return [float(quarter == quarters[-1]) for quarter in quarters]
    edges = [min(ends_at, max(begins_at, quarter * QUARTER_MS)) for quarter in (*quarters, quarters[-1] + 1)]
    return [(later - edge) / (ends_at - begins_at) for edge, later in pairwise(edges)]
