"""The durable store and telemetry: how many writes, and how long until each is durable.

    python -m benchmarks store

Beside each figure stands its peer, measured in the same run: the standard library's `sqlite3` as one would use it by
hand, with a transaction for each write, and `executemany` for telemetry. PostgreSQL runs with fsync on.
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
from voltbench.quantities import MS_PER_DAY

SITE = "depot"
INPUT = b"x" * 200
MIDNIGHT = 20_000 * MS_PER_DAY


def an_input(sequence: int) -> InputTaken:
    return InputTaken(SITE, sequence, MIDNIGHT + sequence, INPUT)


SAID: list[Figure] = []
"""What was measured, in order; the first is the peer."""


QUICKER = 10
"""How many times less is written in a quick run."""


def say(what: str, seconds: list[float], elapsed_s: float, cpu_s: float, by_hand_per_s: float = 0.0) -> float:
    """Note one measurement: rate, CPU per write, and the time until a write was durable. Returns the rate."""
    p50, p99, worst = np.percentile(seconds, [50, 99, 100]) * 1_000
    per_s, cpu_us = len(seconds) / elapsed_s, cpu_s / len(seconds) * 1e6
    durable = f"durable after p50 {p50:.2f}, p99 {p99:.2f}, max {worst:.2f} ms"
    ours = f"{per_s:,.0f} writes/s, {cpu_us:,.0f} us CPU each, {durable}"
    SAID.append(Figure(what, ours, *_beside(per_s, by_hand_per_s, "writes/s")))
    return per_s


def _beside(per_s: float, by_hand_per_s: float, unit: str) -> tuple[str, str]:
    if not by_hand_per_s:
        return "", ""
    return f"{by_hand_per_s:,.0f} {unit} by hand", f"{per_s / by_hand_per_s:.2g}x"


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


async def measure(name: str, place: tuple[str, bool], part: int, by_hand_per_s: float) -> None:
    url, full_sync = place
    store = await Store.open(url, full_sync=full_sync)
    await store.put(SiteSaved(SITE, "{}", MIDNIGHT))
    inputs = Inputs(store)
    await inputs.all_at_once(500)
    runs = {
        "200 a second": (inputs.at_rate(200, 2_000 // part), 0.0),
        "one after the other": (inputs.with_clients(1, 2_000 // part), by_hand_per_s),
        "64 clients": (inputs.with_clients(64, 12_800 // part), by_hand_per_s),
        "all at once": (inputs.all_at_once(20_000 // part), by_hand_per_s),
    }
    for what, (run, beside_per_s) in runs.items():
        inputs.seconds.clear()
        begun, cpu = time.perf_counter(), time.process_time()
        await run
        elapsed_s, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
        say(f"{name}, {what}", inputs.seconds, elapsed_s, cpu_s, beside_per_s)
    await store.close()


def inputs_by_hand(path: Path, part: int) -> float:
    """How many writes a second `sqlite3` makes with a transaction for each."""
    connection = sqlite3.connect(path)
    connection.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        "CREATE TABLE journal (site TEXT, sequence INTEGER, instant INTEGER, input BLOB, PRIMARY KEY (site, sequence))"
    )
    seconds, begun, cpu = [], time.perf_counter(), time.process_time()
    for sequence in range(2_000 // part):
        since = time.perf_counter()
        with connection:
            connection.execute("INSERT INTO journal VALUES (?, ?, ?, ?)", (SITE, sequence, sequence, INPUT))
        seconds.append(time.perf_counter() - since)
    elapsed_s, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    connection.close()
    return say("sqlite3 by hand, one after the other", seconds, elapsed_s, cpu_s)


def telemetry_by_hand(path: Path, part: int) -> float:
    """How many samples a second `sqlite3` takes with a row for each."""
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
    connection.execute("CREATE TABLE telemetry (series TEXT, instant INTEGER, value REAL)")
    samples = [("power_w:7", MIDNIGHT + i, i / 7) for i in range(500_000 // part)]
    begun, cpu = time.perf_counter(), time.process_time()
    with connection:
        connection.executemany("INSERT INTO telemetry VALUES (?, ?, ?)", samples)
    per_s, cpu_s = len(samples) / (time.perf_counter() - begun), time.process_time() - cpu
    connection.close()
    SAID.append(Figure("sqlite3 by hand, telemetry", f"{per_s:,.0f} pieces/s ({cpu_s:.1f} s CPU for {len(samples):,})"))
    return per_s


async def measure_telemetry(name: str, url: str, part: int, by_hand_per_s: float) -> None:
    series = 100
    instants = MIDNIGHT + np.arange(0, MS_PER_DAY // part, 1_000)
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
    count = series * len(instants)
    written = f"{count / elapsed_s:,.0f} pieces/s ({cpu_s:.1f} s CPU for {count:,})"
    ours = f"{written}; all {len(instants):,} of one series read in {read_s * 1_000:.1f} ms"
    SAID.append(Figure(f"{name} telemetry", ours, *_beside(count / elapsed_s, by_hand_per_s, "pieces/s")))
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
    part = QUICKER if quick else 1
    with databases() as places, tempfile.TemporaryDirectory(prefix="voltbench-") as directory:
        writes_per_s = inputs_by_hand(Path(directory) / "by_hand.db", part)
        for name, place in places.items():
            asyncio.run(measure(name, place, part, writes_per_s))
        samples_per_s = telemetry_by_hand(Path(directory) / "telemetry_by_hand.db", part)
        asyncio.run(measure_telemetry("SQLite", f"sqlite:///{directory}/telemetry.db", part, samples_per_s))
        asyncio.run(measure_telemetry("PostgreSQL", places["PostgreSQL"][0], part, samples_per_s))
    return SAID
