"""Minimum powers in a fleet's plan: a car that would charge with less than it can is helped to none or to enough.

What a slot gives too little of is moved to other slots of the same car, the cheapest first; or what is missing there
is taken from the dearest ones. Nobody else's energy is touched and no limit is exceeded, so it may fail: then the
car charges at its minimum for a shorter time, and the site's controller sees to the limits. Finding the cheapest way
for all would be a mixed-integer program (`optimize`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.plan_car import LEAST_WH

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Spare:
    """What a plan leaves of the limits, in Wh: at the site by slot, and in circuits (G x T) by each car's number."""

    site_wh: Floats
    circuit: NDArray[np.intp]
    circuit_wh: Floats

    def of(self, car: int) -> Floats:
        """What a car could take more in each slot."""
        spare: Floats = np.minimum(self.site_wh, self.circuit_wh[self.circuit[car]])
        return spare

    def take(self, car: int, slot: int, energy_wh: float) -> None:
        """A car takes more in a slot, or less."""
        self.site_wh[slot] -= energy_wh
        self.circuit_wh[self.circuit[car], slot] -= energy_wh


def with_minimums(energy_wh: Floats, room_wh: Floats, least_wh: Floats, price: Floats, spare: Spare) -> Floats:
    """The same plan with as few energies below their minimum as this finds; all but price by car and slot (C x T)."""
    plan = energy_wh.copy()
    too_little = (plan > LEAST_WH) & (plan < least_wh - LEAST_WH)
    for car in np.flatnonzero(too_little.any(axis=1)).tolist():
        for slot in np.flatnonzero(too_little[car]).tolist():
            if plan[car, slot] < least_wh[car, slot] - LEAST_WH:  # else it got something from another one meanwhile
                mine = plan[car], room_wh[car], least_wh[car]
                mended = _moved_away(car, slot, *mine, price, spare) or _topped_up(car, slot, *mine, price, spare)
                if not mended:
                    _for_a_while(car, slot, *mine, spare)
    return plan


def _for_a_while(car: int, slot: int, own: Floats, _room: Floats, least: Floats, spare: Spare) -> None:
    """Reserve the minimum all the same, for a part of the slot; where there is no room for it, nothing."""
    missing = float(least[slot] - own[slot])
    if missing <= float(spare.of(car)[slot]) + LEAST_WH:
        spare.take(car, slot, missing)
    else:
        spare.take(car, slot, -float(own[slot]))
        own[slot] = 0.0


def _moved_away(car: int, slot: int, own: Floats, room: Floats, least: Floats, price: Floats, spare: Spare) -> bool:
    """Give other slots what this one has, the cheapest first; all of it or nothing."""
    missing, moves = float(own[slot]), []
    could = np.minimum(room - own, spare.of(car))
    for other in np.argsort(price, kind="stable").tolist():
        part = min(missing, float(could[other]))
        if other != slot and part > LEAST_WH and own[other] + part >= least[other] - LEAST_WH:
            moves.append((other, part))
            missing -= part
            if missing <= LEAST_WH:
                break
    if missing > LEAST_WH:
        return False
    for other, part in moves:
        own[other] += part
        spare.take(car, other, part)
    spare.take(car, slot, -float(own[slot]))
    own[slot] = 0.0
    return True


def _topped_up(car: int, slot: int, own: Floats, room: Floats, least: Floats, price: Floats, spare: Spare) -> bool:
    """Take what is missing here from the dearest other slots, which keep their own minimum; all of it or nothing."""
    missing, moves = float(least[slot] - own[slot]), []
    if missing > min(float(room[slot] - own[slot]), float(spare.of(car)[slot])) + LEAST_WH:
        return False
    for other in np.argsort(-price, kind="stable").tolist():
        part = min(missing, float(own[other] - least[other]))
        if other != slot and part > LEAST_WH:
            moves.append((other, part))
            missing -= part
            if missing <= LEAST_WH:
                break
    if missing > LEAST_WH:
        return False
    for other, part in moves:
        own[other] -= part
        spare.take(car, other, -part)
    spare.take(car, slot, float(least[slot] - own[slot]))
    own[slot] = least[slot]
    return True
