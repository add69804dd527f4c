"""A line from a station to its CSMS: the promise. Two WebSocket libraries keep it."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from voltbench.errors import Unavailable

LARGEST_FRAME = 1 << 20
OPENING_S = 10.0
"""How long the other side may take to open a line."""

PONG_S = 10.0
"""How long it may take to answer a ping."""

GOODBYE_S = 5.0
"""How long a close waits for the other side."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Address:
    """Where a line leads, and how to ask for it. `ping_s` 0 is no pings."""

    url: str
    subprotocol: str
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    ping_s: float = 60.0


class NotLetIn(Unavailable):
    """The other side does not take who we say we are."""


class NotTrusted(Unavailable):
    """The other side shows a certificate that we do not trust."""


def why_none(address: Address, error: Exception, status: int | None = None) -> Unavailable:
    """What to raise where no line can be had; `status` is what an HTTP server answered, if one did."""
    is_ours = status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    is_theirs = isinstance(error, ssl.SSLCertVerificationError)
    kind = NotLetIn if is_ours else NotTrusted if is_theirs else Unavailable
    return kind(f"{address.url}: {error}")


class Listener(Protocol):
    """Whoever is at the near end of a line."""

    def on_frame(self, frame: bytes) -> None:
        """A text frame has arrived."""

    def on_closed(self) -> None:
        """The line is gone. It is told once, and not before `connect` has returned."""


class Line(Protocol):
    """A line that stands."""

    def send(self, frame: bytes) -> None:
        """Send a text frame, as soon as the other side takes it. Nothing happens where the line is gone."""

    def close(self) -> None:
        """Close it, after what was to be sent."""


class Dialler(Protocol):
    """Makes lines."""

    async def connect(self, address: Address, listener: Listener) -> Line:
        """A line that stands. Raises Unavailable where none can be had: NotLetIn, NotTrusted, or for another reason."""


def hear(listener: Listener, frame: bytes) -> None:
    """Hand a frame over; whoever stumbles over it hears the next."""
    try:
        listener.on_frame(frame)
    except Exception:
        _log.exception("a frame was not dealt with")
