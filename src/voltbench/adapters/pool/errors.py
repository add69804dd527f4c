"""How a task ends whose process could not bring it to an end of its own.

A task's own exceptions come back as themselves, caused by a `TaskTraceback`, which says where they were raised.
"""

from __future__ import annotations

from voltbench.errors import LocalProtocolError, Unavailable, VoltbenchError


class WorkerDied(VoltbenchError):
    """The process died under the task, at each attempt. `cause`: a signal's name, `exit code 3`, or `memory`."""

    def __init__(self, cause: str, attempts: int) -> None:
        self.cause = cause
        self.attempts = attempts
        super().__init__(cause, attempts)

    def __str__(self) -> str:
        times = "once" if self.attempts == 1 else f"{self.attempts} times"
        return f"the process that did the task died {times}, the last time of: {self.cause}"


class WorkersDoNotStart(Unavailable):
    """No process gets as far as its first task. `cause`: what the last one died of."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__(cause)

    def __str__(self) -> str:
        return f"processes die before their first task, the last one of: {self.cause}"


class TaskTimedOut(VoltbenchError):
    """The task ran for longer than it may, and its process was killed."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        super().__init__(timeout_s)

    def __str__(self) -> str:
        return f"the task was not done after {self.timeout_s:g} s"


class NotPicklable(LocalProtocolError):
    """Something that does not go from process to process: `what` it is, and the `problem` with it."""

    def __init__(self, what: str, problem: str) -> None:
        self.what = what
        self.problem = problem
        super().__init__(what, problem)

    def __str__(self) -> str:
        return f"{self.what} cannot be sent between processes: {self.problem}"


class TaskFailed(VoltbenchError):
    """The task raised an exception that does not go from process to process: its type's name, and its text."""

    def __init__(self, type_name: str, text: str) -> None:
        self.type_name = type_name
        self.text = text
        super().__init__(type_name, text)

    def __str__(self) -> str:
        return f"{self.type_name}: {self.text}"


class TaskTraceback(Exception):
    """Where in its process a task raised its exception, as text."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)

    def __str__(self) -> str:
        return f"\n{self.text}"
