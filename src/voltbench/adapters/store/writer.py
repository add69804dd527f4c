"""Group commit: what is put is written in its order, as much at once as came while the last transaction ran."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from voltbench.adapters.store.journal import Positions, admit, lose
from voltbench.adapters.store.writes import Write
from voltbench.errors import Unavailable, VoltbenchError

Transaction = Callable[[Iterable[Write]], Awaitable[None]]
"""Writes everything or nothing; on return it is durable."""

_LARGEST_BATCH = 256
"""Groups in one transaction."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Put:
    """A group on its way; without writes it is only a mark in the queue."""

    group: tuple[Write, ...]
    kept: asyncio.Future[None]

    def settle(self, error: VoltbenchError | None = None) -> None:
        if self.kept.done():  # whoever waited was cancelled
            return
        if error is None:
            self.kept.set_result(None)
        else:
            self.kept.set_exception(error)


class GroupWriter:
    """The one writer. It never waits for company: it writes when it is idle, and then whatever has come.

    `positions` says where each site's journal stands; the writer keeps it up to date. `trouble` is why the last group
    that was tried could not be written; None when it was.
    """

    def __init__(self, transaction: Transaction, positions: Positions, patience_s: float) -> None:
        self.positions = positions
        self.trouble: Exception | None = None
        self._transaction = transaction
        self._patience_s = patience_s
        self._queue: deque[_Put] = deque()
        self._in_hand: list[_Put] = []
        self._called = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="store writer")
        self._task.add_done_callback(self._stopped)

    def put(self, group: tuple[Write, ...]) -> asyncio.Future[None]:
        """Queue a group; the future is done when it is durable, and fails when it is not."""
        if self._closing or self._task.done():
            raise Unavailable("the store is closed")
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(_Put(group, kept))
        self._called.set()
        return kept

    async def settled(self) -> None:
        """Return when everything put before is written, or has failed."""
        if self._in_hand or self._queue:
            await self.put(())

    async def close(self) -> None:
        """Write what is queued, then stop."""
        self._closing = True
        self._called.set()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    async def _run(self) -> None:
        while await self._has_work():
            self._in_hand = self._next_batch()
            await self._write(self._in_hand)
            self._in_hand = []

    def _stopped(self, _task: asyncio.Task[None]) -> None:
        """Nobody is left waiting, should the writer have been torn down with its loop."""
        for put in (*self._in_hand, *self._queue):
            put.settle(Unavailable("the store was closed before this was written"))

    async def _has_work(self) -> bool:
        while not self._queue and not self._closing:
            self._called.clear()
            await self._called.wait()
        return bool(self._queue)

    def _next_batch(self) -> list[_Put]:
        while self._queue and not self._queue[0].group:
            self._queue.popleft().settle()
        return [self._queue.popleft() for _ in range(min(len(self._queue), _LARGEST_BATCH))]

    async def _write(self, batch: list[_Put]) -> None:
        """Write a batch at once; if that fails, each of its groups by itself, so that a bad one fails alone."""
        error = await self._attempt(batch)
        if error is not None:
            _log.warning("a transaction of %d groups failed, trying each alone: %s", len(batch), error)
            await self._write_each(batch)

    async def _write_each(self, batch: list[_Put]) -> None:
        """Once patience is over at a failure, the rest fails of the same cause."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience_s
        given_up: Exception | None = None
        for put in batch:
            error = given_up or await self._attempt([put])
            if error is not None:
                self._fail(put, error)
                given_up = error if clock() > deadline else None

    async def _attempt(self, batch: list[_Put]) -> Exception | None:
        positions = dict(self.positions)
        refusals = [admit(positions, put.group) for put in batch]
        admitted = [put.group for put, refusal in zip(batch, refusals, strict=True) if refusal is None]
        writes = [write for group in admitted for write in group]
        try:
            if writes:
                await self._transaction(writes)
                self.trouble = None
        except Exception as error:  # of any kind: it ends up with whoever waits for the group
            return error
        self.positions = positions
        for put, refusal in zip(batch, refusals, strict=True):
            put.settle(refusal)
        return None

    def _fail(self, put: _Put, cause: Exception) -> None:
        lose(self.positions, put.group)
        self.trouble = cause
        error = Unavailable(f"not known to be stored: {cause}")
        error.__cause__ = cause
        put.settle(error)
