"""What a pool tells of itself, for pages about health."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from voltbench.adapters.pool.process import WorkerProcess
from voltbench.adapters.pool.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStats:
    """A worker now: its process, its memory, and since when it does what, if it does anything.

    `state`: starting, idle, busy, or leaving. `busy_for_s` and `key` are those of the running task.
    """

    pid: int
    rss_bytes: int
    state: str
    busy_for_s: float | None
    key: Hashable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """A pool now, and what it has done so far. `respawns` are the workers that took the place of others."""

    workers: tuple[WorkerStats, ...]
    waiting: int
    running: int
    done: int
    respawns: int


def worker_stats(worker: WorkerProcess, now_s: float) -> WorkerStats:
    """What there is to tell of a worker, from any thread."""
    task = worker.task
    return WorkerStats(
        pid=worker.pid,
        rss_bytes=worker.rss_bytes(),
        state=_state(worker, task),
        busy_for_s=None if task is None else max(now_s - worker.since, 0.0),  # it may have begun just now
        key=None if task is None else task.key,
    )


def _state(worker: WorkerProcess, task: Task | None) -> str:
    if worker.is_leaving or worker.doom is not None:
        return "leaving"
    if not worker.is_ready:
        return "starting"
    return "idle" if task is None else "busy"
