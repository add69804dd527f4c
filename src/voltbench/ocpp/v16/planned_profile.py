"""A plan for a car as a charging profile of OCPP 1.6, which its station follows by itself."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from voltbench.ocpp.limit_terms import USUAL, Terms
from voltbench.ocpp.planned_limits import PLAN_LEVEL, PLAN_PROFILE, planned_limits
from voltbench.ocpp.v16.messages import ChargingProfile, ChargingSchedule, ChargingSchedulePeriod
from voltbench.quantities import MS_PER_SECOND, Instant, rfc3339

LARGEST_INTEGER = 2**31 - 1
"""What an integer of OCPP 1.6 may be: it has 32 bits (xs:int in the messages of OCPP 1.6-S)."""


def planned_profile(
    steps: Sequence[tuple[Instant, float]],
    starts_at: Instant,
    ends_at: Instant,
    *,
    terms: Terms = USUAL,
    transaction_id: int | None = None,
    most_periods: int = 500,
) -> ChargingProfile:
    """The profile that allows the limits of `planned_limits`.

    With a transaction it is a TxProfile of it, else a TxDefaultProfile for whoever comes.
    Raises InvalidInput where the station cannot take so many periods.
    """
    limits = planned_limits(steps, starts_at, ends_at, terms, most_periods)
    periods = (
        ChargingSchedulePeriod(start_period=second, limit=limit, number_phases=UNSET if phases is None else phases)
        for second, limit, phases in limits
    )
    return ChargingProfile(
        charging_profile_id=PLAN_PROFILE,
        transaction_id=UNSET if transaction_id is None else transaction_id,
        stack_level=min(PLAN_LEVEL, terms.highest_level),
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
