"""The home station of the course: its routes for the default home, and for any home below `/homes/{id}`.

Where the original answers with status 200 although something is wrong, so do we; where it breaks down (500), we say
what is wrong.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from voltbench.apps.api.contracts import course_models as contract
from voltbench.apps.api.docs import body_of, says
from voltbench.apps.homes import DEFAULT, LiveHome
from voltbench.errors import InvalidInput

root = APIRouter(tags=["home station"])
"""Its front door, which only a server of its own has."""

MISSPELT = "Access-Control-Allow-orogin"
"""A header that the original sends."""


async def _addressed(request: Request) -> LiveHome:
    home: LiveHome = request.app.state.homes.home(request.path_params.get("home_id", DEFAULT))
    return home


Home = Annotated[LiveHome, Depends(_addressed)]

router = APIRouter(tags=["home station"], dependencies=[Depends(_addressed)])


def _json_of(schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": "Successful Response", "content": {"application/json": {"schema": schema}}}}


_NUMBER = {"type": "number"}
_NUMBERS = {"type": "array", "items": _NUMBER}


@root.get("/", responses=_json_of(_NUMBER))
@root.head("/", include_in_schema=False)
async def read_energy(home: Home) -> Response:
    """Energy in the car's battery, in kWh."""
    return contract.answer(contract.kilo(home.look().energy_wh))


@router.get("/info", responses=says(contract.CourseInfo))
async def read_info(home: Home) -> Response:
    """Time, load and battery."""
    return contract.answer(contract.info(home.look()), headers={MISSPELT: "*"})


@router.get("/baseload", responses=_json_of(_NUMBERS))
async def read_base_load(home: Home) -> Response:
    """What the household draws, in kW, in each hour of the day (or quarter hour)."""
    return contract.answer([load_w / 1_000.0 for load_w in home.model.load_w])


@router.get("/priceperhour", responses=_json_of(_NUMBERS))
async def read_prices(home: Home) -> Response:
    """What a kWh costs in each hour of the day (or quarter hour)."""
    return contract.answer([float(price) for price in home.model.told_prices])


@router.get("/charge", responses=_json_of(_NUMBER))
async def read_soc(home: Home) -> Response:
    """State of charge, in percent."""
    return contract.answer(contract.percent(home.look(), home.model))


@router.post("/charge", responses=says(contract.ChargingSwitch), openapi_extra=body_of(contract.ChargingSwitch))
async def switch(request: Request, home: Home) -> Response:
    """Start or stop charging."""
    said = await _said(request, "charging", ("on", "off"))
    if isinstance(said, Response):
        return said
    home.switch(said == "on")
    return contract.answer({"charging": said})


@router.get("/discharge", responses=says(contract.CourseMessage))
async def explain_discharge() -> Response:
    """That this takes a POST."""
    return contract.answer({"message": "This is a GET request. Use POST to reset the battery."}, contract.COMPACT)


@router.post("/discharge", responses=says(contract.ResetSwitch), openapi_extra=body_of(contract.ResetSwitch))
async def reset(request: Request, home: Home) -> Response:
    """Let everything be as at the start: the battery, the switch (off) and the clock (00:00)."""
    said = await _said(request, "discharging", ("on",))
    if isinstance(said, Response):
        return said
    home.reset()
    return contract.answer({"discharging": said})


@router.head("/info", include_in_schema=False)
@router.head("/baseload", include_in_schema=False)
@router.head("/priceperhour", include_in_schema=False)
@router.head("/charge", include_in_schema=False)
@router.head("/discharge", include_in_schema=False)
async def refuse_head() -> Response:
    """The head of an error."""
    return contract.error_answer(contract.NO_SUCH_METHOD)


async def _said(request: Request, key: str, allowed: tuple[str, ...]) -> str | Response:
    """What the body says under a key, or the original's answer to a body that it cannot read.

    Raises InvalidInput for what made the original break down: a key that is missing, or says something else.
    """
    if not _is_json(request.headers.get("content-type", "")):
        return contract.error_answer(contract.UNSUPPORTED)
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        return contract.error_answer(contract.UNREADABLE)
    if not isinstance(body, dict):
        return contract.error_answer(f"'{type(body).__name__}' object has no attribute 'get'")
    in_words = " or ".join(json.dumps(word) for word in allowed)
    if key not in body:
        raise InvalidInput(key, "is missing", allowed=in_words)
    said = body[key]
    if said not in allowed:
        raise InvalidInput(key, "is not possible", found="null" if said is None else said, allowed=in_words)
    return str(said)


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
