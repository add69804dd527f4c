"""Telling of a job's end: at least once, however often we are killed, and without any say in the job itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Protocol
from uuid import NAMESPACE_URL, uuid5

import msgspec

from voltbench.adapters.cell_hooks import CellHooks, Hook
from voltbench.adapters.webhooks import Webhooks
from voltbench.apps.cells.told import SimulationTold, told
from voltbench.errors import Conflict, Failed, InvalidInput, NotFound, Unavailable
from voltbench.jobs import Job, JobId
from voltbench.quantities import MS_PER_SECOND, Instant

_log = logging.getLogger(__name__)

WEBHOOK = "webhook"
"""The form that `?notify=` asks for: a signed notice of how the job stands."""

RETRY_S = (5, 30, 300, 1_800, 7_200, 18_000, 36_000)
"""After an attempt that failed, so long until the next one; after the last one it is given up."""

TAKEN_S = 60
"""How long a teller has a hook for itself: longer than any attempt."""

LOOK_EVERY_S, REST_S = 0.2, 5.0
"""Between two looks at jobs that are waited for, and at the most between two looks at what is due."""

MOST_LOOKED_AT, MOST_AT_ONCE = 500, 16
"""Hooks in one look, and notices that are on their way."""


class Form(Protocol):
    """A way of telling."""

    async def tell(self, hook: Hook, job: SimulationTold, now: Instant) -> None:
        """Tell that a job has ended. Unavailable where that may go better later; with other errors it never will."""


class WebhookForm:
    """As a signed notice, to hosts that are allowed."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    async def tell(self, hook: Hook, job: SimulationTold, now: Instant) -> None:
        """Post it."""
        await self._webhooks.send(hook.id, hook.url, msgspec.json.encode(job), now)


class Hooks:
    """Notes who is to be told of which job, and tells them for as long as it runs.

    `those` tells how some jobs stand, of those that are there. Nothing that goes wrong here reaches the job.
    """

    def __init__(
        self,
        those: Callable[[Collection[JobId]], Awaitable[list[Job]]],
        store: CellHooks,
        forms: Mapping[str, Form],
        now: Callable[[], Instant],
    ) -> None:
        self.store = store
        self._those = those
        self._forms = forms
        self._now = now
        self._last_seen: Hook | None = None
        self._in_hand: set[str] = set()
        self._sending = asyncio.Semaphore(MOST_AT_ONCE)
        self._news = asyncio.Event()

    async def ask(self, job_id: str, form: str, url: str, said: bytes = b"{}") -> str:
        """Have a job's end told; asked again with the same it is the same. On return it will not be lost."""
        id = f"msg_{uuid5(NAMESPACE_URL, f'{job_id} {form} {url}').hex}"
        await self.store.note(Hook(id, job_id, form, url, said), self._now())
        self.look()
        return id

    def look(self) -> None:
        """Something may be due."""
        self._news.set()

    async def run(self) -> None:
        """Tell what is due, until cancelled."""
        self._last_seen = None
        async with asyncio.TaskGroup() as tellers:
            while True:
                self._news.clear()
                rest_s = await self._begin(tellers)
                if rest_s <= LOOK_EVERY_S:  # news do not cut it short: where much is asked for they come all the time
                    await asyncio.sleep(rest_s)
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(rest_s):
                        await self._news.wait()

    async def _begin(self, tellers: asyncio.TaskGroup) -> float:
        """Begin with what has ended; how long to rest then."""
        now = self._now()
        try:
            if len(self._in_hand) < MOST_LOOKED_AT and await self._is_more_to_see(now, tellers):
                return LOOK_EVERY_S
            next_due = await self.store.next_due(now)
        except Unavailable as error:
            _log.warning("nobody is told of jobs for now: %s", error)
            return REST_S
        return REST_S if next_due is None else min(REST_S, (next_due - now) / MS_PER_SECOND)

    async def _is_more_to_see(self, now: Instant, tellers: asyncio.TaskGroup) -> bool:
        """Look at the next of those that are due, and begin with what has ended. False where nobody waits for a job."""
        busy = frozenset(self._in_hand)  # before we read: what is read of these may be older than what came of them
        due = await self.store.due(now, MOST_LOOKED_AT, self._last_seen)
        hooks = [hook for hook in due if hook.id not in busy]
        jobs = await self._jobs(list(dict.fromkeys(_job_id(hook) for hook in hooks)))
        was_first = self._last_seen is None
        self._last_seen = due[-1] if len(due) == MOST_LOOKED_AT else None  # behind the last page comes the first one
        is_waiting = False
        for hook in hooks:
            job = jobs[_job_id(hook)]
            if isinstance(job, Job) and not job.status.is_ended:
                is_waiting = True
            else:
                self._in_hand.add(hook.id)
                tellers.create_task(self._see_to(hook, job))
        return is_waiting or not was_first or self._last_seen is not None

    async def _jobs(self, ids: Sequence[JobId]) -> dict[JobId, Job | Exception]:
        """How some jobs stand. Of one that is not there, or that a bug of ours keeps us from seeing, the error."""
        try:
            there: dict[JobId, Job | Exception] = {job.id: job for job in await self._those(ids)}
        except Unavailable:
            raise
        except Exception as error:  # a bug of ours, with one of them: the others go on
            if len(ids) == 1:
                return {ids[0]: error}
            half = len(ids) // 2
            return await self._jobs(ids[:half]) | await self._jobs(ids[half:])
        return {id: there.get(id) or NotFound("job", id) for id in ids}

    async def _see_to(self, hook: Hook, job: Job | Exception) -> None:
        try:
            async with self._sending:
                await self._tried(hook, job)
        except Unavailable as error:  # the store: the hook is still in it
            _log.warning("%s is not told of job %s for now: %s", hook.url, hook.job_id, error)
        finally:
            self._in_hand.discard(hook.id)
            if len(self._in_hand) == MOST_LOOKED_AT // 2:  # more of them may have been due than there was room for
                self.look()

    async def _tried(self, hook: Hook, job: Job | Exception) -> None:
        now = self._now()
        if not await self.store.take(hook.id, now, now + TAKEN_S * MS_PER_SECOND):
            return
        try:
            await self._tell(hook, job, now)
        except Unavailable as error:
            await self._try_later(hook, str(error))
        except (InvalidInput, NotFound, Conflict, Failed) as error:
            await self._give_up(hook, str(error))
        except Exception as error:  # a bug of ours, with this hook: the others go on
            _log.exception("telling %s of job %s went wrong", hook.url, hook.job_id)
            await self._try_later(hook, f"a fault of voltbench: {error!r}")
        else:
            await self.store.end(hook.id, self._now())

    async def _tell(self, hook: Hook, job: Job | Exception, now: Instant) -> None:
        if isinstance(job, Exception):
            raise job
        await self._form(hook).tell(hook, told(job), now)

    def _form(self, hook: Hook) -> Form:
        if hook.form not in self._forms:  # it was asked for when we were started with other options
            raise Unavailable(f"{hook.form} is not told here now")
        return self._forms[hook.form]

    async def _try_later(self, hook: Hook, problem: str) -> None:
        if hook.attempts >= len(RETRY_S):
            await self._give_up(hook, problem)
            return
        pause_s = RETRY_S[hook.attempts]
        _log.info("%s is told of job %s again in %d s: %s", hook.url, hook.job_id, pause_s, problem)
        await self.store.put_off(hook.id, self._now() + pause_s * MS_PER_SECOND, problem)
        self.look()

    async def _give_up(self, hook: Hook, problem: str) -> None:
        _log.warning("%s will not be told of job %s: %s", hook.url, hook.job_id, problem)
        await self.store.end(hook.id, self._now(), problem)


def _job_id(hook: Hook) -> JobId:
    assert hook.job_id is not None  # without a job it would not be due
    return JobId(hook.job_id)
