"""The durable store of a CSMS: records are kept, and found again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Table, case, func, select, update
from sqlalchemy.sql.base import Executable

from voltbench.adapters.ocpp_csms import schema
from voltbench.adapters.ocpp_csms.pruning import forget, prune
from voltbench.adapters.store.custody import Custody
from voltbench.adapters.store.database import Database, database_at, upsert
from voltbench.adapters.store.group_commit import GroupCommit
from voltbench.adapters.store.migrate import CSMS
from voltbench.ocpp.v16.csms import records
from voltbench.ocpp.v16.csms.central import Memory
from voltbench.ocpp.v16.csms.dossier import EXPIRED_FOR_MS
from voltbench.ocpp.v16.csms.records import Record
from voltbench.ocpp.v16.csms.transactions import RECENT, OfTransaction
from voltbench.ocpp.v16.messages import StartTransaction
from voltbench.ocpp.wire_types import instant
from voltbench.quantities import Instant

R = TypeVar("R", bound=Record)

LARGEST_BATCH = 2_000
"""Groups of records in one transaction."""

REST_S = 0.004
"""From one transaction to the next."""

PATIENCE_S = 5.0
"""How long groups of a batch that failed are tried by themselves."""

STATIONS_AT_ONCE = 500

LATELY = 10_000
"""So many of the last messages with meter values may come again after a restart, whatever transaction they are of."""

_LASTING = (records.ConnectorState, records.Setting, records.Note, records.LocalList)
"""Belongings of a station that are never over."""


class CsmsStore:
    """Keeps records; one process holds it at a time. Made by `open`."""

    def __init__(self, database: Database, custody: Custody) -> None:
        self._database = database
        self._custody = custody
        self._statements = {kind: _statement(database, kind) for kind in schema.TABLES}
        self._writer = GroupCommit[Record](self._keep, largest=LARGEST_BATCH, patience_s=PATIENCE_S, rest_s=REST_S)

    @classmethod
    async def open(cls, url: str, *, full_sync: bool = False, patience_s: float = 5.0) -> CsmsStore:
        """Open the store at `sqlite:///FILE` or `postgresql://...`, made or migrated as needed.

        `full_sync` makes SQLite survive a power cut, not only a kill. Unavailable when it cannot be reached or
        another process holds it, Conflict when it is too new or something else.
        """
        database = database_at(url, full_sync=full_sync, patience_s=patience_s)
        custody = Custody(database, CSMS, schema.tenures)
        try:
            await custody.take()
        except BaseException:
            await custody.lay_down()
            await database.close()
            raise
        return cls(database, custody)

    async def close(self) -> None:
        """Write what is queued, then let go of the database."""
        try:
            await self._writer.close()
        finally:
            await self._custody.lay_down()
            await self._database.close()

    # --- keeping ----------------------------------------------------------------------------------------------------

    def keep(self, group: Sequence[Record]) -> asyncio.Future[None]:
        """Keep records, all of them or none; the future is done when they are durable, else fails: Unavailable."""
        return self._writer.put(group)

    async def _keep(self, groups: Sequence[Sequence[Record]]) -> Sequence[None]:
        await self._custody.run(lambda connection: self._write(connection, groups))
        return [None] * len(groups)

    def _write(self, connection: Connection, groups: Iterable[Sequence[Record]]) -> None:
        """Records of different kinds do not depend on each other; of one kind, the last of a key counts."""
        rows: dict[type[Record], list[dict[str, Any]]] = {}
        for record in chain.from_iterable(groups):
            rows.setdefault(type(record), []).append(_row(record))
        for kind, alike in rows.items():
            connection.execute(self._statements[kind], alike)

    async def prune(self, before: Instant) -> None:
        """Forget what was over before an instant: see `pruning`."""
        while await self._custody.run(lambda connection: prune(connection, before)):
            pass

    async def forget(self, stations: Sequence[str], before: Instant) -> None:
        """Forget stations that were not heard of since, and what they told of themselves; not their transactions."""
        for first in range(0, len(stations), STATIONS_AT_ONCE):
            some = stations[first : first + STATIONS_AT_ONCE]
            await self._custody.run(partial(forget, stations=some, before=before))

    # --- going on ---------------------------------------------------------------------------------------------------

    async def memory(self, now: Instant) -> Memory:
        """What a CSMS goes on with. Commands that nobody will hear the answer of any more are lost from now on."""
        return await self._custody.run(lambda connection: _memory(connection, now))

    # --- reading ----------------------------------------------------------------------------------------------------

    async def transactions(
        self, *, is_open: bool | None, station_id: str | None, before: int | None, limit: int
    ) -> list[records.Transaction]:
        """Transactions, the newest first, from below an id."""
        table = schema.transactions.c
        query = select(schema.transactions).order_by(table.id.desc()).limit(limit)
        if is_open is not None:
            query = query.where(table.closed_by.is_(None) if is_open else table.closed_by.is_not(None))
        if station_id is not None:
            query = query.where(table.station_id == station_id)
        if before is not None:
            query = query.where(table.id < before)
        return await self._read(records.Transaction, query)

    async def transaction(self, id: int) -> records.Transaction | None:
        """A transaction."""
        return await self._first(records.Transaction, select(schema.transactions).where(schema.transactions.c.id == id))

    async def transaction_of(self, station_id: str, told: OfTransaction) -> records.Transaction | None:
        """The transaction that a station tells something of, however long ago it began."""
        table = schema.transactions.c
        query = select(schema.transactions).where(table.station_id == station_id)
        if not isinstance(told, StartTransaction):
            return await self._first(records.Transaction, query.where(table.id == told.transaction_id))
        query = query.where(
            table.connector_id == told.connector_id,
            table.id_token == told.id_tag,
            table.started_at == instant(told.timestamp),
            table.meter_start_wh == told.meter_start,
        )
        return await self._first(records.Transaction, query)

    async def readings(self, transaction: records.Transaction, limit: int) -> list[records.MetersRead]:
        """The messages with meter values of a transaction, the oldest first: what its own station has told."""
        table = schema.meter_values.c
        query = select(schema.meter_values).where(
            table.transaction_id == transaction.id, table.station_id == transaction.station_id
        )
        return await self._read(records.MetersRead, query.order_by(table.id).limit(limit))

    async def stop_readings(self, transaction_id: int) -> records.StopReadings | None:
        """What the stop of a transaction brought along."""
        table = schema.stop_readings
        return await self._first(records.StopReadings, select(table).where(table.c.transaction_id == transaction_id))

    async def reservations(self, limit: int) -> list[records.Reservation]:
        """The last reservations, whatever came of them, the newest first."""
        table = schema.reservations
        query = select(table).order_by(table.c.changed_at.desc(), table.c.station_id, table.c.reservation_id)
        return await self._read(records.Reservation, query.limit(limit))

    async def command(self, id: str) -> records.Command | None:
        """A command."""
        return await self._first(records.Command, select(schema.commands).where(schema.commands.c.id == id))

    async def commands(self, station_id: str, limit: int) -> list[records.Command]:
        """The last commands to a station, the newest first."""
        table = schema.commands.c
        query = select(schema.commands).where(table.station_id == station_id)
        return await self._read(records.Command, query.order_by(table.asked_at.desc(), table.id).limit(limit))

    async def in_doubt(self, station_id: str, action: str, since: Instant) -> list[records.Command]:
        """The commands that a station may have carried out, but has not answered; the oldest first."""
        table = schema.commands.c
        query = select(schema.commands).where(table.station_id == station_id, table.asked_at >= since)
        query = query.where(table.action == action, table.state.in_(["pending", "overdue", "lost"]))
        return await self._read(records.Command, query.order_by(table.asked_at))

    async def events(self, station_id: str, kind: str | None, limit: int) -> list[records.Event]:
        """What a station told last, the newest first."""
        table = schema.events
        columns = [column for column in table.c if column.name != "id"]
        query = select(*columns).where(table.c.station_id == station_id).order_by(table.c.id.desc()).limit(limit)
        return await self._read(records.Event, query if kind is None else query.where(table.c.kind == kind))

    async def _read(self, kind: type[R], query: Select[Any]) -> list[R]:
        return await self._database.run(lambda connection: list(_found(connection, kind, query)))

    async def _first(self, kind: type[R], query: Select[Any]) -> R | None:
        found = await self._read(kind, query)
        return found[0] if found else None


def _statement(database: Database, kind: type[Record]) -> Executable:
    table = schema.TABLES[kind]
    added: Executable = database.insert(table)
    return added if kind is records.Event else upsert(database, table)


def _row(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


def _found(connection: Connection, kind: type[R], query: Select[Any]) -> Iterator[R]:
    for row in connection.execute(query).mappings():
        yield kind(**row)


def _memory(connection: Connection, now: Instant) -> Memory:
    lost = update(schema.commands).where(schema.commands.c.state == "pending")
    connection.execute(lost.values(state="lost", ended_at=now))
    readings = {
        one.id: one for query in _last_read(connection) for one in _found(connection, records.MetersRead, query)
    }
    memory = Memory(
        stations=_all(connection, records.KnownStation),
        tokens=_all(connection, records.Token),
        transactions=list(_found(connection, records.Transaction, _remembered())),
        named_profiles=_all(connection, records.NamedProfile),
        last_transaction_id=_last_id(connection, schema.transactions),
        last_closed=_last_closed(connection),
        readings=[readings[id] for id in sorted(readings)],
        last_reading_id=_last_id(connection, schema.meter_values),
    )
    for kind in _LASTING:
        memory.belongings += _all(connection, kind)
    memory.belongings += _found(connection, records.Reservation, _active(now))
    memory.belongings += _found(connection, records.InstalledProfile, _installed())
    return memory


def _active(now: Instant) -> Select[Any]:
    """The reservations that a start may still use."""
    table = schema.reservations
    return select(table).where(table.c.state == "Active", table.c.expires_at >= now - EXPIRED_FOR_MS)


def _installed() -> Select[Any]:
    """The charging profiles that stations have."""
    return select(schema.profiles).where(schema.profiles.c.cleared_at.is_(None))


def _all(connection: Connection, kind: type[R]) -> list[R]:
    table: Table = schema.TABLES[kind]  # type: ignore[index]
    return list(_found(connection, kind, select(*table.c)))


def _last_id(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.max(table.c.id))) or 0


def _last_closed(connection: Connection) -> dict[str, Instant]:
    """When the latest of each station's closed transactions began."""
    table = schema.transactions.c
    query = select(table.station_id, func.max(table.started_at)).where(table.closed_by.is_not(None))
    return {row[0]: row[1] for row in connection.execute(query.group_by(table.station_id))}


def _last_read(connection: Connection) -> tuple[Select[Any], Select[Any]]:
    """What was read last in each open transaction, and what was read lately at all. Each is found by an index."""
    table, transaction = schema.meter_values, schema.transactions.c
    is_running = table.c.transaction_id.in_(select(transaction.id).where(transaction.closed_by.is_(None)))
    last_of_each = select(func.max(table.c.id)).where(is_running).group_by(table.c.transaction_id)
    lately = table.c.id > _last_id(connection, table) - LATELY
    return select(table).where(table.c.id.in_(last_of_each)), select(table).where(lately)


def _remembered() -> Select[Any]:
    """Every open transaction, and the last closed ones of each station, in the order of their ids."""
    table = schema.transactions
    is_open = table.c.closed_by.is_(None)
    rank = func.row_number().over(
        partition_by=[table.c.station_id, case((is_open, 1), else_=0)], order_by=table.c.id.desc()
    )
    ranked = select(table, rank.label("rank")).subquery()
    columns = [ranked.c[column.name] for column in table.c]
    wanted = ranked.c.closed_by.is_(None) | (ranked.c.rank <= RECENT)
    return select(*columns).where(wanted).order_by(ranked.c.id)
