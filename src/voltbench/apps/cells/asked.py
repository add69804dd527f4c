"""Requests for simulations as jobs carry them, and the items that they come to: one simulation each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

import msgspec

from voltbench.adapters import json_text, strict
from voltbench.adapters.cells import task
from voltbench.adapters.cells.asked import checked, checked_steps, in_its_words, input_hash, model_key, understood
from voltbench.apps.cells import cost
from voltbench.battery.simulation import Simulation
from voltbench.battery.sweep import Batch, Point, merged, points, simulations
from voltbench.errors import InvalidInput

SIMULATION, SWEEP = "simulation", "sweep"
"""The kinds of jobs."""

MOST_BYTES = 256_000_000
"""Of all the requests that a sweep comes to: each is encoded more than once while it is checked, hashed and solved."""

MOST_NUMBERS = 200_000_000
"""Of all the records that a sweep comes to: 1.6 GB."""

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Item:
    """One simulation of a job: its number there, what tells it from others, and which model it needs.

    `bytes` is how large its request and its answer are, about.

    The request itself is made where it is sent (`task_of`): all of a sweep's at once may be hundreds of megabytes.
    """

    number: int
    input_hash: str
    model_key: str
    bytes: int = 0


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
    loads = _Loads()
    for number, point in enumerate(every):
        _checked_at(batch, point, number, loads)
    _check_numbers(loads.numbers)
    return batch


def simulation_at(batch: Batch, point: Point, number: int) -> Simulation:
    """The simulation of one point, if it makes sense. Raises InvalidInput that names the point."""
    return _checked_at(batch, point, number, _Loads())


def _checked_at(batch: Batch, point: Point, number: int, loads: _Loads) -> Simulation:
    try:
        asked = merged(batch.base, point)
        try:
            simulation = msgspec.convert(asked, Simulation)
        except msgspec.ValidationError:
            simulation = strict.convert(asked, Simulation)  # which says what was found, and what is allowed
        loads.check(simulation)
    except InvalidInput as error:
        problem = f"{error.problem} (point {number}: {point})"
        raise InvalidInput(error.field, problem, found=error.found, allowed=error.allowed) from error
    return simulation


class _Loads:
    """The loads of a sweep: however many points have the same one, it is looked at once.

    `numbers` is how many are kept of all points that were checked, about.
    """

    def __init__(self) -> None:
        self.numbers = 0.0
        self._rows: dict[bytes, float] = {}

    def check(self, simulation: Simulation) -> None:
        """Raise InvalidInput for a point that makes no sense."""
        described = simulation.cell if simulation.bpx is None else simulation.bpx
        limits = (simulation.every_s, simulation.lower_voltage_v, simulation.upper_voltage_v)
        load = sha256(_encoder.encode((simulation.load, limits, described))).digest()
        with in_its_words(simulation.load):
            plain = understood(simulation)
            cell = checked_steps(plain, is_load_checked=load in self._rows)
        if load not in self._rows:
            self._rows[load] = cost.rows(plain, cell)
        self.numbers += self._rows[load] * cost.columns(simulation)


def _check_numbers(found: float) -> None:
    if found > MOST_NUMBERS:
        problem = "comes to more numbers than are kept of one: rows times columns of all its points"
        allowed = f"about {MOST_NUMBERS}; fewer points or outputs, or rows further apart (every_s)"
        raise InvalidInput("sweep", problem, found=round(found), allowed=allowed)


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


def items(kind: str, request: bytes, part: range, stamp: str) -> list[Item]:
    """Some of the simulations that a job's request comes to, where it was asked for under that stamp."""
    sizes = cost.Sizes()

    def made(number: int, simulation: Simulation) -> Item:
        size = len(task.request_of(simulation)) + sizes.answer_bytes(simulation)
        return Item(number, input_hash(simulation, stamp), model_key(simulation), size)

    return [made(*one) for one in zip(part, _simulations(kind, request, part), strict=True)]


def task_of(kind: str, request: bytes, number: int) -> bytes:
    """One of the simulations, for who solves it."""
    (simulation,) = _simulations(kind, request, range(number, number + 1))
    return task.request_of(simulation)


@lru_cache(maxsize=4)
def hashes(kind: str, request: bytes, stamp: str) -> tuple[str, ...]:
    """What tells each of them from others."""
    every = _simulations(kind, request, range(count(kind, request)))
    return tuple(input_hash(simulation, stamp) for simulation in every)


def hash_of(kind: str, request: bytes, number: int, stamp: str) -> str:
    """What tells one of them from others."""
    (simulation,) = _simulations(kind, request, range(number, number + 1))
    return input_hash(simulation, stamp)


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
