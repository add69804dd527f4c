"""What a home station tells: of its day once, and of the moment at every look."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from voltbench.errors import RemoteProtocolError
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, DurationMs
from voltbench.running.home.day import HOURLY, QUARTERS, QUARTERS_PER_HOUR, Day
from voltbench.running.home_client.money import SEK
from voltbench.site.calendar import QUARTER_MS

HIGHEST_SOC = 1.2
"""A battery may hold more than it is said to, as the course's does (111.9 %), but no more than this."""

LARGEST_WH = 1e7
"""No car's battery is so large."""


@dataclass(frozen=True, slots=True)
class Info:
    """The moment: its clock, what household and car draw by its own account, and what is in the battery."""

    hour: int
    minute: int
    load_w: float
    energy_wh: float
    is_on: bool


DAYS = {quarters // QUARTERS_PER_HOUR: quarters for quarters in QUARTERS} | {
    quarters: quarters for quarters in QUARTERS
}
"""How many quarter hours a day has for which so many loads or prices are told: hours, or quarter hours."""


class Household:
    """A day of the home: loads and prices of its hours, or of its quarter hours.

    Prices are in öre per kWh, or whatever the hundredth part of its `currency` is.
    24 of them are of any day, by the hour that its clock shows. The first day begins at instant 0; each is like the one
    before, unless it is told to `begin` another one. Raises RemoteProtocolError for what is no day.
    """

    def __init__(self, load_w: tuple[float, ...], price_ore: tuple[float, ...], currency: str = SEK) -> None:
        lengths = {DAYS.get(len(slots), 0) for slots in (price_ore, load_w) if len(slots) != HOURLY} or {DAYS[HOURLY]}
        if len(lengths) > 1 or 0 in lengths:
            raise RemoteProtocolError(f"the home told {len(load_w)} loads and {len(price_ore)} prices, which is no day")
        if not all(map(isfinite, (*load_w, *price_ore))):
            raise RemoteProtocolError("the home told a load or a price that is no number")
        self.load_w = load_w
        self.price_ore = price_ore
        self.currency = currency
        self.day = Day(lengths.pop())
        self.begins_at: DurationMs = 0
        self._days_before = 0
        self._before: Household | None = None

    def begin(self, at: DurationMs, days_before: int, before: Household) -> None:
        """Days are like this one from then on, a midnight after so many days, and were like another one until then."""
        self.begins_at, self._days_before, self._before = at, days_before, before

    def load_at(self, at: DurationMs) -> float:
        """What the household draws, without the car."""
        then = self._at(at)
        return then.day.at(then.load_w, at - then.begins_at)

    def price_at(self, at: DurationMs) -> float:
        """What a kWh costs, in öre."""
        then = self._at(at)
        return then.day.at(then.price_ore, at - then.begins_at)

    def _at(self, at: DurationMs) -> Household:
        return self if self._before is None or at >= self.begins_at else self._before._at(at)

    def load_changes_at(self, at: DurationMs) -> DurationMs:
        """When the hour ends, or the quarter hour where loads are told of these."""
        slot_ms = QUARTER_MS if len(self.load_w) in QUARTERS else MS_PER_HOUR
        return at - (at - self.begins_at) % slot_ms + slot_ms

    def clock(self, at: DurationMs) -> str:
        """What its clock shows, to the minute, and from the second day on which day it is."""
        number, elapsed_ms = self.days_before(at), at - self._at(at).begins_at
        later = f" (day {number + 1})" if number else ""
        return f"{self.shown(at)[0]:02}:{elapsed_ms % MS_PER_HOUR // MS_PER_MINUTE:02}{later}"

    def shown(self, at: DurationMs) -> tuple[int, int]:
        """Hour and quarter hour, in minutes, that its clock shows."""
        then = self._at(at)
        return then.day.shown(at - then.begins_at)

    def days_before(self, at: DurationMs) -> int:
        """How many days were before."""
        then = self._at(at)
        return then._days_before + (at - then.begins_at) // then.day.length_ms

    def departure_after(self, at: DurationMs, clock_ms: DurationMs | None) -> DurationMs:
        """When the clock next shows this time of day, to the quarter hour below; without one, in a day.

        A time that clocks jump over is the first one after it.
        """
        first = at - at % QUARTER_MS + QUARTER_MS
        if clock_ms is not None:
            wanted = (clock_ms // MS_PER_HOUR, clock_ms % MS_PER_HOUR // QUARTER_MS * 15)
            for found in range(first, first + self.day.length_ms, QUARTER_MS):
                if self.shown(found) == wanted or self.shown(found - QUARTER_MS) < wanted < self.shown(found):
                    return found
        return first + self.day.length_ms

    def is_same(self, other: Household) -> bool:
        """Whether nothing is different."""
        return (self.load_w, self.price_ore, self.currency) == (other.load_w, other.price_ore, other.currency)
