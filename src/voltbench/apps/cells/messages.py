"""Simulations that are asked for through the seed's broker: each message one job, however often it is brought."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256
from uuid import uuid4

import msgspec

from voltbench.adapters.aside import aside
from voltbench.adapters.cell_hooks import CellHooks, Hook
from voltbench.adapters.cell_numbers import CellNumbers
from voltbench.adapters.rabbitmq import RESULTS, Brought
from voltbench.apps.cells import seed_models as contract
from voltbench.apps.cells.hooks import Hooks
from voltbench.apps.cells.seed import BROKER, Seed
from voltbench.apps.cells.seed_models import SeedAsked
from voltbench.errors import InvalidInput
from voltbench.quantities import Instant


class Messages:
    """Takes messages. What a message is known by is its id; without one, that it is brought again with the same words
    and that it was not settled before.
    """

    def __init__(
        self, seed: Seed, numbers: CellNumbers, hooks: Hooks, now: Callable[[], Instant], new_id: Callable[[], str]
    ) -> None:
        self._seed = seed
        self._numbers = numbers
        self._hooks = hooks
        self._now = now
        self._new_id = new_id
        self._known: set[str] = set()
        self._one_at_a_time = asyncio.Lock()

    def begin(self) -> None:
        """A new connection: what was not settled is brought again."""
        self._known.clear()

    async def take(self, brought: Brought) -> str:
        """Ask for the simulation of a message; on return it will not be lost. What to settle it by.

        Raises InvalidInput or Conflict for one that will never do, Unavailable for one that is to be brought again.
        """
        asked = await aside(lambda: contract.asked_in(brought.body))
        words = sha256(brought.body).hexdigest() if brought.id is None else None
        id = await self._id_of(brought, words)
        try:
            await self._store.note(Hook(id, None, BROKER, RESULTS, message=words), self._now())
            await self._ask(asked, id)
        except BaseException:  # it is brought again, maybe without a new connection
            self._known.discard(id)
            raise
        return id

    async def settle(self, id: str) -> None:
        """The broker knows that the message was taken."""
        await self._store.settle(id)
        self._known.discard(id)

    async def _id_of(self, brought: Brought, words: str | None) -> str:
        """The message's id, to be noted before anything is done, so that it is known when it is brought again."""
        if words is None:
            assert brought.id is not None
            return f"rabbitmq-{sha256(brought.id.encode()).hexdigest()[:32]}"
        async with self._one_at_a_time:  # two messages may say the same, and each is brought again
            seen = await self._seen_before(words) if brought.is_again else None
            id = seen or f"rabbitmq-{self._new_id()}"
            self._known.add(id)
        return id

    async def _ask(self, asked: SeedAsked, id: str) -> None:
        try:
            job = await self._seed.submit(asked, key=id)
        except InvalidInput as error:
            await self._store.refuse(id, self._now(), str(error))
            raise
        if asked.number is not None:
            await self._seed.give(asked.number, job)
        elif asked.id is None:
            asked = msgspec.structs.replace(asked, id=await self._numbers.number_for(job.id, self._now()))
        await self._seed.call_back(job, asked)
        await self._store.wait_for(id, job.id, msgspec.json.encode(asked), RESULTS)
        self._hooks.look()

    async def _seen_before(self, words: str) -> str | None:
        return next((id for id in await self._store.unsettled(words) if id not in self._known), None)

    @property
    def _store(self) -> CellHooks:
        return self._hooks.store


def new_message_id() -> str:
    """An id that no message had before."""
    return uuid4().hex
