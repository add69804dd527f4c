"""What a station or a CSMS wants of the shell around it, in the order in which it is to be done."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct


class Send(Struct, frozen=True):
    """Send a frame."""

    frame: bytes


class Keep(Struct, frozen=True):
    """Remember an entry under a key, or forget it where it is None: for good before anything that follows is sent."""

    key: str
    entry: bytes | None


class Connect(Struct, frozen=True):
    """Connect to the CSMS, or try to; tell what came of it by `connected` or `disconnected`."""


class HangUp(Struct, frozen=True):
    """Close the connection, after what was to be sent."""


class Fetch(Struct, frozen=True):
    """Read the file at a URL; tell by `transferred` what it holds, or None."""

    id: int
    location: str


class Deliver(Struct, frozen=True):
    """Write a file to a URL, under this name where that leads to a folder; tell by `transferred`: b"" or None."""

    id: int
    location: str
    name: str
    content: bytes


class Abandon(Struct, frozen=True):
    """Give up a transfer that may be under way: nobody waits for it any more."""

    id: int


Order: TypeAlias = Send | Keep | Connect | HangUp | Fetch | Deliver | Abandon
