"""What the operator does with a station: availability, reservations, configuration, triggers, unlocking."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import UNSET

from voltbench.charging import wishes
from voltbench.charging.happenings import ReservationOver, StatusChanged
from voltbench.charging.reservation import Reservation
from voltbench.charging.status import Status
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.station.adopting import ADOPTED
from voltbench.ocpp.v16.station.certificates import Certificates
from voltbench.ocpp.v16.station.desk import Desk
from voltbench.ocpp.v16.station.diagnostics import Diagnostics
from voltbench.ocpp.v16.station.firmware import Firmware
from voltbench.ocpp.v16.station.keys import BY_NAME, listed
from voltbench.ocpp.v16.station.registration import Registration
from voltbench.ocpp.v16.station.securing import Securing
from voltbench.ocpp.v16.station.security import SecurityEvents
from voltbench.ocpp.v16.station.transactions import Transactions, status_notification
from voltbench.ocpp.v16.station.wiring import rotations
from voltbench.ocpp.v16.vendor import transferred
from voltbench.ocpp.wire_types import instant
from voltbench.quantities import Instant

_REFUSALS: dict[Status, m.ReservationStatus] = {
    Status.FAULTED: "Faulted",
    Status.UNAVAILABLE: "Unavailable",
}


SECURING = ("AuthorizationKey", "SecurityProfile")
"""Keys by which a station connects: when one of them has changed, it does so anew."""


class Operating:
    """The operator's hand on a station."""

    __slots__ = ("_certificates", "_desk", "_diagnostics", "_firmware", "_registration", "_securing", "_security",
                 "_transactions")  # fmt: skip

    def __init__(
        self,
        desk: Desk,
        registration: Registration,
        transactions: Transactions,
        firmware: Firmware,
        diagnostics: Diagnostics,
        certificates: Certificates,
        security: SecurityEvents,
        securing: Securing,
    ) -> None:
        self._desk = desk
        self._registration = registration
        self._transactions = transactions
        self._firmware = firmware
        self._diagnostics = diagnostics
        self._certificates = certificates
        self._security = security
        self._securing = securing

    # --- availability and locks -------------------------------------------------------------------------------------

    def change_availability(self, now: Instant, request: m.ChangeAvailability) -> m.ChangeAvailabilityResponse:
        """Let an EVSE be used, or not, over reboots too. OCPP 1.6 edition 2, section 5.2."""
        evse, operative = request.connector_id, request.type == "Operative"
        is_barred = operative and evse > 0 and not self._desk.life.operative  # with the whole station
        if is_barred or not 0 <= evse <= len(self._desk.life.evses):
            return m.ChangeAvailabilityResponse(status="Rejected")
        at_once = wishes.set_operative(self._desk.life, now, evse, operative)
        for id in [evse] if evse else range(len(self._desk.life.evses) + 1):
            self._desk.keep(f"operative/{id}", None if operative else b"no")
        return m.ChangeAvailabilityResponse(status="Accepted" if at_once else "Scheduled")

    def unlock(self, _now: Instant, request: m.UnlockConnector) -> m.UnlockConnectorResponse:
        """Let go of the plug; a captive cable has no lock here. OCPP 1.6 edition 2, section 5.18.

        The lock of a socket that holds no cable opens all the same.
        """
        life, evse = self._desk.life, request.connector_id
        if not 1 <= evse <= len(life.evses) or not life.evse(evse).feed.model.is_socket:
            return m.UnlockConnectorResponse(status="NotSupported")
        self._desk.afterwards.append(lambda at: wishes.unlock(life, at, evse))
        return m.UnlockConnectorResponse(status="Unlocked")

    # --- reservations -----------------------------------------------------------------------------------------------

    def reserve(self, now: Instant, request: m.ReserveNow) -> m.ReserveNowResponse:
        """Keep an EVSE for somebody. OCPP 1.6 edition 2, section 5.13."""
        expires_at = instant(request.expiry_date)
        if request.connector_id == 0 and not self._desk.configuration.is_on("ReserveConnectorZeroSupported"):
            return m.ReserveNowResponse(status="Rejected")
        if not 0 <= request.connector_id <= len(self._desk.life.evses) or expires_at <= now:
            return m.ReserveNowResponse(status="Rejected")
        group = None if request.parent_id_tag is UNSET else request.parent_id_tag
        reservation = Reservation(request.reservation_id, request.connector_id, request.id_tag, expires_at, group)
        found = wishes.reserve(self._desk.life, now, reservation)
        if found is not None:
            return m.ReserveNowResponse(status=_REFUSALS.get(found, "Occupied"))
        self._desk.keep_struct(f"reservation/{reservation.id}", reservation)
        return m.ReserveNowResponse(status="Accepted")

    def cancel_reservation(self, now: Instant, request: m.CancelReservation) -> m.CancelReservationResponse:
        """Keep it no longer."""
        if not wishes.cancel_reservation(self._desk.life, now, request.reservation_id):
            return m.CancelReservationResponse(status="Rejected")
        self._desk.keep(f"reservation/{request.reservation_id}", None)
        return m.CancelReservationResponse(status="Accepted")

    def reservation_over(self, _now: Instant, fact: ReservationOver) -> None:
        """A reservation was used, or its time is over."""
        self._desk.keep(f"reservation/{fact.id}", None)

    # --- configuration ----------------------------------------------------------------------------------------------

    def get_configuration(self, _now: Instant, request: m.GetConfiguration) -> m.GetConfigurationResponse:
        """Tell of configuration keys."""
        return self._desk.configuration.tell(request)

    def change_configuration(self, now: Instant, request: m.ChangeConfiguration) -> m.ChangeConfigurationResponse:
        """Change a configuration key, and what goes by it."""
        keys = self._desk.configuration
        if self._connects_so_already(request):
            return m.ChangeConfigurationResponse(status="Accepted")
        profile = keys.text("SecurityProfile")
        response = keys.change(request, self._hindrance)
        if response.status in ("Accepted", "RebootRequired"):
            self._desk.keep(f"key/{request.key.lower()}", keys.text(_name(request.key)).encode())
            self._securing.try_out(profile)
            self._adopt(now, _name(request.key))
        return response

    def _connects_so_already(self, request: m.ChangeConfiguration) -> bool:
        """Whether a key by which the station connects is to be what it is: there is nothing to connect anew for."""
        found = next((name for name in SECURING if name.lower() == request.key.lower()), None)
        return found is not None and request.value.strip() == self._desk.configuration.text(found) != ""

    def _hindrance(self, name: str, setting: str) -> m.ConfigurationStatus | None:
        """Why a key cannot be set to what it may be set to elsewhere."""
        if name == "ConnectorPhaseRotation":
            parts, most = listed(setting), self._desk.configuration.whole("ConnectorPhaseRotationMaxLength")
            is_known = max(rotations(parts) or {}, default=0) <= len(self._desk.life.evses)
            return None if is_known and len(parts) <= most else "Rejected"
        return self._securing.hindrance(setting) if name == "SecurityProfile" else None

    def _adopt(self, now: Instant, name: str) -> None:
        """Go by a key that has changed."""
        if name in ADOPTED:
            ADOPTED[name](now, self._desk.life, self._desk.configuration)
        elif name == "HeartbeatInterval":
            self._registration.heartbeat_changed(now)
        elif name in SECURING:
            self._security.note(now, "ReconfigurationOfSecurityParameters", name)
            self._desk.afterwards.append(self._registration.reconnect)

    def adopt_all(self, now: Instant) -> None:
        """Go by every key, as a station does that boots."""
        for adopt in ADOPTED.values():
            adopt(now, self._desk.life, self._desk.configuration)

    # --- triggers ---------------------------------------------------------------------------------------------------

    def trigger(self, _now: Instant, request: m.TriggerMessage) -> m.TriggerMessageResponse:
        """Send a message now. OCPP 1.6 edition 2, section 5.17."""
        act = self._triggered(request.requested_message, request.connector_id)
        return m.TriggerMessageResponse(status=self._soon(act))

    def trigger_extended(self, _now: Instant, request: m.ExtendedTriggerMessage) -> m.ExtendedTriggerMessageResponse:
        """Send a message now. Whitepaper, section 4."""
        message = request.requested_message
        act = self._triggered(message, request.connector_id)
        if message == "SignChargePointCertificate":
            act = self._certificates.sign
        elif message == "LogStatusNotification":
            act = self._diagnostics.tell_log
        elif message == "FirmwareStatusNotification":
            act = self._firmware.tell_signed
        return m.ExtendedTriggerMessageResponse(status=self._soon(act))

    def _soon(self, act: Callable[[Instant], object] | None) -> m.TriggerMessageStatus:
        if act is None:
            return "Rejected"
        self._desk.afterwards.append(lambda now: (act(now), None)[1])
        return "Accepted"

    def _triggered(self, message: str, connector_id: int | msgspec.UnsetType) -> Callable[[Instant], object] | None:
        evses = [evse.id for evse in self._desk.life.evses]
        wanted = evses if connector_id is UNSET else [connector_id]
        if message in ("MeterValues", "StatusNotification") and not all(0 <= evse <= len(evses) for evse in wanted):
            return None
        acts: dict[str, Callable[[Instant], object]] = {
            "BootNotification": self._registration.boot,
            "Heartbeat": lambda now: self._desk.call(now, m.Heartbeat()),
            "MeterValues": lambda now: self._read(now, evses if wanted == [0] else wanted),
            "StatusNotification": lambda now: self._status(now, [0, *evses] if connector_id is UNSET else wanted),
            "FirmwareStatusNotification": self._firmware.tell,
            "DiagnosticsStatusNotification": self._diagnostics.tell,
        }
        return acts.get(message)

    def _read(self, now: Instant, evses: list[int]) -> None:
        for evse in evses:
            self._transactions.read_now(now, evse, self._desk.life.evse(evse).feed.reading(now))

    def _status(self, now: Instant, evses: list[int]) -> None:
        life = self._desk.life
        for evse in evses:
            error = life.evse(evse).fault if evse else life.fault
            self._desk.call(now, status_notification(StatusChanged(now, evse, life.status(evse), error)))

    # --- a vendor's own ---------------------------------------------------------------------------------------------

    def data_transfer(self, _now: Instant, request: m.DataTransfer) -> m.DataTransferResponse:
        """A vendor's own message: ours comes back."""
        return transferred(request)

    # --- what was kept ----------------------------------------------------------------------------------------------

    def restore_reservation(self, _key: str, kept: bytes) -> None:
        """Take up a reservation."""
        reservation = msgspec.json.decode(kept, type=Reservation)
        self._desk.life.reservations.held[reservation.id] = reservation

    def restore_availability(self, key: str, _kept: bytes) -> None:
        """Take up that an EVSE, or the station, is not to be used."""
        evse = int(key.removeprefix("operative/"))
        if evse == 0:
            self._desk.life.operative = False
        for at in self._desk.life.evses if evse == 0 else [self._desk.life.evse(evse)]:
            at.operative = False


def _name(key: str) -> str:
    return BY_NAME[key.lower()].name
