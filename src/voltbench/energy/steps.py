"""What a station can be set to: whole steps, nothing below a minimum, and what that leaves over given out again."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

from voltbench.energy.allocate import Situation
from voltbench.energy.claim import Claim, Room, room_after
from voltbench.quantities import POWER_TOLERANCE_W

_ALMOST = 1.0 - 1e-9
"""A step that is missed by less than this part is reached."""


def settable(claim: Claim, power_w: float) -> float:
    """The smallest power a session can be offered that lets it draw this much; nothing for nothing."""
    if power_w <= 0.0 or not (claim.minimum_w or claim.step_w):
        return power_w
    return max(step_above(claim, power_w), claim.minimum_w)


def step_above(claim: Claim, power_w: float) -> float:
    """The smallest power the station can be set to that holds this, up to what the path carries."""
    if not claim.step_w:
        return power_w
    return min(ceil(power_w / claim.step_w - 1e-9) * claim.step_w, step_below(claim, claim.maximum_w))


def step_below(claim: Claim, power_w: float) -> float:
    """The largest power the station can be set to that is no more than this."""
    return power_w if not claim.step_w else floor(power_w / claim.step_w + 1e-9) * claim.step_w


def whole_steps(s: Situation, powers_w: Sequence[float]) -> list[float]:
    """Powers in whole steps of each station, and what that leaves given out again: a step each, then all there is."""
    powers = [step_below(c, _at_least(c, p)) if c.step_w else p for c, p in zip(s.claims, powers_w, strict=True)]
    room = room_after(s.bounds, s.claims, powers)
    short = [i for i, power in enumerate(powers) if 0.0 < power < s.demand_w[i]]
    short.sort(key=lambda i: (powers[i] - powers_w[i], s.claims[i].id))
    free_w = room.free_w  # the first row is the grid connection's, which everybody loads
    raised = [
        i
        for i in short
        if free_w[0] >= s.claims[i].step_w * _ALMOST
        and _raise(room, s.claims[i], powers, i, s.demand_w[i], one_step=True)
    ]
    for i in raised:
        if free_w[0] >= s.claims[i].step_w * _ALMOST:
            _raise(room, s.claims[i], powers, i, s.demand_w[i], one_step=False)
    return powers


def _at_least(claim: Claim, power_w: float) -> float:
    """A power, or the minimum that it misses by rounding alone."""
    return claim.minimum_w if 0.0 < claim.minimum_w - power_w <= POWER_TOLERANCE_W else power_w


def _raise(room: Room, claim: Claim, powers: list[float], i: int, demand_w: float, one_step: bool) -> bool:
    """Give a claim one more step, or as many as fit and it wants; return whether it got any."""
    step_w = claim.step_w
    most_w = step_w if one_step and step_w else step_above(claim, demand_w) - powers[i]
    if powers[i] + most_w > claim.maximum_w + POWER_TOLERANCE_W or most_w <= 0.0:
        return False
    fits_w = room.headroom(claim, most_w)[0]
    raise_w = step_below(claim, fits_w) if step_w else fits_w
    if raise_w <= 0.0:
        return False
    room.take(claim, raise_w)
    powers[i] += raise_w
    return True
