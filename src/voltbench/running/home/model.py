"""What a home is made of. Nothing chosen, it is that of the course "Battery Management Services" in Skövde."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from voltbench.errors import InvalidInput
from voltbench.quantities import MINIMUM_AC_CURRENT_A, NOMINAL_VOLTAGE_V
from voltbench.running.home.day import HOURLY, HOURS, QUARTERS, QUARTERS_PER_HOUR

LEAST_POWER_W = MINIMUM_AC_CURRENT_A * NOMINAL_VOLTAGE_V
"""What a charger gives at least: with less no car charges."""

COURSE_SPEED = 900.0
"""An hour of the course takes four seconds."""

COURSE_LOAD_W = (
    880, 770, 2200, 1980, 2750, 3850, 4510, 3740, 3850, 4400, 4730, 6160,
    4620, 3740, 3520, 3630, 5830, 11000, 8910, 6050, 4290, 2640, 1870, 990,
)  # fmt: skip
"""What the household draws in each hour of the course's day."""

COURSE_PRICES = (
    85.28, 70.86, 68.01, 67.95, 68.01, 85.04, 87.86, 100.26, 118.45, 116.61, 105.93, 91.95,
    90.51, 90.34, 90.8, 88.85, 90.39, 99.03, 87.11, 82.9, 80.45, 76.48, 32.0, 34.29,
)  # fmt: skip
"""What a kWh costs in each hour of the course's day, in öre, taxes included."""

COURSE_CURRENCY = "SEK"

Soc = Annotated[float, Meta(ge=0, le=1)]
Load = Annotated[float, Meta(ge=0, le=1e6)]
Price = Annotated[float, Meta(ge=-1e6, le=1e6)]
Currency = Annotated[str, Meta(min_length=1, max_length=20)]


class HomeModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A household and a car at its charger. What is left out is as in the course.

    `price_ore_per_kwh` (in öre, or whatever the hundredth part of the `currency` is) holds 24 values, one an hour, or
    96, one a quarter hour; with 23 or 92, 25 or 100 of them every day is one on which the clocks are changed. `load_w`
    holds 24, or as many as the day has quarter hours. `quarter_hours` tells prices of hours by the quarter hour.
    `fuse_w` is kept by the charger, which gives the car what the household leaves; null (as in the course) lets nobody
    keep it. The car stops at `cap_soc`, or null: when it is full. `speed` is virtual seconds per second.
    """

    capacity_wh: Annotated[float, Meta(ge=1_000, le=1e6)] = 46_300.0
    start_soc: Soc = 0.2
    cap_soc: Soc | None = None
    power_w: Annotated[float, Meta(ge=LEAST_POWER_W, le=44_000)] = 7_400.0
    efficiency: Annotated[float, Meta(ge=0.5, le=1)] = 1.0
    fuse_w: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    load_w: tuple[Load, ...] = COURSE_LOAD_W
    price_ore_per_kwh: tuple[Price, ...] = COURSE_PRICES
    currency: Currency = COURSE_CURRENCY
    quarter_hours: bool = False
    speed: Annotated[float, Meta(gt=0, le=100_000)] = COURSE_SPEED

    def __post_init__(self) -> None:
        if len(self.price_ore_per_kwh) not in (*HOURS, *QUARTERS):
            allowed = "23, 24, 25, 92, 96 or 100 prices"
            raise InvalidInput("price_ore_per_kwh", "is no day", found=len(self.price_ore_per_kwh), allowed=allowed)
        if len(self.load_w) not in (HOURLY, self.quarters):
            allowed = f"24 loads, or {self.quarters} as the day has quarter hours"
            raise InvalidInput("load_w", "is no such day as the prices are", found=len(self.load_w), allowed=allowed)
        if self.cap_soc is not None and self.cap_soc < self.start_soc:
            raise InvalidInput(
                "cap_soc", "is less than the car starts with", found=self.cap_soc, allowed=f"{self.start_soc:g} to 1"
            )

    @property
    def quarters(self) -> int:
        """How many quarter hours a day has."""
        slots = len(self.price_ore_per_kwh)
        return slots * QUARTERS_PER_HOUR if slots in HOURS else slots

    @property
    def told_prices(self) -> tuple[float, ...]:
        """The prices as clients are told them."""
        if self.quarter_hours and len(self.price_ore_per_kwh) in HOURS:
            return tuple(price for price in self.price_ore_per_kwh for _ in range(QUARTERS_PER_HOUR))
        return self.price_ore_per_kwh

    @property
    def is_of_course(self) -> bool:
        """Whether it is the course's home, at whatever speed, and whatever its money is called."""
        return msgspec.structs.replace(self, speed=COURSE_SPEED, currency=COURSE_CURRENCY) == COURSE


COURSE = HomeModel()
"""The course's home."""


class HomeState(msgspec.Struct, frozen=True):
    """A home at one instant. `load_w` is what it is said to draw, `is_switched_on` what the charger was told.

    `is_untouched` says that nothing was charged since the car was as at the start.
    """

    hour: int
    minute: int
    household_w: float
    car_w: float
    load_w: float
    energy_wh: float
    soc: float
    is_switched_on: bool
    is_untouched: bool
