"""The service: simulations are asked for, followed, and told what they came to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from voltbench.adapters.aside import aside
from voltbench.adapters.cell_results import CellResults
from voltbench.adapters.cells.asked import stamp
from voltbench.adapters.cells.task import decode, known
from voltbench.apps.cells import asked, cost
from voltbench.apps.cells.asked import SIMULATION, SWEEP
from voltbench.apps.cells.told import (
    ComparedTold,
    ComparisonTold,
    PointTold,
    Refusable,
    SimulationsTold,
    SimulationTold,
    SweepTold,
    told,
)
from voltbench.battery.analysis import Figures, difference, figures
from voltbench.battery.record import Record
from voltbench.battery.sweep import Point
from voltbench.errors import Conflict, Failed, InvalidInput, NotFound
from voltbench.jobs import HIGHEST_PRIORITY, LOWEST_PRIORITY, Job, JobError, JobId, Jobs, JobStatus
from voltbench.quantities import Instant

MOST_COMPARED = 50
MOST_POINTS_TOLD = 5_000

MOST_READ_AT_ONCE = 2
"""Sweeps that are checked, beside everything else: some take minutes, and all others answer in between."""

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Terms:
    """How a simulation is to be done. One with a key that was used is the one that was asked for then."""

    priority: int = 0
    timeout_s: float | None = None
    idempotency_key: str | None = None

    def __post_init__(self) -> None:
        if not LOWEST_PRIORITY <= self.priority <= HIGHEST_PRIORITY:
            allowed = f"{LOWEST_PRIORITY} to {HIGHEST_PRIORITY}"
            raise InvalidInput("priority", "is out of range", found=self.priority, allowed=allowed)


class Cells:
    """Cell simulations: as jobs, with results that are kept once for each input."""

    def __init__(self, jobs: Jobs, results: CellResults) -> None:
        self.jobs = jobs
        self.results = results
        self._reading = asyncio.Semaphore(MOST_READ_AT_ONCE)

    # --- asking ---------------------------------------------------------------------------------------------------

    async def simulate(self, body: bytes, terms: Terms) -> SimulationTold:
        """Ask for the simulation that a JSON text describes. On return it will not be lost."""
        request = await aside(lambda: asked.request_of(asked.simulation_in(body)))
        return await self._submit(SIMULATION, request, 1, terms)

    async def sweep(self, body: bytes, terms: Terms) -> SimulationTold:
        """Ask for a sweep."""

        def read() -> tuple[bytes, int]:
            request = asked.request_of(asked.batch_in(body))
            return request, asked.count(SWEEP, request)

        request, total = await self._in_turn(read)
        return await self._submit(SWEEP, request, total, terms)

    async def validate(self, body: bytes) -> Refusable:
        """Whether a simulation makes sense, without asking for it. Raises what `simulate` would raise."""
        simulation = await aside(lambda: asked.simulation_in(body))
        about_s = round(cost.seconds(simulation), 4)
        cell = simulation.cell if simulation.bpx is None else (await aside(lambda: known(simulation))).name
        return Refusable(cell=cell, model=simulation.model, total=1, about_s=about_s)

    async def cancel(self, id: str) -> SimulationTold:
        """End one that has not ended."""
        return told(await self.jobs.cancel(JobId(id)))

    async def retry(self, id: str) -> SimulationTold:
        """Ask again for one that failed, was cancelled or ran out of time."""
        return told(await self.jobs.retry(JobId(id)))

    # --- how it stands --------------------------------------------------------------------------------------------

    async def simulation(self, id: str) -> SimulationTold:
        """One, as it stands. Raises NotFound."""
        return told(await self.jobs.job(JobId(id)))

    async def simulations(self, status: JobStatus | None, limit: int, before: Instant | None) -> SimulationsTold:
        """Those there are, newest first."""
        found = await self.jobs.jobs(status=status, limit=limit, before=before)
        ours = [told(job) for job in found if job.kind in (SIMULATION, SWEEP)]
        is_more = len(found) >= limit
        return SimulationsTold(simulations=ours, next_before_ms=found[-1].submitted_at if is_more else None)

    async def follow(self, id: str) -> AsyncIterator[SimulationTold]:
        """One as it stands, and whenever that has changed, until it has ended."""
        async for job in self.jobs.follow(JobId(id)):
            yield told(job)

    # --- what it came to ------------------------------------------------------------------------------------------

    async def record(self, id: str, point: int = 0) -> Record:
        """The record of a simulation, or of a point of a sweep.

        Raises NotFound; Conflict where it is not solved yet; Failed where nothing came of it.
        """
        job, request = await self._job(id)
        if not 0 <= point < job.total:
            raise NotFound("point", f"{id}/{point}")
        hash = await aside(lambda: asked.hash_of(job.kind, request, point, job.stamp))
        found = await self.results.result(hash)
        if found is None:
            raise _not_there(job)
        if not found.is_record:
            error = msgspec.json.decode(found.answer, type=JobError)
            raise Failed(error.kind, error.message)
        record = await aside(lambda: decode(found.answer))
        assert isinstance(record, Record)
        return record

    async def table(self, id: str, first: int, limit: int) -> SweepTold:
        """What some points of a sweep came to. Raises NotFound."""
        job, request = await self._job(id)
        hashes = await aside(lambda: asked.hashes(job.kind, request, job.stamp))
        came_to = await self.results.figures(hashes)
        some = range(first, min(job.total, first + min(limit, MOST_POINTS_TOLD)))
        failed = {hashes[number] for number in some if came_to.get(hashes[number], b"") is None}
        errors = await self.results.errors(failed)

        def made() -> SweepTold:
            points = asked.points_of(request) if job.kind == SWEEP else [{}]
            rows = [_point(number, points[number], came_to, errors, hashes[number]) for number in some]
            solved = sum(came_to.get(hash) is not None for hash in hashes)
            failed = sum(came_to.get(hash, b"") is None for hash in hashes)
            return SweepTold(total=job.total, solved=solved, failed=failed, first=first, points=rows)

        return await aside(made)

    async def compare(self, ids: list[str]) -> ComparisonTold:
        """How far the records of some simulations are from the first one's. A point of a sweep is `ID/NUMBER`."""
        if not 2 <= len(ids) <= MOST_COMPARED:
            raise InvalidInput("id", "are too many or too few", found=len(ids), allowed=f"2 to {MOST_COMPARED}")
        named = [_named(id) for id in ids]
        records = [await self.record(id, point) for id, point in named]

        def compared() -> list[ComparedTold]:
            return [
                ComparedTold(id=id, point=point, figures=figures(record), difference=difference(records[0], record))
                for (id, point), record in zip(named, records, strict=True)
            ]

        return ComparisonTold(compared=await aside(compared))

    async def _in_turn(self, read: Callable[[], Read]) -> Read:
        """What is read of a sweep, while few others are. Its room is free when it has ended, whoever waits."""

        async def in_turn() -> Read:
            async with self._reading:
                return await aside(read)

        return await asyncio.shield(in_turn())

    async def _submit(self, kind: str, request: bytes, total: int, terms: Terms) -> SimulationTold:
        job = await self.jobs.submit(
            kind,
            request,
            total=total,
            priority=terms.priority,
            timeout_s=terms.timeout_s,
            idempotency_key=terms.idempotency_key,
            stamp=stamp(),
        )
        return told(job)

    async def _job(self, id: str) -> tuple[Job, bytes]:
        job = await self.jobs.job(JobId(id))
        return job, await self.jobs.request(job.id)


def _point(
    number: int, point: Point, came_to: Mapping[str, bytes | None], errors: Mapping[str, bytes], input_hash: str
) -> PointTold:
    made, error = came_to.get(input_hash), errors.get(input_hash)
    return PointTold(
        number=number,
        point=point,
        figures=None if made is None else msgspec.json.decode(made, type=Figures),
        error=None if error is None else msgspec.json.decode(error, type=JobError),
    )


def _named(id: str) -> tuple[str, int]:
    name, _, point = id.partition("/")
    if point and not point.isdecimal():
        raise InvalidInput("id", "names no point", found=id, allowed="ID, or ID/NUMBER")
    return name, int(point or 0)


def _not_there(job: Job) -> Exception:
    if job.error is not None:
        return Failed(job.error.kind, job.error.message)
    if job.status is JobStatus.SUCCEEDED:
        return NotFound("record", f"{job.id}; it is no longer kept")
    return Conflict("simulation", job.id, f"is {job.status}, and has no results")
