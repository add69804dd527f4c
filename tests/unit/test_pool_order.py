"""Which task a pool of processes begins next, and who does it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import pool_tasks
from tests.waiting import DEADLINE_S, eventually
from voltbench.adapters.pool import (
    ProcessPool,
    TaskFuture,
    TaskOptions,
)
from voltbench.adapters.pool.task import Task
from voltbench.adapters.pool.waiting import OVERTAKING, WaitingTasks, Warmth


@pytest.fixture
def fragile() -> Iterator[ProcessPool]:
    """One worker, for who kills it."""
    with ProcessPool(1) as one:
        yield one


def first_argument(fn: object, args: tuple[object, ...], kwargs: object) -> object:
    return args[0]


def test_whoever_asks_is_told_when_a_worker_has_the_task_and_not_before(fragile, tmp_path):
    begun = threading.Event()
    first = fragile.submit(pool_tasks.wait_for, tmp_path / "enough")
    eventually(lambda: first.running() or None)
    second = fragile.submit_with(TaskOptions(on_begin=begun.set), pool_tasks.nothing)
    assert not begun.is_set()
    (tmp_path / "enough").touch()
    second.result(DEADLINE_S)
    assert begun.is_set()


def test_a_higher_priority_begins_first_and_equals_as_they_came(fragile, tmp_path):
    blocking = fragile.submit(pool_tasks.wait_for, tmp_path / "go")
    eventually(lambda: blocking.running() or None)
    for name, priority in (("a", 0), ("b", 0), ("low", -1), ("high", 5), ("c", 0)):
        fragile.submit_with(TaskOptions(priority=priority), pool_tasks.note, name, tmp_path / "journal")
    (tmp_path / "go").touch()
    fragile.shutdown()
    assert (tmp_path / "journal").read_text().split() == ["high", "a", "b", "c", "low"]


def test_tasks_go_to_the_worker_that_is_warm_for_them():
    with ProcessPool(2, affinity=first_argument) as pool:
        here, there = (pool.submit(pool_tasks.keyed_pid, key) for key in ("red", "blue"))
        homes = {"red": here.result(DEADLINE_S), "blue": there.result(DEADLINE_S)}
        for key in ("blue", "red", "red", "blue", "blue", "red"):
            assert pool.submit(pool_tasks.keyed_pid, key).result(DEADLINE_S) == homes[key]


def test_no_worker_is_idle_to_keep_a_task_for_another(tmp_path):
    with ProcessPool(2, affinity=first_argument) as pool:
        blocking = pool.submit(pool_tasks.wait_for, tmp_path / "go")
        eventually(lambda: blocking.running() or None)
        wants_the_same = pool.submit(pool_tasks.begin_and_wait_for, tmp_path / "go", tmp_path / "go")
        assert wants_the_same.result(DEADLINE_S) != blocking.result(DEADLINE_S)


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
