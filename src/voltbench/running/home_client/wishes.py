"""What a client is to do: how it chooses the time, what it charges up to, and what it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR, POWER_TOLERANCE_W, DurationMs
from voltbench.running.home_client.household import LARGEST_WH
from voltbench.site.calendar import QUARTER_MS


class Mode(StrEnum):
    """How the time is chosen: below a price, in the cheapest hours before departure, or at once."""

    THRESHOLD = "threshold"
    PLAN = "plan"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a client is to do. What is not said is as in the course.

    The car charges in hours in which household and charger together keep `fuse_w`; with `household_only` in those in
    which the household alone stays below it, which was the course's own rule and lets the two together break it.
    `below_ore` (öre per kWh) is for the threshold. `departure_ms` is a time of day on the station's clock; without one,
    a plan may take a day. `capacity_wh` is learned from the station where it is not said; the battery gets
    `efficiency` of what the charger draws.
    """

    mode: Mode = Mode.PLAN
    until_soc: float = 0.8
    at_least: bool = False
    below_ore: float = 50.0
    fuse_w: float = 11_000.0
    household_only: bool = False
    departure_ms: DurationMs | None = None
    power_w: float = 7_400.0
    capacity_wh: float | None = None
    efficiency: float = 1.0

    def __post_init__(self) -> None:
        _within("until-soc", self.until_soc, 0.0, 1.0)
        _within("below", self.below_ore, -1e6, 1e6)
        _within("fuse-w", self.fuse_w, 0.0, 1e6)
        _within("power-w", self.power_w, 100.0, 1e6)
        _within("efficiency", self.efficiency, 0.5, 1.0)
        if self.capacity_wh is not None:
            _within("capacity-wh", self.capacity_wh, 100.0, LARGEST_WH)

    @property
    def portion_wh(self) -> float:
        """What the charger draws in a quarter hour."""
        return self.power_w * QUARTER_MS / MS_PER_HOUR

    def keeps_fuse(self, household_w: float) -> bool:
        """Whether the car may charge beside this."""
        if self.household_only:
            return household_w < self.fuse_w
        return household_w + self.power_w <= self.fuse_w + POWER_TOLERANCE_W


def _within(option: str, found: float, least: float, most: float) -> None:
    if not (isfinite(found) and least <= found <= most):
        raise InvalidInput(option, "is out of range", found=found, allowed=f"{least:,g} to {most:,g}")
