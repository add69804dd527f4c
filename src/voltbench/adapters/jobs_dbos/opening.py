"""Opening jobs: in a process that does them, or in one that only asks for them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from threading import Lock
from typing import TYPE_CHECKING
from uuid import uuid4

from voltbench.adapters.jobs_dbos.database import engine_at, reaching, shut
from voltbench.errors import LocalProtocolError
from voltbench.jobs import Jobs, Work

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from voltbench.adapters.jobs_dbos.client import DbosJobs
    from voltbench.adapters.jobs_dbos.worker import Worker

VERSION = "voltbench-1"
"""Of what requests mean. DBOS does a job only in a process of the version in which it was asked for."""

_worker_lock = Lock()


@asynccontextmanager
async def open_jobs(
    url: str,
    works: Mapping[str, Work],
    *,
    is_worker: bool = True,
    concurrency: int | Mapping[str, int] = 4,
    executor_id: str | None = None,
    application_version: str = VERSION,
    new_id: Callable[[], str] = lambda: str(uuid4()),
    lease_s: float = 4.0,
    poll_s: float = 0.1,
    full_sync: bool = False,
) -> AsyncIterator[Jobs]:
    """Jobs kept at `sqlite:///FILE` or `postgresql://...`, and done here if this `is_worker`, by the work of each kind.

    A worker does `concurrency` jobs of each kind at once, or as many as it says of each, all of them in threads, and
    looks for more every `poll_s`. What it leaves undone when it dies, others or its next start take over once its
    lease of `lease_s` has run out; when it is closed, at once. There is one worker in a process. InvalidInput where
    the URL is none; Unavailable where the database is out of reach. `full_sync` lets SQLite survive a power cut too.
    """
    async with AsyncExitStack() as stack:
        at_once = concurrency if isinstance(concurrency, Mapping) else dict.fromkeys(works, concurrency)
        engine = engine_at(url, max(at_once.values(), default=1), full_sync=full_sync)
        stack.callback(shut, engine)
        with reaching(engine):
            jobs = await asyncio.to_thread(_client, engine, application_version, works, new_id)
            stack.push_async_callback(jobs.close)
            if is_worker:
                stack.enter_context(_the_only_worker())
                own_id = executor_id or f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
                start = (engine, works, own_id, application_version, at_once, lease_s, poll_s)
                worker = await asyncio.to_thread(_worker, *start)
                stack.push_async_callback(asyncio.to_thread, worker.close)
        yield jobs


@contextmanager
def _the_only_worker() -> Iterator[None]:
    if not _worker_lock.acquire(blocking=False):
        raise LocalProtocolError("this process does jobs already")
    try:
        yield
    finally:
        _worker_lock.release()


def _client(engine: Engine, version: str, works: Mapping[str, Work], new_id: Callable[[], str]) -> DbosJobs:
    from voltbench.adapters.jobs_dbos.client import DbosJobs, client_on  # noqa: PLC0415  # seconds

    client = client_on(engine)
    client._sys_db.run_migrations()
    return DbosJobs(engine, client, version, works.keys(), new_id)


def _worker(
    engine: Engine,
    works: Mapping[str, Work],
    executor_id: str,
    version: str,
    concurrency: Mapping[str, int],
    lease_s: float,
    poll_s: float,
) -> Worker:
    from voltbench.adapters.jobs_dbos.client import client_on  # noqa: PLC0415  # seconds
    from voltbench.adapters.jobs_dbos.worker import Worker  # noqa: PLC0415  # seconds

    return Worker(
        engine,
        client_on(engine),
        works,
        executor_id=executor_id,
        version=version,
        concurrency=concurrency,
        lease_s=lease_s,
        poll_s=poll_s,
    )
