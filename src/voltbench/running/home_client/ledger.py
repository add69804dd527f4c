"""What was charged when: energy by quarter hour, at the price that the quarter had."""

from __future__ import annotations

from typing import NamedTuple

from voltbench.running.home.day import QUARTER_MS
from voltbench.running.home_client.household import Household
from voltbench.running.home_client.wishes import Wishes


class Entry(NamedTuple):
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
        return self.household_w + self.drawn_wh * 3_600_000 / QUARTER_MS


class Ledger:
    """The quarters that were lived through, each with its energy. A home that begins anew adds to the same ledger."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._entries: dict[int, Entry] = {}

    def add(self, household: Household, quarters: range, drawn_wh: float, is_on: bool, soc: float) -> None:
        """So much was drawn in these quarters, the last of which is the present one.

        Where there was too little for all of them, and nobody looked, the last had it if the charger is on now, else
        the first.
        """
        left_wh = drawn_wh
        order = [*reversed(quarters)] if is_on else [*quarters]
        for quarter in order:
            own_wh = left_wh if quarter == order[-1] else min(left_wh, self._wishes.portion_wh)
            left_wh -= own_wh
            at = quarter * QUARTER_MS
            before_wh = self._entries[quarter].drawn_wh if quarter in self._entries else 0.0
            entry = Entry(quarter, household.price_at(at), household.load_at(at), before_wh + own_wh, soc)
            self._entries[quarter] = entry

    @property
    def entries(self) -> list[Entry]:
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

    def at_once_ore(self, household: Household, first: int) -> float | None:
        """What as much would have cost at once from this quarter on, as the fuse allows. None where that never does."""
        left_wh, cost = self.drawn_wh, 0.0
        days = 2 + int(left_wh / self._wishes.portion_wh)
        for quarter in range(first, first + days * household.day.quarters):
            if left_wh <= 1e-6:
                return cost
            at = quarter * QUARTER_MS
            if self._wishes.keeps_fuse(household.load_at(at)):
                own_wh = min(left_wh, self._wishes.portion_wh)
                left_wh -= own_wh
                cost += own_wh / 1e3 * household.price_at(at)
        return None
