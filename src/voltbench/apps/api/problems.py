"""What goes wrong, translated once for HTTP: RFC 9457 problem details from the error tree and from the framework's."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from voltbench.adapters import strict
from voltbench.adapters.json_text import UnreadableJson
from voltbench.apps.api.names import IN_WORDS
from voltbench.errors import (
    Conflict,
    Failed,
    Infeasible,
    InvalidInput,
    NotFound,
    RemoteProtocolError,
    Unavailable,
    VoltbenchError,
)

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_KINDS: tuple[tuple[type[VoltbenchError], int, str, str], ...] = (
    (UnreadableJson, 400, "unreadable", "The request cannot be read"),
    (InvalidInput, 422, "invalid-input", "A value cannot be used"),
    (NotFound, 404, "not-found", "There is no such thing"),
    (Conflict, 409, "conflict", "The present state forbids it"),
    (Failed, 409, "failed", "The work came to no good end"),
    (Infeasible, 422, "infeasible", "No answer keeps every limit"),
    (Unavailable, 503, "unavailable", "Not available now"),
    (RemoteProtocolError, 502, "remote-protocol-error", "A peer broke the protocol"),
    (VoltbenchError, 500, "internal-error", "A fault of ours"),
)
"""Status, type and title for each branch of the error tree; the first that fits counts."""

_PHRASES = {
    400: ("unreadable", "The request cannot be read"),
    401: ("unauthorized", "A token is needed"),
    403: ("forbidden", "Not allowed"),
    404: ("not-found", "There is no such thing"),
    405: ("method-not-allowed", "Not with this method"),
    409: ("conflict", "The present state forbids it"),
    413: ("too-large", "The request is too large"),
    422: ("invalid-input", "A value cannot be used"),
    500: ("internal-error", "A fault of ours"),
    503: ("unavailable", "Not available now"),
}

_WORDS = {
    "missing": ("is missing", ""),
    "extra_forbidden": ("is unknown", ""),
    "finite_number": ("is not finite", "a finite number"),
    "float_type": ("is no number", "a number"),
    "float_parsing": ("is no number", "a number"),
    "int_type": ("is no whole number", "a whole number"),
    "int_parsing": ("is no whole number", "a whole number"),
    "int_from_float": ("is no whole number", "a whole number"),
    "string_type": ("is no text", "a text"),
    "string_unicode": ("is no text", "a text in Unicode"),
    "model_attributes_type": ("is no object", "a JSON object"),
    "model_type": ("is no object", "a JSON object"),
    "int_parsing_size": ("is too large", strict.FINITE),
    "greater_than": ("is too small", "more than {gt:.16g}"),
    "greater_than_equal": ("is too small", "{ge:.16g} or more"),
    "less_than": ("is too large", "less than {lt:.16g}"),
    "less_than_equal": ("is too large", "up to {le:.16g}"),
    "string_too_short": ("is too short", "{min_length} or more characters"),
    "string_too_long": ("is too long", "up to {max_length} characters"),
    "too_short": ("are too few", "{min_length} or more"),
    "too_long": ("are too many", "up to {max_length}"),
    "enum": ("is unknown", "{expected}"),
    "literal_error": ("is unknown", "{expected}"),
    "bool_parsing": ("is neither true nor false", "true or false"),
}
"""Our words for the commonest findings of the models: what is wrong, and what is allowed."""

WEB_ADDRESS = r"^https?://[!-~]+$"
ONE_RECORD = r"^[A-Za-z0-9_.-]+(/[0-9]{1,6})?$"
NO_NUL = r"^[^\x00]*$"

_IN_WORDS = {
    **IN_WORDS,
    WEB_ADDRESS: ("is no address on the web", "http://... or https://..., in ASCII"),
    ONE_RECORD: ("is no simulation, nor a point of a sweep", "ID, or ID/NUMBER"),
    NO_NUL: ("has a NUL in it", "any other characters"),
}
"""What is wrong with a text that has not the pattern, and what is allowed."""

_METHODS = ("DELETE", "GET", "POST", "PUT")
_LONGEST_FOUND, _LARGEST_FOUND = 200, 1e300


class Fault(BaseModel):
    """One value that cannot be used."""

    field: str
    problem: str
    found: Any = None
    allowed: str | None = None


class Problem(BaseModel):
    """Problem details (RFC 9457). `field`, `found` and `allowed` name the value at fault where there is one."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    found: Any = None
    allowed: str | None = None
    errors: list[Fault] | None = None


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How a route's description says that it may answer with these problems."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _PHRASES[status][1], "content": content} for status in statuses}


OF_A_SOURCE: dict[int | str, dict[str, Any]] = {
    502: problems(503)[503] | {"description": "A source of prices makes no sense"}
}
"""How a route's description says that prices which it asks others for may be none."""


def problem_response(
    status: int, kind: str, title: str, detail: str, headers: Mapping[str, str] | None = None, **facts: Any
) -> Response:
    """A response that says what went wrong; facts that are None are left out."""
    said = {"type": f"urn:voltbench:problem:{kind}", "title": title, "status": status, "detail": detail}
    said |= {name: fact for name, fact in facts.items() if fact is not None}
    return Response(json.dumps(said), status, headers, MEDIA_TYPE)  # ASCII, so that half a surrogate can be said too


def plain_problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """A problem that is told by its status."""
    kind, title = _PHRASES.get(status, ("http-error", "The request failed"))
    return problem_response(status, kind, title, detail, headers)


def install(app: FastAPI) -> None:
    """Let every error of an application be said as problem details."""
    app.add_exception_handler(VoltbenchError, _from_ours)
    app.add_exception_handler(RequestValidationError, _from_validation)
    app.add_exception_handler(HTTPException, _from_http)
    app.add_exception_handler(Exception, _from_surprise)


def from_error(error: VoltbenchError) -> Response:
    """One of our own errors, with its facts."""
    status, kind, title = next(known[1:] for known in _KINDS if isinstance(error, known[0]))
    headers = {"Retry-After": "1"} if status == 503 else None
    if status >= 500:
        _log.error("%s: %s", type(error).__name__, error)
    return problem_response(status, kind, title, str(error), headers, **_facts(error))


def _facts(error: VoltbenchError) -> dict[str, Any]:
    if isinstance(error, InvalidInput) and not isinstance(error, UnreadableJson):
        return {"field": error.field, "found": sayable(error.found), "allowed": error.allowed or None}
    if isinstance(error, Failed):
        return {"failure": error.kind}
    if isinstance(error, Infeasible):
        return {"limit": error.limit, "excess": error.excess, "unit": error.unit}
    return {}


def sayable(found: Any) -> Any:
    """What was found, as JSON can say it, and not at length."""
    if found is None or isinstance(found, bool):
        return found
    if isinstance(found, int | float) and abs(found) < _LARGEST_FOUND:
        return found
    if isinstance(found, int):
        return strict.shown(found)
    text = found if isinstance(found, str) else repr(found)
    return text if len(text) <= _LONGEST_FOUND else text[:_LONGEST_FOUND] + "..."


async def _from_ours(_request: Request, error: Exception) -> Response:
    return from_error(cast(VoltbenchError, error))


async def _from_http(request: Request, error: Exception) -> Response:
    known = cast(HTTPException, error)
    if isinstance(known.__cause__, VoltbenchError):  # what was raised while the body was read
        return from_error(known.__cause__)
    if known.status_code == 405:
        allowed = ", ".join(_methods(request))
        return plain_problem(405, f"{request.method} is not possible here, but {allowed}", {"Allow": allowed})
    if known.status_code == 404:
        asked = request.scope.get("raw_path") or request.url.path.encode()  # the path may be ours by now, not his
        return plain_problem(404, f"there is nothing at {asked.decode('latin-1')}")
    return plain_problem(known.status_code, known.detail, known.headers)


def _methods(request: Request) -> list[str]:
    """Every method that there is at the path of a request: routes know only their own."""
    routes = request.app.routes
    asked = [(method, {**request.scope, "method": method}) for method in _METHODS]
    return [method for method, scope in asked if any(route.matches(scope)[0] is Match.FULL for route in routes)]


async def _from_surprise(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed: %r", request.method, request.url.path, error)
    return plain_problem(500, "this is a fault of voltbench; its log says more")


async def _from_validation(_request: Request, error: Exception) -> Response:
    found = cast(RequestValidationError, error).errors()
    if found[0]["type"] == "json_invalid":
        return plain_problem(400, f"no JSON: {found[0]['ctx']['error']} at character {found[0]['loc'][-1]}")
    faults = [_fault(one) for one in found]
    detail, several = str(InvalidInput(**faults[0])), faults if len(faults) > 1 else None
    return problem_response(422, "invalid-input", _PHRASES[422][1], detail, **faults[0], errors=several)


def _fault(found: Mapping[str, Any]) -> dict[str, Any]:
    limits = found.get("ctx", {})
    problem, allowed = _IN_WORDS.get(limits.get("pattern")) or _words(found)
    known = {"field": _field(found["loc"]), "problem": problem}
    if found["type"] not in ("missing", "extra_forbidden"):
        known["found"] = "null" if found["input"] is None else sayable(found["input"])
    if allowed:
        known["allowed"] = allowed.format(**limits)
    return known


def _words(found: Mapping[str, Any]) -> tuple[str, str]:
    is_huge = found["type"] == "float_type" and type(found["input"]) is int  # too large for a float, says pydantic
    return _WORDS["int_parsing_size"] if is_huge else _WORDS.get(found["type"], (found["msg"], ""))


def _field(location: Sequence[str | int]) -> str:
    """A field's name as a person would write it: `chargers[0].maxPower`, or `body` for the whole of it."""
    name = ""
    for part in location[1:]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name or str(location[0])
