"""Files of stations, by HTTP: diagnostics and logs come in, firmware goes out, with nothing else installed.

Stations cannot show the token as a header, and firmware is larger than what other routes take. So these paths have a
door of their own before the gate: there the token, or a station's own password, is shown by HTTP's basic
authentication, `http://NAME:PASSWORD@HOST:PORT/csms/files/NAME` in a location; where no token is asked for, nothing.
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
from voltbench.errors import InvalidInput, Unavailable
from voltbench.ocpp.v16.csms.secrets_kept import is_password

PREFIX = "/csms/files/"

router = APIRouter(prefix="/csms", tags=["csms: files"])


@router.get("/files", responses=says(views.StoredFiles))
async def list_files(service: Service) -> Response:
    """Every file that stations have delivered, or may fetch. Each is at `/csms/files/{name}`: GET, PUT, POST."""
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
        answer = self._refusal(request.method, request.headers) or await self._answer(request)
        await answer(scope, receive, send)

    def _refusal(self, method: str, headers: Headers) -> Response | None:
        """Pages in a browser have no business here, nor do those who have nothing to show."""
        host = headers.get("host", "")
        name = (host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host).strip("[]").lower()
        if self._trust.hosts is not None and name not in self._trust.hosts:
            return plain_problem(400, "the Host header does not name this machine")
        if method not in ("GET", "HEAD") and ("origin" in headers or "sec-fetch-site" in headers):
            return plain_problem(403, "a page may not change anything here")
        if self._trust.token is None or self._shows_secret(self._trust.token, headers.get("authorization", "")):
            return None
        words = "show the token, or a station's name and password"
        return plain_problem(401, words, {"WWW-Authenticate": 'Basic realm="voltbench"'})

    def _shows_secret(self, token: str, authorization: str) -> bool:
        scheme, _, shown = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return passes.same(shown.strip(), token)
        try:
            name, _, password = base64.b64decode(shown.strip(), validate=True).decode("latin-1").partition(":")
        except (binascii.Error, ValueError):
            return False
        known = self._service.csms.central.known(name) if scheme.lower() == "basic" else None
        secret = known.station.secret if known is not None else None
        if secret is not None and is_password(password.encode("latin-1"), secret):
            return True
        return scheme.lower() == "basic" and passes.same(password, token)

    async def _answer(self, request: Request) -> Response:
        name = request.scope["path"].removeprefix(PREFIX)
        try:
            if request.method in ("GET", "HEAD"):
                return _file(self._service.files, name)
            if request.method in ("PUT", "POST"):
                return await self._take(request, name)
        except InvalidInput as error:
            return from_error(error)
        except OSError as error:
            return from_error(Unavailable(f"the file cannot be kept: {error}"))
        return plain_problem(405, f"{request.method} is not possible here", {"Allow": "GET, POST, PUT"})

    async def _take(self, request: Request, name: str) -> Response:
        files = self._service.files
        try:
            await files.take(name, request.stream())
        except TooLargeError:
            return plain_problem(413, f"a file may have {files.largest} bytes")
        return Response(status_code=201)


def _file(files: Files, name: str) -> Response:
    path = files.path(name)
    if not path.is_file():
        return plain_problem(404, f"there is no file {name!r}")
    return FileResponse(path, headers={"X-Content-Type-Options": "nosniff"}, media_type="application/octet-stream")
