"""The tables, as the newest revision in `migrations/` makes them. Instants in ms since the epoch, energy in Wh."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, LargeBinary, MetaData, Table, Text

live = MetaData()
"""What a live site needs to go on after a restart, and its history."""


def _site_id() -> Column[str]:
    return Column("site_id", Text, ForeignKey("sites.id", ondelete="CASCADE"), primary_key=True)


sites = Table(
    "sites",
    live,
    Column("id", Text, primary_key=True),
    Column("configuration", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
)

journal = Table(
    "journal",
    live,
    _site_id(),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("instant_ms", BigInteger, nullable=False),
    Column("input", LargeBinary, nullable=False),
)

snapshots = Table(
    "snapshots",
    live,
    _site_id(),
    Column("sequence", BigInteger, nullable=False),
    Column("instant_ms", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

sessions = Table(
    "sessions",
    live,
    _site_id(),
    Column("id", Text, primary_key=True),
    Column("charger_id", Text, nullable=False),
    Column("connector_id", Text, nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger, nullable=False),
    Column("energy_wh", Double, nullable=False),
    Column("reason", Text, nullable=False),
    Column("details", Text, nullable=False),
    Index("sessions_by_end", "site_id", "ended_at_ms", "id"),
)

homes = Table(
    "homes",
    live,
    Column("id", Text, primary_key=True),
    Column("plan", Text, key="model", nullable=False),  # its name in the databases there are
)

plans = Table(
    "plans",
    live,
    Column("id", Text, primary_key=True),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("answer", Text, nullable=False),
    Index("plans_by_time", "made_at_ms"),
)

tenures = Table(
    "tenures",
    live,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)
"""One row: how many processes have held this store, one after the other."""

telemetry = MetaData()
"""Time series. They have a file of their own on SQLite, and share the database on PostgreSQL."""

series_hours = Table(
    "series_hours",
    telemetry,
    Column("site_id", Text, primary_key=True),
    Column("series", Text, primary_key=True),
    Column("hour_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("pieces", LargeBinary, nullable=False),
    Index("series_hours_by_hour", "hour_ms"),
)
