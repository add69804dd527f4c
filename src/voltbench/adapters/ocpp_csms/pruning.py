"""What is old enough to be forgotten: meter values (those that stops brought along, too), events, commands, charging
profiles that were cleared, reservations that are over, and stations that never took part.

Transactions are kept for good.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, or_, select, tuple_

from voltbench.adapters.ocpp_csms import schema
from voltbench.quantities import Instant

ROWS_AT_ONCE = 5_000
"""So that nobody waits long for a transaction that only prunes."""


def prune(connection: Connection, before: Instant) -> int:
    """Forget some of what happened before an instant, the oldest first; return how much. 0: there is no more."""
    aged = sum(_prune(connection, table, before) for table in (schema.meter_values, schema.events))
    return aged + sum(_forget(connection, table, over) for table, over in _over(before).items())


def _over(before: Instant) -> dict[Table, ColumnElement[bool]]:
    """What was over before an instant, where that does not go by the order of ids."""
    command, profile, reservation = schema.commands.c, schema.profiles.c, schema.reservations.c
    readings, transaction = schema.stop_readings.c, schema.transactions.c
    stopped = select(transaction.id).where(transaction.id == readings.transaction_id, transaction.stopped_at < before)
    return {
        schema.commands: and_(command.asked_at < before, command.state != "pending"),
        schema.profiles: profile.cleared_at < before,
        schema.reservations: and_(
            reservation.changed_at < before, or_(reservation.state != "Active", reservation.expires_at < before)
        ),
        schema.stop_readings: stopped.exists(),
    }


def _forget(connection: Connection, table: Table, over: ColumnElement[bool]) -> int:
    key = tuple_(*table.primary_key)
    some = select(*table.primary_key).where(over).limit(ROWS_AT_ONCE)
    return connection.execute(delete(table).where(key.in_(some))).rowcount


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
