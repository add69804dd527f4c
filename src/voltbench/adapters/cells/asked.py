"""What is asked for, understood and checked without PyBaMM: in microseconds, where a request arrives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import msgspec

from voltbench.adapters.cells import catalog
from voltbench.adapters.cells.documents import cell_of_document
from voltbench.adapters.cells.drive_cycles import drive_cycle
from voltbench.adapters.cells.parameters import check_overrides, is_live
from voltbench.adapters.cells.sentences import as_protocol
from voltbench.adapters.strict import like
from voltbench.battery.cell import Cell, peak
from voltbench.battery.checks import check, check_load, check_rows, check_scale
from voltbench.battery.simulation import (
    USUAL_CELL,
    CurrentLoad,
    DriveCycleLoad,
    ExperimentLoad,
    Load,
    ProfileLoad,
    ProtocolLoad,
    Simulation,
)
from voltbench.errors import InvalidInput, NotFound

SIMULATORS = ("pybamm", "pybammsolvers", "bpx", "voltbench")
"""What an answer depends on beside the request."""

_STEP = re.compile(r"load\.steps\[(?P<number>\d+)\](?:\.steps\[(?P<repeated>\d+)\])?\.")

_encoder = msgspec.json.Encoder(order="deterministic")


def known(simulation: Simulation) -> Cell:
    """The cell that is asked for. Raises InvalidInput for one that is unknown, or a document that describes none."""
    if simulation.bpx is not None:
        if simulation.cell != USUAL_CELL:
            problem = "says nothing beside a BPX document"
            raise InvalidInput("cell", problem, found=simulation.cell, allowed="one of them")
        return cell_of_document(_encoder.encode(simulation.bpx))
    try:
        return catalog.cell(simulation.cell)
    except NotFound:
        allowed = like(simulation.cell, catalog.names())
        raise InvalidInput("cell", "is not in the catalog", found=simulation.cell, allowed=allowed) from None


def understood(simulation: Simulation) -> Simulation:
    """The same with steps where there were sentences. Raises InvalidInput for one that is not understood."""
    if isinstance(simulation.load, ExperimentLoad):
        return msgspec.structs.replace(simulation, load=_protocol(tuple(simulation.load.steps), simulation.load.times))
    return simulation


@lru_cache(maxsize=8)
def _protocol(sentences: tuple[str, ...], times: int) -> ProtocolLoad:
    return as_protocol(ExperimentLoad(steps=list(sentences), times=times))


def checked(simulation: Simulation) -> Cell:
    """The cell, if what is asked of it makes sense. Raises InvalidInput that names the field."""
    with in_its_words(simulation.load):
        return checked_steps(understood(simulation))


@contextmanager
def in_its_words(load: Load) -> Iterator[None]:
    """What is refused of a step, of the sentence that said it: whoever wrote that knows of no fields of steps."""
    try:
        yield
    except InvalidInput as error:
        step = _STEP.match(error.field)
        if step is None or not isinstance(load, ExperimentLoad):
            raise
        number = int(step["repeated"] or step["number"])
        field = f"load.steps[{number}]"
        raise InvalidInput(field, error.problem, found=load.steps[number], allowed=error.allowed) from error


def checked_steps(simulation: Simulation, *, is_load_checked: bool = False) -> Cell:
    """The cell, if what is asked of it makes sense; for a simulation that is understood already.

    Where `is_load_checked`, another one was that has the same load, cell, voltage limits and `every_s`.
    """
    cell = known(simulation)
    check(simulation, cell)
    check_overrides(simulation, cell)
    if not is_load_checked:
        check_load(simulation, cell)
        if isinstance(simulation.load, DriveCycleLoad):
            _check_drive_cycle(simulation, simulation.load, cell)
    return cell


def _check_drive_cycle(simulation: Simulation, load: DriveCycleLoad, cell: Cell) -> None:
    try:
        cycle = drive_cycle(load.name)
    except NotFound as error:
        raise InvalidInput("load.name", str(error), found=load.name) from None
    if load.times > 1:
        cycle.load(load.scale, load.times)  # which refuses too many rows
    check_rows(simulation, load.times * cycle.duration_s)
    current_a, power_w = (0.0 if asked is None else peak(asked.tolist()) for asked in (cycle.current_a, cycle.power_w))
    check_scale(
        "load.scale", load.scale, cell, current_a=current_a, power_w=power_w if cycle.current_a is None else 0.0
    )


# --- what makes two requests the same ---------------------------------------------------------------------------------


def stamp() -> str:
    """The versions of what answers today, as a job keeps them that is asked for today."""
    return _encoder.encode(_versions()).decode()


def input_hash(simulation: Simulation, stamp: str = "") -> str:
    """SHA-256 of all that decides the answer: the request, and the versions of what answers it.

    They are those of a stamp; without one, today's.
    """
    return sha256(_encoder.encode([simulation, _stamped(stamp)])).hexdigest()


def parameters_hash(simulation: Simulation) -> str:
    """SHA-256 of the cell's description: the set or document, what replaces some of it, and the version of the sets."""
    described: Any = simulation.bpx if simulation.bpx is not None else simulation.cell
    return sha256(_encoder.encode([described, simulation.parameters, _versions()])).hexdigest()


def model_key(simulation: Simulation) -> str:
    """The same for all requests that one built model serves: what differs between them are its inputs."""
    described: Any = simulation.bpx if simulation.bpx is not None else simulation.cell
    parameters = {name: None if is_live(name) else number for name, number in simulation.parameters.items()}
    parts = (
        described,
        parameters,
        simulation.model,
        simulation.thermal,
        simulation.ageing,
        simulation.mesh,
        simulation.tolerance,
        sorted(set(simulation.outputs)),
        _load_key(simulation),
        _versions(),
    )
    return sha256(_encoder.encode(parts)).hexdigest()


def _load_key(simulation: Simulation) -> Any:
    load = simulation.load
    if isinstance(load, CurrentLoad):
        return "current"
    if isinstance(load, ProfileLoad):
        return load
    if isinstance(load, DriveCycleLoad):
        return [load.name.upper(), load.times]
    return "steps"


@cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in SIMULATORS}


@lru_cache(maxsize=64)
def _stamped(stamp: str) -> Mapping[str, str]:
    return msgspec.json.decode(stamp, type=dict[str, str]) if stamp else _versions()
