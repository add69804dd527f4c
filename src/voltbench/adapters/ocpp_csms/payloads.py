"""What an operator wants to have sent: read as the message that it is, or refused with the place that is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from voltbench.errors import InvalidInput, NotFound
from voltbench.ocpp.v16.csms.records import NamedProfile
from voltbench.ocpp.v16.csms.storable import require_storable
from voltbench.ocpp.v16.messages import FROM_CSMS, REQUESTS
from voltbench.ocpp.wire_types import read

R = TypeVar("R", bound=Struct)

_PROFILE_AT = {"SetChargingProfile": "csChargingProfiles", "RemoteStartTransaction": "chargingProfile"}
"""Where a stored profile may be named instead of written out."""


def request_of(action: str, payload: Any, profiles: Mapping[str, NamedProfile]) -> Struct:
    """The message that a payload, as JSON has it, is.

    Raises NotFound for an action or a stored profile that is not there, InvalidInput for the payload.
    """
    if action not in FROM_CSMS:
        raise NotFound("command of OCPP 1.6", action)
    content = payload
    place = _PROFILE_AT.get(action, "")
    if isinstance(payload, dict) and isinstance(payload.get(place), str):
        content = payload | {place: _named(profiles, payload[place])}
    return message_of(REQUESTS[action], content)


def message_of(kind: type[R], content: Any) -> R:
    """The message, or part of one, that JSON content is. Raises InvalidInput with the place that is wrong."""
    if not isinstance(content, dict):
        raise InvalidInput("body", "is no object", allowed="a JSON object")
    try:
        require_storable("", content)
        found = read(kind, msgspec.json.encode(content))
        require_storable("", msgspec.to_builtins(found))  # `1e30` is a whole number only where one is asked for
        return found
    except msgspec.ValidationError as error:
        raise _refusal(kind, content, str(error)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidInput("body", f"cannot be sent: {error}") from None


def _named(profiles: Mapping[str, NamedProfile], name: str) -> Any:
    if name not in profiles:
        raise NotFound("stored profile", name)
    return msgspec.json.decode(profiles[name].profile)


_PLACE = re.compile(r" - at `(?:\$|key in \$)([^`]*)`\Z")
_MEMBER = re.compile(r"Object (missing required|contains unknown) field `([^`]+)`")
_EXPECTED = re.compile(r"Expected (.+?)(?:, got .+)?\Z")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def _refusal(kind: type[Struct], content: Any, words: str) -> InvalidInput:
    """What msgspec finds wrong, in our words."""
    found_at = _PLACE.search(words)
    path, problem = (found_at[1].lstrip("."), words[: found_at.start()]) if found_at else ("", words)
    member = _MEMBER.match(problem)
    if member is not None:
        field = f"{path}.{member[2]}" if path else member[2]
        return InvalidInput(field, "is missing" if member[1].startswith("missing") else "is unknown")
    found = _found_at(content, path)
    if problem.startswith("Invalid enum value"):
        return InvalidInput(path, "is none of those allowed", found=found, allowed=_choices(kind, path))
    expected = _EXPECTED.match(problem)
    allowed = expected[1].replace("`", "") if expected else ""
    return InvalidInput(
        path or "body", "is not what is asked for" if allowed else problem, found=found, allowed=allowed
    )


def _found_at(content: Any, path: str) -> Any:
    for name, index in _STEP.findall(path):
        if name and isinstance(content, dict):
            content = content.get(name)
        elif index.isdecimal() and isinstance(content, list) and int(index) < len(content):
            content = content[int(index)]
        else:
            return None
    return content if isinstance(content, str | int | float) else None


def _choices(kind: type[Struct], path: str) -> str:
    """The words that are allowed at a place of a message."""
    place: Any = msgspec.inspect.type_info(kind)
    for name, _ in _STEP.findall(path):
        place = _member(place, name)
    return ", ".join(map(str, getattr(place, "values", ())))


def _member(place: Any, name: str) -> Any:
    if not name:
        return _bare(getattr(place, "item_type", place))
    fields = getattr(place, "fields", ())
    return _bare(next((field.type for field in fields if field.encode_name == name), place))


def _bare(place: Any) -> Any:
    """A type without its being optional and without what is said about it."""
    if isinstance(place, msgspec.inspect.UnionType):
        place = next((one for one in place.types if not isinstance(one, msgspec.inspect.UnionType)), place)
    return place.type if isinstance(place, msgspec.inspect.Metadata) else place
