"""Plans that are made on request, and kept to be looked at again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
import numpy as np

from voltbench.adapters import json_text, strict
from voltbench.adapters.prices.choose import price_source
from voltbench.clock import wall_instant
from voltbench.errors import InvalidInput, NotFound
from voltbench.quantities import MS_PER_MINUTE, Instant
from voltbench.running.planning import PlanAsked, PlanView, planned
from voltbench.site.prices import Charges, Prices, all_in

AT_ONCE = 2
"""Plans that are made at the same time; more only wait for each other."""


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

    async def make(self, body: bytes) -> PlanView:
        """Make the plan that a JSON text asks for. On return it is kept."""
        asked = asked_in(body)
        if asked.source is not None:
            asked, prices = await self._priced(asked, asked.source)
        else:
            prices = asked.prices_per_kwh or []
        async with self._turns:
            view = await asyncio.to_thread(planned, self._new_id(), asked, prices)
        await self._store.save_plan(view.id, self._now(), msgspec.json.encode(view).decode())
        return view

    async def told(self, plan_id: str) -> bytes:
        """A plan, as it was told when it was made. Raises NotFound."""
        found = await self._store.plan(plan_id)
        if found is None:
            raise NotFound("plan", plan_id)
        return found.encode()

    async def _priced(self, asked: PlanAsked, source: str) -> tuple[PlanAsked, list[float]]:
        """What is asked, in the currency of its prices, and those slot by slot, as far as they are known."""
        last = max((car.departs_at_ms for car in asked.cars), default=asked.starts_at_ms)
        ends_at = max(last, asked.starts_at_ms + asked.slot_minutes * MS_PER_MINUTE)
        market = await price_source(source, self._environment, trusted=False).prices(asked.starts_at_ms, ends_at)
        paid = all_in(market, Charges((asked.fees_per_kwh,), asked.vat))
        prices = slot_prices(paid, asked.starts_at_ms, ends_at, asked.slot_minutes)
        if not prices:
            raise NotFound("prices", source)
        return msgspec.structs.replace(asked, currency=paid.currency), prices


def asked_in(body: bytes) -> PlanAsked:
    """What a JSON text asks for. Raises UnreadableJson, or InvalidInput that names the field."""
    asked = strict.convert(json_text.parse(body), PlanAsked)
    if (asked.prices_per_kwh is None) == (asked.source is None):
        raise InvalidInput("prices_per_kwh", "or a source has to be given, and not both", allowed="one of the two")
    if asked.source is None and (asked.fees_per_kwh or asked.vat):
        raise InvalidInput("fees_per_kwh", "and vat are for prices of a source", allowed="prices that include them")
    return asked


def slot_prices(prices: Prices, starts_at: Instant, ends_at: Instant, slot_minutes: int) -> list[float]:
    """The mean price of each slot, for as long as prices are known to its end."""
    slot_ms = slot_minutes * MS_PER_MINUTE
    count = (min(prices.known_until(starts_at), ends_at + slot_ms - 1) - starts_at) // slot_ms
    edges = starts_at + slot_ms * np.arange(max(0, count) + 1, dtype=np.int64)
    means = np.diff(prices.series().integral(edges)) / (slot_minutes / 60.0)
    return [float(mean) for mean in means]
