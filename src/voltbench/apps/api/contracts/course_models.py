"""What the home station of the course says, to the byte: names, order, forms of numbers. It counts in kW and kWh."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec
from starlette.responses import Response

from voltbench.running.home.model import HomeModel, HomeState

COMPACT = (",", ":")
"""The separators of some of its answers; the others have a blank behind each."""

UNSUPPORTED = (
    "415 Unsupported Media Type: Did not attempt to load JSON data because the request Content-Type was not "
    "'application/json'."
)
UNREADABLE = "400 Bad Request: The browser (or proxy) sent a request that this server could not understand."
NO_SUCH_METHOD = "Unsupported HTTP method"


class CourseInfo(msgspec.Struct, frozen=True):
    """The course's home at one instant: in kW, household and car together, and in kWh."""

    sim_time_hour: int
    sim_time_min: int
    base_current_load: float
    battery_capacity: float = msgspec.field(name="battery_capacity_kWh")
    ev_battery_charge_start_stopp: bool


class ChargingSwitch(msgspec.Struct, frozen=True):
    """Whether to charge."""

    charging: Literal["on", "off"]


class ResetSwitch(msgspec.Struct, frozen=True):
    """That everything is to be as at the start."""

    discharging: Literal["on"]


class CourseMessage(msgspec.Struct, frozen=True):
    """A word to who used the wrong method."""

    message: str


def answer(said: Any, separators: tuple[str, str] = (", ", ": "), headers: dict[str, str] | None = None) -> Response:
    """What the home says, on one line."""
    return Response(json.dumps(said, separators=separators), headers=headers, media_type="application/json")


def error_answer(words: str) -> Response:
    """What is wrong with a request, with the status of success: so the original has it."""
    return answer({"error": words}, COMPACT)


def info(state: HomeState) -> dict[str, Any]:
    """What `/info` tells."""
    told = CourseInfo(
        sim_time_hour=state.hour,
        sim_time_min=state.minute,
        base_current_load=kilo(state.load_w),
        battery_capacity=kilo(state.energy_wh),
        ev_battery_charge_start_stopp=state.is_switched_on,
    )
    table: dict[str, Any] = msgspec.to_builtins(told)
    return table


def percent(state: HomeState, model: HomeModel) -> float:
    """State of charge: a whole number as long as nothing was charged, where it is one, and then two decimals."""
    start = round(model.start_soc * 100.0, 2)
    if state.is_untouched:
        return int(start) if start.is_integer() else start
    return round(kilo(state.energy_wh) / (model.capacity_wh / 1_000.0) * 100.0, 2)


def kilo(amount: float) -> float:
    """W as kW and Wh as kWh, with two decimals."""
    return round(amount / 1_000.0, 2)
