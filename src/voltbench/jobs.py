"""The promise of long work: asked for now, done later, and not forgotten in between.

A *job* is asked for with a request, whose meaning only the *work* of its kind knows. A work counts items (the
simulations of a sweep) and does them in parts, one after the other. What comes of a part the work keeps itself, by what
went in: a job carries no results, and its parts are done at least once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from enum import StrEnum
from typing import NewType, Protocol

import msgspec

from voltbench.quantities import Instant

JobId = NewType("JobId", str)

HIGHEST_PRIORITY = 999
LOWEST_PRIORITY = -999


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"

    @property
    def is_ended(self) -> bool:
        """Whether nothing more happens to the job, unless it is tried again."""
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


RETRIABLE = frozenset({JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.TIMED_OUT})


class JobError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job failed: of which kind (a word for programs), in a sentence, and at which field of its request."""

    kind: str
    message: str
    field: str = ""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it stands: `done` of `total` items, part of one being a fraction."""

    id: JobId
    kind: str
    status: JobStatus
    priority: int
    submitted_at: Instant
    started_at: Instant | None
    ended_at: Instant | None
    done: float
    total: int
    attempts: int
    error: JobError | None = None
    stamp: str = ""

    @property
    def progress(self) -> float:
        """How much of it is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 1.0


class Stopped(BaseException):
    """The job was cancelled, ran out of time, or is done elsewhere: its work here is to end now, and keeps nothing.

    Like asyncio's CancelledError it is no Exception, so that no work takes it for a failure of its own.
    """


class Run(Protocol):
    """A part of a job being done: what its work tells and asks on the way. Safe from any thread."""

    @property
    def stamp(self) -> str:
        """What the job was asked for under, as `submit` was told."""

    @property
    def priority(self) -> int:
        """How urgent the job is, as `submit` was told: the higher, the sooner."""

    @property
    def within_s(self) -> float | None:
        """How long this run may take, if the job has a timeout."""

    @property
    def is_stopped(self) -> bool:
        """Whether the work is to end."""

    def check(self) -> None:
        """Raise Stopped if the work is to end, or if this process has lost the job. To be called before keeping."""

    def done(self, items: float) -> None:
        """So many items of this part are done, part of one being a fraction."""

    def wait_for_turn(self) -> None:
        """All that was begun only waits for others, until `begin`: should this process die, the job is not to blame."""

    def begin(self) -> None:
        """The wait is over, for good."""

    def get_on(self) -> None:
        """Some of this part is kept, and will not be done again: whatever was lost before is made good for."""

    def on_stop(self, stop: Callable[[], object]) -> None:
        """Call this once the work is to end, from another thread; at once if it is so already."""


class Work(Protocol):
    """How jobs of one kind are done."""

    def parts(self, request: bytes) -> Sequence[range]:
        """The items of a request from 0 on, as parts that are done one after the other.

        What is done is noted after each part, which costs some milliseconds and a few rows: a part is to be at least
        a second of work. Should they be cut otherwise after a restart, what is noted stays done, and the part that it
        ends in begins behind it.
        """

    def do(self, job_id: JobId, request: bytes, part: range, run: Run) -> None:
        """Do a part and keep what comes of it, in a thread of its own; again after a crash, to the same end.

        Whatever it raises fails the job, except for Stopped.
        """


class Jobs(Protocol):
    """Jobs asked for, and how they stand. Unavailable where their store is out of reach."""

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
        """Ask for a job of `total` items; on return it will not be lost.

        The higher its priority, the sooner it begins among those of its kind. `timeout_s` counts from when it begins.
        The same key with the same request is the same job, and Conflict with another one. The `stamp` says what the
        work's answer depends on beside the request, such as versions: it stays with the job, whoever does the rest of
        it, and no other one makes the request of a key another.
        """

    async def job(self, id: JobId) -> Job:
        """A job as it stands. NotFound if there is none."""

    async def jobs(
        self,
        *,
        kind: str | None = None,
        status: JobStatus | None = None,
        limit: int = 100,
        before: Instant | None = None,
    ) -> list[Job]:
        """Jobs, newest first, submitted before an instant; beyond `limit` only those of the last one's millisecond."""

    async def those(self, ids: Collection[JobId]) -> list[Job]:
        """Those of some jobs that are there, as they stand, in one question."""

    async def request(self, id: JobId) -> bytes:
        """What a job was asked for with. NotFound if there is no such job."""

    async def cancel(self, id: JobId) -> Job:
        """End a job that is queued or running; a cancelled one stays so. NotFound, or Conflict if it has ended."""

    async def retry(self, id: JobId) -> Job:
        """Queue a job again that failed, was cancelled or ran out of time; what it has done stays done.

        NotFound, or Conflict if it succeeded or has not ended.
        """

    async def forget(self, before: Instant, limit: int = 500) -> int:
        """Drop jobs that ended before an instant, `limit` of them at most, with their keys; says how many."""

    def follow(self, id: JobId) -> AsyncIterator[Job]:
        """A job as it stands, and again whenever that has changed, until it has ended. NotFound if there is none."""
