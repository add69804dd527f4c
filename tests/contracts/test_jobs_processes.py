"""The processes that ask for jobs and do them: how they begin and end, on each database."""

from __future__ import annotations

import asyncio
from threading import enumerate as enumerate_threads

import psutil
import pytest
from sqlalchemy import text

from tests.jobs import PATIENCE_S, Adder, a_request, at_the_tables, at_work, the_end, until
from tests.waiting import eventually
from voltbench.adapters.jobs_dbos import open_jobs
from voltbench.errors import InvalidInput, LocalProtocolError, Unavailable
from voltbench.jobs import JobId, JobStatus, Run


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
