"""Group commit: what is put is written in its order, as much at once as came while the last transaction ran."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeAlias

from voltbench.errors import Unavailable
from voltbench.ocpp.v16.csms.records import Record

Transaction: TypeAlias = Callable[[Sequence[Record]], Awaitable[None]]
"""Writes everything or nothing; on return it is durable."""

LARGEST_BATCH = 2_000
"""Groups in one transaction."""

REST_S = 0.004
"""From one transaction to the next. It gathers company when many come, and delays nobody when few do."""

_log = logging.getLogger(__name__)


class _Put(NamedTuple):
    group: Sequence[Record]
    kept: asyncio.Future[None]


class RecordWriter:
    """The one writer. What is put together is kept together; each record may be kept again without harm."""

    def __init__(self, transaction: Transaction, patience_s: float = 5.0) -> None:
        self._transaction = transaction
        self._patience_s = patience_s
        self._queue: list[_Put] = []
        self._called = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="csms writer")
        self._task.add_done_callback(self._stopped)

    def put(self, group: Sequence[Record]) -> asyncio.Future[None]:
        """Queue a group; the future is done when it is durable, and fails with Unavailable when that is not known."""
        if self._closing or self._task.done():
            raise Unavailable("the store is closed")
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(_Put(group, kept))
        self._called.set()
        return kept

    async def close(self) -> None:
        """Write what is queued, then stop."""
        self._closing = True
        self._called.set()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while await self._has_work():
            batch, self._queue = self._queue[:LARGEST_BATCH], self._queue[LARGEST_BATCH:]
            await self._write(batch)
            await asyncio.sleep(REST_S)

    async def _has_work(self) -> bool:
        while not self._queue and not self._closing:
            self._called.clear()
            await self._called.wait()
        return bool(self._queue)

    async def _write(self, batch: list[_Put]) -> None:
        """Write a batch at once; if that fails, each of its groups by itself, so that a bad one fails alone."""
        error = await self._attempt(batch)
        if error is None:
            return
        if len(batch) == 1:
            _settle(batch[0].kept, error)
            return
        _log.warning("a transaction of %d groups failed, trying each alone: %s", len(batch), error)
        await self._write_each(batch, error)

    async def _write_each(self, batch: list[_Put], error: Exception) -> None:
        """Once patience is over, the rest fails of the same cause."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience_s
        for put in batch:
            cause = error if clock() > deadline else await self._attempt([put])
            if cause is not None:
                error = cause
                _settle(put.kept, cause)

    async def _attempt(self, batch: list[_Put]) -> Exception | None:
        try:
            await self._transaction([record for put in batch for record in put.group])
        except Exception as error:  # of any kind: it ends up with whoever waits for the group
            return error
        for put in batch:
            _settle(put.kept)
        return None

    def _stopped(self, _task: asyncio.Task[None]) -> None:
        """Nobody is left waiting, should the writer have been torn down with its loop."""
        for put in self._queue:
            _settle(put.kept, Unavailable("the store was closed before this was written"))


def _settle(kept: asyncio.Future[None], cause: Exception | None = None) -> None:
    if kept.done():  # whoever waited was cancelled
        return
    if cause is None:
        kept.set_result(None)
        return
    error = Unavailable(f"not known to be stored: {cause}")
    error.__cause__ = cause
    kept.set_exception(error)
