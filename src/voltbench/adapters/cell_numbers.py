"""The numbers that the seed's services know simulations by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, exists, false, func, insert, select

from voltbench.adapters.cell_results import lock_of, numbers
from voltbench.adapters.store.database import Database
from voltbench.quantities import Instant


@dataclass(frozen=True, slots=True)
class Numbered:
    """What a number of the seed's stands for: a job of ours, or an answer that was brought to be kept."""

    number: int
    job_id: str | None
    answer: bytes | None


class CellNumbers:
    """The numbers, in the database of the results."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def number_for(self, job_id: str, now: Instant) -> int:
        """The number of a job: the one it has, or one that nothing had before."""
        return await self._database.run(lambda connection: _number_for(connection, job_id, now))

    async def give(self, number: int, job_id: str, now: Instant) -> bool:
        """Let a number that somebody else has counted stand for a job from now on; False where it is one of ours."""
        row = {"number": number, "job_id": job_id, "answer": None, "is_given": True, "asked_at_ms": now}
        first = self._database.insert(numbers).values(row)
        statement = first.on_conflict_do_update(
            index_elements=["number"],
            set_={"job_id": job_id, "asked_at_ms": now},
            where=numbers.c.is_given.is_(True) | (numbers.c.job_id == job_id),
        )
        return bool(await self._database.run(lambda connection: connection.execute(statement).rowcount))

    async def keep_answer(self, answer: bytes, now: Instant) -> int:
        """Keep an answer from elsewhere under a number that nothing had before."""
        row = {"job_id": None, "answer": answer, "is_given": False, "asked_at_ms": now}
        return await self._database.run(lambda connection: _inserted(connection, row))

    async def numbered(self, number: int) -> Numbered | None:
        """What a number stands for."""
        found = await self._numbered(select(numbers).where(numbers.c.number == number))
        return found[0] if found else None

    async def last(self, limit: int, skipped: int = 0) -> list[Numbered]:
        """What numbers were last given to, newest first."""
        order = (numbers.c.asked_at_ms.desc(), numbers.c.number.desc())
        return await self._numbered(select(numbers).order_by(*order).limit(limit).offset(skipped))

    async def old(self, before: Instant, limit: int, skipped: int = 0) -> list[Numbered]:
        """What numbers were last given to before an instant, oldest first, but for the last that we have counted.

        That one stays: counting goes on behind it, so that no number is given twice.
        """
        last = select(func.max(numbers.c.number)).where(numbers.c.is_given.is_(False)).scalar_subquery()
        is_last = numbers.c.number == func.coalesce(last, 0)
        old = select(numbers).where(numbers.c.asked_at_ms < before, ~is_last)
        order = (numbers.c.asked_at_ms, numbers.c.number)
        return await self._numbered(old.order_by(*order).limit(limit).offset(skipped))

    async def drop(self, some: Sequence[int], before: Instant) -> None:
        """Drop numbers that were not given again since an instant."""
        old = delete(numbers).where(numbers.c.number.in_(some), numbers.c.asked_at_ms < before)
        await self._database.run(lambda connection: connection.execute(old))

    async def _numbered(self, statement: Select[Any]) -> list[Numbered]:
        rows = await self._database.run(lambda connection: connection.execute(statement).all())
        return [Numbered(row.number, row.job_id, row.answer) for row in rows]


def _number_for(connection: Connection, job_id: str, now: Instant) -> int:
    _alone(connection)
    known = connection.scalar(select(func.min(numbers.c.number)).where(numbers.c.job_id == job_id))
    if known is not None:
        return int(known)
    return _inserted(connection, {"job_id": job_id, "answer": None, "is_given": False, "asked_at_ms": now})


def _inserted(connection: Connection, row: dict[str, Any]) -> int:
    """Insert a row under the number after our last one, or the first behind it that nobody else has counted."""
    _alone(connection)
    last = connection.scalar(select(func.max(numbers.c.number)).where(numbers.c.is_given.is_(False))) or 0
    number = last + 1
    if connection.scalar(select(numbers.c.number).where(numbers.c.number == number)) is not None:
        after = numbers.alias()
        is_last = ~exists().where(after.c.number == numbers.c.number + 1)
        number = connection.execute(
            select(func.min(numbers.c.number) + 1).where(numbers.c.number > last, is_last)
        ).scalar_one()
    connection.execute(insert(numbers).values(number=number, **row))
    return int(number)


def _alone(connection: Connection) -> None:
    """Let nobody else count until the transaction is over."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(lock_of("voltnumb"))))
    else:  # a transaction of SQLite that has read, and writes after somebody else has written, is refused
        connection.execute(delete(numbers).where(false()))
