"""A simulated day beside ACN-Sim: the same garage, sessions, periods and order of service, in the same run."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.acn_site import garage_scenario
from benchmarks.figures import ROOT, SESSIONS, Figure, cpu_s
from voltbench.energy.scenario import Outcome, run
from voltbench.quantities import MS_PER_DAY

PEER = [str(ROOT / ".venv-acn" / "bin" / "python"), str(ROOT / "benchmarks" / "peers" / "acn.py")]
FILES = ("acn_sessions_3d.json", "acn_real_3d.json")
ROUNDS = 5


def figures(quick: bool = False) -> list[Figure]:
    """EDF at 5 and 1 minutes on both files, and equal sharing (ACN-Sim's round robin) at 5 minutes."""
    network = peer("--network")
    runs = [(file, "edf", 5) for file in FILES]
    if not quick:
        runs += [(file, "edf", 1) for file in FILES] + [(FILES[1], "rr", 5)]
    return [compared(SESSIONS / file, network, algorithm, period) for file, algorithm, period in runs]


def compared(sessions: Path, network: dict[str, Any], algorithm: str, period_min: int) -> Figure:
    """Ours and the peer's, one after another, each several times; the delivered energies are compared by session."""
    strategy = {"edf": "edf", "rr": "max_min"}[algorithm]
    ours_s, outcome = ours(sessions, network, strategy, period_min)
    times = ROUNDS if period_min == 5 and algorithm == "edf" else 1
    theirs = [_peer_run(sessions, algorithm, period_min) for _ in range(times)]
    ours_again_s, _ = ours(sessions, network, strategy, period_min)
    day_s = statistics.median((ours_s, ours_again_s))
    peer_s = statistics.median(run["cpu_seconds_per_day"] for run in theirs)
    kwh, peer_kwh = sum(v.delivered_wh for v in outcome.ledger) / 1e3, theirs[0]["delivered_kwh"]
    return Figure(
        what=f"a day of {sessions.stem}, {algorithm.upper()}, {period_min} min",
        ours=f"{day_s * 1e3:.1f} ms, {kwh:.1f} kWh",
        peer=f"{peer_s * 1e3:.0f} ms, {peer_kwh:.1f} kWh",
        ratio=f"{peer_s / day_s:.0f}x, energy {100 * (kwh / peer_kwh - 1):+.3f} %",
        promise=">= 100x, within 0.1 %" if algorithm == "edf" else "",
    )


def ours(sessions: Path, network: dict[str, Any], strategy: str, period_min: int) -> tuple[float, Outcome]:
    """Median CPU seconds per simulated day, and what came of it. Building is not counted, as for the peer."""
    seconds = []
    for _ in range(ROUNDS):
        scenario = garage_scenario(sessions, network, period_min, strategy)
        outcomes: list[Outcome] = []
        taken_s = cpu_s(lambda scenario=scenario, outcomes=outcomes: outcomes.append(run(scenario)))  # type: ignore[misc]
        seconds.append(taken_s / ((scenario.ends_at - scenario.starts_at) / MS_PER_DAY))
    return statistics.median(seconds), outcomes[0]


def _peer_run(sessions: Path, algorithm: str, period_min: int) -> dict[str, Any]:
    return peer(str(sessions), "--period", str(period_min), "--algorithm", algorithm, "--departures", "ceil")


def peer(*arguments: str) -> dict[str, Any]:
    """What the peer prints, from its own environment."""
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*PEER, *arguments], check=True, capture_output=True, text=True, env=alone)
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed
