"""Whether we are well."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from voltbench import __version__
from voltbench.apps.api.addressing import Service
from voltbench.errors import Unavailable

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """`ok`: the sites live, and the store keeps what they are told. `degraded`: it does not, for this reason."""

    status: str
    version: str
    sites: int
    reason: str | None = None


_DEGRADED: dict[int | str, dict[str, Any]] = {503: {"model": Health, "description": "What we are told is not kept"}}


@router.get("/health", responses=_DEGRADED, response_model_exclude_none=True)
async def read_health(sites: Service, response: Response) -> Health:
    """`ok` with 200; `degraded` with 503 while the store cannot keep what we are told, until it can again."""
    health = Health(status="ok", version=__version__, sites=len(sites.ids()))
    try:
        await sites.well()
    except Unavailable as error:
        response.status_code, response.headers["Retry-After"] = 503, "1"
        return health.model_copy(update={"status": "degraded", "reason": str(error)})
    return health
