"""The workers there are: started, listened to, and buried. What they are to do is decided elsewhere."""

from __future__ import annotations

import math
import os
import pickle
import selectors
import time
from collections.abc import Callable, Mapping
from functools import partial

from voltbench.adapters.pool.frames import Frame, Garbled
from voltbench.adapters.pool.process import ONE_THREAD, Doom, WorkerProcess, worker_path

STARTS_WITHIN_S = 120.0
LEAVES_WITHIN_S = 5.0

WARM_UP = 0
"""The number of each worker's first task, which no other task has."""

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Staff:
    """Workers behind one selector. Says which frames come, and who has died of what."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        warm_up: Callable[[], object] | None,
        environment: Mapping[str, str],
        on_frame: Callable[[WorkerProcess, Frame], None],
        on_death: Callable[[WorkerProcess, str], None],
    ) -> None:
        self.workers: tuple[WorkerProcess, ...] = ()
        self._selector = selector
        self._first_task = pickle.dumps((warm_up or os.getpid, (), {}))
        self._path = worker_path()
        self._environment = {**os.environ, **ONE_THREAD, **environment}
        self._on_frame = on_frame
        self._on_death = on_death

    def hire(self) -> None:
        """Start a worker. OSError if the system has no room for one."""
        worker = WorkerProcess(self._path, self._environment)
        self.workers = (*self.workers, worker)
        worker.deadline = time.monotonic() + STARTS_WITHIN_S
        self._selector.register(worker.line, _READ, partial(self._on_line, worker))
        if worker.sentinel is not None:
            self._selector.register(worker.sentinel, _READ, partial(self._on_end, worker))
        self.send(worker, WARM_UP, self._first_task)

    def send(self, worker: WorkerProcess, number: int, payload: bytes) -> bool:
        """Send a task; whether somebody is there to receive it."""
        try:
            worker.send_task(number, payload)
        except OSError:
            worker.is_deaf = True
            worker.kill()
            return False
        self._listen(worker)
        return True

    def dismiss(self, worker: WorkerProcess) -> None:
        """Let a worker go that has nothing to do."""
        worker.deadline = time.monotonic() + LEAVES_WITHIN_S
        worker.leave()

    def kill(self, worker: WorkerProcess, doom: Doom) -> None:
        """Kill a worker. What was decided last becomes of its task, once it is dead."""
        worker.doom = doom
        worker.kill()

    def next_deadline(self) -> float:
        """When somebody is next to be looked after."""
        return min((worker.deadline for worker in self.workers), default=math.inf)

    def _listen(self, worker: WorkerProcess) -> None:
        wanted = _READ | _WRITE if worker.has_more_to_send else _READ
        key = self._selector.get_key(worker.line)
        if key.events != wanted:
            self._selector.modify(worker.line, wanted, key.data)

    def _on_line(self, worker: WorkerProcess, ready: int) -> None:
        if worker.is_gone:
            return
        if ready & _WRITE:
            try:
                worker.send_more()
                self._listen(worker)
            except OSError:
                worker.kill()
        if ready & _READ and not self._heard(worker):
            self._selector.unregister(worker.line)
            worker.kill()
            if worker.sentinel is None:
                self._bury(worker)

    def _heard(self, worker: WorkerProcess) -> bool:
        """Take what the worker has sent; whether there may be more."""
        try:
            for frame in worker.frames():
                self._on_frame(worker, frame)
        except (EOFError, Garbled, MemoryError, OverflowError):  # the last two of an answer that has no room here
            return False
        return True

    def _on_end(self, worker: WorkerProcess, ready: int) -> None:
        assert ready & _READ
        if worker.is_gone:
            return
        if worker.line in self._selector.get_map():
            self._heard(worker)  # its last words
            self._selector.unregister(worker.line)
        self._bury(worker)

    def _bury(self, worker: WorkerProcess) -> None:
        if worker.sentinel is not None:
            self._selector.unregister(worker.sentinel)
        cause = worker.reap()
        self.workers = tuple(other for other in self.workers if other is not worker)
        self._on_death(worker, cause)
