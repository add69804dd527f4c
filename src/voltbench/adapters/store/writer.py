"""What is put into the store, in groups: admitted by where each site's journal stands, and committed together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias

from voltbench.adapters.store.group_commit import GroupCommit
from voltbench.adapters.store.journal import Positions, admit, lose, place
from voltbench.adapters.store.writes import Write
from voltbench.errors import VoltbenchError

Transaction: TypeAlias = Callable[[Iterable[Write]], Awaitable[None]]
"""Writes everything or nothing; on return it is durable."""

_LARGEST_BATCH = 256
"""Groups in one transaction."""


class GroupWriter:
    """The one writer of the store.

    `positions` says where each site's journal stands; the writer keeps it up to date. `trouble` is why the last group
    that was tried could not be written; None when it was.
    """

    def __init__(self, transaction: Transaction, positions: Positions, patience_s: float) -> None:
        self.positions = positions
        self.trouble: Exception | None = None
        self._transaction = transaction
        self._commit = GroupCommit(self._attempt, self._failed, largest=_LARGEST_BATCH, patience_s=patience_s)

    def put(self, group: tuple[Write, ...]) -> asyncio.Future[None]:
        """Queue a group; the future is done when it is durable, and fails when it is not."""
        return self._commit.put(group)

    async def settled(self) -> None:
        """Return when everything put before is written, or has failed."""
        await self._commit.settled()

    async def close(self) -> None:
        """Write what is queued, then stop."""
        await self._commit.close()

    async def _attempt(self, groups: Sequence[Sequence[Write]]) -> Sequence[VoltbenchError | None]:
        positions = dict(self.positions)
        refusals = [admit(positions, group) for group in groups]
        admitted = [group for group, refusal in zip(groups, refusals, strict=True) if refusal is None]
        writes = [write for group in admitted for write in group]
        if writes:
            await self._transaction(writes)
            self.trouble = None
        for site_id in {write.site_id for group in groups for write in group}:  # others may be restored meanwhile
            place(self.positions, site_id, positions.get(site_id))
        return refusals

    def _failed(self, group: Sequence[Write], cause: Exception) -> None:
        lose(self.positions, group)
        self.trouble = cause
