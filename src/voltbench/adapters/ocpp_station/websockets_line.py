"""Lines by the library `websockets`: the default."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from voltbench.adapters.ocpp_station import line as lines
from voltbench.adapters.ocpp_station.line import LARGEST_FRAME, Address, Line, Listener, hear, why_none
from voltbench.errors import Unavailable


class WebSocketsDialler:
    """Makes lines by `websockets`. Messages are not compressed: that would cost 30 KiB a line."""

    async def connect(self, address: Address, listener: Listener) -> Line:
        """A line that stands. Raises Unavailable where none can be had."""
        tls: dict[str, Any] = {"ssl": address.tls} if address.tls is not None else {}
        try:
            connection = await _Straight(
                address.url,
                subprotocols=[Subprotocol(address.subprotocol)],
                additional_headers=dict(address.headers),
                compression=None,
                open_timeout=lines.OPENING_S,
                close_timeout=lines.GOODBYE_S,
                ping_interval=address.ping_s or None,
                ping_timeout=lines.PONG_S,
                max_size=LARGEST_FRAME,
                proxy=None,
                **tls,
            )
        except (OSError, InvalidHandshake, InvalidURI, ValueError) as error:
            status = error.response.status_code if isinstance(error, InvalidStatus) else None
            raise why_none(address, error, status) from error
        if connection.subprotocol != address.subprotocol:
            await connection.close(1002, "the sub-protocol is missing")
            raise Unavailable(f"{address.url}: does not speak {address.subprotocol}")
        return _WebSocketsLine(connection, listener)


class _Straight(connect):
    """Goes where it was sent, and is not sent on with its password."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _WebSocketsLine:
    """A task listens, and another sends: what is handed over is sent in its order."""

    def __init__(self, connection: ClientConnection, listener: Listener) -> None:
        self._connection = connection
        self._listener = listener
        self._is_closing = False
        self._outgoing: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._speaking = asyncio.create_task(self._speak())
        self._listening = asyncio.create_task(self._listen())

    def send(self, frame: bytes) -> None:
        if not self._is_closing:
            self._outgoing.put_nowait(frame)

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._outgoing.put_nowait(None)
            # Whoever takes nothing would never be told of the close.
            asyncio.get_running_loop().call_later(lines.GOODBYE_S, self._connection.transport.abort)

    async def _listen(self) -> None:
        try:
            while True:
                hear(self._listener, await self._connection.recv(decode=False))
        except ConnectionClosed:
            pass  # the listener hears of it below
        finally:
            self._is_closing = True
            self._speaking.cancel()
            self._listener.on_closed()

    async def _speak(self) -> None:
        with suppress(ConnectionClosed):  # the listening task tells
            while (frame := await self._outgoing.get()) is not None:
                await self._connection.send(frame, text=True)
            await self._connection.close()
