"""Jobs asked for and looked at, in whatever process: DBOS's client, whose calls wait, in threads of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import NAMESPACE_URL, uuid5

from dbos import DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions, WorkflowStatus
from dbos import error as dbos_errors
from dbos._sys_db import SystemDatabase
from dbos._sys_db_sqlite import SQLiteSystemDatabase
from sqlalchemy import BigInteger, ColumnElement, Engine, and_, literal_column

from voltbench.adapters.jobs_dbos.database import APPLICATION, SCHEMA, queue_of, reaching
from voltbench.adapters.jobs_dbos.following import Following
from voltbench.adapters.jobs_dbos.forgetting import forget
from voltbench.adapters.jobs_dbos.rows import (
    IS_CANCELLED,
    KEPT_OF,
    NEVER_LOST,
    REQUEST,
    STARTED,
    STATUSES,
    attributes,
    job_of,
    request_of,
    text_of,
    theirs_of_priority,
)
from voltbench.adapters.jobs_dbos.together import together
from voltbench.clock import wall_instant
from voltbench.errors import Conflict, InvalidInput, NotFound, Unavailable
from voltbench.jobs import RETRIABLE, Job, JobId, JobStatus
from voltbench.quantities import Instant

T = TypeVar("T")

_THREADS = 4
_AFTER_ANY_STEP = 2**31 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HALF_A_MS = timedelta(microseconds=500)

_NOW_MS_IN_SQLITE = "(strftime('%s', 'now') * 1000 + substr(strftime('%f', 'now'), 4))"
"""DBOS, in Python 3.11, knows no more there than the second that has begun."""


def client_on(engine: Engine, *, is_patient: bool = False) -> DBOSClient:
    """DBOS's client on these connections. A patient one waits for a database that is out of reach, others raise."""
    client = DBOSClient(
        system_database_engine=engine,
        dbos_system_schema=SCHEMA,
        serializer=DBOSPortableJSONSerializer(),
        application_name=APPLICATION,
        lazy=True,
        retry_connection_errors=is_patient,
    )
    if engine.dialect.name == "sqlite":
        _find_by_attributes(client)
    return client


def _now_ms(_database: SystemDatabase) -> ColumnElement[int]:
    return literal_column(_NOW_MS_IN_SQLITE, BigInteger)


SQLiteSystemDatabase._now_ms_sql = _now_ms  # type: ignore[assignment, method-assign]


def _find_by_attributes(client: DBOSClient) -> None:
    """Let rows be found by attributes in SQLite too, where DBOS refuses it: JSON may be nested, but ours is not."""
    kept = client._sys_db.tables.workflow_status.c.attributes

    def contains(wanted: dict[str, Any]) -> ColumnElement[bool]:
        return and_(*(kept[name].as_boolean() == expected for name, expected in wanted.items()))

    client._sys_db._attributes_contains_clause = contains  # type: ignore[method-assign, assignment]


class DbosJobs:
    """Jobs in DBOS. `kinds`, where given, are all there are."""

    def __init__(
        self, engine: Engine, client: DBOSClient, version: str, kinds: Collection[str], new_id: Callable[[], str]
    ) -> None:
        self._engine = engine
        self._client = client
        self._version = version
        self._kinds = kinds
        self._new_id = new_id
        self._threads = ThreadPoolExecutor(_THREADS, "jobs")
        self._following = Following(lambda ids: self._in_thread(lambda: self._jobs_by_id(ids)))

    async def submit(
        self,
        kind: str,
        request: bytes,
        *,
        total: int = 1,
        priority: int = 0,
        timeout_s: float | None = None,
        idempotency_key: str | None = None,
        stamp: str = "",
    ) -> Job:
        """Ask for a job; on return it will not be lost."""
        _check(total, timeout_s)
        if self._kinds and kind not in self._kinds:
            raise InvalidInput("kind", "is no kind of job", found=kind, allowed=", ".join(sorted(self._kinds)))
        id = self._new_id() if idempotency_key is None else str(uuid5(NAMESPACE_URL, f"{kind}\0{idempotency_key}"))
        options = EnqueueOptions(
            workflow_name=kind,
            queue_name=queue_of(kind),
            workflow_id=id,
            workflow_id_reuse_policy="reject",
            app_version=self._version,
            priority=theirs_of_priority(priority),
            attributes=attributes(request, total, wall_instant(), stamp),
        )
        if timeout_s is not None:
            options["workflow_timeout"] = timeout_s
        return await self._in_thread(lambda: self._submit(options, request, stamp, priority))

    async def job(self, id: JobId) -> Job:
        """A job as it stands."""
        return await self._in_thread(lambda: job_of(self._row(id)))

    async def jobs(
        self,
        *,
        kind: str | None = None,
        status: JobStatus | None = None,
        limit: int = 100,
        before: Instant | None = None,
    ) -> list[Job]:
        """Jobs, newest first."""
        return await self._in_thread(lambda: self._jobs(kind, status, limit, before))

    async def those(self, ids: Collection[JobId]) -> list[Job]:
        """Those of some jobs that are there."""
        return await self._in_thread(lambda: self._jobs_by_id(ids)) if ids else []

    async def request(self, id: JobId) -> bytes:
        """What a job was asked for with."""
        row = await self._in_thread(lambda: self._row(id, with_request=True))
        assert row.input is not None
        return request_of(row.input["args"][0])

    async def cancel(self, id: JobId) -> Job:
        """End a job that is queued or running."""
        return await self._in_thread(lambda: self._cancel(id))

    async def retry(self, id: JobId) -> Job:
        """Queue a job again that has ended otherwise than well."""
        return await self._in_thread(lambda: self._retry(id))

    async def follow(self, id: JobId) -> AsyncIterator[Job]:
        """A job as it stands, and again whenever that has changed, until it has ended."""
        job = await self.job(id)
        yield job
        if job.status.is_ended:
            return
        async with aclosing(self._following.after(job)) as changes:
            async for changed in changes:
                yield changed

    async def forget(self, before: Instant, limit: int = 500) -> int:
        """Drop jobs that ended before an instant."""
        return await self._in_thread(lambda: forget(self._client._sys_db, before, limit))

    async def close(self) -> None:
        """Let go of the threads."""
        await self._following.close()
        await asyncio.to_thread(self._threads.shutdown)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        def reached() -> T:
            try:
                with reaching(self._engine):
                    return work()
            except dbos_errors.DBOSQueryTimeoutError as error:
                raise Unavailable(str(error)) from error

        return await asyncio.get_running_loop().run_in_executor(self._threads, reached)

    def _submit(self, options: EnqueueOptions, request: bytes, stamp: str, priority: int) -> Job:
        id = JobId(options["workflow_id"])
        try:
            self._client.enqueue(options, text_of(request), stamp, priority)
        except dbos_errors.DBOSWorkflowIDInUseError as error:
            row = self._row(id)
            if (row.attributes or {}).get(REQUEST) != options["attributes"][REQUEST]:
                raise Conflict("job", id, "the same idempotency key was used for another request") from error
            return job_of(row)
        return job_of(self._row(id))

    def _row(self, id: JobId, *, with_request: bool = False) -> WorkflowStatus:
        rows = self._client.list_workflows(workflow_ids=[id], load_input=with_request)
        if not rows:
            raise NotFound("job", id)
        return rows[0]

    def _jobs_by_id(self, ids: Collection[JobId]) -> list[Job]:
        return [job_of(row) for row in self._client.list_workflows(workflow_ids=list(ids), load_input=False)]

    def _jobs(self, kind: str | None, status: JobStatus | None, limit: int, before: Instant | None) -> list[Job]:
        if limit < 1:
            raise InvalidInput("limit", "must be positive", found=limit)
        found: list[Job] = []
        end = before
        while len(found) < limit:
            page = self._page(kind, status, limit, end)
            found += [job for job in map(job_of, page) if before is None or job.submitted_at < before]
            if len(page) < limit:
                break
            end = page[-1].created_at
        found.sort(key=lambda job: (-job.submitted_at, job.id))
        return [job for job in found if job.submitted_at >= found[:limit][-1].submitted_at]

    def _page(
        self, kind: str | None, status: JobStatus | None, limit: int, before: Instant | None
    ) -> list[WorkflowStatus]:
        """Rows, newest first, with all of the time that DBOS notes of the last: the next page begins before it."""

        def rows(start: Instant | None, end: Instant | None, limit: int | None) -> list[WorkflowStatus]:
            return self._client.list_workflows(
                name=kind,
                status=None if status is None else list(STATUSES[status]),
                start_time=_iso(start),
                end_time=_iso(end),
                attributes=None if status is None else KEPT_OF.get(status),
                limit=limit,
                sort_desc=True,
                load_input=False,
            )

        page = rows(None, None if before is None else before - 1, limit)
        if len(page) < limit:
            return page
        last = page[-1].created_at
        return [row for row in page if row.created_at != last] + rows(last, last, None)

    def _cancel(self, id: JobId) -> Job:
        job = job_of(self._row(id))
        if not job.status.is_ended:
            told = {IS_CANCELLED: True, STARTED: self._row(id).dequeued_at}  # which DBOS forgets when it cancels
            self._client.update_workflow_attributes(id, told, merge=True)
            self._client.cancel_workflow(id)
            job = job_of(self._row(id))
        if job.status is not JobStatus.CANCELLED:
            raise Conflict("job", id, f"has {_ENDED.get(job.status, 'been tried again meanwhile')}")
        return job

    def _retry(self, id: JobId) -> Job:
        job = job_of(self._row(id))
        if job.status not in RETRIABLE:
            raise Conflict("job", id, f"is {job.status}")
        try:
            with together(self._client._sys_db) as database:
                database.update_workflow_attributes(id, {IS_CANCELLED: False, **NEVER_LOST}, merge=True)
                # Only steps that went well are noted, so all of them stay.
                database.rewind_workflow(id, _AFTER_ANY_STEP, queue_name=queue_of(job.kind))
        except dbos_errors.DBOSException as error:
            raise Conflict("job", id, "has begun again already") from error
        return job_of(self._row(id))


def _check(total: int, timeout_s: float | None) -> None:
    if total < 1:
        raise InvalidInput("total", "must be positive", found=total)
    if timeout_s is not None and not timeout_s > 0:
        raise InvalidInput("timeout_s", "must be positive", found=timeout_s)


_ENDED = {JobStatus.SUCCEEDED: "succeeded", JobStatus.FAILED: "failed", JobStatus.TIMED_OUT: "run out of time"}


def _iso(instant: Instant | None) -> str | None:
    """DBOS takes the whole milliseconds of a time, by way of a float: half of one more keeps it from the one before."""
    if instant is None:
        return None
    return (_EPOCH + timedelta(milliseconds=instant) + _HALF_A_MS).isoformat()
