"""Diagnostics and logs: what a station remembers, delivered where the CSMS wants it, each step told of."""

from __future__ import annotations

from collections import deque

from msgspec import UNSET, UnsetType

from voltbench.ocpp.orders import Deliver
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.station.desk import Desk
from voltbench.ocpp.v16.station.errands import Errands
from voltbench.ocpp.v16.station.security import SecurityEvents
from voltbench.ocpp.wire_types import instant
from voltbench.quantities import Instant, rfc3339


class Diagnostics:
    """The deliveries of a station. One that is cut off by a kill has failed, and the next boot says so."""

    __slots__ = ("_delivering", "_desk", "_errands", "_id", "_interrupted", "_is_uploading", "_log", "_security")

    def __init__(self, desk: Desk, id: str, errands: Errands, security: SecurityEvents) -> None:
        self._desk = desk
        self._id = id
        self._errands = errands
        self._security = security
        self._is_uploading = False
        self._log: int | None = None
        self._delivering = 0
        self._interrupted: list[str] = []

    # --- diagnostics ------------------------------------------------------------------------------------------------

    def get(self, now: Instant, request: m.GetDiagnostics) -> m.GetDiagnosticsResponse:
        """Deliver what the station remembers. OCPP 1.6 edition 2, section 5.9."""
        content = _between(self._desk.diary, request.start_time, request.stop_time)
        if not content:
            return m.GetDiagnosticsResponse()
        name = f"{self._id}-diagnostics-{now}.log"

        def delivered(at: Instant, answer: bytes | None) -> None:
            self._tell(at, "UploadFailed" if answer is None else "Uploaded")

        self._desk.afterwards.append(lambda at: self._tell(at, "Uploading"))
        self._errands.send_for(
            lambda number: Deliver(number, request.location, name, content),
            delivered,
            request.retries,
            request.retry_interval,
        )
        return m.GetDiagnosticsResponse(file_name=name)

    def tell(self, now: Instant) -> None:
        """The CSMS asks how far it is."""
        self._desk.call(now, m.DiagnosticsStatusNotification(status="Uploading" if self._is_uploading else "Idle"))

    def _tell(self, now: Instant, status: m.DiagnosticsStatus) -> None:
        self._is_uploading = status == "Uploading"
        self._desk.keep("upload/diagnostics", b"" if self._is_uploading else None)
        self._desk.tell(now, m.DiagnosticsStatusNotification(status=status))

    # --- logs -------------------------------------------------------------------------------------------------------

    def get_log(self, now: Instant, request: m.GetLog) -> m.GetLogResponse:
        """Deliver a log. Whitepaper, section 4; a log that is still on its way is given up for the new one."""
        security = request.log_type == "SecurityLog"
        lines, kind = (self._security.diary, "security") if security else (self._desk.diary, "diagnostics")
        content = _between(lines, request.log.oldest_timestamp, request.log.latest_timestamp)
        name, id, was_busy = f"{self._id}-{kind}-{now}.log", request.request_id, self._log is not None
        if self._log is not None:
            self._errands.give_up(self._delivering)
            self._desk.keep(f"upload/{self._log}", None)

        def begin(at: Instant) -> None:
            if self._log == id:
                self._tell_log(at, "Uploading", id)

        def delivered(at: Instant, answer: bytes | None) -> None:
            self._tell_log(at, "UploadFailure" if answer is None else "Uploaded", id)

        self._log = id
        self._desk.afterwards.append(begin)
        self._delivering = self._errands.send_for(
            lambda number: Deliver(number, request.log.remote_location, name, content),
            delivered,
            request.retries,
            request.retry_interval,
        )
        return m.GetLogResponse(status="AcceptedCanceled" if was_busy else "Accepted", filename=name)

    def tell_log(self, now: Instant) -> None:
        """The CSMS asks how far it is."""
        id = self._log
        told = m.LogStatusNotification(status="Idle") if id is None else _of_log("Uploading", id)
        self._desk.call(now, told)

    def _tell_log(self, now: Instant, status: m.UploadLogStatusEnum, id: int) -> None:
        self._log = id if status == "Uploading" else None
        self._desk.keep(f"upload/{id}", b"" if self._log is not None else None)
        self._desk.tell(now, _of_log(status, id))

    # --- after a kill -----------------------------------------------------------------------------------------------

    def restore(self, key: str, _kept: bytes) -> None:
        """A delivery was cut off."""
        self._interrupted.append(key.removeprefix("upload/"))

    def booted(self, now: Instant) -> None:
        """The CSMS listens: tell of what was cut off."""
        interrupted, self._interrupted = self._interrupted, []
        for what in interrupted:
            if what == "diagnostics":
                self._tell(now, "UploadFailed")
            else:
                self._tell_log(now, "UploadFailure", int(what))


def _of_log(status: m.UploadLogStatusEnum, id: int) -> m.LogStatusNotification:
    return m.LogStatusNotification(status=status, request_id=id)


def _between(lines: deque[tuple[Instant, str]], since: str | UnsetType, until: str | UnsetType) -> bytes:
    """The lines of a diary that were written between two moments, if any are said."""
    first = instant(since) if since is not UNSET else None
    last = instant(until) if until is not UNSET else None
    told = [
        f"{rfc3339(at)} {line}\n"
        for at, line in lines
        if (first is None or at >= first) and (last is None or at <= last)
    ]
    return "".join(told).encode()
