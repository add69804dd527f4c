"""Every home of this process, by its id, each with a clock of its own. There is always a default one."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from voltbench.adapters import home_json
from voltbench.adapters.aside import aside
from voltbench.adapters.home_json import BuiltHome
from voltbench.adapters.prices.day_prices import DayTariffTable
from voltbench.clock import ScaledClock, seconds_since_boot, wall_instant
from voltbench.errors import Conflict, NotFound, Unavailable, VoltbenchError
from voltbench.quantities import Instant
from voltbench.running.home.course import CourseHome
from voltbench.running.home.house import House
from voltbench.running.home.model import COURSE, HomeModel, HomeState

DEFAULT = "default"
MOST_HOMES = 1_000
"""Each costs little, but somebody has to pay for them."""

MOST_WAITING = 20
"""Homes that wait for their prices at the same time; who comes then is told to come again."""

_log = logging.getLogger(__name__)


class Home(Protocol):
    """A household and a car at its charger, as the engine knows it. It is woken before it is told or asked anything."""

    def reset(self, now: Instant) -> None:
        """Be as at the start."""

    def switch(self, now: Instant, on: bool) -> None:
        """Let the charger charge, or not."""

    def look(self, now: Instant) -> HomeState:
        """What there is to see."""

    def next_wakeup(self) -> Instant | None:
        """When something is due by itself."""

    def wake(self, now: Instant) -> None:
        """Do what is due up to now, each thing at its own instant."""


class HomeStore(Protocol):
    """Keeps the models of homes over restarts, as JSON text."""

    async def homes(self) -> dict[str, str]:
        """The model of each home."""

    async def save_home(self, home_id: str, model: str) -> None:
        """A home has this model; on return that is durable."""

    async def delete_home(self, home_id: str) -> None:
        """A home is no more; on return that is durable."""


class LiveHome:
    """A home with its clock. Nobody has to wake it in between: what was due meanwhile happens when it is next asked."""

    def __init__(
        self, id: str, model: HomeModel, monotonic: Callable[[], float], tariff: DayTariffTable | None = None
    ) -> None:
        self.id = id
        self.model = model
        self.tariff = tariff
        self._clock = ScaledClock(0, model.speed, monotonic)
        self._home: Home = CourseHome(0) if model.is_of_course else House(model, 0)

    def look(self) -> HomeState:
        """What there is to see now."""
        return self._home.look(self._woken())

    def switch(self, on: bool) -> None:
        """Let the charger charge, or not."""
        self._home.switch(self._woken(), on)

    def reset(self) -> None:
        """Be as at the start."""
        self._home.reset(self._woken())

    def _woken(self) -> Instant:
        now = self._clock.now()
        self._home.wake(now)
        return now


class Homes:
    """The homes; with a store, those that people made are there again after a restart, as at their start."""

    def __init__(
        self,
        default: HomeModel = COURSE,
        store: HomeStore | None = None,
        monotonic: Callable[[], float] = seconds_since_boot,
        environment: Mapping[str, str] = os.environ,
        now: Callable[[], Instant] = wall_instant,
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self._environment = environment
        self._now = now
        self._waiting = 0
        self._changing = asyncio.Lock()
        self._homes = {DEFAULT: LiveHome(DEFAULT, default, monotonic)}

    @classmethod
    async def open(cls, store: HomeStore) -> Homes:
        """The homes that the store has kept, and the default one. One that cannot be used any more is left out."""
        homes = cls(store=store)
        for home_id, text in (await store.homes()).items():
            try:
                homes._build(home_id, home_json.kept(text))
            except VoltbenchError as error:
                _log.error("home %r is left out, because its model cannot be used: %s", home_id, error)
        return homes

    def all(self) -> list[LiveHome]:
        """Every home, the default one first."""
        return sorted(self._homes.values(), key=lambda home: (home.id != DEFAULT, home.id))

    def home(self, home_id: str) -> LiveHome:
        """A home. NotFound where there is none of this id."""
        if home_id not in self._homes:
            raise NotFound("home", home_id)
        return self._homes[home_id]

    async def ask(self, home_id: str, body: bytes) -> bool:
        """Build the home that a JSON text asks for, as `put` does, once its tariff was asked for its prices."""
        with self._waits():
            home = await aside(lambda: home_json.built(body, self._environment, self._now()))
        return await self.put(home_id, home.model, home.tariff)

    async def put(self, home_id: str, model: HomeModel, tariff: DayTariffTable | None = None) -> bool:
        """Build a home, or build one anew; return whether it is new. Conflict where there are too many."""
        home = BuiltHome(model, tariff)
        async with self._changing:
            is_new = home_id not in self._homes
            if is_new and len(self._homes) >= MOST_HOMES:
                raise Conflict("home", home_id, f"is one too many: there are {MOST_HOMES}")
            if self._store is not None:
                await self._store.save_home(home_id, home_json.text_of(home))
            self._build(home_id, home)
            return is_new

    async def delete(self, home_id: str) -> None:
        """Delete a home. Conflict for the default one."""
        async with self._changing:
            self.home(home_id)
            if home_id == DEFAULT:
                raise Conflict("home", home_id, "is always there; build it anew instead")
            if self._store is not None:
                await self._store.delete_home(home_id)
            del self._homes[home_id]

    def _build(self, home_id: str, home: BuiltHome) -> None:
        self._homes[home_id] = LiveHome(home_id, home.model, self._monotonic, home.tariff)

    @contextmanager
    def _waits(self) -> Iterator[None]:
        """Be one of those that wait for prices. Raises Unavailable where there are too many."""
        if self._waiting >= MOST_WAITING:
            raise Unavailable(f"{MOST_WAITING} homes are being built already")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
