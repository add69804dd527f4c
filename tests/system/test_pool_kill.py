"""Processes of a pool are killed, at random and on purpose: every result comes once and is right, and none is left."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen

import psutil
import pytest

from tests import pool_tasks
from tests.waiting import eventually
from voltbench.adapters.pool import ProcessPool, TaskFuture, TaskTimedOut, WorkerDied
from voltbench.adapters.pool import TaskOptions as Options

TASKS = 500
KILLS = 12
PATIENCE_S = 60.0


def test_killed_workers_lose_no_result_and_double_none():
    chance = random.Random(5)
    settled: list[int] = []
    with ProcessPool(2, attempts=KILLS + 1) as pool:
        futures = [pool.submit(pool_tasks.work_a_little, number) for number in range(TASKS)]
        for number, future in enumerate(futures):
            future.add_done_callback(lambda _, number=number: settled.append(number))  # type: ignore[misc]
        for kill in range(1, KILLS + 1):
            kill_one_of(pool, chance)
            eventually(lambda kill=kill: pool.stats().respawns >= kill or None)  # type: ignore[misc]
        assert [future.result(PATIENCE_S) for future in futures] == [2 * number for number in range(TASKS)]
        assert pool.stats().done == TASKS
    assert sorted(settled) == list(range(TASKS))


def kill_one_of(pool: ProcessPool, chance: random.Random) -> None:
    """Kill a worker that has started, whatever it does."""

    def started() -> list[int] | None:
        return [worker.pid for worker in pool.stats().workers if worker.state in ("idle", "busy")] or None

    os.kill(chance.choice(eventually(started)), signal.SIGKILL)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_befalls_tasks_each_ends_as_it_must(seed, tmp_path):
    chance = random.Random(seed)
    begun = tmp_path / "begun"
    kinds = {
        "double": lambda pool, n: pool.submit(pool_tasks.double, n),
        "crash": lambda pool, n: pool.submit(pool_tasks.exit_at_once, 9),
        "crash at first": lambda pool, n: pool.submit(pool_tasks.be_killed_at_first, tmp_path / f"{n}"),
        "refuse": lambda pool, n: pool.submit(pool_tasks.refuse, n),
        "stopped": lambda pool, n: pool.submit(pool_tasks.run_for_ever, begun),
        "late": lambda pool, n: pool.submit_with(Options(timeout_s=0.05), pool_tasks.run_for_ever, begun),
    }
    weights = [30, 1, 1, 5, 1, 1]
    told = chance.choices(list(kinds), weights, k=150)
    with ProcessPool(2) as pool:
        futures = [kinds[kind](pool, number) for number, kind in enumerate(told)]
        stopping = [future for kind, future in zip(told, futures, strict=True) if kind == "stopped"]
        stopper = threading.Thread(target=stop_each, args=(pool, stopping))
        stopper.start()
        ends = [end_of(future) for future in futures]
        stopper.join()
    expected = {
        "crash": WorkerDied,
        "crash at first": "done",
        "refuse": ValueError,
        "stopped": CancelledError,
        "late": TaskTimedOut,
    }
    assert ends == [2 * number if kind == "double" else expected[kind] for number, kind in enumerate(told)]


def stop_each(pool: ProcessPool, futures: list[TaskFuture[object]]) -> None:
    """Stop every other one while it waits, and the others while they run."""
    for number, future in enumerate(futures):
        if number % 2:
            eventually(lambda future=future: future.running() or None)  # type: ignore[misc]
        pool.stop(future)


def end_of(future: TaskFuture[object]) -> object:
    """Its result, or the type of its error."""
    try:
        return future.result(PATIENCE_S)
    except (Exception, CancelledError) as error:
        return type(error)


@contextmanager
def an_owner(ending: str, directory: Path) -> Iterator[tuple[Popen[str], list[int]]]:
    """A program with a pool of two busy workers, in a group of its own like at a terminal; and their ids."""
    command = [sys.executable, "-m", "tests.system.pool_owner", ending, str(directory)]
    with Popen(command, stdout=PIPE, stderr=PIPE, text=True, process_group=0) as owner:
        assert owner.stdout is not None
        try:
            yield owner, [int(pid) for pid in owner.stdout.readline().split()]
        finally:
            with suppress(ProcessLookupError):
                owner.kill()


def is_gone(pid: int) -> bool | None:
    """Whether a process has ended, though nobody may have asked how."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE or None
    except psutil.NoSuchProcess:
        return True


def test_no_worker_outlives_a_parent_that_is_killed(tmp_path):
    with an_owner("stay", tmp_path) as (owner, workers):
        assert len(workers) == 2
        owner.kill()
        for pid in workers:
            eventually(lambda pid=pid: is_gone(pid))  # type: ignore[misc]


def test_an_interpreter_exits_though_its_pool_is_busy(tmp_path):
    with an_owner("leave", tmp_path) as (owner, workers):
        said, complained = owner.communicate(timeout=PATIENCE_S)
        assert (owner.returncode, said, complained) == (0, "", "")
        assert all(is_gone(pid) for pid in workers)


def test_ctrl_c_ends_the_program_and_its_workers_say_nothing(tmp_path):
    with an_owner("stay", tmp_path) as (owner, workers):
        os.killpg(owner.pid, signal.SIGINT)
        _, complained = owner.communicate(timeout=PATIENCE_S)
        assert complained.count("Traceback") == 1
        assert complained.rstrip().endswith("KeyboardInterrupt")
        assert all(is_gone(pid) for pid in workers)
