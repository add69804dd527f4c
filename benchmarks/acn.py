"""A simulated day beside ACN-Sim: the same garage, sessions, periods and order of service, in the same run."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.acn_site import garage_scenario
from benchmarks.figures import ROOT, SESSIONS, Figure, cpu_s
from voltbench.running.scenario import Outcome, run

PEER = [str(ROOT / ".venv-acn" / "bin" / "python"), str(ROOT / "benchmarks" / "peers" / "acn.py")]
SYNTHETIC, REAL = "acn_sessions_3d", "acn_real_3d"
ROUNDS, OURS_S = 5, 2.0
"""Between two runs of the peer ours is run as often as fits into such a time, so that both see the machine's moods."""

MINUTES_PER_DAY = 1_440

STRATEGY = {"edf": "edf", "rr": "max_min"}
"""What each of the peer's algorithms is with us.

The peer's round robin gives everybody 0.1 A in turn until nobody can have more: in the limit of small steps that is
max-min. (What we call round robin is something else: who is served first goes round.)
"""
LABEL = {"edf": "EDF", "rr": "round robin (ACN's: equal steps in turn; ours: max_min, its limit)"}


@dataclass(frozen=True)
class Run:
    """A file of sessions with an algorithm; all of it, or its busiest hours where the peer would take too long.

    The peer runs `peer_rounds` times.
    """

    file: str
    algorithm: str
    period_min: int
    hours: int | None = None
    peer_rounds: int = 1


RUNS = (
    Run(SYNTHETIC, "edf", 5, peer_rounds=5),
    Run(REAL, "edf", 5, peer_rounds=5),
    Run(SYNTHETIC, "edf", 1),
    Run(REAL, "edf", 1),
    Run(SYNTHETIC, "rr", 5, hours=24),
    Run(REAL, "rr", 5),
    Run(SYNTHETIC, "rr", 1, hours=2),
    Run(REAL, "rr", 1, hours=2),
)
QUICK = (Run(SYNTHETIC, "edf", 5), Run(REAL, "edf", 5), Run(REAL, "rr", 5, hours=2))


def figures(quick: bool = False) -> list[Figure]:
    """EDF and round robin at 5 and 1 minutes on both files."""
    if not SESSIONS.is_dir():
        return [Figure("not run: the session files are not here", f"VOLTBENCH_BENCH_SESSIONS={SESSIONS}")]
    network = peer("--network")
    with tempfile.TemporaryDirectory(prefix="voltbench-") as directory:
        return [compared(asked, network, Path(directory)) for asked in (QUICK if quick else RUNS)]


def compared(asked: Run, network: dict[str, Any], directory: Path) -> Figure:
    """Ours and the peer's in turn, each of the peer's runs between two of ours: the ratio is that of neighbours.

    The delivered energies are compared in all and session by session.
    """
    sessions, what = SESSIONS / f"{asked.file}.json", f"a day of {asked.file}"
    if asked.hours is not None:
        sessions, what = busiest(sessions, asked.hours, directory)
    ours, theirs = [], []
    for _ in range(asked.peer_rounds):
        ours.append(our_run(sessions, network, STRATEGY[asked.algorithm], asked.period_min))
        theirs.append(_peer_run(sessions, asked.algorithm, asked.period_min))
    ours.append(our_run(sessions, network, STRATEGY[asked.algorithm], asked.period_min))
    per = theirs[0]["days"] if asked.hours is None else 1.0
    ours_s = statistics.median(taken_s for taken_s, _ in ours) / per
    peer_s = statistics.median(run["cpu_seconds"] for run in theirs) / per
    times = statistics.median(
        2.0 * run["cpu_seconds"] / (before_s + after_s)
        for run, ((before_s, _), (after_s, _)) in zip(theirs, pairwise(ours), strict=True)
    )
    kwh = {visit.id: visit.delivered_wh / 1e3 for visit in ours[0][1].ledger}
    peer_kwh: dict[str, float] = theirs[0]["sessions"]
    return Figure(
        what=f"{what}, {LABEL[asked.algorithm]}, {asked.period_min} min",
        ours=f"{ours_s * 1e3:.1f} ms, {sum(kwh.values()):.1f} kWh",
        peer=f"{peer_s * 1e3:,.0f} ms, {sum(peer_kwh.values()):.1f} kWh",
        ratio=f"{times:,.0f}x; {_difference(kwh, peer_kwh)}",
        promise=">= 100x, within 0.1 %" if asked.algorithm == "edf" else "",
    )


def _difference(kwh: dict[str, float], peer_kwh: dict[str, float]) -> str:
    """How far apart the delivered energies are, in all and where they are furthest apart."""
    assert kwh.keys() == peer_kwh.keys()
    in_all = sum(kwh.values()) / sum(peer_kwh.values()) - 1.0
    most_wh = 1e3 * max(abs(kwh[id] - peer_kwh[id]) for id in kwh)
    return f"energy {100 * in_all:+.3f} %, of one session at most {most_wh:.0f} Wh off"


def our_run(sessions: Path, network: dict[str, Any], strategy: str, period_min: int) -> tuple[float, Outcome]:
    """Median CPU seconds of a run, and what came of it. Building is not counted, as for the peer."""
    seconds, outcomes = [], list[Outcome]()
    while len(seconds) < ROUNDS or sum(seconds) < OURS_S:
        scenario = garage_scenario(sessions, network, period_min, strategy)
        seconds.append(cpu_s(lambda scenario=scenario: outcomes.append(run(scenario))))  # type: ignore[misc]
    return statistics.median(seconds), outcomes[0]


def busiest(sessions: Path, hours: int, directory: Path) -> tuple[Path, str]:
    """The whole hours in which arrivals ask for most energy, as a file of their own, and what to call them.

    It holds the sessions that arrive then, which leave when the hours are over if they had not before.
    """
    read = json.loads(sessions.read_text())
    length = hours * 60
    starts = range(0, max(s["arrive_min"] for s in read["sessions"]), 60)
    asked = {a: sum(s["kwh"] for s in read["sessions"] if a <= s["arrive_min"] < a + length) for a in starts}
    begin = max(asked, key=asked.__getitem__)
    part = [
        s | {"arrive_min": s["arrive_min"] - begin, "depart_min": min(s["depart_min"] - begin, length)}
        for s in read["sessions"]
        if begin <= s["arrive_min"] < begin + length
    ]
    path = directory / f"{sessions.stem}-{hours}h.json"
    path.write_text(json.dumps(read | {"sessions": part}))
    day, hour = begin // MINUTES_PER_DAY + 1, begin % MINUTES_PER_DAY // 60
    return path, f"the busiest {hours} h of {sessions.stem} (from day {day}, {hour:02}:00; {len(part)} sessions)"


def _peer_run(sessions: Path, algorithm: str, period_min: int) -> dict[str, Any]:
    return peer(str(sessions), "--period", str(period_min), "--algorithm", algorithm, "--departures", "ceil")


def peer(*arguments: str) -> dict[str, Any]:
    """What the peer prints, from its own environment."""
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*PEER, *arguments], check=True, stdout=subprocess.PIPE, text=True, env=alone)
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed
