"""The work of a sweep: what is sent to whom, what is kept of it, and whose fault it is where nothing comes of it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Any

import msgspec
import pytest

from tests.cell_service import DISCHARGE
from tests.cell_tasks import DEADLY_DEGC, solved_unless_deadly
from tests.waiting import eventually_async
from voltbench.adapters.cell_results import CellResults, Result
from voltbench.adapters.cells import task
from voltbench.adapters.cells.wire import encode
from voltbench.adapters.jobs_dbos.runs import LocalRun
from voltbench.adapters.pool import ProcessPool, TaskOptions, WorkersDoNotStart
from voltbench.adapters.store.database import database_at
from voltbench.apps.cells import asked
from voltbench.apps.cells import solving as solving_module
from voltbench.apps.cells.asked import SIMULATION, SWEEP
from voltbench.apps.cells.solvers import LONGEST_S, PLAIN, ExecutorSolvers, PoolSolvers, Solved, Solvers
from voltbench.apps.cells.solving import KEPT_BYTES, ON_WAY_BYTES, TASK_BYTES, Solving, urgency
from voltbench.errors import Failed, InvalidInput, Unavailable
from voltbench.jobs import JobError, JobId, Stopped

PATIENCE_S = 90.0
ANSWER = Solved(b"an answer", b"{}")


@pytest.fixture
async def results(tmp_path: Path) -> AsyncIterator[CellResults]:
    kept = await CellResults.open(f"sqlite:///{tmp_path}/cells.db")
    yield kept
    await kept.close()


class ByHand(Executor):
    """Its futures end when a test says so."""

    def __init__(self) -> None:
        self.given: Queue[tuple[Future[Any], list[bytes]]] = Queue()
        self.longest_s: list[float] = []
        self.bytes = self.most_bytes = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._count(sum(map(len, args[0])))
        self.longest_s.append(args[1])
        self.given.put((future, args[0]))
        return future

    def answer(self, future: Future[Any], requests: list[bytes], answer: Solved = ANSWER) -> None:
        self._count(-sum(map(len, requests)))
        future.set_result([answer] * len(requests))

    def _count(self, more: int) -> None:
        self.bytes += more
        self.most_bytes = max(self.bytes, self.most_bytes)


def a_sweep(*ambient_degc: float, **base: Any) -> bytes:
    sweep = {"kind": "grid", "over": {"ambient_degc": list(ambient_degc)}}
    return msgspec.json.encode({"base": DISCHARGE | base, "sweep": sweep})


def solving(solvers: Solvers, results: CellResults, pauses_s: Sequence[float] = (), kind: str = SWEEP) -> Solving:
    return Solving(kind, solvers, results, asyncio.get_running_loop(), lambda: 1, pauses_s)


async def done(work: Solving, request: bytes, run: LocalRun | None = None) -> None:
    whole = range(asked.count(SWEEP, request))
    await asyncio.to_thread(work.do, JobId("job"), request, whole, run or LocalRun(JobId("job"), lambda: True))


async def test_a_point_of_which_its_process_dies_costs_no_other_point(results: CellResults):
    with ProcessPool(1, warm_up=task.warm_up) as pool:

        class Solving(PoolSolvers):
            def begin(self, requests: list[bytes], options: TaskOptions = PLAIN) -> Future[list[Solved]]:
                return pool.submit(solved_unless_deadly, requests)

        request = a_sweep(12.0, DEADLY_DEGC, 14.0)
        await done(solving(Solving(pool), results), request)
    hashes = asked.hashes(SWEEP, request, "")
    figures = await results.figures(hashes)
    assert [figures[hash] is None for hash in hashes] == [False, True, False]
    error = msgspec.json.decode((await results.errors(hashes))[hashes[1]], type=JobError)
    assert (error.kind, "SIGKILL" in error.message) == ("crashed", True)


async def test_what_comes_after_the_job_is_lost_is_not_kept(results: CellResults):
    executor, is_ours = ByHand(), [True]
    run, request = LocalRun(JobId("job"), lambda: is_ours[0]), a_sweep(12.0)
    doing = asyncio.create_task(done(solving(ExecutorSolvers(executor), results), request, run))
    given = await asyncio.to_thread(executor.given.get, timeout=PATIENCE_S)
    is_ours[0] = False
    executor.answer(*given)
    with pytest.raises(Stopped):
        await doing
    assert await results.figures(asked.hashes(SWEEP, request, "")) == {}


@pytest.mark.parametrize("trouble", [WorkersDoNotStart("exit code 1"), OSError("the scheduler is gone")])
async def test_where_nobody_solves_no_simulation_is_to_blame(results: CellResults, trouble: Exception):
    executor, request = ByHand(), a_sweep(12.0, 14.0)
    doing = asyncio.create_task(done(solving(ExecutorSolvers(executor), results), request))
    future, _ = await asyncio.to_thread(executor.given.get, timeout=PATIENCE_S)
    future.set_exception(trouble)
    with pytest.raises(Unavailable):
        await doing
    assert await results.figures(asked.hashes(SWEEP, request, "")) == {}


async def test_of_a_large_sweep_only_some_is_on_its_way(results: CellResults, monkeypatch: pytest.MonkeyPatch):
    executor = ByHand()

    def answered(futures: Iterable[Future[Any]], **how: Any) -> Any:
        executor.answer(*executor.given.get(timeout=PATIENCE_S))  # not before whoever asks has to wait
        return wait(futures, **how)

    monkeypatch.setattr(solving_module, "wait", answered)
    request = a_sweep(*(0.1 * number for number in range(100)), bpx={"Header": "x" * (TASK_BYTES * 3 // 5)})
    await done(solving(ExecutorSolvers(executor), results), request)
    assert ON_WAY_BYTES / 2 < executor.most_bytes < ON_WAY_BYTES + TASK_BYTES
    assert len(await results.figures(asked.hashes(SWEEP, request, ""))) == 100


async def test_where_nobody_takes_a_task_no_simulation_is_to_blame(results: CellResults):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()  # as Dask's client is, ten seconds after its scheduler was lost
    with pytest.raises(Unavailable, match="nobody solves now"):
        await done(solving(ExecutorSolvers(executor), results), a_sweep(12.0))


async def test_a_solve_that_somebody_else_cancels_may_be_tried_again(results: CellResults):
    executor = ByHand()
    doing = asyncio.create_task(done(solving(ExecutorSolvers(executor), results), a_sweep(12.0)))
    future, _ = await asyncio.to_thread(executor.given.get, timeout=PATIENCE_S)
    future.cancel()
    with pytest.raises(Unavailable, match="cancelled by somebody else"):
        await doing


# --- how much at once, and for how long -------------------------------------------------------------------------------


async def test_large_answers_go_one_at_a_time_and_are_kept_before_they_are_many(results: CellResults):
    executor, request = ByHand(), a_sweep(*range(10, 30), every_s=0.02)
    answer = Solved(b"R" * (KEPT_BYTES // 2), b"{}")
    doing = asyncio.create_task(done(solving(ExecutorSolvers(executor), results), request))
    for _ in range(3):
        future, requests = await asyncio.to_thread(executor.given.get, timeout=PATIENCE_S)
        assert len(requests) == 1
        executor.answer(future, requests, answer)

    async def some_are_kept() -> bool | None:
        return len(await results.figures(asked.hashes(SWEEP, request, ""))) >= 2 or None

    await eventually_async(some_are_kept)
    assert executor.given.qsize() * KEPT_BYTES // 4 < ON_WAY_BYTES
    while not doing.done():
        executor.answer(*await asyncio.to_thread(executor.given.get, timeout=PATIENCE_S))
        await eventually_async(lambda: is_given_or_done(executor, doing))
    await doing


async def is_given_or_done(executor: ByHand, doing: asyncio.Task[None]) -> bool | None:
    return doing.done() or not executor.given.empty() or None


@pytest.mark.parametrize(
    ("kind", "within_s", "longest_s"),
    [
        (SIMULATION, None, LONGEST_S),
        (SIMULATION, 60.0, LONGEST_S),
        (SIMULATION, 7_200.0, 7_200.0),
        (SWEEP, 7_200.0, LONGEST_S),
    ],
)
async def test_a_solve_may_take_as_long_as_was_asked_for(
    results: CellResults, kind: str, within_s: float | None, longest_s: float
):
    executor = ByHand()
    request = a_sweep(12.0) if kind == SWEEP else msgspec.json.encode(DISCHARGE)
    run = LocalRun(JobId("job"), lambda: True, within_s=within_s)
    work = solving(ExecutorSolvers(executor), results, kind=kind)
    doing = asyncio.create_task(asyncio.to_thread(work.do, JobId("job"), request, range(1), run))
    executor.answer(*await asyncio.to_thread(executor.given.get, timeout=PATIENCE_S))
    await doing
    assert executor.longest_s == [longest_s]


async def test_what_is_solved_slowly_is_kept_while_the_next_one_is_solved(results: CellResults):
    executor, run = ByHand(), LocalRun(JobId("job"), lambda: True)
    request = a_sweep(12.0, 14.0, every_s=0.02)  # so large that each goes alone
    doing = asyncio.create_task(done(solving(ExecutorSolvers(executor), results), request, run))
    executor.answer(*await asyncio.to_thread(executor.given.get, timeout=PATIENCE_S))

    async def one_is_kept() -> bool | None:
        return len(await results.figures(asked.hashes(SWEEP, request, ""))) == 1 or None

    await eventually_async(one_is_kept)
    executor.answer(*await asyncio.to_thread(executor.given.get, timeout=PATIENCE_S))
    await doing
    assert run.has_got_on


async def test_what_failed_and_is_solved_again_each_time_is_no_progress(results: CellResults):
    executor, run, request = ByHand(), LocalRun(JobId("job"), lambda: True), a_sweep(12.0)
    doing = asyncio.create_task(done(solving(ExecutorSolvers(executor), results), request, run))
    given = await asyncio.to_thread(executor.given.get, timeout=PATIENCE_S)
    executor.answer(*given, Solved(encode(Failed("solver", "it diverged")), None))
    await doing
    assert len(await results.errors(asked.hashes(SWEEP, request, ""))) == 1
    assert not run.has_got_on


# --- which comes first, and since when --------------------------------------------------------------------------------


class Line(ExecutorSolvers):
    """Notes how urgent each task is, and begins them when a test says so."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        self.priorities: list[int] = []
        self.begins: list[Callable[[], None]] = []

    def begin(self, requests: list[bytes], options: TaskOptions = PLAIN) -> Future[list[Solved]]:
        assert options.on_begin is not None
        self.priorities.append(options.priority)
        self.begins.append(options.on_begin)
        return super().begin(requests, replace(options, on_begin=None))


def test_the_higher_its_priority_the_sooner_and_of_equals_the_one_that_somebody_waits_for():
    places = [(priority, alone) for priority in (-1, 0, 1, 10) for alone in (False, True)]
    assert sorted(places, key=lambda place: urgency(place[0], alone=place[1])) == places


@pytest.mark.parametrize("kind", [SIMULATION, SWEEP])
async def test_the_priority_of_a_job_reaches_who_solves_and_it_waits_until_somebody_does(
    results: CellResults, kind: str
):
    executor, run = ByHand(), LocalRun(JobId("job"), lambda: True, priority=10)
    line = Line(executor)
    request = a_sweep(12.0) if kind == SWEEP else msgspec.json.encode(DISCHARGE)
    doing = asyncio.create_task(
        asyncio.to_thread(solving(line, results, kind=kind).do, JobId("job"), request, range(1), run)
    )

    async def waits() -> bool | None:
        return run.is_waiting or None

    await eventually_async(waits)
    assert line.priorities == [urgency(10, alone=kind == SIMULATION)]
    line.begins[0]()
    assert not run.is_waiting
    executor.answer(*await asyncio.to_thread(executor.given.get, timeout=PATIENCE_S))
    await doing


# --- kept under the stamp of their job --------------------------------------------------------------------------------


async def test_what_is_asked_of_one_release_and_solved_by_two_is_whole(results: CellResults):
    older = msgspec.json.encode({"pybamm": "26.1", "voltbench": "0.1"}).decode()
    request = a_sweep(12.0, 13.5, 14.0, 15.0)
    hashes = asked.hashes(SWEEP, request, older)
    await results.keep([Result(hash, True, *ANSWER) for hash in hashes[:2]], now=1)
    executor, run = ByHand(), LocalRun(JobId("job"), lambda: True, older)
    doing = asyncio.create_task(done(solving(ExecutorSolvers(executor), results), request, run))
    while not doing.done():
        executor.answer(*await asyncio.to_thread(executor.given.get, timeout=PATIENCE_S))
        await eventually_async(lambda: is_given_or_done(executor, doing))
    await doing
    assert len(executor.longest_s) <= 2  # the first two are solved
    assert set(await results.figures(hashes)) == set(hashes)
    assert await results.figures(asked.hashes(SWEEP, request, "")) == {}  # of this release nobody has asked for them


# --- a database that is out of reach ----------------------------------------------------------------------------------


@contextmanager
def in_use(file: Path) -> Iterator[sqlite3.Connection]:
    """A database that others hold on to."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield other
    finally:
        other.close()


@pytest.fixture
async def impatient(results: CellResults, tmp_path: Path) -> AsyncIterator[CellResults]:
    """The same results, by connections that wait for nobody."""
    kept = CellResults(database_at(f"sqlite:///{tmp_path}/cells.db", patience_s=0.0))
    yield kept
    await kept.close()


async def test_what_is_solved_waits_for_a_database_that_is_out_of_reach(
    impatient: CellResults, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    executor, request = ByHand(), a_sweep(12.0, 14.0)
    work = solving(ExecutorSolvers(executor), impatient, pauses_s=[0.01] * 3_000)

    async def is_told() -> bool | None:
        return "results are out of reach" in caplog.text or None

    with in_use(tmp_path / "cells.db"):
        doing = asyncio.create_task(done(work, request))
        await eventually_async(is_told)
    given = await asyncio.to_thread(executor.given.get, timeout=PATIENCE_S)
    caplog.clear()
    with in_use(tmp_path / "cells.db"):
        executor.answer(*given)
        await eventually_async(is_told)
    await doing
    assert len(await impatient.figures(asked.hashes(SWEEP, request, ""))) == 2


async def test_a_database_that_stays_out_of_reach_is_waited_for_no_longer_than_that(
    impatient: CellResults, tmp_path: Path
):
    with in_use(tmp_path / "cells.db"), pytest.raises(Unavailable):
        await done(solving(ExecutorSolvers(ByHand()), impatient, pauses_s=[0.0, 0.0]), a_sweep(12.0))


async def test_whoever_is_stopped_while_the_database_is_out_of_reach_waits_no_longer(
    impatient: CellResults, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    run = LocalRun(JobId("job"), lambda: True)

    async def is_told() -> bool | None:
        return "results are out of reach" in caplog.text or None

    with in_use(tmp_path / "cells.db"):
        work = solving(ExecutorSolvers(ByHand()), impatient, pauses_s=[3_600.0])
        doing = asyncio.create_task(done(work, a_sweep(12.0), run))
        await eventually_async(is_told)
        run.stop()
        with pytest.raises(Stopped):
            await doing


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_sweep_that_repeats_a_large_base_too_often_is_refused():
    body = {"base": DISCHARGE | {"bpx": {"Header": {"Title": "x" * 100_000}}}}
    sweep = {"kind": "latin_hypercube", "count": 10_000, "over": {"ambient_degc": {"least": 1.0, "most": 2.0}}}
    with pytest.raises(InvalidInput, match="more than 256 MB") as refused:
        asked.batch_in(msgspec.json.encode(body | {"sweep": sweep}))
    assert refused.value.field == "sweep"
