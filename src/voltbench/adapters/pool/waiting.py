"""Which task comes next, and for which worker: by priority, by arrival, and by what a worker has warm."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable
from heapq import heappop, heappush

from voltbench.adapters.pool.task import Task

OVERTAKING = 128
"""A task waits for at most so many that were submitted after it, of its own priority."""


class Warmth:
    """What each worker is taken to have warm: the keys that it has done last."""

    def __init__(self, most_keys: int) -> None:
        self._most_keys = most_keys
        self._keys: dict[int, OrderedDict[Hashable, None]] = {}
        self._homes: Counter[Hashable] = Counter()

    def use(self, worker: int, key: Hashable) -> None:
        """The worker does this key now, and lets go of the one it has not done for longest."""
        keys = self._keys.setdefault(worker, OrderedDict())
        if key not in keys:
            keys[key] = None
            self._homes[key] += 1
        keys.move_to_end(key)
        if len(keys) > self._most_keys:
            self._leave(keys.popitem(last=False)[0])

    def forget(self, worker: int) -> None:
        """The worker is gone, and what it had."""
        for key in self._keys.pop(worker, ()):
            self._leave(key)

    def has(self, worker: int, key: Hashable) -> bool:
        """Whether the worker has this key warm."""
        return key in self._keys.get(worker, ())

    def is_anywhere(self, key: Hashable) -> bool:
        """Whether any worker has."""
        return key in self._homes

    def count(self, worker: int) -> int:
        """How many keys the worker has warm."""
        return len(self._keys.get(worker, ()))

    def _leave(self, key: Hashable) -> None:
        self._homes[key] -= 1
        if not self._homes[key]:
            del self._homes[key]


class WaitingTasks:
    """The tasks that wait, by priority and arrival. Whoever asks for one gets one, if there is any."""

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self._order: list[tuple[int, int]] = []  # also of tasks that have left: without them

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, task: Task) -> None:
        """Let a task wait, in its place."""
        self._tasks[task.number] = task
        heappush(self._order, (-task.options.priority, task.number))

    def discard(self, number: int) -> None:
        """Let a task wait no longer, if it does."""
        self._tasks.pop(number, None)

    def first(self) -> Task:
        """The one to begin first, if all workers were alike."""
        while (number := self._order[0][1]) not in self._tasks:
            heappop(self._order)
        return self._tasks[number]

    def take_for(self, worker: int, warmth: Warmth) -> Task:
        """Remove and return the one for this worker.

        That is the first that it has warm or that needs nothing warm; else the first that nobody has warm, so that
        others keep theirs; else the first. Only `OVERTAKING` of them are looked at.
        """
        first = self.first()
        cold = None
        for number in range(first.number, first.number + OVERTAKING + 1):
            task = self._tasks.get(number)
            if task is None or task.options.priority != first.options.priority:
                continue
            if task.key is None or warmth.has(worker, task.key):
                return self._tasks.pop(number)
            if cold is None and not warmth.is_anywhere(task.key):
                cold = task
        return self._tasks.pop((cold or first).number)

    def take_all(self) -> list[Task]:
        """Remove and return all of them."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        self._order.clear()
        return tasks
