"""When one car charges: the cheapest slots, one block of them, or the cheapest powers where losses depend on power.

A slot is a time of one price, not of one power: a car may charge in a part of it, or at two powers one after the other.
So what energy costs in a slot is a convex function of it, even where the charger wastes more at low power or has a
minimum: the lower hull of what each power costs. Then the cheapest plan is a matter of sorting.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from voltbench.energy.arrays import NEGLIGIBLE_WH, Floats
from voltbench.errors import InvalidInput

Corner = tuple[float, float]
"""A power given to the car (W), and what it costs an hour."""

ON_A_LINE = 1e-12
"""A corner that is so little below the line between its neighbours, relatively, is on it but for rounding."""


@dataclass(frozen=True, slots=True)
class CarPlan:
    """Energy per slot (Wh), what that costs, and what is lacking in the end (Wh)."""

    energy_wh: Floats
    cost: float
    shortfall_wh: float


@dataclass(frozen=True, slots=True)
class Losses:
    """What a charger draws (`drawn_w`) to give the car each of some powers (`given_w`), and on the lines between.

    Both rise; the first pair is the least power at which the car charges at all.
    """

    given_w: tuple[float, ...]
    drawn_w: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.given_w) != len(self.drawn_w) or not self.given_w:
            raise InvalidInput("losses", "needs as many powers drawn as given", allowed="at least one of each")
        for field, powers in (("given_w", self.given_w), ("drawn_w", self.drawn_w)):
            for number, (below, power_w) in enumerate(pairwise((0.0, *powers))):
                if power_w <= below:
                    raise InvalidInput(
                        f"losses[{number}].{field}", "does not rise", found=power_w, allowed=f"> {below}"
                    )
        for number, (given_w, drawn_w) in enumerate(zip(self.given_w, self.drawn_w, strict=True)):
            if drawn_w < given_w:
                field = f"losses[{number}].drawn_w"
                raise InvalidInput(field, "is less than what is given", found=drawn_w, allowed=f">= {given_w}")

    def given_for(self, drawn_w: float) -> float:
        """What it gives when it draws this power; nothing below the first pair."""
        at = bisect_left(self.drawn_w, drawn_w)
        if at == len(self.drawn_w):
            return drawn_w * self.given_w[-1] / self.drawn_w[-1]
        if at == 0:
            return self.given_w[0] if drawn_w == self.drawn_w[0] else 0.0
        (low, high), (low_w, high_w) = self.drawn_w[at - 1 : at + 1], self.given_w[at - 1 : at + 1]
        return low_w + (high_w - low_w) * (drawn_w - low) / (high - low)

    def drawn_for(self, given_w: float) -> float:
        """What it draws to give this power; beyond the last pair, at the last pair's efficiency."""
        at = bisect_left(self.given_w, given_w)
        if at == len(self.given_w):
            return given_w * self.drawn_w[-1] / self.given_w[-1]
        if at == 0:
            return given_w * self.drawn_w[0] / self.given_w[0]
        (low_w, high_w), (low, high) = self.given_w[at - 1 : at + 1], self.drawn_w[at - 1 : at + 1]
        return low + (high - low) * (given_w - low_w) / (high_w - low_w)


def plan_car(price_per_kwh: Floats, room_wh: Floats, needed_wh: float) -> CarPlan:
    """The cheapest slots, of which one may be used in part."""
    order = np.argsort(price_per_kwh, kind="stable")
    room = room_wh[order]
    through = room.cumsum()
    left = needed_wh - through + room  # before each slot; np.clip would take as long as all the rest
    energy_wh = np.empty_like(room_wh)
    energy_wh[order] = np.minimum(np.maximum(left, 0.0), room)
    lacking_wh = max(0.0, needed_wh - float(through[-1]))
    return CarPlan(energy_wh, float(energy_wh @ price_per_kwh) / 1e3, lacking_wh)


def plan_block(price_per_kwh: Floats, room_wh: Floats, needed_wh: float) -> CarPlan:
    """The cheapest plan without a pause: at full power from some moment on until the car has enough.

    The cost of such a block changes linearly while it is shifted within a slot; so the best one begins or ends with a
    slot. Where no block without a slot of no room is long enough, the longest is taken.
    """
    energy = np.concatenate(([0.0], np.cumsum(room_wh)))
    cost = np.concatenate(([0.0], np.cumsum(room_wh * price_per_kwh) / 1e3))
    best: tuple[float, float, float, float] | None = None
    for first, last in _stretches(room_wh):
        edges = energy[first : last + 1]
        given = min(needed_wh, float(edges[-1] - edges[0]))
        starts = np.concatenate(
            (edges[edges + given <= edges[-1] + NEGLIGIBLE_WH], edges[edges - given >= edges[0]] - given)
        )
        ends = np.minimum(starts + given, edges[-1])
        costs = np.interp(ends, energy, cost) - np.interp(starts, energy, cost)
        at = int(np.argmin(costs))
        found = (needed_wh - given, float(costs[at]), float(starts[at]), float(ends[at]))
        best = found if best is None or found[:2] < best[:2] else best
    if best is None:
        return CarPlan(np.zeros_like(room_wh), 0.0, needed_wh)
    lacking_wh, spent, start, end = best
    energy_wh = np.clip(np.minimum(energy[1:], end) - np.maximum(energy[:-1], start), 0.0, room_wh)
    return CarPlan(energy_wh, spent, max(0.0, lacking_wh))


def _stretches(room_wh: Floats) -> list[tuple[int, int]]:
    """The first slot of each stretch of slots with room, and the one after its last."""
    has_room = np.concatenate(([0], (room_wh > NEGLIGIBLE_WH).astype(np.int8), [0]))
    change = np.diff(has_room)
    return list(zip(np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist(), strict=True))


# --- where losses depend on power -------------------------------------------------------------------------------------


class Stretch(NamedTuple):
    """A part of a slot (its number) at one power, in hours."""

    slot: int
    hours: float
    power_w: float


def plan_with_losses(
    price_per_kwh: Floats, most_w: Floats, hours: Floats, needed_wh: float, losses: Losses
) -> tuple[CarPlan, list[Stretch]]:
    """The cheapest powers where losses depend on them, and when: nothing, or at least the losses' first power.

    `most_w` is the most power that the car may get in each slot, which lasts so many `hours`. Of a slot's stretches the
    one at the higher power comes first.
    """
    hulls = [
        _hull(_corners(price, power_w, losses))
        for price, power_w in zip(price_per_kwh.tolist(), most_w.tolist(), strict=True)
    ]
    pieces = sorted(
        ((high_cost - low_cost) / (high_w - low_w), slot, (high_w - low_w) * length_h)
        for slot, (corners, length_h) in enumerate(zip(hulls, hours.tolist(), strict=True))
        for (low_w, low_cost), (high_w, high_cost) in pairwise(corners)
    )
    energy_wh, cost, missing_wh = np.zeros_like(most_w), 0.0, needed_wh
    for slope, slot, room_wh in pieces:
        if missing_wh <= NEGLIGIBLE_WH:
            break
        given_wh = min(room_wh, missing_wh)
        energy_wh[slot] += given_wh
        cost += slope * given_wh
        missing_wh -= given_wh
    used = np.flatnonzero(energy_wh > 0.0).tolist()
    told = [one for slot in used for one in _on_hull(hulls[slot], slot, float(hours[slot]), float(energy_wh[slot]))]
    return CarPlan(energy_wh, cost, max(0.0, missing_wh)), told


def _on_hull(hull: Sequence[Corner], slot: int, length_h: float, given_wh: float) -> list[Stretch]:
    """The powers of two neighbouring corners that give so much in a slot, the higher one first."""
    powers_w = [power_w for power_w, _ in hull]
    at = min(bisect_left(powers_w, (given_wh - NEGLIGIBLE_WH) / length_h, 1), len(powers_w) - 1)
    low_w, high_w = powers_w[at - 1 : at + 1]
    high_h = min(length_h, (given_wh - low_w * length_h) / (high_w - low_w))
    high = Stretch(slot, high_h, high_w)
    return [high, Stretch(slot, length_h - high_h, low_w)] if low_w and high_h < length_h else [high]


def _corners(price_per_kwh: float, most_w: float, losses: Losses) -> list[Corner]:
    """What each power costs an hour: none, and where the line bends from the least power to the most."""
    if most_w < losses.given_w[0]:
        return [(0.0, 0.0)]
    powers = [power_w for power_w in losses.given_w if power_w < most_w] + [most_w]
    return [(0.0, 0.0)] + [(power_w, losses.drawn_for(power_w) * price_per_kwh / 1e3) for power_w in powers]


def _hull(corners: list[Corner]) -> list[Corner]:
    """The corners of the lower convex hull: none on the line between its neighbours."""
    hull: list[Corner] = []
    for x, y in corners:
        while len(hull) >= 2:
            (x0, y0), (x1, y1) = hull[-2:]
            if (y - y0) * (x1 - x0) - (y1 - y0) * (x - x0) > ON_A_LINE * (abs(y) + abs(y0)) * (x - x0):
                break
            hull.pop()
        hull.append((x, y))
    return hull
