"""The lights of a station: what a driver sees of each EVSE, and how it answers whoever shows an id token."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from voltbench.charging.status import Status
from voltbench.quantities import MS_PER_SECOND, Instant

BLINK_MS = MS_PER_SECOND // 2
"""How long one blink takes."""


class Colour(StrEnum):
    """The colour of a light. No standard says which means what; ours are the usual ones."""

    DARK = "dark"
    GREEN = "green"
    BLUE = "blue"
    YELLOW = "yellow"
    RED = "red"


COLOURS = {
    Status.AVAILABLE: Colour.GREEN,
    Status.PREPARING: Colour.YELLOW,
    Status.CHARGING: Colour.BLUE,
    Status.SUSPENDED_EVSE: Colour.BLUE,
    Status.SUSPENDED_EV: Colour.BLUE,
    Status.FINISHING: Colour.YELLOW,
    Status.RESERVED: Colour.YELLOW,
    Status.UNAVAILABLE: Colour.DARK,
    Status.FAULTED: Colour.RED,
}


@dataclass(frozen=True, slots=True)
class Light:
    """What is seen: a colour, how bright (0 to 1), and how often it will still blink."""

    colour: Colour
    intensity: float
    blinks: int = 0

    def __str__(self) -> str:
        if self.intensity == 0.0:
            return Colour.DARK
        blinks = f", blinks {self.blinks}x" if self.blinks else ""
        return f"{self.colour} {self.intensity:.0%}{blinks}"


class Lights:
    """The lights of a station. `repeat` is how often they blink to say something, which they do not where it is 0."""

    __slots__ = ("_blinking", "intensity", "repeat")

    def __init__(self) -> None:
        self.intensity = 1.0
        self.repeat = 0
        self._blinking: dict[int, tuple[Instant, Colour, int]] = {}

    def blink(self, now: Instant, evse: int, colour: Colour) -> None:
        """Blink from now on, instead of what was said before."""
        self._blinking[evse] = (now, colour, self.repeat)

    def shown(self, now: Instant, evse: int, status: Status) -> Light:
        """What an EVSE of this status shows now."""
        since, colour, times = self._blinking.get(evse, (now, Colour.DARK, 0))
        left = times - (now - since) // BLINK_MS
        if left > 0:
            return Light(colour, self.intensity, left)
        colour = COLOURS[status]
        return Light(colour, 0.0 if colour is Colour.DARK else self.intensity)
