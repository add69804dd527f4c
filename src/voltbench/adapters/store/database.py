"""A database by its URL. Work on it is a plain function of a connection, which runs in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Table, make_url
from sqlalchemy.exc import ArgumentError

from voltbench.adapters.store.postgresql import PostgreSQL
from voltbench.adapters.store.sqlite import SQLite
from voltbench.errors import InvalidInput

T = TypeVar("T")


class Session(Protocol):
    """A connection that is kept: what PostgreSQL locks for it is free when it is gone."""

    @property
    def lost(self) -> bool:
        """Whether it has broken."""

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do work in a transaction, which is durable on return. Unavailable when it was not done, or nobody knows."""

    async def close(self) -> None:
        """Let go of it."""


class Database(Protocol):
    """SQLite or PostgreSQL; `name` is its URL without the password, `file` is where SQLite keeps it."""

    name: str
    file: Path | None

    def insert(self, table: Table) -> Any:
        """An INSERT of the database's own kind, which can be told what to do on conflict."""

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do work in a transaction, on any connection. Unavailable when it was not done, or nobody knows.

        Damaged when the file is no database.
        """

    async def session(self) -> Session:
        """A connection to keep."""

    async def close(self) -> None:
        """Close every connection."""


def database_at(url: str, *, full_sync: bool = False, patience_s: float = 5.0) -> Database:
    """The database of a plain URL: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://...`.

    A path is taken as it stands. `full_sync` makes SQLite wait for the disk at each commit, so that even a power cut
    loses nothing. `patience_s` is how long to wait for somebody else's lock. InvalidInput when it is neither.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest not in ("/", "/:memory:"):
        return SQLite(Path(rest[1:]), full_sync=full_sync, patience_s=patience_s)
    if scheme in ("postgresql", "postgres"):
        return PostgreSQL(url, _without_password(url), patience_s=patience_s)
    raise InvalidInput("store", "is no database", found=scheme, allowed="sqlite:///FILE or postgresql://...")


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string()
    except (ArgumentError, ValueError) as error:
        raise InvalidInput("store", "is no PostgreSQL URL", allowed="postgresql://USER@HOST:PORT/NAME") from error


def upsert(database: Database, table: Table, kept: Collection[str] = ()) -> Any:
    """An INSERT that replaces the row of the same key, except for the columns to be kept."""
    insert = database.insert(table)
    key = [column.name for column in table.primary_key]
    changed = [column.key for column in table.columns if column.name not in (*key, *kept)]
    return insert.on_conflict_do_update(index_elements=key, set_={name: insert.excluded[name] for name in changed})
