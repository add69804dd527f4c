"""Files of stations, by HTTP: diagnostics and logs come in, firmware goes out, with nothing else installed.

Stations cannot show the token as a header, and firmware is larger than what other routes take. So these paths have a
door of their own before the gate: there the token, or a station's own password, is shown by HTTP's basic
authentication, `http://NAME:PASSWORD@HOST:PORT/csms/files/NAME` in a location; where no token is asked for, nothing.

Who shows the token, or need not, reads and writes everything. A station's password opens less: it fetches what an
operator has put here, and delivers, under names that are new, to a folder of that station, which no station reads.
"""

from __future__ import annotations

import base64
import binascii

from fastapi import APIRouter
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from voltbench.adapters.ocpp_csms.files import Files, TooLargeError
from voltbench.apps.api import passes
from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.csms import views
from voltbench.apps.api.csms.addressing import CsmsService, Service
from voltbench.apps.api.docs import says
from voltbench.apps.api.problems import from_error, plain_problem
from voltbench.apps.api.trust import Trust
from voltbench.errors import Conflict, InvalidInput, Unavailable
from voltbench.ocpp.v16.csms.records import KnownStation
from voltbench.ocpp.v16.csms.secrets_kept import is_password

PREFIX = "/csms/files/"

router = APIRouter(prefix="/csms", tags=["csms: files"])


@router.get("/files", responses=says(views.StoredFiles))
async def list_files(service: Service) -> Response:
    """Every file that stations have delivered, or may fetch. Each is at `/csms/files/{name}`: GET, PUT, POST.

    What a station has delivered by its own password is at `/csms/files/{name}?station={station}`: GET.
    """
    return struct_answer(views.StoredFiles(await service.files.all()))


class FileDoor:
    """Answers what is asked of `/csms/files/{name}`, and hands on everything else. To stand before the gate."""

    def __init__(self, app: ASGIApp, service: CsmsService, trust: Trust) -> None:
        self._app = app
        self._service = service
        self._trust = trust

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX) or scope["path"] == PREFIX:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        answer = self._refusal(request.method, request.headers) or await self._answer_known(request)
        await answer(scope, receive, send)

    def _refusal(self, method: str, headers: Headers) -> Response | None:
        """Pages in a browser have no business here."""
        host = headers.get("host", "")
        name = (host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host).strip("[]").lower()
        if self._trust.hosts is not None and name not in self._trust.hosts:
            return plain_problem(400, "the Host header does not name this machine")
        if method not in ("GET", "HEAD") and ("origin" in headers or "sec-fetch-site" in headers):
            return plain_problem(403, "a page may not change anything here")
        return None

    async def _answer_known(self, request: Request) -> Response:
        """Answer the operator, or a station that may be here."""
        name, password = _shown(request.headers.get("authorization", ""))
        if self._trust.token is None or passes.same(password, self._trust.token):
            return await self._answer(request, None)
        station = self._station(name, password)
        if station is None:
            words = "show the token, or a station's name and password"
            return plain_problem(401, words, {"WWW-Authenticate": 'Basic realm="voltbench"'})
        if station.registration == "Rejected":
            return plain_problem(403, "a station that is rejected has no files here")
        return await self._answer(request, station.id)

    def _station(self, name: str, password: str) -> KnownStation | None:
        """The station that has this name and password."""
        known = self._service.csms.central.known(name)
        secret = known.station.secret if known is not None else None
        is_shown = secret is not None and is_password(password.encode("latin-1"), secret)
        return known.station if known is not None and is_shown else None

    async def _answer(self, request: Request, station: str | None) -> Response:
        """Answer a station, or the operator where it is None."""
        name, files = request.scope["path"].removeprefix(PREFIX), self._service.files
        try:
            if request.method in ("GET", "HEAD"):
                deliverer = request.query_params.get("station") if station is None else None
                return _file(files if deliverer is None else files.of(deliverer), name)
            if request.method in ("PUT", "POST"):
                return await self._take(request, name, station)
        except (InvalidInput, Conflict) as error:
            return from_error(error)
        except OSError as error:
            return from_error(Unavailable(f"the file cannot be kept: {error}"))
        return plain_problem(405, f"{request.method} is not possible here", {"Allow": "GET, POST, PUT"})

    async def _take(self, request: Request, name: str, station: str | None) -> Response:
        files = self._service.files if station is None else self._service.files.of(station)
        try:
            await files.take(name, request.stream(), replaces=station is None)
        except TooLargeError:
            return plain_problem(413, f"a file may have {files.largest} bytes")
        return Response(status_code=201)


def _shown(authorization: str) -> tuple[str, str]:
    """The name and the password that a request shows, or the token as a password; nothing where they are no such."""
    scheme, _, shown = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return "", shown.strip()
    try:
        pair = base64.b64decode(shown.strip(), validate=True).decode("latin-1") if scheme.lower() == "basic" else ""
    except (binascii.Error, ValueError):
        pair = ""
    name, _, password = pair.partition(":")
    return name, password


def _file(files: Files, name: str) -> Response:
    path = files.path(name)
    if not path.is_file():
        return plain_problem(404, f"there is no file {name!r}")
    return FileResponse(path, headers={"X-Content-Type-Options": "nosniff"}, media_type="application/octet-stream")
