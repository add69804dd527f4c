"""What was: the sessions that ended, page by page, and the recorded time series. Instants in ms since the epoch."""

from __future__ import annotations

from typing import Annotated, cast

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from voltbench.adapters.telemetry import Telemetry
from voltbench.apps.api.addressing import Service, struct_answer
from voltbench.apps.api.docs import says
from voltbench.apps.api.names import CURSOR
from voltbench.apps.api.problems import problems
from voltbench.errors import InvalidInput, NotFound
from voltbench.quantities import MS_PER_HOUR, Instant, rfc3339
from voltbench.running.views import SessionView

router = APIRouter(prefix="/sites/{site_id}", tags=["history"], responses=problems(404))

MOST_PIECES = 10_000

Named = Annotated[str, Path(description="A site's id, such as `demo`")]
Moment = Annotated[int | None, Query(ge=0, lt=1 << 53, description="ms since the epoch")]


class SessionPage(msgspec.Struct, frozen=True):
    """Sessions that ended, the last one first. `next` goes on from here as `before`; null on the last page."""

    sessions: list[SessionView]
    next: str | None


class SeriesNames(BaseModel):
    """The time series of a site."""

    series: list[str]


class SeriesPart(msgspec.Struct, frozen=True):
    """Part of a time series: each value holds from its instant on. `next` is where the rest begins, if there is any."""

    series: str
    instants: list[Instant]
    values: list[float]
    next: Instant | None


@router.get("/history", responses=says(SessionPage))
async def list_ended_sessions(
    site_id: Named,
    sites: Service,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    before: Annotated[str | None, Query(description="`next` of the page before", pattern=CURSOR)] = None,
) -> Response:
    """The sessions that ended, the last one first."""
    page = await sites.sessions(site_id, limit, None if before is None else _position(before))
    return struct_answer(SessionPage(page, _cursor(page[-1]) if len(page) == limit else None))


@router.get("/telemetry")
async def list_series(request: Request, site_id: Named, sites: Service) -> SeriesNames:
    """The time series that are recorded of a site."""
    await sites.status(site_id)
    return SeriesNames(series=await _telemetry(request).names(site_id))


@router.get("/telemetry/{series:path}", responses=says(SeriesPart))
async def read_series(
    request: Request,
    site_id: Named,
    series: Annotated[str, Path(description="As `/telemetry` lists it")],
    sites: Service,
    start: Moment = None,
    end: Moment = None,
) -> Response:
    """A time series from `start` until before `end`: the last hour of the site's own time, if nothing is said."""
    now = (await sites.status(site_id)).at
    until = now + 1 if end is None else end
    since = until - MS_PER_HOUR if start is None else start
    if since > until:
        raise InvalidInput("start", "is after the end", found=rfc3339(since), allowed=f"before {rfc3339(until)}")
    return struct_answer(await _part(_telemetry(request), site_id, series, since, until))


async def _part(telemetry: Telemetry, site_id: str, series: str, start: Instant, end: Instant) -> SeriesPart:
    """The pieces of a series, beginning with the one that holds at the start."""
    held = await telemetry.holding(site_id, series, start)
    found = await telemetry.read(site_id, series, start, end, MOST_PIECES + 1)
    if held is None and not len(found.instants) and series not in await telemetry.names(site_id):
        raise NotFound("series", series)
    instants, values = found.instants.tolist(), found.values.tolist()
    if held is not None and held[0] < start < end:
        instants, values = [start, *instants], [held[1], *values]
    rest = instants[MOST_PIECES] if len(instants) > MOST_PIECES else None
    return SeriesPart(series, instants[:MOST_PIECES], values[:MOST_PIECES], rest)


def _telemetry(request: Request) -> Telemetry:
    return cast(Telemetry, request.app.state.telemetry)


def _cursor(session: SessionView) -> str:
    return f"{session.ended_at},{session.id}"


def _position(cursor: str) -> tuple[Instant, str]:
    """Where a page ends: the instant and the id of its last session."""
    ended_at, _, id = cursor.partition(",")
    return int(ended_at), id
