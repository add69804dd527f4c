"""What is done to a cell, told to a built model: one current, a profile, or step after step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from voltbench.adapters.cells import models, rows
from voltbench.adapters.cells.plant import Plant, Profile, inputs_of, stops_at_rows
from voltbench.adapters.cells.stepping import REASONS, Stretch, direction_limits, do_steps, rows_of
from voltbench.battery.cell import Cell
from voltbench.battery.cycling import ConstantCurrent, ConstantPower, in_order
from voltbench.battery.record import Ending, Floats
from voltbench.battery.simulation import CurrentLoad, DriveCycleLoad, PowerLoad, ProtocolLoad, Simulation
from voltbench.battery.simulator import Progress
from voltbench.errors import Failed, InvalidInput

AT_REST_V = 1e-4
"""A profile may begin with a rest, full or empty, where rounding decides: its limits lie so much further out. That is a
tenth of what a record may be beyond them."""

SHORTER = 3.0
"""A straight stretch of a profile is so many times as long as the next one: the solver's steps have grown too long in
it to see what comes, so it stops there."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was solved: all rows, which of them were asked for, why it ended, and what state of charge means here.

    `is_known` says of each row whether the current was told since the one before, and is straight.
    """

    columns: Mapping[str, Floats]
    kept: NDArray[np.bool_]
    is_known: NDArray[np.bool_]
    ending: Ending
    initial_soc: float
    charge_ah: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Done:
    stretches: list[Stretch]
    ending: Ending
    warnings: tuple[str, ...] = ()


def run(plant: Plant, simulation: Simulation, cell: Cell, progress: Progress) -> Run:
    """Solve a simulation. Raises InvalidInput where it is over as it begins, or Failed."""
    start = plant.start(simulation)
    done = _done(plant, simulation, cell, inputs_of(simulation, cell, start), progress)
    if not done.stretches:
        raise InvalidInput("load.steps", "are all over as they begin", allowed="a step that does something")
    columns = plant.columns(np.concatenate([stretch.piece.rows for stretch in done.stretches]))
    for name in ("step", "cycle"):
        if name in simulation.outputs:
            numbers = [np.full(len(stretch.kept), float(getattr(stretch, name))) for stretch in done.stretches]
            columns[name] = np.concatenate(numbers)
    time_s = np.concatenate([stretch.piece.time_s + stretch.began_s for stretch in done.stretches])
    kept = np.concatenate([stretch.kept for stretch in done.stretches])
    is_known = np.concatenate([np.full(len(stretch.kept), stretch.knows_current) for stretch in done.stretches])
    progress(1.0)
    return Run({"time_s": time_s, **columns}, kept, is_known, done.ending, start.soc, start.charge_ah, done.warnings)


def _done(plant: Plant, simulation: Simulation, cell: Cell, inputs: dict[str, float], progress: Progress) -> _Done:
    load, every_s = simulation.load, simulation.every_s
    if plant.profile is not None:
        return _followed(plant, plant.profile, simulation, inputs)
    if isinstance(load, CurrentLoad):
        return _held(plant, load, every_s, inputs, cell.capacity_ah)
    if isinstance(load, PowerLoad):
        step = ConstantPower(power_w=load.power_w, until_s=load.duration_s)
        stretches, ending, _ = do_steps(plant.built, [(0, step)], inputs, cell.capacity_ah, every_s, progress)
        _refuse_no_time(stretches, "load.power_w", load.power_w)
        reason = "time_over" if ending.reason == "steps_done" else ending.reason
        return _Done(stretches, msgspec.structs.replace(ending, reason=reason, step=None))
    assert isinstance(load, ProtocolLoad)
    steps = list(in_order(load.steps))
    return _Done(*do_steps(plant.built, steps, inputs, cell.capacity_ah, every_s, progress))


def _held(
    plant: Plant, load: CurrentLoad, every_s: float | None, inputs: dict[str, float], capacity_ah: float
) -> _Done:
    """One current; in PyBaMM discharging is positive."""
    told = {**inputs, models.CURRENT: -load.current_a, **direction_limits(load.current_a, inputs)}
    step = ConstantCurrent(current_a=load.current_a, until_s=load.duration_s)
    rows_s, asked_s = rows_of(step, load.duration_s, every_s, capacity_ah, inputs[models.UPPER])
    piece = plant.built.solve(plant.built.start(told), np.array([0.0, load.duration_s]), told, rows_s)
    stretches = [Stretch(piece, 0.0, rows.kept_rows(piece.time_s, asked_s), knows_current=True)]
    _refuse_no_time(stretches, "load.current_a", load.current_a)
    return _Done(stretches, _ending(stretches[0]))


def _followed(plant: Plant, profile: Profile, simulation: Simulation, inputs: dict[str, float]) -> _Done:
    """A profile, which is built in."""
    scale = simulation.load.scale if isinstance(simulation.load, DriveCycleLoad) else 1.0
    told = {
        **inputs,
        models.SCALE: scale,
        models.LOWER: inputs[models.LOWER] - AT_REST_V,
        models.UPPER: inputs[models.UPPER] + AT_REST_V,
    }
    times = profile.time_s
    every_s = simulation.every_s
    asked_s = rows.of_profile(times) if every_s is None else rows.grid(float(times[-1]), every_s)
    stops_s = times if stops_at_rows(profile, simulation.model) else times[_stops(profile)]
    piece = plant.built.solve(plant.built.start(told), stops_s, told, np.union1d(times, asked_s))
    kept = rows.kept_rows(piece.time_s, asked_s)
    stretches = [Stretch(piece, 0.0, kept, knows_current=not profile.is_power)]
    _refuse_no_time(stretches, "load", None)
    return _Done(stretches, _ending(stretches[0]))


def _stops(profile: Profile) -> NDArray[np.intp]:
    """The first and the last row, and those after a stretch that is much longer than the next."""
    slopes = np.diff(profile.asked) / np.diff(profile.time_s)
    bends = np.flatnonzero(np.abs(np.diff(slopes)) > 1e-12 * (1.0 + np.abs(slopes[1:]))) + 1
    corners = np.concatenate(([0], bends, [len(profile.time_s) - 1]))
    lengths = np.diff(profile.time_s[corners])
    is_stop = lengths[:-1] > SHORTER * lengths[1:]
    return np.concatenate(([0], corners[1:-1][is_stop], [len(profile.time_s) - 1]))


def _ending(stretch: Stretch) -> Ending:
    event, at_s = stretch.piece.event, float(stretch.piece.time_s[-1])
    if event is None:
        return Ending(reason="time_over", at_s=at_s)
    return Ending(reason=REASONS.get(event, "other_limit"), at_s=at_s, event=event)


def _refuse_no_time(stretches: list[Stretch], field: str, found: float | None) -> None:
    """Raise InvalidInput for a load that meets a limit as it begins."""
    if not stretches:
        raise Failed("solver", "nothing was solved")
    piece = stretches[0].piece
    if len(piece.time_s) == 1 or piece.time_s[-1] <= 0.0:
        raise InvalidInput(field, f"meets a limit as it begins ({piece.event})", found=found, allowed="less of it")
