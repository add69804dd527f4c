"""Requests for simulations as jobs carry them, and the items that they come to: one simulation each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from voltbench.adapters import json_text, strict
from voltbench.adapters.cells import task
from voltbench.adapters.cells.asked import checked, input_hash, model_key
from voltbench.battery.cycling import Repeat
from voltbench.battery.simulation import (
    CurrentLoad,
    DriveCycleLoad,
    ExperimentLoad,
    PowerLoad,
    ProfileLoad,
    ProtocolLoad,
    Simulation,
)
from voltbench.battery.sweep import Batch, Point, merged, points, simulations
from voltbench.errors import InvalidInput

SIMULATION, SWEEP = "simulation", "sweep"
"""The kinds of jobs."""

MOST_BYTES = 256_000_000
"""Of all the requests that a sweep comes to: each is encoded more than once while it is checked, hashed and solved."""


_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Item:
    """One simulation of a job: its number there, what tells it from others, and which model it needs.

    The request itself is made where it is sent (`task_of`): all of a sweep's at once may be hundreds of megabytes.
    """

    number: int
    input_hash: str
    model_key: str


def simulation_in(body: bytes) -> Simulation:
    """The simulation that a JSON text asks for, if it makes sense. Raises UnreadableJson or InvalidInput."""
    simulation = strict.convert(json_text.parse_object(body), Simulation)
    checked(simulation)
    return simulation


def batch_in(body: bytes) -> Batch:
    """The sweep that a JSON text asks for, if every point of it makes sense. Raises UnreadableJson or InvalidInput."""
    batch = strict.convert(json_text.parse_object(body), Batch)
    every = points(batch.sweep)
    _check_size(batch, every)
    for number, point in enumerate(every):
        simulation_at(batch, point, number)
    return batch


def simulation_at(batch: Batch, point: Point, number: int) -> Simulation:
    """The simulation of one point, if it makes sense. Raises InvalidInput that names the point."""
    try:
        asked = merged(batch.base, point)
        try:
            simulation = msgspec.convert(asked, Simulation)
        except msgspec.ValidationError:
            simulation = strict.convert(asked, Simulation)  # which says what was found, and what is allowed
        checked(simulation)
    except InvalidInput as error:
        problem = f"{error.problem} (point {number}: {point})"
        raise InvalidInput(error.field, problem, found=error.found, allowed=error.allowed) from error
    return simulation


def _check_size(batch: Batch, every: list[Point]) -> None:
    base, total = len(_encoder.encode(batch.base)), 0
    for point in every:
        total += base + len(_encoder.encode(point))
        if total > MOST_BYTES:
            problem = f"comes to more than {MOST_BYTES // 1_000_000} MB of requests, of which each repeats the base"
            raise InvalidInput("sweep", problem, found=f"{len(every)} points on a base of {base} bytes")


# --- the items of a job -----------------------------------------------------------------------------------------------


def request_of(asked: Simulation | Batch) -> bytes:
    """What a job carries."""
    return _encoder.encode(asked)


def items(kind: str, request: bytes, part: range) -> list[Item]:
    """Some of the simulations that a job's request comes to."""
    found = zip(part, _simulations(kind, request, part), strict=True)
    return [Item(number, input_hash(simulation), model_key(simulation)) for number, simulation in found]


def task_of(kind: str, request: bytes, number: int) -> bytes:
    """One of the simulations, for who solves it."""
    (simulation,) = _simulations(kind, request, range(number, number + 1))
    return task.request_of(simulation)


@lru_cache(maxsize=4)
def hashes(kind: str, request: bytes) -> tuple[str, ...]:
    """What tells each of them from others."""
    return tuple(input_hash(simulation) for simulation in _simulations(kind, request, range(count(kind, request))))


def item(kind: str, request: bytes, number: int) -> Item:
    """One of them."""
    (found,) = items(kind, request, range(number, number + 1))
    return found


def first_of(kind: str, request: bytes) -> Simulation:
    """The first of them, which stands for the cost of all."""
    return next(_simulations(kind, request, range(1)))


def count(kind: str, request: bytes) -> int:
    """How many there are."""
    return 1 if kind == SIMULATION else len(_batch(request)[1])


def points_of(request: bytes) -> list[Point]:
    """The points of a sweep."""
    return _batch(request)[1]


def _simulations(kind: str, request: bytes, part: range) -> Iterator[Simulation]:
    if kind == SIMULATION:
        return iter([msgspec.json.decode(request, type=Simulation)])
    batch, every = _batch(request)
    return simulations(batch, every[part.start : part.stop])


@lru_cache(maxsize=4)
def _batch(request: bytes) -> tuple[Batch, list[dict[str, Any]]]:
    batch = msgspec.json.decode(request, type=Batch)
    return batch, points(batch.sweep)


# --- how long it will take --------------------------------------------------------------------------------------------

_USUAL_S = {"SPM": 0.002, "SPMe": 0.005, "DFN": 0.03, "Thevenin": 0.003}
"""A discharge within an hour, solved warm."""

_PER_STEP, _PER_ROW = 0.5, 0.004
"""What a step, and a row of a profile, take of that."""


def seconds(simulation: Simulation) -> float:
    """About how long it is solved, in s: no more than a measure for how much is done in one go."""
    load, usual_s = simulation.load, _USUAL_S[simulation.model]
    size = simulation.mesh.electrode_points / 20 * simulation.mesh.particle_points / 30
    return usual_s * max(0.5, size) * _length(load)


def _length(load: Any) -> float:
    if isinstance(load, CurrentLoad | PowerLoad):
        return 1.0
    if isinstance(load, ExperimentLoad):
        return 1.0 + _PER_STEP * len(load.steps) * load.times
    if isinstance(load, ProtocolLoad):
        return 1.0 + _PER_STEP * sum(
            step.times * len(step.steps) if isinstance(step, Repeat) else 1 for step in load.steps
        )
    if isinstance(load, ProfileLoad):
        return 1.0 + _PER_ROW * len(load.time_s)
    assert isinstance(load, DriveCycleLoad)
    return 1.0 + _PER_ROW * 1_000 * load.times
