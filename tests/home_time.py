"""Virtual time for stories with a client in them: it waits by setting the time forward, so that nobody sleeps."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

Told = ParamSpec("Told")


class _Jumping(selectors.SelectSelector):
    """Waits by setting the time forward."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found:
            assert timeout is not None, "everybody waits for somebody else"
            self.now_s += max(0.0, timeout)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


def on_virtual_time(story: Callable[Told, Coroutine[Any, Any, None]]) -> Callable[Told, None]:
    """A story in which no socket is opened: however busy this machine is, it is the same each time."""

    @wraps(story)
    def told(*args: Told.args, **kwargs: Told.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(story(*args, **kwargs))

    return told


def loop_seconds() -> Callable[[], float]:
    """The clock of the loop that runs."""
    return asyncio.get_running_loop().time
