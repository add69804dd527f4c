"""The pool as its users see it."""

from __future__ import annotations

import atexit
import pickle
import weakref
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Executor
from itertools import count
from typing import Any, ParamSpec, TypeAlias, TypeVar

from voltbench.adapters.pool.errors import NotPicklable
from voltbench.adapters.pool.foreman import Foreman
from voltbench.adapters.pool.shift import PoolChoices
from voltbench.adapters.pool.stats import PoolStats
from voltbench.adapters.pool.task import Task, TaskFuture, TaskOptions
from voltbench.errors import InvalidInput

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

Affinity: TypeAlias = Callable[[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]], Hashable | None]
"""The key of what a task needs warm; None if nothing. It is called where the task is submitted."""

_NO_OPTIONS = TaskOptions()


class ProcessPool(Executor):
    """Processes that do tasks, one each at a time. All of its methods may be called from any thread.

    A task is a function at the top level of a module, with arguments: all of it is pickled when it is submitted. Its
    worker has the parent's `sys.path`, and one thread for numerics.

    * `affinity` gives the key of a task. Tasks go preferably to a worker that has done their key, out of order by at
      most 128 places; no worker is idle while a task waits. A worker is taken to keep the `most_warm_keys` that it has
      done last.
    * A worker with more than `most_rss_bytes` of memory is replaced: after its task; or during it, which is a death.
    * `warm_up` is called once in each worker, before its first task.
    * A task whose worker dies is begun again, `attempts` times in all, and then fails with `WorkerDied`.
    * `environment` is added to that of the workers.

    When the interpreter exits, or the process is killed, so are its workers, whatever they do; to have everything done
    before, `shutdown`. A pool that nobody holds any more is shut down.
    """

    def __init__(
        self,
        workers: int,
        *,
        affinity: Affinity | None = None,
        most_rss_bytes: int | None = None,
        warm_up: Callable[[], object] | None = None,
        attempts: int = 2,
        most_warm_keys: int = 8,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        for name, number in (("workers", workers), ("attempts", attempts), ("most_warm_keys", most_warm_keys)):
            if number < 1:
                raise InvalidInput(name, "too few", found=number, allowed="1 or more")
        choices = PoolChoices(
            workers=workers,
            most_rss_bytes=most_rss_bytes,
            warm_up=warm_up,
            attempts=attempts,
            most_warm_keys=most_warm_keys,
            environment=environment or {},
        )
        self._affinity = affinity
        self._numbers = count(1)
        self._foreman = Foreman(choices)
        _end_by_itself(self, self._foreman)
        self._foreman.start()

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> TaskFuture[Result]:
        """Have a function called in a worker."""
        return self._submit(_NO_OPTIONS, fn, args, kwargs)

    def submit_with(
        self,
        options: TaskOptions,
        fn: Callable[Arguments, Result],
        /,
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> TaskFuture[Result]:
        """The same, with a priority, a timeout, or somebody who is told of progress."""
        return self._submit(options, fn, args, kwargs)

    def stop(self, future: TaskFuture[Any]) -> bool:
        """End a task as cancelled, also while it runs: then its worker is killed, and others lose nothing.

        Returns whether it had not ended yet. It has ended once its future has; a result may come before that.
        """
        if future.cancel():
            return True
        if future.done():
            return False
        self._foreman.stop(future)
        return True

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; let the workers go once all is done, or all that runs (`cancel_futures`)."""
        if cancel_futures:
            self._foreman.cancel_waiting()
        self._foreman.close()
        if wait:
            self._foreman.wait()

    def terminate(self) -> None:
        """Take no more tasks, cancel all there are, also what runs, and wait until no worker is left."""
        self._foreman.terminate()
        self._foreman.wait()

    def stats(self) -> PoolStats:
        """What the pool is doing now, and what it has done."""
        return self._foreman.stats()

    def _submit(
        self, options: TaskOptions, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> TaskFuture[Any]:
        future: TaskFuture[Any] = TaskFuture(next(self._numbers), self._foreman.forget)
        key = None if self._affinity is None else self._affinity(fn, args, kwargs)
        try:
            payload = pickle.dumps((fn, args, kwargs), pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            problem = NotPicklable("the function or an argument", f"{type(error).__name__}: {error}")
            problem.__cause__ = error
            future.begin()
            future.set_exception(problem)
        else:
            self._foreman.take(Task(future, payload, key, options))
        return future


def _end_by_itself(pool: ProcessPool, foreman: Foreman) -> None:
    """Let workers go when nobody holds their pool any more, and kill them when the interpreter exits."""
    weakref.finalize(pool, foreman.close).atexit = False
    atexit.register(_end_at_exit, weakref.ref(foreman))


def _end_at_exit(foreman_if_there: weakref.ref[Foreman]) -> None:
    foreman = foreman_if_there()
    if foreman is not None:
        foreman.terminate()
        foreman.wait()
