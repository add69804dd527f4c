"""The schema's history: what brings a database of any age, or none, to the tables of today."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, inspect

from voltbench.errors import Conflict

LIVE, TELEMETRY, CSMS, CELLS = "live", "telemetry", "csms", "cells"
"""Histories of their own, because on PostgreSQL all live in one database."""

_IN_ONE_FILE = {LIVE: (LIVE, TELEMETRY), TELEMETRY: (LIVE, TELEMETRY), CSMS: (CSMS,), CELLS: (CELLS,)}
"""Which of them may share a SQLite file."""

_SCRIPTS = "voltbench.adapters.store:migrations"


def migrate(connection: Connection, history: str, database: str, revision: str = "head") -> None:
    """Bring the database to a revision, in the transaction that the connection is in.

    Conflict when it was made by a newer voltbench, or as a SQLite file by another program.
    """
    _refuse_foreign(connection, history, database)
    try:
        command.upgrade(configuration(connection, history), revision)
    except CommandError as error:
        raise Conflict("database", database, f"was made by another version of voltbench ({error})") from error


def _refuse_foreign(connection: Connection, history: str, database: str) -> None:
    """A file is ours or it is not; a database of PostgreSQL may be shared with other programs."""
    tables = inspect(connection).get_table_names() if connection.dialect.name == "sqlite" else []
    if tables and not {_revision_of(one) for one in _IN_ONE_FILE[history]} & set(tables):
        raise Conflict("database", database, "belongs to something else; give it a file of its own")


def configuration(connection: Connection, history: str) -> Config:
    """Alembic's configuration for one history."""
    config = Config()
    config.set_main_option("script_location", _SCRIPTS)
    config.set_main_option("version_locations", f"{_SCRIPTS}/{history}")
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = _revision_of(history)
    return config


def _revision_of(history: str) -> str:
    """The table that says how far a history has come."""
    return f"{history}_revision"
