"""The peer: days of cars under a site limit through FlexMeasures' device scheduler.

Runs alone, in an environment of its own (flexmeasures-requirements.txt), and knows nothing of voltbench:

    .venv-flexmeasures/bin/python benchmarks/peers/flexmeasures_scheduler.py < TASKS.json

A task names the solver that FlexMeasures is to be set to (`highspy`, its default, or `appsi_highs`, by Pyomo), says how
often each day is solved, and brings the days: prices per kWh; room per car and slot, need per car, and the site's limit
per slot, in Wh. All that goes in is what its own storage scheduler would hand over: MW, stocks in MW times
slots, a price as a commitment to buy nothing, so that what is bought deviates from it. Left out is that scheduler's
small reward for charging early, which would be another problem, and everything about its database. Timed is the call
of `device_scheduler` alone, which checks its input, builds the program, solves it and reads the answer.

(The file is not called flexmeasures.py: it would be imported in that package's place.)
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy is imported: OpenBLAS reads it once

import gc
import json
import platform
import sys
import time
from importlib.metadata import version
from typing import Any

import flask
import numpy as np
import pandas as pd
from flexmeasures.data.models.planning import FlowCommitment
from flexmeasures.data.models.planning.linear_optimization import device_scheduler

SLOTS_PER_HOUR = 4
WH_PER_MW_SLOT = 1e6 / SLOTS_PER_HOUR
COLUMNS = ("equals", "max", "min", "derivative equals", "derivative max", "derivative min", "efficiency",
           "derivative down efficiency", "derivative up efficiency")  # fmt: skip


def device(room_wh: list[float], needed_wh: float, slots: pd.DatetimeIndex) -> pd.DataFrame:
    """What a car can take and must have in the end."""
    frame = pd.DataFrame(np.nan, index=slots, columns=list(COLUMNS))
    frame["min"], frame["max"] = 0.0, needed_wh / WH_PER_MW_SLOT
    frame["derivative min"], frame["derivative max"] = 0.0, np.array(room_wh) / WH_PER_MW_SLOT
    frame.loc[slots[-1], "equals"] = needed_wh / WH_PER_MW_SLOT
    return frame


def problem(day: dict[str, Any]) -> dict[str, Any]:
    """A day in the scheduler's words; new each time, since it writes into what it is given."""
    slots = pd.date_range("2026-01-01", periods=len(day["price"]), freq="15min", tz="UTC", name="datetime")
    price = pd.Series(np.array(day["price"]) * 1e3 / SLOTS_PER_HOUR, index=slots)
    site = pd.DataFrame({"derivative min": 0.0, "derivative max": np.array(day["site"]) / WH_PER_MW_SLOT}, index=slots)
    energy = FlowCommitment(
        name="energy", index=slots, quantity=0.0, upwards_deviation_price=price, downwards_deviation_price=price
    )
    return {
        "device_constraints": [
            device(room, needed, slots) for room, needed in zip(day["room"], day["needed"], strict=True)
        ],
        "ems_constraints": site,
        "commitments": [energy],
        "initial_stock": 0.0,
    }


def solve(day: dict[str, Any]) -> dict[str, Any]:
    """The CPU seconds that a day took, what FlexMeasures says it costs, and the energy per car and slot."""
    given = problem(day)
    gc.collect()
    before_s = time.process_time()
    powers, cost, results, _ = device_scheduler(**given)
    taken_s = time.process_time() - before_s
    if results.solver.termination_condition != "optimal":
        raise RuntimeError(f"FlexMeasures found no optimum: {results.solver.termination_condition}")
    energy_wh = np.array([power.to_numpy() for power in powers]) * WH_PER_MW_SLOT
    return {"cpu_seconds": taken_s, "cost": float(cost), "energy_wh": energy_wh.tolist()}


def run(task: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Every round's answers to every day."""
    app = flask.Flask("peer")  # all that the scheduler wants of its own application are these settings
    app.config.update(FLEXMEASURES_LP_SOLVER=task["variant"], LOGGING_LEVEL="INFO")  # else HiGHS prints its progress
    with app.app_context():
        return [[solve(day) for day in task["days"]] for _ in range(task["rounds"])]


def main() -> None:
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # HiGHS announces itself
    packages = ("flexmeasures", "highspy", "numpy", "pandas", "pyomo")
    versions = {"python": platform.python_version()} | {name: version(name) for name in packages}
    with answer:
        json.dump({"versions": versions, "tasks": [run(task) for task in json.load(sys.stdin)]}, answer)


if __name__ == "__main__":
    main()
