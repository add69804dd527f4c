"""Who is to be told of a job's end: noted so that it is told at least once, whatever dies in between.

A *hook* waits for a job. Whoever tells takes it for a while first: nobody else tells meanwhile, and if the teller dies,
it is due again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, select, tuple_, update

from voltbench.adapters.cell_results import MOST_AT_ONCE, hooks
from voltbench.adapters.store.database import Database
from voltbench.quantities import Instant

FARTHEST_MS = 12 * 3_600_000
"""Nobody puts a hook off for so long: what is due later was put off by a clock that has been set back since."""


@dataclass(frozen=True, slots=True)
class Hook:
    """That a job's end is to be told to a URL, in a form; `said` is what the form needs to know for it.

    Without a job it was noted before there was one. `message` tells the broker's message that asked for it, for as
    long as the broker may bring that again.
    """

    id: str
    job_id: str | None
    form: str
    url: str
    said: bytes = b"{}"
    message: str | None = None
    attempts: int = 0
    ended_at: Instant | None = None
    problem: str = ""
    due_at: Instant = 0


class CellHooks:
    """The hooks, in the database of the results."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, hook: Hook, now: Instant) -> None:
        """Note a hook, which is due at once; one that is there stays as it is."""
        row = {
            "id": hook.id,
            "job_id": hook.job_id,
            "form": hook.form,
            "url": hook.url,
            "said": hook.said,
            "message": hook.message,
            "attempts": 0,
            "due_at_ms": now,
            "ended_at_ms": None,
            "problem": "",
        }
        statement = self._database.insert(hooks).values(row).on_conflict_do_nothing(index_elements=["id"])
        await self._database.run(lambda connection: connection.execute(statement))

    async def hook(self, id: str) -> Hook | None:
        """One as it stands."""
        found = await self._found(select(hooks).where(hooks.c.id == id))
        return found[0] if found else None

    async def due(self, now: Instant, limit: int, after: Hook | None = None) -> list[Hook]:
        """Those whose job may have ended, the ones that have waited longest first; or the ones behind one of them."""
        open_ones = select(hooks).where(hooks.c.ended_at_ms.is_(None), hooks.c.job_id.is_not(None))
        due_ones = open_ones.where(_is_due(now))
        if after is not None:
            due_ones = due_ones.where(tuple_(hooks.c.due_at_ms, hooks.c.id) > (after.due_at, after.id))
        return await self._found(due_ones.order_by(hooks.c.due_at_ms, hooks.c.id).limit(limit))

    async def next_due(self, now: Instant) -> Instant | None:
        """When the next one is due, of those that are not yet."""
        later = select(func.min(hooks.c.due_at_ms)).where(hooks.c.ended_at_ms.is_(None), hooks.c.due_at_ms > now)
        return await self._database.run(lambda connection: connection.scalar(later))

    async def take(self, id: str, now: Instant, until: Instant) -> bool:
        """Take one that is due, to tell it; it is due again `until` then. False where somebody else has it."""
        is_due = hooks.c.ended_at_ms.is_(None) & _is_due(now)
        taken = {"due_at_ms": until, "attempts": hooks.c.attempts + 1}
        return bool(await self._changed(id, taken, is_due))

    async def put_off(self, id: str, until: Instant, problem: str = "") -> None:
        """It is due again then."""
        await self._changed(id, {"due_at_ms": until, "problem": problem})

    async def end(self, id: str, now: Instant, problem: str = "") -> None:
        """It is told; or with a problem, it never will be."""
        await self._changed(id, {"ended_at_ms": now, "problem": problem})

    async def forget(self, before: Instant, limit: int = MOST_AT_ONCE) -> int:
        """Drop those that ended before an instant, or never came to a job, `limit` at most; says how many."""
        is_jobless = hooks.c.ended_at_ms.is_(None) & hooks.c.job_id.is_(None) & (hooks.c.due_at_ms < before)
        old = select(hooks.c.id).where((hooks.c.ended_at_ms < before) | is_jobless).limit(limit)
        statement = delete(hooks).where(hooks.c.id.in_(old))
        return int(await self._database.run(lambda connection: connection.execute(statement).rowcount))

    # --- those of messages ----------------------------------------------------------------------------------------

    async def wait_for(self, id: str, job_id: str, said: bytes, url: str) -> None:
        """The job is there that a message has asked for, even if one like it was refused before."""
        there = {"job_id": job_id, "said": said, "url": url, "ended_at_ms": None, "problem": ""}
        await self._changed(id, there, hooks.c.job_id.is_(None))

    async def refuse(self, id: str, now: Instant, problem: str) -> None:
        """The message will not come to a job, unless one with the same id has done so already."""
        await self._changed(id, {"ended_at_ms": now, "problem": problem, "message": None}, hooks.c.job_id.is_(None))

    async def settle(self, id: str) -> None:
        """The broker will not bring the message again."""
        await self._changed(id, {"message": None})

    async def unsettled(self, message: str) -> list[str]:
        """The hooks of messages with this content that the broker may bring again, oldest first."""
        statement = select(hooks.c.id).where(hooks.c.message == message).order_by(hooks.c.due_at_ms, hooks.c.id)
        return await self._database.run(lambda connection: list(connection.scalars(statement)))

    async def _changed(self, id: str, change: dict[str, Any], condition: Any = True) -> int:
        statement = update(hooks).where(hooks.c.id == id, condition).values(change)
        return int(await self._database.run(lambda connection: connection.execute(statement).rowcount))

    async def _found(self, statement: Any) -> list[Hook]:
        def rows(connection: Connection) -> Sequence[Row[Any]]:
            return connection.execute(statement).all()

        return [_hook(row) for row in await self._database.run(rows)]


def _is_due(now: Instant) -> ColumnElement[bool]:
    """One that was never tried is due at once, whatever the clock said when it was noted."""
    return (hooks.c.due_at_ms <= now) | (hooks.c.attempts == 0) | (hooks.c.due_at_ms > now + FARTHEST_MS)


def _hook(row: Row[Any]) -> Hook:
    return Hook(
        id=row.id,
        job_id=row.job_id,
        form=row.form,
        url=row.url,
        said=row.said,
        message=row.message,
        attempts=row.attempts,
        ended_at=row.ended_at_ms,
        problem=row.problem,
        due_at=row.due_at_ms,
    )
