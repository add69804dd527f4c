"""Firmware: fetched, verified where it is signed, installed when nobody charges, and there after the boot.

OCPP 1.6 edition 2, section 5.19; security whitepaper (edition 3), section 5. What was asked for survives the station.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import UNSET, UnsetType

from voltbench.charging import wishes
from voltbench.charging.status import StopReason
from voltbench.ocpp.orders import Fetch
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.station.desk import Desk
from voltbench.ocpp.v16.station.errands import Errands
from voltbench.ocpp.v16.station.notary import Notary
from voltbench.ocpp.v16.station.registration import LAST_WORDS_MS, Registration
from voltbench.ocpp.v16.station.security import SecurityEvents
from voltbench.ocpp.wire_types import instant
from voltbench.quantities import MS_PER_SECOND, Instant

INSTALLING_MS = 10 * MS_PER_SECOND
"""How long installing takes."""

INSTALLING: tuple[m.FirmwareStatusEnum, ...] = ("Installing", "InstallRebooting")
OVER: tuple[m.FirmwareStatusEnum, ...] = (
    "Idle",
    "DownloadFailed",
    "InvalidSignature",
    "InstallationFailed",
    "Installed",
)


class Update(msgspec.Struct):
    """An update that is wanted, and how far it has come. One with a `request_id` is signed."""

    location: str
    retrieve_at: Instant
    retries: int | UnsetType = UNSET
    retry_interval_s: int | UnsetType = UNSET
    request_id: int | None = None
    signature: str = ""
    certificate: str = ""
    install_at: Instant = 0
    version: str = ""
    step: m.FirmwareStatusEnum = "Idle"


class Firmware:
    """The firmware of a station. A newer wish takes the place of an update that is under way."""

    __slots__ = ("_desk", "_errands", "_fetch", "_notary", "_registration", "_runs_update", "_security", "_update")

    def __init__(
        self, desk: Desk, registration: Registration, notary: Notary, errands: Errands, security: SecurityEvents
    ) -> None:
        self._desk = desk
        self._registration = registration
        self._notary = notary
        self._errands = errands
        self._security = security
        self._update = Update("", 0)
        self._fetch: int | None = None
        self._runs_update = False

    # --- what the CSMS asks for -------------------------------------------------------------------------------------

    def update(self, now: Instant, request: m.UpdateFirmware) -> m.UpdateFirmwareResponse:
        """Update when it is time."""
        wanted = Update(request.location, instant(request.retrieve_date), request.retries, request.retry_interval)
        self._begin(now, wanted)
        return m.UpdateFirmwareResponse()

    def update_signed(self, now: Instant, request: m.SignedUpdateFirmware) -> m.SignedUpdateFirmwareResponse:
        """Update when it is time, if who has signed it is trusted."""
        firmware = request.firmware
        if not self._notary.trusts_manufacturer(now, firmware.signing_certificate):
            self._security.note(now, "InvalidFirmwareSigningCertificate")
            return m.SignedUpdateFirmwareResponse(status="InvalidCertificate")
        was_busy = self._update.step not in OVER
        wanted = Update(
            firmware.location,
            instant(firmware.retrieve_date_time),
            request.retries,
            request.retry_interval,
            request.request_id,
            firmware.signature,
            firmware.signing_certificate,
            instant(firmware.install_date_time) if firmware.install_date_time else now,
        )
        if wanted.retrieve_at > now:
            self._desk.afterwards.append(lambda at: self._step(at, wanted, "DownloadScheduled"))
        self._begin(now, wanted)
        return m.SignedUpdateFirmwareResponse(status="AcceptedCanceled" if was_busy else "Accepted")

    def tell(self, now: Instant) -> None:
        """The CSMS asks how far it is, in the words of unsigned firmware."""
        step = self._update.step
        told: m.FirmwareStatus = step if step in ("Downloading", "Downloaded", "Installing") else "Idle"
        self._desk.call(now, m.FirmwareStatusNotification(status=told))

    def tell_signed(self, now: Instant) -> None:
        """The CSMS asks how far it is, in the words of signed firmware."""
        step, id = self._update.step, self._update.request_id
        if id is None:
            self._desk.call(now, m.SignedFirmwareStatusNotification(status="Idle"))
        else:
            self._desk.call(now, m.SignedFirmwareStatusNotification(status=step, request_id=id))

    # --- step by step -----------------------------------------------------------------------------------------------

    def _begin(self, now: Instant, update: Update) -> None:
        if self._registration.leaves_by is None and any(evse.in_maintenance for evse in self._desk.life.evses):
            wishes.maintain(self._desk.life, now, False)  # for the update whose place this one takes
        if self._fetch is not None:
            self._errands.give_up(self._fetch)
            self._fetch = None
        self._update = update
        self._desk.keep_struct("firmware", update)
        self._at(max(now, update.retrieve_at), update, self._download)

    def _at(self, due: Instant, update: Update, act: Callable[[Instant, Update], None]) -> None:
        """Go on at an instant, unless another update is wanted by then."""
        self._errands.at(due, lambda now: act(now, update) if update is self._update else None)

    def _download(self, now: Instant, update: Update) -> None:
        def arrived(at: Instant, content: bytes | None) -> None:
            self._fetch = None
            self._downloaded(at, update, content)

        self._step(now, update, "Downloading")
        self._fetch = self._errands.send_for(
            lambda number: Fetch(number, update.location), arrived, update.retries, update.retry_interval_s
        )

    def _downloaded(self, now: Instant, update: Update, content: bytes | None) -> None:
        if content is None:
            self._step(now, update, "DownloadFailed")
            return
        self._step(now, update, "Downloaded")
        if update.request_id is not None:
            if not self._notary.verifies(update.certificate, update.signature, content):
                self._step(now, update, "InvalidSignature")
                self._security.note(now, "InvalidFirmwareSignature")
                return
            self._step(now, update, "SignatureVerified")
        if not content:
            self._step(now, update, "InstallationFailed")
            return
        update.version = _version(update.location, content)
        if update.install_at > now:
            self._step(now, update, "InstallScheduled")
        self._at(max(now, update.install_at), update, self._install)

    def _install(self, now: Instant, update: Update) -> None:
        """Installing waits until nobody charges; meanwhile nobody new may begin."""
        wishes.maintain(self._desk.life, now, True)
        if any(evse.transaction is not None for evse in self._desk.life.evses):
            self._at(now + INSTALLING_MS, update, self._install)
            return
        self._step(now, update, "Installing")
        self._at(now + INSTALLING_MS, update, self._installed)

    def _installed(self, now: Instant, update: Update) -> None:
        if update.step not in INSTALLING:
            return  # somebody has reset the station meanwhile, and it has told already
        if self._desk.life.cannot_restart:
            self._step(now, update, "InstallationFailed")
            wishes.maintain(self._desk.life, now, False)
            return
        if update.request_id is not None:
            self._step(now, update, "InstallRebooting")
        self._registration.restart(now, StopReason.REBOOT, self._desk.network_ms(LAST_WORDS_MS))

    def _step(self, now: Instant, update: Update, status: m.FirmwareStatusEnum) -> None:
        """An update is so far now: remember that, and tell."""
        update.step = status
        self._desk.keep_struct("firmware", None if status in OVER else update)
        if update.request_id is not None:
            self._desk.tell(now, m.SignedFirmwareStatusNotification(status=status, request_id=update.request_id))
        else:
            self._desk.tell(now, m.FirmwareStatusNotification(status=status))  # type: ignore[arg-type]

    # --- booting ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """The station starts: with what was being installed."""
        self._runs_update = self._update.step in INSTALLING
        if self._runs_update:
            self._registration.firmware_version = self._update.version

    def booted(self, now: Instant) -> None:
        """The CSMS listens: what the station has started with is there now."""
        update = self._update
        if self._runs_update:
            self._runs_update = False
            self._desk.keep("version", update.version.encode())
            self._step(now, update, "Installed")
            self._security.note(now, "FirmwareUpdated", update.version)

    def restore(self, now: Instant, kept: bytes) -> None:
        """The station was killed on the way: what was not being installed yet is fetched again."""
        self._update = msgspec.json.decode(kept, type=Update)
        if self._update.step not in INSTALLING:
            self._begin(now, self._update)


def _version(location: str, content: bytes) -> str:
    """The version that firmware brings: its first line, if that is one, or else the name of its file."""
    line = content.split(b"\n", 1)[0][:50]
    if line.isascii() and line.decode().isprintable() and line.strip():
        return line.decode().strip()
    return location.rstrip("/").rpartition("/")[2][:50]
