"""What a station tells of itself: that it has booted, that it lives, what its connectors are up to."""

from __future__ import annotations

from msgspec.structs import replace

from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.csms.central import Central
from voltbench.ocpp.v16.csms.dossier import Dossier
from voltbench.ocpp.v16.csms.records import ConnectorState, Setting
from voltbench.ocpp.v16.csms.reply import Reply, given, json_of
from voltbench.ocpp.wire_types import instant
from voltbench.quantities import Instant, rfc3339


def boot(central: Central, now: Instant, dossier: Dossier, request: m.BootNotification) -> Reply:
    """A station has booted: what had to wait for that is in force, and it hears whether it may take part."""
    told = json_of(request)
    station = dossier.put(replace(dossier.station, booted_at=now, seen_at=now, boot=told))
    settled = [dossier.put(replace(one, needs_reboot=False)) for one in _waiting(dossier)]
    policy, registration = central.policy, station.registration
    response = m.BootNotificationResponse(
        status=registration,
        current_time=rfc3339(now),
        interval=policy.heartbeat_s if registration == "Accepted" else policy.retry_boot_s,
    )
    return Reply(response, (station, *settled, dossier.event(now, "BootNotification", told)))


def _waiting(dossier: Dossier) -> list[Setting]:
    return [setting for setting in dossier.settings() if setting.needs_reboot]


def heartbeat(_central: Central, now: Instant, _dossier: Dossier, _request: m.Heartbeat) -> Reply:
    """A station lives, and sets its clock."""
    return Reply(m.HeartbeatResponse(current_time=rfc3339(now)))


def status(_central: Central, now: Instant, dossier: Dossier, request: m.StatusNotification) -> Reply:
    """A connector is in another state. What comes late from an offline time does not hide what is newer."""
    event = dossier.event(now, "StatusNotification", json_of(request))
    before = dossier.connector(request.connector_id)
    told_at = instant(request.timestamp) if request.timestamp else None
    if told_at is not None and _is_older(now, told_at, before):
        return Reply(m.StatusNotificationResponse(), (event,))
    is_done = before.is_scheduled and request.status in ("Unavailable", "Available")
    state = replace(
        before,
        status=request.status,
        error_code=request.error_code,
        info=given(request.info),
        vendor_id=given(request.vendor_id),
        vendor_error_code=given(request.vendor_error_code),
        at=now if told_at is None else min(now, told_at),
        told_at=told_at,
        is_scheduled=before.is_scheduled and not is_done,
    )
    return Reply(m.StatusNotificationResponse(), (dossier.put(state), event))


def _is_older(now: Instant, told_at: Instant, known: ConnectorState) -> bool:
    """Which of two statuses is the older one says the station's own clock, wherever it stands.

    One that was ahead of ours and is not any more has been set right: what it says now is newer.
    """
    if known.told_at is None or known.at is None or told_at >= known.told_at:
        return False
    return told_at > now or told_at < known.at
