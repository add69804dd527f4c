"""The door to the routes of the course's home station: pages from anywhere may come in, and slashes may be doubled.

A page of another origin may do everything here that a program may. On a server with a token it has to show the token
itself; nothing that a browser shows by itself counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voltbench.apps.api.trust import OPEN_TO_PAGES

_ROUTES = re.compile(r"(?:/homes/[^/]+)?/(?:info|baseload|priceperhour|charge|discharge)")
_POSTED = ("/charge", "/discharge")
METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
"""What every preflight is told, whatever there is; `Allow` says what there is."""


class CourseDoor:
    """Stands before the gate. `has_root` says that `/` is a route of the home too."""

    def __init__(self, app: ASGIApp, has_root: bool = False) -> None:
        self._app = app
        self._has_root = has_root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in; answer it here where a browser only asks whether it may come."""
        path = re.sub("/{2,}", "/", scope["path"]).rstrip("/") if scope["type"] == "http" else ""
        if scope["type"] != "http" or not (_ROUTES.fullmatch(path) or (self._has_root and path == "")):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        welcome = _welcome(headers)

        async def send_to_page(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(welcome)
            await send(message)

        if scope["method"] == "OPTIONS":
            await _preflight(path, headers)(scope, receive, send_to_page)
        else:
            await self._app({**scope, "path": path or "/", OPEN_TO_PAGES: True}, receive, send_to_page)


def _welcome(headers: Mapping[str, str]) -> dict[str, str]:
    """What lets a page read an answer."""
    origin = headers.get("origin")
    if origin is None:
        return {"Access-Control-Allow-Origin": "*"}
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


def _preflight(path: str, headers: Mapping[str, str]) -> Response:
    asked = headers.get("access-control-request-headers", "content-type")
    there = "GET, HEAD, OPTIONS, POST" if path.endswith(_POSTED) else "GET, HEAD, OPTIONS"
    may = {"Allow": there, "Access-Control-Allow-Methods": METHODS, "Access-Control-Allow-Headers": asked}
    return Response(headers=may, media_type="application/json")
