"""The seed's way to simulate a cell, with the PyBaMM that we have; and PyBaMM asked directly, to compare answers with.

    python -m benchmarks.peers.seed_simulator cell|drivecycle|direct

Reads a JSON object: `currents_a` (discharging positive), `threads`; for `direct` a model, a mesh and a tolerance too.
Each request of the seed's builds a new DFN of Chen2020, discretises it and solves it with CasADi in safe mode, as
Flask had it done in a thread of its own. Prints JSON: CPU and wall seconds, and what each request came to.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pybamm

SECONDS = 3_600.0


def cell(current_a: float) -> list[dict[str, float]]:
    """`/cell/simulate`: an hour at one current, from where the parameter set begins."""
    parameters = pybamm.ParameterValues("Chen2020")
    parameters["Current function [A]"] = current_a
    solver = pybamm.CasadiSolver(mode="safe", rtol=1e-6, atol=1e-6)
    simulation = pybamm.Simulation(pybamm.lithium_ion.DFN(), parameter_values=parameters, solver=solver)
    return _rows(simulation.solve(np.linspace(0.0, SECONDS, 101)))


def drivecycle(scale: float) -> list[dict[str, float]]:
    """`/drivecycle/simulate`: US06 from full, on the seed's mesh; scaled, so that no two are alike."""
    from voltbench.adapters.cells.drive_cycles import drive_cycle  # noqa: PLC0415  # the others do without us

    cycle = drive_cycle("US06")
    assert cycle.current_a is not None
    parameters = pybamm.ParameterValues("Chen2020")
    time_s, current_a = np.array(cycle.time_s), -scale * np.array(cycle.current_a)
    parameters["Current function [A]"] = pybamm.Interpolant(time_s, current_a, pybamm.t)
    simulation = pybamm.Simulation(
        pybamm.lithium_ion.DFN(),
        parameter_values=parameters,
        solver=pybamm.CasadiSolver(mode="safe"),
        var_pts={"x_n": 30, "x_s": 30, "x_p": 30, "r_n": 10, "r_p": 10},
    )
    return _rows(simulation.solve(time_s, initial_soc=1.0))


def _rows(solution: Any) -> list[dict[str, float]]:
    names = {
        "time": "Time [s]",
        "voltage": "Terminal voltage [V]",
        "current": "Current [A]",
        "dcap": "Discharge capacity [A.h]",
    }
    columns = {name: solution[long].entries.tolist() for name, long in names.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def direct(asked: dict[str, Any], current_a: float) -> list[dict[str, float]]:
    """PyBaMM as its documentation has it: its IDAKLU solver, ten times the accuracy."""
    model = getattr(pybamm.lithium_ion, asked["model"])()
    parameters = pybamm.ParameterValues("Chen2020")
    parameters["Current function [A]"] = current_a
    points = dict.fromkeys(("x_n", "x_s", "x_p"), asked["electrode_points"])
    points |= dict.fromkeys(("r_n", "r_p"), asked["particle_points"])
    solver = pybamm.IDAKLUSolver(rtol=asked["tolerance"] / 10.0, atol=asked["tolerance"] / 1_000.0)
    simulation = pybamm.Simulation(model, parameter_values=parameters, var_pts=points, solver=solver)
    return _rows(simulation.solve([0.0, SECONDS], t_interp=np.linspace(0.0, SECONDS, 101)))


def main() -> None:
    """Do what is asked for, in so many threads."""
    asked, what = json.load(sys.stdin), sys.argv[1]
    if what == "direct":
        print(json.dumps({"answers": [direct(asked, current_a) for current_a in asked["currents_a"]]}))
        return
    work = {"cell": cell, "drivecycle": drivecycle}[what]
    cell(4.0)  # a server has imported everything by then
    began_s, cpu_s = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(asked["threads"]) as requests:
        answers = list(requests.map(lambda number: json.dumps(work(number)), asked["currents_a"]))
    told = {"cpu_s": time.process_time() - cpu_s, "wall_s": time.perf_counter() - began_s}
    print(json.dumps({**told, "answers": [json.loads(answer) for answer in answers]}))


if __name__ == "__main__":
    main()
