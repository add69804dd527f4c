"""The durable store and telemetry: how many writes, and how long until each is durable.

    python -m benchmarks store

Beside each figure stands its peer, measured in the same run: the standard library's `sqlite3` with a transaction for
each write, as one would write it by hand. PostgreSQL runs with fsync on.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure
from tests.databases import a_postgresql
from voltbench.adapters.store import InputTaken, SiteSaved, Store
from voltbench.adapters.telemetry import Telemetry
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR

SITE = "depot"
INPUT = b"x" * 200
MIDNIGHT = 20_000 * MS_PER_DAY


def an_input(sequence: int) -> InputTaken:
    return InputTaken(SITE, sequence, MIDNIGHT + sequence, INPUT)


SAID: list[Figure] = []
"""What was measured, in order; the first is the peer."""


def say(what: str, seconds: list[float], elapsed_s: float, cpu_s: float) -> None:
    """Note one measurement: rate, CPU per write, and the time until a write was durable."""
    p50, p99, worst = np.percentile(seconds, [50, 99, 100]) * 1_000
    rate, cpu_us = len(seconds) / elapsed_s, cpu_s / len(seconds) * 1e6
    durable = f"durable after p50 {p50:.2f}, p99 {p99:.2f}, max {worst:.2f} ms"
    SAID.append(Figure(what, f"{rate:,.0f} writes/s, {cpu_us:,.0f} us CPU each, {durable}"))


class Inputs:
    """Puts the inputs of one site, and times each until it is durable."""

    def __init__(self, store: Store) -> None:
        self.seconds: list[float] = []
        self._store = store
        self._sequence = 0

    def put(self) -> asyncio.Future[None]:
        self._sequence += 1
        begun = time.perf_counter()
        future = self._store.put(an_input(self._sequence))
        future.add_done_callback(lambda _: self.seconds.append(time.perf_counter() - begun))
        return future

    async def at_rate(self, per_s: int, count: int) -> None:
        begun = time.perf_counter()
        for i in range(count):
            await asyncio.sleep(begun + i / per_s - time.perf_counter())
            self.put()
        await self._store.durable()

    async def with_clients(self, clients: int, count: int) -> None:
        async def client() -> None:
            for _ in range(count // clients):
                await self.put()

        await asyncio.gather(*(client() for _ in range(clients)))

    async def all_at_once(self, count: int) -> None:
        for _ in range(count):
            self.put()
        await self._store.durable()


async def measure(name: str, url: str, full_sync: bool = False) -> None:
    store = await Store.open(url, full_sync=full_sync)
    await store.put(SiteSaved(SITE, "{}", MIDNIGHT))
    inputs = Inputs(store)
    await inputs.all_at_once(500)
    runs = {
        "200 a second": inputs.at_rate(200, 2_000),
        "one after the other": inputs.with_clients(1, 2_000),
        "64 clients": inputs.with_clients(64, 12_800),
        "all at once": inputs.all_at_once(20_000),
    }
    for what, run in runs.items():
        inputs.seconds.clear()
        begun, cpu = time.perf_counter(), time.process_time()
        await run
        say(f"{name}, {what}", inputs.seconds, time.perf_counter() - begun, time.process_time() - cpu)
    await store.close()


def measure_by_hand(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        "CREATE TABLE journal (site TEXT, sequence INTEGER, instant INTEGER, input BLOB, PRIMARY KEY (site, sequence))"
    )
    seconds, begun, cpu = [], time.perf_counter(), time.process_time()
    for sequence in range(2_000):
        since = time.perf_counter()
        with connection:
            connection.execute("INSERT INTO journal VALUES (?, ?, ?, ?)", (SITE, sequence, sequence, INPUT))
        seconds.append(time.perf_counter() - since)
    say("sqlite3 by hand, one after the other", seconds, time.perf_counter() - begun, time.process_time() - cpu)
    connection.close()


async def measure_telemetry(name: str, url: str) -> None:
    series, hours = 100, 24
    instants = MIDNIGHT + np.arange(0, hours * MS_PER_HOUR, 1_000)
    values = np.sin(instants / 1e6)
    telemetry = await Telemetry.open(url)
    begun, cpu = time.perf_counter(), time.process_time()
    for number in range(series):
        telemetry.append(SITE, f"power_w:{number}", instants, values)
    await telemetry.flush()
    elapsed_s, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    begun = time.perf_counter()
    await telemetry.read(SITE, "power_w:7", MIDNIGHT, MIDNIGHT + MS_PER_DAY)
    read_s = time.perf_counter() - begun
    rows = series * len(instants)
    written = f"{rows / elapsed_s:,.0f} pieces/s ({cpu_s:.1f} s CPU for {rows:,})"
    SAID.append(Figure(f"{name} telemetry", f"{written}; a day of one series read in {read_s * 1_000:.1f} ms"))
    await small_flushes(name, telemetry, series)
    await telemetry.close()


async def small_flushes(name: str, telemetry: Telemetry, series: int) -> None:
    seconds = []
    start = MIDNIGHT + 2 * MS_PER_DAY
    for tick in range(60):
        for number in range(series):
            telemetry.append(SITE, f"power_w:{number}", start + np.arange(10) * 1_000 + tick * 10_000, np.ones(10))
        begun = time.perf_counter()
        await telemetry.flush()
        seconds.append(time.perf_counter() - begun)
    p50, worst = np.percentile(seconds, [50, 100]) * 1_000
    SAID.append(
        Figure(f"{name} telemetry, {series} series each 10 s", f"a flush: p50 {p50:.1f}, at most {worst:.1f} ms")
    )


@contextlib.contextmanager
def databases() -> Iterator[dict[str, tuple[str, bool]]]:
    with (
        tempfile.TemporaryDirectory(prefix="voltbench-") as directory,
        a_postgresql(fsync=True) as server,
        server.new_database() as postgresql,
    ):
        yield {
            "SQLite": (f"sqlite:///{directory}/normal.db", False),
            "SQLite, full sync": (f"sqlite:///{directory}/full.db", True),
            "PostgreSQL": (postgresql, False),
        }


def figures(quick: bool = False) -> list[Figure]:
    """Writes and telemetry on SQLite and PostgreSQL, beside `sqlite3` by hand."""
    with databases() as places, tempfile.TemporaryDirectory(prefix="voltbench-") as directory:
        measure_by_hand(Path(directory) / "by_hand.db")
        for name, (url, full_sync) in places.items():
            asyncio.run(measure(name, url, full_sync))
        asyncio.run(measure_telemetry("SQLite", f"sqlite:///{directory}/telemetry.db"))
        asyncio.run(measure_telemetry("PostgreSQL", places["PostgreSQL"][0]))
    return SAID
