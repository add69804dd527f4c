"""Whoever follows a job never sees it go back."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import aclosing

from msgspec.structs import replace

from tests.builders import a_job
from voltbench.adapters.jobs_dbos.following import Following
from voltbench.jobs import Job, JobId, JobStatus

LATE = a_job("a", JobStatus.TIMED_OUT)


class Database:
    """Where looks are slow: each answers with what stood there when it began, once it is let go."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = {job.id: job for job in jobs}
        self.is_asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def look(self, ids: Collection[JobId]) -> list[Job]:
        found = [self.jobs[id] for id in ids]
        self.is_asked.set()
        await self.go_on.wait()
        return found


async def test_a_look_that_began_before_somebody_followed_tells_that_one_nothing():
    other = a_job("b", JobStatus.RUNNING)
    database = Database(LATE, other)
    following = Following(database.look)
    async with aclosing(following.after(a_job("b", JobStatus.QUEUED))) as others:
        seen_of_other = asyncio.ensure_future(anext(others))
        async with aclosing(following.after(a_job("a", JobStatus.RUNNING))) as before:
            seen_before = asyncio.ensure_future(anext(before))
            await database.is_asked.wait()
            queued = a_job("a", JobStatus.QUEUED)  # tried again, and followed anew
            running = database.jobs[LATE.id] = a_job("a", JobStatus.RUNNING)
            async with aclosing(following.after(queued)) as after:
                seen_after = asyncio.ensure_future(anext(after))
                await asyncio.sleep(0)
                database.go_on.set()
                assert await seen_before == LATE
                assert await seen_of_other == other
                assert await seen_after == running
    await following.close()


async def test_who_is_slow_between_two_news_still_hears_of_the_end():
    running = a_job("a", JobStatus.RUNNING)
    database = Database(replace(running, done=0.5))
    database.go_on.set()
    following = Following(database.look)
    async with aclosing(following.after(running)) as slow, aclosing(following.after(running)) as quick:
        assert await anext(slow) == await anext(quick) == database.jobs[LATE.id]
        database.jobs[LATE.id] = LATE
        assert await anext(quick) == LATE  # so the same look has told whoever is slow
        assert [job async for job in slow] == [LATE]
    await following.close()
