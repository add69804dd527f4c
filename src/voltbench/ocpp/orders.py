"""What a station or a CSMS wants of the shell around it, in the order in which it is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Keep:
    """Remember an entry under a key, or forget it where it is None: for good before anything that follows is sent."""

    key: str
    entry: bytes | None


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect to the CSMS, or try to; tell what came of it by `connected` or `disconnected`."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection, after what was to be sent."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read the file at a URL; tell by `transferred` what it holds, or None."""

    id: int
    location: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """Write a file to a URL, under this name where that leads to a folder; tell by `transferred`: b"" or None."""

    id: int
    location: str
    name: str
    content: bytes


Order: TypeAlias = Send | Keep | Connect | HangUp | Fetch | Deliver
