"""Cell simulations: asked for, followed, and told. In W, Wh, V, A; positive is charging."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query
from pydantic import StringConstraints
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from voltbench.adapters.aside import aside
from voltbench.adapters.record_files.forms import MEDIA_TYPES, Form, in_form
from voltbench.adapters.record_files.thin import thinned
from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.docs import body_of, says
from voltbench.apps.api.problems import ONE_RECORD, WEB_ADDRESS, problems
from voltbench.apps.api.streams import HEADERS, STILL_HERE, STREAM, Listening, Streams, event, with_heartbeats
from voltbench.apps.cells.facing import Face
from voltbench.apps.cells.service import MOST_COMPARED, Cells, Terms
from voltbench.apps.cells.told import (
    ComparisonTold,
    Refusable,
    SimulationsTold,
    SimulationTold,
    SweepTold,
)
from voltbench.battery.record import Record
from voltbench.battery.simulation import Simulation
from voltbench.battery.sweep import Batch
from voltbench.errors import InvalidInput, Unavailable
from voltbench.jobs import HIGHEST_PRIORITY, LOWEST_PRIORITY, JobStatus

router = APIRouter(prefix="/simulations", tags=["simulations"], responses=problems(503))

Id = Annotated[str, Path(description="A simulation's id, as it was told when it was asked for", max_length=100)]
OneOfThem = Annotated[str, StringConstraints(max_length=120, pattern=ONE_RECORD)]
MOST_ROWS = 1_000_000
FIRST = "The higher, the sooner; of equals, single simulations before sweeps, and then as they were asked for"
LAST_MS = 253_402_300_799_999
"""The end of the year 9999, behind which there are no dates."""


async def _cells(request: Request) -> Cells:
    cells: Cells | None = request.app.state.cells
    if cells is None:
        raise Unavailable("cells are not simulated here: pip install 'voltbench[cells]'")
    return cells


Service = Annotated[Cells, Depends(_cells)]


async def _terms(
    priority: Annotated[int, Query(ge=LOWEST_PRIORITY, le=HIGHEST_PRIORITY, description=FIRST)] = 0,
    timeout_s: Annotated[
        float | None,
        Query(
            gt=0, le=604_800, description="From when it begins; then it is `timed_out`. One alone may be solved so long"
        ),
    ] = None,
    idempotency_key: Annotated[
        str | None, Header(max_length=200, description="Asked again with it, a request is the same simulation")
    ] = None,
) -> Terms:
    return Terms(priority, timeout_s, idempotency_key)


Told = Annotated[Terms, Depends(_terms)]


async def _notified(
    request: Request,
    notify: Annotated[
        str | None,
        Query(
            max_length=2_000,
            pattern=WEB_ADDRESS,
            description="Where it is told when it has ended: a signed POST to a host that the operator allowed",
        ),
    ] = None,
) -> str | None:
    if notify is not None:
        face: Face | None = request.app.state.face
        if face is None:
            raise Unavailable("nobody is told of simulations here")
        face.webhooks.check(notify)
    return notify


Notify = Annotated[str | None, Depends(_notified)]


async def _noted(request: Request, told: SimulationTold, notify: str | None) -> Response:
    if notify is not None:
        await request.app.state.face.notify(told.id, notify)
    return _accepted(told)


def _accepted(told: SimulationTold) -> Response:
    return struct_answer(told, 202, {"Location": told.links.self})


@router.post(
    "", status_code=202, responses=says(SimulationTold, 202) | problems(409), openapi_extra=body_of(Simulation)
)
async def simulate(request: Request, cells: Service, terms: Told, notify: Notify) -> Response:
    """Ask for a simulation of a cell. What is asked a second time is answered from what is kept."""
    return await _noted(request, await cells.simulate(await request.body(), terms), notify)


@router.post(
    ":batch", status_code=202, responses=says(SimulationTold, 202) | problems(409), openapi_extra=body_of(Batch)
)
async def sweep(request: Request, cells: Service, terms: Told, notify: Notify) -> Response:
    """Ask for many simulations that differ in some places: a grid, a list, or a Latin hypercube."""
    return await _noted(request, await cells.sweep(await request.body(), terms), notify)


@router.post(":validate", responses=says(Refusable), openapi_extra=body_of(Simulation))
async def validate(request: Request, cells: Service) -> Response:
    """Whether a simulation would be accepted, and about how long it would be solved."""
    return struct_answer(await cells.validate(await request.body()))


@router.get(":compare", responses=says(ComparisonTold) | problems(404, 409))
async def compare(
    cells: Service,
    id: Annotated[
        list[OneOfThem],
        Query(min_length=2, max_length=MOST_COMPARED, description="Two or more; a point of a sweep is `ID/NUMBER`"),
    ],
) -> Response:
    """How far the voltages of some simulations are from the first one's."""
    return struct_answer(await cells.compare(id))


@router.get("", responses=says(SimulationsTold))
async def list_simulations(
    cells: Service,
    status: Annotated[JobStatus | None, Query(description="Only those that stand so")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    before_ms: Annotated[
        int | None, Query(ge=0, le=LAST_MS, description="Only those that were asked for before")
    ] = None,
) -> Response:
    """Simulations and sweeps, newest first."""
    return struct_answer(await cells.simulations(status, limit, before_ms))


@router.get("/{simulation_id}", responses=says(SimulationTold) | problems(404))
async def read_simulation(simulation_id: Id, cells: Service) -> Response:
    """How a simulation stands."""
    return struct_answer(await cells.simulation(simulation_id))


@router.delete("/{simulation_id}", responses=says(SimulationTold) | problems(404, 409))
async def cancel(simulation_id: Id, cells: Service) -> Response:
    """Cancel a simulation that has not ended."""
    return struct_answer(await cells.cancel(simulation_id))


@router.post("/{simulation_id}/retry", responses=says(SimulationTold) | problems(404, 409))
async def retry(simulation_id: Id, cells: Service) -> Response:
    """Queue a simulation again that failed, was cancelled or ran out of time."""
    return struct_answer(await cells.retry(simulation_id))


# --- results ----------------------------------------------------------------------------------------------------------

_RECORD: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The record: its columns, how it ended, and what it was made with",
        "content": {media: {} for media in MEDIA_TYPES.values()},
    }
}

Columns = Annotated[str | None, Query(description="Names of columns, with commas between; all of them without it")]
Points = Annotated[int | None, Query(ge=2, le=MOST_ROWS, description="At most so many rows, the extremes among them")]


@router.get("/{simulation_id}/results", responses=_RECORD | problems(404, 409))
async def read_results(
    simulation_id: Id,
    cells: Service,
    columns: Columns = None,
    points: Points = None,
    format: Annotated[Form, Query(description="How the record is written")] = "json",
) -> Response:
    """The record of a simulation, in columns; of a sweep, that of its first point."""
    return await _record(await cells.record(simulation_id), columns, points, format)


@router.get("/{simulation_id}/points", responses=says(SweepTold) | problems(404))
async def read_points(
    simulation_id: Id,
    cells: Service,
    first: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=5_000)] = 1_000,
) -> Response:
    """What the points of a sweep came to: the figures of each, or why there are none."""
    return struct_answer(await cells.table(simulation_id, first, limit))


@router.get("/{simulation_id}/points/{number}/results", responses=_RECORD | problems(404, 409))
async def read_point(
    simulation_id: Id,
    number: Annotated[int, Path(ge=0, le=1_000_000)],
    cells: Service,
    columns: Columns = None,
    points: Points = None,
    format: Annotated[Form, Query(description="How the record is written")] = "json",
) -> Response:
    """The record of one point of a sweep."""
    return await _record(await cells.record(simulation_id, number), columns, points, format)


async def _record(record: Record, columns: str | None, points: int | None, form: Form) -> Response:
    thin = record if points is None else await aside(lambda: thinned(record, points))
    if columns is not None:
        names = tuple(dict.fromkeys(columns.split(",")))
        unknown = [name for name in names if name not in thin.columns]
        if unknown:
            raise InvalidInput("columns", "are not in the record", found=unknown[0], allowed=", ".join(thin.columns))
        thin = thin.only(names)
    return Response(await aside(lambda: in_form(thin, form)), media_type=MEDIA_TYPES[form])


# --- progress ---------------------------------------------------------------------------------------------------------


@router.get("/{simulation_id}/events", response_class=StreamingResponse, responses=STREAM | problems(404))
async def stream_progress(simulation_id: Id, request: Request, cells: Service) -> StreamingResponse:
    """Server-sent events: `Simulation` as it stands, whenever that has changed, until it has ended."""
    await cells.simulation(simulation_id)  # one that is not there is told before the stream begins
    told = _progress(cells, simulation_id, request.app.state.streams)
    return StreamingResponse(told, media_type="text/event-stream", headers=HEADERS)


async def _progress(cells: Cells, id: str, streams: Streams) -> AsyncIterator[bytes]:
    listening = Listening(cells.follow(id))
    with streams.listening(listening):
        async for told in with_heartbeats(listening):
            yield STILL_HERE if told is None else event("Simulation", told)
