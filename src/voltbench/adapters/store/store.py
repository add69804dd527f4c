"""The store's front: put what happens, read what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
from sqlalchemy import BigInteger, Connection, Text, delete, func, literal, null, select, tuple_, union_all

from voltbench.adapters.store.custody import Custody
from voltbench.adapters.store.database import Database, database_at, upsert
from voltbench.adapters.store.journal import Position, Positions, place, require_whole
from voltbench.adapters.store.migrate import LIVE
from voltbench.adapters.store.schema import homes, journal, plans, sessions, sites, snapshots, tenures
from voltbench.adapters.store.statements import Statements, session_of
from voltbench.adapters.store.writer import GroupWriter
from voltbench.adapters.store.writes import InputTaken, SessionEnded, SnapshotTaken, Write
from voltbench.errors import LocalProtocolError, NotFound, Unavailable
from voltbench.quantities import Instant

MOST_PLANS = 10_000
"""Older ones are forgotten: a plan is of use until its cars depart."""


class Site(msgspec.Struct, frozen=True):
    """A site as it was last saved; `configuration` is JSON text."""

    id: str
    configuration: str
    created_at: Instant


class Restored(msgspec.Struct, frozen=True):
    """What a site is rebuilt from: its last snapshot, if it ever had one, and the inputs after it, in order."""

    snapshot: SnapshotTaken | None
    inputs: tuple[InputTaken, ...]


class Store:
    """Keeps sites over restarts. One process holds it at a time; made by `open`."""

    def __init__(self, database: Database, custody: Custody, writer: GroupWriter) -> None:
        self._database = database
        self._custody = custody
        self._writer = writer
        self._trying = asyncio.Lock()

    @classmethod
    async def open(cls, url: str, *, full_sync: bool = False, patience_s: float = 5.0) -> Store:
        """Open the store at `sqlite:///FILE` or `postgresql://...`, made or migrated as needed.

        `full_sync` makes SQLite survive a power cut, not only a kill. `patience_s` is how long to wait for a lock.
        Unavailable when it cannot be reached or another voltbench process holds it, Conflict when it is too new.
        """
        database = database_at(url, full_sync=full_sync, patience_s=patience_s)
        custody, statements = Custody(database, LIVE, tenures), Statements(database)
        try:
            await custody.take()
            positions = await custody.run(_positions)
        except BaseException:
            await custody.lay_down()
            await database.close()
            raise

        async def write(writes: Iterable[Write]) -> None:
            await custody.run(lambda connection: statements.write(connection, writes))

        return cls(database, custody, GroupWriter(write, positions, patience_s))

    def put(self, *group: Write) -> asyncio.Future[None]:
        """Write a group as a whole or not at all; the future is done when it is durable.

        Groups are written in the order they are put. The future fails with Unavailable when the group is not known to
        be stored (a database that breaks off may have). Then its site is ahead of the store: no input of it is taken
        and `durable` fails, until the site is restored, or a snapshot that covers what was lost is put (with the
        configuration and the endings lost with it). LocalProtocolError when an input is out of order.
        """
        return self._writer.put(group)

    async def durable(self, site_id: str | None = None) -> None:
        """Return when everything put before is durable; at once when nothing is on its way.

        Unavailable when something of this site (of any, without a name) could not be stored: what is in memory
        might then not survive, and is not to be shown.
        """
        await self._writer.settled()
        require_whole(self._writer.positions, site_id)

    async def writable(self) -> None:
        """Unavailable while what is put cannot be written. It tries, so that it also hears when that is over."""
        trouble = self._writer.trouble
        if trouble is None:
            return
        if self._trying.locked():  # whoever asks meanwhile need not wait for the same answer
            raise Unavailable(f"nothing can be stored: {trouble}") from trouble
        async with self._trying:
            await self._custody.write_nothing_new()
            self._writer.trouble = None

    async def sites(self) -> list[Site]:
        """Every site, by id."""
        query = select(sites.c.id, sites.c.configuration, sites.c.created_at_ms).order_by(sites.c.id)
        return await self._database.run(lambda connection: [Site(*row) for row in connection.execute(query)])

    async def restore(self, site_id: str) -> Restored:
        """What the site is to be rebuilt from; its inputs go on from there. NotFound when there is no such site.

        Nothing of the site may be put meanwhile.
        """
        await self._writer.settled()
        restored = await self._custody.run(lambda connection: _restored(connection, site_id))
        place(self._writer.positions, site_id, _position(restored) if restored is not None else None)
        if restored is None:
            raise NotFound("site", site_id)
        return restored

    def last_input(self, site_id: str) -> int:
        """The number of a site's last input that is kept, whether or not it can be restored; 0 where there is none."""
        position = self._writer.positions.get(site_id)
        return position.sequence if position is not None else 0

    async def sessions(
        self, site_id: str, limit: int = 100, before: tuple[Instant, str] | None = None
    ) -> list[SessionEnded]:
        """The latest sessions of a site, the last ended first; `before` is the (ended_at, id) to go on from."""
        end = tuple_(sessions.c.ended_at_ms, sessions.c.id)
        query = select(sessions).where(sessions.c.site_id == site_id)
        if before is not None:
            query = query.where(end < tuple_(literal(before[0], BigInteger), literal(before[1], Text)))
        query = query.order_by(sessions.c.ended_at_ms.desc(), sessions.c.id.desc()).limit(limit)
        rows = await self._database.run(lambda connection: connection.execute(query).mappings().all())
        return [session_of(dict(row)) for row in rows]

    async def session(self, site_id: str, id: str) -> SessionEnded | None:
        """A session of a site's history, or None."""
        query = select(sessions).where(sessions.c.site_id == site_id, sessions.c.id == id)
        row = await self._database.run(lambda connection: connection.execute(query).mappings().first())
        return session_of(dict(row)) if row is not None else None

    async def homes(self) -> dict[str, str]:
        """The model of each home, by its id."""
        query = select(homes.c.id, homes.c.model).order_by(homes.c.id)
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return {row.id: row.model for row in rows}

    async def save_home(self, home_id: str, model: str) -> None:
        """A home has this model; on return that is durable. Unavailable when it is not known to be."""
        row, statement = {"id": home_id, "model": model}, upsert(self._database, homes)
        await self._custody.run(lambda connection: connection.execute(statement, row))

    async def delete_home(self, home_id: str) -> None:
        """A home is no more; on return that is durable. Unavailable when it is not known to be."""
        statement = delete(homes).where(homes.c.id == home_id)
        await self._custody.run(lambda connection: connection.execute(statement))

    async def plan(self, plan_id: str) -> str | None:
        """A plan as it was told, as far as it is still kept."""
        query = select(plans.c.answer).where(plans.c.id == plan_id)
        return await self._database.run(lambda connection: connection.scalar(query))

    async def save_plan(self, plan_id: str, made_at: Instant, answer: str) -> None:
        """Keep a plan, and of all only the newest; on return that is durable. Unavailable when that is not known."""
        row = {"id": plan_id, "made_at_ms": made_at, "answer": answer}
        oldest = select(plans.c.made_at_ms).order_by(plans.c.made_at_ms.desc()).offset(MOST_PLANS).limit(1)
        too_old = delete(plans).where(plans.c.made_at_ms <= oldest.scalar_subquery())

        def work(connection: Connection) -> None:
            connection.execute(plans.insert(), row)
            connection.execute(too_old)

        await self._custody.run(work)

    async def close(self) -> None:
        """Write what is queued, then let go of the database."""
        try:
            await self._writer.close()
        finally:
            await self._custody.lay_down()
            await self._database.close()


def _positions(connection: Connection) -> Positions:
    last_input = select(func.max(journal.c.sequence)).where(journal.c.site_id == sites.c.id).scalar_subquery()
    query = select(sites.c.id, last_input, snapshots.c.sequence).select_from(sites).outerjoin(snapshots)
    return {
        site_id: Position(sequence=max(_number(last), _number(covered)), snapshot=_number(covered))
        for site_id, last, covered in connection.execute(query)
    }


def _number(found: object) -> int:
    """A number of the journal, or 0 where there is none; SQLite keeps any text there, which `restore` stumbles over."""
    return found if isinstance(found, int) else 0


def _restored(connection: Connection, site_id: str) -> Restored | None:
    """One statement, so that no snapshot can be taken between its two halves."""
    of_journal = select(literal(2).label("rank"), journal.c.sequence, journal.c.instant_ms, journal.c.input)
    of_snapshot = select(literal(1), snapshots.c.sequence, snapshots.c.instant_ms, snapshots.c.state)
    of_site = select(literal(0), literal(0), sites.c.created_at_ms, null())
    query = union_all(
        of_journal.where(journal.c.site_id == site_id),
        of_snapshot.where(snapshots.c.site_id == site_id),
        of_site.where(sites.c.id == site_id),
    ).order_by("rank", "sequence")
    rows = [tuple(row) for row in connection.execute(query)]
    if not rows:
        return None
    snapshot = next((SnapshotTaken(site_id, *row[1:]) for row in rows if row[0] == 1), None)
    inputs = (InputTaken(site_id, *row[1:]) for row in rows if row[0] == 2)
    # An input under the snapshot was written again after an answer got lost; the next snapshot prunes it.
    return Restored(
        snapshot, tuple(taken for taken in inputs if snapshot is None or taken.sequence > snapshot.sequence)
    )


def _position(restored: Restored) -> Position:
    covered = restored.snapshot.sequence if restored.snapshot is not None else 0
    for expected, taken in enumerate(restored.inputs, covered + 1):
        if taken.sequence != expected:
            raise LocalProtocolError(f"the journal of site {taken.site_id!r} lacks input {expected}")
    return Position(sequence=covered + len(restored.inputs), snapshot=covered)
