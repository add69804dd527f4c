"""Lines by the library `picows`: a quarter of the CPU a message, for fleets."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSError,
    WSFrame,
    WSInvalidStatusError,
    WSListener,
    WSMsgType,
    WSProtocolError,
    WSTransport,
    ws_connect,
)

from voltbench.adapters.ocpp_station import line as lines
from voltbench.adapters.ocpp_station.line import LARGEST_FRAME, Address, Line, Listener, hear, why_none
from voltbench.errors import Unavailable

READ_BUFFER = 2_048
TEXT, DATA, CLOSE = WSMsgType.TEXT, (WSMsgType.TEXT, WSMsgType.BINARY), WSMsgType.CLOSE


class PicowsDialler:
    """Makes lines by `picows`."""

    async def connect(self, address: Address, listener: Listener) -> Line:
        """A line that stands. Raises Unavailable where none can be had."""
        if address.tls is not None and not address.url.lower().startswith("wss:"):
            raise Unavailable(f"{address.url}: is no wss URL, and the line has to be secure")
        line = _PicowsLine(listener)
        try:
            await ws_connect(
                lambda: line,
                address.url,
                ssl_context=address.tls,
                websocket_handshake_timeout=lines.OPENING_S,
                enable_auto_ping=address.ping_s > 0.0,
                auto_ping_idle_timeout=address.ping_s or lines.PONG_S,
                auto_ping_reply_timeout=min(lines.PONG_S, address.ping_s or lines.PONG_S),
                auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
                max_frame_size=LARGEST_FRAME,
                max_redirects=0,  # nobody is sent on with his password
                extra_headers={**address.headers, "Sec-WebSocket-Protocol": address.subprotocol},
                read_buffer_init_size=READ_BUFFER,
            )
            line.stands(address)
        except (OSError, WSError, TimeoutError, ValueError) as error:
            response = error.response if isinstance(error, WSInvalidStatusError) else None
            status = None if response is None else response.status
            raise why_none(address, error, status) from error
        finally:
            line.give_up_unless_it_stands()
        return line


class _PicowsLine(WSListener):
    """Frames that come in fragments are put together; those that come before anybody listens wait."""

    __slots__ = ("_early", "_ending", "_fragments", "_is_closed", "_is_given_up", "_listener", "_stands", "_transport")

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: WSTransport | None = None
        self._early: list[bytes] | None = []
        self._fragments = bytearray()
        self._is_given_up = False
        self._stands = False
        self._is_closed = False
        self._ending: asyncio.Task[None] | None = None

    # --- standing ---------------------------------------------------------------------------------------------------

    def stands(self, address: Address) -> None:
        """Whoever listens is ready: he hears what has come so far, and goes on to. Unavailable where nothing stands."""
        if self._transport is None:
            raise Unavailable(f"{address.url}: the connection was closed without an answer")
        if self._transport.response.headers.get("Sec-WebSocket-Protocol") != address.subprotocol:
            self._transport.send_close(WSCloseCode.PROTOCOL_ERROR, "the sub-protocol is missing")
            raise Unavailable(f"{address.url}: does not speak {address.subprotocol}")
        self._stands = True
        asyncio.get_running_loop().call_soon(self._catch_up)

    def give_up_unless_it_stands(self) -> None:
        """Nobody wants this line, should it ever stand: `ws_connect` goes on when it is cancelled."""
        self._is_given_up = not self._stands
        if self._is_given_up and self._transport is not None:
            self._transport.disconnect()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        if self._is_given_up:
            transport.disconnect()

    def _catch_up(self) -> None:
        early, self._early = self._early or [], None
        for frame in early:
            self._hear(frame)
        if self._is_closed:
            self._listener.on_closed()

    # --- sending ----------------------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        if self._transport is not None and not self._is_closed:
            self._transport.send(TEXT, frame)

    def close(self) -> None:
        if self._transport is not None and not self._transport.is_close_frame_sent and not self._is_closed:
            self._transport.send_close(WSCloseCode.OK)
            asyncio.get_running_loop().call_later(lines.GOODBYE_S, self._transport.disconnect, False)

    # --- hearing ----------------------------------------------------------------------------------------------------

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif transport.is_close_frame_sent:
            return  # `picows` goes on to read what was too large, after it has refused it
        elif kind in DATA and frame.fin:
            self._hear(frame.get_payload_as_bytes())
        elif kind in DATA or kind == WSMsgType.CONTINUATION:
            self._put_together(frame)

    def _put_together(self, frame: WSFrame) -> None:
        self._fragments += frame.get_payload_as_memoryview()
        if len(self._fragments) > LARGEST_FRAME:
            raise WSProtocolError(WSCloseCode.MESSAGE_TOO_BIG, f"more than {LARGEST_FRAME} bytes")
        if frame.fin:
            whole = bytes(self._fragments)
            self._fragments.clear()
            self._hear(whole)

    def _hear(self, frame: bytes) -> None:
        if self._early is not None:
            self._early.append(frame)
        else:
            hear(self._listener, frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._is_closed = True
        self._ending = asyncio.create_task(_ended(transport))
        if self._early is None:
            self._listener.on_closed()


async def _ended(transport: WSTransport) -> None:
    """Take note of what the end came from. `picows` has logged it, but asyncio complains where nobody asks."""
    with suppress(Exception):
        await transport.wait_disconnected()
