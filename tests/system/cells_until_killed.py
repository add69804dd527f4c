"""A sweep asked of a `voltbench up`, and what is done to those who solve it. Apart from its tests, which share it."""

from __future__ import annotations

from functools import cache
from typing import Any

import httpx
import msgspec
import psutil
import pytest

from tests.apis import Up
from tests.waiting import eventually
from voltbench.adapters.cells.warm import WarmSimulator
from voltbench.apps.cells import asked
from voltbench.battery.analysis import Figures, figures
from voltbench.battery.sweep import Batch, points, simulations

POINTS = 800
"""Seconds of work for two processes, so that whoever looks late still finds some left."""

START_S = 120.0
"""For processes that import, migrate a database and build a model, where everybody does so at once."""

NO_SITES = ("--no-demo", "--no-csms")


def a_sweep(count: int = POINTS) -> dict[str, Any]:
    """Discharges in pulses by the simplest model, no two alike. Each step takes its time."""
    pulse = [{"step": "constant_current", "current_a": -2.5, "until_s": 60}, {"step": "rest", "until_s": 60}]
    pulses = {"kind": "protocol", "steps": [{"step": "repeat", "times": 20, "steps": pulse}]}
    return {
        "base": {"model": "SPM", "load": pulses, "every_s": 60.0},
        "sweep": {
            "kind": "latin_hypercube",
            "count": count,
            "seed": 5,
            "over": {"initial_soc": {"least": 0.5, "most": 0.9}, "ambient_degc": {"least": 10.0, "most": 40.0}},
        },
    }


def client_of(running: Up) -> httpx.Client:
    return httpx.Client(base_url=running.address, timeout=30)


def begun(client: httpx.Client, count: int = POINTS) -> str:
    """The address of a sweep that was just asked for."""
    answer = client.post("/simulations:batch", json=a_sweep(count))
    assert answer.status_code == 202, answer.text
    address: str = answer.json()["links"]["self"]
    return address


def came_to(client: httpx.Client, address: str, least: int) -> None:
    """Return when so many points are solved, of which some are left. That any is takes as long as a start."""

    def look(least: int) -> int | None:
        solved: int = client.get(f"{address}/points", params={"limit": 1}).json()["solved"]
        return solved if solved >= least else None

    eventually(lambda: look(1), START_S)
    assert eventually(lambda: look(least)) < POINTS, "it was over before anybody could be killed"


def ended(client: httpx.Client, address: str) -> dict[str, Any]:
    """The sweep once it has ended. While it goes on nobody loses patience."""
    last = -1.0
    while True:

        def look(last: float = last) -> dict[str, Any] | None:
            told: dict[str, Any] = client.get(address).json()
            return told if told["status"] not in ("queued", "running") or told["done"] > last else None

        told = eventually(look)
        if told["status"] not in ("queued", "running"):
            return told
        last = told["done"]


def is_whole(client: httpx.Client, address: str, count: int = POINTS) -> None:
    """It has gone well, and has each point once, with the figures of a direct run."""
    told = ended(client, address)
    assert (told["status"], told["done"], told["total"]) == ("succeeded", count, count), told
    table = client.get(f"{address}/points", params={"limit": count}).json()
    assert (table["solved"], table["failed"]) == (count, 0)
    batch = msgspec.convert(a_sweep(count), Batch)
    assert [row["number"] for row in table["points"]] == list(range(count))
    assert [row["point"] for row in table["points"]] == points(batch.sweep)
    for row in table["points"][:: count // 20]:
        found = msgspec.convert(row["figures"], Figures)
        assert msgspec.to_builtins(found) == pytest.approx(msgspec.to_builtins(directly(count, row["number"])))


@cache
def directly(count: int, number: int) -> Figures:
    """What a point comes to where it is solved here."""
    batch = msgspec.convert(a_sweep(count), Batch)
    (simulation,) = simulations(batch, [points(batch.sweep)[number]])
    return figures(_simulator().record(asked.simulation_in(msgspec.json.encode(simulation))))


@cache
def _simulator() -> WarmSimulator:
    return WarmSimulator()


def solvers_of(pid: int) -> list[psutil.Process]:
    """The processes that solve for another one."""
    return [child for child in psutil.Process(pid).children() if "voltbench.adapters.pool.worker" in _command(child)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
