"""What jobs are asked for under, how long they may take, and who loses them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from threading import Event
from typing import Any, NamedTuple

import pytest
from dbos import EnqueueOptions
from sqlalchemy import Engine, text

from tests.waiting import eventually, eventually_async
from voltbench.adapters.jobs_dbos import open_jobs
from voltbench.adapters.jobs_dbos.client import client_on
from voltbench.adapters.jobs_dbos.custody import MOST_CRASHES, Custody
from voltbench.adapters.jobs_dbos.database import engine_at, queue_of
from voltbench.adapters.jobs_dbos.leases import Leases
from voltbench.adapters.jobs_dbos.opening import VERSION
from voltbench.adapters.jobs_dbos.rows import CRASHES, WAITS_AT, text_of
from voltbench.errors import Failed
from voltbench.jobs import Job, JobId, Jobs, JobStatus, Run


class Told(NamedTuple):
    stamp: str
    within_s: float | None
    priority: int = 0


class Listener:
    """A work that notes what it was told of a job, and fails at first if it is to."""

    def __init__(self, fails: bool = False) -> None:
        self.told: list[Told] = []
        self._fails = fails

    def parts(self, request: bytes) -> Sequence[range]:
        return [range(1)]

    def do(self, job_id: JobId, request: bytes, part: range, run: Run) -> None:
        self.told.append(Told(run.stamp, run.within_s, run.priority))
        if self._fails and len(self.told) == 1:
            raise Failed("unlucky", "the first time")


@asynccontextmanager
async def at_work(url: str, work: Listener) -> AsyncIterator[Jobs]:
    async with open_jobs(url, {"listen": work}, poll_s=0.02) as jobs:
        yield jobs


async def the_end(jobs: Jobs, job: Job) -> Job:
    return [now async for now in jobs.follow(job.id)][-1]


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    connections = engine_at(url, concurrency=1)
    yield connections
    connections.dispose()


async def test_a_job_keeps_the_stamp_that_it_was_asked_for_under(url: str):
    work = Listener(fails=True)
    async with open_jobs(url, {}, is_worker=False) as jobs:
        job = await jobs.submit("listen", b"?", stamp="release 1")
    async with at_work(url, work) as jobs:
        failed = await the_end(jobs, job)
        ended = await the_end(jobs, await jobs.retry(job.id))
    assert (failed.status, ended.status, ended.stamp) == (JobStatus.FAILED, JobStatus.SUCCEEDED, "release 1")
    assert [told.stamp for told in work.told] == ["release 1", "release 1"]


async def test_a_key_is_the_same_job_also_under_another_stamp(url: str):
    async with open_jobs(url, {}, is_worker=False) as jobs:
        job = await jobs.submit("listen", b"?", stamp="release 1", idempotency_key="from the form")
        again = await jobs.submit("listen", b"?", stamp="release 2", idempotency_key="from the form")
    assert (again.id, again.stamp) == (job.id, "release 1")


async def test_a_job_from_before_there_were_stamps_is_done(url: str, engine: Engine):
    work = Listener()
    async with at_work(url, work) as jobs:
        options = EnqueueOptions(workflow_name="listen", queue_name=queue_of("listen"), app_version=VERSION)
        client_on(engine).enqueue(options | {"workflow_id": "old"}, text_of(b"?"))
        ended = await the_end(jobs, await jobs.job(JobId("old")))
    assert (ended.status, ended.stamp, work.told) == (JobStatus.SUCCEEDED, "", [Told("", None)])


async def test_a_work_is_told_how_long_it_may_take(url: str):
    work = Listener()
    async with at_work(url, work) as jobs:
        await the_end(jobs, await jobs.submit("listen", b"?", timeout_s=7_200.0))
    within_s = work.told[0].within_s
    assert within_s is not None
    assert 7_100.0 < within_s <= 7_200.0


async def test_a_work_is_told_how_urgent_its_job_is(url: str):
    work = Listener()
    async with at_work(url, work) as jobs:
        await the_end(jobs, await jobs.submit("listen", b"?", priority=-7))
    assert work.told == [Told("", None, -7)]


# --- whose process is lost --------------------------------------------------------------------------------------------


class Losses:
    """A job that others lose while they do it, and somebody who takes it over each time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.leases = Leases(engine, 60.0)
        self.leases.prepare()
        self._custody = Custody(self.leases, client_on(engine), "whoever sees it", VERSION, 60.0)

    def by(self, executor_id: str, *, while_it_waited: bool = False) -> None:
        is_there = self._engine.dialect.name == "postgresql"
        taken = f"UPDATE {'voltbench_jobs.' if is_there else ''}workflow_status SET "
        taken += "status = 'PENDING', executor_id = :who, owner_xid = :who, started_at_epoch_ms = 1"
        with self._engine.begin() as connection:
            connection.execute(text(taken), {"who": executor_id})
        if while_it_waited:
            for row in self._custody.running():
                client_on(self._engine).update_workflow_attributes(row.workflow_id, {WAITS_AT: executor_id}, merge=True)
        self._custody.adopt(self._custody.running(), {executor_id})


async def test_a_process_that_stalls_and_comes_back_condemns_no_job(url: str, engine: Engine):
    async with open_jobs(url, {}, is_worker=False) as jobs:
        job = await jobs.submit("listen", b"?")
        losses = Losses(engine)
        losses.leases.take("starved")
        for _ in range(3 * MOST_CRASHES):
            losses.by("starved")
        assert (await jobs.job(job.id)).status is JobStatus.QUEUED
        for number in range(MOST_CRASHES + 1):
            losses.by(f"dead-{number}")
        assert (await jobs.job(job.id)).status is JobStatus.FAILED


async def test_nobody_takes_itself_for_dead(url: str, engine: Engine):
    async with open_jobs(url, {}, is_worker=False):
        leases, before = Losses(engine).leases, Leases(engine, -1.0)
        before.take("stalled")
        assert leases.run_out("stalled") == set()
        assert leases.renew("stalled")
        before.take("stalled")
        assert leases.run_out("another") == {"stalled"}
        assert not leases.renew("stalled")


async def test_who_is_dead_since_a_clock_was_set_back_is_so_after_one_lease_more(url: str, engine: Engine):
    async with open_jobs(url, {}, is_worker=False):
        Losses(engine)
        brief = Leases(engine, 0.01)
        Leases(engine, 3_600.0).take("dead since the clock was set back by an hour")
        assert brief.run_out("another") == set()
        found = await asyncio.to_thread(eventually, lambda: brief.run_out("another") or None)
        assert found == {"dead since the clock was set back by an hour"}


async def test_who_lives_on_after_the_clock_was_set_back_loses_nothing(url: str, engine: Engine):
    async with open_jobs(url, {}, is_worker=False):
        ours = Losses(engine).leases
        Leases(engine, 3_600.0).take("not yet renewed")
        assert ours.run_out("another") == set()
        assert ours.renew("not yet renewed")


async def test_a_job_that_is_given_up_says_that_it_was_lost_and_not_more(url: str, engine: Engine):
    async with open_jobs(url, {}, is_worker=False) as jobs:
        job = await jobs.submit("listen", b"?")
        losses = Losses(engine)
        for number in range(MOST_CRASHES + 1):
            losses.by(f"lost-{number}")
        ended = await jobs.job(job.id)
    assert ended.error is not None
    assert ended.error.kind == "crashed"
    assert f"lost {MOST_CRASHES + 1} times" in ended.error.message
    assert "had died, or was not heard of for 60 s" in ended.error.message


async def test_a_job_that_only_waited_for_its_turn_is_not_given_up_and_one_that_had_begun_is(url: str, engine: Engine):
    async with open_jobs(url, {}, is_worker=False) as jobs:
        job = await jobs.submit("listen", b"?")
        losses = Losses(engine)
        for number in range(2 * MOST_CRASHES):
            losses.by(f"waiting-{number}", while_it_waited=True)
        assert (await jobs.job(job.id)).status is JobStatus.QUEUED
        for number in range(MOST_CRASHES + 1):
            losses.by(f"begun-{number}")
        assert (await jobs.job(job.id)).status is JobStatus.FAILED


class Stepwise(Listener):
    """A work that goes on when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.run: Run | None = None
        self.go_on = Event()

    def do(self, job_id: JobId, request: bytes, part: range, run: Run) -> None:
        self.run = run
        run.on_stop(self.go_on.set)
        run.wait_for_turn()
        assert self.go_on.wait(90.0)


async def test_it_is_noted_whether_a_job_waits_for_its_turn_and_that_it_gets_on(url: str, engine: Engine):
    work = Stepwise()
    async with open_jobs(url, {}, is_worker=False) as jobs:
        job = await jobs.submit("listen", b"?")
        losses = Losses(engine)
        for number in range(MOST_CRASHES):
            losses.by(f"dead-{number}")

    def noted() -> dict[str, Any]:
        (row,) = client_on(engine).list_workflows()
        return row.attributes or {}

    async def waits() -> bool | None:
        return bool(noted()[WAITS_AT]) or None

    async def has_begun() -> bool | None:
        return noted()[WAITS_AT] == "" or None

    async def has_got_on() -> bool | None:
        return noted()[CRASHES] == 0 or None

    assert noted()[CRASHES] == MOST_CRASHES
    async with at_work(url, work) as jobs:
        await eventually_async(waits)
        assert work.run is not None
        work.run.begin()
        await eventually_async(has_begun)
        assert noted()[CRASHES] == MOST_CRASHES
        work.run.get_on()
        await eventually_async(has_got_on)
        work.go_on.set()
        assert (await the_end(jobs, job)).status is JobStatus.SUCCEEDED
