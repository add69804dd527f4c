"""How a task may end in a pool of processes otherwise than by its own choice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import CancelledError, as_completed, wait

import pytest

from tests import pool_tasks
from tests.waiting import DEADLINE_S, eventually
from voltbench.adapters.pool import (
    ProcessPool,
    TaskOptions,
    TaskTimedOut,
    WorkerDied,
    begin_piece,
)


@pytest.fixture
def fragile() -> Iterator[ProcessPool]:
    """One worker, for who kills it."""
    with ProcessPool(1) as one:
        yield one


def test_a_segfault_costs_the_task_that_had_it_and_no_other(fragile, caplog):
    crashing = fragile.submit(pool_tasks.segfault)
    others = [fragile.submit(pool_tasks.double, n) for n in range(20)]
    error = crashing.exception(DEADLINE_S)
    assert isinstance(error, WorkerDied)
    assert (error.cause, error.attempts) == ("SIGSEGV", 2)
    assert [future.result(DEADLINE_S) for future in others] == [2 * n for n in range(20)]
    told = [record.levelno for record in caplog.records if record.name.startswith("voltbench.adapters.pool")]
    assert told == 2 * [logging.WARNING]
    assert fragile.stats().respawns == 2


def test_an_exit_code_is_told(fragile):
    with pytest.raises(WorkerDied, match="exit code 3"):
        fragile.submit(pool_tasks.exit_at_once, 3).result(DEADLINE_S)


def test_a_task_whose_worker_died_is_begun_once_more(fragile, tmp_path):
    assert fragile.submit(pool_tasks.be_killed_at_first, tmp_path / "killed").result(DEADLINE_S) == "done"


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_task_is_begun_as_often_as_was_chosen(attempts, tmp_path):
    with ProcessPool(2, attempts=attempts) as pool, pytest.raises(WorkerDied, match="SIGKILL"):
        pool.submit(pool_tasks.be_killed, tmp_path / "journal").result(DEADLINE_S)
    assert (tmp_path / "journal").read_text().splitlines() == attempts * ["begun"]


def test_a_running_task_is_stopped_and_others_lose_nothing(fragile, tmp_path):
    endless = fragile.submit(pool_tasks.run_for_ever, tmp_path / "begun")
    waiting = fragile.submit(pool_tasks.double, 4)
    eventually(lambda: (tmp_path / "begun").exists() or None)
    assert not endless.cancel()
    assert endless.running()
    assert fragile.stop(endless)
    with pytest.raises(CancelledError):
        endless.result(DEADLINE_S)
    assert endless.cancelled()
    assert waiting.result(DEADLINE_S) == 8
    assert not fragile.stop(waiting)
    assert not waiting.cancelled()


def test_c_code_that_holds_the_interpreter_is_stopped_too(fragile, tmp_path):
    deaf = fragile.submit(pool_tasks.hold_the_interpreter, tmp_path / "begun")
    eventually(lambda: (tmp_path / "begun").exists() or None)
    fragile.stop(deaf)
    assert wait([deaf], DEADLINE_S).done == {deaf}


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
    assert next(as_completed([waiting], DEADLINE_S)).cancelled()
    (tmp_path / "go").touch()
    blocking.result(DEADLINE_S)
    assert fragile.submit(pool_tasks.double, 1).result(DEADLINE_S) == 2
    assert not (tmp_path / "journal").exists()


def test_a_task_ends_when_its_time_is_over(fragile, tmp_path):
    endless = fragile.submit_with(TaskOptions(timeout_s=0.05), pool_tasks.run_for_ever, tmp_path / "begun")
    with pytest.raises(TaskTimedOut, match=r"not done after 0\.05 s"):
        endless.result(DEADLINE_S)
    assert fragile.submit_with(TaskOptions(timeout_s=DEADLINE_S), pool_tasks.double, 1).result(DEADLINE_S) == 2


def test_time_is_for_each_piece_of_a_task(fragile, tmp_path):
    fragile.submit(pool_tasks.nothing).result(DEADLINE_S)  # a new process imports, which is no piece
    in_pieces = TaskOptions(timeout_s=4.0)
    assert fragile.submit_with(in_pieces, pool_tasks.do_pieces, 4.2).result(DEADLINE_S) > 1
    endless = fragile.submit_with(in_pieces, pool_tasks.do_pieces_and_run_for_ever, tmp_path / "begun")
    with pytest.raises(TaskTimedOut, match="not done after 4 s"):
        endless.result(DEADLINE_S)
    assert (tmp_path / "begun").exists()


def test_pieces_outside_of_a_pool_are_nothing():
    begin_piece()


# Memory.


def test_a_worker_with_too_much_memory_is_replaced_after_its_task():
    with ProcessPool(1, most_rss_bytes=100_000_000) as pool:
        large = pool.submit(pool_tasks.take_memory, 200_000_000)
        small = pool.submit(pool_tasks.pid)
        first = large.exception(DEADLINE_S) or large.result()
        assert isinstance(first, WorkerDied) or small.result(DEADLINE_S) != first
        assert small.result(DEADLINE_S) == pool.submit(pool_tasks.pid).result(DEADLINE_S)


def test_a_task_with_too_much_memory_ends(tmp_path):
    with ProcessPool(1, most_rss_bytes=100_000_000) as pool:
        with pytest.raises(WorkerDied, match="memory"):
            pool.submit(pool_tasks.take_memory_for_ever, tmp_path / "begun").result(DEADLINE_S)
        assert pool.submit(pool_tasks.double, 1).result(DEADLINE_S) == 2
