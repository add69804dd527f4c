"""JSON as people write it: `//` and `/* */` comments are allowed; doubled keys, and what is not UTF-8, are not."""

from __future__ import annotations

import json
import re
from typing import Any

from voltbench.adapters import strict
from voltbench.errors import InvalidInput

_COMMENT_OR_STRING = re.compile(r'"(?:\\.|[^"\\])*(?:"|\Z)|//[^\r\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_STRING_OR_CONSTANT = re.compile(r'"(?:\\.|[^"\\])*(?:"|\Z)|(?P<constant>\bNaN\b|-?\bInfinity\b)', re.DOTALL)


class UnreadableJson(InvalidInput):
    """A text that is not JSON at all, as opposed to JSON that says something wrong. `field` is the place in it."""


def parse(text: bytes | str) -> Any:
    """What a JSON text says, comments left out. Raises UnreadableJson that names line and column."""
    clean = without_comments(_decoded(text))
    try:
        _refuse_constants(clean)
        return parse_plain(clean)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UnreadableJson(place, f"is not JSON: {error.msg}", allowed="JSON; // comments are fine") from error


def parse_plain(text: bytes | str) -> Any:
    """What a JSON text without comments says; `NaN` and `Infinity` are for the caller to refuse.

    Raises JSONDecodeError, or UnreadableJson for what Python would let pass or stumble over.
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError:
        raise
    except RecursionError as error:
        raise UnreadableJson("text", "is nested too deeply", allowed="a few levels") from error
    except UnicodeError as error:
        raise _not_utf8() from error
    except ValueError as error:  # Python's limit on the digits of a number
        raise UnreadableJson("text", strict.ENDLESS_NUMBER, allowed=strict.FINITE) from error


def parse_object(text: bytes | str) -> dict[str, Any]:
    """The object that a request's JSON text says. Raises UnreadableJson that names line and column, or InvalidInput."""
    try:
        found = parse_plain(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UnreadableJson(place, f"is not JSON: {error.msg}", allowed="JSON") from error
    if not isinstance(found, dict):
        raise InvalidInput("body", "is not allowed", found=strict.shown(found), allowed="a JSON object")
    return found


def without_comments(text: str) -> str:
    """The text with each comment replaced by blanks, so that places stay where they are. Strings are left alone."""
    return _COMMENT_OR_STRING.sub(_blanked, text)


def _blanked(match: re.Match[str]) -> str:
    found = match.group()
    return found if found.startswith('"') else re.sub(r"[^\r\n]", " ", found)


def _decoded(text: bytes | str) -> str:
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8-sig")
        decoded.encode()
    except UnicodeError as error:
        raise _not_utf8() from error
    return decoded


def _not_utf8() -> UnreadableJson:
    return UnreadableJson("text", "is not UTF-8", allowed="JSON in UTF-8")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            found = strict.shown(key)
            raise UnreadableJson(
                "text", "says the same thing twice in one object", found=found, allowed="each key once"
            )
        table[key] = value
    return table


def _refuse_constants(text: str) -> None:
    """Raise UnreadableJson for `NaN` and `Infinity`, which Python would take and JSON does not have."""
    found = next((match for match in _STRING_OR_CONSTANT.finditer(text) if match.lastgroup is not None), None)
    if found is not None:
        before = text[: found.start()]
        place = f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"
        raise UnreadableJson(place, "is not a number", found=found.group(), allowed="finite numbers")
