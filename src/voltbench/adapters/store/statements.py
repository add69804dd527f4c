"""How each kind of write is said in SQL."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, Executable, bindparam, delete

from voltbench.adapters.store.database import Database, upsert
from voltbench.adapters.store.schema import journal, sessions, sites, snapshots
from voltbench.adapters.store.writes import InputTaken, SessionEnded, SiteDeleted, SiteSaved, SnapshotTaken, Write

Row: TypeAlias = dict[str, Any]


class Statements:
    """The statements of each kind of write, for one kind of database.

    Each can be repeated without harm, so that a transaction of which nobody heard the end can be tried again.
    """

    def __init__(self, database: Database) -> None:
        covered = (journal.c.site_id == bindparam("site_id")) & (journal.c.sequence <= bindparam("sequence"))
        self._of: dict[type[Write], tuple[Executable, ...]] = {
            SiteSaved: (upsert(database, sites, kept=["created_at_ms"]),),
            SiteDeleted: (delete(sites).where(sites.c.id == bindparam("site_id")),),
            InputTaken: (upsert(database, journal),),
            SnapshotTaken: (upsert(database, snapshots), delete(journal).where(covered)),
            SessionEnded: (upsert(database, sessions),),
        }

    def write(self, connection: Connection, writes: Iterable[Write]) -> None:
        """Write everything in its order, neighbours of one kind together."""
        for kind, alike in groupby(writes, type):
            rows = [row(write) for write in alike]
            for statement in self._of[kind]:
                connection.execute(statement, rows)


def row(write: Write) -> Row:
    """A write under the names of the table's columns."""
    match write:
        case SiteSaved(site_id, configuration, at):
            return {"id": site_id, "configuration": configuration, "created_at_ms": at}
        case SiteDeleted(site_id):
            return {"site_id": site_id}
        case InputTaken(site_id, sequence, instant, input):
            return {"site_id": site_id, "sequence": sequence, "instant_ms": instant, "input": input}
        case SnapshotTaken(site_id, sequence, instant, state):
            return {"site_id": site_id, "sequence": sequence, "instant_ms": instant, "state": state}
        case SessionEnded():
            return _session_row(write)


def _session_row(session: SessionEnded) -> Row:
    row = msgspec.structs.asdict(session)
    row["started_at_ms"], row["ended_at_ms"] = row.pop("started_at"), row.pop("ended_at")
    row["details"] = msgspec.json.encode(session.details).decode()
    return row


def session_of(row: Row) -> SessionEnded:
    """The session that a row of the history tells of."""
    started_at, ended_at = row.pop("started_at_ms"), row.pop("ended_at_ms")
    details = msgspec.json.decode(row.pop("details"))
    return SessionEnded(**row, started_at=started_at, ended_at=ended_at, details=details)
