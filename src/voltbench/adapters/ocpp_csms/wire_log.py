"""What went over the wire to and from each station lately: in memory, bounded, and to be followed live."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Literal, TypeAlias

import msgspec

from voltbench.ocpp.v16.csms.keys import without_secrets
from voltbench.quantities import Instant

FRAMES_IN_ALL, MOST_FRAMES, FEWEST_FRAMES = 200_000, 500, 16
"""What is remembered of all stations together, and of one at most and at least."""

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


class WireLog:
    """The last frames of each station."""

    def __init__(self) -> None:
        self._frames: dict[str, deque[_Kept]] = {}
        self._followers: dict[str, list[Follower]] = {}

    def note(self, station_id: str, at: Instant, direction: Direction, frame: bytes) -> None:
        """A frame goes over the wire."""
        frames = self._frames.get(station_id)
        if frames is None:
            frames = self._frames[station_id] = deque()
        kept = (frames[-1][0] + 1 if frames else 1, at, direction, _sayable(frame))
        frames.append(kept)
        if len(frames) > FEWEST_FRAMES and len(frames) > FRAMES_IN_ALL // len(self._frames):
            frames.popleft()
        if len(frames) > MOST_FRAMES:
            frames.popleft()
        for follower in self._followers.get(station_id, ()):
            follower.tell(_frame(kept))

    def last(self, station_id: str) -> list[Frame]:
        """The last frames of a station, the oldest first."""
        return [_frame(kept) for kept in self._frames.get(station_id, ())]

    def follow(self, station_id: str) -> Follower:
        """Hear of each frame from now on."""
        follower = Follower(self, station_id)
        self._followers[station_id] = [*self._followers.get(station_id, ()), follower]
        return follower

    def forget(self, station_id: str) -> None:
        """A station is not known any more."""
        self._frames.pop(station_id, None)

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
