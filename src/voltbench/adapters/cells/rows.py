"""When a record has rows: as often as was asked, or else so densely that straight lines between them are the curve.

The solver's own steps are no rows: it takes as long ones as its polynomials allow, of the fifth order, and straight
lines between them miss the end of a discharge by 80 mV.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voltbench.battery.cycling import ConstantCurrent, ConstantPower, ConstantVoltage, PlainStep, Rest
from voltbench.battery.record import Floats
from voltbench.quantities import SECONDS_PER_HOUR

FINE_S = 30.0
"""Between rows of a hold, so that charge adds up between them."""

SOON_S, LONGER = 1_200.0, 1.025
"""After so long in a hold its current falls ever more slowly: each row is later than the one before by that factor."""

AT_ONCE_S = np.geomspace(0.1, FINE_S, 24)
"""More of them where a step begins."""

PARTS = 240
"""Of the time in which a current fills a cell, or a profile lasts."""

ENOUGH_PARTS = 60
"""Of that time: with so many rows energy is right to 0.02 %, also where straight lines are not quite the curve."""

LEAST_PARTS = 24
PER_DECADE = 12
"""Rows while a cell comes to rest."""


def grid(duration_s: float, every_s: float) -> Floats:
    """From 0 to a duration evenly, with its end."""
    times = np.arange(0.0, duration_s, every_s)
    return np.append(times, duration_s)


def kept_rows(time_s: Floats, asked_s: Floats | None) -> NDArray[np.bool_]:
    """Which rows were asked for; the first and the last always are."""
    if asked_s is None:
        return np.ones(len(time_s), dtype=bool)
    kept = np.isin(time_s, asked_s)
    kept[[0, -1]] = True
    return kept


def of_step(step: PlainStep, duration_s: float, capacity_ah: float, most_v: float) -> Floats:
    """Those of a step where nothing was asked for, and in between where something was: some hundreds at most."""
    if isinstance(step, Rest):
        return of_rest(duration_s)
    if isinstance(step, ConstantVoltage):
        return of_hold(duration_s)
    if isinstance(step, ConstantPower):
        return of_current(step.power_w / most_v, duration_s, capacity_ah)
    return of_current(current_of(step, capacity_ah), duration_s, capacity_ah)


def are_enough(step: PlainStep, every_s: float, capacity_ah: float) -> bool:
    """Whether charge and energy can be counted by the rows that are asked for, without any in between."""
    if isinstance(step, ConstantCurrent):
        return every_s <= _full_s(current_of(step, capacity_ah), capacity_ah) / ENOUGH_PARTS
    return isinstance(step, Rest)


def current_of(step: ConstantCurrent, capacity_ah: float) -> float:
    """The current of a step that names one, or a rate."""
    return (step.c_rate or 0.0) * capacity_ah if step.current_a is None else step.current_a


def of_current(current_a: float, duration_s: float, capacity_ah: float) -> Floats:
    """While one current flows: evenly for as long as the cell can take it, and seldom where that is no limit."""
    full_s = _full_s(current_a, capacity_ah)
    every_s = min(full_s / PARTS, duration_s / LEAST_PARTS)
    soon_s = min(duration_s, 1.25 * full_s)
    later_s = np.linspace(soon_s, duration_s, LEAST_PARTS)
    return np.unique(np.concatenate((_at_once(duration_s), grid(soon_s, every_s), later_s)))


def of_hold(duration_s: float) -> Floats:
    """While a voltage is held: the current falls, at first fast."""
    soon_s = grid(min(duration_s, SOON_S), FINE_S)
    later_s = SOON_S * LONGER ** np.arange(1, 2 + max(0.0, np.log(duration_s / SOON_S) / np.log(LONGER)))
    return np.unique(np.concatenate((_at_once(duration_s), soon_s, later_s[later_s < duration_s], [duration_s])))


def of_rest(duration_s: float) -> Floats:
    """While a cell comes to rest: it does so ever more slowly."""
    decades = max(0.0, np.log10(duration_s / AT_ONCE_S[0]))
    later_s = np.geomspace(min(AT_ONCE_S[0], duration_s), duration_s, 2 + int(PER_DECADE * decades))
    return np.unique(np.concatenate(([0.0], later_s[:-1], [duration_s])))


def of_profile(time_s: Floats) -> Floats:
    """Those of a profile, and more of them where it has none for long."""
    gaps_s = np.diff(time_s)
    parts = np.ceil(gaps_s * PARTS / (time_s[-1] - time_s[0])).astype(np.intp)
    firsts = np.repeat(np.cumsum(parts) - parts, parts)
    begun = (np.arange(len(firsts)) - firsts) / np.repeat(parts, parts)
    return np.append(np.repeat(time_s[:-1], parts) + begun * np.repeat(gaps_s, parts), time_s[-1])


def _full_s(current_a: float, capacity_ah: float) -> float:
    return capacity_ah / abs(current_a) * SECONDS_PER_HOUR if current_a else np.inf


def _at_once(duration_s: float) -> Floats:
    return AT_ONCE_S[duration_s > AT_ONCE_S]
