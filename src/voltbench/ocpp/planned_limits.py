"""A plan for a car as limits by the second, which a station follows by itself, whatever its version of OCPP."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from voltbench.errors import InvalidInput
from voltbench.ocpp.limit_terms import Terms
from voltbench.quantities import MINIMUM_AC_CURRENT_A, MS_PER_SECOND, Instant, energy_wh

PLAN_PROFILE = 1_900_000_001
"""The id of a plan's profile: a new plan takes the place of the one before."""

PLAN_LEVEL = 89
"""The stack level of a plan, where a station allows it: below the limits of a site, which have one more."""


class Limit(NamedTuple):
    """What holds from a second of the schedule on, in W or A, rounded down to the tenth that OCPP has.

    `phases` are said where it is in A and on fewer than three.
    """

    second: int
    limit: float
    phases: int | None


def planned_limits(
    steps: Sequence[tuple[Instant, float]], starts_at: Instant, ends_at: Instant, terms: Terms, most: int
) -> list[Limit]:
    """The power (W) from each instant on, from the start of a plan until its end; before the first step it is none.

    A station limits by the second: in a second within which the plan changes, the lowest of its powers holds. None is
    below 0. Raises InvalidInput where the station cannot take so many.
    """
    powers = _powers_by_second(steps, starts_at, ends_at)
    if len(powers) > most:
        raise InvalidInput("plan", "has more periods than the station takes", found=len(powers), allowed=f"<= {most}")
    return [Limit(second, terms.limit(power_w), terms.told_phases) for second, power_w in powers]


def given_back_wh(steps: Sequence[tuple[Instant, float]], ends_at: Instant) -> float:
    """The energy that a plan takes out of a car until it ends. Profiles leave it out: no limit is below 0."""
    to_the_end = pairwise([*steps, (ends_at, 0.0)])
    return sum(energy_wh(max(0.0, -power_w), (end - at) / MS_PER_SECOND) for (at, power_w), (end, _) in to_the_end)


def below_minimum_wh(steps: Sequence[tuple[Instant, float]], ends_at: Instant, terms: Terms) -> float:
    """The energy of a plan that a car on AC does not take: its limits are less than 6 A a phase (IEC 61851-1)."""
    least = MINIMUM_AC_CURRENT_A if terms.in_a else least_w(terms)
    return sum(
        energy_wh(power_w, (min(end, ends_at) - at) / MS_PER_SECOND)
        for (at, power_w), (end, _) in pairwise([*steps, (ends_at, 0.0)])
        if power_w > 0.0 and at < ends_at and terms.limit(power_w) < least
    )


def least_w(terms: Terms) -> float:
    """The least power with which a car on AC charges."""
    return MINIMUM_AC_CURRENT_A * terms.voltage_v * terms.phases


def _powers_by_second(
    steps: Sequence[tuple[Instant, float]], starts_at: Instant, ends_at: Instant
) -> list[tuple[int, float]]:
    powers: dict[int, float] = {0: 0.0}
    now_w = 0.0
    for at, step_w in steps:
        if at >= ends_at:
            break
        was_w, now_w = now_w, max(0.0, step_w)
        second, within = divmod(max(0, at - starts_at), MS_PER_SECOND)
        if within:
            powers[second] = min(powers.get(second, was_w), now_w)
            second += 1
        powers[second] = now_w
    whole = (ends_at - starts_at) // MS_PER_SECOND
    told = sorted((second, power_w) for second, power_w in powers.items() if second < max(1, whole))
    return [told[0]] + [one for earlier, one in pairwise(told) if one[1] != earlier[1]]
