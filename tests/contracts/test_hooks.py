"""Hooks are told of their jobs' ends at least once, later and later where that fails, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from tests.builders import a_job
from tests.waiting import DEADLINE_S
from voltbench.adapters.cell_hooks import FARTHEST_MS, CellHooks, Hook
from voltbench.adapters.cell_results import CellResults
from voltbench.apps.cells.hooks import MOST_AT_ONCE, MOST_LOOKED_AT, RETRY_S, TAKEN_S, Hooks
from voltbench.apps.cells.meanwhile import meanwhile
from voltbench.apps.cells.told import SimulationTold
from voltbench.errors import InvalidInput, NotFound, Unavailable
from voltbench.jobs import Job, JobId, JobStatus
from voltbench.quantities import Instant

Found = TypeVar("Found")


@dataclass
class Form:
    """Tells nobody, in as many ways as there are troubles; then all is well."""

    troubles: list[Exception] = field(default_factory=list)
    told: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    holds: asyncio.Event | None = None

    async def tell(self, hook: Hook, job: SimulationTold, now: int) -> None:
        self.told.put_nowait(hook.id)
        if self.holds is not None:
            await self.holds.wait()
        if self.troubles:
            raise self.troubles.pop(0)


class Clock:
    now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms

    def later(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1_000)


TROUBLE = "a fault of voltbench: ZeroDivisionError()"


class Ends:
    """Jobs that end when told to. One is unknown, and of one nobody can say how it stands."""

    def __init__(self, *ended: str) -> None:
        self.ended = set(ended)
        self.asked: list[Collection[JobId]] = []

    async def those(self, ids: Collection[JobId]) -> list[Job]:
        self.asked.append(ids)
        if "broken" in ids:
            raise ZeroDivisionError
        standing = {True: JobStatus.SUCCEEDED, False: JobStatus.RUNNING}
        return [a_job(id, standing[id in self.ended]) for id in ids if id != "unknown"]

    def end(self, id: str) -> None:
        self.ended.add(id)


@pytest.fixture
async def store(url: str) -> AsyncIterator[CellHooks]:
    results = await CellResults.open(url)
    yield CellHooks(results.database)
    await results.close()


@asynccontextmanager
async def telling(hooks: Hooks) -> AsyncIterator[None]:
    task = asyncio.create_task(hooks.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def soon(news: asyncio.Queue[Found]) -> Found:
    """The next of them; a story whose news never come fails."""
    async with asyncio.timeout(30):
        return await news.get()


async def until_it_stands(store: CellHooks, id: str, attempts: int, problem: str | None = None) -> Hook:
    """The hook once it was tried so often, and what came of that was noted."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            hook = await store.hook(id)
            assert hook is not None
            if hook.attempts >= attempts and (
                hook.ended_at is not None if problem is None else hook.problem == problem
            ):
                return hook


async def until_it_is_put_off(store: CellHooks, id: str, until: Instant) -> None:
    """Return once it is due at an instant: whoever is at it still, has put it off by other times."""
    async with asyncio.timeout(DEADLINE_S):
        while (hook := await store.hook(id)) is None or hook.due_at != until:
            pass


async def test_a_hook_waits_for_its_job_and_is_told_once(store: CellHooks):
    form, jobs = Form(), Ends()
    hooks = Hooks(jobs.those, store, {"webhook": form}, Clock())
    async with telling(hooks):
        first, again = [await hooks.ask("job", "webhook", "https://a") for _ in range(2)]
        other = await hooks.ask("job", "webhook", "https://b")
        assert form.told.empty()
        jobs.end("job")
        assert {await soon(form.told), await soon(form.told)} == {first, other}
        assert first == again
        await until_it_stands(store, first, 1)
    assert form.told.empty()


async def test_it_is_tried_again_later_and_later_and_then_given_up(store: CellHooks):
    clock, jobs = Clock(), Ends()
    form = Form([Unavailable(f"trouble {i}") for i in range(20)])
    hooks = Hooks(jobs.those, store, {"webhook": form}, clock)
    jobs.end("job")
    async with telling(hooks):
        id = await hooks.ask("job", "webhook", "https://a")
        for number, pause_s in enumerate(RETRY_S):
            await soon(form.told)
            await until_it_stands(store, id, number + 1, f"trouble {number}")
            clock.later(pause_s - 1)
            assert await store.due(clock(), 10) == []
            clock.later(1)
            hooks.look()
        await soon(form.told)
        hook = await until_it_stands(store, id, len(RETRY_S) + 1)
    assert (hook.problem, hook.ended_at) == (f"trouble {len(RETRY_S)}", clock())


@pytest.mark.parametrize("trouble", [InvalidInput("notify", "is not allowed any more"), NotFound("webhook", "gone")])
async def test_what_will_never_do_is_given_up_at_once(store: CellHooks, trouble: Exception):
    jobs = Ends()
    jobs.end("job")
    hooks = Hooks(jobs.those, store, {"webhook": Form([trouble])}, Clock())
    async with telling(hooks):
        hook = await until_it_stands(store, await hooks.ask("job", "webhook", "https://a"), 1)
        assert hook.problem == str(trouble)
        lost = await until_it_stands(store, await hooks.ask("unknown", "webhook", "https://a"), 0)
        assert lost.problem == "there is no job 'unknown'"


async def test_a_bug_in_one_form_leaves_the_others_alone(store: CellHooks):
    jobs, good = Ends(), Form()
    jobs.end("job")
    hooks = Hooks(jobs.those, store, {"seed": Form([ZeroDivisionError()]), "webhook": good}, Clock())
    async with telling(hooks):
        await hooks.ask("job", "seed", "https://a")
        id = await hooks.ask("job", "webhook", "https://b")
        assert await soon(good.told) == id


async def test_a_bug_is_met_again_no_more_often_than_any_other_trouble(store: CellHooks):
    clock, jobs = Clock(), Ends()
    jobs.end("job")
    hooks = Hooks(jobs.those, store, {"webhook": Form([ZeroDivisionError(i) for i in range(20)])}, clock)
    async with telling(hooks):
        id = await hooks.ask("job", "webhook", "https://a")
        for number, pause_s in enumerate(RETRY_S):
            await until_it_stands(store, id, number + 1, f"a fault of voltbench: ZeroDivisionError({number})")
            assert await store.due(clock() + pause_s * 1_000 - 1, 10) == []
            clock.later(pause_s)
            hooks.look()
        hook = await until_it_stands(store, id, len(RETRY_S) + 1)
    assert hook.ended_at == clock()


async def test_a_job_that_cannot_be_seen_is_given_up_in_the_end_and_holds_up_no_other(store: CellHooks):
    clock, form = Clock(), Form()
    hooks = Hooks(Ends("good").those, store, {"webhook": form}, clock)
    broken = await hooks.ask("broken", "webhook", "https://a")
    good = await hooks.ask("good", "webhook", "https://b")
    await hooks.ask("running", "webhook", "https://c")
    async with telling(hooks):
        assert await soon(form.told) == good
        for number, pause_s in enumerate(RETRY_S):
            await until_it_is_put_off(store, broken, clock() + pause_s * 1_000)
            assert (await until_it_stands(store, broken, number + 1, TROUBLE)).ended_at is None
            clock.later(pause_s)
            hooks.look()
        assert (await until_it_stands(store, broken, len(RETRY_S) + 1)).ended_at == clock()
    assert form.told.empty()


class Gated(CellHooks):
    """A store that answers what is due, and lets somebody take it, when it is let."""

    def __init__(self, store: CellHooks) -> None:
        super().__init__(store._database)
        self.read: asyncio.Queue[int] = asyncio.Queue()
        self.may_read, self.may_take = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def due(self, now: Instant, limit: int, after: Hook | None = None) -> list[Hook]:
        found = await super().due(now, limit, after)
        self.read.put_nowait(len(found))
        await self.may_read.acquire()
        return found

    async def take(self, id: str, now: Instant, until: Instant) -> bool:
        await self.may_take.acquire()
        return await super().take(id, now, until)


async def test_what_was_read_before_a_try_came_to_its_end_begins_no_other(store: CellHooks):
    jobs, gated = Ends("job"), Gated(store)
    hooks = Hooks(jobs.those, gated, {"webhook": Form([Unavailable("trouble")])}, Clock())
    id = await hooks.ask("job", "webhook", "https://a")
    async with telling(hooks):
        assert await soon(gated.read) == 1
        gated.may_read.release()
        hooks.look()
        assert await soon(gated.read) == 1  # it is still due, and somebody is at it
        gated.may_take.release()
        await until_it_stands(store, id, 1, "trouble")
        gated.may_read.release()
        assert await soon(gated.read) == 0
    assert sum("job" in ids for ids in jobs.asked) == 1


async def test_what_has_ended_is_told_though_many_wait_for_jobs_that_run(store: CellHooks):
    jobs, form, many = Ends("quick"), Form(), MOST_LOOKED_AT + 1
    hooks = Hooks(jobs.those, store, {"webhook": form}, Clock())
    for number in range(many):
        await store.note(Hook(f"{number:03}", f"job-{number}", "webhook", "https://a"), now=number)
    await store.note(Hook("last", "quick", "webhook", "https://a"), now=many)
    async with telling(hooks):
        assert await soon(form.told) == "last"
        jobs.end("job-7")
        assert await soon(form.told) == "007"
        jobs.end(f"job-{many - 1}")
        assert await soon(form.told) == f"{many - 1:03}"
    assert max(map(len, jobs.asked)) == MOST_LOOKED_AT


async def test_no_more_than_some_notices_are_on_their_way_and_each_is_told_once(store: CellHooks):
    go, clock, ids = asyncio.Event(), Clock(), [f"hook-{number}" for number in range(3 * MOST_AT_ONCE)]
    form = Form(holds=go)
    hooks = Hooks(Ends("job").those, store, {"webhook": form}, clock)
    for id in ids:
        await store.note(Hook(id, "job", "webhook", "https://a"), now=1)
    async with telling(hooks):
        first = [await soon(form.told) for _ in range(MOST_AT_ONCE)]
        hooks.look()
        assert len(await store.due(clock(), len(ids))) == 2 * MOST_AT_ONCE
        go.set()
        rest = [await soon(form.told) for _ in range(2 * MOST_AT_ONCE)]
        for id in ids:
            await until_it_stands(store, id, 1)
    assert sorted(first + rest) == sorted(ids)
    assert form.told.empty()


async def test_what_never_came_to_a_job_is_forgotten_as_well(store: CellHooks):
    await store.note(Hook("jobless", None, "webhook", "https://a"), now=1)
    await store.note(Hook("waiting", "job", "webhook", "https://a"), now=1)
    assert await store.forget(before=2) == 1
    assert await store.hook("waiting") is not None


async def test_what_goes_wrong_beside_everything_else_is_logged_and_goes_on(caplog: pytest.LogCaptureFixture):
    rounds: asyncio.Queue[int] = asyncio.Queue()
    troubles = [ZeroDivisionError("a bug"), Unavailable("the store is away")]

    async def work() -> None:
        rounds.put_nowait(len(troubles))
        if troubles:
            raise troubles.pop(0)

    async with asyncio.timeout(30), meanwhile("counting", work, pause_s=0.0):
        assert [await rounds.get() for _ in range(4)] == [2, 1, 0, 0]
    assert "counting: went wrong" in caplog.text
    assert "counting: waits: the store is away" in caplog.text


async def test_who_was_killed_while_telling_tells_again_and_nobody_else_meanwhile(store: CellHooks):
    clock, jobs = Clock(), Ends()
    jobs.end("job")
    killed, others = Form(holds=asyncio.Event()), Form()
    first = Hooks(jobs.those, store, {"webhook": killed}, clock)
    async with telling(first):
        id = await first.ask("job", "webhook", "https://a")
        assert await soon(killed.told) == id
        second = Hooks(jobs.those, store, {"webhook": others}, clock)
        assert await store.due(clock(), 10) == []
    async with telling(second):
        clock.later(TAKEN_S)
        second.look()
        assert await soon(others.told) == id
        hook = await until_it_stands(store, id, 2)
    assert hook.problem == ""
    assert await store.forget(clock() + 1) == 1


async def test_a_clock_that_is_set_back_keeps_nobody_waiting_for_what_was_never_tried(store: CellHooks):
    clock, jobs, form = Clock(), Ends("job"), Form()
    await store.note(Hook("a", "job", "webhook", "https://a"), clock())
    clock.later(-3_600)
    async with telling(Hooks(jobs.those, store, {"webhook": form}, clock)):
        assert await soon(form.told) == "a"
        assert (await until_it_stands(store, "a", 1)).ended_at == clock()


async def test_what_waits_until_later_than_it_was_ever_put_off_is_due(store: CellHooks):
    await store.note(Hook("a", "job", "webhook", "https://a"), 0)
    assert max(*RETRY_S, TAKEN_S) * 1_000 < FARTHEST_MS
    assert await store.take("a", 0, until=FARTHEST_MS)  # by a clock that was far ahead
    assert not await store.take("a", 0, until=TAKEN_S * 1_000)
    assert await store.due(-1, 10) != []
    assert await store.take("a", -1, until=TAKEN_S * 1_000)
    assert await store.due(-1, 10) == []


async def test_of_two_tellers_only_one_takes_a_hook(store: CellHooks):
    await store.note(Hook("a", "job", "webhook", "https://a"), now=1)
    taken = await asyncio.gather(*[store.take("a", 2, 100) for _ in range(8)])
    assert sorted(taken) == [False] * 7 + [True]
