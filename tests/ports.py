"""Ports that nobody else is given while nobody listens there."""

from __future__ import annotations

import socket
from typing import Self


class HeldPort:
    """A port of this machine, kept for whoever will listen there; until then all connections are refused.

    Linux gives a port that is bound so to nobody by chance, and lets a server that asks for it by number listen.
    """

    def __init__(self, number: int = 0) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", number))
        self.number: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Keep it no more."""
        self._socket.close()
