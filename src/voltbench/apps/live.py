"""Let a world live by a clock: sleep until something is due, run it at its due instant, sleep again."""

from __future__ import annotations

import asyncio
from typing import Protocol

from voltbench.clock import Clock
from voltbench.quantities import Instant

LONGEST_SLEEP_S = 5.0
"""The event loop's own clock stands still while the machine sleeps, so that a longer sleep would end too late."""


class Living(Protocol):
    """Anything with a time of its own: a World, or a site that has one."""

    def next_wakeup(self) -> Instant | None:
        """When something is due next, or None."""

    def advance(self, until: Instant) -> None:
        """Run what is due up to and including an instant, each thing at its own; then it is that instant."""


async def live(living: Living, clock: Clock, stirred: asyncio.Event, until: Instant | None = None) -> None:
    """Run whatever is due, when it is due by the clock: until an instant, or until cancelled.

    Set `stirred` when something from outside may have changed what is due next, or the clock its speed.
    """
    while True:
        stirred.clear()
        due = _earlier(living.next_wakeup(), until)
        left_s = clock.seconds_until(due) if due is not None else None
        if due is None or left_s is None or left_s > 0.0:
            await _sleep(stirred, left_s)
            continue
        living.advance(due)
        if due == until:
            return
        await asyncio.sleep(0)


async def _sleep(stirred: asyncio.Event, seconds: float | None) -> None:
    """Sleep for so long (None: for ever), or until stirred; or less, to look at the clock again."""
    try:
        async with asyncio.timeout(None if seconds is None else min(seconds, LONGEST_SLEEP_S)):
            await stirred.wait()
    except TimeoutError:
        pass


def _earlier(due: Instant | None, until: Instant | None) -> Instant | None:
    return min((instant for instant in (due, until) if instant is not None), default=None)
