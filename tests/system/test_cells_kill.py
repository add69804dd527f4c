"""`kill -9` of whoever solves a sweep, or has it solved: each of its points is there once, and right."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.apis import up
from tests.programs import Program, voltbench
from tests.system.cells_until_killed import NO_SITES, START_S, begun, came_to, client_of, ended, is_whole, solvers_of
from tests.waiting import eventually
from voltbench.adapters.jobs_dbos.database import SCHEMA, engine_at


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An empty directory."""
    directory = tmp_path / "empty"
    directory.mkdir()
    return directory


def test_a_server_that_is_killed_goes_on_with_a_sweep_and_doubles_none(empty: Path):
    chance = random.Random(13)
    with up(empty, *NO_SITES) as running, client_of(running) as client:
        address = begun(client)
        came_to(client, address, chance.randrange(20, 150))
        running.ends(signal.SIGKILL)
    with up(empty, *NO_SITES) as running, client_of(running) as client:
        is_whole(client, address)
        assert ended(client, address)["attempts"] > 1
        assert running.ends(signal.SIGTERM) == 0, running.said


@pytest.mark.campaign
def test_processes_that_are_killed_while_they_solve_lose_nothing(empty: Path):
    chance = random.Random(17)
    with up(empty, *NO_SITES, "--cell-processes", "2") as running, client_of(running) as client:
        address = begun(client)
        for least in (10, 100, 200):
            came_to(client, address, least)
            chance.choice(eventually(lambda: solvers_of(running.process.pid) or None)).kill()
        is_whole(client, address)


def test_a_machine_that_is_killed_leaves_its_sweep_to_another(empty: Path, postgresql_url: str):
    options = ("--store", postgresql_url, "--cell-processes", "0")
    with up(empty, *NO_SITES, *options) as running, client_of(running) as client:
        assert running.address
        with a_worker(empty, "one", postgresql_url) as one, a_worker(empty, "two", postgresql_url) as two:
            workers = {worker.pid: worker for worker in (one, two)}
            for pid in workers:
                eventually(lambda pid=pid: solvers_of(pid) or None)  # type: ignore[misc]
            address = begun(client)
            came_to(client, address, 20)
            (at_work,) = who_does_jobs(postgresql_url)
            workers[at_work].kill()
            is_whole(client, address)
            assert ended(client, address)["attempts"] > 1


def who_does_jobs(url: str) -> list[int]:
    """The processes that do a job now. An executor is named after its machine, its process, and by chance."""
    engine = engine_at(url, concurrency=1)
    with engine.connect() as connection:
        names = connection.scalars(text(f"SELECT executor_id FROM {SCHEMA}.workflow_status WHERE status = 'PENDING'"))
        found = [int(name.split("-")[-2]) for name in names]
    engine.dispose()
    return found


@contextmanager
def a_worker(directory: Path, name: str, store: str) -> Iterator[Program]:
    """A `voltbench worker`, gone afterwards."""
    log = directory.parent / f"{name}.log"
    program = voltbench("worker", "--store", store, "--processes", "1", directory=directory, log=log)
    try:
        eventually(lambda: "working with" in (log.read_text() if log.exists() else "") or program.poll(), START_S)
        yield program
    finally:
        program.kill()
        program.wait()
