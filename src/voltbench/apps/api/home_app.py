"""The routes of homes, and the application that has nothing else: `voltbench home`."""

from __future__ import annotations

from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel

from voltbench import __version__
from voltbench.apps.api import homes
from voltbench.apps.api.contracts import course_home
from voltbench.apps.api.contracts.course_door import CourseDoor
from voltbench.apps.api.docs import DescribedAPI
from voltbench.apps.api.making import made_app
from voltbench.apps.api.problems import problems
from voltbench.apps.api.trust import Trust
from voltbench.apps.homes import Homes

_DESCRIPTION = """\
A home with a car, live: the home station of the course "Battery Management Services". Its routes (kW, kWh, percent) are
there for the default home at their own paths, and for every home under `/homes/{home_id}`, for pages of any origin. The
routes of homes themselves speak W and Wh. What the original answers with 500 is a problem detail here (RFC 9457).
"""

health = APIRouter(tags=["health"])


class HomesHealth(BaseModel):
    """How many homes there are."""

    status: str
    version: str
    homes: int


@health.get("/health")
async def read_health(service: homes.Service) -> HomesHealth:
    """Whether the homes are there."""
    return HomesHealth(status="ok", version=__version__, homes=len(service.all()))


def include_homes(app: FastAPI) -> None:
    """Let an application have the routes of homes, all but the home station's `/`."""
    app.include_router(course_home.router)
    app.include_router(
        course_home.router, prefix="/homes/{home_id}", dependencies=[Depends(homes.named_home)], responses=problems(404)
    )
    app.include_router(homes.router)


def make_home_app(service: Homes, trust: Trust) -> DescribedAPI:
    """The application over these homes alone, open to whom is trusted."""
    app = made_app("voltbench home", _DESCRIPTION, _include_routes, trust, None, homes=service)
    app.add_middleware(CourseDoor, has_root=True)
    return app


def _include_routes(app: FastAPI) -> None:
    app.include_router(course_home.root)
    include_homes(app)
    app.include_router(health)
