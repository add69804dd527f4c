"""Cells through the HTTP API of a real `voltbench up`, beside the seed's way in the same run.

The seed builds each model anew and solves it with CasADi; two of its requests run in threads of one process, as Flask
has them, and keep one core busy. Ours are sweeps of inputs that nobody asked for before, so that no kept result
answers, in processes that have solved the model for long enough to have it in machine code, where there is a compiler.
Rates are for two cores, by CPU time of all processes: what the wall shows is told beside.

    python -m benchmarks.cells
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from benchmarks.api import CONNECTIONS, Connection, percentile
from benchmarks.cells_service import CORES, Service, Spent, a_service, peer
from benchmarks.figures import Figure, ms, promised

SEEDS_MESH = {"electrode_points": 20, "particle_points": 20}
MESH = {"electrode_points": 20, "particle_points": 40}
TOLERANCE = 1e-3
"""Ten times the default, and a few tenths of a millivolt; the mesh of the seed's is good for 9 mV."""

SAMPLE = 5
EVERY_S = 36.0
"""A row each, as the seed tells them."""

MB = 1_000_000
ASKED_EVERY_S = 0.02


@dataclass(frozen=True)
class Size:
    """How much is done."""

    seed: int
    dfn: int
    spme: int
    cycles: int
    sweep: int
    warm: int


FULL, QUICK = Size(12, 400, 2_000, 10, 10_000, 10), Size(4, 40, 300, 2, 1_000, 1)

WARM = {"SPMe": 1_000, "DFN": 500}
"""Solves of two processes between looks at whether they have it compiled by now; `Size.warm` times at most."""


def figures(quick: bool = False) -> list[Figure]:
    """All of it, in one life of a server."""
    size = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as directory, a_service(Path(directory)) as service:
        rows = [_cold(service)]
        for model in ("SPMe", "DFN"):
            _warm_up(service, model, size.warm)
        rows += _discharges(service, size)
        rows += _cycles(service, size)
        return rows + _many(service, size)


def _warm_up(service: Service, model: str, most: int) -> None:
    """Let each process build a model, and solve by it until it has it compiled, if that goes here."""
    before = service.compiled()
    for number in range(most):
        service.asked(_sweep(model, _currents(WARM[model] if most > 1 else 40, 100 + number), SEEDS_MESH))
        if all(now > had for now, had in zip(service.compiled(), before, strict=True)):
            return


def _cold(service: Service) -> Figure:
    body = {"load": {"kind": "current", "current_a": -5.0, "duration_s": 3_600.0}}
    service.asked(body, "/simulations")
    taken_s = time.perf_counter() - service.started_s
    cpu_s = sum(sum(one.cpu_times()[:2]) for one in (service.server, *service.solving))
    ours = f"{taken_s:.1f} s ({cpu_s:.1f} s CPU, all processes)"
    return Figure("first result, from before the start: SPMe, 1C", ours, "", promised(3.0, taken_s), "<= 3 s")


# --- discharges, beside the seed --------------------------------------------------------------------------------------


def _currents(count: int, seed: int) -> list[float]:
    """About 1C, no two alike."""
    chance = random.Random(seed)
    return [chance.uniform(4.8, 5.2) for _ in range(count)]


def _sweep(model: str, currents_a: Sequence[float], mesh: dict[str, int]) -> dict[str, Any]:
    """Discharges for an hour at most, from where the parameter set begins."""
    load = {"kind": "current", "current_a": -5.0, "duration_s": 3_600.0}
    base = {"model": model, "load": load, "mesh": mesh, "tolerance": TOLERANCE, "initial_soc": None, "every_s": EVERY_S}
    return {"base": base, "sweep": {"kind": "grid", "over": {"load.current_a": [-one for one in currents_a]}}}


def _discharges(service: Service, size: Size) -> list[Figure]:
    seeds_a = _currents(size.seed, 1)
    before = peer("cell", currents_a=seeds_a, threads=2)
    dfn_a, spme_a = [*seeds_a, *_currents(size.dfn - size.seed, 2)], _currents(size.spme, 3)
    with service.spending() as on_dfn:
        dfn = service.asked(_sweep("DFN", dfn_a, SEEDS_MESH))
    with service.spending() as on_spme:
        spme = service.asked(_sweep("SPMe", spme_a, SEEDS_MESH))
    after = peer("cell", currents_a=_currents(size.seed, 4), threads=2)
    assert len(service.points(dfn, size.dfn)) == size.dfn
    off = _worst_mv(service, dfn, dict(enumerate(before["answers"])))
    sample = range(0, size.spme, size.spme // SAMPLE)
    exact = peer("direct", model="SPMe", tolerance=TOLERANCE, currents_a=[spme_a[n] for n in sample], **SEEDS_MESH)
    off_spme = _worst_mv(service, spme, dict(zip(sample, exact["answers"], strict=True)))
    seed_cpu_s, seed_wall_s = (
        statistics.mean(one[name] for one in (before, after)) / size.seed for name in ("cpu_s", "wall_s")
    )
    seed = f"{1.0 / seed_cpu_s:.2f}/s; {1.0 / seed_wall_s:.2f}/s by the wall"
    dfn_rate, spme_rate = CORES * size.dfn / on_dfn.cpu_s, size.spme / on_spme.cpu_s
    by_wall = size.dfn / on_dfn.wall_s * seed_wall_s
    return [
        Figure(
            f"DFN, 1C, `:batch` of {size.dfn}, a second on {CORES} cores; mesh 20 and 20, tolerance 1e-3 (seed's 1e-6)",
            f"{dfn_rate:.0f}/s {_told(on_dfn, size.dfn)}; at most {off:.2f} mV from the seed's",
            seed,
            f"{dfn_rate * seed_cpu_s:.0f}x; {by_wall:.0f}x by the wall",
            ">= 40x",
        ),
        Figure(
            f"SPMe instead, another model: `:batch` of {size.spme}, a second on one core",
            f"{spme_rate:.0f}/s {_told(on_spme, size.spme)}; at most {off_spme:.2f} mV from PyBaMM's SPMe",
            f"{1.0 / seed_cpu_s:.2f}/s (DFN)",
            f"{spme_rate * seed_cpu_s:.0f}x",
            ">= 150x",
        ),
    ]


def _told(spent: Spent, count: int) -> str:
    """A stretch of work, for each of so many."""
    server, solving = (ms(cpu_s / count) for cpu_s in (spent.server_cpu_s, spent.solving_cpu_s))
    wall = f"{count / spent.wall_s:.0f}/s by the wall"
    return f"({solving} CPU solving, {server} the server; {wall}, processes idle {spent.idle:.1%})"


def _worst_mv(service: Service, sweep: dict[str, Any], theirs: dict[int, list[dict[str, float]]]) -> float:
    """How far the voltages of some points are from others' at most, at the times that both have."""
    worst_v = 0.0
    for number, rows in list(theirs.items())[:SAMPLE]:
        record = service.client.get(f"{sweep['links']['self']}/points/{number}/results").json()["columns"]
        ours, volts = dict(zip(record["time_s"], record["voltage_v"], strict=True)), {}
        for row in rows:
            volts[round(row["time"], 6)] = row["voltage"]
        both = [time_s for time_s in ours if round(time_s, 6) in volts]
        assert len(both) > 90, f"{len(both)} of {len(ours)} times are the same"
        worst_v = max(worst_v, *(abs(ours[time_s] - volts[round(time_s, 6)]) for time_s in both))
    assert worst_v < 2e-3, f"{worst_v * 1e3:.2f} mV off"
    return worst_v * 1e3


# --- a drive cycle ----------------------------------------------------------------------------------------------------


def _cycles(service: Service, size: Size) -> list[Figure]:
    (seed,) = [peer("drivecycle", currents_a=[0.97], threads=1)["cpu_s"]]
    rows = []
    for model, most_s in (("SPMe", 0.1), ("DFN", 2.0)):
        spent = [_cycle(service, model, number) for number in range(size.cycles + CORES)][CORES:]
        taken_s = statistics.median(spent)
        name = f"US06, {model}, mesh 20 and 40, tolerance 1e-4, from 80 %; the seed's mesh 30 and 10, from full"
        ratio = f"{seed / taken_s:.0f}x, {promised(most_s, taken_s)}"
        rows.append(Figure(name, f"{ms(taken_s)} CPU solving", f"{ms(seed)} CPU", ratio, f"<= {most_s:g} s"))
    return rows


def _cycle(service: Service, model: str, number: int) -> float:
    """One request; what the processes that solve took for it."""
    load = {"kind": "drive_cycle", "name": "US06", "scale": 1.0 - number / 1_000}
    body = {"load": load, "model": model, "mesh": MESH, "initial_soc": 0.8}
    with service.spending() as spent:
        service.asked(body, "/simulations")
    return spent.solving_cpu_s


# --- many, and who else asks meanwhile --------------------------------------------------------------------------------


def _many(service: Service, size: Size) -> list[Figure]:
    currents_a = _currents(size.sweep, 5)
    ended: list[dict[str, Any]] = []
    sweeping = Thread(target=lambda: ended.append(service.asked(_sweep("SPMe", currents_a, MESH))))
    with service.spending() as spent:
        sweeping.start()
        taken_ms = asyncio.run(_ask_meanwhile(service.port, sweeping))
        sweeping.join()
    (told,) = ended
    service.points(told, size.sweep)
    sample = range(0, size.sweep, size.sweep // SAMPLE)
    exact = peer("direct", model="SPMe", tolerance=TOLERANCE, currents_a=[currents_a[n] for n in sample], **MESH)
    off = _worst_mv(service, told, dict(zip(sample, exact["answers"], strict=True)))
    rate, p99 = CORES * size.sweep / spent.cpu_s, percentile(taken_ms, 0.99)
    memory = f"{spent.most_rss / MB:.0f} MB, of which shared ones once: {spent.most_pss / MB:.0f} MB"
    latency = f"p50 {percentile(taken_ms, 0.5):.1f}, p99 {p99:.1f} ms of {len(taken_ms):,}"
    return [
        Figure(
            f"a sweep of {size.sweep:,}, SPMe, 1C, mesh 20 and 40, tolerance 1e-3, a second on {CORES} cores",
            f"{rate:.0f}/s {_told(spent, size.sweep)}; at most {off:.2f} mV from PyBaMM's SPMe",
            "",
            f"{rate / 300.0:.2f} of what is promised",
            ">= 300/s",
        ),
        Figure("  server and processes, RSS", memory, "", promised(800.0 * MB, spent.most_rss), "<= 800 MB"),
        Figure("  the API meanwhile, 50 requests a second", latency, "", promised(20.0, p99), "p99 < 20 ms"),
    ]


async def _ask_meanwhile(port: int, sweeping: Thread) -> list[float]:
    """How long requests take, in ms, from when each was due; as long as the sweep goes on."""
    free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    for _ in range(CONNECTIONS):
        free.put_nowait(Connection(*await asyncio.open_connection("127.0.0.1", port)))
    taken_ms: list[float] = []
    due_s = time.perf_counter()
    async with asyncio.TaskGroup() as asking:
        while sweeping.is_alive():
            due_s += ASKED_EVERY_S
            await asyncio.sleep(due_s - time.perf_counter())
            asking.create_task(_ask(free, due_s, taken_ms))
    return taken_ms


async def _ask(free: asyncio.LifoQueue[Connection], due_s: float, taken_ms: list[float]) -> None:
    connection = await free.get()
    path = ("/simulations?limit=10", "/health", "/station/status", "/sites")[len(taken_ms) % 4]
    status, _ = await connection.ask("GET", path)
    assert status == 200, path
    taken_ms.append(1e3 * (time.perf_counter() - due_s))
    free.put_nowait(connection)


if __name__ == "__main__":
    for figure in figures():
        print(figure)
