"""The peer: a file of sessions through ACN-Sim's Caltech garage, or that garage's network, as one JSON object.

Runs alone, in an environment of its own (acn-requirements.txt), and knows nothing of voltbench:

    .venv-acn/bin/python benchmarks/peers/acn.py SESSIONS.json --period 5 --algorithm edf
    .venv-acn/bin/python benchmarks/peers/acn.py --network

Arrivals are floored to the period, departures floored or, with `--departures ceil`, raised to it. A car may charge from
its arrival's period up to, not including, its departure's. Cars of one EVSE must not overlap after that (ACN-Sim stops
with StationOccupiedError), nor stay for no period at all (ValueError); leaving and arriving in one period is fine. What
is not said here is left at ACN-Sim's default.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy is imported: OpenBLAS reads it once

import argparse
import json
import platform
import sys
import time
import warnings
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore", message="pkg_resources is deprecated")  # acnportal imports it

import numpy as np
from acnportal.acnsim import EV, EventQueue, Linear2StageBattery, PluginEvent, Simulator
from acnportal.acnsim.network import ChargingNetwork
from acnportal.acnsim.network.sites import caltech_acn
from acnportal.algorithms import (
    BaseAlgorithm,
    RoundRobin,
    SortedSchedulingAlgo,
    earliest_deadline_first,
    first_come_first_served,
)

VOLTAGE_V = 208
TRANSFORMER_KW = 150
TRANSITION_SOC = 0.8
MINUTES_PER_DAY = 1440
LINE_PAIR_OF_ANGLE = {30: "AB", -90: "BC", 150: "CA"}
ALGORITHMS = {
    "edf": lambda: SortedSchedulingAlgo(earliest_deadline_first),
    "rr": lambda: RoundRobin(first_come_first_served),  # the order has no default; ACN-Sim's own tests use this one
}


def caltech_garage() -> ChargingNetwork:
    """The 54 single-phase EVSEs with any current from 0 to 32 A, behind the capped transformer."""
    return caltech_acn(basic_evse=True, voltage=VOLTAGE_V, transformer_cap=TRANSFORMER_KW)


def first_and_end_period(session: dict[str, Any], period_min: int, departures: str) -> tuple[int, int]:
    """The period a car arrives in, and the first one it is gone in."""
    arrival, departure = session["arrive_min"], session["depart_min"]
    end = departure // period_min if departures == "floor" else -(-departure // period_min)
    return arrival // period_min, end


def vehicle(session: dict[str, Any], station_ids: list[str], period_min: int, departures: str) -> EV:
    """The car of one session; `evse` k stands at the k-th station."""
    battery = Linear2StageBattery(
        session["capacity_kwh"],
        session["init_kwh"],
        session["max_kw"],
        noise_level=0,
        transition_soc=TRANSITION_SOC,
    )
    arrival, departure = first_and_end_period(session, period_min, departures)
    return EV(arrival, departure, session["kwh"], station_ids[session["evse"]], session["id"], battery)


def simulator(vehicles: list[EV], network: ChargingNetwork, algorithm: BaseAlgorithm, period_min: int) -> Simulator:
    """A simulator ready to run, silent: printing every event would cost the peer time."""
    arrivals = EventQueue([PluginEvent(ev.arrival, ev) for ev in vehicles])
    start = datetime(2019, 5, 6, tzinfo=UTC)  # only tariffs would look at it
    return Simulator(network, algorithm, arrivals, start, period=period_min, verbose=False)


def run_timed(sim: Simulator) -> tuple[float, float]:
    """CPU and wall seconds of the run alone."""
    wall, cpu = time.perf_counter(), time.process_time()
    sim.run()
    return time.process_time() - cpu, time.perf_counter() - wall


def software() -> dict[str, str]:
    """Versions that decide the figures."""
    packages = ("acnportal", "numpy", "pandas")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def run_sessions(path: Path, period_min: int, algorithm_name: str, departures: str) -> dict[str, Any]:
    """Simulate the sessions of a file and say what it cost and what was delivered."""
    sessions = json.loads(path.read_text())["sessions"]
    network = caltech_garage()
    vehicles = [vehicle(session, network.station_ids, period_min, departures) for session in sessions]
    algorithm = ALGORITHMS[algorithm_name]()
    sim = simulator(vehicles, network, algorithm, period_min)
    cpu_s, wall_s = run_timed(sim)
    kwh_of = {ev.session_id: float(ev.energy_delivered) for ev in vehicles}
    days = sim.iteration * period_min / MINUTES_PER_DAY
    peak_a = float(sim.charging_rates.sum(axis=0).max())
    return {
        "sessions_file": path.name,
        "algorithm": algorithm_name,
        "period_min": period_min,
        "departures": departures,
        "cpu_seconds": cpu_s,
        "wall_seconds": wall_s,
        "days": days,
        "cpu_seconds_per_day": cpu_s / days,
        "periods": sim.iteration,
        "scheduler_calls": len(algorithm.solve_stats),
        "asked_kwh": sum(ev.requested_energy for ev in vehicles),
        "delivered_kwh": sum(kwh_of.values()),
        "peak_a": peak_a,
        "peak_kw": peak_a * VOLTAGE_V / 1000,
        "versions": software(),
        "sessions": kwh_of,
    }


def describe_network(network: ChargingNetwork) -> dict[str, Any]:
    """Each constraint is |sum of coefficient x current x e^(j angle)| <= limit, over the stations in their order."""
    angles = [int(angle) for angle in network._phase_angles]
    rows = zip(network.constraint_index, network.magnitudes, network.constraint_matrix, strict=True)
    return {
        "station_ids": network.station_ids,
        "voltages_v": network._voltages.tolist(),
        "angles_deg": angles,
        "line_pairs": [LINE_PAIR_OF_ANGLE[angle] for angle in angles],
        "min_a": network.min_pilot_signals.tolist(),
        "max_a": network.max_pilot_signals.tolist(),
        "continuous": bool(np.all(network.is_continuous)),
        "absolute_tolerance_a": network.violation_tolerance,
        "relative_tolerance": network.relative_tolerance,
        "constraints": [
            {"name": name, "limit_a": float(limit), "coefficients": [float(c) for c in row]}
            for name, limit, row in rows
        ],
        "versions": software(),
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sessions", type=Path, nargs="?", help="acn_sessions_3d.json or acn_real_3d.json")
    parser.add_argument("--period", type=int, choices=(5, 1), default=5, help="minutes (default 5)")
    parser.add_argument("--algorithm", choices=tuple(ALGORITHMS), default="edf", help="(default edf)")
    parser.add_argument("--departures", choices=("floor", "ceil"), default="floor", help="(default floor)")
    parser.add_argument("--network", action="store_true", help="print the network instead of running sessions")
    given = parser.parse_args()
    if given.network == (given.sessions is not None):
        parser.error("give either a sessions file or --network")
    return given


def main() -> None:
    given = arguments()
    if given.network:
        answer = describe_network(caltech_garage())
    else:
        answer = run_sessions(given.sessions, given.period, given.algorithm, given.departures)
    json.dump(answer, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
