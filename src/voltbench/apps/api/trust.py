"""Who may talk to us: the rules of a binding, and the gate that every request passes.

A page in a browser on this machine can send requests to loopback too. So there the Host header must name this
machine (a rebound DNS name does not), and nothing is changed on behalf of a page from another origin. Anything but
loopback needs a token.

The token is shown as `Authorization: Bearer TOKEN`, or by a browser as the pass that it was given for the token (see
`passes.py`). A pass is shown by the browser itself, whoever made it ask: so by a pass alone everything may be read,
but changed only by what says in its Origin header that it is a page of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voltbench.apps.api import passes
from voltbench.apps.api.problems import plain_problem
from voltbench.errors import InvalidInput

OPEN_TO_PAGES = "voltbench.open_to_pages"
"""A key in the scope of a request to a route that pages of any origin may use, who show the token itself if there is
one. What stands before the gate sets it; no client can."""

LARGEST_BODY, LARGEST_SIMULATION = 1 << 20, 4 << 20
"""Bytes of the largest request body that is read. A simulation may bring a profile of 100,000 rows."""

_OPEN_PATHS = frozenset({"/health", "/api/v1/health"})
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

    It takes `/path/` for `/path`, and every body for JSON, whatever its Content-Type says (but where pages of any
    origin come in, the routes themselves look at that).
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
        query, is_open = scope["query_string"].decode("latin-1"), OPEN_TO_PAGES in scope
        answer = self._answer(scope["method"], path, query, Headers(scope=scope), is_open)
        if answer is not None:
            await answer(scope, receive, send)
            return
        headers = [header for header in scope["headers"] if is_open or header[0] != b"content-type"]
        await _in_order(self._app, {**scope, "path": path, "headers": headers}, _limited(receive, _largest(path)), send)

    def _answer(self, method: str, path: str, query: str, headers: Mapping[str, str], is_open: bool) -> Response | None:
        """The gate's own answer: a refusal or a welcome. None lets the request in."""
        if not self._knows_host(headers.get("host", "")):
            return plain_problem(400, "the Host header does not name this machine")
        if "\0" in path or "%00" in query:
            return plain_problem(400, "the URL holds a NUL, which no name of ours has")
        if method not in _READING and not is_open and _is_foreign(headers):
            return plain_problem(403, "a page from another origin may not change anything here")
        if _length(headers) > _largest(path):
            return plain_problem(413, f"a request may have {_largest(path)} bytes")
        if self._trust.token is None or path in _OPEN_PATHS:
            return None
        return _asked_for_token(self._trust.token, method, path, query, headers)

    def _knows_host(self, host: str) -> bool:
        return self._trust.hosts is None or _name_of(host) in self._trust.hosts


def _asked_for_token(token: str, method: str, path: str, query: str, headers: Mapping[str, str]) -> Response | None:
    """A welcome for who brings the token in a page's URL, None for who shows it or its pass, else a refusal."""
    if _has_token(headers.get("authorization", ""), token):
        return None
    brought = passes.token_in(query) if method == "GET" and path in passes.PAGES else None
    if brought is not None and passes.same(brought, token):
        return passes.welcome(path, token, headers.get("host", ""))
    if not passes.has_pass(headers, token) or (method not in _READING and _is_foreign(headers)):
        words = "send the token as `Authorization: Bearer TOKEN`, or open /ui?token=TOKEN in a browser"
        return plain_problem(401, words, {"WWW-Authenticate": 'Bearer realm="voltbench"'})
    if method not in _READING and "origin" not in headers:
        return plain_problem(403, "without an Origin header, only the token itself may change anything here")
    return None


def _has_token(authorization: str, token: str) -> bool:
    scheme, _, sent = authorization.partition(" ")
    return passes.same(sent.strip(), token) and scheme.lower() == "bearer"


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


async def _in_order(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Let a request be answered; when the server has to stop before that, say so instead of breaking off."""
    has_begun = False

    async def begin(message: Message) -> None:
        nonlocal has_begun
        has_begun = True
        await send(message)

    try:
        await app(scope, receive, begin)
    except asyncio.CancelledError:  # only a server that has waited long enough does this
        if not has_begun:
            await plain_problem(503, "voltbench stops; look whether this was done before you ask again")(
                scope, receive, send
            )


def _largest(path: str) -> int:
    return LARGEST_SIMULATION if path.startswith("/simulations") else LARGEST_BODY


def _limited(receive: Receive, most: int) -> Receive:
    """The same request, up to so many bytes."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > most:
            raise HTTPException(413, f"a request may have {most} bytes")
        return message

    return counted
