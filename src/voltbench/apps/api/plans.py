"""Plans: when cars are to charge, for prices and limits that are given. In W and Wh, as everything of our own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.docs import body_of, says
from voltbench.apps.api.names import SITE_ID
from voltbench.apps.api.problems import problems
from voltbench.apps.aside import aside
from voltbench.apps.peak_charge import PlanTold
from voltbench.apps.plan_request import PlanRequest
from voltbench.apps.plans import Plans
from voltbench.errors import NotFound
from voltbench.ocpp.v16.csms_profiles import Terms
from voltbench.ocpp.v16.messages import ChargingProfile
from voltbench.ocpp.v16.planned_profile import LARGEST_INTEGER, given_back_wh, planned_profile
from voltbench.quantities import MS_PER_MINUTE, Instant
from voltbench.running.planning import Step

router = APIRouter(prefix="/plans", tags=["plans"])

Named = Annotated[str, Path(description="A plan's id", pattern=SITE_ID)]

CANNOT_DISCHARGE = "OCPP 1.6 cannot discharge: where the plan gives back, the profile allows no power"


class ProfileTold(msgspec.Struct, frozen=True):
    """A car's part of a plan for SetChargingProfile. `left_out_wh` is what the plan gives back and no profile can."""

    profile: ChargingProfile = msgspec.field(name="csChargingProfiles")
    left_out_wh: float
    note: str | None


class KeptCar(msgspec.Struct, frozen=True):
    """What a profile needs of a car's schedule."""

    id: str
    steps: list[Step]


class KeptPlan(msgspec.Struct, frozen=True):
    """What a profile needs of a plan."""

    starts_at_ms: Instant
    slot_minutes: int
    prices_per_kwh: list[float]
    cars: list[KeptCar]


async def _plans(request: Request) -> Plans:
    plans: Plans = request.app.state.plans
    return plans


Service = Annotated[Plans, Depends(_plans)]


_OF_A_SOURCE: dict[int | str, dict[str, Any]] = {
    502: problems(503)[503] | {"description": "A source of prices makes no sense"}
}


@router.post(
    "",
    status_code=201,
    responses=says(PlanTold, 201) | problems(404, 503) | _OF_A_SOURCE,
    openapi_extra=body_of(PlanRequest),
)
async def make_plan(request: Request, plans: Service) -> Response:
    """Plan when cars charge: each has what it needs when it departs, as far as limits let it, at the least cost."""
    return Response(await plans.make(await request.body()), 201, media_type="application/json")


@router.get("/{plan_id}", responses=says(PlanTold) | problems(404))
async def read_plan(plan_id: Named, plans: Service) -> Response:
    """A plan, as it was told when it was made."""
    return Response(await plans.told(plan_id), media_type="application/json")


@router.get("/{plan_id}/cars/{car_id:path}/profile", responses=says(ProfileTold) | problems(404))
async def read_profile(
    plan_id: Named,
    car_id: Annotated[str, Path(description="A car's id in the plan; it may have slashes")],
    plans: Service,
    unit: Annotated[Literal["W", "A"], Query(description="What the station is told its limits in")] = "W",
    phases: Annotated[int, Query(ge=1, le=3, description="Of the car, for limits in A")] = 3,
    voltage_v: Annotated[float, Query(ge=50, le=1_000, description="Line to neutral, for limits in A")] = 230.0,
    highest_level: Annotated[int, Query(ge=0, le=1_000, description="The highest stack level it takes")] = 90,
    transaction_id: Annotated[
        int | None,
        Query(ge=-LARGEST_INTEGER - 1, le=LARGEST_INTEGER, description="For a TxProfile; without, a TxDefaultProfile"),
    ] = None,
) -> Response:
    """A car's part of a plan as `csChargingProfiles` of OCPP 1.6, for SetChargingProfile."""
    kept = await plans.told(plan_id)
    terms = Terms(unit == "A", highest_level, voltage_v, phases)
    return struct_answer(await aside(lambda: _profile(kept, car_id, terms, transaction_id)))


def _profile(kept: bytes, car_id: str, terms: Terms, transaction_id: int | None) -> ProfileTold:
    plan = msgspec.json.decode(kept, type=KeptPlan)
    car = next((one for one in plan.cars if one.id == car_id), None)
    if car is None:
        raise NotFound("car", car_id)
    ends_at = plan.starts_at_ms + len(plan.prices_per_kwh) * plan.slot_minutes * MS_PER_MINUTE
    steps = [(step.at_ms, step.power_w) for step in car.steps]
    profile = planned_profile(steps, plan.starts_at_ms, ends_at, terms=terms, transaction_id=transaction_id)
    left_out_wh = given_back_wh(steps, ends_at)
    return ProfileTold(profile, left_out_wh, CANNOT_DISCHARGE if left_out_wh else None)
