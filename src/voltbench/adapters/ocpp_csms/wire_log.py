"""What went over the wire to and from each station lately: in memory, bounded, and to be followed live."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Literal, TypeAlias

import msgspec

from voltbench.ocpp.v16.csms.keys import without_secrets
from voltbench.quantities import Instant

BYTES_IN_ALL, MOST_FRAMES = 64 << 20, 500
"""What is remembered of all stations together, and how many frames of one."""

OVERHEAD = 400
"""Bytes that a frame takes up in memory besides its own."""

LONGEST_FRAME = 16_384
"""Bytes of a frame that are remembered."""

MOST_WAITING = 1_000
"""Frames that a follower may be behind; then he is let go."""

Direction: TypeAlias = Literal["in", "out"]


class Frame(msgspec.Struct, frozen=True):
    """A frame: its number at its station, when it went, to us or to the station, and what it said."""

    number: int
    at: Instant
    direction: Direction
    frame: str


_Kept: TypeAlias = tuple[int, Instant, Direction, bytes]


class Follower:
    """Somebody who follows a station's wire. It ends when it is closed, or falls too far behind."""

    def __init__(self, log: WireLog, station_id: str) -> None:
        self._log = log
        self._station_id = station_id
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._is_closed = False

    def tell(self, frame: Frame) -> None:
        """A frame went over the wire."""
        if self._frames.qsize() >= MOST_WAITING:
            self.close()
        elif not self._is_closed:
            self._frames.put_nowait(frame)

    def close(self) -> None:
        """Follow no more."""
        if not self._is_closed:
            self._is_closed = True
            self._log.leave(self._station_id, self)
            self._frames.put_nowait(None)

    def __aiter__(self) -> Follower:
        return self

    async def __anext__(self) -> Frame:
        frame = await self._frames.get()
        if frame is None:
            raise StopAsyncIteration
        return frame


class _Wire:
    """The last frames of a station, the number of the last one, and the turns of all of them, the oldest first."""

    __slots__ = ("frames", "last", "turns")

    def __init__(self) -> None:
        self.frames: deque[_Kept] = deque()
        self.turns: deque[int] = deque()
        self.last = 0


class WireLog:
    """The last frames of each station; where they take too many bytes together, the oldest of all go."""

    def __init__(self, bytes_in_all: int = BYTES_IN_ALL) -> None:
        self._bytes_left = bytes_in_all
        self._wires: dict[str, _Wire] = {}
        self._by_turn: OrderedDict[int, _Wire] = OrderedDict()
        self._turn = 0
        self._followers: dict[str, list[Follower]] = {}

    def note(self, station_id: str, at: Instant, direction: Direction, frame: bytes) -> None:
        """A frame goes over the wire."""
        wire = self._wires.get(station_id)
        if wire is None:
            wire = self._wires[station_id] = _Wire()
        wire.last += 1
        kept = (wire.last, at, direction, _sayable(frame))
        self._remember(wire, kept)
        for follower in self._followers.get(station_id, ()):
            follower.tell(_frame(kept))

    def _remember(self, wire: _Wire, kept: _Kept) -> None:
        self._turn += 1
        wire.frames.append(kept)
        wire.turns.append(self._turn)
        self._by_turn[self._turn] = wire
        self._bytes_left -= len(kept[3]) + OVERHEAD
        if len(wire.frames) > MOST_FRAMES:
            self._drop_oldest(wire)
        while self._bytes_left < 0:
            self._drop_oldest(next(iter(self._by_turn.values())))

    def _drop_oldest(self, wire: _Wire) -> None:
        del self._by_turn[wire.turns.popleft()]
        self._bytes_left += len(wire.frames.popleft()[3]) + OVERHEAD

    def last(self, station_id: str) -> list[Frame]:
        """The last frames of a station, the oldest first."""
        wire = self._wires.get(station_id)
        return [_frame(kept) for kept in wire.frames] if wire is not None else []

    def follow(self, station_id: str) -> Follower:
        """Hear of each frame from now on."""
        follower = Follower(self, station_id)
        self._followers[station_id] = [*self._followers.get(station_id, ()), follower]
        return follower

    def forget(self, station_id: str) -> None:
        """A station is not known any more."""
        wire = self._wires.pop(station_id, None)
        while wire is not None and wire.frames:
            self._drop_oldest(wire)

    def leave(self, station_id: str, follower: Follower) -> None:
        """A follower goes."""
        left = [one for one in self._followers.get(station_id, ()) if one is not follower]
        if left:
            self._followers[station_id] = left
        else:
            self._followers.pop(station_id, None)


def _sayable(frame: bytes) -> bytes:
    """A frame without what nobody may read, and not at length."""
    return without_secrets(frame)[:LONGEST_FRAME]


def _frame(kept: _Kept) -> Frame:
    number, at, direction, frame = kept
    return Frame(number, at, direction, frame.decode(errors="replace"))
