"""Stations and what belongs to them, tokens, transactions, meter values, commands, and who held the store."""

import sqlalchemy as sa
from alembic import op

revision = "csms_0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _whole(name: str, *, key: bool = False, optional: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=optional, autoincrement=False)


def _text(name: str, *, key: bool = False, optional: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=optional)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def upgrade() -> None:
    """Make the first tables."""
    _make_what_stations_are()
    _make_what_stations_have()
    _make_what_happens()


def _make_what_stations_are() -> None:
    op.create_table(
        "csms_stations",
        _text("id", key=True),
        _text("registration"),
        _text("subprotocol"),
        _whole("first_seen_at"),
        _whole("seen_at"),
        _whole("booted_at", optional=True),
        _text("boot", optional=True),
        _text("secret", optional=True),
    )
    op.create_table(
        "csms_connectors",
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
    )
    op.create_table(
        "csms_settings",
        _text("station_id", key=True),
        _text("key", key=True),
        _text("setting", optional=True),
        _flag("readonly"),
        _flag("needs_reboot"),
        _whole("at"),
    )
    op.create_table(
        "csms_notes", _text("station_id", key=True), _text("topic", key=True), _text("content"), _whole("at")
    )
    op.create_table("csms_tenures", _whole("id", key=True), _whole("number"))


def _make_what_stations_have() -> None:
    op.create_table(
        "csms_reservations",
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
    op.create_table(
        "csms_profiles",
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
    op.create_table("csms_named_profiles", _text("name", key=True), _text("profile"), _whole("at"))
    op.create_table(
        "csms_local_lists", _text("station_id", key=True), _whole("version"), _text("entries"), _whole("at")
    )
    op.create_table(
        "csms_commands",
        _text("id", key=True),
        _text("station_id"),
        _text("action"),
        _text("payload"),
        _whole("asked_at"),
        _text("state"),
        _text("answer", optional=True),
        _text("refusal", optional=True),
        _whole("ended_at", optional=True),
    )
    op.create_index("csms_commands_by_station", "csms_commands", ["station_id", "asked_at"])
    op.create_index("csms_commands_by_state", "csms_commands", ["state"])


def _make_what_happens() -> None:
    op.create_table(
        "csms_tokens",
        _text("id_token", key=True),
        _text("status"),
        _text("group", optional=True),
        _whole("expires_at", optional=True),
        _whole("concurrent_transactions"),
    )
    op.create_table(
        "csms_transactions",
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
        sa.UniqueConstraint(
            "station_id", "connector_id", "id_token", "started_at", "meter_start_wh", name="csms_transactions_once"
        ),
    )
    op.create_index("csms_transactions_by_state", "csms_transactions", ["closed_by", "id"])
    op.create_table("csms_stop_readings", _whole("transaction_id", key=True), _text("payload"))
    op.create_table(
        "csms_meter_values",
        sa.Column("id", _KEY, primary_key=True),
        _text("station_id"),
        _whole("connector_id"),
        _whole("transaction_id", optional=True),
        _whole("at"),
        _text("payload"),
    )
    op.create_index("csms_meter_values_by_transaction", "csms_meter_values", ["transaction_id"])
    op.create_table(
        "csms_events",
        sa.Column("id", _KEY, primary_key=True),
        _text("station_id"),
        _text("kind"),
        _text("content"),
        _whole("at"),
    )
    op.create_index("csms_events_by_station", "csms_events", ["station_id", "id"])
