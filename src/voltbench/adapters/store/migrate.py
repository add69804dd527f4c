"""The schema's history: what brings a database of any age, or none, to the tables of today."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from voltbench.errors import Conflict

LIVE, TELEMETRY = "live", "telemetry"
"""Two histories of their own, because on PostgreSQL both live in one database."""

_SCRIPTS = "voltbench.adapters.store:migrations"


def migrate(connection: Connection, history: str, database: str, revision: str = "head") -> None:
    """Bring the database to a revision, in the transaction that the connection is in.

    Conflict when it was made by a newer voltbench.
    """
    try:
        command.upgrade(configuration(connection, history), revision)
    except CommandError as error:
        raise Conflict("database", database, f"was made by another version of voltbench ({error})") from error


def configuration(connection: Connection, history: str) -> Config:
    """Alembic's configuration for one history."""
    config = Config()
    config.set_main_option("script_location", _SCRIPTS)
    config.set_main_option("version_locations", f"{_SCRIPTS}/{history}")
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = f"{history}_revision"
    return config
