"""Plans: when cars are to charge, for prices and limits that are given. In W and Wh, as everything of our own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.requests import Request
from starlette.responses import Response

from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.docs import body_of, says
from voltbench.apps.api.names import SITE_ID
from voltbench.apps.api.problems import problems
from voltbench.apps.plans import Plans
from voltbench.running.planning import PlanAsked, PlanView

router = APIRouter(prefix="/plans", tags=["plans"])

Named = Annotated[str, Path(description="A plan's id", pattern=SITE_ID)]


async def _plans(request: Request) -> Plans:
    plans: Plans = request.app.state.plans
    return plans


Service = Annotated[Plans, Depends(_plans)]


@router.post("", status_code=201, responses=says(PlanView, 201) | problems(404, 503), openapi_extra=body_of(PlanAsked))
async def make_plan(request: Request, plans: Service) -> Response:
    """Plan when cars charge: each has what it needs when it departs, as far as limits let it, at the least cost."""
    view = await plans.make(await request.body())
    return struct_answer(view, 201)


@router.get("/{plan_id}", responses=says(PlanView) | problems(404))
async def read_plan(plan_id: Named, plans: Service) -> Response:
    """A plan, as it was told when it was made."""
    return Response(await plans.told(plan_id), media_type="application/json")
