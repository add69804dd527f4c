"""Telling of a job's end: at least once, however often we are killed, and without any say in the job itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Protocol
from uuid import NAMESPACE_URL, uuid5

import msgspec

from voltbench.adapters.cell_hooks import CellHooks, Hook
from voltbench.adapters.webhooks import Webhooks
from voltbench.apps.cells.told import SimulationTold
from voltbench.errors import NotFound, Unavailable, VoltbenchError
from voltbench.quantities import MS_PER_SECOND, Instant

_log = logging.getLogger(__name__)

WEBHOOK = "webhook"
"""The form that `?notify=` asks for: a signed notice of how the job stands."""

RETRY_S = (5, 30, 300, 1_800, 7_200, 18_000, 36_000)
"""After an attempt that failed, so long until the next one; after the last one it is given up."""

TAKEN_S = 60
"""How long a teller has a hook for itself: longer than any attempt."""

PATIENCE_S = 60.0
"""How long a job is waited for, until others have their turn."""

LOOK_EVERY_S = 5.0
MOST_WAITING, MOST_AT_ONCE = 500, 16
"""Jobs that are waited for, and notices that are on their way."""


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

    `follow` tells how a job stands until it has ended. Nothing that goes wrong here reaches the job.
    """

    def __init__(
        self,
        follow: Callable[[str], AsyncIterator[SimulationTold]],
        store: CellHooks,
        forms: Mapping[str, Form],
        now: Callable[[], Instant],
    ) -> None:
        self.store = store
        self._follow = follow
        self._forms = forms
        self._now = now
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
        async with asyncio.TaskGroup() as tellers:
            while True:
                self._news.clear()
                pause_s = await self._begin(tellers)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._news.wait()

    async def _begin(self, tellers: asyncio.TaskGroup) -> float:
        """Begin with all that is due; how long to wait then."""
        now = self._now()
        busy = frozenset(
            self._in_hand
        )  # as of before we read: what is read of these may be older than what came of them
        try:
            for hook in await self.store.due(now, MOST_WAITING):
                if hook.id not in busy and len(self._in_hand) < MOST_WAITING:
                    self._in_hand.add(hook.id)
                    tellers.create_task(self._see_to(hook))
            next_due = await self.store.next_due(now)
        except Unavailable as error:
            _log.warning("nobody is told of jobs for now: %s", error)
            return LOOK_EVERY_S
        return LOOK_EVERY_S if next_due is None else min(LOOK_EVERY_S, (next_due - now) / MS_PER_SECOND)

    async def _see_to(self, hook: Hook) -> None:
        try:
            await self._tried(hook)
        except Unavailable as error:  # the store: the hook is still in it
            _log.warning("%s is not told of job %s for now: %s", hook.url, hook.job_id, error)
        finally:
            self._in_hand.discard(hook.id)
            if len(self._in_hand) == MOST_WAITING // 2:  # more of them may have been due than there was room for
                self.look()

    async def _tried(self, hook: Hook) -> None:
        try:
            await self._wait_and_tell(hook)
        except Unavailable:
            raise
        except Exception as error:  # a bug of ours, with this hook: the others go on
            _log.exception("telling %s of job %s went wrong", hook.url, hook.job_id)
            await self._try_later(hook, f"a fault of voltbench: {error!r}")

    async def _wait_and_tell(self, hook: Hook) -> None:
        assert hook.job_id is not None
        try:
            async with asyncio.timeout(PATIENCE_S):
                job = await self._ended(hook.job_id)
        except TimeoutError:
            job = None
        except NotFound as error:
            await self._give_up(hook, str(error))
            return
        if job is None:
            await self.store.put_off(hook.id, self._now() + MS_PER_SECOND)
        else:
            async with self._sending:
                await self._tell(hook, job)

    async def _ended(self, job_id: str) -> SimulationTold | None:
        last = None
        async for told in self._follow(job_id):
            last = told
        return last if last is not None and last.status.is_ended else None

    async def _tell(self, hook: Hook, job: SimulationTold) -> None:
        now = self._now()
        if not await self.store.take(hook.id, now, now + TAKEN_S * MS_PER_SECOND):
            return
        try:
            await self._form(hook).tell(hook, job, now)
        except Unavailable as error:
            await self._try_later(hook, str(error))
        except VoltbenchError as error:
            await self._give_up(hook, str(error))
        else:
            await self.store.end(hook.id, self._now())

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
        attempts = hook.attempts + 1  # also of one that had not come as far as being taken
        await self.store.put_off(hook.id, self._now() + pause_s * MS_PER_SECOND, problem, attempts)
        self.look()

    async def _give_up(self, hook: Hook, problem: str) -> None:
        _log.warning("%s will not be told of job %s: %s", hook.url, hook.job_id, problem)
        await self.store.end(hook.id, self._now(), problem)
