"""Power a pack accepts over its state of charge, and the closed forms of charging along that curve.

Acceptance is piecewise linear in the stored energy. On one straight piece dE/dt = P(E) = a + bE, so the power follows
P(t) = P0 exp(kt) with k = b: constant where the offer limits it, a falling (or rising) exponential where the curve
does. Energy and crossing times follow exactly, whatever the sampling.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import exp, expm1, inf, isfinite, log
from typing import NamedTuple

from voltbench.errors import InvalidInput
from voltbench.quantities import SECONDS_PER_HOUR

_SAME_POWER = 1e-9
"""Relative difference under which the offer and the curve meet: a knee is reached, not approached for ever."""

_CUT_OFF = 0.02
"""A curve that ends at nothing is never followed to its end, which takes for ever: charging is cut off where it accepts
this part of what it did at its last knee."""


class Piece(NamedTuple):
    """A stretch of charging in closed form: P(t) = power_w * exp(growth_per_s * t).

    It ends after `duration_s` (which may be infinite) with exactly `end_wh` stored.
    """

    power_w: float
    growth_per_s: float
    duration_s: float
    end_wh: float

    def power_after(self, seconds: float) -> float:
        """Power after some seconds of this piece."""
        return self.power_w * exp(self.growth_per_s * seconds) if self.growth_per_s else self.power_w

    def energy_after(self, seconds: float) -> float:
        """Energy in Wh after some seconds of this piece."""
        return energy_along(self.power_w, self.growth_per_s, seconds)


IDLE = Piece(0.0, 0.0, inf, inf)
"""No power, until something changes."""


def energy_along(power_w: float, growth_per_s: float, seconds: float) -> float:
    """Energy in Wh of an exponential power over some seconds: the integral of power_w * exp(growth_per_s * t)."""
    if growth_per_s == 0.0:
        return power_w * seconds / SECONDS_PER_HOUR
    return power_w * expm1(growth_per_s * seconds) / growth_per_s / SECONDS_PER_HOUR


class AcceptanceCurve:
    """Power a pack of a given usable capacity accepts at its terminals, piecewise linear over its state of charge.

    `soc` rises from 0 to 1; `power_w` holds the accepted power at each, in W. Raises InvalidInput otherwise. At
    `full_wh` of stored energy charging is over: the capacity, or a little less where the curve ends at nothing.
    """

    __slots__ = ("_energy_wh", "_power_w", "_slope", "capacity_wh", "full_wh", "peak_w")

    def __init__(self, capacity_wh: float, soc: Sequence[float], power_w: Sequence[float]) -> None:
        _check_curve(capacity_wh, soc, power_w)
        self.capacity_wh = float(capacity_wh)
        self.peak_w = float(max(power_w))
        self._energy_wh = [s * self.capacity_wh for s in soc]
        self._power_w = [float(p) for p in power_w]
        pairs = zip(self._energy_wh, self._power_w, self._energy_wh[1:], self._power_w[1:], strict=False)
        self._slope = [(p1 - p0) / (e1 - e0) for e0, p0, e1, p1 in pairs]
        tail_wh = self._energy_wh[-1] - self._energy_wh[-2]
        self.full_wh = self.capacity_wh - (_CUT_OFF * tail_wh if self._power_w[-1] == 0.0 else 0.0)

    @classmethod
    def linear_two_stage(cls, capacity_wh: float, peak_w: float, transition_soc: float = 0.8) -> AcceptanceCurve:
        """Constant power up to a transition, then falling linearly to nothing when full.

        The model of Lee et al., "ACN-Sim: An Open-Source Simulator for Data-Driven Electric Vehicle Charging
        Research", IEEE Trans. Smart Grid 12 (2021), section III-C.
        """
        return cls(capacity_wh, (0.0, transition_soc, 1.0), (peak_w, peak_w, 0.0))

    def with_power(self, power_w: list[float]) -> AcceptanceCurve:
        """The same pack with other powers at the same states of charge: all nothing, or all more; unchecked."""
        other = object.__new__(AcceptanceCurve)
        energy_wh = other._energy_wh = self._energy_wh
        other.capacity_wh = other.full_wh = self.capacity_wh
        other.peak_w = max(power_w)
        other._power_w = power_w
        pairs = zip(energy_wh, power_w, energy_wh[1:], power_w[1:], strict=False)
        other._slope = [(p1 - p0) / (e1 - e0) for e0, p0, e1, p1 in pairs]
        return other

    def power_at(self, energy_wh: float) -> float:
        """Power accepted with this much energy stored, in W."""
        i = self._segment(energy_wh)
        return max(0.0, self._power_w[i] + self._slope[i] * (energy_wh - self._energy_wh[i]))

    def accepts_until(self, energy_wh: float, power_w: float) -> float:
        """Stored energy up to which it accepts a power throughout, from here on; where it does not now, here."""
        if self.power_at(energy_wh) < power_w:
            return energy_wh
        return self._offer_binds_until(self._segment(energy_wh), power_w)

    def rises_beyond(self, energy_wh: float, offered_w: float) -> bool:
        """Whether an offer that is all the pack accepts now will soon be less than it accepts."""
        i = self._segment(energy_wh)
        return self._slope[i] > 0.0 and self.power_at(energy_wh) <= offered_w * (1.0 + _SAME_POWER)

    def piece(self, energy_wh: float, offered_w: float, target_wh: float) -> Piece:
        """How charging goes on from here under a constant offer, until its law changes or the target is reached.

        The law changes where the curve bends or crosses the offer. A full or finished pack is idle.
        """
        if energy_wh >= target_wh or offered_w <= 0.0:
            return IDLE
        i = self._segment(energy_wh)
        accepted_w = self._power_w[i] + self._slope[i] * (energy_wh - self._energy_wh[i])
        falls_here = accepted_w <= offered_w * (1.0 + _SAME_POWER) and self._slope[i] < 0.0
        if accepted_w < offered_w * (1.0 - _SAME_POWER) or falls_here:
            return self._along_curve(i, energy_wh, min(accepted_w, offered_w), offered_w, target_wh)
        end_wh = min(target_wh, self._offer_binds_until(i, offered_w))
        return Piece(offered_w, 0.0, max(0.0, end_wh - energy_wh) / offered_w * SECONDS_PER_HOUR, end_wh)

    def _segment(self, energy_wh: float) -> int:
        i = bisect_right(self._energy_wh, energy_wh) - 1
        if i < 0:
            return 0
        return i if i < len(self._slope) else len(self._slope) - 1

    def _offer_binds_until(self, i: int, offered_w: float) -> float:
        """Stored energy at which the curve falls below the offer, from segment i on."""
        for j in range(i, len(self._slope)):
            if self._power_w[j + 1] < offered_w * (1.0 - _SAME_POWER):
                crossing_wh = self._energy_wh[j] + (offered_w - self._power_w[j]) / self._slope[j]
                return max(crossing_wh, self._energy_wh[j])
        return self.capacity_wh

    def _along_curve(self, i: int, energy_wh: float, accepted_w: float, offered_w: float, target_wh: float) -> Piece:
        if accepted_w <= 0.0:
            return IDLE
        slope = self._slope[i]
        end_wh = min(target_wh, self._energy_wh[i + 1])
        if slope == 0.0:
            return Piece(accepted_w, 0.0, (end_wh - energy_wh) / accepted_w * SECONDS_PER_HOUR, end_wh)
        end_w = accepted_w + slope * (end_wh - energy_wh)
        if slope > 0.0 and end_w > offered_w:
            end_w, end_wh = offered_w, energy_wh + (offered_w - accepted_w) / slope
        growth_per_s = slope / SECONDS_PER_HOUR
        duration_s = log(end_w / accepted_w) / growth_per_s if end_w > 0.0 else inf
        return Piece(accepted_w, growth_per_s, max(0.0, duration_s), end_wh)


def _check_curve(capacity_wh: float, soc: Sequence[float], power_w: Sequence[float]) -> None:
    if not (isfinite(capacity_wh) and capacity_wh > 0):
        raise InvalidInput("capacity_wh", "is not a capacity", found=capacity_wh, allowed="more than 0")
    if len(soc) != len(power_w) or len(soc) < 2:
        raise InvalidInput(
            "power_w", "needs one power for each SoC", found=len(power_w), allowed=f"{max(len(soc), 2)} powers"
        )
    if soc[0] != 0.0 or soc[-1] != 1.0 or any(b <= a for a, b in pairwise(soc)):
        raise InvalidInput("soc", "does not rise from 0 to 1", found=list(soc), allowed="rising, first 0, last 1")
    if any(not isfinite(p) or p < 0.0 for p in power_w):
        raise InvalidInput("power_w", "holds a power that is not one", found=list(power_w), allowed="0 or more")
    if any(p == 0.0 for p in power_w[:-1]):
        raise InvalidInput(
            "power_w", "falls to nothing before the pack is full", found=list(power_w), allowed="more than 0"
        )
