"""Plans that are made on request, and kept to be looked at again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec

from voltbench.apps.aside import aside
from voltbench.apps.peak_charge import plan_told
from voltbench.apps.plan_request import PricedPlan, priced, request_in
from voltbench.clock import wall_instant
from voltbench.errors import NotFound, Unavailable
from voltbench.quantities import Instant

AT_ONCE = 2
"""Plans that are made at the same time; more only wait for each other."""

MOST_WAITING = 100
"""Who comes when so many are there already is told to come again."""


class PlanStore(Protocol):
    """Keeps plans over restarts, as JSON text."""

    async def plan(self, plan_id: str) -> str | None:
        """A plan, as far as it is still kept."""

    async def save_plan(self, plan_id: str, made_at: Instant, answer: str) -> None:
        """Keep a plan; on return that is durable."""


def new_plan_id() -> str:
    """An id that no plan has had."""
    return f"plan-{secrets.token_hex(6)}"


class Plans:
    """Makes plans, in threads, so that nobody else waits for them."""

    def __init__(
        self,
        store: PlanStore,
        environment: Mapping[str, str],
        new_id: Callable[[], str] = new_plan_id,
        now: Callable[[], Instant] = wall_instant,
    ) -> None:
        self._store = store
        self._environment = environment
        self._new_id = new_id
        self._now = now
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._present = 0

    async def make(self, body: bytes) -> bytes:
        """Make the plan that a JSON text asks for, and tell it as one. On return it is kept."""
        plan_id = self._new_id()
        async with self._entered():
            async with self._turns:
                request = await aside(lambda: request_in(body))
            plan = await aside(lambda: priced(request, self._environment))  # waits for others, and so for no turn
            async with self._turns:
                told = await aside(lambda: _made(plan_id, plan))
        await self._store.save_plan(plan_id, self._now(), told)
        return told.encode()

    async def told(self, plan_id: str) -> bytes:
        """A plan, as it was told when it was made. Raises NotFound."""
        found = await self._store.plan(plan_id)
        if found is None:
            raise NotFound("plan", plan_id)
        return found.encode()

    @asynccontextmanager
    async def _entered(self) -> AsyncIterator[None]:
        """Be one of those whose plans are made. Raises Unavailable where there are too many."""
        if self._present >= MOST_WAITING:
            raise Unavailable(f"{MOST_WAITING} plans are being made already")
        self._present += 1
        try:
            yield
        finally:
            self._present -= 1


def _made(plan_id: str, plan: PricedPlan) -> str:
    """The plan, as JSON."""
    return msgspec.json.encode(plan_told(plan_id, plan)).decode()
