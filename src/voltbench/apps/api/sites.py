"""The sites of this process: list, make, look at, limit, hurry and delete. In W, as everything of our own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from voltbench.adapters import station_json
from voltbench.apps.api.addressing import Service, struct_answer
from voltbench.apps.api.bodies import PlainRoute
from voltbench.apps.api.docs import body_of, says
from voltbench.apps.api.names import ONE_LINE, SITE_ID
from voltbench.apps.api.problems import problems
from voltbench.running.inputs import SetLimit
from voltbench.running.views import SiteView

router = APIRouter(prefix="/sites", tags=["sites"], route_class=PlainRoute)

Named = Annotated[str, Path(description="A site's id, such as `demo`")]
NewName = Annotated[str, Path(description="A new or known id", pattern=SITE_ID)]


class _Asked(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Speed(_Asked):
    """Virtual seconds per second."""

    speed: float = Field(gt=0, le=100_000, allow_inf_nan=False)


class LimitAsked(_Asked):
    """A limit that somebody sets on a part of the site, such as `grid` or a charger; null takes it back."""

    node: str = Field(examples=["grid"], max_length=255)
    source: str = Field(examples=["grid operator"], min_length=1, max_length=255, pattern=ONE_LINE)
    power_w: float | None = Field(ge=0, le=1e9, allow_inf_nan=False)


class SiteSummary(BaseModel):
    """A site, and how fast its time goes by."""

    id: str
    speed: float


class Sites(BaseModel):
    """Every site."""

    sites: list[SiteSummary]


@router.get("")
async def list_sites(sites: Service) -> Sites:
    """Every site of this process."""
    return Sites(sites=[SiteSummary(id=id, speed=sites.speed(id)) for id in sites.ids()])


@router.get("/{site_id}", responses=says(SiteView) | problems(404))
async def read_site(site_id: Named, sites: Service) -> Response:
    """A site at one instant: limits, battery, chargers, connectors, sessions."""
    return struct_answer(await sites.status(site_id))


@router.put(
    "/{site_id}",
    responses=says(station_json.StationConfig) | says(station_json.StationConfig, 201) | problems(409),
    openapi_extra=body_of(station_json.StationConfig),
)
async def put_site(site_id: NewName, request: Request, sites: Service) -> Response:
    """Make a site (201), or replace the configuration of one and end its sessions (200)."""
    config = station_json.parse(await request.body())
    if site_id in sites.ids():
        await sites.replace(site_id, config)
        return struct_answer(config)
    await sites.create(site_id, config)
    return struct_answer(config, 201)


@router.delete("/{site_id}", status_code=204, responses=problems(404, 409))
async def delete_site(site_id: Named, sites: Service) -> None:
    """Delete a site, with its sessions and its history. The default site and the demo stay."""
    await sites.delete(site_id)


@router.put("/{site_id}/limits", responses=says(SiteView) | problems(404, 409))
async def set_limit(site_id: Named, asked: LimitAsked, sites: Service) -> Response:
    """Limit a part of the site, beside what others limit it to: the lowest counts."""
    return struct_answer(await sites.take(site_id, SetLimit(asked.node, asked.source, asked.power_w)))


@router.put("/{site_id}/speed", responses=problems(404, 409))
async def set_speed(site_id: Named, asked: Speed, sites: Service) -> Speed:
    """Let the time of the demo go by at another speed."""
    sites.set_speed(site_id, asked.speed)
    return asked
