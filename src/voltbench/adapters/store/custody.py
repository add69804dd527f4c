"""Who may write: one process at a time, through one connection."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Table, func, select, update
from sqlalchemy.exc import DBAPIError

from voltbench.adapters.store.database import Database, Session
from voltbench.adapters.store.migrate import CSMS, LIVE, migrate
from voltbench.adapters.store.reach import LONGEST_TRANSACTION_S, reaching
from voltbench.errors import Unavailable

T = TypeVar("T")


class Custody:
    """The one connection that writes to a store of a history, held by one process at a time.

    On SQLite the right to write is an advisory lock on a file beside the database. On PostgreSQL it is an advisory
    lock of this very connection, so that whoever loses the connection loses the right with it; when it is taken up
    again, the tenure's number tells whether another process has held the store in between; `tenures` keeps it.
    """

    def __init__(self, database: Database, history: str, tenures: Table) -> None:
        self._database = database
        self._history = history
        self._tenures = tenures
        self._session: Session | None = None
        self._lock_file: int | None = None
        self._tenure: int | None = None
        self._free = asyncio.Lock()

    async def take(self) -> None:
        """Take the right to write, and bring the schema up to date. Unavailable when another process has it."""
        if self._database.file is not None:
            self._lock_file = _locked_file(self._database.file)
        await self._held()

    async def write_nothing_new(self) -> None:
        """Write something and take it back, to see whether that can be done. Unavailable when it cannot."""
        await self.run(self._write_and_take_back)

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
            _lock_database(connection, self._history, self._database.name)
        if self._tenure is None:
            migrate(connection, self._history, self._database.name)
            return self._next_tenure(connection)
        if connection.scalar(select(self._tenures.c.number)) != self._tenure:
            raise Unavailable(f"{self._database.name}: another voltbench process has used it since; start again")
        return self._tenure

    def _next_tenure(self, connection: Connection) -> int:
        number = self._tenures.c.number
        first = self._database.insert(self._tenures).values(id=1, number=1)
        next_number = first.on_conflict_do_update(index_elements=["id"], set_={"number": number + 1})
        return int(connection.execute(next_number.returning(number)).scalar_one())

    def _write_and_take_back(self, connection: Connection) -> None:
        """Two changes: SQLite writes no page whose content stays the same, and would find a full disk good enough."""
        for step in (1, -1):
            connection.execute(update(self._tenures).values(number=self._tenures.c.number + step))

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


ADVISORY_LOCKS = {LIVE: int.from_bytes(b"voltbnch"), CSMS: int.from_bytes(b"voltcsms")}
"""PostgreSQL's numbers for our locks; its locks are counted per database."""


def _lock_database(connection: Connection, history: str, name: str) -> None:
    """Take PostgreSQL's lock, or wait a little for a process that is just ending to let it go."""
    try:
        connection.execute(select(func.pg_advisory_lock(ADVISORY_LOCKS[history])))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":  # lock_not_available
            raise Unavailable(f"{name} is used by another voltbench process") from error
        raise
