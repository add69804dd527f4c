"""Our CSMS under load: a flood of meter values into each database, 10,000 lines, boots per profile, remote starts."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import func, select

from benchmarks.figures import ROOT, Figure, alone, promised
from benchmarks.ocpp_tls import Authority
from tests.databases import PostgreSQL, a_postgresql
from voltbench.adapters.ocpp_csms.schema import meter_values
from voltbench.adapters.store.database import database_at

PASSWORD = "0123456789abcdef"


@dataclass(frozen=True)
class RunningCsms:
    """A `voltbench csms`: its process, and where stations and operators find it."""

    process: psutil.Process
    ws: str
    wss: str
    http: str

    def cpu_s(self) -> float:
        """CPU seconds that it has used so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


def figures(quick: bool) -> Iterator[Figure]:
    """Everything that is promised of the CSMS."""
    seconds = 4.0 if quick else 15.0
    with tempfile.TemporaryDirectory() as folder:
        yield _of_flood("SQLite", *_flooded_sqlite(Path(folder), seconds), None)
    with tempfile.TemporaryDirectory() as folder, a_postgresql(fsync=True) as server:
        yield _of_flood("PostgreSQL", *_flooded_postgresql(Path(folder), server, seconds))
    with tempfile.TemporaryDirectory() as folder:
        yield _of_held(Path(folder), 1_000 if quick else 10_000)
    with tempfile.TemporaryDirectory() as folder:
        yield from _of_boots(Path(folder), 50 if quick else 200)
    with tempfile.TemporaryDirectory() as folder:
        yield _of_remote_starts(Path(folder), 10 if quick else 50)


# --- meter values -----------------------------------------------------------------------------------------------------


def _of_flood(database: str, found: dict[str, Any], rows: int, database_cpu_s: float | None) -> Figure:
    assert rows == found["in_all"], (rows, found)
    per_core = found["answered"] / found["cpu_s"]
    apart = "" if database_cpu_s is None else f"; the database's own CPU {database_cpu_s / found['cpu_s']:.2f} of ours"
    return Figure(
        f"MeterValues that our CSMS takes, on 500 lines, durable in {database}",
        f"{per_core:,.0f}/s per core ({found['answered'] / found['seconds']:,.0f}/s; {rows:,} stored{apart})",
        "",
        promised(1.0 / 5_000, 1.0 / per_core),
        ">= 5,000/s per core",
    )


def _flooded_sqlite(folder: Path, seconds: float) -> tuple[dict[str, Any], int]:
    with a_csms(folder) as csms:
        found = _flooded(csms, seconds, float)
    return found, asyncio.run(_stored(f"sqlite:///{folder / 'data' / 'csms.db'}"))


def _flooded_postgresql(folder: Path, server: PostgreSQL, seconds: float) -> tuple[dict[str, Any], int, float]:
    with server.new_database() as url:
        with a_csms(folder, "--store", url) as csms:
            found = _flooded(csms, seconds, lambda: _cpu_s_of(server))
        return found, asyncio.run(_stored(url)), found["database_cpu_s"]


async def _stored(url: str) -> int:
    database = database_at(url)
    rows = await database.run(lambda connection: connection.scalar(select(func.count()).select_from(meter_values)))
    await database.close()
    return int(rows or 0)


def _cpu_s_of(server: PostgreSQL) -> float:
    """CPU seconds that the database's processes have used so far."""
    first = psutil.Process(int((server.directory / "data" / "postmaster.pid").read_text().split()[0]))
    times = [one.cpu_times() for one in (first, *first.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def _flooded(csms: RunningCsms, seconds: float, database_cpu_s: Callable[[], float]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.ocpp_flood", csms.ws, "500", str(seconds)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as flood:
        assert flood.stdout is not None
        assert json.loads(flood.stdout.readline())["begun"]
        before, database_before = csms.cpu_s(), database_cpu_s()
        assert json.loads(flood.stdout.readline())["ended"]
        after, database_after = csms.cpu_s(), database_cpu_s()
        found: dict[str, Any] = json.loads(flood.stdout.readline())
    return found | {"cpu_s": after - before, "database_cpu_s": database_after - database_before}


# --- lines ------------------------------------------------------------------------------------------------------------


def _of_held(folder: Path, count: int) -> Figure:
    with a_csms(folder) as csms:
        at_rest_mb, per_second, seconds = csms.process.memory_info().rss / 1e6, 200, 10
        command = [sys.executable, "-m", "benchmarks.ocpp_held", csms.ws, str(count), str(seconds), str(per_second)]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as held:
            assert held.stdout is not None
            assert held.stdin is not None
            assert json.loads(held.stdout.readline())["held"] == count
            before = csms.cpu_s()
            found = json.loads(held.stdout.readline())
            cpu_s, mb = csms.cpu_s() - before, csms.process.memory_info().rss / 1e6
            held.stdin.write("\n")
            held.stdin.flush()
    assert found["answered"] == found["sent"], found
    return Figure(
        f"{count:,} stations connected to our CSMS, {per_second} heartbeats a second",
        f"{mb:.0f} MB ({(mb - at_rest_mb) * 1e3 / count:.0f} kB each), {cpu_s / (seconds + 1):.2f} cores; "
        f"all booted after {found['booted_s']:.0f} s; {found['answered']:,} answered",
        "",
        "",
        "held",
    )


# --- boots ------------------------------------------------------------------------------------------------------------


def _of_boots(folder: Path, count: int) -> Iterator[Figure]:
    authority = Authority(folder)
    tls = ("--tls-port", "0", "--tls-cert", str(authority.cert), "--tls-key", str(authority.key))
    ours = ("--ca", str(authority.ca))
    secret = ("--key", f"AuthorizationKey={PASSWORD}")
    profiles = {
        "0: no security": (),
        "1: password": ("--key", "SecurityProfile=1", *secret),
        "2: TLS and password": ("--key", "SecurityProfile=2", *secret, *ours),
    }
    with (
        a_csms(folder, "--host", "localhost", *tls) as csms,
        httpx.Client(base_url=csms.http, timeout=30) as client,
    ):
        for profile, options in profiles.items():
            for number in range(count):
                told = client.put(f"/csms/stations/V-{number:05}", json={"password": PASSWORD if options else None})
                told.raise_for_status()
            before = csms.cpu_s()
            url = csms.wss if profile.startswith("2") else csms.ws
            found = alone("benchmarks.ocpp_fleet", url, str(count), "0", *options)
            cpu_s = csms.cpu_s() - before
            yield Figure(
                f"{count} stations boot at once under security profile {profile}",
                f"all accepted after {found['accepted_s']:.2f} s; a boot costs the CSMS "
                f"{cpu_s / count * 1e3:.1f} ms CPU, the station {found['accepted_cpu_s'] / count * 1e3:.1f} ms",
            )


# --- remote starts ----------------------------------------------------------------------------------------------------


def _of_remote_starts(folder: Path, count: int) -> Figure:
    with a_csms(folder) as csms:
        found = alone("benchmarks.ocpp_remote_start", csms.ws, csms.http, str(count))
    charges_s, known_s = (statistics.median(found[what]) for what in ("charges_s", "known_s"))
    most_s = max(found["known_s"])
    return Figure(
        f"from asking for a remote start (REST) until the station charges, {count} times",
        f"p50 {charges_s * 1e3:.0f} ms; until the CSMS says so p50 {known_s * 1e3:.0f}, at most {most_s * 1e3:.0f} ms",
        "",
        promised(0.2, most_s),
        "<= 200 ms",
    )


# --- the CSMS ---------------------------------------------------------------------------------------------------------


@contextmanager
def a_csms(folder: Path, *options: str) -> Iterator[RunningCsms]:
    """A CSMS of its own, which keeps everything in a folder."""
    program = str(Path(sys.executable).with_name("voltbench"))
    command = [program, "csms", "--port", "0", "--http-port", "0", "--unknown-tokens", "accepted", *options]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            found: dict[str, str] = {}
            for line in process.stdout:
                found |= {said[2]: said[1] for said in re.finditer(r"((wss?|http)://[^:/]+:\d+)", line)}
                if {"ws", "http"} <= found.keys() and ("--tls-port" not in options or "wss" in found):
                    break
            yield RunningCsms(psutil.Process(process.pid), found["ws"], found.get("wss", ""), found["http"])
        finally:
            process.send_signal(signal.SIGTERM)
