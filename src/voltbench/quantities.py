"""Units, signs and conversions, decided once.

Inside voltbench time is an integer number of milliseconds since the Unix epoch, power is in W, energy in Wh,
current in A, and power is positive when it flows *into* a device. State of charge and efficiencies are 0 to 1.
Other units exist only at the edges and are converted here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias

Instant: TypeAlias = int
"""A point in time: whole milliseconds since the Unix epoch, UTC."""

DurationMs: TypeAlias = int
"""A length of time in whole milliseconds."""

MS_PER_SECOND = 1_000
MS_PER_MINUTE = 60 * MS_PER_SECOND
MS_PER_HOUR = 60 * MS_PER_MINUTE
MS_PER_DAY = 24 * MS_PER_HOUR
SECONDS_PER_HOUR = 3_600.0

NOMINAL_VOLTAGE_V = 230.0
"""Line-to-neutral voltage of a European low-voltage network (EN 50160)."""

MINIMUM_AC_CURRENT_A = 6.0
"""Smallest current a charging station may offer on AC, per phase (IEC 61851-1, annex A)."""

POWER_TOLERANCE_W = 1e-6
"""Two powers closer than this are the same: the room left for floating-point rounding, nothing else."""


def energy_wh(power_w: float, duration_s: float) -> float:
    """Energy carried by a constant power over a duration."""
    return power_w * duration_s / SECONDS_PER_HOUR


def w_from_kw(power_kw: float) -> float:
    """Watts for a power given in kilowatts, exact to the last decimal a person would write."""
    return round(power_kw * 1_000.0, 6)


def kw_from_w(power_w: float) -> float:
    """Kilowatts for a power in watts, rounded to a tenth of a milliwatt so that 132333.33 W reads 132.33333."""
    return round(power_w / 1_000.0, 7)


def power_w(current_a: float, phases: int, voltage_v: float = NOMINAL_VOLTAGE_V) -> float:
    """Power of a balanced resistive load: per-phase current times line-to-neutral voltage times phases."""
    return current_a * voltage_v * phases


def current_a(power_w: float, phases: int, voltage_v: float = NOMINAL_VOLTAGE_V) -> float:
    """Per-phase current of a balanced resistive load."""
    return power_w / (voltage_v * phases)


def instant_of(moment: datetime) -> Instant:
    """The engine's time of an aware `datetime`, to the millisecond below."""
    if moment.tzinfo is None:
        raise ValueError("a datetime needs a time zone to become an instant")
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * MS_PER_SECOND + delta.microseconds // 1_000


def utc(instant: Instant) -> datetime:
    """The aware UTC `datetime` of an instant."""
    seconds, milliseconds = divmod(instant, MS_PER_SECOND)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1_000)


def rfc3339(instant: Instant) -> str:
    """An instant as RFC 3339 text in UTC with milliseconds and `Z`."""
    seconds, milliseconds = divmod(instant, MS_PER_SECOND)
    return f"{_to_the_second(seconds)}.{milliseconds:03}Z"


@lru_cache(maxsize=256)
def _to_the_second(seconds: int) -> str:
    """Thousands of stations tell the same seconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def earliest(*instants: Instant | None) -> Instant | None:
    """The first of several instants, of which some may never come."""
    first = None
    for instant in instants:
        if instant is not None and (first is None or instant < first):
            first = instant
    return first
