"""`kill -9` of whoever does jobs loses none and doubles none; nor does freezing one."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.programs import Program, said_until_killed
from tests.system.jobs_until_killed import (
    CONFIRMED,
    DEADLY,
    GATED,
    LEASE_S,
    WORK,
    parts_of,
    run_server,
    run_worker,
    works,
)
from tests.waiting import eventually
from voltbench.adapters.jobs_dbos import open_jobs
from voltbench.adapters.jobs_dbos.custody import MOST_CRASHES
from voltbench.jobs import Job, JobId, Jobs, JobStatus

JOBS = 500
WORKERS = 2
KILLS = 3
AT_ONCE = 4
SERVED = 60
TWO_PARTS = b"0"
PATIENCE_S = 180.0  # some processes begin meanwhile, and import


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    directory = tmp_path / "kept"
    directory.mkdir()
    return directory


@contextmanager
def a_worker(url: str, kept: Path) -> Iterator[Program]:
    program = Program(run_worker, url, kept, directory=kept, log=kept.parent / "workers")
    try:
        yield program
    finally:
        program.kill()
        program.wait()


def said(kept: Path, what: str) -> list[tuple[str, int]]:
    """Of which parts this was said, by which process."""
    log = kept.with_suffix(".log")
    lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return [(name, int(pid)) for word, name, pid in lines if word == what]


def results(kept: Path) -> Counter[str]:
    """How many results there are of each job."""
    return Counter(path.name.split(".")[0] for path in kept.glob("*.[0-9]"))


async def the_end(jobs: Jobs, id: JobId) -> Job:
    async with asyncio.timeout(PATIENCE_S):
        return [job async for job in jobs.follow(id)][-1]


async def found(look: object) -> None:
    await asyncio.to_thread(eventually, look, PATIENCE_S)  # type: ignore[arg-type]


async def test_workers_killed_at_random_lose_no_job_and_double_none(postgresql_url: str, kept: Path):
    chance = random.Random(7)
    marks = sorted(chance.sample(range(50, JOBS - 50), KILLS))
    with ExitStack() as stack:
        workers = [stack.enter_context(a_worker(postgresql_url, kept)) for _ in range(WORKERS)]
        async with open_jobs(postgresql_url, {}, is_worker=False) as jobs:
            requests = [b"%d" % number for number in range(JOBS)]
            asked = {(await jobs.submit(WORK, request)).id: parts_of(request) for request in requests}
            for mark in marks:
                await found(lambda mark=mark: len(results(kept)) >= mark or None)
                victim = chance.randrange(WORKERS)
                workers[victim].kill()
                workers[victim] = stack.enter_context(a_worker(postgresql_url, kept))
            ended = [await the_end(jobs, job.id) for job in await jobs.jobs(limit=2 * JOBS)]
    assert {job.id for job in ended} == set(asked)
    assert Counter(job.status for job in ended) == {JobStatus.SUCCEEDED: JOBS}
    assert results(kept) == asked
    repeated = len(said(kept, "kept")) - sum(asked.values())
    assert 0 <= repeated <= KILLS * 2 * AT_ONCE, f"{repeated} parts were kept again"


async def test_a_killed_server_goes_on_by_itself_with_what_it_has_confirmed(tmp_path: Path, kept: Path):
    url = f"sqlite:///{tmp_path}/jobs.db"
    chance = random.Random(11)
    confirmed: set[str] = set()
    for number in range(3):
        lines = chance.randrange(1, SERVED // 2)
        log = tmp_path / f"said-{number}"
        words = [
            line.decode().split() for line in said_until_killed(run_server, url, kept, SERVED, log=log, lines=lines)
        ]
        confirmed |= {id for first, id, *_ in words if first == CONFIRMED}
    async with open_jobs(url, works(kept), lease_s=LEASE_S) as jobs:
        asked = await jobs.jobs(limit=10 * SERVED)
        ended = [await the_end(jobs, job.id) for job in asked]
        parts = {job.id: parts_of(await jobs.request(job.id)) for job in asked}
    assert confirmed
    assert confirmed <= {job.id for job in asked}
    assert len(asked) <= SERVED
    assert Counter(job.status for job in ended) == {JobStatus.SUCCEEDED: len(asked)}
    assert results(kept) == parts


@pytest.mark.campaign
async def test_a_frozen_worker_does_nothing_twice_when_it_wakes_up(postgresql_url: str, kept: Path):
    async with open_jobs(postgresql_url, {}, is_worker=False) as jobs:
        job = await jobs.submit(GATED, TWO_PARTS, total=2)
        with a_worker(postgresql_url, kept) as frozen:
            await found(lambda: (f"{job.id}.1", frozen.pid) in said(kept, "begun") or None)
            frozen.send_signal(signal.SIGSTOP)
            (kept / "gate").touch()
            with a_worker(postgresql_url, kept) as other:
                ended = await the_end(jobs, job.id)
                frozen.send_signal(signal.SIGCONT)
                await found(lambda: (f"{job.id}.1", frozen.pid) in said(kept, "stopped") or None)
                later = await the_end(jobs, (await jobs.submit(WORK, b"1")).id)
            assert frozen.poll() is None
            assert (await the_end(jobs, (await jobs.submit(WORK, b"1")).id)).status is JobStatus.SUCCEEDED
        assert await jobs.job(job.id) == ended
    assert (ended.status, ended.attempts) == (JobStatus.SUCCEEDED, 2)
    assert later.status is JobStatus.SUCCEEDED
    assert [entry for entry in said(kept, "kept") if entry[0].startswith(job.id)] == [
        (f"{job.id}.0", frozen.pid),
        (f"{job.id}.1", other.pid),
    ]


@pytest.mark.campaign
async def test_a_job_that_kills_its_process_is_given_up_and_may_be_tried_again(postgresql_url: str, kept: Path):
    async with open_jobs(postgresql_url, {}, is_worker=False) as asking:
        job = await asking.submit(DEADLY, TWO_PARTS, total=2)
        with ExitStack() as stack:
            for _ in range(MOST_CRASHES + 2):
                stack.enter_context(a_worker(postgresql_url, kept))
            given_up = await the_end(asking, job.id)
        (kept / "cure").touch()
        async with open_jobs(postgresql_url, works(kept), lease_s=LEASE_S) as jobs:
            ended = await the_end(jobs, (await jobs.retry(job.id)).id)
    assert given_up.status is JobStatus.FAILED
    assert given_up.error is not None
    assert (given_up.error.kind, given_up.done) == ("crashed", 1)
    assert ended.status is JobStatus.SUCCEEDED
    assert [name for name, _ in said(kept, "kept")] == [f"{job.id}.0", f"{job.id}.1"]
