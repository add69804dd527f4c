"""Who may write: one process at a time, through one connection."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, func, select, update
from sqlalchemy.exc import DBAPIError

from voltbench.adapters.store.database import Database, Session
from voltbench.adapters.store.migrate import LIVE, migrate
from voltbench.adapters.store.reach import LONGEST_TRANSACTION_S, reaching
from voltbench.adapters.store.schema import tenures
from voltbench.adapters.store.statements import Statements
from voltbench.adapters.store.writes import Write
from voltbench.errors import Unavailable

T = TypeVar("T")

_ADVISORY_LOCK = int.from_bytes(b"voltbnch")
"""PostgreSQL's number for our lock; its locks are counted per database."""


class Pen:
    """The one connection that writes, held by one process at a time.

    On SQLite the right to write is an advisory lock on a file beside the database. On PostgreSQL it is an advisory
    lock of this very connection, so that whoever loses the connection loses the right with it; when it is taken up
    again, the tenure's number tells whether another process has held the store in between.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._statements = Statements(database)
        self._session: Session | None = None
        self._lock_file: int | None = None
        self._tenure: int | None = None
        self._free = asyncio.Lock()

    async def take(self) -> None:
        """Take the right to write, and bring the schema up to date. Unavailable when another process has it."""
        if self._database.file is not None:
            self._lock_file = _locked_file(self._database.file)
        await self._held()

    async def write(self, writes: Iterable[Write]) -> None:
        """Write everything in one transaction; it is durable on return. Unavailable when it was not, or may not be."""
        await self.run(lambda connection: self._statements.write(connection, writes))

    async def write_nothing_new(self) -> None:
        """Write something and take it back, to see whether that can be done. Unavailable when it cannot."""
        await self.run(_write_and_take_back)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do work in a transaction, after all earlier ones have come to their end, even those nobody waited for.

        When the connection turns out to be lost, the next work takes it up again.
        """
        with reaching(self._database.name):
            async with asyncio.timeout(LONGEST_TRANSACTION_S), self._free:
                session = await self._held()
                try:
                    return await session.run(work)
                finally:
                    if session.lost:
                        await self._let_go()

    async def lay_down(self) -> None:
        """Give the right to write back."""
        await self._let_go()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    async def _held(self) -> Session:
        if self._session is None:
            self._session = await self._database.session()
            try:
                self._tenure = await self._session.run(self._begin)
            except BaseException:
                await self._let_go()
                raise
        return self._session

    def _begin(self, connection: Connection) -> int:
        if self._database.file is None:
            _lock_database(connection, self._database.name)
        if self._tenure is None:
            migrate(connection, LIVE, self._database.name)
            return self._next_tenure(connection)
        if connection.scalar(select(tenures.c.number)) != self._tenure:
            raise Unavailable(f"{self._database.name}: another voltbench process has used it since; start again")
        return self._tenure

    def _next_tenure(self, connection: Connection) -> int:
        first = self._database.insert(tenures).values(id=1, number=1)
        next_number = first.on_conflict_do_update(index_elements=["id"], set_={"number": tenures.c.number + 1})
        return int(connection.execute(next_number.returning(tenures.c.number)).scalar_one())

    async def _let_go(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _locked_file(database: Path) -> int:
    """A descriptor that holds the lock beside a SQLite database; the operating system frees it when we die."""
    path = database.with_name(database.name + ".lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise Unavailable(f"{database} cannot be opened: {error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 20).decode() or "unknown"
        os.close(descriptor)
        raise Unavailable(f"{database} is used by another voltbench process (pid {holder})") from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def _lock_database(connection: Connection, name: str) -> None:
    """Take PostgreSQL's lock, or wait a little for a process that is just ending to let it go."""
    try:
        connection.execute(select(func.pg_advisory_lock(_ADVISORY_LOCK)))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":  # lock_not_available
            raise Unavailable(f"{name} is used by another voltbench process") from error
        raise


def _write_and_take_back(connection: Connection) -> None:
    """Two changes: SQLite writes no page whose content stays the same, and would find a full disk good enough."""
    for step in (1, -1):
        connection.execute(update(tenures).values(number=tenures.c.number + step))
