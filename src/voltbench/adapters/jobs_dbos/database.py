"""The database that DBOS, its client and the leases share: a SQLite file or PostgreSQL, by URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from voltbench.errors import InvalidInput, LocalProtocolError, Unavailable

APPLICATION = "voltbench"

SCHEMA = "voltbench_jobs"
"""In PostgreSQL, beside whatever else is there."""

_CONNECTIONS = 5
_BUSY_S = 30
_IDLE_IN_TRANSACTION_MS = 3_000
"""A process that freezes within a transaction holds rows that others wait for: not for longer than its lease."""


def queue_of(kind: str) -> str:
    """DBOS's queue of jobs of a kind: a process gets only those that it can do."""
    return f"{APPLICATION}-{kind}"


def engine_at(url: str, concurrency: int, *, full_sync: bool = False) -> Engine:
    """Connections to `sqlite:///FILE` or `postgresql://...`, enough for so many jobs at once. Else InvalidInput.

    `full_sync` makes SQLite wait for the disk at each commit, so that even a power cut loses nothing.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest not in ("/", "/:memory:"):
        return _sqlite(Path(rest[1:]), concurrency, full_sync)
    if scheme in ("postgresql", "postgres"):
        return _postgresql(url, concurrency)
    raise InvalidInput("jobs", "is no database", found=scheme, allowed="sqlite:///FILE or postgresql://...")


def shut(engine: Engine) -> None:
    """Close the connections for good: threads of DBOS that wait for how a job ends elsewhere would do so for ever."""
    event.listen(engine, "do_connect", _refuse)
    engine.dispose()


def _refuse(*_: object) -> None:
    raise LocalProtocolError("these jobs are closed")


@contextmanager
def reaching(engine: Engine) -> Iterator[None]:
    """Say whatever the database raises as Unavailable."""
    try:
        yield
    except SQLAlchemyError as error:
        raise Unavailable(f"{engine.url.render_as_string()}: {error}") from error


def _sqlite(file: Path, concurrency: int, full_sync: bool) -> Engine:
    path = file.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": _BUSY_S},
        hide_parameters=True,
        pool_size=_CONNECTIONS,
        max_overflow=concurrency + _CONNECTIONS,
    )

    def set_up(connection: Any, _: object) -> None:
        connection.isolation_level = "IMMEDIATE"  # as DBOS has it: a writer waits for its turn, and fails not half-way
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not wait for each other
        connection.execute(f"PRAGMA synchronous = {'FULL' if full_sync else 'NORMAL'}")  # which survives any kill

    event.listen(engine, "connect", set_up)
    return engine


def _postgresql(url: str, concurrency: int) -> Engine:
    try:
        address = make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError) as error:
        raise InvalidInput("jobs", "is no PostgreSQL URL", allowed="postgresql://USER@HOST:PORT/NAME") from error
    return create_engine(
        address,
        connect_args={
            "application_name": "voltbench jobs",
            "connect_timeout": 10,
            "options": f"-c idle_in_transaction_session_timeout={_IDLE_IN_TRANSACTION_MS}",
        },
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=_CONNECTIONS,
        max_overflow=concurrency + _CONNECTIONS,
    )
