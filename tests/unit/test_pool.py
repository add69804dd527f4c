"""A pool of processes, which is an executor: what it promises, tells, and does at its end."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

from tests import pool_tasks
from tests.waiting import DEADLINE_S, eventually
from voltbench.adapters.pool import (
    NotPicklable,
    ProcessPool,
    TaskFailed,
    TaskOptions,
    WorkersDoNotStart,
    WorkerStats,
    progress,
)
from voltbench.errors import InvalidInput


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPool]:
    """Two workers, for who does them no harm."""
    with ProcessPool(2, warm_up=pool_tasks.warm_up) as two:
        yield two


def first_argument(fn: object, args: tuple[object, ...], kwargs: object) -> object:
    return args[0]


def busy_workers(pool: ProcessPool) -> list[WorkerStats] | None:
    return [worker for worker in pool.stats().workers if worker.state == "busy"] or None


# The promise of an executor.


def test_results_are_those_of_the_function(pool):
    assert list(pool.map(pool_tasks.double, range(50), timeout=DEADLINE_S)) == [2 * n for n in range(50)]


async def test_a_coroutine_may_wait_for_a_task(pool):
    assert await asyncio.get_running_loop().run_in_executor(pool, pool_tasks.double, 21) == 42


def test_many_threads_may_submit_at_once(pool):
    results: list[int] = []

    def submit_some() -> None:
        results.extend(future.result(DEADLINE_S) for future in [pool.submit(pool_tasks.double, n) for n in range(50)])

    threads = [threading.Thread(target=submit_some) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(8 * [2 * n for n in range(50)])


def test_large_payloads_go_there_and_back(pool):
    content = bytes(range(256)) * 20_000
    futures = [pool.submit(pool_tasks.echo, content) for _ in range(4)]
    assert all(future.result(DEADLINE_S) == content for future in futures)


def test_a_worker_is_warm_before_its_first_task_and_has_one_thread_for_numerics(pool):
    assert pool.submit(pool_tasks.what_is_warm).result(DEADLINE_S) == ["warm"]
    assert pool.submit(pool_tasks.threads_for_numerics).result(DEADLINE_S) == "1"


def test_a_worker_imports_no_more_than_it_needs(pool):
    assert not {"concurrent.futures", "dataclasses", "logging", "numpy"} & set(
        pool.submit(pool_tasks.modules).result(DEADLINE_S)
    )


def test_an_exception_comes_back_as_itself_with_where_it_was_raised(pool):
    with pytest.raises(ValueError, match="not 3") as raised:
        pool.submit(pool_tasks.refuse, 3).result(DEADLINE_S)
    assert "in refuse" in str(raised.value.__cause__)


def test_an_error_of_ours_comes_back_with_its_facts(pool):
    with pytest.raises(InvalidInput) as raised:
        pool.submit(pool_tasks.refuse_a_field, "soc", 2.0).result(DEADLINE_S)
    assert (raised.value.field, raised.value.found) == ("soc", 2.0)


@pytest.mark.parametrize(
    ("raising", "name", "text"),
    [
        (pool_tasks.raise_awkwardly, "Awkward", "this and that"),
        (pool_tasks.raise_unpicklably, "Unpicklable", "with a lock"),
    ],
)
def test_an_exception_that_cannot_come_back_is_told_in_words(pool, raising, name, text):
    with pytest.raises(TaskFailed) as raised:
        pool.submit(raising).result(DEADLINE_S)
    assert (raised.value.type_name, raised.value.text) == (name, text)
    assert "Traceback" in str(raised.value.__cause__)


def test_a_task_that_exits_as_a_program_would_is_a_failed_task(pool):
    with pytest.raises(TaskFailed, match="SystemExit: 3"):
        pool.submit(pool_tasks.exit_as_a_program_would, 3).result(DEADLINE_S)


def test_what_cannot_be_pickled_fails_one_task_only(pool):
    futures = [
        pool.submit(lambda: 1),
        pool.submit(pool_tasks.echo, threading.Lock()),
        pool.submit(pool_tasks.a_lock),
        pool.submit(pool_tasks.an_unreadable_result),
        pool.submit(pool_tasks.echo, pool_tasks.UnreadableResult()),
    ]
    for future in futures:
        assert isinstance(future.exception(DEADLINE_S), NotPicklable), future
        assert not future.cancel()
    assert pool.submit(pool_tasks.double, 1).result(DEADLINE_S) == 2
    assert pool.stats().respawns == 0


def test_a_pool_has_workers():
    with pytest.raises(InvalidInput, match="workers"):
        ProcessPool(0)


# Starts that fail.


def test_where_no_worker_starts_tasks_fail_instead_of_waiting():
    with ProcessPool(2, warm_up=pool_tasks.fail_to_start) as pool:
        with pytest.raises(WorkersDoNotStart, match="exit code 7"):
            pool.submit(pool_tasks.double, 1).result(DEADLINE_S)
        pool.terminate()


def test_a_pool_ends_also_while_it_has_no_worker_at_all():
    pool = ProcessPool(1, warm_up=pool_tasks.fail_to_start)
    pool.submit(pool_tasks.nothing).exception(DEADLINE_S)
    eventually(lambda: (not pool.stats().workers) or None)
    pool.terminate()


def test_a_warm_up_that_fails_is_told_and_tasks_are_done(caplog):
    with ProcessPool(1, warm_up=pool_tasks.raise_at_warm_up) as pool:
        assert pool.submit(pool_tasks.double, 1).result(DEADLINE_S) == 2
    assert "too cold" in caplog.text


# Progress and statistics.


def test_progress_is_shown_while_a_task_runs_and_told(pool, tmp_path):
    told: list[float] = []
    future = pool.submit_with(
        TaskOptions(on_progress=told.append), pool_tasks.tell_and_wait_for, 0.25, tmp_path / "enough"
    )
    assert eventually(lambda: future.progress or None) == 0.25
    (tmp_path / "enough").touch()
    future.result(DEADLINE_S)
    assert future.progress == 1.0
    assert told == [0.25]


def test_progress_too_small_to_be_seen_is_not_sent(pool):
    told: list[float] = []
    steps = (0.1, 0.1001, 0.1002, float("nan"), 0.5, 7.0)
    pool.submit_with(TaskOptions(on_progress=told.append), pool_tasks.tell, *steps).result(DEADLINE_S)
    assert told == [0.1, 0.5, 1.0]


def test_whoever_fails_at_being_told_harms_nobody(pool, caplog):
    told: list[float] = []
    failing = TaskOptions(on_progress=lambda fraction: told.append(1 / (fraction - 0.5)))
    assert pool.submit_with(failing, pool_tasks.tell, 0.5, 1.0).result(DEADLINE_S) == "told"
    assert told == [2.0]
    assert "ZeroDivisionError" in caplog.text


def test_progress_outside_of_a_pool_is_nothing():
    progress(0.5)


def test_statistics_tell_who_does_what(tmp_path):
    with ProcessPool(2, affinity=first_argument) as pool:
        running = pool.submit(pool_tasks.wait_for, tmp_path / "go")
        busy = eventually(lambda: busy_workers(pool))
        assert [worker.key for worker in busy] == [tmp_path / "go"]
        assert busy[0].rss_bytes > 1_000_000
        assert busy[0].busy_for_s is not None
        assert busy[0].busy_for_s >= 0.0
        assert (pool.stats().running, pool.stats().waiting) == (1, 0)
        (tmp_path / "go").touch()
        assert running.result(DEADLINE_S) == busy[0].pid
        assert eventually(lambda: pool.stats().done or None) == 1
        assert pool.stats().respawns == 0


# The end.


def test_shutdown_has_everything_done_first():
    pool = ProcessPool(2)
    futures = [pool.submit(pool_tasks.double, n) for n in range(30)]
    pool.shutdown()
    assert [future.result(0) for future in futures] == [2 * n for n in range(30)]
    assert pool.stats().workers == ()
    with pytest.raises(RuntimeError):
        pool.submit(pool_tasks.nothing)
    assert not pool.stop(futures[0])
    pool.shutdown()


def test_a_task_that_crashes_during_shutdown_is_begun_again(tmp_path):
    pool = ProcessPool(2)
    crashing = pool.submit(pool_tasks.be_killed_at_first, tmp_path / "killed")
    pool.shutdown()
    assert crashing.result(0) == "done"


def test_shutdown_may_cancel_what_waits(tmp_path):
    pool = ProcessPool(1)
    running = pool.submit(pool_tasks.wait_for, tmp_path / "go")
    eventually(lambda: running.running() or None)
    waiting = [pool.submit(pool_tasks.nothing) for _ in range(10)]
    pool.shutdown(wait=False, cancel_futures=True)
    assert len(wait(waiting, DEADLINE_S).done) == 10
    assert all(future.cancelled() for future in waiting)
    (tmp_path / "go").touch()
    pool.shutdown()
    assert running.exception(0) is None


def test_terminate_ends_also_what_runs(tmp_path):
    pool = ProcessPool(1)
    running = pool.submit(pool_tasks.run_for_ever, tmp_path / "begun")
    eventually(lambda: (tmp_path / "begun").exists() or None)
    waiting = pool.submit(pool_tasks.nothing)
    pool.terminate()
    assert running.cancelled()
    assert waiting.cancelled()


def test_a_pool_that_nobody_holds_has_its_work_done_and_goes():
    pool = ProcessPool(1)
    foreman = pool._foreman
    future = pool.submit(pool_tasks.double, 4)
    del pool
    gc.collect()
    assert future.result(DEADLINE_S) == 8
    foreman.join(DEADLINE_S)
    assert not foreman.is_alive()


def test_a_callback_may_shut_the_pool_down(tmp_path: Path):
    pool = ProcessPool(1)
    pool.submit(pool_tasks.wait_for, tmp_path / "go").add_done_callback(lambda future: pool.shutdown())
    (tmp_path / "go").touch()
    eventually(lambda: (not pool._foreman.is_alive()) or None)
