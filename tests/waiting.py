"""How tests wait for another program: until they find something, and not for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")

DEADLINE_S = 90.0


def eventually(look: Callable[[], Found | None], within_s: float = DEADLINE_S) -> Found:
    """What a look finds, as soon as it finds something. The one place where tests wait."""
    deadline = time.monotonic() + within_s
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"nothing found in {within_s:g} s"
        time.sleep(0.02)
    return found


async def eventually_async(look: Callable[[], Awaitable[Found | None]]) -> Found:
    """The same, where others live in this process's loop."""
    deadline = time.monotonic() + DEADLINE_S
    while (found := await look()) is None:
        assert time.monotonic() < deadline, f"nothing found in {DEADLINE_S:g} s"
        await asyncio.sleep(0.02)
    return found
