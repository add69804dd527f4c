"""HTTP as it comes off the wire: uvicorn's protocol over httptools, whose parser in C takes a tenth off each request.

That parser takes heads of any length, for whoever has not even shown a token. So what it tells of is counted, and also
what it keeps because it has not told of it yet.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 1 << 16
"""Bytes of a request's line and headers, and of the trailers behind a body."""


class Wire(HttpToolsProtocol):
    """One connection, which ends when a head has no end."""

    _head = 0
    _untold = 0
    _has_told = False

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        self._has_told = False
        super().data_received(data)
        self._untold = 0 if self._has_told else self._untold + len(data)
        if self._untold > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response(f"The head of a request may have {LONGEST_HEAD} bytes.")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of what is asked for."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer behind the body."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > LONGEST_HEAD:
            raise ValueError("the head is too long")  # the parser ends the connection with a 400

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._has_told = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._has_told = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._has_told = True
        super().on_message_complete()
