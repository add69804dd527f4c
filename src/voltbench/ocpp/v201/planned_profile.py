"""A plan for a car as a charging profile of OCPP 2.0.1, which its station follows by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import UNSET

from voltbench.errors import InvalidInput
from voltbench.ocpp.limit_terms import Terms
from voltbench.ocpp.planned_limits import PLAN_LEVEL, PLAN_PROFILE, planned_limits
from voltbench.ocpp.v201.messages import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    SetChargingProfile,
)
from voltbench.quantities import MS_PER_SECOND, Instant, rfc3339

MOST_PERIODS = 1_024
"""In a schedule; a station may take fewer (PeriodsPerSchedule of its SmartChargingCtrlr)."""

_TRANSACTION_ID = re.compile(r"[a-zA-Z0-9*\-_=:+|@.]{1,36}")
"""An identifierString[36] (OCPP 2.0.1 Part 2, 2.1)."""

_SCHEDULE = 1


def planned_profile(
    steps: Sequence[tuple[Instant, float]],
    starts_at: Instant,
    ends_at: Instant,
    *,
    terms: Terms,
    evse_id: int = 1,
    transaction_id: str | None = None,
    most_periods: int = MOST_PERIODS,
) -> SetChargingProfile:
    """What sets the profile that allows the limits of `planned_limits` at an EVSE; 0 is all of them.

    With a transaction it is a TxProfile of it, which needs its EVSE, else a TxDefaultProfile for whoever comes. It has
    one schedule: several would be for a car to choose from. Raises InvalidInput where the station cannot take so many
    periods, or where this is no transaction.
    """
    if transaction_id is not None:
        if not _TRANSACTION_ID.fullmatch(transaction_id):
            allowed = "1 to 36 of a-z, A-Z, 0-9 and *-_=:+|@."
            raise InvalidInput("transaction_id", "is not one of OCPP 2.0.1", found=transaction_id, allowed=allowed)
        if evse_id == 0:
            raise InvalidInput("evse_id", "is that of no transaction", found=evse_id, allowed="1 or more")
    limits = planned_limits(steps, starts_at, ends_at, terms, most_periods)
    periods = (
        ChargingSchedulePeriod(start_period=second, limit=limit, number_phases=UNSET if phases is None else phases)
        for second, limit, phases in limits
    )
    schedule = ChargingSchedule(
        id=_SCHEDULE,
        start_schedule=rfc3339(starts_at),
        duration=(ends_at - starts_at) // MS_PER_SECOND,
        charging_rate_unit="A" if terms.in_a else "W",
        charging_schedule_period=tuple(periods),
    )
    profile = ChargingProfile(
        id=PLAN_PROFILE,
        stack_level=min(PLAN_LEVEL, terms.highest_level),
        charging_profile_purpose="TxDefaultProfile" if transaction_id is None else "TxProfile",
        charging_profile_kind="Absolute",
        valid_to=rfc3339(ends_at),
        charging_schedule=(schedule,),
        transaction_id=UNSET if transaction_id is None else transaction_id,
    )
    return SetChargingProfile(evse_id=evse_id, charging_profile=profile)
