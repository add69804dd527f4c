"""A task: what is asked for, and the future that its asker holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """What may be asked of a task beyond its result.

    Tasks of a higher `priority` begin first. One that runs for longer than `timeout_s`, or a piece of it where it is
    done in pieces (`begin_piece`), is ended with `TaskTimedOut`. `on_begin` (each time that a worker has it) and
    `on_progress` are called from the pool's thread, and are to be quick.
    """

    priority: int = 0
    timeout_s: float | None = None
    on_progress: Callable[[float], None] | None = None
    on_begin: Callable[[], None] | None = None


class TaskFuture(Future[Result]):
    """A future that knows how far its task has come, and that can end as cancelled also while it runs.

    For its base class it is pending until it has ended; whether it runs, it knows itself.
    """

    def __init__(self, number: int, forget: Callable[[int], None]) -> None:
        super().__init__()
        self.number = number
        """Its task's place in the order of arrival."""
        self.progress = 0.0
        """How much of it is done, 0 to 1, as far as the task itself tells."""
        self._forget = forget
        self._taken = threading.Lock()  # by whoever first begins it or cancels it

    def running(self) -> bool:
        """Whether it is being done now."""
        return self._taken.locked() and not self.done()

    def cancel(self) -> bool:
        """Cancel it unless it runs or has ended; to end it also while it runs is the pool's to do (`stop`)."""
        if not self._taken.acquire(blocking=False):
            return self.cancelled()
        self.end_as_cancelled()
        self._forget(self.number)
        return True

    def begin(self) -> bool:
        """Whether it may be begun: whether nobody has cancelled it. From then on it runs."""
        return self._taken.acquire(blocking=False)

    def wait_again(self) -> None:
        """It does not run any more, and will be begun again."""
        self.progress = 0.0
        self._taken.release()

    def end_as_cancelled(self) -> None:
        """End it, also while it runs; to be used by whoever has begun it or taken it."""
        if super().cancel():
            self.set_running_or_notify_cancel()  # which tells whoever waits for it


@dataclass(slots=True, eq=False)
class Task:
    """A task on its way: pickled, with the key of what it needs warm, and how often it was begun."""

    future: TaskFuture[Any]
    payload: bytes
    key: Hashable | None
    options: TaskOptions
    attempts: int = 0

    @property
    def number(self) -> int:
        """Its place in the order of arrival."""
        return self.future.number
