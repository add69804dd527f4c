"""The work of jobs: the simulations of a part are solved, and what they come to is kept, once for each input."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

import msgspec

from voltbench.adapters.cell_results import CellResults, Result
from voltbench.adapters.cells.task import decode
from voltbench.apps.cells import asked
from voltbench.apps.cells.asked import SIMULATION, Item
from voltbench.apps.cells.solvers import Solved, Solvers, failure_of
from voltbench.errors import Failed, InvalidInput, Unavailable
from voltbench.jobs import JobError, JobId, Run
from voltbench.quantities import Instant

PART_S = 30.0
"""Solving that is done before it is noted that it is done. What was kept of it before that is not solved again."""

TASK_S = 0.2
"""Solving that one process is given at a time: enough that the way there and back does not count."""

TASK_BYTES, ON_WAY_BYTES = 1_000_000, 32_000_000
"""Requests that go in one task, and all that is on its way there and back: the other requests are not made yet."""

ANSWER_BYTES = 10_000
"""What an answer is reckoned with. Whoever keeps them may be slower than all who solve."""

LAST_TASKS = 8
"""A task is no more than this part of what is left: at the end no process is idle for long while another one ends."""

KEPT_AT_ONCE = 64

FOR_ONE, FOR_MANY = 1, 0
"""The priority of a single simulation, which somebody waits for, and of a sweep."""

Answer = TypeVar("Answer")


class Solving:
    """How jobs of a kind are done. Results are kept through the loop that their store lives on."""

    def __init__(
        self,
        kind: str,
        solvers: Solvers,
        results: CellResults,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], Instant],
    ) -> None:
        self._kind = kind
        self._solvers = solvers
        self._results = results
        self._loop = loop
        self._now = now

    def parts(self, request: bytes) -> Sequence[range]:
        """The simulations of a request, as many at a time as are some seconds of work."""
        total = asked.count(self._kind, request)
        size = max(1, round(PART_S / asked.seconds(asked.first_of(self._kind, request))))
        return [range(first, min(first + size, total)) for first in range(0, total, size)]

    def do(self, job_id: JobId, request: bytes, part: range, run: Run) -> None:
        """Solve what is not known yet of a part.

        Raises Failed or InvalidInput where it is the job's only one, Unavailable where nobody solves.
        """
        found = {one.input_hash: one for one in asked.items(self._kind, request, part)}
        known = self._in_loop(self._results.asked_again(found, self._now()))
        missing = [one for hash, one in found.items() if hash not in known]
        done = len(part) - len(missing)
        run.done(done)

        def made(number: int) -> bytes:
            return asked.task_of(self._kind, request, number)

        on_way = _Part(self._solvers, made, self._keep, run, done, alone=self._kind == SIMULATION)
        on_way.solve(_tasks(missing, self._task_size(request)))

    def _task_size(self, request: bytes) -> int:
        """How many simulations a process gets at a time."""
        first = asked.first_of(self._kind, request)
        most = TASK_BYTES // len(asked.task_of(self._kind, request, 0))
        return max(1, min(most, round(TASK_S / asked.seconds(first))))

    def _keep(self, some: Sequence[Result]) -> None:
        self._in_loop(self._results.keep(some, self._now()))

    def _in_loop(self, doing: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result()


def _tasks(missing: Sequence[Item], size: int) -> list[list[Item]]:
    """Those of one model together, and of them as many as a process gets at a time."""
    together = sorted(missing, key=lambda one: one.model_key)
    tasks: list[list[Item]] = []
    left = len(together)
    for _, same in groupby(together, key=lambda one: one.model_key):
        every = list(same)
        while every:
            some = min(size, max(1, size // LAST_TASKS, left // LAST_TASKS), len(every))
            tasks.append(every[:some])
            del every[:some]
            left -= some
    return tasks


class _Sent(NamedTuple):
    """A task that is on its way, and how much its requests and answers are about."""

    task: list[Item]
    bytes: int


class _Part:
    """A part on its way: tasks that are being done, and results that wait to be kept."""

    def __init__(
        self,
        solvers: Solvers,
        made: Callable[[int], bytes],
        keep: Callable[[Sequence[Result]], None],
        run: Run,
        done: int,
        *,
        alone: bool,
    ) -> None:
        self._solvers, self._made, self._keep, self._run, self._alone = solvers, made, keep, run, alone
        self._done = done
        self._waiting: deque[list[Item]] = deque()
        self._under_way: dict[Future[list[Solved]], _Sent] = {}
        self._bytes = 0
        self._to_keep: list[Result] = []
        run.on_stop(self._stop)

    def solve(self, tasks: Iterable[list[Item]]) -> None:
        self._waiting.extend(tasks)
        try:
            self._solve()
        finally:
            self._stop()  # where it ends early, nobody waits for the others

    def _solve(self) -> None:
        while self._waiting or self._under_way:
            while self._waiting and self._bytes < ON_WAY_BYTES:
                self._begin(self._waiting.popleft())
            ended, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
            for future in ended:
                sent = self._under_way.pop(future)
                self._bytes -= sent.bytes
                self._take(future, sent.task)
            self._run.done(self._done)
            if len(self._to_keep) >= KEPT_AT_ONCE:
                self._keep_all()
        self._keep_all()

    def _begin(self, task: list[Item]) -> None:
        self._run.check()
        priority, told = (FOR_ONE, self._run.done) if self._alone else (FOR_MANY, None)
        requests = [self._made(one.number) for one in task]
        sent = _Sent(task, sum(ANSWER_BYTES + len(one) for one in requests))
        self._under_way[self._solvers.begin(requests, priority, told)] = sent
        self._bytes += sent.bytes
        if self._run.is_stopped:  # told so just now, when this one was not there to be stopped
            self._stop()

    def _take(self, future: Future[list[Solved]], task: list[Item]) -> None:
        try:
            answers = future.result()
        except CancelledError:
            self._run.check()
            raise Failed("crashed", "the solve was cancelled by somebody else") from None
        except Unavailable:
            raise
        except OSError as error:  # there is no way to who solves, which is no simulation's fault
            raise Unavailable(f"nobody solves now: {str(error) or type(error).__name__}") from error
        except Exception as error:  # of whatever kind: its process died, or a bug
            if len(task) > 1:
                self._waiting.extendleft([one] for one in task)  # it is the fault of one of them
            else:
                self._fail(task[0], failure_of(error))
            return
        for one, (answer, figures) in zip(task, answers, strict=True):
            if figures is not None:
                self._to_keep.append(Result(one.input_hash, True, answer, figures))
                self._done += 1
            else:
                self._fail(one, _error_in(answer))

    def _fail(self, one: Item, error: Failed | InvalidInput) -> None:
        if self._alone:
            raise error
        kept = msgspec.json.encode(error_of(error))
        self._to_keep.append(Result(one.input_hash, False, kept))
        self._done += 1

    def _keep_all(self) -> None:
        self._run.check()
        self._keep(self._to_keep)
        self._to_keep = []

    def _stop(self) -> None:
        for future in list(self._under_way):
            self._solvers.stop(future)


def _error_in(answer: bytes) -> Failed | InvalidInput:
    told = decode(answer)
    assert isinstance(told, Failed | InvalidInput)
    return told


def error_of(error: Failed | InvalidInput) -> JobError:
    """An error as it is kept."""
    if isinstance(error, InvalidInput):
        return JobError(kind="invalid_input", message=str(error), field=error.field)
    return JobError(kind=error.kind, message=error.reason)
