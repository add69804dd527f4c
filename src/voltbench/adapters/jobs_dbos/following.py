"""Jobs being followed: one look at all of them, however many follow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection

from voltbench.errors import Unavailable
from voltbench.jobs import Job, JobId

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.2


class _Follower:
    """Somebody who has seen a job as it stood, and is told how it stands now; what lies between may be skipped."""

    def __init__(self, seen: Job) -> None:
        self.seen = seen
        self.changed = asyncio.Event()
        self.is_left_alone = False

    def look(self, job: Job) -> None:
        """It stands so now."""
        if job != self.seen:
            self.seen = job
            self.changed.set()

    def leave_alone(self) -> None:
        """There will be no news."""
        self.is_left_alone = True
        self.changed.set()


class Following:
    """Looks at jobs as long as somebody follows them."""

    def __init__(self, jobs: Callable[[Collection[JobId]], Awaitable[list[Job]]]) -> None:
        self._jobs = jobs
        self._followers: set[_Follower] = set()
        self._looking: asyncio.Task[None] | None = None

    async def after(self, job: Job) -> AsyncGenerator[Job, None]:
        """How a job stands whenever that has changed, until it has ended."""
        follower = _Follower(job)
        self._followers.add(follower)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            told = job
            while not told.status.is_ended:
                await follower.changed.wait()
                follower.changed.clear()
                if follower.is_left_alone:
                    return
                told = follower.seen
                yield told
        finally:
            self._followers.discard(follower)

    async def close(self) -> None:
        """Look no more. Whoever still follows has seen the last."""
        for follower in self._followers:
            follower.leave_alone()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look(self) -> None:
        while self._followers:
            await asyncio.sleep(_LOOK_EVERY_S)
            asking = list(self._followers)  # whoever joins during the look may have seen something newer
            try:
                jobs = {job.id: job for job in await self._jobs({follower.seen.id for follower in asking})}
            except Unavailable as error:
                _log.warning("jobs cannot be followed for now: %s", error)
                continue
            except Exception:  # a bug of ours in this round: the next one is as needed as ever
                _log.exception("following jobs went wrong")
                continue
            for follower in asking:
                if follower.seen.id in jobs:
                    follower.look(jobs[follower.seen.id])
