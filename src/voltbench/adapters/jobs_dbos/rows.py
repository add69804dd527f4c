"""Between a row of DBOS and a job."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from dbos import DBOSPortableJSONSerializer, PortableWorkflowError, WorkflowStatus

from voltbench.errors import Failed, Infeasible, InvalidInput, LocalProtocolError, Unavailable
from voltbench.jobs import HIGHEST_PRIORITY, LOWEST_PRIORITY, Job, JobError, JobId, JobStatus
from voltbench.quantities import MS_PER_SECOND, Instant

STATUSES: Mapping[JobStatus, tuple[str, ...]] = {
    JobStatus.QUEUED: ("ENQUEUED", "DELAYED"),
    JobStatus.RUNNING: ("PENDING",),
    JobStatus.SUCCEEDED: ("SUCCESS",),
    JobStatus.FAILED: ("ERROR",),
    JobStatus.CANCELLED: ("CANCELLED",),
    JobStatus.TIMED_OUT: ("CANCELLED",),
}
_STATUS_OF = {theirs: ours for ours in reversed(JobStatus) for theirs in STATUSES[ours]}

_KINDS: Mapping[type[Exception], str] = {
    InvalidInput: "invalid_input",
    Infeasible: "infeasible",
    Unavailable: "unavailable",
}
"""Of errors that have no word of their own for programs."""

TOTAL, REQUEST, SUBMITTED, STARTED, STAMP = "total", "request", "submitted_at_ms", "started_at_ms", "stamp"
DONE, IS_CANCELLED, CRASHES, LOST_BY, WAITS_AT = "done", "is_cancelled", "crashes", "lost_by", "waits_at"
"""What we keep with a workflow, as its attributes."""

NEVER_LOST: Mapping[str, Any] = {CRASHES: 0, LOST_BY: [], WAITS_AT: ""}
"""How often a job was lost since it last got on, and by whom; and who has it, but has not yet begun with it."""

KEPT_OF: Mapping[JobStatus, dict[str, Any]] = {
    JobStatus.CANCELLED: {IS_CANCELLED: True},
    JobStatus.TIMED_OUT: {IS_CANCELLED: False},
}
"""By which those are told apart that to DBOS are the same."""


def attributes(request: bytes, total: int, now: Instant, stamp: str) -> dict[str, Any]:
    """What is kept with a new job."""
    asked = {TOTAL: total, REQUEST: sha256(request).hexdigest(), SUBMITTED: now, STAMP: stamp}
    return {**asked, DONE: 0.0, IS_CANCELLED: False, **NEVER_LOST}


def job_of(row: WorkflowStatus) -> Job:
    """The job that a row is about."""
    kept = row.attributes or {}
    status = status_of(row)
    total = int(kept.get(TOTAL, 1))
    submitted_at, started_at = _submitted_at(row), _started_at(row)
    return Job(
        id=JobId(row.workflow_id),
        kind=row.name,
        status=status,
        priority=_turned_priority(row.priority or 0),
        submitted_at=submitted_at,
        started_at=_not_before(submitted_at, started_at),
        ended_at=_not_before(submitted_at, row.completed_at if status.is_ended else None),
        done=total if status is JobStatus.SUCCEEDED else float(kept.get(DONE, 0.0)),
        total=total,
        attempts=row.recovery_attempts or 0,
        error=_error_of(row) if status is JobStatus.FAILED else None,
        stamp=str(kept.get(STAMP, "")),
    )


def status_of(row: WorkflowStatus) -> JobStatus:
    """Where its job stands. DBOS cancels both what a person cancels and what runs out of time."""
    status = _STATUS_OF[row.status]
    if status is JobStatus.CANCELLED and not (row.attributes or {}).get(IS_CANCELLED):
        return JobStatus.TIMED_OUT
    return status


def theirs_of_priority(priority: int) -> int:
    """DBOS's priority of ours: theirs is the sooner the lower, and at least 1. InvalidInput beyond our bounds."""
    if not LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY:
        allowed = f"{LOWEST_PRIORITY} to {HIGHEST_PRIORITY}"
        raise InvalidInput("priority", "is out of bounds", found=priority, allowed=allowed)
    return _turned_priority(priority)


def text_of(request: bytes) -> str:
    """A request as DBOS keeps it."""
    return b64encode(request).decode()


def request_of(kept: str) -> bytes:
    """The request that was kept."""
    return b64decode(kept)


def outcome_of(error: Exception) -> PortableWorkflowError:
    """How DBOS is told of what a work raised."""
    if isinstance(error, Failed):
        return failure(error.kind, error.reason)
    field = error.field if isinstance(error, InvalidInput) else ""
    for kind, word in _KINDS.items():
        if isinstance(error, kind):
            return failure(word, str(error), field)
    return failure("internal", f"{type(error).__name__}: {error}")


def failure(kind: str, message: str, field: str = "") -> PortableWorkflowError:
    """How DBOS is told why a job failed. Of an error's attributes it keeps the data, but not the name."""
    return PortableWorkflowError(message, kind, data={"kind": kind, "field": field})


def told_of(failure: PortableWorkflowError) -> str:
    """The same, as DBOS writes it down."""
    return DBOSPortableJSONSerializer().serialize(
        {"name": failure.name, "message": failure.message, "code": failure.code, "data": failure.data}
    )


def _error_of(row: WorkflowStatus) -> JobError:
    error = row.error
    if not isinstance(error, PortableWorkflowError):
        raise LocalProtocolError(f"job {row.workflow_id} failed and does not say why: {error!r}")
    kept = error.data if isinstance(error.data, dict) else {}
    return JobError(kind=str(kept.get("kind", "internal")), message=error.message, field=str(kept.get("field", "")))


def _submitted_at(row: WorkflowStatus) -> Instant:
    """When it was asked for: in SQLite DBOS notes no more than the second, and we when in it."""
    assert row.created_at is not None
    told = (row.attributes or {}).get(SUBMITTED, row.created_at)
    is_within = row.created_at % MS_PER_SECOND == 0 and row.created_at <= told < row.created_at + MS_PER_SECOND
    return int(told) if is_within else row.created_at


def _not_before(submitted_at: Instant, noted: Instant | None) -> Instant | None:
    """What was noted of the same second by its beginning, or by another clock."""
    return None if noted is None else max(submitted_at, noted)


def _started_at(row: WorkflowStatus) -> int | None:
    if row.dequeued_at is not None or row.status != "CANCELLED":  # which no longer says when it began
        return row.dequeued_at
    if row.workflow_deadline_epoch_ms is not None and row.workflow_timeout_ms is not None:
        return row.workflow_deadline_epoch_ms - row.workflow_timeout_ms
    kept: int | None = (row.attributes or {}).get(STARTED)
    return kept


def _turned_priority(priority: int) -> int:
    return HIGHEST_PRIORITY + 1 - priority
