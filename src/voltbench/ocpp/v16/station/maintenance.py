"""Firmware, diagnostics and logs: files that are fetched and delivered for real, each step told of."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from msgspec import UNSET, UnsetType

from voltbench.charging.status import StopReason
from voltbench.ocpp.orders import Deliver, Fetch
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.station.desk import Desk
from voltbench.ocpp.v16.station.notary import Notary
from voltbench.ocpp.v16.station.registration import Registration
from voltbench.ocpp.wire_types import instant
from voltbench.quantities import MS_PER_SECOND, DurationMs, Instant, rfc3339

INSTALLING_MS = 10 * MS_PER_SECOND
"""How long installing firmware takes."""

UNASKED_RETRY_S = 30

Arrived = Callable[[Instant, bytes | None], None]


@dataclass(slots=True)
class _Job:
    """A transfer that may be tried several times."""

    order: Callable[[int], Fetch | Deliver]
    arrived: Arrived
    left: int
    wait_ms: DurationMs


class _Installation(msgspec.Struct):
    """Firmware on its way; it is kept while it installs, so that the boot after it can tell."""

    location: str
    request_id: int | None = None
    signature: str = ""
    certificate: str = ""
    install_at: Instant = 0
    version: str = ""
    step: str = "Idle"


class Maintenance:
    """What a station has done to it, and what it tells of itself."""

    __slots__ = (
        "_desk",
        "_due",
        "_firmware",
        "_jobs",
        "_last",
        "_log_status",
        "_notary",
        "_registration",
    )

    def __init__(self, desk: Desk, registration: Registration, notary: Notary) -> None:
        self._desk = desk
        self._registration = registration
        self._notary = notary
        self._jobs: dict[int, _Job] = {}
        self._last = 0
        self._due: list[tuple[Instant, int, Callable[[Instant], None]]] = []
        self._firmware = _Installation("")
        self._log_status: tuple[str, int | None] = ("Idle", None)

    # --- diagnostics and logs ---------------------------------------------------------------------------------------

    def get_diagnostics(self, now: Instant, request: m.GetDiagnostics) -> m.GetDiagnosticsResponse:
        """Deliver what the station remembers. OCPP 1.6 edition 2, section 5.9."""
        content = self._told(self._desk.diary, request.start_time, request.stop_time)
        if not content:
            return m.GetDiagnosticsResponse()
        name = f"{self._registration.identity.id}-diagnostics-{now}.log"

        def uploaded(at: Instant, answer: bytes | None) -> None:
            self._tell_diagnostics(at, "UploadFailed" if answer is None else "Uploaded")

        self._desk.afterwards.append(lambda at: self._tell_diagnostics(at, "Uploading"))
        self._begin(now, lambda id: Deliver(id, request.location, name, content), uploaded, request)
        return m.GetDiagnosticsResponse(file_name=name)

    def _tell_diagnostics(self, now: Instant, status: m.DiagnosticsStatus) -> None:
        self._log_status = (status if status == "Uploading" else "Idle", None)
        self._desk.tell(now, m.DiagnosticsStatusNotification(status=status))

    def get_log(self, now: Instant, request: m.GetLog) -> m.GetLogResponse:
        """Deliver a log. Whitepaper, section 4; a log that is still on its way is given up for the new one."""
        security = request.log_type == "SecurityLog"
        lines = self._desk.security_diary if security else self._desk.diary
        content = self._told(lines, request.log.oldest_timestamp, request.log.latest_timestamp)
        name = f"{self._registration.identity.id}-{'security' if security else 'diagnostics'}-{now}.log"
        was_busy = self._log_status[0] == "Uploading"

        def uploaded(at: Instant, answer: bytes | None) -> None:
            if self._log_status[1] == request.request_id:
                self._tell_log(at, "UploadFailure" if answer is None else "Uploaded", request.request_id)

        self._log_status = ("Uploading", request.request_id)
        self._desk.afterwards.append(lambda at: self._tell_log(at, "Uploading", request.request_id))
        self._begin(now, lambda id: Deliver(id, request.log.remote_location, name, content), uploaded, request)
        return m.GetLogResponse(status="AcceptedCanceled" if was_busy else "Accepted", filename=name)

    def _tell_log(self, now: Instant, status: m.UploadLogStatusEnum, request_id: int) -> None:
        self._log_status = (status if status == "Uploading" else "Idle", request_id)
        self._desk.tell(now, m.LogStatusNotification(status=status, request_id=request_id))

    @staticmethod
    def _told(lines: deque[tuple[Instant, str]], since: str | UnsetType, until: str | UnsetType) -> bytes:
        first = instant(since) if not isinstance(since, UnsetType) else None
        last = instant(until) if not isinstance(until, UnsetType) else None
        told = [
            f"{rfc3339(at)} {line}\n"
            for at, line in lines
            if (first is None or at >= first) and (last is None or at <= last)
        ]
        return "".join(told).encode()

    # --- firmware ---------------------------------------------------------------------------------------------------

    def update_firmware(self, now: Instant, request: m.UpdateFirmware) -> m.UpdateFirmwareResponse:
        """Fetch and install firmware when it is time. OCPP 1.6 edition 2, section 5.19."""
        self._firmware = _Installation(request.location)
        self._at(max(now, instant(request.retrieve_date)), lambda at: self._download(at, request))
        return m.UpdateFirmwareResponse()

    def update_signed_firmware(self, now: Instant, request: m.SignedUpdateFirmware) -> m.SignedUpdateFirmwareResponse:
        """Fetch, verify and install firmware when it is time. Whitepaper, section 5."""
        firmware = request.firmware
        if not self._notary.trusts_manufacturer(now, firmware.signing_certificate):
            self._desk.security_event(now, "InvalidFirmwareSigningCertificate")
            return m.SignedUpdateFirmwareResponse(status="InvalidCertificate")
        was_busy = self._firmware.step not in ("Idle", "Installed")
        install_at = instant(firmware.install_date_time) if firmware.install_date_time else now
        self._firmware = _Installation(
            firmware.location, request.request_id, firmware.signature, firmware.signing_certificate, install_at
        )
        retrieve_at = instant(firmware.retrieve_date_time)
        if retrieve_at > now:
            self._desk.afterwards.append(lambda at: self._tell_firmware(at, "DownloadScheduled"))
        self._at(max(now, retrieve_at), lambda at: self._download(at, request))
        return m.SignedUpdateFirmwareResponse(status="AcceptedCanceled" if was_busy else "Accepted")

    def _download(self, now: Instant, request: m.UpdateFirmware | m.SignedUpdateFirmware) -> None:
        firmware = self._firmware

        def arrived(at: Instant, content: bytes | None) -> None:
            if firmware is self._firmware:
                self._downloaded(at, content)

        self._tell_firmware(now, "Downloading")
        self._begin(now, lambda id: Fetch(id, firmware.location), arrived, request)

    def _downloaded(self, now: Instant, content: bytes | None) -> None:
        if content is None:
            self._tell_firmware(now, "DownloadFailed")
            return
        firmware = self._firmware
        self._tell_firmware(now, "Downloaded")
        if firmware.request_id is not None:
            if not self._notary.verifies(firmware.certificate, firmware.signature, content):
                self._tell_firmware(now, "InvalidSignature")
                self._desk.security_event(now, "InvalidFirmwareSignature")
                return
            self._tell_firmware(now, "SignatureVerified")
        if not content:
            self._tell_firmware(now, "InstallationFailed")
            return
        firmware.version = _version(firmware.location, content)
        if firmware.install_at > now:
            self._tell_firmware(now, "InstallScheduled")
        self._at(max(now, firmware.install_at), self._install)

    def _install(self, now: Instant) -> None:
        """Installing waits until nobody charges."""
        life = self._desk.life
        if any(evse.transaction is not None for evse in life.evses):
            self._at(now + INSTALLING_MS, self._install)
            return
        self._tell_firmware(now, "Installing")
        self._at(now + INSTALLING_MS, self._installed)

    def _installed(self, now: Instant) -> None:
        if self._firmware.request_id is not None:
            self._tell_firmware(now, "InstallRebooting")
        self._desk.keep_struct("firmware", self._firmware)
        self._registration.restart(now, StopReason.REBOOT)

    def booted(self, now: Instant) -> None:
        """The station has booted: what was being installed is there now."""
        firmware = self._firmware
        if firmware.step in ("InstallRebooting", "Installing") and firmware.version:
            self._tell_firmware(now, "Installed")
            self._desk.security_event(now, "FirmwareUpdated", firmware.version)
            self._desk.keep("firmware", None)
            self._desk.keep("version", firmware.version.encode())

    def is_installing(self) -> bool:
        """Whether firmware is being installed."""
        return self._firmware.step in ("Installing", "InstallRebooting")

    def new_version(self) -> str | None:
        """The version that the boot after an installation tells."""
        return self._firmware.version if self.is_installing() else None

    def _tell_firmware(self, now: Instant, status: m.FirmwareStatusEnum) -> None:
        firmware = self._firmware
        firmware.step = status
        if firmware.request_id is not None:
            told = m.SignedFirmwareStatusNotification(status=status, request_id=firmware.request_id)
            self._desk.tell(now, told)
        else:
            self._desk.tell(now, m.FirmwareStatusNotification(status=status))  # type: ignore[arg-type]

    # --- telling when asked -----------------------------------------------------------------------------------------

    def tell_firmware(self, now: Instant, *, signed: bool) -> None:
        """The CSMS asks how firmware is getting on."""
        step, id = self._firmware.step, self._firmware.request_id
        busy = step in ("Downloading", "Downloaded", "Installing")
        if signed and id is not None:
            self._desk.tell(now, m.SignedFirmwareStatusNotification(status=step, request_id=id))  # type: ignore[arg-type]
        elif signed:
            self._desk.tell(now, m.SignedFirmwareStatusNotification(status="Idle"))
        else:
            self._desk.tell(now, m.FirmwareStatusNotification(status=step if busy else "Idle"))  # type: ignore[arg-type]

    def tell_diagnostics(self, now: Instant) -> None:
        """The CSMS asks how diagnostics are getting on."""
        busy = self._log_status == ("Uploading", None)
        self._desk.tell(now, m.DiagnosticsStatusNotification(status="Uploading" if busy else "Idle"))

    def tell_log(self, now: Instant) -> None:
        """The CSMS asks how a log is getting on."""
        status, id = self._log_status
        busy = status == "Uploading" and id is not None
        told = m.LogStatusNotification(status="Uploading" if busy else "Idle", request_id=id if busy else UNSET)  # type: ignore[arg-type]
        self._desk.tell(now, told)

    # --- transfers --------------------------------------------------------------------------------------------------

    def _begin(
        self,
        now: Instant,
        order: Callable[[int], Fetch | Deliver],
        arrived: Arrived,
        request: m.GetDiagnostics | m.GetLog | m.UpdateFirmware | m.SignedUpdateFirmware,
    ) -> None:
        retries = 0 if request.retries is UNSET else max(0, request.retries)
        wait_s = UNASKED_RETRY_S if request.retry_interval is UNSET else max(0, request.retry_interval)
        self._last += 1
        self._jobs[self._last] = _Job(order, arrived, retries, wait_s * MS_PER_SECOND)
        self._desk.afterwards.append(lambda _, id=self._last: self._order(id))  # type: ignore[misc]

    def _order(self, id: int) -> None:
        self._desk.orders.append(self._jobs[id].order(id))

    def transferred(self, now: Instant, id: int, content: bytes | None) -> None:
        """A transfer has come to its end: what it brought, or None where it failed."""
        job = self._jobs.get(id)
        if job is None:
            return
        if content is None and job.left > 0:
            job.left -= 1
            self._at(now + job.wait_ms, lambda _: self._order(id))
            return
        del self._jobs[id]
        job.arrived(now, content)

    # --- time -------------------------------------------------------------------------------------------------------

    def _at(self, due: Instant, act: Callable[[Instant], None]) -> None:
        self._last += 1
        self._due.append((due, self._last, act))
        self._due.sort(key=lambda one: one[:2])

    def next_wakeup(self) -> Instant | None:
        """When something is due."""
        return self._due[0][0] if self._due else None

    def wake(self, now: Instant) -> None:
        """Do what is due."""
        while self._due and self._due[0][0] <= now:
            _, _, act = self._due.pop(0)
            act(now)

    # --- what is kept -----------------------------------------------------------------------------------------------

    def restore(self, kept: bytes) -> None:
        """The station was killed while firmware was being installed: it is there now."""
        self._firmware = msgspec.json.decode(kept, type=_Installation)


def _version(location: str, content: bytes) -> str:
    """The version that firmware brings: its first line, if that is one, or else the name of its file."""
    line = content.split(b"\n", 1)[0][:50]
    if line.isascii() and line.decode().isprintable() and line.strip():
        return line.decode().strip()
    return location.rstrip("/").rpartition("/")[2][:50]
