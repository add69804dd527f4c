"""How firmware, files and certificates are getting on, what is noteworthy for security, and data of vendors."""

from __future__ import annotations

from msgspec import Struct

from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.csms.central import Central
from voltbench.ocpp.v16.csms.dossier import Dossier
from voltbench.ocpp.v16.csms.reply import Reply, json_of
from voltbench.ocpp.v16.vendor import VENDOR, transferred
from voltbench.quantities import Instant


def firmware_status(_central: Central, now: Instant, dossier: Dossier, request: m.FirmwareStatusNotification) -> Reply:
    """How an update of firmware is getting on."""
    return _noted(now, dossier, "firmware", request, m.FirmwareStatusNotificationResponse())


def signed_firmware_status(
    _central: Central, now: Instant, dossier: Dossier, request: m.SignedFirmwareStatusNotification
) -> Reply:
    """How an update of signed firmware is getting on."""
    return _noted(now, dossier, "firmware", request, m.SignedFirmwareStatusNotificationResponse())


def diagnostics_status(
    _central: Central, now: Instant, dossier: Dossier, request: m.DiagnosticsStatusNotification
) -> Reply:
    """How the delivery of diagnostics is getting on."""
    return _noted(now, dossier, "diagnostics", request, m.DiagnosticsStatusNotificationResponse())


def log_status(_central: Central, now: Instant, dossier: Dossier, request: m.LogStatusNotification) -> Reply:
    """How the delivery of a log is getting on."""
    return _noted(now, dossier, "log", request, m.LogStatusNotificationResponse())


def security_event(_central: Central, now: Instant, dossier: Dossier, request: m.SecurityEventNotification) -> Reply:
    """Something that matters to security has happened."""
    return _noted(now, dossier, "security", request, m.SecurityEventNotificationResponse())


def _noted(
    now: Instant,
    dossier: Dossier,
    topic: str,
    request: m.FirmwareStatusNotification
    | m.SignedFirmwareStatusNotification
    | m.DiagnosticsStatusNotification
    | m.LogStatusNotification
    | m.SecurityEventNotification,
    response: Struct,
) -> Reply:
    told = json_of(request)
    event = dossier.event(now, type(request).__name__, told)
    return Reply(response, (dossier.note(now, topic, told), event))


def sign_certificate(central: Central, now: Instant, dossier: Dossier, request: m.SignCertificate) -> Reply:
    """A station wants a certificate. Without an authority of our own, an operator has it signed elsewhere."""
    told = json_of(request)
    records = (dossier.note(now, "certificate-request", told), dossier.event(now, "SignCertificate", told))
    if central.authority is None:
        return Reply(m.SignCertificateResponse(status="Accepted"), records)
    chain = central.authority.sign(now, dossier.id, request.csr)
    if chain is None:
        return Reply(m.SignCertificateResponse(status="Rejected"), records)
    return Reply(m.SignCertificateResponse(status="Accepted"), records, (m.CertificateSigned(certificate_chain=chain),))


def data_transfer(central: Central, now: Instant, dossier: Dossier, request: m.DataTransfer) -> Reply:
    """A vendor's own data: taken from the vendors that we know, understood where it is our own."""
    event = dossier.event(now, "DataTransfer", json_of(request))
    return Reply(_transferred(central, request), (event,))


def _transferred(central: Central, request: m.DataTransfer) -> m.DataTransferResponse:
    if request.vendor_id == VENDOR:
        return transferred(request)
    known = request.vendor_id in central.policy.vendors
    return m.DataTransferResponse(status="Accepted" if known else "UnknownVendorId")
