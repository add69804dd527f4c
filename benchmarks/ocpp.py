"""OCPP 1.6 on both sides: a fleet of ours beside one built on the package `ocpp`, and our CSMS under load.

    python -m benchmarks ocpp

The fleets talk to a program that answers at once, so that only they are measured; each runs in a process of its own.
Values are distinct, every frame is validated, ours come from the physics of a car that charges. The CSMS is flooded on
500 lines, answers only what is durable, and what it has stored is counted afterwards.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import ocpp_csms, ocpp_limits
from benchmarks.figures import ROOT, Figure, alone, promised
from benchmarks.ocpp_tls import Authority

PYTHON = sys.executable
OURS, THEIRS = "benchmarks.ocpp_fleet", "benchmarks.peers.ocpp_fleet"

PEER_US = 895.0
"""What a call costs the package `ocpp` where 60 us were promised: 840 to 950, by the contract. Machines have a pace."""


def figures(quick: bool = False) -> list[Figure]:
    """The fleet, then the CSMS, then charging profiles."""
    seconds = "10" if quick else "40"
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        with an_answerer() as url:
            busy = alone(OURS, url, "100", seconds, "--speed", "500")
            calm = alone(OURS, url, "100", seconds, "--speed", "100")
            theirs_busy = alone(THEIRS, url, "100", seconds, "0")
            ours = alone(OURS, url, "1000", seconds)
            durable = alone(OURS, url, "1000", seconds, "--durable")
            theirs = alone(THEIRS, url, "100" if quick else "300", seconds, "3")
            many = None if quick else alone(OURS, url, "10000", "20")
        with an_answerer(str(authority.cert), str(authority.key)) as url:
            busy_tls = alone(OURS, url, "100", seconds, "--speed", "500", "--ca", str(authority.ca))
    return [
        *_of_round_trips(busy, calm, busy_tls, theirs_busy, durable, ours, theirs),
        *_of_fleets(ours, many),
        *ocpp_csms.figures(quick),
        *ocpp_limits.figures(quick),
    ]


def _of_round_trips(
    busy: dict[str, Any],
    calm: dict[str, Any],
    busy_tls: dict[str, Any],
    theirs_busy: dict[str, Any],
    durable: dict[str, Any],
    ours: dict[str, Any],
    theirs: dict[str, Any],
) -> Iterator[Figure]:
    rows = (
        ("100 stations, 5,000 a second", busy, theirs_busy, 60.0),
        ("the same behind TLS", busy_tls, theirs_busy, None),
        ("100 stations, 1,000 a second, in a process that mostly sleeps", calm, theirs_busy, None),
        ("1,000 stations, 100 a second", ours, theirs, None),
        ("the same, kept in SQLite before they are sent", durable, theirs, None),
    )
    for what, one, peer, promise in rows:
        assert one["errors"] == one["lost"] == 0, one
        us, peer_us = _us(one), _us(peer)
        at_that_pace_us = us / peer_us * PEER_US
        told = "" if promise is None else f", {promised(promise, at_that_pace_us)}"
        pace = "" if promise is None else f"; {at_that_pace_us:.0f} us where the peer takes {PEER_US:.0f}"
        yield Figure(
            f"a MeterValues round trip on the station's side, with physics and validation: {what}",
            f"{us:.0f} us CPU ({one['answered']} answered{pace})",
            f"{peer_us:.0f} us CPU ({peer['answered']} answered; no physics)",
            f"{peer_us / us:.1f}x{told}",
            "" if promise is None else f"<= {promise:.0f} us where the peer takes {PEER_US:.0f}",
        )


def _us(found: dict[str, Any]) -> float:
    return float(found["cpu_s"] / found["answered"] * 1e6)


def _of_fleets(ours: dict[str, Any], many: dict[str, Any] | None) -> Iterator[Figure]:
    cores = ours["cpu_s"] / ours["seconds"]
    kw = ours["power_w"] / 1e3
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


@contextmanager
def an_answerer(*certificate_and_key: str) -> Iterator[str]:
    """A program that accepts everything."""
    command = [PYTHON, "-m", "benchmarks.ocpp_answerer", *certificate_and_key]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            scheme = "wss" if certificate_and_key else "ws"
            yield f"{scheme}://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()
