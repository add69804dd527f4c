"""The tables, as the newest revision in `migrations/` makes them. Instants in ms since the epoch, energy in Wh.

A table has the columns that its record has fields. What is JSON is kept as text: nobody looks into it here.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text, UniqueConstraint

from voltbench.ocpp.v16.csms import records

csms = MetaData()

Key = BigInteger().with_variant(Integer(), "sqlite")
"""A number that the database gives; SQLite does so only for its own INTEGER."""


def _whole(name: str, *, key: bool = False, optional: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, nullable=optional, autoincrement=False)


def _text(name: str, *, key: bool = False, optional: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=optional)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


stations = Table(
    "csms_stations",
    csms,
    _text("id", key=True),
    _text("registration"),
    _text("subprotocol"),
    _whole("first_seen_at"),
    _whole("seen_at"),
    _whole("booted_at", optional=True),
    _text("boot", optional=True),
    _text("secret", optional=True),
)

connectors = Table(
    "csms_connectors",
    csms,
    _text("station_id", key=True),
    _whole("connector_id", key=True),
    _text("status", optional=True),
    _text("error_code", optional=True),
    _text("info", optional=True),
    _text("vendor_id", optional=True),
    _text("vendor_error_code", optional=True),
    _whole("at", optional=True),
    _text("availability"),
    _flag("is_scheduled"),
    _whole("told_at", optional=True),
)

tokens = Table(
    "csms_tokens",
    csms,
    _text("id_token", key=True),
    _text("status"),
    _text("group", optional=True),
    _whole("expires_at", optional=True),
    _whole("concurrent_transactions"),
)

transactions = Table(
    "csms_transactions",
    csms,
    _whole("id", key=True),
    _text("station_id"),
    _whole("connector_id"),
    _text("id_token"),
    _whole("started_at"),
    _whole("meter_start_wh"),
    _text("authorization"),
    _whole("reservation_id", optional=True),
    _whole("stopped_at", optional=True),
    _whole("meter_stop_wh", optional=True),
    _text("reason", optional=True),
    _text("stop_id_token", optional=True),
    _text("closed_by", optional=True),
    UniqueConstraint(
        "station_id", "connector_id", "id_token", "started_at", "meter_start_wh", name="csms_transactions_once"
    ),
    Index("csms_transactions_by_state", "closed_by", "id"),
)

stop_readings = Table("csms_stop_readings", csms, _whole("transaction_id", key=True), _text("payload"))

meter_values = Table(
    "csms_meter_values",
    csms,
    Column("id", Key, primary_key=True),
    _text("station_id"),
    _whole("connector_id"),
    _whole("transaction_id", optional=True),
    _whole("at"),
    _text("payload"),
    Index("csms_meter_values_by_transaction", "transaction_id"),
)

reservations = Table(
    "csms_reservations",
    csms,
    _text("station_id", key=True),
    _whole("reservation_id", key=True),
    _whole("connector_id"),
    _text("id_token"),
    _text("group", optional=True),
    _whole("expires_at"),
    _text("state"),
    _whole("changed_at"),
    _whole("transaction_id", optional=True),
)

profiles = Table(
    "csms_profiles",
    csms,
    _text("station_id", key=True),
    _whole("profile_id", key=True),
    _whole("connector_id"),
    _text("purpose"),
    _whole("stack_level"),
    _whole("transaction_id", optional=True),
    _text("profile"),
    _whole("installed_at"),
    _whole("cleared_at", optional=True),
)

named_profiles = Table("csms_named_profiles", csms, _text("name", key=True), _text("profile"), _whole("at"))

local_lists = Table(
    "csms_local_lists", csms, _text("station_id", key=True), _whole("version"), _text("entries"), _whole("at")
)

settings = Table(
    "csms_settings",
    csms,
    _text("station_id", key=True),
    _text("key", key=True),
    _text("setting", optional=True),
    _flag("readonly"),
    _flag("needs_reboot"),
    _whole("at"),
)

commands = Table(
    "csms_commands",
    csms,
    _text("id", key=True),
    _text("station_id"),
    _text("action"),
    _text("payload"),
    _whole("asked_at"),
    _text("state"),
    _text("answer", optional=True),
    _text("refusal", optional=True),
    _whole("ended_at", optional=True),
    Index("csms_commands_by_station", "station_id", "asked_at"),
    Index("csms_commands_by_state", "state"),
)

notes = Table(
    "csms_notes", csms, _text("station_id", key=True), _text("topic", key=True), _text("content"), _whole("at")
)

events = Table(
    "csms_events",
    csms,
    Column("id", Key, primary_key=True),
    _text("station_id"),
    _text("kind"),
    _text("content"),
    _whole("at"),
    Index("csms_events_by_station", "station_id", "id"),
)

tenures = Table("csms_tenures", csms, _whole("id", key=True), _whole("number"))
"""One row: how many processes have held this store, one after the other."""

TABLES: dict[type[records.Record], Table] = {
    records.KnownStation: stations,
    records.ConnectorState: connectors,
    records.Token: tokens,
    records.Transaction: transactions,
    records.StopReadings: stop_readings,
    records.MetersRead: meter_values,
    records.Reservation: reservations,
    records.InstalledProfile: profiles,
    records.NamedProfile: named_profiles,
    records.LocalList: local_lists,
    records.Setting: settings,
    records.Command: commands,
    records.Note: notes,
    records.Event: events,
}
"""Where each kind of record is kept."""

BELONGINGS = (connectors, settings, notes, local_lists, reservations, profiles, events, commands)
"""What goes when its station is forgotten."""
