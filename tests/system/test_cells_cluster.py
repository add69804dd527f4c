"""A sweep on a cluster of Dask's: processes of its own, of which one is killed on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.apis import up
from tests.system.cells_until_killed import NO_SITES, POINTS, START_S, begun, came_to, client_of, ended, is_whole
from tests.waiting import eventually
from voltbench.apps.cells.solvers import ExecutorSolvers

QUIET = ("--no-dashboard", "--host", "127.0.0.1")


@contextmanager
def a_part_of_dask(name: str, *arguments: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler, or a worker, gone afterwards."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *QUIET, *arguments]
    with log.open("ab") as said, subprocess.Popen(command, cwd=log.parent, stdout=said, stderr=said) as process:
        try:
            yield process
        finally:
            process.kill()


class ByHand(Executor):
    """Its futures end when a test says so, as Dask's: cancelling one tells only who has asked to be called."""

    def __init__(self) -> None:
        self.given: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.given.append(Future())
        return self.given[-1]


class Cluster:
    """A scheduler, and the workers that were started for it."""

    def __init__(self, directory: Path, parts: ExitStack) -> None:
        self._directory = directory
        self._parts = parts
        self._told = directory / "scheduler.json"
        arguments = ("--port", "0", "--scheduler-file", str(self._told))
        parts.enter_context(a_part_of_dask("scheduler", *arguments, log=directory / "scheduler.log"))
        self.address: str = eventually(self._address, START_S)

    def worker(self, name: str, *more: str) -> subprocess.Popen[bytes]:
        """One more, which is its own parent: nobody starts it again."""
        log = self._directory / f"{name}.log"
        arguments = (self.address, "--no-nanny", "--name", name, "--local-directory", str(self._directory), *more)
        process = self._parts.enter_context(a_part_of_dask("worker", *arguments, log=log))
        eventually(lambda: "Registered to" in log.read_text() or None, START_S)
        return process

    def _address(self) -> str | None:
        with suppress(OSError, msgspec.DecodeError):  # it is not there, or half written
            address: str = msgspec.json.decode(self._told.read_bytes())["address"]
            return address
        return None


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster without workers."""
    with ExitStack() as parts:
        yield Cluster(tmp_path, parts)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An empty directory."""
    directory = tmp_path / "empty"
    directory.mkdir()
    return directory


def test_whoever_waits_for_a_solve_that_is_stopped_wakes_up():
    executor = ByHand()
    solvers = ExecutorSolvers(executor)
    stopped, done, lost = (solvers.begin([b""]) for _ in range(3))
    solvers.stop(stopped)
    executor.given[1].set_result([])
    executor.given[2].set_exception(MemoryError())
    assert wait([stopped, done, lost], timeout=0).not_done == set()
    assert stopped.cancelled()
    assert done.result() == []
    assert isinstance(lost.exception(), MemoryError)
    solvers.stop(done)  # too late, which is nothing


def test_a_sweep_loses_a_worker_and_no_point(cluster: Cluster, empty: Path):
    lost = cluster.worker("lost", "--nthreads", "1")
    cluster.worker("left", "--nthreads", "2")  # as people may start it, though a simulator is for one thread
    with up(empty, *NO_SITES, "--dask", cluster.address) as running, client_of(running) as client:
        address = begun(client)
        came_to(client, address, POINTS // 8)
        lost.kill()
        is_whole(client, address)
        assert running.ends(signal.SIGTERM) == 0, running.said


@pytest.mark.campaign
def test_a_sweep_that_is_cancelled_leaves_the_cluster_to_others(cluster: Cluster, empty: Path):
    with up(empty, *NO_SITES, "--dask", cluster.address) as running, client_of(running) as client:
        endless = begun(client, 20_000)  # there is nobody yet
        eventually(lambda: client.get(endless).json()["status"] == "running" or None)
        assert client.delete(endless).json()["status"] == "cancelled"
        cluster.worker("late", "--nthreads", "1")
        is_whole(client, begun(client, 20), 20)
        assert ended(client, endless)["status"] == "cancelled"
        assert running.ends(signal.SIGTERM) == 0, running.said


def test_a_cluster_that_is_not_there_is_told(empty: Path):
    patience = {"voltbench.apps.cells.opening:CLUSTER_PATIENCE_S": 0.5}
    with up(empty, *NO_SITES, "--dask", "tcp://127.0.0.1:1", constants=patience) as running:
        assert running.ends() != 0
        assert "no Dask scheduler answers at tcp://127.0.0.1:1" in running.said.replace("\n", " ")
