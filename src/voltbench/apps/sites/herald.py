"""Tells a site's audience what has happened, once it is certain to have happened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from voltbench.apps.sites.audience import Audience, Happening
from voltbench.errors import VoltbenchError


class Herald:
    """Hears what happens at once, and passes it on in its order when `durable` returns; if it raises, never."""

    def __init__(self, audience: Audience, durable: Callable[[], Awaitable[None]]) -> None:
        self._audience = audience
        self._durable = durable
        self._untold: list[Happening] = []
        self._telling: asyncio.Task[None] | None = None

    def hear(self, happening: Happening) -> None:
        """Something has happened."""
        if not self._audience:
            return
        self._untold.append(happening)
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell(), name="herald")

    def forget(self) -> None:
        """What was not told yet has not happened."""
        self._untold.clear()

    async def finish(self, last: Happening | None = None) -> None:
        """Pass on what was heard and a last thing, if there is one; then let the audience go."""
        if self._telling is not None:
            await asyncio.wait({self._telling})
        self._audience.dismiss(last)

    async def _tell(self) -> None:
        try:
            while self._untold:
                count = len(self._untold)
                await self._durable()
                told, self._untold = self._untold[:count], self._untold[count:]
                self._audience.tell(told)
        except VoltbenchError:
            self.forget()
        finally:
            self._telling = None
