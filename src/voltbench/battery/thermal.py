"""The warmth of a pack: one node that its losses heat, its surroundings draw on, and its own cooling and heating keep.

    C dT/dt = Q exp(g t) - G (T - ambient) + heating - cooling

which has a closed form, since charging is constant or exponential on each of its stretches (`acceptance.py`). Its
cooling takes no more than keeps it at its threshold, and no more than it can; its heating likewise.
"""

from __future__ import annotations

from math import exp, exp2, expm1, inf, log
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from voltbench.battery.warming import Course, Heat
from voltbench.errors import InvalidInput

_SHORTEST_S = 1e-6
"""What would keep its temperature for less than this does not keep it."""


class Losses(NamedTuple):
    """What heats a pack of the power that enters it: per_w2 times the power's square, at 25 degrees (R / U^2).

    Its resistance halves with every so many kelvins more.
    """

    per_w2: float
    halves_every_k: float = inf

    def at(self, degc: float) -> float:
        """Heat over the square of the power, at a temperature."""
        return float(self.per_w2 * exp2((MILD_DEGC - degc) / self.halves_every_k))


MILD_DEGC = 25.0
"""The temperature that a pack is told of at, and has where nobody says."""


class Stretch(NamedTuple):
    """How a temperature goes on in closed form, for how long in s it does so at most, and where it is then."""

    course: Course
    lasts_s: float
    end_degc: float


class ThermalNode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a pack keeps its warmth: its heat capacity, and what it loses to the air around it.

    Above `cools_above_degc` it is cooled with up to `cooling_w`, below `heats_below_degc` heated with up to `heating_w`
    (of heat; what that takes of electricity is not counted).
    """

    heat_capacity_j_per_k: float
    conductance_w_per_k: float
    cools_above_degc: float | None = None
    cooling_w: float = 0.0
    heats_below_degc: float | None = None
    heating_w: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.heat_capacity_j_per_k < inf:
            found = self.heat_capacity_j_per_k
            raise InvalidInput("thermal.heat_capacity_j_per_k", "is none", found=found, allowed="more than 0")
        for name in ("conductance_w_per_k", "cooling_w", "heating_w"):
            if not 0.0 <= getattr(self, name) < inf:
                raise InvalidInput(f"thermal.{name}", "is none", found=getattr(self, name), allowed="0 or more")
        if self._cold >= self._hot:
            problem = "is not below cools_above_degc"
            raise InvalidInput(
                "thermal.heats_below_degc", problem, found=self._cold, allowed=f"less than {self._hot:g}"
            )

    @property
    def _hot(self) -> float:
        return inf if self.cools_above_degc is None or self.cooling_w == 0.0 else self.cools_above_degc

    @property
    def _cold(self) -> float:
        return -inf if self.heats_below_degc is None or self.heating_w == 0.0 else self.heats_below_degc

    def after(self, degc: float, ambient_degc: float, heat: Heat, seconds: float) -> float:
        """The temperature after a while."""
        while True:
            course, lasts_s, end_degc = self.stretch(degc, ambient_degc, heat, seconds)
            if lasts_s >= seconds:
                return course.after(seconds)
            degc, seconds, heat = end_degc, seconds - lasts_s, heat.after(lasts_s)

    def leaves_after(
        self,
        degc: float,
        ambient_degc: float,
        heat: Heat,
        low_high: tuple[float, float],
        within_s: float,
        first: Stretch | None = None,
    ) -> float:
        """When the temperature leaves a range that it lies in, in s; infinite where it does not within a time.

        Who knows the `first` stretch already, of as long a time, need not have it found again.
        """
        (low, high), passed_s = low_high, 0.0
        while passed_s < within_s:
            course, lasts_s, end_degc = first or self.stretch(degc, ambient_degc, heat, within_s - passed_s)
            first = None
            span_s = min(lasts_s, within_s - passed_s)
            found_s = min(course.reaches(high, True, span_s), course.reaches(low, False, span_s))
            if found_s < inf:
                return passed_s + found_s
            if lasts_s == inf:
                return inf
            degc, passed_s, heat = end_degc, passed_s + lasts_s, heat.after(lasts_s)
        return inf

    def step(
        self, degc: NDArray[np.float64], ambient_degc: float, heat_w: NDArray[np.floating], seconds: float
    ) -> NDArray[np.float64]:
        """Temperatures of many packs after a while of constant heat, short beside what they take to cross a threshold:
        cooling and heating act all of it, and stop at theirs.
        """
        r, c = self.conductance_w_per_k / self.heat_capacity_j_per_k, self.heat_capacity_j_per_k
        k_per_w, faded = (-expm1(-r * seconds) / r if r else seconds) / c, exp(-r * seconds)
        after = degc * faded
        after += heat_w * k_per_w
        after += ambient_degc * (1.0 - faded)
        if self._hot < inf:
            after = np.maximum(after - self.cooling_w * k_per_w, np.minimum(after, self._hot))
        if self._cold > -inf:
            after = np.minimum(after + self.heating_w * k_per_w, np.maximum(after, self._cold))
        return after

    def stretch(self, degc: float, ambient_degc: float, heat: Heat, within_s: float) -> Stretch:
        """How the temperature goes on within a time."""
        c, rate = self.heat_capacity_j_per_k, self.conductance_w_per_k / self.heat_capacity_j_per_k
        hot, cold = self._hot, self._cold
        acts = not cold < degc < hot
        if degc in (hot, cold):
            lost_w = self.conductance_w_per_k * (degc - ambient_degc)
            balanced = (lost_w, lost_w + self.cooling_w) if degc == hot else (lost_w - self.heating_w, lost_w)
            kept_s = _within(heat, *balanced)
            if kept_s > _SHORTEST_S:
                return Stretch(Course(degc, degc, rate), kept_s, degc)
            towards_w = heat.power_w + heat.growth_per_s * heat.power_w * _SHORTEST_S
            acts = towards_w > balanced[1] if degc == hot else towards_w < balanced[0]
        drift = 0.0 if not acts else -self.cooling_w / c if degc >= hot else self.heating_w / c
        course = Course(degc, ambient_degc, rate, drift, heat.power_w / c, heat.growth_per_s)
        if acts:
            edge = hot if degc >= hot else cold
            return Stretch(course, course.reaches(edge, edge == cold, within_s), edge)
        to_hot, to_cold = (course.reaches(edge, edge == hot, within_s) for edge in (hot, cold))
        return Stretch(course, min(to_hot, to_cold), hot if to_hot <= to_cold else cold)


def _within(heat: Heat, least_w: float, most_w: float) -> float:
    """How long heat stays between two powers."""
    if not least_w <= heat.power_w <= most_w:
        return 0.0
    if heat.growth_per_s == 0.0 or heat.power_w == 0.0:
        return inf
    edge_w = most_w if heat.growth_per_s > 0.0 else least_w
    return log(edge_w / heat.power_w) / heat.growth_per_s if edge_w > 0.0 else inf
