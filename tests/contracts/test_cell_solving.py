"""The work of a sweep: what is sent to whom, what is kept of it, and whose fault it is where nothing comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Executor, Future, wait
from pathlib import Path
from queue import Queue
from typing import Any

import msgspec
import pytest

from tests.cell_service import DISCHARGE
from tests.cell_tasks import DEADLY_DEGC, solved_unless_deadly
from voltbench.adapters.cell_results import CellResults
from voltbench.adapters.cells import task
from voltbench.adapters.jobs_dbos.runs import LocalRun
from voltbench.adapters.pool import ProcessPool, WorkersDoNotStart
from voltbench.apps.cells import asked
from voltbench.apps.cells import solving as solving_module
from voltbench.apps.cells.asked import SWEEP
from voltbench.apps.cells.solvers import ExecutorSolvers, PoolSolvers, Solved, Solvers
from voltbench.apps.cells.solving import ON_WAY_BYTES, TASK_BYTES, Solving
from voltbench.errors import InvalidInput, Unavailable
from voltbench.jobs import JobError, JobId, Stopped

PATIENCE_S = 30.0
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
        self.bytes = self.most_bytes = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._count(sum(map(len, args[0])))
        self.given.put((future, args[0]))
        return future

    def answer(self, future: Future[Any], requests: list[bytes]) -> None:
        self._count(-sum(map(len, requests)))
        future.set_result([ANSWER] * len(requests))

    def _count(self, more: int) -> None:
        self.bytes += more
        self.most_bytes = max(self.bytes, self.most_bytes)


def a_sweep(*ambient_degc: float, **base: Any) -> bytes:
    sweep = {"kind": "grid", "over": {"ambient_degc": list(ambient_degc)}}
    return msgspec.json.encode({"base": DISCHARGE | base, "sweep": sweep})


def solving(solvers: Solvers, results: CellResults) -> Solving:
    return Solving(SWEEP, solvers, results, asyncio.get_running_loop(), lambda: 1)


async def done(work: Solving, request: bytes, run: LocalRun | None = None) -> None:
    whole = range(asked.count(SWEEP, request))
    await asyncio.to_thread(work.do, JobId("job"), request, whole, run or LocalRun(JobId("job"), lambda: True))


async def test_a_point_of_which_its_process_dies_costs_no_other_point(results: CellResults):
    with ProcessPool(1, warm_up=task.warm_up) as pool:

        class Solving(PoolSolvers):
            def begin(self, requests: list[bytes], priority: int, on_progress: Any) -> Future[list[Solved]]:
                return pool.submit(solved_unless_deadly, requests)

        request = a_sweep(12.0, DEADLY_DEGC, 14.0)
        await done(solving(Solving(pool), results), request)
    hashes = asked.hashes(SWEEP, request)
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
    assert await results.figures(asked.hashes(SWEEP, request)) == {}


@pytest.mark.parametrize("trouble", [WorkersDoNotStart("exit code 1"), OSError("the scheduler is gone")])
async def test_where_nobody_solves_no_simulation_is_to_blame(results: CellResults, trouble: Exception):
    executor, request = ByHand(), a_sweep(12.0, 14.0)
    doing = asyncio.create_task(done(solving(ExecutorSolvers(executor), results), request))
    future, _ = await asyncio.to_thread(executor.given.get, timeout=PATIENCE_S)
    future.set_exception(trouble)
    with pytest.raises(Unavailable):
        await doing
    assert await results.figures(asked.hashes(SWEEP, request)) == {}


async def test_of_a_large_sweep_only_some_is_on_its_way(results: CellResults, monkeypatch: pytest.MonkeyPatch):
    executor = ByHand()

    def answered(futures: Iterable[Future[Any]], **how: Any) -> Any:
        executor.answer(*executor.given.get(timeout=PATIENCE_S))  # not before whoever asks has to wait
        return wait(futures, **how)

    monkeypatch.setattr(solving_module, "wait", answered)
    request = a_sweep(*(0.1 * number for number in range(100)), bpx={"Header": "x" * (TASK_BYTES * 3 // 5)})
    await done(solving(ExecutorSolvers(executor), results), request)
    assert ON_WAY_BYTES / 2 < executor.most_bytes < ON_WAY_BYTES + TASK_BYTES
    assert len(await results.figures(asked.hashes(SWEEP, request))) == 100


def test_a_sweep_that_repeats_a_large_base_too_often_is_refused():
    body = {"base": DISCHARGE | {"bpx": {"Header": {"Title": "x" * 100_000}}}}
    sweep = {"kind": "latin_hypercube", "count": 10_000, "over": {"ambient_degc": {"least": 1.0, "most": 2.0}}}
    with pytest.raises(InvalidInput, match="more than 256 MB") as refused:
        asked.batch_in(msgspec.json.encode(body | {"sweep": sweep}))
    assert refused.value.field == "sweep"
