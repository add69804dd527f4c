"""Plans: when cars are to charge, for prices and limits that are given. In W and Wh, as everything of our own."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.docs import body_of, says
from voltbench.apps.api.names import SITE_ID
from voltbench.apps.api.problems import problems
from voltbench.apps.plans import Plans
from voltbench.errors import NotFound
from voltbench.ocpp.v16.csms_profiles import Terms
from voltbench.ocpp.v16.messages import ChargingProfile
from voltbench.ocpp.v16.planned_profile import planned_profile
from voltbench.quantities import MS_PER_MINUTE
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


@router.get("/{plan_id}/cars/{car_id}/profile", responses=says(ChargingProfile) | problems(404, 422))
async def read_profile(
    plan_id: Named,
    car_id: Annotated[str, Path(description="A car's id in the plan")],
    plans: Service,
    unit: Annotated[Literal["W", "A"], Query(description="What the station is told its limits in")] = "W",
    phases: Annotated[int, Query(ge=1, le=3, description="Of the car, for limits in A")] = 3,
    voltage_v: Annotated[float, Query(gt=0, le=1_000, description="Line to neutral, for limits in A")] = 230.0,
    highest_level: Annotated[int, Query(ge=0, le=1_000, description="The highest stack level it takes")] = 90,
    transaction_id: Annotated[int | None, Query(description="For a TxProfile; without, a TxDefaultProfile")] = None,
) -> Response:
    """A car's part of a plan as `csChargingProfiles` of OCPP 1.6, for SetChargingProfile."""
    plan = msgspec.json.decode(await plans.told(plan_id), type=PlanView)
    car = next((one for one in plan.cars if one.id == car_id), None)
    if car is None:
        raise NotFound("car", car_id)
    ends_at = plan.starts_at_ms + len(plan.prices_per_kwh) * plan.slot_minutes * MS_PER_MINUTE
    profile = planned_profile(
        [(step.at_ms, step.power_w) for step in car.steps],
        plan.starts_at_ms,
        ends_at,
        terms=Terms(unit == "A", highest_level, voltage_v, phases),
        transaction_id=transaction_id,
    )
    return struct_answer(profile)
