"""How things are measured here: CPU time, medians, peers beside ours in the same run."""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parent.parent
SESSIONS = Path(os.environ.get("VOLTBENCH_BENCH_SESSIONS", ROOT.parent / "shared" / "data"))
"""Where the session files are; they are not part of the repository."""

Case = TypeVar("Case")


@dataclass(frozen=True)
class Figure:
    """One row of the benchmark table: what was measured, ours, the peer's, their ratio, and what we promise."""

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""
    promise: str = ""


def cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of one call, with the garbage of earlier ones out of the way."""
    gc.collect()
    before = time.process_time()
    work()
    return time.process_time() - before


def median_cpu_s(cases: Sequence[Case], work: Callable[[Case], object], rounds: int = 5) -> float:
    """Median over some rounds of the CPU seconds per case; every case is a different input."""
    for case in cases[:2]:
        work(case)

    def all_of_them() -> None:
        for case in cases:
            work(case)

    return statistics.median(cpu_s(all_of_them) for _ in range(rounds)) / len(cases)


def alone(module: str, *arguments: str) -> Any:
    """Run one measurement in a process of its own, which prints a JSON object: nobody else's memory or caches."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def loop_s() -> float:
    """Median CPU seconds of 200,000 additions in plain Python: how fast the machine is just now."""

    def add_up() -> None:
        total = 0
        for i in range(200_000):
            total += i

    return statistics.median(cpu_s(add_up) for _ in range(15))


def machine() -> str:
    """The processor, its cores, and the software that decides the figures."""
    said = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.partition(":")[2].strip() for line in said.splitlines() if line.startswith("model name")]
    processor = models[0] if models else platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {version('numpy')}"


def promised(most: float, measured: float) -> str:
    """How far below a promise a measurement stays, where no peer stands beside it."""
    return (
        f"{most / measured:.1f}x better than promised"
        if measured <= most
        else f"{measured / most:.1f}x over the promise"
    )


def ms(seconds: float) -> str:
    """Milliseconds to read."""
    return f"{seconds * 1e3:.3g} ms" if seconds < 1.0 else f"{seconds * 1e3:,.0f} ms"
