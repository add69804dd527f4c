"""What a worker says of a task, made into what its future shows."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable

from voltbench.adapters.pool.errors import NotPicklable, TaskFailed, TaskTraceback
from voltbench.adapters.pool.frames import DONE, Frame, fraction_of
from voltbench.adapters.pool.task import Task, TaskFuture

_log = logging.getLogger(__name__)


def settle(future: TaskFuture[object], answer: Frame) -> None:
    """End a future as its task has ended. An answer that cannot be read is an error of this task alone."""
    if answer.kind != DONE:
        future.set_exception(failure(answer.payload))
        return
    try:
        result = pickle.loads(answer.payload)
    except Exception as error:
        future.set_exception(_unreadable("the result", error))
        return
    future.progress = 1.0
    future.set_result(result)


def failure(payload: bytearray) -> Exception:
    """The exception that a task raised, or one that says as much."""
    itself, type_name, text, trace = pickle.loads(payload)
    try:
        error = pickle.loads(itself) if itself is not None else TaskFailed(type_name, text)
    except Exception:  # those whose arguments are not what they are made from can be pickled, and not read
        error = TaskFailed(type_name, text)
    if not isinstance(error, Exception):
        error = TaskFailed(type_name, text)
    error.__cause__ = TaskTraceback(trace)
    return error


def _unreadable(what: str, error: Exception) -> NotPicklable:
    problem = NotPicklable(what, f"{type(error).__name__}: {error}")
    problem.__cause__ = error
    return problem


def tell_progress(task: Task, payload: bytearray) -> None:
    """Show how far a task has come, and tell who wants to be told."""
    task.future.progress = fraction = fraction_of(payload)
    if task.options.on_progress is not None:
        _tell(task.options.on_progress, fraction)


def tell_begin(task: Task) -> None:
    """Tell who wants to be told that a worker has the task."""
    if task.options.on_begin is not None:
        _tell(task.options.on_begin)


def _tell(who: Callable[..., None], *what: float) -> None:
    try:
        who(*what)
    except Exception:
        _log.exception("what was to be told of a task has failed")
