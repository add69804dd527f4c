"""Power that a site makes itself: photovoltaics under a clear sky."""

from __future__ import annotations

from collections.abc import Iterable
from math import asin, cos, exp, pi, radians, sin

from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, DurationMs, Instant, utc
from voltbench.site.series import StepSeries

STEP_MS = 15 * MS_PER_MINUTE
"""How long each value of a generated day holds."""

REFERENCE_W_PER_M2 = 1_000.0
"""Irradiance at which a panel gives its peak power (IEC 61215, standard test conditions)."""


def clear_sky(
    peak_w: float,
    latitude_deg: float,
    start: Instant,
    ends_at: Instant,
    *,
    performance: float = 0.85,
    solar_noon_h: float = 12.0,
    utc_offset_ms: DurationMs = 0,
) -> StepSeries:
    """Generation in W of panels that lie flat, of so much peak power, on days without clouds, in steps of 15 minutes.

    `performance` is what inverter, warmth and dirt leave of it; `solar_noon_h` is when the sun stands highest by the
    clocks of the place, which run `utc_offset_ms` before UTC. It never exceeds the peak power.
    """
    first = start - start % STEP_MS
    steps = (
        (now, _power_w(peak_w * performance, latitude_deg, now + STEP_MS // 2 + utc_offset_ms, solar_noon_h))
        for now in range(first, ends_at, STEP_MS)
    )
    return StepSeries(changes([*steps] or [(start, 0.0)]))


def changes(steps: Iterable[tuple[Instant, float]]) -> list[tuple[Instant, float]]:
    """The steps at which a quantity really changes, so that nobody is woken for nothing."""
    kept: list[tuple[Instant, float]] = []
    for instant, found in steps:
        if not kept or found != kept[-1][1]:
            kept.append((instant, found))
    return kept


def irradiance_w_per_m2(elevation: float) -> float:
    """Global horizontal irradiance of a clear sky, when the sun stands so high (rad).

    Haurwitz, "Insolation in relation to cloudiness and cloud density", J. Meteorology 2 (1945), as fitted in Reno,
    Hansen, Stein, SAND2012-2389 (2012).
    """
    height = sin(elevation)
    return 1_098.0 * height * exp(-0.059 / height) if height > 0.0 else 0.0


def elevation(latitude_deg: float, day_of_year: int, hours_from_noon: float) -> float:
    """Height of the sun above the horizon, in rad, so many hours from solar noon.

    Declination after Cooper, "The absorption of radiation in solar stills", Solar Energy 12 (1969).
    """
    declination = radians(23.45) * sin(2 * pi * (284 + day_of_year) / 365)
    latitude, hour_angle = radians(latitude_deg), pi / 12 * hours_from_noon
    height = sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(hour_angle)
    return asin(max(-1.0, min(1.0, height)))


def _power_w(peak_w: float, latitude_deg: float, local: Instant, solar_noon_h: float) -> float:
    day_of_year = utc(local).timetuple().tm_yday
    hours_from_noon = local % MS_PER_DAY / MS_PER_HOUR - solar_noon_h
    irradiance = irradiance_w_per_m2(elevation(latitude_deg, day_of_year, hours_from_noon))
    return round(peak_w * min(1.0, irradiance / REFERENCE_W_PER_M2), 3)
