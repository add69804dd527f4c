"""Plans that are made on request, and kept to be looked at again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec

from voltbench.adapters.aside import aside
from voltbench.apps.plan_request import PlanRequest, PricedPlan, priced, request_in
from voltbench.clock import wall_instant
from voltbench.errors import InvalidInput, NotFound, Unavailable
from voltbench.quantities import Instant
from voltbench.running.planning import PlanBefore, Step, planned

AT_ONCE = 2
"""Plans that are made at the same time; more only wait for each other."""

MOST_WAITING = 100
"""Who comes when so many are there already is told to come again."""


class KeptCar(msgspec.Struct, frozen=True):
    """What of a car's schedule is read again."""

    id: str
    steps: list[Step]


class KeptPlan(msgspec.Struct, frozen=True):
    """What of a plan is read again."""

    starts_at_ms: Instant
    slot_minutes: int
    prices_per_kwh: list[float]
    cars: list[KeptCar]


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
            followed = await self._followed(request)
            plan = await aside(lambda: priced(request, self._environment))  # waits for others, and so for no turn
            async with self._turns:
                told = await aside(lambda: _made(plan_id, plan, request, followed))
        await self._store.save_plan(plan_id, self._now(), told)
        return told.encode()

    async def told(self, plan_id: str) -> bytes:
        """A plan, as it was told when it was made. Raises NotFound."""
        found = await self._store.plan(plan_id)
        if found is None:
            raise NotFound("plan", plan_id)
        return found.encode()

    async def _followed(self, request: PlanRequest) -> str | None:
        """The plan before, as it was told. Raises InvalidInput where none of that name is kept."""
        if request.plan_before is None:
            return None
        found = await self._store.plan(request.plan_before)
        if found is None:
            allowed = "the id of a plan that is kept, or none"
            raise InvalidInput("plan_before", "is no plan that is kept", found=request.plan_before, allowed=allowed)
        return found

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


def _made(plan_id: str, plan: PricedPlan, request: PlanRequest, followed: str | None) -> str:
    """The plan, as JSON; `followed` is the one before."""
    known, before = plan.known_slots, None if followed is None else _before(request, followed)
    view = planned(
        plan_id, plan.asked, plan.prices_per_kwh, plan.peak, plan.peaks_so_far, known_slots=known, before=before
    )
    return msgspec.json.encode(view).decode()


def _before(request: PlanRequest, followed: str) -> PlanBefore:
    assert request.plan_before is not None
    told = msgspec.json.decode(followed, type=KeptPlan)
    steps = {car.id: tuple((step.at_ms, step.power_w) for step in car.steps) for car in told.cars}
    return PlanBefore(request.plan_before, steps, request.hysteresis)
