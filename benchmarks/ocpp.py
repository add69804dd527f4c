"""OCPP 1.6 on both sides: a fleet of ours beside one built on the package `ocpp`, and our CSMS under load.

    python -m benchmarks ocpp

The fleets talk to a program that answers at once, so that only they are measured; each runs in a process of its own.
Values are distinct, every frame is validated, ours come from the physics of a car that charges. The CSMS is flooded on
500 lines, answers only what is durable, and what it has stored is counted afterwards.
"""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.figures import ROOT, Figure, promised

PYTHON = sys.executable


def figures(quick: bool = False) -> list[Figure]:
    """The fleet, then the CSMS."""
    seconds = "10" if quick else "40"
    with an_answerer() as url:
        ours = _run("benchmarks.ocpp_fleet", url, "1000", seconds, "10")
        durable = _run("benchmarks.ocpp_fleet", url, "1000", seconds, "10", "--durable")
        theirs = _run("benchmarks.peers.ocpp_fleet", url, "100" if quick else "300", seconds, "2")
        many = None if quick else _run("benchmarks.ocpp_fleet", url, "10000", "20", "10")
    return [*_of_fleets(ours, durable, theirs, many), *_of_csms(4.0 if quick else 15.0)]


def _of_fleets(
    ours: dict[str, Any], durable: dict[str, Any], theirs: dict[str, Any], many: dict[str, Any] | None
) -> Iterator[Figure]:
    peer_us = theirs["cpu_s"] / theirs["answered"] * 1e6
    for what, one, promise in (("", ours, "<= 60 us"), (", kept in SQLite before they are sent", durable, "")):
        us = one["cpu_s"] / one["answered"] * 1e6
        yield Figure(
            f"a MeterValues round trip on the station's side, physics and validation{what}",
            f"{us:.0f} us CPU ({one['answered']} answered)",
            f"{peer_us:.0f} us CPU ({theirs['answered']} answered; no physics)",
            f"{peer_us / us:.1f}x",
            promise,
        )
    cores = ours["cpu_s"] / ours["seconds"]
    kw = ours["power_w"] / 1e3
    assert ours["errors"] == ours["lost"] == 0, ours
    yield Figure(
        "1,000 stations in session, values every 10 s",
        f"{cores:.3f} cores, {kw:,.0f} kW",
        "",
        promised(0.03, cores),
        "<= 0.03 cores",
    )
    yield Figure(
        "  their memory, all of the process", f"{ours['mb']:.0f} MB", "", promised(120, ours["mb"]), "<= 120 MB"
    )
    yield Figure("  all accepted after", f"{ours['accepted_s']:.1f} s", "", promised(5, ours["accepted_s"]), "<= 5 s")
    if many is not None:
        yield Figure(
            "10,000 stations in one process",
            f"{many['mb']:.0f} MB, all accepted after {many['accepted_s']:.0f} s, "
            f"{many['cpu_s'] / many['seconds']:.2f} cores",
            "",
            promised(500, many["mb"]),
            "<= 500 MB",
        )


def _of_csms(seconds: float) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        with a_csms(Path(folder)) as (process, url):
            found = _flooded(process, url, seconds)
        with closing(sqlite3.connect(Path(folder) / "data" / "csms.db")) as stored:
            rows = stored.execute("SELECT count(*) FROM csms_meter_values").fetchone()[0]
    assert rows == found["in_all"], (rows, found)
    per_core = found["answered"] / found["cpu_s"]
    yield Figure(
        "MeterValues that our CSMS takes, on 500 lines, durable in SQLite",
        f"{per_core:,.0f}/s per core ({found['answered'] / found['seconds']:,.0f}/s; {rows:,} stored)",
        "",
        promised(1.0 / 5_000, 1.0 / per_core),
        ">= 5,000/s per core",
    )


def _flooded(process: psutil.Process, url: str, seconds: float) -> dict[str, Any]:
    with subprocess.Popen(
        [PYTHON, "-m", "benchmarks.ocpp_flood", url, "500", str(seconds)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as flood:
        assert flood.stdout is not None
        assert json.loads(flood.stdout.readline())["begun"]
        before = process.cpu_times()
        assert json.loads(flood.stdout.readline())["ended"]
        after = process.cpu_times()
        found: dict[str, Any] = json.loads(flood.stdout.readline())
    return found | {"cpu_s": after.user + after.system - before.user - before.system}


def _run(module: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run([PYTHON, "-m", module, *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def an_answerer() -> Iterator[str]:
    """A program that accepts everything."""
    command = [PYTHON, "-m", "benchmarks.ocpp_answerer"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"ws://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


@contextmanager
def a_csms(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """A `voltbench csms`: its process, and where stations find it."""
    command = [str(Path(PYTHON).with_name("voltbench")), "csms", "--port", "0", "--http-port", "0"]
    with subprocess.Popen(
        [*command, "--unknown-tokens", "accepted"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            said = (re.search(r"stations connect to ws://[^:]+:(\d+)", line) for line in process.stdout)
            port = next(int(found[1]) for found in said if found)
            time.sleep(0.5)
            yield psutil.Process(process.pid), f"ws://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
