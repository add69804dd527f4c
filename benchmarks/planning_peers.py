"""Plans for one car and for a hundred, beside EMHASS and FlexMeasures on the same days, in the same run.

Each peer has an environment of its own, which `make bench` sets up, and is run as a process of its own: once for all
that it is asked, since importing it takes ten seconds and more. What it takes is its scheduling function's CPU time
only; see benchmarks/peers. Its plan has to keep the cars' rooms, needs and the site's limit within LEAST_WH, and
to cost the same as ours within TOLERANCE.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.figures import ROOT, Figure, median_cpu_s, ms
from benchmarks.planning_days import Day, Floats, alone, any_day, asked, day_ahead
from voltbench.energy.plan import plan

TOLERANCE = 1e-6
"""How far apart the costs may be, relative to ours."""

LEAST_WH = 0.01
"""FlexMeasures allows HiGHS 1e-9 MW, EMHASS 1e-6 W: in a quarter of an hour, or 96 of them, far less than this."""


@dataclass(frozen=True)
class Peer:
    """Which package, of what version at least, and the script that asks it."""

    title: str
    package: str
    script: str
    at_least: tuple[int, int]

    @property
    def python(self) -> str:
        """The Python of its own environment."""
        return str(ROOT / f".venv-{self.package}" / "bin" / "python")


EMHASS = Peer("EMHASS", "emhass", "emhass_optimization.py", (0, 18))
FLEXMEASURES = Peer("FlexMeasures", "flexmeasures", "flexmeasures_scheduler.py", (1, 0))


@dataclass(frozen=True)
class Task:
    """Days that a peer plans in one of its ways (`variant`), in some rounds, and what to call that way."""

    variant: str
    name: str
    days: list[Day]
    rounds: int


@dataclass(frozen=True)
class Row:
    """One row: what is planned, on which days by us, and the tasks beside it, on all or the first of them."""

    what: str
    days: list[Day]
    tasks: list[Task]


def figures(quick: bool = False) -> list[Figure]:
    """One car beside both, a hundred beside FlexMeasures."""
    rounds = 1 if quick else 3
    cars = [alone(seed) for seed in range(50 if quick else 500)]
    some = cars[: 2 if quick else 20]
    one = [Task("kept", "program kept", some, rounds), Task("built", "built anew", some, rounds)]
    rows = [_beside(EMHASS, [Row("1 car x 96, exact", cars, one)])]
    fewer = some[:10]
    fleets = [Row("1 car x 96, exact", cars, _both(fewer, fewer, rounds))]
    for make, kind in ((day_ahead, "a day-ahead day"), (any_day, "any day")):
        days = [make(100, seed) for seed in range(1 if quick else 4)]
        pyomos = [] if quick else days[:1]  # about ten seconds each
        fleets.append(Row(f"100 cars x 96, {kind}, exact", days, _both(days, pyomos, 1)))
    rows.append(_beside(FLEXMEASURES, fleets))
    return [row for some_rows in rows for row in some_rows]


def _both(days: list[Day], pyomos: list[Day], rounds: int) -> list[Task]:
    """FlexMeasures' own way to HiGHS, its default, and the one by Pyomo, which was it before."""
    own = Task("highspy", "own model", days, rounds)
    return [own, Task("appsi_highs", "Pyomo", pyomos, rounds)] if pyomos else [own]


def _beside(peer: Peer, rows: list[Row]) -> list[Figure]:
    if not os.path.exists(peer.python):
        return [Figure(f"not run: {peer.title} has no environment here", "`make bench` sets it up")]
    asked = [task for row in rows for task in row.tasks]
    answered = _ask(peer, asked)
    version = answered["versions"][peer.package]
    assert tuple(int(part) for part in version.split(".")[:2]) >= peer.at_least, version
    answers = iter(answered["tasks"])
    return [_figure(row, f"{peer.title} {version}", [next(answers) for _ in row.tasks]) for row in rows]


def _ask(peer: Peer, tasks: list[Task]) -> dict[str, Any]:
    """What the peer answers from its own environment: for every task, round and day the time, cost and energies."""
    told = [
        {
            "variant": task.variant,
            "rounds": task.rounds,
            "days": [{name: part.tolist() for name, part in vars(day).items()} for day in task.days],
        }
        for task in tasks
    ]
    command = [peer.python, str(ROOT / "benchmarks" / "peers" / peer.script)]
    own = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, input=json.dumps(told), stdout=subprocess.PIPE, text=True, env=own)
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered


def _figure(row: Row, who: str, answers: list[list[list[dict[str, Any]]]]) -> Figure:
    ours_s = median_cpu_s([asked(day) for day in row.days], lambda one: plan(*one).energy_wh, 15)
    peers_s, gaps = [], list[float]()
    for task, rounds in zip(row.tasks, answers, strict=True):
        peers_s.append(statistics.median(_mean_s(answered) for answered in rounds))
        gaps += [
            _gap(day, plan(*asked(day)).energy_wh, answer) for day, answer in zip(task.days, rounds[0], strict=True)
        ]
    peer = ", ".join(f"{task.name} {ms(taken_s)}" for task, taken_s in zip(row.tasks, peers_s, strict=True))
    return Figure(
        f"{row.what}, plan(), beside {who}",
        ms(ours_s),
        peer,
        f"{min(peers_s) / ours_s:,.0f}x; costs within {max(gaps):.0e}",
    )


def _mean_s(answers: list[dict[str, Any]]) -> float:
    return statistics.fmean(answer["cpu_seconds"] for answer in answers)


def _gap(day: Day, ours_wh: Floats, answer: dict[str, Any]) -> float:
    """How far apart the costs are, by the peer's word and by its energies, once those have been found to be a plan."""
    theirs_wh = np.array(answer["energy_wh"])
    assert theirs_wh.shape == ours_wh.shape, (theirs_wh.shape, ours_wh.shape)
    excess_wh = max(
        float(-theirs_wh.min()),
        float((theirs_wh - day.room).max()),
        float((theirs_wh.sum(axis=0) - day.site).max()),
        float(np.abs(theirs_wh.sum(axis=1) - day.needed).max()),
    )
    assert excess_wh <= LEAST_WH, excess_wh
    cost = float(ours_wh.sum(axis=0) @ day.price) / 1e3
    by_energy = float(theirs_wh.sum(axis=0) @ day.price) / 1e3
    gap = max(abs(found / cost - 1.0) for found in (by_energy, float(answer["cost"])))
    assert gap <= TOLERANCE, (cost, by_energy, answer["cost"])
    return gap
