"""Server-sent events: their format, what keeps a silent line alive, and an end for all when the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

import msgspec

HEARTBEAT_S = 15.0
"""A comment is sent after so much silence, so that both sides notice a dead connection."""

HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Until either side ends it", "content": {"text/event-stream": {}}}
}
STILL_HERE = b": still here\n\n"

Told = TypeVar("Told")


class Closable(Protocol):
    """What a stream listens to."""

    def close(self) -> None:
        """Hear no more: the stream ends."""


class Streams:
    """The streams of an application. A server that stops ends them, as it waits for its answers to be complete."""

    def __init__(self) -> None:
        self._under_way: set[Closable] = set()
        self._have_ended = False

    @contextmanager
    def listening(self, one: Closable) -> Iterator[None]:
        """While a stream listens; then it hears no more. Once all have ended, one that begins ends at once."""
        self._under_way.add(one)
        if self._have_ended:
            one.close()
        try:
            yield
        finally:
            self._under_way.discard(one)
            one.close()

    def end(self) -> None:
        """End those that are under way, and those that begin from now on."""
        self._have_ended = True
        for one in list(self._under_way):
            one.close()


def event(name: str, content: Any, number: int | None = None) -> bytes:
    """An event in the format of HTML's server-sent events; JSON has no line breaks, so it is one line."""
    id = b"" if number is None else b"id: %d\n" % number
    return b"%sevent: %s\ndata: %s\n\n" % (id, name.encode(), msgspec.json.encode(content))


async def with_heartbeats(listening: AsyncIterator[Told]) -> AsyncIterator[Told | None]:
    """What is told as it comes, and None whenever nothing came for a while. Waiting may be broken off."""
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                told = await anext(listening)
        except TimeoutError:
            yield None
        except StopAsyncIteration:
            return
        else:
            yield told


class Listening(AsyncIterator[Told], Generic[Told]):
    """Listens to what an asynchronous generator tells, which does not bear that waiting for it is broken off.

    Whoever is slow hears the last that was told: how something stands now, whatever it was meanwhile.
    """

    def __init__(self, source: AsyncIterator[Told]) -> None:
        self._last: Told | None = None
        self._has_ended = False
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._hear(source))
        self._task.add_done_callback(self._end)  # which comes also where it is cancelled before it has begun

    async def __anext__(self) -> Told:
        await self._news.wait()
        told, self._last = self._last, None
        if told is None:
            raise StopAsyncIteration
        if not self._has_ended:
            self._news.clear()
        return told

    def close(self) -> None:
        """Hear no more."""
        self._task.cancel()

    async def _hear(self, source: AsyncIterator[Told]) -> None:
        async for told in source:
            self._last = told
            self._news.set()

    def _end(self, _task: asyncio.Task[None]) -> None:
        self._has_ended = True
        self._news.set()
