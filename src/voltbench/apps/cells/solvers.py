"""Who solves: this machine's own processes, or a cluster of Dask's. Both are executors; ours can do more."""

from __future__ import annotations

from concurrent.futures import CancelledError, Executor, Future
from dataclasses import replace
from functools import cache
from threading import Lock
from typing import NamedTuple, Protocol

import msgspec

from voltbench.adapters.cells.task import decode, solve, warm_up
from voltbench.adapters.pool import ProcessPool, TaskFuture, TaskOptions, TaskTimedOut, WorkerDied
from voltbench.battery.analysis import figures
from voltbench.battery.record import Record
from voltbench.errors import Failed, LocalProtocolError, Unavailable

LONGEST_S = 600.0
"""What one solve may take, of however many that go together, unless whoever asks says otherwise."""

_opening = Lock()


class Solved(NamedTuple):
    """What a request came to: the answer as bytes, and the figures made of it; None for an error."""

    answer: bytes
    figures: bytes | None


def solved(requests: list[bytes]) -> list[Solved]:
    """What a process does for others. The figures are made here too: the server has the API to answer meanwhile."""
    return [Solved(answer, _figures(answer)) for answer in solve(requests)]


def solved_beside(requests: list[bytes], longest_s: float) -> list[Solved] | TaskTimedOut | WorkerDied:
    """What a worker of Dask's does for others: it has a process beside it solve, which can be ended, and may crash.

    Where it was, or did, that is returned: what is raised, Dask would begin again. A worker may have several threads; a
    simulator is for one at a time.
    """
    with _opening:
        pool = _process_beside()
    try:
        return pool.submit_with(TaskOptions(timeout_s=longest_s), solved, requests).result()
    except (TaskTimedOut, WorkerDied) as error:
        return error


@cache
def _process_beside() -> ProcessPool:
    return ProcessPool(1, warm_up=warm_up)


def _figures(answer: bytes) -> bytes | None:
    told = decode(answer)
    return msgspec.json.encode(figures(told)) if isinstance(told, Record) else None


PLAIN = TaskOptions()


class Solvers(Protocol):
    """Solves some requests that go together, beside everything else."""

    def begin(self, requests: list[bytes], options: TaskOptions = PLAIN) -> Future[list[Solved]]:
        """Have them solved, in their order, each of them within `timeout_s`. Unavailable where nobody can.

        Those of a higher priority are begun sooner, where there is any order; then `on_begin` is called, be it before
        this returns, and from any thread. Without a `timeout_s` it is `LONGEST_S`.
        """

    def stop(self, future: Future[list[Solved]]) -> None:
        """Nobody waits for it any more."""


class PoolSolvers:
    """Processes of this machine: a task that crashes, or takes too long, costs nobody else anything."""

    def __init__(self, pool: ProcessPool) -> None:
        self._pool = pool

    def begin(self, requests: list[bytes], options: TaskOptions = PLAIN) -> Future[list[Solved]]:
        """Have them solved, in their order."""
        options = replace(options, timeout_s=options.timeout_s or LONGEST_S)
        return self._pool.submit_with(options, solved, requests)

    def stop(self, future: Future[list[Solved]]) -> None:
        """End it, also while it runs."""
        assert isinstance(future, TaskFuture)
        self._pool.stop(future)


class ExecutorSolvers:
    """Any other executor, such as Dask's: what runs there runs to its end, though nobody may wait for it any more, or
    until it has taken too long.

    Dask's own future, once cancelled, may leave those asleep who wait for it: an answer that comes meanwhile cannot be
    set. It does tell whoever has asked to be called, so that is what ours lives on.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._theirs: dict[Future[list[Solved]], Future[list[Solved] | TaskTimedOut | WorkerDied]] = {}

    def begin(self, requests: list[bytes], options: TaskOptions = PLAIN) -> Future[list[Solved]]:
        """Have them solved, in their order."""
        ours: Future[list[Solved]] = Future()
        try:
            theirs = self._executor.submit(solved_beside, requests, options.timeout_s or LONGEST_S)
        except Exception as error:  # of whatever kind: once its scheduler is lost, Dask's client has one of its own
            raise Unavailable(f"nobody solves now: {str(error) or type(error).__name__}") from error
        if options.on_begin is not None:
            options.on_begin()  # for all that is told here
        self._theirs[ours] = theirs
        theirs.add_done_callback(lambda ended: self._settle(ours, ended))
        return ours

    def stop(self, future: Future[list[Solved]]) -> None:
        """Let it be forgotten."""
        theirs = self._theirs.get(future)
        if theirs is not None:
            theirs.cancel()

    def _settle(self, ours: Future[list[Solved]], theirs: Future[list[Solved] | TaskTimedOut | WorkerDied]) -> None:
        self._theirs.pop(ours, None)
        try:
            found = theirs.result(timeout=0)
            if isinstance(found, Exception):
                raise found
            ours.set_result(found)
        except CancelledError:
            ours.cancel()
            ours.set_running_or_notify_cancel()
        except Exception as error:
            ours.set_exception(error)


class NoSolvers:
    """For a process that only asks for jobs, and leaves it to others to do them."""

    def begin(self, requests: list[bytes], options: TaskOptions = PLAIN) -> Future[list[Solved]]:
        """Nobody asks for this here."""
        raise LocalProtocolError("jobs are not done in this process")

    def stop(self, future: Future[list[Solved]]) -> None:
        """Nothing was begun."""


def failure_of(error: BaseException) -> Failed:
    """Why a solve came to nothing, where its process could not say so itself."""
    if isinstance(error, TaskTimedOut):
        return Failed("timed_out", str(error))
    if isinstance(error, WorkerDied):
        return Failed("crashed", str(error))
    return Failed("crashed", f"{type(error).__name__}: {error}")
