"""What goes between a worker and its parent: frames of a kind, the number of the task they are about, and bytes.

No socket is touched here. A reader is asked where the next bytes belong, and told how many came: large payloads are
received where they stay.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

TASK, DONE, FAILED, PROGRESS, PIECE = range(5)
"""A task; its result; why it has none; how much of it is done; that its next piece begins. The first goes to the
worker, the others come back."""

_KINDS = range(5)
_HEAD = struct.Struct("<BQQ")
_FRACTION = struct.Struct("<d")
_SMALL_BYTES = 32_768
_BUFFER_BYTES = 2 * _SMALL_BYTES  # so that there is always room after the beginning of a small frame


class Frame(NamedTuple):
    """Something said about a task."""

    kind: int
    task: int
    payload: bytearray


class Garbled(Exception):
    """These bytes are no frame: whoever sent them is beyond trust."""


def frame_parts(kind: int, task: int, payload: bytes | bytearray) -> list[memoryview]:
    """A frame as the buffers to be sent. Small ones are one; large payloads are not copied."""
    head = _HEAD.pack(kind, task, len(payload))
    if len(payload) <= _SMALL_BYTES:
        return [memoryview(head + payload)]
    return [memoryview(head), memoryview(payload)]


def fraction_payload(fraction: float) -> bytes:
    """The payload of PROGRESS."""
    return _FRACTION.pack(fraction)


def fraction_of(payload: bytearray) -> float:
    """What is in the payload of PROGRESS."""
    fraction: float = _FRACTION.unpack(payload)[0]
    return fraction


class FrameReader:
    """Makes frames of the bytes that come. Small ones come many at a time; a large payload is received on its own."""

    def __init__(self) -> None:
        self._buffer = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._held = 0  # bytes of the buffer that are no frame yet
        self._large: Frame | None = None
        self._missing = self._view[:0]  # what the large payload lacks

    def room(self) -> memoryview:
        """Where the next bytes belong. Never empty."""
        return self._missing if self._large is not None else self._view[self._held :]

    def received(self, count: int) -> list[Frame]:
        """So many bytes have been put there: the frames that they complete."""
        if self._large is None:
            self._held += count
            return self._read_buffer()
        self._missing = self._missing[count:]
        if self._missing:
            return []
        frame, self._large = self._large, None
        return [frame]

    def _read_buffer(self) -> list[Frame]:
        frames: list[Frame] = []
        begin = 0
        while self._held - begin >= _HEAD.size:
            kind, task, length = _HEAD.unpack_from(self._buffer, begin)
            if kind not in _KINDS:
                raise Garbled(f"no frame is of kind {kind}")
            content, end = begin + _HEAD.size, begin + _HEAD.size + length
            if end > self._held:
                if length > _SMALL_BYTES:
                    self._begin_large(kind, task, length, content)
                    return frames
                break
            frames.append(Frame(kind, task, self._buffer[content:end]))
            begin = end
        self._view[: self._held - begin] = self._buffer[begin : self._held]
        self._held -= begin
        return frames

    def _begin_large(self, kind: int, task: int, length: int, content: int) -> None:
        payload = bytearray(length)
        there = self._held - content
        payload[:there] = self._buffer[content : self._held]
        self._large = Frame(kind, task, payload)
        self._missing = memoryview(payload)[there:]
        self._held = 0
