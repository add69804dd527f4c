"""Reading OCPP-J frames: what kind they are and what parts they have, and the fault that a bad payload has."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw

from voltbench.ocpp.dialect import Fault

_parts_decoder = msgspec.json.Decoder(list[Raw])
_text_decoder = msgspec.json.Decoder(str)
_answer_decoder = msgspec.json.Decoder(tuple[int, str, Raw])


_PLAIN: dict[bytes | str, str] = {b"[2,": "2", b"[3,": "3", b"[4,": "4", "[2,": "2", "[3,": "3", "[4,": "4"}


def kind_of(frame: bytes | str) -> str:
    """The message type of a frame, as far as it begins like one: `2`, `3`, `4`, or nothing."""
    if frame[:3] in _PLAIN:
        return _PLAIN[frame[:3]]
    head = frame[:32] if isinstance(frame, str) else frame[:32].decode("ascii", "replace")
    inside = head.lstrip()[1:].lstrip() if head.lstrip().startswith("[") else ""
    return inside[:1] if inside[1:].lstrip()[:1] == "," else ""


def parts_of(frame: bytes | str) -> list[Raw] | None:
    """The parts of a frame, or None where it is no JSON array."""
    try:
        return _parts_decoder.decode(frame)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None


def answer_of(frame: bytes | str) -> tuple[str, Raw] | None:
    """The id and the payload of an answer as it should be, read at once; None where it is not like that."""
    try:
        _, id, payload = _answer_decoder.decode(frame)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    return id, payload


def text_of(part: Raw) -> str | None:
    """A part that is a text, or None."""
    try:
        return _text_decoder.decode(part)
    except (msgspec.MsgspecError, ValueError):
        return None


def anything_of(part: Raw) -> Any:
    """Whatever a part is; None where that cannot be read."""
    try:
        return msgspec.json.decode(part)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None


_HEAD = re.compile(r'\s*\[\s*2\s*,\s*"([^"\\\x00-\x1f]+)"\s*,')


def id_at_head(frame: bytes | str) -> str | None:
    """The id of a call that cannot be read as a whole, where its beginning can."""
    head = frame[:512]
    found = _HEAD.match(head if isinstance(head, str) else head.decode("utf-8", "replace"))
    return found[1] if found is not None else None


_FAULTS = (
    (re.compile("Object missing required field "), Fault.OCCURRENCE),
    (re.compile("Expected `array` of length "), Fault.OCCURRENCE),
    (re.compile("Object contains unknown field "), Fault.FORMAT),
    (re.compile("Expected `[^`]*`, got `"), Fault.TYPE),
)
"""How msgspec begins to say what is wrong. What comes later may be the sender's own words."""


def fault_of(problem: str) -> Fault:
    """The fault that msgspec describes; what is none of the others is a value that is not allowed."""
    return next((fault for words, fault in _FAULTS if words.match(problem)), Fault.PROPERTY)
