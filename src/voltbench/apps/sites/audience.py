"""Who listens to a site: each listener has a queue of its own, and nobody waits for a slow one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias

import msgspec

from voltbench.events import Fact
from voltbench.quantities import Instant

MOST_WAITING = 1_000
"""Events that may wait for a listener. Who has as many when more come is let go; what comes at once fits as a whole."""


class ConfigurationReplaced(msgspec.Struct, frozen=True, tag=True):
    """The site was built anew; its sessions have ended."""

    at: Instant


class SiteDeleted(msgspec.Struct, frozen=True, tag=True):
    """The site is gone. Nothing follows."""


class FellBehind(msgspec.Struct, frozen=True, tag=True):
    """Events were missed. Nothing follows: subscribe again, and read the site's status afresh."""


Happening: TypeAlias = Fact | ConfigurationReplaced | SiteDeleted | FellBehind


class Event(msgspec.Struct, frozen=True):
    """Something that happened at a site; `number` counts what its listeners were told, from 1."""

    site: str
    number: int
    fact: Happening


class Subscription(AsyncIterator[Event]):
    """What one listener hears, as it happens: `async for event in subscription`. Close it in the end."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._is_over = False

    async def __anext__(self) -> Event:
        event = None if self._is_over else await self._events.get()
        if event is None:
            self._is_over = True
            raise StopAsyncIteration
        return event

    def close(self) -> None:
        """Hear no more."""
        self._audience.leave(self)
        self._events.put_nowait(None)

    def hear(self, events: Sequence[Event]) -> bool:
        """Take what happened at once; False when too many are waiting already."""
        if self._events.qsize() >= MOST_WAITING:
            return False
        for event in events:
            self._events.put_nowait(event)
        return True

    def end(self, last: Event | None) -> None:
        """Hear one last event, if there is one, and then no more."""
        if last is not None:
            self._events.put_nowait(last)
        self._events.put_nowait(None)


class Audience:
    """The listeners of one site."""

    def __init__(self, site_id: str) -> None:
        self._site_id = site_id
        self._listeners: dict[Subscription, None] = {}
        self._told = 0

    def __len__(self) -> int:
        return len(self._listeners)

    def subscribe(self) -> Subscription:
        """Listen from now on."""
        subscription = Subscription(self)
        self._listeners[subscription] = None
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Listen no more."""
        self._listeners.pop(subscription, None)

    def tell(self, facts: Sequence[Happening]) -> None:
        """Tell everybody what happened at once; let go of who cannot keep up."""
        if not self._listeners:
            return
        events = [self._event(fact) for fact in facts]
        for listener in [listener for listener in self._listeners if not listener.hear(events)]:
            self.leave(listener)
            listener.end(self._event(FellBehind()))

    def dismiss(self, last: Happening | None = None) -> None:
        """Tell everybody a last thing, if there is one, and let them go."""
        event = self._event(last) if last is not None else None
        for listener in self._listeners:
            listener.end(event)
        self._listeners.clear()

    def _event(self, fact: Happening) -> Event:
        self._told += 1
        return Event(self._site_id, self._told, fact)
