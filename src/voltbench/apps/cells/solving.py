"""The work of jobs: the simulations of a part are solved, and what they come to is kept, once for each input."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from itertools import accumulate, groupby
from math import inf
from typing import NamedTuple

import msgspec

from voltbench.adapters.cell_results import CellResults, Result
from voltbench.adapters.cells.task import decode
from voltbench.adapters.pool import TaskOptions
from voltbench.apps.cells import asked, cost
from voltbench.apps.cells.asked import SIMULATION, Item
from voltbench.apps.cells.keeping import PAUSES_S, Keeping
from voltbench.apps.cells.solvers import LONGEST_S, Solved, Solvers, failure_of
from voltbench.clock import seconds_since_boot
from voltbench.errors import Failed, InvalidInput, Unavailable
from voltbench.jobs import JobError, JobId, Run
from voltbench.quantities import Instant

PART_S = 30.0
"""Solving that is done before it is noted that it is done. What was kept of it before that is not solved again."""

TASK_S = 0.2
"""Solving that one process is given at a time: enough that the way there and back does not count."""

TASK_BYTES, ON_WAY_BYTES = 1_000_000, 32_000_000
"""Requests and answers of one task, about, and of all that are on their way: the other requests are not made yet.
Whoever keeps the answers may be slower than all who solve."""

LAST_TASKS = 8
"""A task is no more than this part of what is left: at the end no process is idle for long while another one ends."""

KEPT_AT_ONCE, KEPT_BYTES = 64, 8_000_000
"""So many answers, or so large ones, do not wait for more to be kept."""

KEPT_WITHIN_S = 1.0
"""An answer waits no longer to be kept: should the server be killed, no more is lost of what is solved slowly."""

FOR_ONE, FOR_MANY = 1, 0
"""Of the same priority, a single simulation, which somebody waits for, comes before a sweep."""


def urgency(priority: int, *, alone: bool) -> int:
    """Which of the solves that wait comes first, by the priority of its job: the higher, the sooner."""
    return 2 * priority + (FOR_ONE if alone else FOR_MANY)


class Solving:
    """How jobs of a kind are done. Results are kept through the loop that their store lives on, again after `pauses_s`.

    They are kept under the stamp of their job, whose they are, also where this release is another than it was asked of;
    what has made each of them it says itself.
    """

    def __init__(
        self,
        kind: str,
        solvers: Solvers,
        results: CellResults,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], Instant],
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self._kind = kind
        self._solvers = solvers
        self._keeping = Keeping(results, loop, now, pauses_s)

    def parts(self, request: bytes) -> Sequence[range]:
        """The simulations of a request, as many at a time as are some seconds of work."""
        total = asked.count(self._kind, request)
        size = max(1, round(PART_S / cost.seconds(asked.first_of(self._kind, request))))
        return [range(first, min(first + size, total)) for first in range(0, total, size)]

    def do(self, job_id: JobId, request: bytes, part: range, run: Run) -> None:
        """Solve what is not known yet of a part.

        Raises Failed or InvalidInput where it is the job's only one, Unavailable where nobody solves or keeps.
        """
        found = {one.input_hash: one for one in asked.items(self._kind, request, part, run.stamp)}
        known = self._keeping.asked_again(found, run)
        missing = [one for hash, one in found.items() if hash not in known]
        done = len(part) - len(missing)
        run.done(done)

        def made(number: int) -> bytes:
            return asked.task_of(self._kind, request, number)

        on_way = _Part(self._solvers, made, self._keeping, run, done, alone=self._kind == SIMULATION)
        size = max(1, round(TASK_S / cost.seconds(asked.first_of(self._kind, request))))
        on_way.solve(_tasks(missing, size))


def _tasks(missing: Sequence[Item], size: int) -> list[list[Item]]:
    """Those of one model together, and of them as many as a process gets at a time: so many, and no more bytes."""
    together = sorted(missing, key=lambda one: one.model_key)
    tasks: list[list[Item]] = []
    left = len(together)
    for _, same in groupby(together, key=lambda one: one.model_key):
        every = list(same)
        while every:
            some = _that_fit(every[: min(size, max(1, size // LAST_TASKS, left // LAST_TASKS))])
            tasks.append(every[:some])
            del every[:some]
            left -= some
    return tasks


def _that_fit(some: Sequence[Item]) -> int:
    """How many of the first go into one task; one always does."""
    sizes = accumulate(one.bytes for one in some)
    return max(1, sum(size <= TASK_BYTES for size in sizes))


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
        keeping: Keeping,
        run: Run,
        done: int,
        *,
        alone: bool,
    ) -> None:
        self._solvers, self._made, self._keeping, self._run, self._alone = solvers, made, keeping, run, alone
        self._done = done
        self._waiting: deque[list[Item]] = deque()
        self._under_way: dict[Future[list[Solved]], _Sent] = {}
        self._bytes = 0
        self._to_keep: list[Result] = []
        self._bytes_to_keep = 0
        self._keep_at_s = inf
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
            self._run.wait_for_turn()
            ended, _ = wait(self._under_way, timeout=self._until_kept_s(), return_when=FIRST_COMPLETED)
            for future in ended:
                sent = self._under_way.pop(future)
                self._bytes -= sent.bytes
                self._take(future, sent.task)
                if len(self._to_keep) >= KEPT_AT_ONCE or self._bytes_to_keep >= KEPT_BYTES:
                    self._keep_all()
            if self._until_kept_s() == 0.0:
                self._keep_all()
            self._run.done(self._done)
        self._keep_all()

    def _begin(self, task: list[Item]) -> None:
        self._run.check()
        options = TaskOptions(
            priority=urgency(self._run.priority, alone=self._alone),
            timeout_s=self._longest_s(),
            on_progress=self._run.done if self._alone else None,
            on_begin=self._run.begin,
        )
        requests = [self._made(one.number) for one in task]
        sent = _Sent(task, sum(one.bytes for one in task))
        future = self._solvers.begin(requests, options)
        self._under_way[future] = sent
        self._bytes += sent.bytes
        if self._run.is_stopped:  # told so just now, when this one was not there to be stopped
            self._stop()

    def _longest_s(self) -> float:
        """What one solve may take: a simulation that was given more time by whoever asked for it, all of that."""
        return max(LONGEST_S, self._run.within_s or 0.0) if self._alone else LONGEST_S

    def _take(self, future: Future[list[Solved]], task: list[Item]) -> None:
        try:
            answers = future.result()
        except CancelledError:
            self._run.check()
            raise Unavailable("the solve was cancelled by somebody else, such as a cluster that is lost") from None
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
                self._note(Result(one.input_hash, True, answer, figures))
            else:
                self._fail(one, _error_in(answer))

    def _fail(self, one: Item, error: Failed | InvalidInput) -> None:
        if self._alone:
            raise error
        self._note(Result(one.input_hash, False, msgspec.json.encode(error_of(error))))

    def _note(self, result: Result) -> None:
        if not self._to_keep:
            self._keep_at_s = seconds_since_boot() + KEPT_WITHIN_S
        self._to_keep.append(result)
        self._bytes_to_keep += len(result.answer)
        self._done += 1

    def _keep_all(self) -> None:
        self._run.check()
        self._keeping.keep(self._to_keep, self._run)
        if any(one.is_record for one in self._to_keep):  # what failed is solved again, should the job be lost
            self._run.get_on()
        self._to_keep, self._bytes_to_keep, self._keep_at_s = [], 0, inf

    def _until_kept_s(self) -> float | None:
        """How long the first of the answers that are to be kept may still wait, if there is one."""
        return max(0.0, self._keep_at_s - seconds_since_boot()) if self._to_keep else None

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
