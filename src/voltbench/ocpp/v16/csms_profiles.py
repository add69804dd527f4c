"""What the energy manager wants of a station, as charging profiles of OCPP 1.6."""

from __future__ import annotations

from typing import Protocol

from voltbench.ocpp.v16.messages import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    SetChargingProfile,
)
from voltbench.quantities import MS_PER_SECOND, Instant, rfc3339

FAILSAFE_PROFILE, POWER_PROFILE = 2_000_000_001, 2_000_000_100
"""Ids of our profiles; that of an EVSE's limit is counted from the second."""

HIGHEST_LEVEL = 90
"""The stack level of our limits: nobody else's profile is to stand above them."""


class Failsafe(Protocol):
    """What each EVSE of a station may draw when nothing else is said."""

    @property
    def power_w(self) -> float:
        """In W."""


class Power(Protocol):
    """What a transaction may draw until an instant."""

    @property
    def evse(self) -> int:
        """The EVSE where it goes on."""

    @property
    def transaction(self) -> str:
        """What the CSMS calls it."""

    @property
    def power_w(self) -> float:
        """In W."""

    @property
    def since(self) -> Instant:
        """When it begins to hold."""

    @property
    def until(self) -> Instant:
        """When it ends by itself."""


def failsafe_profile(failsafe: Failsafe) -> SetChargingProfile:
    """The TxDefaultProfile that a station falls back to."""
    profile = ChargingProfile(
        charging_profile_id=FAILSAFE_PROFILE,
        stack_level=0,
        charging_profile_purpose="TxDefaultProfile",
        charging_profile_kind="Relative",
        charging_schedule=_constant(failsafe.power_w),
    )
    return SetChargingProfile(connector_id=0, cs_charging_profiles=profile)


def power_profile(power: Power) -> SetChargingProfile:
    """The TxProfile that limits a transaction until it ends by itself: in whole seconds, rather sooner."""
    seconds = (power.until - power.since) // MS_PER_SECOND
    profile = ChargingProfile(
        charging_profile_id=POWER_PROFILE + power.evse,
        transaction_id=int(power.transaction),
        stack_level=HIGHEST_LEVEL,
        charging_profile_purpose="TxProfile",
        charging_profile_kind="Absolute",
        charging_schedule=_constant(power.power_w, rfc3339(power.since), seconds),
    )
    return SetChargingProfile(connector_id=power.evse, cs_charging_profiles=profile)


def _constant(power_w: float, start: str | None = None, seconds: int | None = None) -> ChargingSchedule:
    """A limit in W, rounded down to the tenth that OCPP has."""
    period = ChargingSchedulePeriod(start_period=0, limit=int(power_w * 10.0) / 10.0)
    if start is None or seconds is None:
        return ChargingSchedule(charging_rate_unit="W", charging_schedule_period=(period,))
    return ChargingSchedule(
        duration=seconds, start_schedule=start, charging_rate_unit="W", charging_schedule_period=(period,)
    )
