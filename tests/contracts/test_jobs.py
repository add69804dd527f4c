"""What jobs promise, on each database."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import event

from tests.jobs import (
    AN_HOUR_S,
    PATIENCE_S,
    Adder,
    a_request,
    at_work,
    begun,
    deadline_of,
    let_its_time_be_over,
    the_end,
    until,
)
from voltbench.adapters.jobs_dbos import open_jobs
from voltbench.adapters.jobs_dbos.client import DbosJobs
from voltbench.clock import wall_instant
from voltbench.errors import Conflict, InvalidInput, NotFound
from voltbench.jobs import JobError, JobId, JobStatus, Run
from voltbench.quantities import MS_PER_SECOND

# --- from the request to the result ----------------------------------------------------------------------------------


async def test_a_job_is_queued_and_done_part_by_part(url: str):
    adder = Adder()
    async with at_work(url, adder) as jobs:
        job = await jobs.submit("sum", a_request(numbers=(1, 2, 3, 4, 5)), total=5)
        ended = await the_end(jobs, job)
    assert (job.kind, job.total, job.priority) == ("sum", 5, 0)
    assert (ended.status, ended.done, ended.progress, ended.attempts) == (JobStatus.SUCCEEDED, 5, 1.0, 1)
    assert ended.error is None
    assert ended.started_at is not None
    assert ended.ended_at is not None
    assert job.submitted_at <= ended.started_at <= ended.ended_at
    assert adder.sum_of(job) == 15
    assert adder.begun == [f"{job.id} {start}" for start in (0, 2, 4)]


async def test_progress_is_seen_while_a_part_is_being_done(url: str):
    adder = Adder()
    async with at_work(url, adder) as jobs:
        job = await jobs.submit("sum", a_request(numbers=(1, 2, 3, 4), wait_at=2), total=4)
        half = await until(jobs, job, lambda now: now.done == 3.0)
        adder.go_on.set()
        await the_end(jobs, job)
    assert (half.status, half.progress) == (JobStatus.RUNNING, 0.75)


async def test_times_are_told_to_the_millisecond(url: str):
    adder = Adder()
    async with at_work(url, adder) as jobs:
        job = await jobs.submit("sum", a_request(wait_at=0))
        asked_at = wall_instant()
        running = await begun(jobs, job)
        begun_at = wall_instant()
        adder.go_on.set()
        ended = await the_end(jobs, job)
    assert running.started_at is not None
    assert ended.ended_at is not None
    assert job.submitted_at <= running.started_at <= begun_at <= ended.ended_at <= wall_instant()
    assert job.submitted_at <= asked_at


async def test_a_running_job_that_is_cancelled_still_says_when_it_began(url: str):
    async with at_work(url, Adder()) as jobs:
        running = await begun(jobs, await jobs.submit("sum", a_request(wait_at=0)))
        cancelled = await jobs.cancel(running.id)
    assert running.started_at is not None
    assert cancelled.started_at == running.started_at


async def test_whoever_follows_a_job_that_has_ended_is_told_so_once(url: str):
    async with at_work(url, Adder()) as jobs:
        job = await jobs.submit("sum", a_request())
        ended = await the_end(jobs, job)
        assert [now async for now in jobs.follow(job.id)] == [ended]


async def test_the_request_is_kept_as_it_was(url: str):
    adder = Adder()
    async with open_jobs(url, {}, is_worker=False) as jobs:
        job = await jobs.submit("sum", b"\x00\xff no text")
        assert await jobs.request(job.id) == b"\x00\xff no text"
    assert adder.begun == []


async def test_a_job_that_nobody_asked_for_is_not_found(url: str):
    async with open_jobs(url, {}, is_worker=False) as jobs:
        for ask in (jobs.job, jobs.request, jobs.cancel, jobs.retry):
            with pytest.raises(NotFound):
                await ask(JobId("nobody-asked"))
        with pytest.raises(NotFound):
            await anext(jobs.follow(JobId("nobody-asked")))


@pytest.mark.parametrize(
    "asked", [{"kind": "product"}, {"priority": 1_000}, {"priority": -1_000}, {"total": 0}, {"timeout_s": 0}]
)
async def test_what_cannot_be_done_is_refused(url: str, asked: dict[str, int]):
    async with at_work(url, Adder()) as jobs:
        with pytest.raises(InvalidInput):
            await jobs.submit(**{"kind": "sum", "request": a_request(), **asked})  # type: ignore[arg-type]
        assert await jobs.jobs() == []


# --- the same request again ------------------------------------------------------------------------------------------


async def test_the_same_key_with_the_same_request_is_the_same_job_even_when_it_has_ended(url: str):
    adder = Adder()
    async with at_work(url, adder) as jobs:
        job = await jobs.submit("sum", a_request(), idempotency_key="from the form")
        ended = await the_end(jobs, job)
        assert await jobs.submit("sum", a_request(), idempotency_key="from the form") == ended
        assert (await jobs.submit("sum", a_request(), idempotency_key="another")).id != job.id


async def test_the_same_key_with_another_request_is_a_conflict(url: str):
    async with open_jobs(url, {}, is_worker=False) as jobs:
        await jobs.submit("sum", a_request(), idempotency_key="from the form")
        with pytest.raises(Conflict):
            await jobs.submit("sum", a_request(numbers=(7,)), idempotency_key="from the form")


async def test_a_key_sent_many_times_at_once_is_one_job(url: str):
    async with open_jobs(url, {}, is_worker=False) as jobs:
        sent = [jobs.submit("sum", a_request(), idempotency_key="impatient") for _ in range(10)]
        assert len({job.id for job in await asyncio.gather(*sent)}) == 1
        assert len(await jobs.jobs()) == 1


# --- ends that are none ----------------------------------------------------------------------------------------------


async def test_a_queued_job_is_cancelled_and_never_begins(url: str):
    adder = Adder()
    async with open_jobs(url, {}, is_worker=False) as jobs:
        job = await jobs.submit("sum", a_request())
        cancelled = await jobs.cancel(job.id)
        assert await jobs.cancel(job.id) == cancelled
    async with at_work(url, adder) as jobs:
        await the_end(jobs, await jobs.submit("sum", a_request()))
        assert await jobs.job(job.id) == cancelled
    assert cancelled.status is JobStatus.CANCELLED
    assert cancelled.ended_at is not None
    assert f"{job.id} 0" not in adder.begun


async def test_a_running_job_is_cancelled_and_its_work_is_told(url: str):
    adder = Adder()
    async with at_work(url, adder) as jobs:
        job = await jobs.submit("sum", a_request(numbers=(1, 2, 3, 4), wait_at=2), total=4)
        await until(jobs, job, lambda now: now.done > 2)  # in the second part, which is the one to be told
        cancelled = await jobs.cancel(job.id)
        assert await asyncio.to_thread(adder.stopped.wait, PATIENCE_S)
    assert cancelled.status is JobStatus.CANCELLED
    assert cancelled.done >= 2
    assert (job.id, 2) not in adder.sums


async def test_a_job_that_has_ended_cannot_be_cancelled(url: str):
    async with at_work(url, Adder()) as jobs:
        for request in (a_request(), a_request(fail_at=0)):
            job = await the_end(jobs, await jobs.submit("sum", request))
            with pytest.raises(Conflict):
                await jobs.cancel(job.id)
            assert await jobs.job(job.id) == job


async def test_a_job_runs_out_of_time_and_its_work_is_told(url: str):
    adder = Adder()
    async with at_work(url, adder) as jobs:
        job = await jobs.submit("sum", a_request(wait_at=0), timeout_s=AN_HOUR_S)
        running = await begun(jobs, job)
        assert running.started_at is not None
        due = running.started_at + AN_HOUR_S * MS_PER_SECOND
        assert deadline_of(url, job) == pytest.approx(due, abs=PATIENCE_S * MS_PER_SECOND)
        let_its_time_be_over(url, job)
        ended = await the_end(jobs, job)
        assert await asyncio.to_thread(adder.stopped.wait, PATIENCE_S)
        with pytest.raises(Conflict):
            await jobs.cancel(job.id)
    assert ended.status is JobStatus.TIMED_OUT
    assert ended.started_at is not None
    assert adder.sums == {}


async def test_a_job_fails_for_a_reason(url: str):
    adder = Adder()
    async with at_work(url, adder) as jobs:
        ended = await the_end(jobs, await jobs.submit("sum", a_request(numbers=(1, 2, 3), fail_at=2), total=3))
        misread = await the_end(jobs, await jobs.submit("sum", b"no sums"))
    assert ended.status is JobStatus.FAILED
    assert ended.error == JobError(kind="unlucky", message="number 2 cannot be summed up")
    assert (ended.done, adder.sum_of(ended)) == (2, 3)
    assert misread.error is not None
    assert misread.error.kind == "internal"
    assert "DecodeError" in misread.error.message


async def test_whose_input_was_wrong_is_told_the_field(url: str):
    class Strict(Adder):
        def do(self, job_id: JobId, request: bytes, part: range, run: Run) -> None:
            raise InvalidInput("numbers", "are too large", found=3, allowed="2")

    async with at_work(url, Strict()) as jobs:
        ended = await the_end(jobs, await jobs.submit("sum", a_request()))
    error = JobError(kind="invalid_input", message="numbers: are too large, found 3, allowed: 2", field="numbers")
    assert ended.error == error


# --- again -----------------------------------------------------------------------------------------------------------


async def test_a_failed_job_is_tried_again_from_where_it_failed(url: str):
    adder = Adder()
    async with at_work(url, adder) as jobs:
        job = await the_end(jobs, await jobs.submit("sum", a_request(numbers=(1, 2, 3), fail_at=2), total=3))
        adder.is_mended = True
        ended = await the_end(jobs, await jobs.retry(job.id))
    assert (ended.status, ended.done) == (JobStatus.SUCCEEDED, 3)
    assert adder.begun == [f"{job.id} {start}" for start in (0, 2, 2)]
    assert adder.sum_of(job) == 6


async def test_what_is_tried_again_is_queued_and_no_longer_failed(url: str):
    adder = Adder()
    async with at_work(url, adder) as jobs:
        failed = await the_end(jobs, await jobs.submit("sum", a_request(fail_at=0)))
    async with open_jobs(url, {}, is_worker=False) as jobs:
        queued = await jobs.retry(failed.id)
    assert (failed.status, queued.status) == (JobStatus.FAILED, JobStatus.QUEUED)
    assert (queued.error, queued.started_at, queued.ended_at) == (None, None, None)


async def test_a_cancelled_job_and_one_that_ran_out_of_time_are_tried_again(url: str):
    adder = Adder()
    async with at_work(url, adder) as jobs:
        late = await jobs.submit("sum", a_request(wait_at=0), timeout_s=AN_HOUR_S)
        await begun(jobs, late)
        let_its_time_be_over(url, late)
        assert (await the_end(jobs, late)).status is JobStatus.TIMED_OUT
        assert await asyncio.to_thread(adder.stopped.wait, PATIENCE_S)
        assert (await the_end(jobs, await jobs.retry(late.id))).status is JobStatus.SUCCEEDED
        adder.go_on.clear()
        job = await jobs.submit("sum", a_request(wait_at=0))
        await begun(jobs, job)
        await jobs.cancel(job.id)
        assert (await the_end(jobs, await jobs.retry(job.id))).status is JobStatus.SUCCEEDED
    assert adder.sum_of(job) == 6


async def test_a_cancelled_job_stays_so_when_trying_it_again_breaks_off_in_the_middle(url: str):
    class BrokenOff(Exception):
        pass

    def break_off(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("DELETE"):  # of what is known of its last run
            raise BrokenOff

    async with open_jobs(url, {}, is_worker=False) as jobs:
        cancelled = await jobs.cancel((await jobs.submit("sum", a_request())).id)
        assert isinstance(jobs, DbosJobs)
        event.listen(jobs._engine, "before_cursor_execute", break_off)
        with pytest.raises(BrokenOff):
            await jobs.retry(cancelled.id)
        event.remove(jobs._engine, "before_cursor_execute", break_off)
        assert await jobs.jobs(status=JobStatus.CANCELLED) == [cancelled]
        assert (await jobs.retry(cancelled.id)).status is JobStatus.QUEUED
        assert (await jobs.cancel(cancelled.id)).status is JobStatus.CANCELLED


async def test_only_a_job_that_ended_otherwise_than_well_is_tried_again(url: str):
    adder = Adder()
    async with at_work(url, adder) as jobs:
        running = await jobs.submit("sum", a_request(wait_at=0))
        with pytest.raises(Conflict):
            await jobs.retry(running.id)
        adder.go_on.set()
        await the_end(jobs, running)
        with pytest.raises(Conflict):
            await jobs.retry(running.id)
