"""What the commands about cells solve: in this process with a bar for each, or many over a pool with one for all."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, as_completed
from importlib.util import find_spec
from typing import Annotated, TypeAlias, TypeVar

import typer

from voltbench.adapters.cells import task
from voltbench.adapters.pool import ProcessPool
from voltbench.apps.options import require_range
from voltbench.apps.progress_bars import bar, bars
from voltbench.battery.record import Record
from voltbench.battery.simulation import Simulation
from voltbench.battery.simulator import Simulator
from voltbench.errors import Unavailable, VoltbenchError

Processes: TypeAlias = Annotated[
    int | None, typer.Option(help="Processes that solve; 1 is this one. Without it, as many as there are cores.")
]

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

NOT_INSTALLED = "cells are simulated by PyBaMM, which is not installed: pip install 'voltbench[cells]'"

MOST_PROCESSES = 256


def solved(simulations: Mapping[str, Simulation]) -> dict[str, Record]:
    """What becomes of each of them, by name. Raises Failed for the first of which nothing trustworthy comes."""
    with bars() as begin:
        simulator = _simulator()
        return {name: simulator.record(simulation, begin(name)) for name, simulation in simulations.items()}


def each_solved(
    words: str,
    solve: Callable[[Asked], Answer],
    asked: Sequence[Asked],
    processes: int | None,
    key: Callable[[Asked], Hashable] | None = None,
    weight: Callable[[Asked], int] = lambda _: 1,
    instead: Callable[[Asked, VoltbenchError], Answer] | None = None,
) -> list[Answer]:
    """The answer to each, in their order, by a function that processes can find; those of one key share a process.

    The first error ends it all, with what runs; but where something may stand `instead` of an answer, that does.
    """
    processes = (os.cpu_count() or 1) if processes is None else processes
    require_range("--processes", processes, 1, MOST_PROCESSES)
    if find_spec("pybamm") is None:
        raise Unavailable(NOT_INSTALLED)
    with bar(words, sum(map(weight, asked))) as advance:
        if processes == 1 or len(asked) < 2:
            answers = []
            for one in asked:
                answers.append(solve(one))
                advance(weight(one))
            return answers
        affinity = None if key is None else lambda _, arguments, __: key(arguments[0])
        pool = ProcessPool(min(processes, len(asked)), affinity=affinity, warm_up=task.warm_up)
        try:
            futures: dict[Future[Answer], Asked] = {pool.submit(solve, one): one for one in asked}
            found: dict[Future[Answer], Answer] = {}
            for future in as_completed(futures):
                found[future] = _answer(future, futures[future], instead)
                advance(weight(futures[future]))
            return [found[future] for future in futures]
        finally:
            pool.terminate()


def _answer(future: Future[Answer], asked: Asked, instead: Callable[[Asked, VoltbenchError], Answer] | None) -> Answer:
    try:
        return future.result()
    except VoltbenchError as error:
        if instead is None:
            raise
        return instead(asked, error)


def _simulator() -> Simulator:
    """PyBaMM takes more than a second to be imported, and need not be installed."""
    try:
        from voltbench.adapters.cells.warm import WarmSimulator  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pybamm", "pybammsolvers", "bpx"):
            raise
        raise Unavailable(NOT_INSTALLED) from error
    return WarmSimulator()
