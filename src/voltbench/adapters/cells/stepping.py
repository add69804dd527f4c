"""Step after step by one built model: each step is a target and limits, and begins where the last one ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from voltbench.adapters.cells import models, rows
from voltbench.adapters.cells.building import Built, Piece
from voltbench.battery.cycling import (
    LONGEST_STEP_S,
    ConstantCurrent,
    ConstantPower,
    ConstantVoltage,
    PlainStep,
    Rest,
)
from voltbench.battery.record import Ending, Floats, Reason
from voltbench.battery.simulator import Progress
from voltbench.errors import Failed

LOWER_EVENT, UPPER_EVENT, CURRENT_EVENT = "Minimum voltage [V]", "Maximum voltage [V]", "Least current [A]"

REASONS: Mapping[str, Reason] = {LOWER_EVENT: "lower_voltage", UPPER_EVENT: "upper_voltage"}

FAR_V = 1.0
"""Where a limit lies that the direction of a step cannot meet: charging begins below the lower one, if need be."""

NEVER_A = -1.0
"""No current is as small as that."""

AN_INSTANT_S = 1e-3


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece in its place: when it began, the rows of it that were asked for, its step and its cycle.

    `knows_current` says that its current was told, and is straight between rows.
    """

    piece: Piece
    began_s: float
    kept: NDArray[np.bool_]
    step: int = 0
    cycle: int = 0
    knows_current: bool = False


def do_steps(
    built: Built,
    steps: Sequence[tuple[int, PlainStep]],
    inputs: Mapping[str, float],
    capacity_ah: float,
    every_s: float | None,
    progress: Progress,
) -> tuple[list[Stretch], Ending, tuple[str, ...]]:
    """Do steps, each with the number of its cycle, until one cannot be done to its end.

    A step whose end is met as it begins is left out, which is told. One that is beyond a limit as it begins is not
    begun: what was done before it is kept, or else the cell as it was, at rest. Raises Failed.
    """
    done: list[Stretch] = []
    left_out: list[str] = []
    state, now_s = None, 0.0
    for number, (cycle, step) in enumerate(steps):
        told = {**inputs, **_told(step, inputs, capacity_ah)}
        state = built.start(told) if state is None else state
        duration_s = step.until_s or LONGEST_STEP_S
        rows_s, asked_s = rows_of(step, duration_s, step.every_s or every_s, capacity_ah, inputs[models.UPPER])
        try:
            piece = built.solve(state, np.array([0.0, duration_s]), told, rows_s)
        except Failed as error:
            raise Failed(error.kind, f"step {number}: {error.reason}{_hint(step)}") from error
        stop = _stop(piece, step, number, now_s + float(piece.time_s[-1]))
        if piece.time_s[-1] <= 0.0:
            if stop is None:
                left_out.append(f"step {number} was over as it began, and left out")
                continue
            as_it_was = replace(_as_it_was(built, state, inputs, piece.event), step=number, cycle=cycle)
            return done or [as_it_was], stop, tuple(left_out)
        knows = isinstance(step, ConstantCurrent | Rest)
        done.append(Stretch(piece, now_s, rows.kept_rows(piece.time_s, asked_s), number, cycle, knows))
        state, now_s = piece.state, now_s + float(piece.time_s[-1])
        progress((number + 1) / len(steps))
        if stop is not None:
            return done, stop, tuple(left_out)
    return done, Ending(reason="steps_done", at_s=now_s), tuple(left_out)


def _hint(step: PlainStep) -> str:
    """What may be wrong where the solver finds no current."""
    if not isinstance(step, ConstantVoltage):
        return ""
    return f"; {step.voltage_v:g} V may be too far from where the cell is: charge or discharge it there first"


def _as_it_was(built: Built, state: Floats, inputs: Mapping[str, float], event: str | None) -> Stretch:
    """One row of a cell that nothing was done to, and the event that kept it from its first step."""
    told = {**inputs, **_told(Rest(until_s=AN_INSTANT_S), inputs, 0.0)}
    at_s = np.array([0.0, AN_INSTANT_S])
    piece = built.solve(state, at_s, told, at_s)
    return Stretch(Piece(piece.time_s[:1], piece.rows[:1], piece.state, event), 0.0, np.ones(1, dtype=bool))


def direction_limits(sign: float, inputs: Mapping[str, float]) -> dict[str, float]:
    """Limits that hold in a direction: charging meets the upper one, discharging the lower one, a rest none."""
    lower, upper = inputs[models.LOWER], inputs[models.UPPER]
    return {
        models.LOWER: lower if sign < 0.0 else lower - FAR_V,
        models.UPPER: upper if sign > 0.0 else upper + FAR_V,
    }


def _told(step: PlainStep, inputs: Mapping[str, float], capacity_ah: float) -> dict[str, float]:
    """The inputs that a step is. In PyBaMM discharging is positive."""
    if isinstance(step, ConstantVoltage):
        least_a = NEVER_A
        if step.until_current_a is not None or step.until_c_rate is not None:
            least_a = step.until_current_a or (step.until_c_rate or 0.0) * capacity_ah
        return {
            **_by(voltage=1.0),
            models.TARGET: step.voltage_v,
            **direction_limits(0.0, inputs),
            models.LEAST_CURRENT: least_a,
        }
    if isinstance(step, ConstantPower):
        return {**_by(power=1.0), models.TARGET: -step.power_w, **_limits(step.power_w, step.until_voltage_v, inputs)}
    if isinstance(step, ConstantCurrent):
        current_a = rows.current_of(step, capacity_ah)
        return {**_by(current=1.0), models.TARGET: -current_a, **_limits(current_a, step.until_voltage_v, inputs)}
    return {**_by(current=1.0), models.TARGET: 0.0, **direction_limits(0.0, inputs)}


def _by(current: float = 0.0, voltage: float = 0.0, power: float = 0.0) -> dict[str, float]:
    return {
        models.BY_CURRENT: current,
        models.BY_VOLTAGE: voltage,
        models.BY_POWER: power,
        models.LEAST_CURRENT: NEVER_A,
    }


def _limits(sign: float, until_voltage_v: float | None, inputs: Mapping[str, float]) -> dict[str, float]:
    limits = direction_limits(sign, inputs)
    if until_voltage_v is not None:
        limits[models.UPPER if sign > 0.0 else models.LOWER] = until_voltage_v
    return limits


def rows_of(
    step: PlainStep, duration_s: float, every_s: float | None, capacity_ah: float, most_v: float
) -> tuple[Floats, Floats | None]:
    """Times of the rows to be solved, and of those that were asked for, if any were."""
    if every_s is None:
        return rows.of_step(step, duration_s, capacity_ah, most_v), None
    asked_s = rows.grid(duration_s, every_s)
    if rows.are_enough(step, every_s, capacity_ah):
        return asked_s, asked_s
    return np.union1d(rows.of_step(step, duration_s, capacity_ah, most_v), asked_s), asked_s


def _stop(piece: Piece, step: PlainStep, number: int, at_s: float) -> Ending | None:
    """Why nothing can follow a step: a limit that was not asked for, or no end within a day."""
    if piece.event is None:
        if step.until_s is not None:
            return None
        return Ending(reason="other_limit", at_s=at_s, event="the end of the step was not met in a day", step=number)
    until = getattr(step, "until_voltage_v", None) is not None and piece.event in REASONS
    if until or piece.event == CURRENT_EVENT:
        return None
    return Ending(reason=REASONS.get(piece.event, "other_limit"), at_s=at_s, event=piece.event, step=number)
