"""What jobs promise, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from threading import Event, Lock
from threading import enumerate as enumerate_threads

import msgspec
import psutil
import pytest
from dbos import DBOSClient
from sqlalchemy import Connection, event, text

from tests.waiting import eventually
from voltbench.adapters.jobs_dbos import open_jobs
from voltbench.adapters.jobs_dbos.client import DbosJobs, client_on
from voltbench.adapters.jobs_dbos.custody import MOST_CRASHES, Custody
from voltbench.adapters.jobs_dbos.database import SCHEMA, engine_at
from voltbench.adapters.jobs_dbos.leases import Leases
from voltbench.adapters.jobs_dbos.opening import VERSION
from voltbench.adapters.jobs_dbos.rows import CRASHES
from voltbench.clock import wall_instant
from voltbench.errors import Conflict, Failed, InvalidInput, LocalProtocolError, NotFound, Unavailable
from voltbench.jobs import Job, JobError, JobId, Jobs, JobStatus, Run
from voltbench.quantities import MS_PER_SECOND

PATIENCE_S = 60.0
AN_HOUR_S = 3600
"""A time that no job here takes, until it is said to be over."""


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """A request: numbers to be summed up, and where to fail or to wait."""

    numbers: tuple[int, ...] = (1, 2, 3)
    fail_at: int | None = None
    wait_at: int | None = None


class Adder:
    """Sums up numbers, two in a part, and keeps the sums of the parts."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, int], int] = {}
        self.begun: list[str] = []
        self.stopped = Event()
        self.go_on = Event()
        self.is_mended = False
        self._lock = Lock()

    def parts(self, request: bytes) -> Sequence[range]:
        count = len(msgspec.json.decode(request, type=Sums).numbers)
        return [range(start, min(start + 2, count)) for start in range(0, count, 2)]

    def do(self, job_id: JobId, request: bytes, part: range, run: Run) -> None:
        asked = msgspec.json.decode(request, type=Sums)
        with self._lock:
            self.begun.append(f"{job_id} {part.start}")
        if asked.wait_at in part:
            run.done(1.0)
            run.on_stop(self._stop)
            assert self.go_on.wait(PATIENCE_S)
        if asked.fail_at in part and not self.is_mended:
            raise Failed("unlucky", f"number {asked.fail_at} cannot be summed up")
        run.check()
        self.sums[job_id, part.start] = sum(asked.numbers[index] for index in part)

    def _stop(self) -> None:
        self.go_on.set()
        self.stopped.set()  # last: whoever has seen it may clear the other

    def sum_of(self, job: Job) -> int:
        return sum(some for (id, _), some in self.sums.items() if id == job.id)


def a_request(**asked: object) -> bytes:
    return msgspec.json.encode(msgspec.convert(asked, Sums))


@asynccontextmanager
async def at_work(url: str, adder: Adder, concurrency: int = 4) -> AsyncIterator[Jobs]:
    async with open_jobs(url, {"sum": adder}, concurrency=concurrency, poll_s=0.02) as jobs:
        yield jobs


async def until(jobs: Jobs, job: Job, is_so: Callable[[Job], bool]) -> Job:
    """The job as soon as it is so."""
    async with asyncio.timeout(PATIENCE_S):
        async for now in jobs.follow(job.id):
            if is_so(now):
                return now
    raise AssertionError(f"it never was so, and now is {await jobs.job(job.id)}")


async def the_end(jobs: Jobs, job: Job) -> Job:
    return await until(jobs, job, lambda now: now.status.is_ended)


async def begun(jobs: Jobs, job: Job) -> Job:
    return await until(jobs, job, lambda now: now.status is JobStatus.RUNNING and now.done > 0)


def deadline_of(url: str, job: Job) -> int | None:
    """When its time is over, in ms since 1970."""
    with at_the_tables(url) as (connection, schema):
        row = f"{schema}workflow_status WHERE workflow_uuid = '{job.id}'"
        deadline: int | None = connection.scalar(text(f"SELECT workflow_deadline_epoch_ms FROM {row}"))
        return deadline


def let_its_time_be_over(url: str, job: Job) -> None:
    with at_the_tables(url) as (connection, schema):
        rows = f"{schema}workflow_status SET workflow_deadline_epoch_ms = 1"
        connection.execute(text(f"UPDATE {rows} WHERE workflow_uuid = '{job.id}'"))


@contextmanager
def at_the_tables(url: str) -> Iterator[tuple[Connection, str]]:
    """A connection to what DBOS keeps, and what stands before the names of its tables."""
    engine = engine_at(url, concurrency=1)
    try:
        with engine.begin() as connection:
            yield connection, f"{SCHEMA}." if engine.dialect.name == "postgresql" else ""
    finally:
        engine.dispose()


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
        event.listen(Engine, "before_cursor_execute", break_off)
        try:
            with pytest.raises(BrokenOff):
                await jobs.retry(cancelled.id)
        finally:
            event.remove(Engine, "before_cursor_execute", break_off)
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


# --- processes -------------------------------------------------------------------------------------------------------


async def test_a_process_that_does_no_jobs_asks_for_them_and_follows_them(url: str):
    adder = Adder()
    async with open_jobs(url, {}, is_worker=False) as asking:
        job = await asking.submit("sum", a_request(), total=3)
        assert job.status is JobStatus.QUEUED
        async with at_work(url, adder):
            assert (await the_end(asking, job)).status is JobStatus.SUCCEEDED
    assert adder.sum_of(job) == 6


async def test_what_is_being_done_when_a_worker_closes_goes_on_at_its_next_start(url: str):
    adder = Adder()
    async with at_work(url, adder) as jobs:
        job = await jobs.submit("sum", a_request(numbers=(1, 2, 3), wait_at=2), total=3)
        await until(jobs, job, lambda now: now.done > 2)
    assert adder.stopped.is_set()
    async with at_work(url, adder) as jobs:
        ended = await the_end(jobs, job)
    assert (ended.status, ended.attempts) == (JobStatus.SUCCEEDED, 2)
    assert adder.begun == [f"{job.id} {start}" for start in (0, 2, 2)]


async def test_no_port_is_opened_and_the_terminal_is_left_alone(url: str, capfd: pytest.CaptureFixture[str]):
    def open_ports() -> set[int]:
        of_this = psutil.Process().net_connections("inet")
        return {connection.laddr.port for connection in of_this if connection.status == psutil.CONN_LISTEN}

    before = open_ports()
    async with at_work(url, Adder()) as jobs:
        await the_end(jobs, await jobs.submit("sum", a_request(fail_at=0)))
        assert open_ports() <= before
    assert capfd.readouterr() == ("", "")


async def test_there_is_one_worker_in_a_process(url: str):
    async with at_work(url, Adder()):
        with pytest.raises(LocalProtocolError):
            async with at_work(url, Adder()):
                pass


async def test_a_worker_closes_even_while_it_waits_for_how_a_job_ends_elsewhere(url: str):
    taken = "SET status = 'ENQUEUED', queue_name = 'elsewhere', owner_xid = NULL"

    class Robbed(Adder):
        def do(self, job_id: JobId, request: bytes, part: range, run: Run) -> None:
            with at_the_tables(url) as (connection, schema):
                connection.execute(text(f"UPDATE {schema}workflow_status {taken}"))
            self.stopped.set()

    robbed = Robbed()
    async with at_work(url, robbed) as jobs:
        job = await jobs.submit("sum", a_request(numbers=(1,)))
        assert await asyncio.to_thread(robbed.stopped.wait, PATIENCE_S)
        assert (await jobs.job(job.id)).status is JobStatus.QUEUED
    await asyncio.to_thread(eventually, lambda: not threads_of_dbos() or None)


def threads_of_dbos() -> list[str]:
    return [thread.name for thread in enumerate_threads() if thread.name.startswith("dbos")]


@pytest.mark.parametrize("url", ["redis://queue", "sqlite:///:memory:", "postgresql://x:y:z@[::1"])
async def test_what_is_no_database_is_refused(url: str):
    with pytest.raises(InvalidInput):
        async with open_jobs(url, {}):
            pass


async def test_a_database_out_of_reach_is_unavailable():
    with pytest.raises(Unavailable):
        async with open_jobs("postgresql://postgres@/nowhere?host=/nowhere", {}, is_worker=False):
            pass


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
