"""The peer: days of one car as a deferrable load in EMHASS' optimization.

Runs alone, in an environment of its own (emhass-requirements.txt), and knows nothing of voltbench:

    .venv-emhass/bin/python benchmarks/peers/emhass_optimization.py < TASKS.json

A task says how often each day is solved, and brings the days: prices per kWh; the car's room per slot and its need, in
Wh. The car is one continuous deferrable load: its power, the window in which it may run, and the hours that it would
run at that power. Nothing else is in the house, and the grid gives as much as the car can take. The rest is left at
EMHASS' defaults, but for the gap at which it may stop (0 instead of 1 %, so that costs can be compared) and one thread.

Timed is the call of `perform_optimization` alone, which sets the program's parameters, solves it and tabulates the
answer. The program is built anew each time (variant `built`), or kept from a solve that is not timed (variant `kept`),
as EMHASS does from one plan to the next while a load's power stays the same.

(The file is not called emhass.py: it would be imported in that package's place.)
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy is imported: OpenBLAS reads it once

import gc
import json
import logging
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import emhass
import numpy as np
import pandas as pd
from emhass.optimization import Optimization

SLOTS_PER_HOUR = 4
COST, SOLD_AT = "unit_load_cost", "unit_prod_price"
DEFAULTS = json.loads((Path(emhass.__file__).parent / "data" / "config_defaults.json").read_text())
HOUSE = {
    "optimization_time_step": pd.Timedelta(hours=1) / SLOTS_PER_HOUR,
    "time_zone": "UTC",
    "lp_solver_mip_rel_gap": 0.0,
    "num_threads": 1,
    "number_of_deferrable_loads": 1,
    "treat_deferrable_load_as_semi_cont": [False],
    # Of the rest of a load's settings, the default is two loads' worth: the same, for one.
    "minimum_power_of_deferrable_loads": [0.0],
    "cost_forecast_per_deferrable_load": [None],
    "is_electric_load": [True],
    "set_deferrable_load_single_constant": [False],
    "set_deferrable_startup_penalty": [0.0],
    "set_deferrable_max_startups": [0],
    "deferrable_load_max_cost": [0.0],
    "def_minimum_on_time": [0],
    "def_minimum_off_time": [0],
}


def optimization(power_w: float, slots: int) -> Optimization:
    """EMHASS for a house with a car of such a power."""
    house = DEFAULTS | HOUSE | {"nominal_power_of_deferrable_loads": [power_w], "maximum_power_from_grid": power_w}
    silent = logging.getLogger("emhass")
    silent.addHandler(logging.NullHandler())
    silent.propagate = False
    return Optimization(house, house, house, COST, SOLD_AT, "profit", {}, silent, num_timesteps=slots)


def window(room_wh: list[float]) -> tuple[float, int, int]:
    """The power of a car that has the same room in every slot of its stay, and when that begins and ends."""
    open_slots = np.flatnonzero(room_wh)
    first, end = int(open_slots[0]), int(open_slots[-1]) + 1
    if len({*room_wh[first:end]}) > 1:
        raise ValueError("EMHASS' deferrable loads have one power and one window")
    return room_wh[first] * SLOTS_PER_HOUR, first, end


def solve(day: dict[str, Any], kept: dict[float, Optimization] | None) -> dict[str, Any]:
    """The CPU seconds that a day took, what EMHASS says it costs, and the energy per slot."""
    [room_wh], [needed_wh], slots = day["room"], day["needed"], len(day["price"])
    power_w, first, end = window(room_wh)
    table = pd.DataFrame(
        {COST: day["price"], SOLD_AT: 0.0},
        index=pd.date_range("2026-01-01", periods=slots, freq="15min", tz="UTC"),
    )
    none, price = np.zeros(slots), np.array(day["price"])
    car = {
        "def_total_hours": [needed_wh / power_w],
        "def_start_timestep": [first],
        "def_end_timestep": [end],
    }
    if kept is not None and power_w not in kept:
        kept[power_w] = optimization(power_w, slots)
        kept[power_w].perform_optimization(table, none, none, price, none, **car)
    gc.collect()
    before_s = time.process_time()
    one = optimization(power_w, slots) if kept is None else kept[power_w]
    found = one.perform_optimization(table, none, none, price, none, **car)
    taken_s = time.process_time() - before_s
    if one.optim_status != "Optimal":
        raise RuntimeError(f"EMHASS found no optimum: {one.optim_status}")
    energy_wh = found["P_deferrable0"].to_numpy() / SLOTS_PER_HOUR
    return {"cpu_seconds": taken_s, "cost": -float(one.prob.value), "energy_wh": [energy_wh.tolist()]}


def run(task: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Every round's answers to every day."""
    kept: dict[float, Optimization] | None = {"kept": {}, "built": None}[task["variant"]]
    return [[solve(day, kept) for day in task["days"]] for _ in range(task["rounds"])]


def main() -> None:
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever else is printed
    packages = ("emhass", "cvxpy", "highspy", "numpy", "pandas")
    versions = {"python": platform.python_version()} | {name: version(name) for name in packages}
    with answer:
        json.dump({"versions": versions, "tasks": [run(task) for task in json.load(sys.stdin)]}, answer)


if __name__ == "__main__":
    main()
