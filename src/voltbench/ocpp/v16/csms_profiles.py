"""What the energy manager wants of a station, as charging profiles of OCPP 1.6."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from msgspec import UNSET

from voltbench.ocpp.limit_terms import HIGHEST_LEVEL, USUAL, Terms
from voltbench.ocpp.v16.messages import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    SetChargingProfile,
)
from voltbench.quantities import MS_PER_SECOND, NOMINAL_VOLTAGE_V, Instant, rfc3339

FAILSAFE_PROFILE, POWER_PROFILE = 2_000_000_001, 2_000_000_100
"""Ids of our profiles; that of an EVSE's limit is counted from the second."""

UNIT_KEY, LEVEL_KEY = "ChargingScheduleAllowedChargingRateUnit", "ChargeProfileMaxStackLevel"
"""The configuration keys by which a station says which profiles it takes."""


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


def terms_told(units: str | None, level: str | None, voltage_v: float, phases: int) -> Terms:
    """The terms that a station has told by its configuration: in A only where it does not take W."""
    words = {word.strip().casefold() for word in (units or "").split(",")}
    in_a = bool(words & {"current", "a"}) and not words & {"power", "w"}
    level = (level or "").strip()
    highest = min(HIGHEST_LEVEL, int(level)) if level.isascii() and level.isdigit() else HIGHEST_LEVEL
    return Terms(in_a, highest, voltage_v, phases)


def failsafe_profile(failsafe: Failsafe, terms: Terms = USUAL) -> SetChargingProfile:
    """The TxDefaultProfile that a station falls back to."""
    profile = ChargingProfile(
        charging_profile_id=FAILSAFE_PROFILE,
        stack_level=0,
        charging_profile_purpose="TxDefaultProfile",
        charging_profile_kind="Relative",
        charging_schedule=_constant(failsafe.power_w, terms),
    )
    return SetChargingProfile(connector_id=0, cs_charging_profiles=profile)


def power_profile(power: Power, terms: Terms = USUAL) -> SetChargingProfile:
    """The TxProfile that limits a transaction until it ends by itself: in whole seconds, rather sooner."""
    seconds = (power.until - power.since) // MS_PER_SECOND
    profile = ChargingProfile(
        charging_profile_id=POWER_PROFILE + power.evse,
        transaction_id=int(power.transaction),
        stack_level=terms.highest_level,
        charging_profile_purpose="TxProfile",
        charging_profile_kind="Absolute",
        charging_schedule=_constant(power.power_w, terms, rfc3339(power.since), seconds),
    )
    return SetChargingProfile(connector_id=power.evse, cs_charging_profiles=profile)


@dataclass(frozen=True, slots=True)
class Held:
    """What a transaction may draw by one of our limits, and until when."""

    power_w: float
    until: Instant


def held_by(profile: ChargingProfile, transaction: str, told_at: Instant) -> Held | None:
    """What a transaction may draw by this profile; None where it is no limit of ours for this transaction.

    It ends so long after it was told, at the latest; when it begins it says by the station's own clock.
    """
    schedule = profile.charging_schedule
    is_ours = profile.charging_profile_id >= POWER_PROFILE and profile.charging_profile_purpose == "TxProfile"
    if not is_ours or profile.transaction_id is UNSET or str(profile.transaction_id) != transaction:
        return None
    if schedule.duration is UNSET:
        return None
    until = told_at + schedule.duration * MS_PER_SECOND
    period = schedule.charging_schedule_period[0]
    phases = 3 if period.number_phases is UNSET else period.number_phases
    w_each = 1.0 if schedule.charging_rate_unit == "W" else NOMINAL_VOLTAGE_V * phases
    return Held(period.limit * w_each, until)


def _constant(power_w: float, terms: Terms, start: str | None = None, seconds: int | None = None) -> ChargingSchedule:
    phases = terms.told_phases
    period = ChargingSchedulePeriod(
        start_period=0, limit=terms.limit(power_w), number_phases=UNSET if phases is None else phases
    )
    return ChargingSchedule(
        duration=UNSET if seconds is None else seconds,
        start_schedule=UNSET if start is None else start,
        charging_rate_unit="A" if terms.in_a else "W",
        charging_schedule_period=(period,),
    )
