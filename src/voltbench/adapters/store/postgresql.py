"""PostgreSQL, by asyncpg."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from voltbench.adapters.store.reach import LONGEST_TRANSACTION_S, reaching
from voltbench.errors import Unavailable

T = TypeVar("T")


class PostgreSQL:
    """A PostgreSQL database. A commit is on its disk when it returns."""

    file: Path | None = None

    def __init__(self, url: str, name: str, *, patience_s: float = 5.0) -> None:
        self.name = name
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=_asyncpg_connect(url, name, patience_s),
            pool_pre_ping=True,
            hide_parameters=True,
        )

    def insert(self, table: Table) -> postgresql.Insert:
        """An INSERT of PostgreSQL's kind."""
        return postgresql.insert(table)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do work in a transaction, on any connection. Unavailable when it was not done, or nobody knows."""
        with reaching(self.name):
            async with asyncio.timeout(LONGEST_TRANSACTION_S), self._engine.begin() as connection:
                return await connection.run_sync(work)

    async def session(self) -> PostgreSQLSession:
        """A connection to keep."""
        with reaching(self.name):
            return PostgreSQLSession(self.name, await self._engine.connect())

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


class PostgreSQLSession:
    """A connection of its own. What is locked for it is free when it is gone."""

    def __init__(self, name: str, connection: AsyncConnection) -> None:
        self._name = name
        self._connection = connection

    @property
    def lost(self) -> bool:
        """Whether it has broken."""
        return self._connection.invalidated

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do work in a transaction, which is durable on return. Unavailable when it was not done, or nobody knows."""
        with reaching(self._name):
            async with self._connection.begin():
                return await self._connection.run_sync(work)

    async def close(self) -> None:
        """Cut it: it must not go back among the others, for its locks would go with it."""
        await self._connection.invalidate()
        await self._connection.close()


def _asyncpg_connect(url: str, name: str, patience_s: float) -> Callable[[], Awaitable[Any]]:
    """What opens a connection. asyncpg reads the URL itself: it knows all that libpq does (sslmode, host lists ...)."""
    import asyncpg  # noqa: PLC0415  whoever stays with SQLite need not wait for it

    settings = {
        "application_name": "voltbench",
        "synchronous_commit": "on",
        "lock_timeout": str(round(patience_s * 1_000)),
        "tcp_keepalives_idle": "10",  # so that the lock of a machine that died is free in half a minute, not in hours
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "4",
    }

    async def connect() -> Any:
        try:
            return await asyncpg.connect(url, timeout=LONGEST_TRANSACTION_S, server_settings=settings)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
            raise Unavailable(f"{name}: {str(error) or type(error).__name__}") from error

    return connect
