"""Group commit: what is put is written in its order, as much at once as came while the last transaction ran."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from voltbench.errors import Unavailable, VoltbenchError

Entry = TypeVar("Entry")

Attempt: TypeAlias = Callable[[Sequence[Sequence[Entry]]], Awaitable[Sequence[VoltbenchError | None]]]
"""Writes some groups, all or none, and raises where that fails; on return they are durable, but for those refused: for
each group it says why it was, or None.
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Put(Generic[Entry]):
    """A group on its way; one without entries is only a mark in the queue."""

    group: Sequence[Entry]
    kept: asyncio.Future[None]

    def settle(self, error: VoltbenchError | None = None) -> None:
        if self.kept.done():  # whoever waited was cancelled
            return
        if error is None:
            self.kept.set_result(None)
        else:
            self.kept.set_exception(error)


class GroupCommit(Generic[Entry]):
    """The one writer. It writes when it is idle, and then whatever has come: `largest` groups at most.

    After each transaction it rests for `rest_s`, which gathers company when many come, and delays nobody when few do.
    Where a batch fails, each group is tried by itself, so that a bad one fails alone; once `patience_s` is over, the
    rest fails of the same cause. `failed` hears of each group that is not known to be written.
    """

    def __init__(
        self,
        attempt: Attempt[Entry],
        failed: Callable[[Sequence[Entry], Exception], None] = lambda group, cause: None,
        *,
        largest: int,
        patience_s: float,
        rest_s: float = 0.0,
    ) -> None:
        self._attempt_groups = attempt
        self._failed = failed
        self._largest = largest
        self._patience_s = patience_s
        self._rest_s = rest_s
        self._queue: deque[_Put[Entry]] = deque()
        self._in_hand: list[_Put[Entry]] = []
        self._called = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="group commit")
        self._task.add_done_callback(self._stopped)

    def put(self, group: Sequence[Entry]) -> asyncio.Future[None]:
        """Queue a group; the future is done when it is durable, and fails with Unavailable when that is not known."""
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
            self._in_hand = [self._queue.popleft() for _ in range(min(len(self._queue), self._largest))]
            await self._write(self._in_hand)
            self._in_hand = []
            if self._rest_s:
                await asyncio.sleep(self._rest_s)

    def _stopped(self, _task: asyncio.Task[None]) -> None:
        """Nobody is left waiting, should the writer have been torn down with its loop."""
        for put in (*self._in_hand, *self._queue):
            put.settle(Unavailable("the store was closed before this was written"))

    async def _has_work(self) -> bool:
        while not self._queue and not self._closing:
            self._called.clear()
            await self._called.wait()
        return bool(self._queue)

    async def _write(self, batch: list[_Put[Entry]]) -> None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience_s
        cause = await self._attempt(batch)
        if cause is None:
            return
        _log.warning("a transaction of %d groups failed, trying each alone: %s", len(batch), cause)
        for put in batch:
            error = cause if put.group and clock() > deadline else await self._attempt([put])
            if error is not None:
                cause = error
                self._fail(put, cause)

    async def _attempt(self, batch: Sequence[_Put[Entry]]) -> Exception | None:
        try:
            refusals = await self._attempt_groups([put.group for put in batch])
        except Exception as error:  # of any kind: it ends up with whoever waits for the group
            return error
        for put, refusal in zip(batch, refusals, strict=True):
            put.settle(refusal)
        return None

    def _fail(self, put: _Put[Entry], cause: Exception) -> None:
        self._failed(put.group, cause)
        error = Unavailable(f"not known to be stored: {cause}")
        error.__cause__ = cause
        put.settle(error)
