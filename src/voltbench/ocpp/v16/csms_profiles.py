"""What the energy manager wants of a station, as charging profiles of OCPP 1.6."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from msgspec import UNSET

from voltbench.ocpp.v16.messages import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    SetChargingProfile,
)
from voltbench.ocpp.wire_types import instant
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


@dataclass(frozen=True, slots=True)
class Held:
    """What a transaction may draw by one of our limits, and until when."""

    power_w: float
    until: Instant


def held_by(profile: ChargingProfile, transaction: str) -> Held | None:
    """What a transaction may draw by this profile; None where it is no limit of ours for this transaction."""
    schedule = profile.charging_schedule
    is_ours = profile.charging_profile_id >= POWER_PROFILE and profile.stack_level == HIGHEST_LEVEL
    if not is_ours or profile.transaction_id is UNSET or str(profile.transaction_id) != transaction:
        return None
    if schedule.start_schedule is UNSET or schedule.duration is UNSET:
        return None
    until = instant(schedule.start_schedule) + schedule.duration * MS_PER_SECOND
    return Held(schedule.charging_schedule_period[0].limit, until)


def _constant(power_w: float, start: str | None = None, seconds: int | None = None) -> ChargingSchedule:
    """A limit in W, rounded down to the tenth that OCPP has."""
    period = ChargingSchedulePeriod(start_period=0, limit=int(power_w * 10.0) / 10.0)
    if start is None or seconds is None:
        return ChargingSchedule(charging_rate_unit="W", charging_schedule_period=(period,))
    return ChargingSchedule(
        duration=seconds, start_schedule=start, charging_rate_unit="W", charging_schedule_period=(period,)
    )
