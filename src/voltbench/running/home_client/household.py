"""What a home station tells: of its day once, and of the moment at every look."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from voltbench.errors import RemoteProtocolError
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, DurationMs
from voltbench.running.home.day import HOURLY, QUARTERS, Day
from voltbench.site.calendar import QUARTER_MS


@dataclass(frozen=True, slots=True)
class Info:
    """The moment: its clock, what household and car draw by its own account, and what is in the battery."""

    hour: int
    minute: int
    load_w: float
    energy_wh: float
    is_on: bool


class Household:
    """A day of the home: loads and prices of 24 hours, or of its quarter hours; instants count from its midnight.

    Raises RemoteProtocolError for what is no day.
    """

    def __init__(self, load_w: tuple[float, ...], price_ore: tuple[float, ...]) -> None:
        lengths = [len(slots) for slots in (price_ore, load_w) if len(slots) != HOURLY] or [96]
        if len(set(lengths)) > 1 or lengths[0] not in QUARTERS:
            raise RemoteProtocolError(f"the home told {len(load_w)} loads and {len(price_ore)} prices, which is no day")
        if not all(map(isfinite, (*load_w, *price_ore))):
            raise RemoteProtocolError("the home told a load or a price that is no number")
        self.load_w = load_w
        self.price_ore = price_ore
        self.day = Day(lengths[0])

    def load_at(self, at: DurationMs) -> float:
        """What the household draws, without the car."""
        return self.day.at(self.load_w, at)

    def price_at(self, at: DurationMs) -> float:
        """What a kWh costs, in öre."""
        return self.day.at(self.price_ore, at)

    def clock(self, at: DurationMs) -> str:
        """What its clock shows, to the minute, and from the second day on which day it is."""
        number, minute = at // self.day.length_ms, at % MS_PER_HOUR // MS_PER_MINUTE
        later = f" (day {number + 1})" if number else ""
        return f"{self.day.hour(at):02}:{minute:02}{later}"

    def departure_after(self, at: DurationMs, clock_ms: DurationMs | None) -> DurationMs:
        """When the clock next shows this time of day, to the quarter hour below; without one, in a day."""
        first = at - at % QUARTER_MS + QUARTER_MS
        if clock_ms is not None:
            shown = (clock_ms // MS_PER_HOUR, clock_ms % MS_PER_HOUR // QUARTER_MS * 15)
            for found in range(first, first + self.day.length_ms, QUARTER_MS):
                if (self.day.hour(found), self.day.minute(found)) == shown:
                    return found
        return first + self.day.length_ms

    def is_same(self, other: Household) -> bool:
        """Whether nothing is different."""
        return (self.load_w, self.price_ore) == (other.load_w, other.price_ore)
