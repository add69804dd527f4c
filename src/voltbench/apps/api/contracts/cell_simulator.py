"""The routes of the seed's four services: queue, job manager, simulator, database.

Where they answered 200 or 500 although something is wrong, we answer with a 4xx that says what.
"""

from __future__ import annotations

import logging
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from voltbench.adapters.aside import aside
from voltbench.adapters.json_text import UnreadableJson
from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.docs import body_of, says
from voltbench.apps.api.problems import NO_NUL, problems
from voltbench.apps.cells import seed_models as contract
from voltbench.apps.cells.facing import Face
from voltbench.apps.cells.seed_models import (
    CELL,
    DRIVE_CYCLE,
    Kind,
    SeedAnswer,
    SeedAsked,
    SeedBrought,
    SeedStored,
)
from voltbench.errors import InvalidInput, Unavailable
from voltbench.jobs import JobStatus

_log = logging.getLogger(__name__)

queue = APIRouter(tags=["battery simulator"], responses=problems(503))
database = APIRouter(tags=["battery simulator"], responses=problems(503))
job_manager = APIRouter(tags=["battery simulator"], responses=problems(503))
simulator = APIRouter(tags=["battery simulator"], responses=problems(503))
ROUTERS = (queue, simulator, job_manager, database)

EMPTY = "Queue is empty"
CREATED = "Simulation created successfully"
_INVALID = "invalid_input"


class SeedError(msgspec.Struct, frozen=True):
    """What is wrong with a body that cannot be read."""

    error: str


async def _face(request: Request) -> Face:
    face: Face | None = request.app.state.face
    if face is None:
        raise Unavailable("cells are not simulated here: pip install 'voltbench[cells]'")
    return face


Service = Annotated[Face, Depends(_face)]

_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "Successful Response", "content": {"text/plain": {"schema": {"type": "string"}}}}
}
_ANSWERS = says(SeedAnswer) | says(SeedError, 400) | says(SeedAnswer, 409) | says(SeedAnswer, 422)


@queue.post(
    "/queue/publish",
    response_class=PlainTextResponse,
    responses=_TEXT | says(SeedError, 400) | says(SeedAnswer, 422),
    openapi_extra=body_of(SeedAsked),
)
async def publish(request: Request, face: Service) -> Response:
    """Ask for a simulation; the number in the answer finds it at `/getSimulation/{id}` once it has ended."""
    body = await request.body()
    try:
        number = await face.seed.publish(await aside(lambda: contract.asked_in(body)))
    except InvalidInput as error:
        return _refusal(error, await aside(lambda: contract.kind_in(body)))
    return PlainTextResponse(f"Simulation Data sent to Rabbit MQ. \nYour simulation ID is: {number}")


@queue.get("/string/publish", response_class=PlainTextResponse, responses=_TEXT)
async def publish_text(message: Annotated[str, Query(max_length=10_000, pattern=NO_NUL)], face: Service) -> Response:
    """Send a text to the broker, if there is one; nobody does anything with it."""
    if face.broker is not None:
        await face.broker.publish_text(message)
    else:
        _log.info("a text for the broker, which there is none: %r", message[:200])
    return PlainTextResponse("Message sent to RabbitMQ ...")


@simulator.post("/cell/simulate", responses=_ANSWERS, openapi_extra=body_of(SeedAsked))
async def simulate_cell(request: Request, face: Service) -> Response:
    """Discharge a cell with one current, and wait for the result."""
    return await _simulated(await request.body(), CELL, face)


@simulator.post("/drivecycle/simulate", responses=_ANSWERS, openapi_extra=body_of(SeedAsked))
async def simulate_drive_cycle(request: Request, face: Service) -> Response:
    """Drive the cell through US06, and wait for the result. At a cut-off voltage it stops, and says so."""
    return await _simulated(await request.body(), DRIVE_CYCLE, face)


@job_manager.get("/getSimulation", response_class=PlainTextResponse, responses=_TEXT)
async def read_latest(face: Service) -> Response:
    """The latest result of any user, as JSON in a text."""
    latest = await face.seed.latest()
    return PlainTextResponse(EMPTY if latest is None else msgspec.json.encode(latest))


@database.post(
    "/createSimulation",
    response_class=PlainTextResponse,
    responses=_TEXT | {422: {"description": contract.UNPARSABLE, "content": {"text/plain": {}}}},
    openapi_extra=body_of(SeedBrought),
)
async def create_simulation(request: Request, face: Service) -> Response:
    """Keep an answer of the simulator, under the next number."""
    try:
        await face.seed.bring(await request.body())
    except InvalidInput as error:
        return PlainTextResponse(f"{contract.UNPARSABLE}: {error}", 422)
    return PlainTextResponse(CREATED)


@database.get("/getSimulation/{id}", responses=says(SeedStored) | problems(404))
async def read_stored(id: Annotated[int, Path(ge=0, le=contract.MOST_NUMBER)], face: Service) -> Response:
    """A simulation that has ended."""
    return struct_answer(await face.seed.stored(id))


async def _simulated(body: bytes, kind: Kind, face: Face) -> Response:
    try:
        job, answer = await face.seed.simulate(await aside(lambda: contract.asked_in(body, kind)))
    except InvalidInput as error:
        return _refusal(error, kind)
    if job.status is JobStatus.SUCCEEDED:
        return struct_answer(answer)
    is_theirs = job.error is not None and job.error.kind == _INVALID
    return struct_answer(answer, 422 if is_theirs else 409)


def _refusal(error: InvalidInput, kind: Kind | None) -> Response:
    if isinstance(error, UnreadableJson):
        return struct_answer(SeedError(str(error)), 400)
    refused = SeedAnswer(job_started=False, simulation_type=kind, simulation_results=None, error=str(error))
    return struct_answer(refused, 422)
