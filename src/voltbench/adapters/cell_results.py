"""What simulations of cells came to: once for each input, by its hash, so that work done twice counts once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Select,
    Table,
    Text,
    delete,
    func,
    select,
    update,
)

from voltbench.adapters.store.database import Database, database_at
from voltbench.adapters.store.migrate import CELLS, migrate
from voltbench.quantities import Instant

MOST_AT_ONCE = 500
"""Hashes in one question: databases have a limit."""

cells = MetaData()

results = Table(
    "cell_results",
    cells,
    Column("input_hash", Text, primary_key=True),
    Column("made_at_ms", BigInteger, nullable=False),  # or last asked for again
    Column("is_record", Boolean, nullable=False),
    Column("figures", LargeBinary, nullable=True),
    Column("answer", LargeBinary, nullable=False),
    Index("cell_results_by_time", "made_at_ms"),
)

numbers = Table(
    "cell_numbers",
    cells,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("job_id", Text, nullable=True),
    Column("answer", LargeBinary, nullable=True),
    Column("is_given", Boolean, nullable=False),
    Column("asked_at_ms", BigInteger, nullable=False),
    Index("cell_numbers_by_job", "job_id"),
    Index("cell_numbers_by_time", "asked_at_ms"),
)
"""The seed's numbers; `cell_numbers.py` knows what they mean."""

hooks = Table(
    "cell_hooks",
    cells,
    Column("id", Text, primary_key=True),
    Column("job_id", Text, nullable=True),
    Column("form", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("said", LargeBinary, nullable=False),
    Column("message", Text, nullable=True),
    Column("attempts", Integer, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger, nullable=True),
    Column("problem", Text, nullable=False),
    Index("cell_hooks_by_due", "ended_at_ms", "due_at_ms"),
    Index("cell_hooks_by_message", "message"),
)
"""Who is to be told of a job's end; `cell_hooks.py` knows what they mean."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an input came to: a record (`figures` are made of it), or an error. The simulator's room reads the bytes."""

    input_hash: str
    is_record: bool
    answer: bytes
    figures: bytes | None = None


class CellResults:
    """The results, in a database that several processes may use at once where it is PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    async def open(cls, url: str, *, full_sync: bool = False) -> CellResults:
        """Open them at `sqlite:///FILE` (their own) or `postgresql://...`, made or migrated as needed.

        `full_sync` lets SQLite survive a power cut too.
        """
        database = database_at(url, full_sync=full_sync)
        await database.run(lambda connection: _made_ready(connection, database))
        return cls(database)

    async def close(self) -> None:
        """Let go of the database."""
        await self.database.close()

    async def keep(self, some: Sequence[Result], now: Instant) -> None:
        """Keep results; on return they are durable. A record that is there for an input already stays."""
        rows = [
            {
                "input_hash": one.input_hash,
                "made_at_ms": now,
                "is_record": one.is_record,
                "figures": one.figures,
                "answer": one.answer,
            }
            for one in sorted(some, key=lambda one: one.input_hash)  # two who lock in the same order lock nobody out
        ]
        if rows:
            first = self.database.insert(results)
            told = {name: first.excluded[name] for name in ("made_at_ms", "is_record", "figures", "answer")}
            statement = first.on_conflict_do_update(
                index_elements=["input_hash"], set_=told, where=results.c.is_record.is_(False)
            )
            await self.database.run(lambda connection: connection.execute(statement, rows))

    async def result(self, input_hash: str) -> Result | None:
        """What an input came to, if that is known."""
        found = await self.database.run(
            lambda connection: connection.execute(
                select(results).where(results.c.input_hash == input_hash)
            ).one_or_none()
        )
        return None if found is None else Result(found.input_hash, found.is_record, found.answer, found.figures)

    async def figures(self, hashes: Iterable[str]) -> dict[str, bytes | None]:
        """The figures of those inputs that are known; None for an error."""
        distinct, found = list(dict.fromkeys(hashes)), dict[str, bytes | None]()
        for first in range(0, len(distinct), MOST_AT_ONCE):
            rows = await self.database.run(partial(_figures, hashes=distinct[first : first + MOST_AT_ONCE]))
            found.update(rows)
        return found

    async def asked_again(self, hashes: Iterable[str], now: Instant) -> set[str]:
        """Which of those inputs have a record, which now is as good as made just now: it is not forgotten soon."""
        distinct, found = sorted(set(hashes)), set[str]()
        for first in range(0, len(distinct), MOST_AT_ONCE):
            known = (
                select(results.c.input_hash)
                .where(results.c.input_hash.in_(distinct[first : first + MOST_AT_ONCE]), results.c.is_record)
                .order_by(results.c.input_hash)
                .with_for_update()
            )
            renewed = update(results).where(results.c.input_hash.in_(known)).values(made_at_ms=now)
            found.update(await self._scalars(renewed.returning(results.c.input_hash)))
        return found

    async def errors(self, hashes: Iterable[str]) -> dict[str, bytes]:
        """The errors that some inputs came to."""
        distinct, found = list(dict.fromkeys(hashes)), dict[str, bytes]()
        for first in range(0, len(distinct), MOST_AT_ONCE):
            asked = results.c.input_hash.in_(distinct[first : first + MOST_AT_ONCE])
            failed = select(results.c.input_hash, results.c.answer).where(asked, results.c.is_record.is_(False))
            rows = await self.database.run(partial(_all, statement=failed))
            found.update((row.input_hash, row.answer) for row in rows)
        return found

    async def forget(self, before: Instant, limit: int = MOST_AT_ONCE) -> int:
        """Drop what was made, or last asked for, before an instant, `limit` at most; says how many."""
        old = select(results.c.input_hash).where(results.c.made_at_ms < before)
        chosen = old.limit(limit).with_for_update(skip_locked=True)
        dropped = delete(results).where(results.c.input_hash.in_(chosen)).returning(results.c.input_hash)
        return len(await self._scalars(dropped))

    async def _scalars(self, statement: Any) -> list[str]:
        return await self.database.run(lambda connection: list(connection.scalars(statement)))


def _all(connection: Connection, statement: Select[Any]) -> Sequence[Row[Any]]:
    return connection.execute(statement).all()


def _figures(connection: Connection, hashes: Sequence[str]) -> list[tuple[str, bytes | None]]:
    found = connection.execute(select(results.c.input_hash, results.c.figures).where(results.c.input_hash.in_(hashes)))
    return [(row.input_hash, row.figures) for row in found]


def _made_ready(connection: Connection, database: Database) -> None:
    if database.file is None:
        connection.execute(select(func.pg_advisory_xact_lock(lock_of("voltcell"))))
    migrate(connection, CELLS, database.name)


def lock_of(name: str) -> int:
    """PostgreSQL's number for a lock that has a name of eight letters."""
    return int.from_bytes(name.encode())
