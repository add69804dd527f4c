"""Jobs that sum up numbers, and how stories wait for them and look behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from threading import Event, Lock

import msgspec
from sqlalchemy import Connection, text

from voltbench.adapters.jobs_dbos import open_jobs
from voltbench.adapters.jobs_dbos.database import SCHEMA, engine_at
from voltbench.errors import Failed
from voltbench.jobs import Job, JobId, Jobs, JobStatus, Run

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
