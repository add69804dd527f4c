"""Charging profiles as OCPP 1.6 has them, and what the CSMS may do with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import floor
from typing import TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from voltbench.charging.profile import Kind, Period, Profile, Purpose, Recurrency, Schedule, Stretch, Supply, Unit
from voltbench.errors import NotFound
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.messages import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    ClearChargingProfile,
    ClearChargingProfileResponse,
    GetCompositeSchedule,
    GetCompositeScheduleResponse,
    SetChargingProfile,
    SetChargingProfileResponse,
)
from voltbench.ocpp.v16.station.desk import Desk
from voltbench.ocpp.v16.station.outbox import Outbox
from voltbench.ocpp.wire_types import instant, read
from voltbench.quantities import MS_PER_SECOND, DurationMs, Instant, rfc3339

PURPOSES = {
    "ChargePointMaxProfile": Purpose.STATION_MAX,
    "TxDefaultProfile": Purpose.TX_DEFAULT,
    "TxProfile": Purpose.TX,
}
_NAMES: dict[Purpose, m.ChargingProfilePurposeType] = {
    Purpose.STATION_MAX: "ChargePointMaxProfile",
    Purpose.TX_DEFAULT: "TxDefaultProfile",
    Purpose.TX: "TxProfile",
}
_UNITS = {Unit.A: "Current", Unit.W: "Power"}
"""What ChargingScheduleAllowedChargingRateUnit calls the unit of a schedule."""

LONGEST_WINDOW_S = 7 * 86_400
"""Composite schedules reach no further."""

LARGEST_LIMIT = 1e9
"""In W or A: more than any station has, and still a number after whatever is done to it."""

_TENTHS = 1e-7
"""Room for rounding, in tenths of W or A: 16 A are not to become 15.9."""

_Told: TypeAlias = tuple[float, int]
"""A limit as it is told, in tenths of W or A, and the phases it is on."""


class Profiles:
    """What the CSMS does with the charging profiles of a station."""

    __slots__ = ("_desk", "_outbox")

    def __init__(self, desk: Desk, outbox: Outbox) -> None:
        self._desk = desk
        self._outbox = outbox
        desk.life.profiles.on_removal = self._forget

    def install(self, now: Instant, request: SetChargingProfile) -> SetChargingProfileResponse:
        """Install a profile. OCPP 1.6 edition 2, sections 3.13 and 5.16."""
        sent, evse = request.cs_charging_profiles, request.connector_id
        profile = profile_of(sent)
        if not (is_acceptable(self._desk, evse, profile) and self._is_for_us(evse, sent, profile)):
            return SetChargingProfileResponse(status="Rejected")
        life = self._desk.life
        life.profiles.install(now, evse, profile)
        if profile.purpose is not Purpose.TX:
            self._desk.keep(_key(evse, profile), msgspec.json.encode((now, sent)))
        life.changed(now)
        return SetChargingProfileResponse(status="Accepted")

    def _is_for_us(self, evse: int, sent: ChargingProfile, profile: Profile) -> bool:
        if profile.purpose is Purpose.STATION_MAX:
            return evse == 0 and profile.kind is not Kind.RELATIVE
        if profile.purpose is Purpose.TX_DEFAULT:
            return True
        running = self._desk.life.evse(evse).transaction if evse > 0 else None
        if running is None:
            return False
        return sent.transaction_id is UNSET or self._outbox.number(sent.transaction_id) == running.number

    def clear(self, now: Instant, request: ClearChargingProfile) -> ClearChargingProfileResponse:
        """Remove profiles: that of an id, or all that fit what is said. OCPP 1.6 edition 2, section 5.5."""

        def fits(evse: int, profile: Profile) -> bool:
            if request.id is not UNSET:
                return profile.id == request.id
            return (
                request.connector_id in (UNSET, evse)
                and request.charging_profile_purpose in (UNSET, _NAMES.get(profile.purpose))
                and request.stack_level in (UNSET, profile.stack_level)
            )

        gone = self._desk.life.profiles.clear(fits)
        self._desk.life.changed(now)
        return ClearChargingProfileResponse(status="Accepted" if gone else "Unknown")

    def _forget(self, evse: int, profile: Profile) -> None:
        if profile.purpose is not Purpose.TX:  # which ends with its transaction, and is never kept
            self._desk.keep(_key(evse, profile), None)

    def composite(self, now: Instant, request: GetCompositeSchedule) -> GetCompositeScheduleResponse:
        """The limit over the next seconds, and in which unit. OCPP 1.6 edition 2, section 5.7."""
        life = self._desk.life
        try:
            evse = life.evse(request.connector_id) if request.connector_id else None
        except NotFound:
            return GetCompositeScheduleResponse(status="Rejected")
        if request.duration < 0:
            return GetCompositeScheduleResponse(status="Rejected")
        duration_s = min(request.duration, LONGEST_WINDOW_S)
        supply = life.powering.supply(evse) if evse is not None else life.powering.station_supply()
        is_dc = evse is not None and evse.feed.model.is_dc
        unit = Unit(request.charging_rate_unit or ("W" if is_dc else "A"))
        stretches = life.powering.schedule(now, evse, now + duration_s * MS_PER_SECOND)
        return GetCompositeScheduleResponse(
            status="Accepted",
            connector_id=request.connector_id,
            schedule_start=rfc3339(now),
            charging_schedule=_schedule(now, duration_s, stretches, supply, unit, in_all=evse is None),
        )

    def restore(self, key: str, kept: bytes) -> None:
        """Take up a profile that was kept under a key."""
        since, payload = msgspec.json.decode(kept, type=tuple[Instant, msgspec.Raw])
        _, evse, _ = key.split("/")
        self._desk.life.profiles.install(since, int(evse), profile_of(read(ChargingProfile, payload)))


def is_acceptable(desk: Desk, evse: int, profile: Profile) -> bool:
    """Whether a station takes a profile for an EVSE at all, by what its keys allow; 0 is the whole station."""
    keys, schedule = desk.configuration, profile.schedule
    starts = [period.start_s for period in schedule.periods]
    return (
        0 <= evse <= len(desk.life.evses)
        and 0 <= profile.stack_level <= keys.whole("ChargeProfileMaxStackLevel")
        and _UNITS[schedule.unit] in keys.listed("ChargingScheduleAllowedChargingRateUnit")
        and 0 < len(starts) <= keys.whole("ChargingScheduleMaxPeriods")
        and starts[0] == 0
        and all(a < b for a, b in pairwise(starts))
        and all(0.0 <= period.limit <= LARGEST_LIMIT and 1 <= period.phases <= 3 for period in schedule.periods)
        and (schedule.duration_s is None or schedule.duration_s > 0)
        and (profile.kind is Kind.RECURRING) == (profile.recurrency is not None)
        and desk.life.profiles.beside(evse, profile) < keys.whole("MaxChargingProfilesInstalled")
    )


def _key(evse: int, profile: Profile) -> str:
    return f"profile/{evse}/{profile.id}"


def profile_of(sent: ChargingProfile) -> Profile:
    """A profile as the bench knows it."""
    schedule = sent.charging_schedule
    return Profile(
        id=sent.charging_profile_id,
        stack_level=sent.stack_level,
        purpose=PURPOSES[sent.charging_profile_purpose],
        kind=Kind(sent.charging_profile_kind),
        schedule=Schedule(
            unit=Unit(schedule.charging_rate_unit),
            periods=tuple(
                Period(p.start_period, p.limit, 3 if p.number_phases is UNSET else p.number_phases)
                for p in schedule.charging_schedule_period
            ),
            start=_instant(schedule.start_schedule),
            duration_s=None if schedule.duration is UNSET else schedule.duration,
            minimum=None if schedule.min_charging_rate is UNSET else schedule.min_charging_rate,
        ),
        recurrency=None if sent.recurrency_kind is UNSET else Recurrency(sent.recurrency_kind),
        valid_from=_instant(sent.valid_from),
        valid_to=_instant(sent.valid_to),
    )


def _instant(timestamp: str | UnsetType) -> Instant | None:
    return None if isinstance(timestamp, UnsetType) else instant(timestamp)


def _schedule(
    now: Instant, duration_s: int, stretches: Sequence[Stretch], supply: Supply, unit: Unit, *, in_all: bool
) -> ChargingSchedule:
    """Stretches as a schedule from now; in A they are those of each phase that may be used: of a station, of all."""

    def told(stretch: Stretch) -> _Told:
        phases = supply.phases if in_all else stretch.phases
        limit = stretch.limit_w if unit is Unit.W else stretch.limit_w / (supply.voltage_v * phases)
        return floor(limit * 10.0 + _TENTHS) / 10.0, phases

    return ChargingSchedule(
        duration=duration_s,
        start_schedule=rfc3339(now),
        charging_rate_unit=unit.value,
        charging_schedule_period=tuple(
            ChargingSchedulePeriod(start_period=second, limit=limit, number_phases=UNSET if phases == 3 else phases)
            for second, (limit, phases) in _by_second([(s.start - now, told(s)) for s in stretches])
            if second < max(1, duration_s)
        ),
    )


def _by_second(changes: Sequence[tuple[DurationMs, _Told]]) -> Iterator[tuple[int, _Told]]:
    """What holds from which second on; the least of what is said within a second holds in all of it.

    Another profile may say the same as the one before: that is nothing new.
    """
    seconds: dict[int, _Told] = {}
    before = changes[0][1]
    for since_ms, told in changes:
        second, within = divmod(since_ms, MS_PER_SECOND)
        if within:
            limit, phases = seconds.get(second, before)
            seconds[second] = min(limit, told[0]), min(phases, told[1])
            second += 1
        seconds[second] = before = told
    last: _Told | None = None
    for second, told in seconds.items():
        if told != last:
            yield second, told
        last = told
