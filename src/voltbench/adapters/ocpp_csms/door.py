"""The door for stations: WebSockets on a port of our own, with pings, passwords, TLS and client certificates."""

from __future__ import annotations

import base64
import binascii
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from voltbench.adapters.ocpp_csms.csms import Csms
from voltbench.ocpp.v16.csms.secrets_kept import is_needed, is_password
from voltbench.ocpp.versions import OCPP_16

_log = logging.getLogger(__name__)
_library = logging.getLogger(f"{__name__}.websockets")
_library.setLevel(logging.CRITICAL)  # what strangers get wrong is told in a line of ours

SUBPROTOCOLS = [Subprotocol(OCPP_16.subprotocol)]
LARGEST_FRAME = 1 << 20
LONGEST_ID = 255
QUEUED_FRAMES = 16


@dataclass(frozen=True)
class Rules:
    """What a station has to show before it may speak, and that it is there still. `ping_s` 0 is no pings.

    A password that is known has to be shown always; with `password_required` there is none without one. Who does not
    answer a ping in time is told goodbye, and is gone after `goodbye_s` at the latest.
    """

    password_required: bool = False
    ping_s: float = 60.0
    pong_within_s: float = 30.0
    goodbye_s: float = 5.0


@asynccontextmanager
async def open_door(
    csms: Csms, door: socket.socket, rules: Rules, tls: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    """Let stations in at a socket that listens, for as long as this lasts. Messages are not compressed."""
    doorman = _Doorman(csms, rules)
    async with serve(
        doorman.converse,
        sock=door,
        ssl=tls,
        process_request=doorman.look_at,
        subprotocols=SUBPROTOCOLS,
        compression=None,
        max_size=LARGEST_FRAME,
        max_queue=QUEUED_FRAMES,
        ping_interval=rules.ping_s or None,
        ping_timeout=rules.pong_within_s,
        close_timeout=rules.goodbye_s,
        server_header=None,
        logger=_library,
    ):
        yield


class _Doorman:
    def __init__(self, csms: Csms, rules: Rules) -> None:
        self._csms = csms
        self._rules = rules

    def look_at(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse who may not come in; None lets a station in."""
        id = station_id(request.path)
        if id is None:
            return connection.respond(HTTPStatus.NOT_FOUND, "the last part of the path is the station's id\n")
        named_so = _common_name(connection)
        if named_so is not None and named_so != id:
            _log.warning("%s: refused, its certificate is for %r", id, named_so)
            return connection.respond(HTTPStatus.FORBIDDEN, "the certificate is another station's\n")
        if named_so is None and not self._shows_password(id, request):
            _log.warning("%s: refused, it does not show its password", id)
            answer = connection.respond(HTTPStatus.UNAUTHORIZED, "show the station's id and password\n")
            answer.headers["WWW-Authenticate"] = 'Basic realm="voltbench"'
            return answer
        return self._turned_away(connection, id)

    def _turned_away(self, connection: ServerConnection, id: str) -> Response | None:
        """Strangers are, while too many are known already: each is remembered."""
        central = self._csms.central
        if central.known(id) is not None or not central.is_full:
            return None
        _log.warning("%s: refused, it is unknown, and %d stations are known already", id, central.policy.most_stations)
        return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "no more unknown stations are let in\n")

    def _shows_password(self, id: str, request: Request) -> bool:
        known = self._csms.central.known(id)
        secret = known.station.secret if known is not None else None
        shown = password_in(request.headers.get_all("Authorization"), id)
        if secret is not None and shown is not None and is_password(shown, secret):
            self._csms.password_shown(id, shown)
            return True
        return not (is_needed(secret) or self._rules.password_required)

    async def converse(self, connection: ServerConnection) -> None:
        """A station is there, until its connection is gone or another takes its place."""
        assert connection.request is not None
        id = station_id(connection.request.path)
        assert id is not None
        guest = self._csms.enter(id, str(connection.subprotocol), _Line(connection))
        try:
            while not guest.is_over:
                await self._csms.hear(guest, await connection.recv(decode=False))
        except ConnectionClosed as end:
            if end.sent is not None and end.sent.code == CloseCode.MESSAGE_TOO_BIG:
                _log.warning("%s: a frame of more than %d bytes has ended its line", id, LARGEST_FRAME)
        finally:
            self._csms.leave(guest)


class _Line:
    """A connection, which may be gone."""

    __slots__ = ("_connection",)

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    async def send(self, frame: bytes) -> None:
        try:
            await self._connection.send(frame, text=True)
        except ConnectionClosed:
            return  # whoever listens hears of it

    async def close(self, reason: str, *, is_fault: bool = False) -> None:
        await self._connection.close(CloseCode.INTERNAL_ERROR if is_fault else CloseCode.NORMAL_CLOSURE, reason)


def station_id(path: str) -> str | None:
    """The station that a path names by its last segment, percent-decoded; None where that can be no id."""
    id = unquote(path.partition("?")[0].rpartition("/")[2], errors="replace")
    return id if 0 < len(id) <= LONGEST_ID and id.isprintable() and "\ufffd" not in id else None


def password_in(headers: list[str], id: str) -> bytes | None:
    """The password that a station shows by HTTP's basic authentication, if it is under this name."""
    scheme, _, shown = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(shown.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return password if colon and name == id.encode() else None


def _common_name(connection: ServerConnection) -> str | None:
    """The name in the certificate that a station has shown, if it has."""
    tls = connection.transport.get_extra_info("ssl_object")
    certificate: dict[str, Any] | None = tls.getpeercert() if tls is not None else None
    parts = [part for named in (certificate or {}).get("subject", ()) for part in named]
    return next((text for kind, text in parts if kind == "commonName"), "" if certificate else None)


def tls_context(certificate: str, key: str | None, authorities: str | None) -> ssl.SSLContext:
    """TLS with a certificate (PEM files). With `authorities`, stations may show a certificate of theirs.

    Raises OSError or ssl.SSLError for files that are not there or no good.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    if authorities is not None:
        context.load_verify_locations(authorities)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
