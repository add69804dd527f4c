"""Whether we are well."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from voltbench import __version__
from voltbench.apps.api.addressing import Service
from voltbench.apps.api.problems import problems
from voltbench.apps.sites import DEFAULT

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """We are well: the sites live, and the store keeps what they are told."""

    status: str
    version: str
    sites: int


@router.get("/health", responses=problems(503))
async def read_health(sites: Service) -> Health:
    """`ok` with 200, or 503 when the store cannot keep what we are told."""
    await sites.status(DEFAULT)
    return Health(status="ok", version=__version__, sites=len(sites.ids()))
