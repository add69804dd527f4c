"""What is old enough to be forgotten: meter values, events, commands, and stations that never took part.

Transactions are kept for good.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Table, delete, select

from voltbench.adapters.ocpp_csms import schema
from voltbench.quantities import Instant

ROWS_AT_ONCE = 5_000
"""So that nobody waits long for a transaction that only prunes."""


def prune(connection: Connection, before: Instant) -> int:
    """Forget some of what happened before an instant, the oldest first; return how much. 0: there is no more."""
    over = (schema.commands.c.asked_at < before) & (schema.commands.c.state != "pending")
    some = select(schema.commands.c.id).where(over).limit(ROWS_AT_ONCE)
    commands = connection.execute(delete(schema.commands).where(schema.commands.c.id.in_(some))).rowcount
    return commands + _prune(connection, schema.meter_values, before) + _prune(connection, schema.events, before)


def _prune(connection: Connection, table: Table, before: Instant) -> int:
    """Rows are as old as their ids say, so that no index by time is needed, which each message would pay for."""
    oldest = select(table.c.id, table.c.at).order_by(table.c.id).limit(ROWS_AT_ONCE)
    last = 0
    for id, at in connection.execute(oldest):
        if at >= before:
            break
        last = id
    return connection.execute(delete(table).where(table.c.id <= last)).rowcount if last else 0


def forget(connection: Connection, stations: Sequence[str], before: Instant) -> None:
    """Forget stations that were not heard of since, and what belongs to them. Who has come back meanwhile stays."""
    known = schema.stations.c
    connection.execute(delete(schema.stations).where(known.id.in_(stations), known.seen_at < before))
    back = select(known.id).where(known.id.in_(stations))
    for table in schema.BELONGINGS:
        owner = table.c.station_id
        connection.execute(delete(table).where(owner.in_(stations), owner.not_in(back)))
