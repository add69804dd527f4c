"""What the service is made of, by URL: where jobs and results are kept, and who solves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from voltbench.adapters.cell_results import CellResults
from voltbench.adapters.cells import task
from voltbench.adapters.jobs_dbos.opening import open_jobs
from voltbench.adapters.pool import ProcessPool
from voltbench.apps.cells.asked import SIMULATION, SWEEP
from voltbench.apps.cells.forgetting import forget_old
from voltbench.apps.cells.meanwhile import meanwhile
from voltbench.apps.cells.service import Cells
from voltbench.apps.cells.solvers import ExecutorSolvers, NoSolvers, PoolSolvers, Solvers
from voltbench.apps.cells.solving import Solving
from voltbench.clock import wall_instant
from voltbench.errors import Unavailable
from voltbench.quantities import MS_PER_DAY

RESULTS_FILE, JOBS_FILE = "cells.db", "jobs.db"
MOST_RSS_BYTES = 900_000_000
"""What a solving process may hold before it is replaced by a fresh one."""

SWEEPS_AT_ONCE = 4
"""While one waits for its last solves, another goes on."""

LEAST_SIMULATIONS_AT_ONCE = 16
"""Those that only wait cost a thread; and they are looked for no more often than ten times a second."""

FORGET_EVERY_S = 3_600.0

CLUSTER_PATIENCE_S = 10.0
"""How long a Dask scheduler may take to answer at the start."""


@dataclass(frozen=True)
class CellChoices:
    """Where cells' jobs and results are kept, how many processes solve (0: none here), or which Dask cluster does.

    They are kept in two files in `data`, or beside the file of a `store` in SQLite, or in another store itself;
    `full_sync` lets SQLite survive a power cut too. What was asked for longer ago than `retention_days` is forgotten by
    this process; None leaves that to another one.
    """

    data: Path
    store: str | None = None
    processes: int = os.cpu_count() or 1
    dask: str | None = None
    retention_days: float | None = None
    full_sync: bool = False

    @property
    def solves(self) -> bool:
        """Whether jobs are done here."""
        return self.processes > 0 or self.dask is not None

    @property
    def at_once(self) -> dict[str, int]:
        """How many jobs of each kind are done at the same time."""
        return {SIMULATION: max(LEAST_SIMULATIONS_AT_ONCE, self.processes + 2), SWEEP: SWEEPS_AT_ONCE}


def is_installed() -> bool:
    """Whether what cells need is there."""
    return all(find_spec(name) is not None for name in ("pybamm", "bpx", "dbos"))


@asynccontextmanager
async def cells_opened(choices: CellChoices) -> AsyncIterator[Cells]:
    """The service; jobs that were not done go on. Raises Unavailable where its databases are out of reach."""
    results_url, jobs_url = cell_urls(choices)
    async with AsyncExitStack() as open_things:
        solvers = await open_things.enter_async_context(_solvers(choices))  # first: they take longest to be ready
        results = await CellResults.open(results_url, full_sync=choices.full_sync)
        open_things.push_async_callback(results.close)
        loop = asyncio.get_running_loop()
        works = {kind: Solving(kind, solvers, results, loop, wall_instant) for kind in (SIMULATION, SWEEP)}
        opening = open_jobs(
            jobs_url, works, is_worker=choices.solves, concurrency=choices.at_once, full_sync=choices.full_sync
        )
        jobs = await open_things.enter_async_context(opening)
        if choices.retention_days is not None:
            kept_ms = round(choices.retention_days * MS_PER_DAY)

            async def forget() -> None:
                await forget_old(jobs, results, wall_instant() - kept_ms)

            forgetting = meanwhile("forgetting what is old", forget, FORGET_EVERY_S)
            await open_things.enter_async_context(forgetting)
        yield Cells(jobs, results)


def cell_urls(choices: CellChoices) -> tuple[str, str]:
    """Where results and jobs are kept: two SQLite files side by side, or one PostgreSQL database."""
    url = choices.store
    if url is None:
        data = choices.data.absolute()
        return f"sqlite:///{data / RESULTS_FILE}", f"sqlite:///{data / JOBS_FILE}"
    if url.startswith("sqlite:///"):
        file = Path(url.removeprefix("sqlite:///"))
        beside = (file.with_name(f"{file.stem}-{what}{file.suffix}") for what in ("cells", "jobs"))
        results_url, jobs_url = (f"sqlite:///{one}" for one in beside)
        return results_url, jobs_url
    return url, url


@asynccontextmanager
async def _solvers(choices: CellChoices) -> AsyncIterator[Solvers]:
    if choices.dask is not None:
        async with _cluster(choices.dask) as solvers:
            yield solvers
        return
    if choices.processes == 0:
        yield NoSolvers()
        return
    pool = ProcessPool(
        choices.processes,
        affinity=_affinity,
        most_warm_keys=task.MOST_KEPT,
        warm_up=task.warm_up_behind,
        most_rss_bytes=MOST_RSS_BYTES,
    )
    try:
        yield PoolSolvers(pool)
    finally:
        await asyncio.to_thread(pool.terminate)


@asynccontextmanager
async def _cluster(address: str) -> AsyncIterator[Solvers]:
    try:
        from distributed import Client  # noqa: PLC0415  # an extra of its own
    except ModuleNotFoundError as error:
        raise Unavailable("a cluster of Dask needs: pip install 'voltbench[cluster]'") from error
    try:
        client = await asyncio.to_thread(Client, address, timeout=CLUSTER_PATIENCE_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"no Dask scheduler answers at {address}: {error}") from error
    try:
        yield ExecutorSolvers(client.get_executor(pure=False, retries=2))  # type: ignore[no-untyped-call]
    finally:
        await asyncio.to_thread(client.close)


def _affinity(_function: Any, arguments: tuple[Any, ...], _more: Mapping[str, Any]) -> str:
    """The model that a task needs: that of its first request."""
    requests: list[bytes] = arguments[0]
    return task.key_of(requests[0])
