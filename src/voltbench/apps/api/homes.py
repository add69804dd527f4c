"""The homes of this process: list, build, look at and delete. In W and Wh, as everything of our own."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Path
from starlette.requests import Request
from starlette.responses import Response

from voltbench.adapters.home_json import HomeTable
from voltbench.adapters.prices.day_prices import DayTariffTable
from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.docs import body_of, says
from voltbench.apps.api.names import SITE_ID
from voltbench.apps.api.problems import OF_A_SOURCE, problems
from voltbench.apps.homes import Homes, LiveHome
from voltbench.running.home.model import HomeModel, HomeState

router = APIRouter(prefix="/homes", tags=["homes"])

Named = Annotated[str, Path(description="A home's id, such as `default`")]
NewName = Annotated[str, Path(description="A new or known id", pattern=SITE_ID)]


class HomeView(msgspec.Struct, frozen=True):
    """A home. `moves` says how: `in_ticks` is the course's own, `exactly` a house on the engine.

    Its prices are in hundredths of the `currency`; `tariff` is what they were made from, if they were.
    """

    id: str
    moves: Literal["in_ticks", "exactly"]
    state: HomeState
    model: HomeModel
    currency: str
    tariff: DayTariffTable | None


class HomeSummary(msgspec.Struct, frozen=True):
    """A home, and how fast its time goes by: virtual seconds per second."""

    id: str
    moves: Literal["in_ticks", "exactly"]
    speed: float


class HomeList(msgspec.Struct, frozen=True):
    """Every home."""

    homes: list[HomeSummary]


async def _homes(request: Request) -> Homes:
    homes: Homes = request.app.state.homes
    return homes


Service = Annotated[Homes, Depends(_homes)]


async def named_home(home_id: Named) -> None:
    """Say in a route's description that its path names the home."""


@router.get("", responses=says(HomeList))
async def list_homes(homes: Service) -> Response:
    """Every home of this process."""
    return struct_answer(HomeList([HomeSummary(one.id, _moves(one), one.model.speed) for one in homes.all()]))


@router.get("/{home_id}", responses=says(HomeView) | problems(404))
async def read_home(home_id: Named, homes: Service) -> Response:
    """A home at one instant, and what it is made of."""
    return struct_answer(_view(homes.home(home_id)))


@router.put(
    "/{home_id}",
    responses=says(HomeView) | says(HomeView, 201) | problems(404, 409, 503) | OF_A_SOURCE,
    openapi_extra=body_of(HomeTable),
)
async def put_home(home_id: NewName, request: Request, homes: Service) -> Response:
    """Build a home (201), or build one anew (200). What the body leaves out is as in the course.

    A `tariff` is made into the prices of one day, which the home then repeats: 404 where they are not known, 502 or 503
    where whoever knows them makes no sense or does not answer.
    """
    is_new = await homes.ask(home_id, await request.body())
    return struct_answer(_view(homes.home(home_id)), 201 if is_new else 200)


@router.delete("/{home_id}", status_code=204, responses=problems(404, 409, 503))
async def delete_home(home_id: Named, homes: Service) -> None:
    """Delete a home. The default one stays."""
    await homes.delete(home_id)


def _view(home: LiveHome) -> HomeView:
    return HomeView(home.id, _moves(home), home.look(), home.model, home.model.currency, home.tariff)


def _moves(home: LiveHome) -> Literal["in_ticks", "exactly"]:
    return "in_ticks" if home.model.is_of_course else "exactly"
