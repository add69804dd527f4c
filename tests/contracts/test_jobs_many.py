"""Many jobs: which is begun first, which are found, what is kept of them and for how long, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from dbos import DBOSClient
from sqlalchemy import event, text

from tests.jobs import Adder, Sums, a_request, at_the_tables, at_work, begun, the_end, until
from voltbench.adapters.jobs_dbos import open_jobs
from voltbench.adapters.jobs_dbos.client import DbosJobs, client_on
from voltbench.adapters.jobs_dbos.custody import MOST_CRASHES, Custody
from voltbench.adapters.jobs_dbos.database import engine_at
from voltbench.adapters.jobs_dbos.leases import Leases
from voltbench.adapters.jobs_dbos.opening import VERSION
from voltbench.adapters.jobs_dbos.rows import CRASHES
from voltbench.errors import InvalidInput
from voltbench.jobs import JobId, JobStatus, Run

# --- many ------------------------------------------------------------------------------------------------------------


async def test_what_is_more_urgent_begins_sooner(url: str):
    adder = Adder()
    async with open_jobs(url, {}, is_worker=False) as jobs:
        asked = [await jobs.submit("sum", a_request(numbers=(1,)), priority=priority) for priority in (-5, 0, 0, 7)]
    async with at_work(url, adder, concurrency=1) as jobs:
        for job in asked:
            await the_end(jobs, job)
    low, *middle, high = [job.id for job in asked]
    first, *between, last = [begun.split()[0] for begun in adder.begun]
    assert (first, set(between), last) == (high, set(middle), low)
    assert [job.priority for job in asked] == [-5, 0, 0, 7]


async def test_jobs_are_listed_newest_first_a_page_at_a_time(url: str):
    async with open_jobs(url, {}, is_worker=False) as jobs:
        asked = [await jobs.submit("sum", a_request(numbers=(number,))) for number in range(7)]
        listed = await jobs.jobs()
        pages = [await jobs.jobs(limit=3)]
        while pages[-1]:
            pages.append(await jobs.jobs(limit=3, before=pages[-1][-1].submitted_at))
    paged = [job for page in pages for job in page]
    assert all(len(page) <= 3 or page[2].submitted_at == page[-1].submitted_at for page in pages)
    assert {job.id for job in listed} == {job.id for job in asked}
    assert listed == sorted(listed, key=lambda job: (-job.submitted_at, job.id))
    assert paged == listed


async def test_jobs_are_listed_by_kind_and_by_status(url: str):
    works = {"sum": Adder(), "other": Adder(), "slow": Adder()}  # one stopped lets none of another go on
    async with open_jobs(url, works, poll_s=0.02) as jobs:
        done = await the_end(jobs, await jobs.submit("sum", a_request()))
        failed = await the_end(jobs, await jobs.submit("sum", a_request(fail_at=0)))
        late = await the_end(jobs, await jobs.submit("slow", a_request(wait_at=0), timeout_s=0.1))
        other = await the_end(jobs, await jobs.submit("other", a_request()))
        running = await jobs.submit("sum", a_request(wait_at=0))
        await begun(jobs, running)
        assert [job.id for job in await jobs.jobs(status=JobStatus.RUNNING)] == [running.id]
        cancelled = await jobs.cancel(running.id)
        assert await jobs.jobs(kind="other") == [other]
        assert await jobs.jobs(kind="sum", status=JobStatus.SUCCEEDED) == [done]
        assert await jobs.jobs(status=JobStatus.FAILED) == [failed]
        assert await jobs.jobs(status=JobStatus.TIMED_OUT, limit=1) == [late]
        assert [job.id for job in await jobs.jobs(status=JobStatus.CANCELLED, limit=1)] == [cancelled.id]
        assert await jobs.jobs(status=JobStatus.QUEUED) == []
        with pytest.raises(InvalidInput):
            await jobs.jobs(limit=0)


# --- what was noted, counted and kept --------------------------------------------------------------------------------


async def test_parts_that_are_cut_otherwise_after_a_restart_skip_nothing_and_do_nothing_twice(url: str):
    class Cut(Adder):
        size = 2

        def parts(self, request: bytes) -> Sequence[range]:
            count = len(msgspec.json.decode(request, type=Sums).numbers)
            return [range(start, min(start + self.size, count)) for start in range(0, count, self.size)]

        def do(self, job_id: JobId, request: bytes, part: range, run: Run) -> None:
            super().do(job_id, request, part, run)
            done.extend(part)

    done: list[int] = []
    adder = Cut()
    async with at_work(url, adder) as jobs:
        job = await jobs.submit("sum", a_request(numbers=tuple(range(10)), wait_at=4), total=10)
        await until(jobs, job, lambda now: now.done > 4)
    assert done == [0, 1, 2, 3]
    adder.size = 3
    async with at_work(url, adder) as jobs:
        assert (await the_end(jobs, job)).status is JobStatus.SUCCEEDED
    assert done == list(range(10))


async def test_what_ended_before_an_instant_is_forgotten_some_at_a_time_and_what_goes_on_is_not(url: str):
    async with at_work(url, Adder()) as jobs:
        ended = [await the_end(jobs, await jobs.submit("sum", a_request(), idempotency_key=key)) for key in "abc"]
        failed = await the_end(jobs, await jobs.submit("sum", a_request(fail_at=0)))
        assert ended[0].ended_at is not None
        assert await jobs.forget(ended[0].ended_at) == 0
    async with open_jobs(url, {}, is_worker=False) as jobs:
        queued = await jobs.submit("sum", a_request())
        far = queued.submitted_at + 1_000_000
        assert [await jobs.forget(far, limit=3) for _ in range(3)] == [3, 1, 0]
        assert await jobs.jobs() == [queued]
        assert await jobs.those([queued.id, failed.id, ended[0].id]) == [queued]
        again = await jobs.submit("sum", a_request(), idempotency_key="a")
        assert (again.id, again.status) == (ended[0].id, JobStatus.QUEUED)
    rows = await asyncio.to_thread(_rows_beside, url)
    assert rows == {"workflow_input": 2, "workflow_output": 0, "operation_outputs": 0}


def _rows_beside(url: str) -> dict[str, int]:
    names = ("workflow_input", "workflow_output", "operation_outputs")
    with at_the_tables(url) as (connection, schema):
        return {name: connection.scalar(text(f"SELECT count(*) FROM {schema}{name}")) or 0 for name in names}


def counted(client: DBOSClient) -> int:
    (row,) = client.list_workflows()
    return int((row.attributes or {})[CRASHES])


@pytest.mark.parametrize("crashes", [0, MOST_CRASHES])
async def test_a_crash_that_many_see_is_counted_once_and_costs_nobody_who_took_the_job_up(url: str, crashes: int):
    async with open_jobs(url, {}, is_worker=False) as jobs:
        job = await jobs.submit("sum", a_request())
        engine = engine_at(url, concurrency=1)
        taken = f"UPDATE {'voltbench_jobs.' if engine.dialect.name == 'postgresql' else ''}workflow_status SET "
        taken += "status = 'PENDING', executor_id = :who, owner_xid = :who, started_at_epoch_ms = 1"

        def run_by(who: str) -> None:
            with engine.begin() as connection:
                connection.execute(text(taken), {"who": who})

        client = client_on(engine)
        client.update_workflow_attributes(job.id, {CRASHES: crashes}, merge=True)
        seers = [Custody(Leases(engine, 1.0), client, name, VERSION, 1.0) for name in ("one", "two", "three")]
        run_by("dead")
        seen = [seer.running() for seer in seers]
        for seer, rows in zip(seers[:2], seen[:2], strict=True):
            seer.adopt(rows, {"dead"})
        assert counted(client) == crashes + 1
        assert (await jobs.job(job.id)).status is (JobStatus.FAILED if crashes else JobStatus.QUEUED)
        run_by("alive")
        seers[2].adopt(seen[2], {"dead"})
        assert counted(client) == crashes + 1
        assert (await jobs.job(job.id)).status is JobStatus.RUNNING
        engine.dispose()


async def test_however_many_were_cancelled_those_out_of_time_are_one_question(url: str):
    async with open_jobs(url, {}, is_worker=False) as jobs:
        for _ in range(5):
            await jobs.cancel((await jobs.submit("sum", a_request())).id)
        asked: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            asked.append(statement)

        assert isinstance(jobs, DbosJobs)
        event.listen(jobs._engine, "before_cursor_execute", note)  # which ends with this story
        assert await jobs.jobs(status=JobStatus.TIMED_OUT, limit=1) == []
        assert len([statement for statement in asked if "workflow_status" in statement]) == 1
