"""What is done to a cell, step by step. Currents and powers are positive while charging."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from voltbench.errors import InvalidInput

LONGEST_S = 7 * 24 * 3600.0
"""What may be simulated in one piece: a week."""

MOST_STEPS = 10_000
"""Of a protocol, with all of its repetitions."""

Duration: TypeAlias = Annotated[float, Meta(gt=0.0, le=LONGEST_S)]
Voltage: TypeAlias = Annotated[float, Meta(gt=0.0, le=10.0)]
Current: TypeAlias = Annotated[float, Meta(ge=-10_000.0, le=10_000.0)]
Rate: TypeAlias = Annotated[float, Meta(ge=-100.0, le=100.0)]
Power: TypeAlias = Annotated[float, Meta(ge=-100_000.0, le=100_000.0)]


LONGEST_STEP_S = 24 * 3600.0
"""Of a step that ends at a voltage or a current, and names no time: when that is not met in a day, it never will."""


class _Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="step"):
    every_s: Annotated[float, Meta(gt=0.0, le=86_400.0)] | None = None
    """Between rows of the record, where not the simulation's own."""


class ConstantCurrent(_Step, frozen=True, kw_only=True, tag="constant_current"):
    """A current, in A or as a rate of the nominal capacity (1/h), until a voltage is met or the time is over."""

    current_a: Current | None = None
    c_rate: Rate | None = None
    until_voltage_v: Voltage | None = None
    until_s: Duration | None = None


class ConstantVoltage(_Step, frozen=True, kw_only=True, tag="constant_voltage"):
    """A voltage, until the current is as small as that (without its sign), or the time is over."""

    voltage_v: Voltage
    until_current_a: Annotated[float, Meta(gt=0.0, le=10_000.0)] | None = None
    until_c_rate: Annotated[float, Meta(gt=0.0, le=100.0)] | None = None
    until_s: Duration | None = None


class ConstantPower(_Step, frozen=True, kw_only=True, tag="constant_power"):
    """A power at the terminals, until a voltage is met or the time is over."""

    power_w: Power
    until_voltage_v: Voltage | None = None
    until_s: Duration | None = None


class Rest(_Step, frozen=True, kw_only=True, tag="rest"):
    """No current."""

    until_s: Duration


class Repeat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="step", tag="repeat"):
    """Steps that are done several times, one after the other. They are no repetitions themselves."""

    times: Annotated[int, Meta(ge=1, le=MOST_STEPS)]
    steps: Annotated[list[PlainStep], Meta(min_length=1, max_length=100)]


PlainStep: TypeAlias = ConstantCurrent | ConstantVoltage | ConstantPower | Rest
Step: TypeAlias = PlainStep | Repeat


def placed(steps: list[Step], field: str) -> Iterator[tuple[str, PlainStep]]:
    """Every step once, and where it stands in the field."""
    for number, step in enumerate(steps):
        if isinstance(step, Repeat):
            yield from ((f"{field}[{number}].steps[{inner}]", plain) for inner, plain in enumerate(step.steps))
        else:
            yield f"{field}[{number}]", step


def in_order(steps: list[Step]) -> Iterator[tuple[int, PlainStep]]:
    """Every step as it is done, with the number of its cycle from 0: each repetition is one, and what is between."""
    cycle, is_open = 0, False
    for step in steps:
        if not isinstance(step, Repeat):
            is_open = True
            yield cycle, step
            continue
        cycle += is_open
        for _ in range(step.times):
            yield from ((cycle, plain) for plain in step.steps)
            cycle += 1
        is_open = False


def check_steps(steps: list[Step], field: str) -> None:
    """Raise InvalidInput for a step that says too little or too much, named as an element of the field."""
    for place, step in placed(steps, field):
        _check(step, place)
    count = sum(step.times * len(step.steps) if isinstance(step, Repeat) else 1 for step in steps)
    if count > MOST_STEPS:
        raise InvalidInput(field, "are too many with their repetitions", found=count, allowed=f"<= {MOST_STEPS}")


def _check(step: PlainStep, place: str) -> None:
    if isinstance(step, ConstantCurrent):
        _one_of(place, current_a=step.current_a, c_rate=step.c_rate)
        if not (step.current_a or step.c_rate):
            raise InvalidInput(place, "has no current", allowed="a rest")
        _ends(place, until_voltage_v=step.until_voltage_v, until_s=step.until_s)
    elif isinstance(step, ConstantVoltage):
        if step.until_current_a is not None and step.until_c_rate is not None:
            raise InvalidInput(place, "ends at two currents", allowed="until_current_a or until_c_rate")
        _ends(place, until_current_a=step.until_current_a, until_c_rate=step.until_c_rate, until_s=step.until_s)
    elif isinstance(step, ConstantPower):
        if step.power_w == 0.0:
            raise InvalidInput(f"{place}.power_w", "is no power", allowed="a rest")
        _ends(place, until_voltage_v=step.until_voltage_v, until_s=step.until_s)


def _one_of(place: str, **given: float | None) -> None:
    if sum(one is not None for one in given.values()) != 1:
        raise InvalidInput(place, "needs one of them", allowed=" or ".join(given))


def _ends(place: str, **ends: float | None) -> None:
    if all(end is None for end in ends.values()):
        raise InvalidInput(place, "has no end", allowed=" or ".join(ends))
