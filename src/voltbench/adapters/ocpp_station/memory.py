"""What stations asked to keep, in a file that survives `kill -9`."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from voltbench.errors import InvalidInput, Unavailable, VoltbenchError
from voltbench.quantities import Instant

Change = tuple[str, bytes | None]
"""A key and its new entry, or None to forget it."""

_log = logging.getLogger(__name__)


APPLICATION_ID = 0x766F6C74
"""By which SQLite tells our files from those of others: "volt"."""

FORMAT = 1

SCHEMA = f"""
    BEGIN;
    CREATE TABLE kept (station TEXT, key TEXT, entry BLOB NOT NULL, PRIMARY KEY (station, key)) WITHOUT ROWID;
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {FORMAT};
    COMMIT;
"""

CLOCK, NOW = "", "now"
"""Under which the present instant is kept: no station has that id."""

PATIENCE_S = 1.0
"""How long to wait for another process to let go of the file."""

STEPS = (1024, 256, 64, 16, 4, 1)
"""Rows in one statement. The driver gives up Python's lock at each statement, and gets it back late from a busy loop:
a thousand rows one by one were measured to take seconds, and so a tenth of one."""

_Changes = defaultdict[str, dict[str, bytes | None]]
"""By station, then by key."""


class _Batch:
    """What goes into one transaction: the last change of each key, and who waits for them."""

    __slots__ = ("changes", "waiting")

    def __init__(self) -> None:
        self.changes: _Changes = defaultdict(dict)
        self.waiting: list[asyncio.Future[None]] = []

    def settle(self, error: VoltbenchError | None) -> None:
        """Tell all who wait."""
        for future in self.waiting:
            if error is None and not future.done():  # done already: whoever waited was cancelled
                future.set_result(None)
            elif error is not None and not future.done():
                future.set_exception(error)


class Memory:
    """Keeps what stations put, each under its own keys; one process holds it at a time.

    Group commit: one thread writes, and while it does so the next batch gathers. A commit is written but not waited
    for until the disk has it: it survives the kill of any process, and a power cut may take the last ones.

    Raises InvalidInput where the file is damaged or somebody else's, Unavailable where it cannot be had.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection = _opened(file)
        self._thread = ThreadPoolExecutor(1, "station memory")
        self._gathering = _Batch()
        self._in_hand = _Batch()
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False

    def load(self, station: str) -> dict[str, bytes]:
        """What a station has put and not forgotten since, by key. Raises Unavailable where it cannot be read."""
        query = "SELECT key, entry FROM kept WHERE station = ?"
        with _reaching(self._file):
            entries: dict[str, bytes] = dict(self._connection.execute(query, (station,)).fetchall())
        for batch in (self._in_hand, self._gathering):
            for key, entry in batch.changes.get(station, {}).items():
                if entry is None:
                    entries.pop(key, None)
                else:
                    entries[key] = entry
        return entries

    def put(self, station: str, changes: Sequence[Change]) -> asyncio.Future[None]:
        """Make changes, all or none; the future is done when they survive a kill.

        It fails with Unavailable when they are not known to be kept. Later changes do not overtake earlier ones.
        """
        if self._is_closed:
            raise Unavailable(f"{self._file}: is closed")
        loop = asyncio.get_running_loop()
        kept: asyncio.Future[None] = loop.create_future()
        self._gathering.changes[station].update(changes)
        self._gathering.waiting.append(kept)
        self._write_soon()
        return kept

    def it_is(self, now: Instant) -> None:
        """Keep what time it is, together with what is put next, or by itself. Nobody waits for that."""
        if not self._is_closed:
            self._gathering.changes[CLOCK][NOW] = b"%d" % now
            self._write_soon()

    def latest(self) -> Instant | None:
        """What time it was last, if that was ever kept: who goes on lives from then on, or he would relive things.

        Raises Unavailable where it cannot be read.
        """
        entry = self.load(CLOCK).get(NOW)
        with _reaching(self._file):
            return None if entry is None else int(entry)

    async def close(self) -> None:
        """Keep what was put, then let go of the file."""
        self._is_closed = True
        if self._task is not None:
            await asyncio.wait([self._task])
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=False)

    def _write_soon(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write_out(), name="station memory")

    async def _write_out(self) -> None:
        """Write what has come, and what comes meanwhile."""
        loop = asyncio.get_running_loop()
        try:
            while self._gathering.changes:
                self._in_hand, self._gathering = self._gathering, _Batch()
                self._in_hand.settle(await loop.run_in_executor(self._thread, self._attempt, self._in_hand.changes))
        finally:  # who still waits, does so because this task was torn down with its loop
            for batch in (self._in_hand, self._gathering):
                batch.settle(Unavailable(f"{self._file}: was let go of before this was known to be kept"))
            self._in_hand, self._gathering, self._task = _Batch(), _Batch(), None

    def _attempt(self, changes: _Changes) -> VoltbenchError | None:
        try:
            with _reaching(self._file):
                _write(self._connection, changes)
        except VoltbenchError as error:
            _log.error("changes of %d stations are not kept: %s", len(changes), error)
            return error
        return None


def _opened(file: Path) -> sqlite3.Connection:
    with _reaching(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(0o600)  # passwords are among what stations keep
        connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=PATIENCE_S)
        try:
            _prepare(connection, file)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # two processes would speak for the same stations
    found, version, tables = (
        connection.execute(query).fetchone()[0]
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema")
    )
    if (found, tables) == (0, 0):
        connection.executescript(SCHEMA)
    elif found != APPLICATION_ID:
        raise InvalidInput("memory of stations", "is a database of another program", source=str(file))
    elif version != FORMAT:
        raise InvalidInput("memory of stations", "is of another version", found=version, source=str(file))
    connection.execute("PRAGMA journal_mode=WAL")
    for pragma in ("synchronous=NORMAL", "cache_size=-16000", "wal_autocheckpoint=4000"):  # 16 MB of each, at most
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def _reaching(file: Path) -> Iterator[None]:
    """Say whatever the driver or the disk raises as InvalidInput where the file is damaged, else as Unavailable."""
    try:
        yield
    except (sqlite3.Error, OSError, ValueError) as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise InvalidInput("memory of stations", f"is damaged: {error}", source=str(file)) from error
        raise Unavailable(f"{file}: {error}") from error


def _write(connection: sqlite3.Connection, changes: _Changes) -> None:
    flat = [(station, key, entry) for station, those in changes.items() for key, entry in those.items()]
    kept = [row for row in flat if row[2] is not None]
    gone = [row[:2] for row in flat if row[2] is None]
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement, parameters in (*_steps(_upsert, kept), *_steps(_delete, gone)):
            connection.execute(statement, parameters)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _steps(statement: Callable[[int], str], rows: Sequence[Sequence[object]]) -> Iterator[tuple[str, list[object]]]:
    """Statements for all rows, many at a time, with their parameters."""
    start = 0
    for size in STEPS:
        while len(rows) - start >= size:
            yield statement(size), [part for row in rows[start : start + size] for part in row]
            start += size


@lru_cache
def _upsert(rows: int) -> str:
    places = ",".join(["(?,?,?)"] * rows)
    return f"INSERT INTO kept VALUES {places} ON CONFLICT DO UPDATE SET entry = excluded.entry"


@lru_cache
def _delete(rows: int) -> str:
    places = ",".join(["(?,?)"] * rows)  # a table, since SQLite would search all that is kept for bare values
    return f"WITH gone(station, key) AS (VALUES {places}) DELETE FROM kept WHERE (station, key) IN gone"
