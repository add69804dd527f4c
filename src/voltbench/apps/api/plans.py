"""Plans: when cars are to charge, for prices and limits that are given. In W and Wh, as everything of our own."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from voltbench.adapters.aside import aside
from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.docs import body_of, says
from voltbench.apps.api.names import SITE_ID
from voltbench.apps.api.problems import OF_A_SOURCE, problems
from voltbench.apps.plan_request import PlanRequest
from voltbench.apps.plans import KeptPlan, Plans
from voltbench.errors import InvalidInput, NotFound
from voltbench.ocpp.limit_terms import Terms
from voltbench.ocpp.planned_limits import below_minimum_wh, given_back_wh, least_w
from voltbench.ocpp.v16 import messages as m16
from voltbench.ocpp.v16 import planned_profile as v16
from voltbench.ocpp.v201 import messages as m201
from voltbench.ocpp.v201 import planned_profile as v201
from voltbench.quantities import MS_PER_MINUTE, Instant
from voltbench.running.planning import PlanView

router = APIRouter(prefix="/plans", tags=["plans"])

Named = Annotated[str, Path(description="A plan's id", pattern=SITE_ID)]

VERSIONS, UNITS = ("1.6", "2.0.1"), ("W", "A")

CANNOT_DISCHARGE = "OCPP {version} cannot discharge: where the plan gives back, the profile allows no power"
BELOW_MINIMUM = (
    "on AC with {phases} of {voltage_v:g} V no car charges below 6 A (IEC 61851-1), which are {least_w:g} W: "
    "{below_wh:.0f} Wh are planned with less; min_power_w of the car keeps a plan above"
)


class ProfileTold(msgspec.Struct, frozen=True):
    """A car's part of a plan for SetChargingProfile of OCPP 1.6.

    `left_out_wh` is what the plan gives back and no profile can, and `below_minimum_wh` what it gives at less than 6 A
    a phase, at which no car charges on AC.
    """

    profile: m16.ChargingProfile = msgspec.field(name="csChargingProfiles")
    left_out_wh: float
    below_minimum_wh: float
    note: str | None


class Profile201Told(msgspec.Struct, frozen=True):
    """A car's part of a plan for SetChargingProfile of OCPP 2.0.1.

    `left_out_wh` is what the plan gives back and no profile can, and `below_minimum_wh` what it gives at less than 6 A
    a phase, at which no car charges on AC.
    """

    evse_id: int = msgspec.field(name="evseId")
    profile: m201.ChargingProfile = msgspec.field(name="chargingProfile")
    left_out_wh: float
    below_minimum_wh: float
    note: str | None


async def _plans(request: Request) -> Plans:
    plans: Plans = request.app.state.plans
    return plans


Service = Annotated[Plans, Depends(_plans)]


@router.post(
    "",
    status_code=201,
    responses=says(PlanView, 201) | problems(404, 503) | OF_A_SOURCE,
    openapi_extra=body_of(PlanRequest),
)
async def make_plan(request: Request, plans: Service) -> Response:
    """Plan when cars charge: each has what it needs when it departs, as far as limits let it, at the least cost."""
    return Response(await plans.make(await request.body()), 201, media_type="application/json")


@router.get("/{plan_id}", responses=says(PlanView) | problems(404))
async def read_plan(plan_id: Named, plans: Service) -> Response:
    """A plan, as it was told when it was made."""
    return Response(await plans.told(plan_id), media_type="application/json")


def _one(description: str, allowed: tuple[str, ...]) -> Any:
    """A query's parameter that is one of a few words."""
    return Query(description=description, json_schema_extra={"enum": list(allowed)})


def _require_one(field: str, found: str, allowed: tuple[str, ...]) -> None:
    if found not in allowed:
        raise InvalidInput(field, "is none of those known", found=found[:100], allowed=" or ".join(allowed))


def _one_of(*structs: type[msgspec.Struct]) -> dict[int | str, dict[str, Any]]:
    """How a route's description says that it answers with one of several structs."""
    each = [says(struct)[200]["content"]["application/json"]["schema"] for struct in structs]
    return {200: {"description": "Successful Response", "content": {"application/json": {"schema": {"oneOf": each}}}}}


@router.get("/{plan_id}/cars/{car_id:path}/profile", responses=_one_of(ProfileTold, Profile201Told) | problems(404))
async def read_profile(
    plan_id: Named,
    car_id: Annotated[str, Path(description="A car's id in the plan; it may have slashes")],
    plans: Service,
    ocpp: Annotated[str, _one("The version that the station speaks", VERSIONS)] = "1.6",
    unit: Annotated[str, _one("What the station is told its limits in", UNITS)] = "W",
    phases: Annotated[int, Query(ge=1, le=3, description="Of the car, for limits in A and its least power")] = 3,
    voltage_v: Annotated[float, Query(ge=50, le=1_000, description="Line to neutral, as for phases")] = 230.0,
    highest_level: Annotated[int, Query(ge=0, le=1_000, description="The highest stack level it takes")] = 90,
    evse_id: Annotated[int, Query(ge=0, le=v16.LARGEST_INTEGER, description="For OCPP 2.0.1; 0 is every EVSE")] = 1,
    transaction_id: Annotated[
        str | None, Query(description="For a TxProfile; without, a TxDefaultProfile. In OCPP 1.6 an integer")
    ] = None,
) -> Response:
    """A car's part of a plan for SetChargingProfile: `csChargingProfiles` of OCPP 1.6, or `chargingProfile` of 2.0.1.

    In 2.0.1 there is the `evseId` too.
    """
    _require_one("ocpp", ocpp, VERSIONS)
    _require_one("unit", unit, UNITS)
    kept = await plans.told(plan_id)
    terms = Terms(unit == "A", highest_level, voltage_v, phases)

    def told() -> ProfileTold | Profile201Told:
        plan = msgspec.json.decode(kept, type=KeptPlan)
        if ocpp == "1.6":
            return _in_16(plan, car_id, terms, transaction_id)
        return _in_201(plan, car_id, terms, transaction_id, evse_id)

    return struct_answer(await aside(told))


def _in_16(plan: KeptPlan, car_id: str, terms: Terms, transaction_id: str | None) -> ProfileTold:
    steps, starts_at, ends_at = _steps(plan, car_id)
    transaction = None if transaction_id is None else _integer("transaction_id", transaction_id)
    profile = v16.planned_profile(steps, starts_at, ends_at, terms=terms, transaction_id=transaction)
    return ProfileTold(profile, *_not_charged("1.6", steps, ends_at, terms))


def _in_201(plan: KeptPlan, car_id: str, terms: Terms, transaction_id: str | None, evse_id: int) -> Profile201Told:
    steps, starts_at, ends_at = _steps(plan, car_id)
    asked = v201.planned_profile(steps, starts_at, ends_at, terms=terms, evse_id=evse_id, transaction_id=transaction_id)
    return Profile201Told(asked.evse_id, asked.charging_profile, *_not_charged("2.0.1", steps, ends_at, terms))


def _integer(field: str, text: str) -> int:
    """An integer of OCPP 1.6. Raises InvalidInput."""
    allowed = f"an integer from {-v16.LARGEST_INTEGER - 1} to {v16.LARGEST_INTEGER}"
    if not re.fullmatch(r"-?[0-9]{1,10}", text) or not -v16.LARGEST_INTEGER - 1 <= int(text) <= v16.LARGEST_INTEGER:
        raise InvalidInput(field, "is not one of OCPP 1.6", found=text, allowed=allowed)
    return int(text)


def _steps(plan: KeptPlan, car_id: str) -> tuple[list[tuple[Instant, float]], Instant, Instant]:
    """The powers of a car, and when the plan begins and ends. Raises NotFound."""
    car = next((one for one in plan.cars if one.id == car_id), None)
    if car is None:
        raise NotFound("car", car_id)
    ends_at = plan.starts_at_ms + len(plan.prices_per_kwh) * plan.slot_minutes * MS_PER_MINUTE
    return [(step.at_ms, step.power_w) for step in car.steps], plan.starts_at_ms, ends_at


def _not_charged(
    version: str, steps: list[tuple[Instant, float]], ends_at: Instant, terms: Terms
) -> tuple[float, float, str | None]:
    """What no profile of that version can give back, what no car takes of it, and a note that says so."""
    left_out_wh, below_wh, notes = given_back_wh(steps, ends_at), below_minimum_wh(steps, ends_at, terms), list[str]()
    if left_out_wh:
        notes.append(CANNOT_DISCHARGE.format(version=version))
    if below_wh:
        phases = "one phase" if terms.phases == 1 else f"{terms.phases} phases"
        told = {"voltage_v": terms.voltage_v, "least_w": least_w(terms), "below_wh": below_wh}
        notes.append(BELOW_MINIMUM.format(phases=phases, **told))
    return left_out_wh, below_wh, "; ".join(notes) or None
