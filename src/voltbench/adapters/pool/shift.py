"""Tasks are given to workers, and what becomes of either. Only the pool's thread works here."""

from __future__ import annotations

import logging
import math
import os
import selectors
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from voltbench.adapters.pool.errors import TaskTimedOut, WorkerDied, WorkersDoNotStart
from voltbench.adapters.pool.frames import DONE, FAILED, PIECE, PROGRESS, Frame
from voltbench.adapters.pool.outcome import failure, settle, tell_begin, tell_progress
from voltbench.adapters.pool.process import Doom, WorkerProcess
from voltbench.adapters.pool.staff import WARM_UP, Staff
from voltbench.adapters.pool.stats import PoolStats, worker_stats
from voltbench.adapters.pool.task import Task, TaskFuture
from voltbench.adapters.pool.waiting import WaitingTasks, Warmth

MEMORY_LOOK_S = 0.1
MOST_FAILED_STARTS = 5
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0

AT_ONCE = max(1, (os.cpu_count() or 1) - 1)
"""So many workers start at a time: one core is left to whoever waits for the first of them."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolChoices:
    """What a pool is made with. `ProcessPool` says what each means."""

    workers: int
    most_rss_bytes: int | None = None
    warm_up: Callable[[], object] | None = None
    attempts: int = 2
    most_warm_keys: int = 8
    environment: Mapping[str, str] = field(default_factory=dict)


class Shift:
    """The tasks that wait, the workers that there are, and the rules."""

    def __init__(self, choices: PoolChoices, selector: selectors.BaseSelector) -> None:
        self._choices = choices
        self._staff = Staff(selector, choices.warm_up, choices.environment, self._on_frame, self._on_death)
        self._waiting = WaitingTasks()
        self._warmth = Warmth(choices.most_warm_keys)
        self._is_closing = False
        self._done = self._hired = self._failed_starts = 0
        self._next_start = self._next_memory_look = 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing waits and nobody works."""
        return not self._waiting and not self._staff.workers

    def add(self, task: Task) -> None:
        """Have a task done."""
        self._waiting.add(task)

    def discard(self, number: int) -> None:
        """Let go of a task that was cancelled while it waited."""
        self._waiting.discard(number)

    def stop(self, future: TaskFuture[object]) -> None:
        """End a task as cancelled. If it runs, its worker is killed; it has ended once that is dead."""
        for worker in self._staff.workers:
            if worker.task is not None and worker.task.future is future:
                self._staff.kill(worker, Doom("being stopped", _cancelled))
                return
        future.cancel()

    def cancel_waiting(self) -> None:
        """Cancel what does not run yet."""
        for task in self._waiting.take_all():
            task.future.cancel()

    def close(self) -> None:
        """Let workers go as soon as nothing is left for them."""
        self._is_closing = True

    def terminate(self) -> None:
        """Cancel everything, also what runs."""
        self._is_closing = True
        self.cancel_waiting()
        for worker in self._staff.workers:
            self._staff.kill(worker, Doom("the pool's end", _cancelled))

    def end(self) -> None:
        """The same, and wait until nobody is left; nothing is listened to any more."""
        self.terminate()
        for worker in self._staff.workers:
            worker.reap()
            if worker.task is not None:
                worker.task.future.end_as_cancelled()

    def staff_up(self) -> None:
        """Start the workers that are lacking, and let go of those that nothing is left for."""
        while self._may_hire() and time.monotonic() >= self._next_start:
            try:
                self._staff.hire()
            except OSError as error:
                self._start_failed(str(error))
            else:
                self._hired += 1
        if self._is_closing and not self._waiting:
            for worker in self._staff.workers:
                if worker.is_idle:
                    self._staff.dismiss(worker)
                elif not worker.is_ready and worker.doom is None:
                    self._staff.kill(worker, Doom("the pool's end", _cancelled))

    def hand_out(self) -> None:
        """Give tasks to idle workers, until there are no more of either."""
        idle = [worker for worker in self._staff.workers if worker.is_idle]
        while idle and self._waiting:
            worker = self._fittest(idle, self._waiting.first())
            task = self._waiting.take_for(worker.pid, self._warmth)
            if task.future.begin() and self._has_begun(worker, task):
                idle.remove(worker)

    def keep_limits(self, now: float) -> None:
        """Kill who has taken too long, or too much memory, as of a moment on the monotonic clock."""
        for worker in self._staff.workers:
            if now >= worker.deadline and worker.doom is None:
                self._staff.kill(worker, Doom("taking too long", _timed_out))
        if self._choices.most_rss_bytes is not None and now >= self._next_memory_look:
            self._next_memory_look = now + MEMORY_LOOK_S
            for worker in self._staff.workers:
                if worker.task is not None and worker.doom is None and self._is_too_large(worker):
                    self._staff.kill(worker, Doom("memory", lambda task: self._died(task, "memory")))

    def next_look(self) -> float:
        """When `keep_limits` or `staff_up` has something to do next, if nothing happens before."""
        until = self._staff.next_deadline()
        if self._may_hire():
            until = min(until, self._next_start)
        if self._choices.most_rss_bytes is not None and any(worker.task for worker in self._staff.workers):
            until = min(until, self._next_memory_look)
        return until

    def stats(self) -> PoolStats:
        """What there is to tell now, from any thread."""
        now = time.monotonic()
        workers = tuple(worker_stats(worker, now) for worker in self._staff.workers)
        return PoolStats(
            workers=workers,
            waiting=len(self._waiting),
            running=sum(worker.busy_for_s is not None for worker in workers),
            done=self._done,
            respawns=max(self._hired - self._choices.workers, 0),
        )

    def _may_hire(self) -> bool:
        """Whether workers are lacking, and not too many of them are just starting."""
        staying = [worker for worker in self._staff.workers if not worker.is_leaving]
        wanted = self._choices.workers
        if self._is_closing:
            wanted = min(wanted, len(self._waiting) + sum(worker.task is not None for worker in staying))
        starting = sum(not worker.is_ready for worker in staying)
        return len(staying) < wanted and starting < AT_ONCE

    def _fittest(self, idle: list[WorkerProcess], task: Task) -> WorkerProcess:
        """Who has what the task needs warm; else who has the least to lose."""
        if task.key is not None:
            for worker in idle:
                if self._warmth.has(worker.pid, task.key):
                    return worker
        return min(idle, key=lambda worker: self._warmth.count(worker.pid))

    def _has_begun(self, worker: WorkerProcess, task: Task) -> bool:
        if not self._staff.send(worker, task.number, task.payload):  # it has died since it was last heard of
            self._wait_again(task)
            return True
        task.attempts += 1
        worker.since = time.monotonic()  # first: whoever sees the task sees since when, from any thread
        worker.task = task
        _give_time(worker, task)
        if task.key is not None:
            self._warmth.use(worker.pid, task.key)
        tell_begin(task)
        return True

    def _wait_again(self, task: Task) -> None:
        task.future.wait_again()
        self._waiting.add(task)

    def _on_frame(self, worker: WorkerProcess, frame: Frame) -> None:
        task = worker.task
        if worker.doom is not None:
            return
        if task is None or frame.task != task.number:
            if frame.task == WARM_UP and frame.kind in (DONE, FAILED):
                self._warmed_up(worker, frame)
        elif frame.kind == PROGRESS:
            tell_progress(task, frame.payload)
        elif frame.kind == PIECE:
            _give_time(worker, task)
        else:
            worker.task, worker.deadline = None, math.inf
            self._done += 1
            settle(task.future, frame)
            if self._is_too_large(worker):
                _log.warning("worker %d has more memory than it may; another takes its place", worker.pid)
                self._staff.dismiss(worker)

    def _warmed_up(self, worker: WorkerProcess, frame: Frame) -> None:
        if frame.kind == FAILED:
            _log.warning("worker %d: its warm-up has failed", worker.pid, exc_info=failure(frame.payload))
        self._failed_starts = 0
        worker.is_ready, worker.deadline = True, math.inf

    def _on_death(self, worker: WorkerProcess, cause: str) -> None:
        self._warmth.forget(worker.pid)
        if worker.is_leaving:
            return
        doom = worker.doom or Doom(cause, lambda task: self._died(task, cause))
        if not self._is_closing:
            _log.warning("worker %d died of %s; another takes its place", worker.pid, doom.cause)
        if not worker.is_ready:
            self._start_failed(doom.cause)
        if worker.task is not None:
            doom.then(worker.task)

    def _died(self, task: Task, cause: str) -> None:
        if task.attempts < self._choices.attempts:
            self._wait_again(task)
        else:
            task.future.set_exception(WorkerDied(cause, task.attempts))

    def _start_failed(self, cause: str) -> None:
        """Pause before the next start; longer each time."""
        self._failed_starts += 1
        pause_s = min(FIRST_PAUSE_S * 2.0 ** min(self._failed_starts, 10), LONGEST_PAUSE_S)
        self._next_start = time.monotonic() + pause_s
        if self._failed_starts >= MOST_FAILED_STARTS and not any(worker.is_ready for worker in self._staff.workers):
            for task in self._waiting.take_all():
                if task.future.begin():
                    task.future.set_exception(WorkersDoNotStart(cause))

    def _is_too_large(self, worker: WorkerProcess) -> bool:
        most = self._choices.most_rss_bytes
        return most is not None and worker.rss_bytes() > most


def _give_time(worker: WorkerProcess, task: Task) -> None:
    if task.options.timeout_s is not None:
        worker.deadline = time.monotonic() + task.options.timeout_s


def _cancelled(task: Task) -> None:
    task.future.end_as_cancelled()


def _timed_out(task: Task) -> None:
    task.future.set_exception(TaskTimedOut(task.options.timeout_s or 0.0))
