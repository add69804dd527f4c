"""Ids with a slash in them: a station may connect to `/a%2Fb`, and is found at `/csms/stations/a%2Fb`.

Routes are matched against a path that is decoded already, where such a slash looks like one that parts segments. So it
is exchanged for a character that no text has, before they are matched, and comes back in what a route is given.
"""

from __future__ import annotations

from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

STAND_IN = "\ufdd0"
"""A noncharacter of Unicode: for use inside a program, never between programs."""


class SlashesKept:
    """Tells slashes that were encoded from those that part the segments of a path. To stand before the routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        raw: bytes = scope.get("raw_path") or b""
        if b"%2f" in raw.lower() and scope["path"].startswith("/csms/"):
            segments = raw.decode("latin-1").split("/")
            scope = {**scope, "path": "/".join(unquote(segment).replace("/", STAND_IN) for segment in segments)}
        await self._app(scope, receive, send)


class _Id(Convertor[str]):
    """A segment of a path, with its slashes."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return value.replace(STAND_IN, "/")

    def to_string(self, value: str) -> str:
        return value.replace("/", "%2F")


register_url_convertor("id", _Id())


def id_in_path(name: str) -> str:
    """How a route says that a segment of its path is an id, which may have slashes."""
    return f"{{{name}:id}}"
