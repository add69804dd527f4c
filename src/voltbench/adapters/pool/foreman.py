"""The pool's one thread. What others ask of it waits for its next turn."""

from __future__ import annotations

import math
import selectors
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from voltbench.adapters.pool.shift import PoolChoices, Shift
from voltbench.adapters.pool.stats import PoolStats
from voltbench.adapters.pool.task import Task, TaskFuture


class Foreman(threading.Thread):
    """Runs until it is closed and all is done, or until it is told to end at once."""

    def __init__(self, choices: PoolChoices) -> None:
        super().__init__(name="process pool", daemon=True)
        self._selector = selectors.DefaultSelector()
        self._shift = Shift(choices, self._selector)
        self._door = threading.RLock()  # again in the same thread: a collected pool closes its door wherever that is
        self._asked: deque[Callable[[], None]] = deque()
        self._bell, self._ringer = socket.socketpair()
        self._is_woken = self._is_closed = self._has_ended = False

    def take(self, task: Task) -> None:
        """Have a task done."""
        with self._door:
            if self._is_closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._ask(lambda: self._shift.add(task))

    def forget(self, number: int) -> None:
        """Let go of a waiting task, which somebody has cancelled."""
        self._ask(lambda: self._shift.discard(number))

    def stop(self, future: TaskFuture[object]) -> None:
        """End a task as cancelled, also while it runs."""
        self._ask(lambda: self._shift.stop(future))

    def close(self) -> None:
        """Take no more tasks, and end once there are none."""
        with self._door:
            self._is_closed = True
            self._ask(self._shift.close)

    def cancel_waiting(self) -> None:
        """Cancel what does not run yet."""
        self._ask(self._shift.cancel_waiting)

    def terminate(self) -> None:
        """Take no more tasks, cancel all there are, also what runs, and end."""
        with self._door:
            self._is_closed = True
            self._ask(self._shift.terminate)

    def wait(self) -> None:
        """Until it has ended, unless it is itself who asks."""
        if threading.current_thread() is not self:
            self.join()

    def stats(self) -> PoolStats:
        """What there is to tell now."""
        return self._shift.stats()

    def run(self) -> None:
        """Take turns until the end."""
        # A worker is born with this mask, so that no Ctrl-C reaches it before it can ignore one.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self._selector.register(self._bell, selectors.EVENT_READ, self._on_bell)
        try:
            self._decide()
            while not self._is_over():
                self._listen()
                self._decide()
        finally:
            self._end()

    def _ask(self, deed: Callable[[], None]) -> None:
        with self._door:
            if self._has_ended:
                return
            self._asked.append(deed)
            if not self._is_woken:
                self._is_woken = True
                self._ringer.send(b"\0")

    def _decide(self) -> None:
        now = time.monotonic()
        if self._shift.next_look() <= now:
            self._hear(0.0)  # what came while this thread was kept from it has come in time
        self._do_what_is_asked()
        self._shift.keep_limits(now)
        self._shift.staff_up()
        self._shift.hand_out()

    def _listen(self) -> None:
        """Until something happens, or is asked (then the bell has rung), or there is something to look after."""
        until = self._shift.next_look()
        self._hear(None if until == math.inf else max(until - time.monotonic(), 0.0))

    def _hear(self, patience_s: float | None) -> None:
        for key, ready in self._selector.select(patience_s):
            key.data(ready)

    def _on_bell(self, ready: int) -> None:
        assert ready
        self._bell.recv(16)
        self._is_woken = False

    def _do_what_is_asked(self) -> None:
        while self._asked:
            self._asked.popleft()()

    def _is_over(self) -> bool:
        with self._door:
            self._has_ended = self._is_closed and not self._asked and self._shift.is_over
            return self._has_ended

    def _end(self) -> None:
        """Leave nothing behind, also where this thread itself has failed."""
        with self._door:
            self._is_closed = self._has_ended = True
        self._do_what_is_asked()
        self._shift.end()
        self._selector.close()
        self._bell.close()
        self._ringer.close()
