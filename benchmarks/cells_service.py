"""A `voltbench up` that simulates cells, and what it and its processes take while they do."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

CORES = 2
LOOK_S = 1.0
POLL_S = 0.1


@dataclass
class Spent:
    """What a stretch of work took: seconds of the wall and of CPU, and the most memory seen, all processes together."""

    wall_s: float = 0.0
    server_cpu_s: float = 0.0
    solving_cpu_s: float = 0.0
    idle: float = 0.0
    most_rss: int = 0
    most_pss: int = 0

    @property
    def cpu_s(self) -> float:
        """All of it."""
        return self.server_cpu_s + self.solving_cpu_s


@dataclass
class Service:
    """A server that was just started: its process, a client of its API, and when it was started."""

    server: psutil.Process
    client: httpx.Client
    port: int
    started_s: float

    @property
    def solving(self) -> list[psutil.Process]:
        """The processes that solve."""
        return self.server.children()

    def asked(self, body: dict[str, Any], path: str = "/simulations:batch") -> dict[str, Any]:
        """A simulation or a sweep, once it has ended well."""
        answer = self.client.post(path, json=body)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        while told["status"] in ("queued", "running"):
            time.sleep(POLL_S)
            told = self.client.get(told["links"]["self"]).json()
        assert told["status"] == "succeeded", told
        return told

    def compiled(self) -> list[int]:
        """How many models each process that solves has in machine code."""
        maps = [Path(f"/proc/{process.pid}/maps").read_text() for process in self.solving]
        return [len(set(re.findall(r"\S+/model_\w+\.so", one))) for one in maps]

    def points(self, told: dict[str, Any], count: int) -> list[dict[str, Any]]:
        """What the points of a sweep came to; none may have failed."""
        table = self.client.get(f"{told['links']['self']}/points", params={"limit": min(count, 5_000)}).json()
        assert (table["solved"], table["failed"]) == (count, 0), table
        rows: list[dict[str, Any]] = table["points"]
        return rows

    @contextmanager
    def spending(self) -> Iterator[Spent]:
        """What is spent while this lasts, known afterwards."""
        spent, over = Spent(), threading.Event()
        looking = threading.Thread(target=self._look, args=(spent, over), daemon=True)
        before = [_cpu_s(self.server), *map(_cpu_s, self.solving)]
        waited_s, began_s = sum(map(_scheduled_s, self.solving)), time.perf_counter()
        looking.start()
        try:
            yield spent
        finally:
            over.set()
            looking.join()
            spent.wall_s = time.perf_counter() - began_s
            after = [_cpu_s(self.server), *map(_cpu_s, self.solving)]
            spent.server_cpu_s, spent.solving_cpu_s = after[0] - before[0], sum(after[1:]) - sum(before[1:])
            busy_s = sum(map(_scheduled_s, self.solving)) - waited_s
            spent.idle = max(0.0, 1.0 - busy_s / (spent.wall_s * len(self.solving)))

    def _look(self, spent: Spent, over: threading.Event) -> None:
        while True:
            with suppress(psutil.NoSuchProcess):
                found = [process.memory_full_info() for process in (self.server, *self.solving)]
                spent.most_rss = max(spent.most_rss, sum(one.rss for one in found))
                spent.most_pss = max(spent.most_pss, sum(one.pss for one in found))
            if over.wait(LOOK_S):
                return


def _cpu_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _scheduled_s(process: psutil.Process) -> float:
    """How long a process has run, or could have run and had to wait for a core."""
    ran_ns, waited_ns, _ = Path(f"/proc/{process.pid}/schedstat").read_text().split()
    return (int(ran_ns) + int(waited_ns)) / 1e9


@contextmanager
def a_service(directory: Path) -> Iterator[Service]:
    """A bench in an empty directory, that solves with as many processes as there are cores to compare."""
    program = str(Path(sys.executable).with_name("voltbench"))
    options = ["--port", "0", "--no-csms", "--no-demo", "--cell-processes", str(CORES)]
    environment = os.environ | {"PYBAMM_DISABLE_TELEMETRY": "true"}
    began_s = time.perf_counter()
    with subprocess.Popen(
        [program, "up", *options], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=environment,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            said = (re.search(r"listening on http.*?:(\d+)", line) for line in process.stdout)
            port = next(int(found[1]) for found in said if found)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120.0) as client:
                yield Service(psutil.Process(process.pid), client, port, began_s)
        finally:
            process.send_signal(signal.SIGTERM)


def peer(what: str, **asked: Any) -> dict[str, Any]:
    """What the seed's way comes to, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.peers.seed_simulator", what]
    environment = os.environ | {"PYBAMM_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        command, input=json.dumps(asked), stdout=subprocess.PIPE, text=True, check=True, env=environment
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told
