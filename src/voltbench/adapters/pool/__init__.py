"""A pool of processes that solve: the promise of `concurrent.futures.Executor`, kept also when a process crashes.

A crash, a `kill -9` or too much memory costs one task one attempt. One task can be stopped while it runs. A worker is
a fresh process, which ends when its parent does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from voltbench.adapters.pool.reporting import begin_piece, progress

if TYPE_CHECKING:
    from voltbench.adapters.pool.errors import NotPicklable, TaskFailed, TaskTimedOut, WorkerDied, WorkersDoNotStart
    from voltbench.adapters.pool.pool import ProcessPool
    from voltbench.adapters.pool.stats import PoolStats, WorkerStats
    from voltbench.adapters.pool.task import TaskFuture, TaskOptions

__all__ = [
    "NotPicklable",
    "PoolStats",
    "ProcessPool",
    "TaskFailed",
    "TaskFuture",
    "TaskOptions",
    "TaskTimedOut",
    "WorkerDied",
    "WorkerStats",
    "WorkersDoNotStart",
    "begin_piece",
    "progress",
]

# Workers import this package too. What only their parent needs would double the time in which they start.
_ROOMS = {
    "NotPicklable": "errors",
    "PoolStats": "stats",
    "ProcessPool": "pool",
    "TaskFailed": "errors",
    "TaskFuture": "task",
    "TaskOptions": "task",
    "TaskTimedOut": "errors",
    "WorkerDied": "errors",
    "WorkerStats": "stats",
    "WorkersDoNotStart": "errors",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
