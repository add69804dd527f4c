"""What goes on beside everything else, whatever goes wrong in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from voltbench.errors import Unavailable

_log = logging.getLogger(__name__)

PAUSE_S = 1.0


@asynccontextmanager
async def meanwhile(what: str, work: Callable[[], Awaitable[None]], pause_s: float = PAUSE_S) -> AsyncIterator[None]:
    """Do a work as long as this lasts: again after a pause, whenever it is done or has gone wrong, which is logged."""
    task = asyncio.create_task(_again_and_again(what, work, pause_s))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _again_and_again(what: str, work: Callable[[], Awaitable[None]], pause_s: float) -> None:
    while True:
        try:
            await work()
        except Unavailable as error:
            _log.warning("%s: waits: %s", what, error)
        except Exception:  # a bug of ours in this round: the next one is as needed as ever
            _log.exception("%s: went wrong", what)
        await asyncio.sleep(pause_s)
