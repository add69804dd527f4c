"""What follows from a command that a station has answered: the records are made to agree with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from voltbench.charging.authorization import is_same_token
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.csms.central import Central
from voltbench.ocpp.v16.csms.dossier import Dossier
from voltbench.ocpp.v16.csms.keys import is_secret
from voltbench.ocpp.v16.csms.records import ConnectorState, InstalledProfile, LocalList, Record, Reservation, Setting
from voltbench.ocpp.v16.csms.reply import given, json_of
from voltbench.ocpp.v16.csms.storable import is_storable, storable
from voltbench.ocpp.wire_types import instant
from voltbench.quantities import Instant

Effect: TypeAlias = Callable[[Central, Instant, Dossier, Any, Any], list[Record]]


def effects(central: Central, now: Instant, dossier: Dossier, request: Struct, response: Struct) -> list[Record]:
    """The records that change because a station has answered a command so."""
    effect = EFFECTS.get(type(request))
    return effect(central, now, dossier, request, response) if effect is not None else []


# --- configuration --------------------------------------------------------------------------------------------------


def _configuration(
    _central: Central, now: Instant, dossier: Dossier, _: m.GetConfiguration, response: m.GetConfigurationResponse
) -> list[Record]:
    told = response.configuration_key or ()
    return [_setting(now, dossier, one.key, one.value or None, readonly=one.readonly) for one in told]


def _setting(
    now: Instant,
    dossier: Dossier,
    key: str,
    setting: str | None,
    *,
    readonly: bool = False,
    needs_reboot: bool = False,
) -> Setting:
    """What is known of a key, under the name in which it is known already."""
    known = dossier.setting(key)
    told = Setting(
        station_id=dossier.id,
        key=known.key if known is not None else storable(key),
        setting=None if setting is None or is_secret(key) else storable(setting),
        readonly=readonly,
        needs_reboot=needs_reboot,
        at=now,
    )
    return dossier.put(told)


def password_in(request: Struct) -> str | None:
    """The password that a station is asked to take, if it is asked for that."""
    return request.value if isinstance(request, m.ChangeConfiguration) and is_secret(request.key) else None


def _changed(
    central: Central,
    now: Instant,
    dossier: Dossier,
    request: m.ChangeConfiguration,
    response: m.ChangeConfigurationResponse,
) -> list[Record]:
    if response.status not in ("Accepted", "RebootRequired"):
        return [central.expect_no_more(dossier, request.value)] if is_secret(request.key) else []
    needs_reboot = response.status == "RebootRequired"
    return [_setting(now, dossier, request.key, request.value, needs_reboot=needs_reboot)]


def _availability(
    _central: Central,
    _now: Instant,
    dossier: Dossier,
    request: m.ChangeAvailability,
    response: m.ChangeAvailabilityResponse,
) -> list[Record]:
    """Connector 0 stands for all of them (section 5.2)."""
    if response.status == "Rejected":
        return []
    ids = {0, *dossier.connectors} if request.connector_id == 0 else {request.connector_id}
    is_scheduled = response.status == "Scheduled"

    def changed(id: int) -> ConnectorState:
        state = replace(dossier.connector(id), availability=request.type, is_scheduled=is_scheduled)
        return dossier.put(state)

    return [changed(id) for id in sorted(ids)]


# --- reservations ---------------------------------------------------------------------------------------------------


def _reserved(
    _central: Central, now: Instant, dossier: Dossier, request: m.ReserveNow, response: m.ReserveNowResponse
) -> list[Record]:
    before = dossier.reservations.get(request.reservation_id)
    if response.status != "Accepted" and before is not None and before.state == "Active":
        return []  # the one that could not be changed still stands
    reservation = Reservation(
        station_id=dossier.id,
        reservation_id=request.reservation_id,
        connector_id=request.connector_id,
        id_token=request.id_tag,
        group=given(request.parent_id_tag),
        expires_at=instant(request.expiry_date),
        state="Active" if response.status == "Accepted" else response.status,
        changed_at=now,
    )
    return [dossier.put(reservation)]


def _unreserved(
    _central: Central,
    now: Instant,
    dossier: Dossier,
    request: m.CancelReservation,
    response: m.CancelReservationResponse,
) -> list[Record]:
    """A station that knows no such reservation rejects; then it is over all the same, for nobody holds it."""
    found = dossier.reservations.get(request.reservation_id)
    if found is None or found.state != "Active":
        return []
    state = replace(found, state="Cancelled" if response.status == "Accepted" else "Expired", changed_at=now)
    return [dossier.put(state)]


# --- charging profiles ----------------------------------------------------------------------------------------------


def _profile_set(
    _central: Central,
    now: Instant,
    dossier: Dossier,
    request: m.SetChargingProfile,
    response: m.SetChargingProfileResponse,
) -> list[Record]:
    if response.status != "Accepted":
        return []
    return _installed(now, dossier, request.connector_id, request.cs_charging_profiles)


def _remotely_started(
    _central: Central,
    now: Instant,
    dossier: Dossier,
    request: m.RemoteStartTransaction,
    response: m.RemoteStartTransactionResponse,
) -> list[Record]:
    profile = request.charging_profile
    if response.status != "Accepted" or not profile or not request.connector_id:
        return []
    return _installed(now, dossier, request.connector_id, profile)


def _installed(now: Instant, dossier: Dossier, connector_id: int, profile: m.ChargingProfile) -> list[Record]:
    """A profile takes the place of the one with its id, and of the one at its place (section 5.16.1)."""
    installed = InstalledProfile(
        station_id=dossier.id,
        profile_id=profile.charging_profile_id,
        connector_id=connector_id,
        purpose=profile.charging_profile_purpose,
        stack_level=profile.stack_level,
        transaction_id=given(profile.transaction_id),
        profile=json_of(profile),
        installed_at=now,
    )
    place = (installed.connector_id, installed.purpose, installed.stack_level)
    replaced = [
        dossier.put(replace(one, cleared_at=now))
        for one in list(dossier.profiles.values())
        if one.cleared_at is None
        and (one.connector_id, one.purpose, one.stack_level) == place
        and one.profile_id != installed.profile_id
    ]
    return [*replaced, dossier.put(installed)]


def _cleared(
    _central: Central,
    now: Instant,
    dossier: Dossier,
    request: m.ClearChargingProfile,
    response: m.ClearChargingProfileResponse,
) -> list[Record]:
    """An id names one profile; the other criteria have to be met all of them (section 5.5)."""
    is_unknown = response.status == "Unknown"
    if is_unknown and request.id is UNSET:
        return []
    return [
        dossier.put(replace(one, cleared_at=now))
        for one in list(dossier.profiles.values())
        if one.cleared_at is None and _is_meant(request, one)
    ]


def _is_meant(request: m.ClearChargingProfile, profile: InstalledProfile) -> bool:
    if request.id is not UNSET:
        return profile.profile_id == request.id
    asked = (
        (request.connector_id, profile.connector_id),
        (request.charging_profile_purpose, profile.purpose),
        (request.stack_level, profile.stack_level),
    )
    return all(wanted is UNSET or wanted == found for wanted, found in asked)


# --- local list -----------------------------------------------------------------------------------------------------


def _list_sent(
    _central: Central, now: Instant, dossier: Dossier, request: m.SendLocalList, response: m.SendLocalListResponse
) -> list[Record]:
    if response.status != "Accepted":
        return []
    before = dossier.local_list
    entries: dict[str, Any] = {}
    if request.update_type == "Differential" and before is not None:
        entries = msgspec.json.decode(before.entries)
    for entry in request.local_authorization_list or ():
        _update(entries, entry)
    return [_list(now, dossier, request.list_version, json_of(entries))]


def _update(entries: dict[str, Any], entry: m.AuthorizationData) -> None:
    """A token without anything known of it is taken off the list."""
    for known in [name for name in entries if is_same_token(name, entry.id_tag)]:
        del entries[known]
    if entry.id_tag_info is not UNSET:
        entries[entry.id_tag] = msgspec.to_builtins(entry.id_tag_info)


def _list_version(
    _central: Central,
    now: Instant,
    dossier: Dossier,
    _: m.GetLocalListVersion,
    response: m.GetLocalListVersionResponse,
) -> list[Record]:
    """What is on a list of another version than ours we do not know."""
    before = dossier.local_list
    version = response.list_version
    if (before is not None and before.version == version) or not is_storable(version):
        return []
    return [_list(now, dossier, version, "{}")]


def _list(now: Instant, dossier: Dossier, version: int, entries: str) -> LocalList:
    return dossier.put(LocalList(station_id=dossier.id, version=version, entries=entries, at=now))


# --- files, schedules, certificates ---------------------------------------------------------------------------------


def _noted(topic: str, holds: Callable[[Any], bool] = lambda _: True) -> Effect:
    """Remember what was asked and answered, where the answer is worth it."""

    def note(_central: Central, now: Instant, dossier: Dossier, request: Any, response: Any) -> list[Record]:
        if not holds(response):
            return []
        return [dossier.note(now, topic, json_of({"asked": request, "answered": response}))]

    return note


def _schedule(
    _central: Central,
    now: Instant,
    dossier: Dossier,
    request: m.GetCompositeSchedule,
    response: m.GetCompositeScheduleResponse,
) -> list[Record]:
    if response.status != "Accepted":
        return []
    return [dossier.note(now, f"composite-schedule/{request.connector_id}", json_of(response))]


def _certificates(
    _central: Central,
    now: Instant,
    dossier: Dossier,
    request: m.GetInstalledCertificateIds,
    response: m.GetInstalledCertificateIdsResponse,
) -> list[Record]:
    return [dossier.note(now, f"certificates/{request.certificate_type}", json_of(response))]


def _is_accepted(response: Any) -> bool:
    return str(response.status).startswith("Accepted")


EFFECTS: Mapping[type[Struct], Effect] = {
    m.CancelReservation: _unreserved,
    m.CertificateSigned: _noted("certificate", _is_accepted),
    m.ChangeAvailability: _availability,
    m.ChangeConfiguration: _changed,
    m.ClearCache: _noted("cache-cleared", _is_accepted),
    m.ClearChargingProfile: _cleared,
    m.DeleteCertificate: _noted("certificate-deleted", _is_accepted),
    m.GetCompositeSchedule: _schedule,
    m.GetConfiguration: _configuration,
    m.GetDiagnostics: _noted("diagnostics-asked"),
    m.GetInstalledCertificateIds: _certificates,
    m.GetLocalListVersion: _list_version,
    m.GetLog: _noted("log-asked", _is_accepted),
    m.InstallCertificate: _noted("certificate-installed", _is_accepted),
    m.RemoteStartTransaction: _remotely_started,
    m.ReserveNow: _reserved,
    m.Reset: _noted("reset", _is_accepted),
    m.SendLocalList: _list_sent,
    m.SetChargingProfile: _profile_set,
    m.SignedUpdateFirmware: _noted("firmware-asked", _is_accepted),
    m.UpdateFirmware: _noted("firmware-asked"),
}
"""The other commands (triggers, unlocking, remote stops, data) change what the station tells next, and no record."""
