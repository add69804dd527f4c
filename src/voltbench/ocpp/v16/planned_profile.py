"""A plan for a car as a charging profile of OCPP 1.6, which its station follows by itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from msgspec import UNSET

from voltbench.errors import InvalidInput
from voltbench.ocpp.v16.csms_profiles import HIGHEST_LEVEL, USUAL, Terms, limit_of
from voltbench.ocpp.v16.messages import ChargingProfile, ChargingSchedule, ChargingSchedulePeriod
from voltbench.quantities import MS_PER_SECOND, Instant, energy_wh, rfc3339

LARGEST_INTEGER = 2**31 - 1
"""What an integer of OCPP 1.6 may be: it has 32 bits (xs:int in the messages of OCPP 1.6-S)."""

PLAN_PROFILE = 1_900_000_001
"""The id of a plan's profile: a new plan takes the place of the one before."""


def planned_profile(
    steps: Sequence[tuple[Instant, float]],
    starts_at: Instant,
    ends_at: Instant,
    *,
    terms: Terms = USUAL,
    transaction_id: int | None = None,
    most_periods: int = 500,
) -> ChargingProfile:
    """The power (W) from each instant on, from the start of a plan until its end; before the first step it is none.

    With a transaction it is a TxProfile of it, else a TxDefaultProfile for whoever comes. A station limits by the
    second: in a second within which the plan changes, the lowest of its powers holds.
    Raises InvalidInput where the station cannot take so many periods.
    """
    periods = _periods(steps, starts_at, ends_at, terms)
    if len(periods) > most_periods:
        raise InvalidInput(
            "plan", "has more periods than the station takes", found=len(periods), allowed=f"<= {most_periods}"
        )
    return ChargingProfile(
        charging_profile_id=PLAN_PROFILE,
        transaction_id=UNSET if transaction_id is None else transaction_id,
        stack_level=min(HIGHEST_LEVEL - 1, terms.highest_level),  # below the limits of a site
        charging_profile_purpose="TxDefaultProfile" if transaction_id is None else "TxProfile",
        charging_profile_kind="Absolute",
        valid_to=rfc3339(ends_at),
        charging_schedule=ChargingSchedule(
            duration=(ends_at - starts_at) // MS_PER_SECOND,
            start_schedule=rfc3339(starts_at),
            charging_rate_unit="A" if terms.in_a else "W",
            charging_schedule_period=tuple(periods),
        ),
    )


def given_back_wh(steps: Sequence[tuple[Instant, float]], ends_at: Instant) -> float:
    """The energy that a plan takes out of a car until it ends. A profile of 1.6 leaves it out: no limit is below 0."""
    to_the_end = pairwise([*steps, (ends_at, 0.0)])
    return sum(energy_wh(max(0.0, -power_w), (end - at) / MS_PER_SECOND) for (at, power_w), (end, _) in to_the_end)


def _periods(
    steps: Sequence[tuple[Instant, float]], starts_at: Instant, ends_at: Instant, terms: Terms
) -> list[ChargingSchedulePeriod]:
    powers: dict[int, float] = {0: 0.0}
    now_w = 0.0
    for at, step_w in steps:
        if at >= ends_at:
            break
        was_w, now_w = now_w, max(0.0, step_w)  # 1.6 cannot give back
        second, within = divmod(max(0, at - starts_at), MS_PER_SECOND)
        if within:
            powers[second] = min(powers.get(second, was_w), now_w)
            second += 1
        powers[second] = now_w
    whole = (ends_at - starts_at) // MS_PER_SECOND
    told = sorted((second, power_w) for second, power_w in powers.items() if second < max(1, whole))
    changed = [told[0]] + [one for earlier, one in pairwise(told) if one[1] != earlier[1]]
    return [limit_of(power_w, terms, second) for second, power_w in changed]
