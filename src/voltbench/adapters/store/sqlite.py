"""SQLite in a file. Its work runs in threads, whole transactions at a time.

SQLAlchemy's asynchronous SQLite (aiosqlite) hands each statement to a thread and waits for it: seven times for one
small commit. Handing the whole transaction over once was measured to take a quarter of the CPU and a tenth of the time.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import sqlite

from voltbench.adapters.store.reach import LONGEST_TRANSACTION_S, reaching

T = TypeVar("T")

_READERS = 4


class SQLite:
    """A SQLite file, in WAL mode: readers and the writer do not wait for each other.

    A commit is written, but not waited for until the disk has it: it survives the kill of any process, and a power
    cut may take the last ones. `full_sync` waits for the disk.
    """

    def __init__(self, file: Path, *, full_sync: bool = False, patience_s: float = 5.0) -> None:
        path = file.resolve()
        self.file: Path | None = path
        self.name = f"sqlite:///{file}"
        with reaching(self.name):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)), connect_args={"timeout": patience_s}, hide_parameters=True
        )
        event.listen(self._engine, "connect", _pragmas("FULL" if full_sync else "NORMAL"))
        event.listen(self._engine, "begin", _begin)
        self._threads = ThreadPoolExecutor(_READERS, "sqlite")

    def insert(self, table: Table) -> sqlite.Insert:
        """An INSERT of SQLite's kind."""
        return sqlite.insert(table)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do work in a transaction, on any connection. Unavailable when it was not done, or nobody knows."""
        with reaching(self.name):
            async with asyncio.timeout(LONGEST_TRANSACTION_S):
                return await _in(self._threads, lambda: _transaction(self._engine, work))

    async def session(self) -> SQLiteSession:
        """A connection to keep, with a thread of its own."""
        return SQLiteSession(self.name, self._engine)

    async def close(self) -> None:
        """Close every connection."""
        await _in(self._threads, self._engine.dispose)
        self._threads.shutdown(wait=False)


class SQLiteSession:
    """A thread of its own: work is done in the order it comes, even after nobody waits for it any more."""

    lost = False

    def __init__(self, name: str, engine: Engine) -> None:
        self._name = name
        self._engine = engine
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, "sqlite writer")

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do work in a transaction, which is durable on return. Unavailable when it was not done, or nobody knows."""
        with reaching(self._name):
            return await _in(self._thread, lambda: self._transaction(work))

    async def close(self) -> None:
        """Finish what is being done, and let go."""
        await _in(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _transaction(self, work: Callable[[Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._engine.connect()
        with self._connection.begin():
            return work(self._connection)


async def _in(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, work)


def _transaction(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)


def _pragmas(synchronous: str) -> Callable[[Any, Any], None]:
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver would leave CREATE TABLE out of transactions: `_begin` does not
        for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    return configure


def _begin(connection: Connection) -> None:
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    driver.execute("BEGIN").close()
