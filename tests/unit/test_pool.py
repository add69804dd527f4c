"""A pool of processes: who does what, in which order, and how a task may end."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, as_completed, wait
from itertools import count, cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import pool_tasks
from tests.waiting import eventually
from voltbench.adapters.pool import (
    NotPicklable,
    ProcessPool,
    TaskFailed,
    TaskFuture,
    TaskOptions,
    TaskTimedOut,
    WorkerDied,
    WorkersDoNotStart,
    WorkerStats,
    begin_piece,
    progress,
)
from voltbench.adapters.pool.frames import DONE, TASK, Frame, FrameReader, Garbled, frame_parts
from voltbench.adapters.pool.task import Task
from voltbench.adapters.pool.waiting import OVERTAKING, WaitingTasks, Warmth
from voltbench.errors import InvalidInput

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPool]:
    """Two workers, for who does them no harm."""
    with ProcessPool(2, warm_up=pool_tasks.warm_up) as two:
        yield two


@pytest.fixture
def fragile() -> Iterator[ProcessPool]:
    """One worker, for who kills it."""
    with ProcessPool(1) as one:
        yield one


def first_argument(fn: object, args: tuple[object, ...], kwargs: object) -> object:
    return args[0]


def is_running(future: TaskFuture[Any]) -> bool | None:
    return future.running() or None


def busy_workers(pool: ProcessPool) -> list[WorkerStats] | None:
    return [worker for worker in pool.stats().workers if worker.state == "busy"] or None


# The promise of an executor.


def test_results_are_those_of_the_function(pool):
    assert list(pool.map(pool_tasks.double, range(50), timeout=PATIENCE_S)) == [2 * n for n in range(50)]


async def test_a_coroutine_may_wait_for_a_task(pool):
    assert await asyncio.get_running_loop().run_in_executor(pool, pool_tasks.double, 21) == 42


def test_many_threads_may_submit_at_once(pool):
    results: list[int] = []

    def submit_some() -> None:
        results.extend(future.result(PATIENCE_S) for future in [pool.submit(pool_tasks.double, n) for n in range(50)])

    threads = [threading.Thread(target=submit_some) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(8 * [2 * n for n in range(50)])


def test_large_payloads_go_there_and_back(pool):
    content = bytes(range(256)) * 20_000
    futures = [pool.submit(pool_tasks.echo, content) for _ in range(4)]
    assert all(future.result(PATIENCE_S) == content for future in futures)


def test_a_worker_is_warm_before_its_first_task_and_has_one_thread_for_numerics(pool):
    assert pool.submit(pool_tasks.what_is_warm).result(PATIENCE_S) == ["warm"]
    assert pool.submit(pool_tasks.threads_for_numerics).result(PATIENCE_S) == "1"


def test_a_worker_imports_no_more_than_it_needs(pool):
    assert not {"concurrent.futures", "dataclasses", "logging", "numpy"} & set(
        pool.submit(pool_tasks.modules).result(PATIENCE_S)
    )


def test_an_exception_comes_back_as_itself_with_where_it_was_raised(pool):
    with pytest.raises(ValueError, match="not 3") as raised:
        pool.submit(pool_tasks.refuse, 3).result(PATIENCE_S)
    assert "in refuse" in str(raised.value.__cause__)


def test_an_error_of_ours_comes_back_with_its_facts(pool):
    with pytest.raises(InvalidInput) as raised:
        pool.submit(pool_tasks.refuse_a_field, "soc", 2.0).result(PATIENCE_S)
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
        pool.submit(raising).result(PATIENCE_S)
    assert (raised.value.type_name, raised.value.text) == (name, text)
    assert "Traceback" in str(raised.value.__cause__)


def test_a_task_that_exits_as_a_program_would_is_a_failed_task(pool):
    with pytest.raises(TaskFailed, match="SystemExit: 3"):
        pool.submit(pool_tasks.exit_as_a_program_would, 3).result(PATIENCE_S)


def test_what_cannot_be_pickled_fails_one_task_only(pool):
    futures = [
        pool.submit(lambda: 1),
        pool.submit(pool_tasks.echo, threading.Lock()),
        pool.submit(pool_tasks.a_lock),
        pool.submit(pool_tasks.an_unreadable_result),
        pool.submit(pool_tasks.echo, pool_tasks.UnreadableResult()),
    ]
    for future in futures:
        assert isinstance(future.exception(PATIENCE_S), NotPicklable), future
        assert not future.cancel()
    assert pool.submit(pool_tasks.double, 1).result(PATIENCE_S) == 2
    assert pool.stats().respawns == 0


def test_a_pool_has_workers():
    with pytest.raises(InvalidInput, match="workers"):
        ProcessPool(0)


# Ends that a task does not choose.


def test_a_segfault_costs_the_task_that_had_it_and_no_other(fragile, caplog):
    crashing = fragile.submit(pool_tasks.segfault)
    others = [fragile.submit(pool_tasks.double, n) for n in range(20)]
    error = crashing.exception(PATIENCE_S)
    assert isinstance(error, WorkerDied)
    assert (error.cause, error.attempts) == ("SIGSEGV", 2)
    assert [future.result(PATIENCE_S) for future in others] == [2 * n for n in range(20)]
    told = [record.levelno for record in caplog.records if record.name.startswith("voltbench.adapters.pool")]
    assert told == 2 * [logging.WARNING]
    assert fragile.stats().respawns == 2


def test_an_exit_code_is_told(fragile):
    with pytest.raises(WorkerDied, match="exit code 3"):
        fragile.submit(pool_tasks.exit_at_once, 3).result(PATIENCE_S)


def test_a_task_whose_worker_died_is_begun_once_more(fragile, tmp_path):
    assert fragile.submit(pool_tasks.be_killed_at_first, tmp_path / "killed").result(PATIENCE_S) == "done"


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_task_is_begun_as_often_as_was_chosen(attempts, tmp_path):
    with ProcessPool(2, attempts=attempts) as pool, pytest.raises(WorkerDied, match="SIGKILL"):
        pool.submit(pool_tasks.be_killed, tmp_path / "journal").result(PATIENCE_S)
    assert (tmp_path / "journal").read_text().splitlines() == attempts * ["begun"]


def test_a_running_task_is_stopped_and_others_lose_nothing(fragile, tmp_path):
    endless = fragile.submit(pool_tasks.run_for_ever, tmp_path / "begun")
    waiting = fragile.submit(pool_tasks.double, 4)
    eventually(lambda: (tmp_path / "begun").exists() or None)
    assert not endless.cancel()
    assert endless.running()
    assert fragile.stop(endless)
    with pytest.raises(CancelledError):
        endless.result(PATIENCE_S)
    assert endless.cancelled()
    assert waiting.result(PATIENCE_S) == 8
    assert not fragile.stop(waiting)
    assert not waiting.cancelled()


def test_c_code_that_holds_the_interpreter_is_stopped_too(fragile, tmp_path):
    deaf = fragile.submit(pool_tasks.hold_the_interpreter, tmp_path / "begun")
    eventually(lambda: (tmp_path / "begun").exists() or None)
    fragile.stop(deaf)
    assert wait([deaf], PATIENCE_S).done == {deaf}


async def test_a_coroutine_that_waits_for_a_stopped_task_is_told(fragile, tmp_path):
    endless = fragile.submit(pool_tasks.run_for_ever, tmp_path / "begun")
    waiting = asyncio.wrap_future(endless)
    fragile.stop(endless)
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_a_waiting_task_is_cancelled_and_whoever_waits_for_it_told(fragile, tmp_path):
    blocking = fragile.submit(pool_tasks.wait_for, tmp_path / "go")
    waiting = fragile.submit(pool_tasks.note, "never", tmp_path / "journal")
    assert waiting.cancel()
    assert waiting.cancel()
    assert next(as_completed([waiting], PATIENCE_S)).cancelled()
    (tmp_path / "go").touch()
    blocking.result(PATIENCE_S)
    assert fragile.submit(pool_tasks.double, 1).result(PATIENCE_S) == 2
    assert not (tmp_path / "journal").exists()


def test_a_task_ends_when_its_time_is_over(fragile, tmp_path):
    endless = fragile.submit_with(TaskOptions(timeout_s=0.05), pool_tasks.run_for_ever, tmp_path / "begun")
    with pytest.raises(TaskTimedOut, match=r"not done after 0\.05 s"):
        endless.result(PATIENCE_S)
    assert fragile.submit_with(TaskOptions(timeout_s=PATIENCE_S), pool_tasks.double, 1).result(PATIENCE_S) == 2


def test_time_is_for_each_piece_of_a_task(fragile, tmp_path):
    fragile.submit(pool_tasks.nothing).result(PATIENCE_S)  # a new process imports, which is no piece
    in_pieces = TaskOptions(timeout_s=4.0)
    assert fragile.submit_with(in_pieces, pool_tasks.do_pieces, 4.2).result(PATIENCE_S) > 1
    endless = fragile.submit_with(in_pieces, pool_tasks.do_pieces_and_run_for_ever, tmp_path / "begun")
    with pytest.raises(TaskTimedOut, match="not done after 4 s"):
        endless.result(PATIENCE_S)
    assert (tmp_path / "begun").exists()


def test_pieces_outside_of_a_pool_are_nothing():
    begin_piece()


# Memory.


def test_a_worker_with_too_much_memory_is_replaced_after_its_task():
    with ProcessPool(1, most_rss_bytes=100_000_000) as pool:
        large = pool.submit(pool_tasks.take_memory, 200_000_000)
        small = pool.submit(pool_tasks.pid)
        first = large.exception(PATIENCE_S) or large.result()
        assert isinstance(first, WorkerDied) or small.result(PATIENCE_S) != first
        assert small.result(PATIENCE_S) == pool.submit(pool_tasks.pid).result(PATIENCE_S)


def test_a_task_with_too_much_memory_ends(tmp_path):
    with ProcessPool(1, most_rss_bytes=100_000_000) as pool:
        with pytest.raises(WorkerDied, match="memory"):
            pool.submit(pool_tasks.take_memory_for_ever, tmp_path / "begun").result(PATIENCE_S)
        assert pool.submit(pool_tasks.double, 1).result(PATIENCE_S) == 2


# Starts that fail.


def test_where_no_worker_starts_tasks_fail_instead_of_waiting():
    with ProcessPool(2, warm_up=pool_tasks.fail_to_start) as pool:
        with pytest.raises(WorkersDoNotStart, match="exit code 7"):
            pool.submit(pool_tasks.double, 1).result(PATIENCE_S)
        pool.terminate()


def test_a_pool_ends_also_while_it_has_no_worker_at_all():
    pool = ProcessPool(1, warm_up=pool_tasks.fail_to_start)
    pool.submit(pool_tasks.nothing).exception(PATIENCE_S)
    eventually(lambda: (not pool.stats().workers) or None)
    pool.terminate()


def test_a_warm_up_that_fails_is_told_and_tasks_are_done(caplog):
    with ProcessPool(1, warm_up=pool_tasks.raise_at_warm_up) as pool:
        assert pool.submit(pool_tasks.double, 1).result(PATIENCE_S) == 2
    assert "too cold" in caplog.text


# Progress and statistics.


def test_progress_is_shown_while_a_task_runs_and_told(pool, tmp_path):
    told: list[float] = []
    future = pool.submit_with(
        TaskOptions(on_progress=told.append), pool_tasks.tell_and_wait_for, 0.25, tmp_path / "enough"
    )
    assert eventually(lambda: future.progress or None) == 0.25
    (tmp_path / "enough").touch()
    future.result(PATIENCE_S)
    assert future.progress == 1.0
    assert told == [0.25]


def test_progress_too_small_to_be_seen_is_not_sent(pool):
    told: list[float] = []
    steps = (0.1, 0.1001, 0.1002, float("nan"), 0.5, 7.0)
    pool.submit_with(TaskOptions(on_progress=told.append), pool_tasks.tell, *steps).result(PATIENCE_S)
    assert told == [0.1, 0.5, 1.0]


def test_whoever_fails_at_being_told_harms_nobody(pool, caplog):
    told: list[float] = []
    failing = TaskOptions(on_progress=lambda fraction: told.append(1 / (fraction - 0.5)))
    assert pool.submit_with(failing, pool_tasks.tell, 0.5, 1.0).result(PATIENCE_S) == "told"
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
        assert running.result(PATIENCE_S) == busy[0].pid
        assert eventually(lambda: pool.stats().done or None) == 1
        assert pool.stats().respawns == 0


# Order.


def test_whoever_asks_is_told_when_a_worker_has_the_task_and_not_before(fragile, tmp_path):
    begun = threading.Event()
    first = fragile.submit(pool_tasks.wait_for, tmp_path / "enough")
    eventually(lambda: is_running(first))
    second = fragile.submit_with(TaskOptions(on_begin=begun.set), pool_tasks.nothing)
    assert not begun.is_set()
    (tmp_path / "enough").touch()
    second.result(PATIENCE_S)
    assert begun.is_set()


def test_a_higher_priority_begins_first_and_equals_as_they_came(fragile, tmp_path):
    blocking = fragile.submit(pool_tasks.wait_for, tmp_path / "go")
    eventually(lambda: is_running(blocking))
    for name, priority in (("a", 0), ("b", 0), ("low", -1), ("high", 5), ("c", 0)):
        fragile.submit_with(TaskOptions(priority=priority), pool_tasks.note, name, tmp_path / "journal")
    (tmp_path / "go").touch()
    fragile.shutdown()
    assert (tmp_path / "journal").read_text().split() == ["high", "a", "b", "c", "low"]


def test_tasks_go_to_the_worker_that_is_warm_for_them():
    with ProcessPool(2, affinity=first_argument) as pool:
        here, there = (pool.submit(pool_tasks.keyed_pid, key) for key in ("red", "blue"))
        homes = {"red": here.result(PATIENCE_S), "blue": there.result(PATIENCE_S)}
        for key in ("blue", "red", "red", "blue", "blue", "red"):
            assert pool.submit(pool_tasks.keyed_pid, key).result(PATIENCE_S) == homes[key]


def test_no_worker_is_idle_to_keep_a_task_for_another(tmp_path):
    with ProcessPool(2, affinity=first_argument) as pool:
        blocking = pool.submit(pool_tasks.wait_for, tmp_path / "go")
        eventually(lambda: is_running(blocking))
        wants_the_same = pool.submit(pool_tasks.begin_and_wait_for, tmp_path / "go", tmp_path / "go")
        assert wants_the_same.result(PATIENCE_S) != blocking.result(PATIENCE_S)


KEYS = st.sampled_from([None, "a", "b", "c", "d"])


@given(st.lists(st.tuples(KEYS, st.integers(0, 1)), max_size=400), st.lists(st.integers(0, 2)))
def test_no_task_is_overtaken_by_many_and_none_by_a_lower_priority(wanted, workers):
    waiting, warmth = WaitingTasks(), Warmth(2)
    for number, (key, priority) in enumerate(wanted, start=1):
        future: TaskFuture[object] = TaskFuture(number, waiting.discard)
        waiting.add(Task(future, b"", key, TaskOptions(priority=priority)))
    left = dict(enumerate(wanted, start=1))
    turns = count()
    while waiting:
        worker = workers[next(turns) % len(workers)] if workers else 0
        task = waiting.take_for(worker, warmth)
        highest = max(priority for _, priority in left.values())
        before = [number for number, (_, priority) in left.items() if priority == highest and number < task.number]
        assert task.options.priority == highest
        assert all(task.number - number <= OVERTAKING for number in before)
        if task.key is None or warmth.has(worker, task.key):
            passed = [left[number][0] for number in before]
            assert not any(key is None or warmth.has(worker, key) for key in passed)
        if task.key is not None:
            warmth.use(worker, task.key)
        del left[task.number]
    assert not left


def test_128_that_came_later_and_are_warm_go_first_and_no_more():
    waiting, warmth = WaitingTasks(), Warmth(2)
    warmth.use(1, "here")
    warmth.use(2, "elsewhere")
    for number, key in enumerate(["elsewhere", *["here"] * 400], start=1):
        waiting.add(Task(TaskFuture(number, waiting.discard), b"", key, TaskOptions()))
    taken = [waiting.take_for(1, warmth).number for _ in range(200)]
    assert taken == [*range(2, 130), 1, *range(130, 201)]


def test_a_worker_lets_go_of_the_key_it_has_not_done_for_longest():
    warmth = Warmth(2)
    for key in ("a", "b", "a", "c"):
        warmth.use(1, key)
    assert [warmth.has(1, key) for key in ("a", "b", "c")] == [True, False, True]
    assert not warmth.is_anywhere("b")
    warmth.forget(1)
    assert not warmth.is_anywhere("a")


@given(
    st.lists(st.tuples(st.sampled_from([TASK, DONE]), st.binary() | st.just(bytes(70_000))), max_size=6),
    st.lists(st.sampled_from([1, 16, 17, 18, 1_000])),
)
def test_frames_are_the_same_however_they_are_cut(said, cuts):
    stream = b"".join(bytes(part) for n, (kind, payload) in enumerate(said) for part in frame_parts(kind, n, payload))
    reader, heard = FrameReader(), []
    cut = cycle([*cuts, 50_000])
    while stream:
        room = reader.room()
        taken = min(len(room), len(stream), next(cut))
        room[:taken] = stream[:taken]
        stream = stream[taken:]
        heard += reader.received(taken)
    assert heard == [Frame(kind, n, bytearray(payload)) for n, (kind, payload) in enumerate(said)]


def test_bytes_that_are_no_frame_are_refused():
    reader = FrameReader()
    reader.room()[:20] = b"\xff" * 20
    with pytest.raises(Garbled):
        reader.received(20)


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
    eventually(lambda: is_running(running))
    waiting = [pool.submit(pool_tasks.nothing) for _ in range(10)]
    pool.shutdown(wait=False, cancel_futures=True)
    assert len(wait(waiting, PATIENCE_S).done) == 10
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
    assert future.result(PATIENCE_S) == 8
    foreman.join(PATIENCE_S)
    assert not foreman.is_alive()


def test_a_callback_may_shut_the_pool_down(tmp_path: Path):
    pool = ProcessPool(1)
    pool.submit(pool_tasks.wait_for, tmp_path / "go").add_done_callback(lambda future: pool.shutdown())
    (tmp_path / "go").touch()
    eventually(lambda: (not pool._foreman.is_alive()) or None)
