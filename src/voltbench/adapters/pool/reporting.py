"""How a task says how far it has come."""

from __future__ import annotations

from collections.abc import Callable

_SMALLEST_STEP = 0.001


class _Reporter:
    """Sends what is worth sending. Of a step that nobody would see nothing is sent, however often it is reported."""

    def __init__(self) -> None:
        self._send: Callable[[float], None] | None = None
        self._send_piece: Callable[[], None] | None = None
        self._last = 0.0

    def begin(self, send: Callable[[float], None], send_piece: Callable[[], None]) -> None:
        self._last = 0.0
        self._send, self._send_piece = send, send_piece

    def end(self) -> None:
        self._send = self._send_piece = None

    def begin_piece(self) -> None:
        if self._send_piece is not None:
            self._send_piece()

    def report(self, fraction: float) -> None:
        send = self._send
        if send is None or not abs(fraction - self._last) >= _SMALLEST_STEP:  # also of what is not a number
            return
        self._last = fraction
        send(min(max(fraction, 0.0), 1.0))


REPORTER = _Reporter()
"""A process does one task at a time."""


def begin_piece() -> None:
    """Say that another piece of the running task begins: a timeout is for one piece, not for all of them.

    Outside of a pool it does nothing.
    """
    REPORTER.begin_piece()


def progress(fraction: float) -> None:
    """Say that so much of the running task is done, 0 to 1.

    It is cheap, and may be said by any thread. Outside of a pool it does nothing.
    """
    REPORTER.report(fraction)
