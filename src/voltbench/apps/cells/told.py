"""What is told of simulations: how a job stands, what a sweep came to, how far records are apart."""

from __future__ import annotations

from typing import Any

import msgspec

from voltbench.battery.analysis import Difference, Figures
from voltbench.jobs import Job, JobError, JobStatus
from voltbench.quantities import Instant


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """Where more is told."""

    self: str
    results: str
    events: str


class SimulationTold(msgspec.Struct, frozen=True, kw_only=True):
    """How a simulation, or a sweep of them, stands: `done` of `total` are solved, `progress` is 0 to 1."""

    id: str
    kind: str
    status: JobStatus
    progress: float
    done: float
    total: int
    priority: int
    attempts: int
    submitted_at_ms: Instant
    started_at_ms: Instant | None
    ended_at_ms: Instant | None
    error: JobError | None
    links: Links


class SimulationsTold(msgspec.Struct, frozen=True, kw_only=True):
    """Simulations, newest first; `next_before_ms` asks for those before them."""

    simulations: list[SimulationTold]
    next_before_ms: Instant | None


class PointTold(msgspec.Struct, frozen=True, kw_only=True):
    """A point of a sweep: what it has in each place that varies, and what came of it, once it is solved."""

    number: int
    point: dict[str, Any]
    figures: Figures | None
    error: JobError | None


class SweepTold(msgspec.Struct, frozen=True, kw_only=True):
    """Some points of a sweep. `solved` and `failed` count all of its points."""

    total: int
    solved: int
    failed: int
    first: int
    points: list[PointTold]


class ComparedTold(msgspec.Struct, frozen=True, kw_only=True):
    """A record among those that are compared; `difference` is from the first one."""

    id: str
    point: int
    figures: Figures
    difference: Difference


class ComparisonTold(msgspec.Struct, frozen=True, kw_only=True):
    """How far records are from the first of them."""

    compared: list[ComparedTold]


class Refusable(msgspec.Struct, frozen=True, kw_only=True):
    """That a request makes sense: for which cell, and about how long it would be solved."""

    cell: str
    model: str
    total: int
    about_s: float


def told(job: Job) -> SimulationTold:
    """How a job stands."""
    here = f"/simulations/{job.id}"
    return SimulationTold(
        id=job.id,
        kind=job.kind,
        status=job.status,
        progress=round(job.progress, 6),
        done=job.done,
        total=job.total,
        priority=job.priority,
        attempts=job.attempts,
        submitted_at_ms=job.submitted_at,
        started_at_ms=job.started_at,
        ended_at_ms=job.ended_at,
        error=job.error,
        links=Links(self=here, results=f"{here}/results", events=f"{here}/events"),
    )
