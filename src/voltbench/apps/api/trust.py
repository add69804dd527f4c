"""Who may talk to us: the rules of a binding, and the gate that every request passes.

A page in a browser on this machine can send requests to loopback too. So there the Host header must name this
machine (a rebound DNS name does not), and nothing is changed on behalf of a page from another origin. Anything but
loopback needs a token.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voltbench.apps.api.problems import plain_problem
from voltbench.errors import InvalidInput

LARGEST_BODY = 1 << 20
"""Bytes of the largest request body that is read."""

_OPEN_PATHS = frozenset({"/health"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Trust:
    """What a request must show: a host that is ours (None: any), a token (None: none)."""

    hosts: frozenset[str] | None = None
    token: str | None = None


def trust_for(host: str, token: str | None) -> Trust:
    """The rules for binding to a host. InvalidInput for an open door: anything but loopback without a token."""
    if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token != ""):
        raise InvalidInput("token", "cannot be sent in a header", allowed="printable ASCII without spaces around it")
    if is_loopback(host):
        return Trust(_LOOPBACK_NAMES | {host.lower()}, token)
    if token is None:
        raise InvalidInput(
            "host", "is open to other machines, which needs --token", found=host, allowed="127.0.0.1, ::1, localhost"
        )
    return Trust(None, token)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Gate:
    """The door of the application: refuses strangers and what is too large.

    It takes `/path/` for `/path`, and every body for JSON, whatever its Content-Type says.
    """

    def __init__(self, app: ASGIApp, trust: Trust) -> None:
        self._app = app
        self._trust = trust

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].rstrip("/") or "/"
        refusal = self._refusal(scope["method"], path, scope["query_string"].decode("latin-1"), Headers(scope=scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        unnamed = [header for header in scope["headers"] if header[0] != b"content-type"]
        await self._app({**scope, "path": path, "headers": unnamed}, _limited(receive), send)

    def _refusal(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> Response | None:
        if not self._knows_host(headers.get("host", "")):
            return plain_problem(400, "the Host header does not name this machine")
        if "\0" in path or "%00" in query:
            return plain_problem(400, "the URL holds a NUL, which no name of ours has")
        if method not in _READING and _is_foreign(headers):
            return plain_problem(403, "a page from another origin may not change anything here")
        if path not in _OPEN_PATHS and not self._knows_token(headers.get("authorization", "")):
            challenge = {"WWW-Authenticate": 'Bearer realm="voltbench"'}
            return plain_problem(401, "send the token as `Authorization: Bearer TOKEN`", challenge)
        if _length(headers) > LARGEST_BODY:
            return plain_problem(413, f"a request may have {LARGEST_BODY} bytes")
        return None

    def _knows_host(self, host: str) -> bool:
        return self._trust.hosts is None or _name_of(host) in self._trust.hosts

    def _knows_token(self, authorization: str) -> bool:
        if self._trust.token is None:
            return True
        scheme, _, sent = authorization.partition(" ")
        known = self._trust.token.encode()
        return hmac.compare_digest(sent.strip().encode("latin-1"), known) and scheme.lower() == "bearer"


def _length(headers: Mapping[str, str]) -> int:
    """How many bytes a request says that it has; a server refuses what is no number."""
    said = headers.get("content-length", "0")
    return int(said) if said.isdecimal() else 0


def _name_of(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    return name.strip("[]").lower()


def _is_foreign(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that the request comes from a page that is not ours."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")


def _limited(receive: Receive) -> Receive:
    """The same request, up to the largest body."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > LARGEST_BODY:
            raise HTTPException(413, f"a request may have {LARGEST_BODY} bytes")
        return message

    return counted
