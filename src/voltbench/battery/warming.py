"""Temperatures in closed form: one body that is heated exponentially, driven evenly, and decays to its surroundings."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, expm1, inf, isfinite, log, log1p
from typing import NamedTuple

SAME_K = 1e-9
"""Two temperatures closer than this are the same."""

_MOST_GROWN = 500.0
"""An exponential of more is as good as infinite."""


class Heat(NamedTuple):
    """Heat that goes into a pack, from some instant on: power_w * exp(growth_per_s * t)."""

    power_w: float = 0.0
    growth_per_s: float = 0.0

    def after(self, seconds: float) -> Heat:
        """The same heat, told from a later instant on."""
        return Heat(self.power_w * exp(self.growth_per_s * seconds), self.growth_per_s) if self.growth_per_s else self


class Course(NamedTuple):
    """A temperature over time in closed form: it decays to its surroundings, is driven evenly, and heated.

    `drift` and `heated` are in K/s, and `decay_per_s` is how fast differences to the surroundings fade.
    """

    degc: float
    ambient_degc: float
    decay_per_s: float
    drift: float = 0.0
    heated: float = 0.0
    growth_per_s: float = 0.0

    def after(self, seconds: float) -> float:
        """The temperature after a while, which may be for ever."""
        r, faded = self.decay_per_s, exp(-self.decay_per_s * seconds) if self.decay_per_s else 1.0
        degc = self.ambient_degc + (self.degc - self.ambient_degc) * faded
        if self.drift:
            degc += self.drift * ((1.0 - faded) / r if r else seconds)
        return degc + self.heated * self._response(seconds, faded) if self.heated else degc

    def _response(self, seconds: float, faded: float) -> float:
        """What heating by exp(g t) K/s comes to."""
        g, both = self.growth_per_s, self.growth_per_s + self.decay_per_s
        if both == 0.0:
            return faded * seconds if faded else 0.0
        if both * seconds > 1.0 or seconds == inf:
            return ((exp(g * seconds) if g else 1.0) - faded) / both
        return faded * expm1(both * seconds) / both

    def turns_at(self) -> float:
        """When it stops rising, or falling, in s; it does so once at most, and never where that is infinite."""
        slope = self.drift + self.heated - self.decay_per_s * (self.degc - self.ambient_degc)
        push, both = self.heated * self.growth_per_s, self.growth_per_s + self.decay_per_s
        if push == 0.0 or slope / push >= 0.0:
            return inf
        if both == 0.0:
            return -slope / push
        grown = -slope / push * both
        return log1p(grown) / both if grown > -1.0 else inf

    def reaches(self, degc: float, rising: bool, within_s: float) -> float:
        """When it first comes to lie above (or below) a temperature, in s; infinite where it does not within a time."""
        if not isfinite(degc) or self._is_too_slow(degc, rising, within_s):
            return inf

        def beyond(seconds: float) -> float:
            off = self.after(seconds) - degc
            return off if rising else -off

        turn, begin = self.turns_at(), 0.0
        for end in (turn, within_s) if 0.0 < turn < within_s else (within_s,):
            if beyond(end) > SAME_K:
                return begin if beyond(begin) > 0.0 else self._crossing(degc, beyond, begin, end)
            begin = end
        return inf

    def _is_too_slow(self, degc: float, rising: bool, within_s: float) -> bool:
        """Whether it cannot come so far in a time: on its way there it never goes faster than this."""
        free, heated, grown = self.drift - self.decay_per_s * (self.degc - self.ambient_degc), self.heated, 1.0
        away = degc - self.degc if rising else self.degc - degc
        if away <= 0.0 or within_s == inf:
            return False
        if (self.growth_per_s > 0.0) == rising and self.growth_per_s:
            grown = exp(min(self.growth_per_s * within_s, _MOST_GROWN))
        fastest = free + heated * grown
        return (fastest if rising else -fastest) * within_s < away

    def _crossing(self, degc: float, beyond: Callable[[float], float], begin: float, end: float) -> float:
        r = self.decay_per_s
        if self.growth_per_s == 0.0 and r:
            final = self.ambient_degc + (self.drift + self.heated) / r
            return max(0.0, -log((degc - final) / (self.degc - final)) / r) if self.degc != degc else 0.0
        if not isfinite(end):
            end = begin + 1.0
            while beyond(end) <= 0.0:
                end = begin + 2.0 * (end - begin)
        return _root(beyond, begin, end)


def _root(f: Callable[[float], float], begin: float, end: float) -> float:
    """Where a function that rises from at most 0 to more than 0 is 0: the false position, with Illinois' halving."""
    low, high, side = f(begin), f(end), 0
    for _ in range(100):
        if high - low <= 0.0 or end - begin <= 1e-9 * max(1.0, end):
            break
        at = end - high * (end - begin) / (high - low)
        found = f(at)
        if abs(found) < SAME_K:
            return at
        if found > 0.0:
            end, high = at, found
            low, side = (low / 2.0 if side == 1 else low), 1
        else:
            begin, low = at, found
            high, side = (high / 2.0 if side == -1 else high), -1
    return end
