"""The schema's history: what brings a database of any age, or none, to the tables of today."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, inspect

from voltbench.errors import Conflict

REVISION = "csms_revision"
"""The table that says how far the history has come; on PostgreSQL other histories may share the database."""

_SCRIPTS = "voltbench.adapters.ocpp_csms:migrations"


def migrate(connection: Connection, database: str, revision: str = "head") -> None:
    """Bring the database to a revision, in the transaction that the connection is in.

    Conflict when it was made by a newer voltbench, or as a SQLite file by another program.
    """
    _refuse_foreign(connection, database)
    try:
        command.upgrade(configuration(connection), revision)
    except CommandError as error:
        raise Conflict("database", database, f"was made by another version of voltbench ({error})") from error


def _refuse_foreign(connection: Connection, database: str) -> None:
    tables = inspect(connection).get_table_names() if connection.dialect.name == "sqlite" else []
    if tables and REVISION not in tables:
        raise Conflict("database", database, "belongs to something else; give the CSMS a file of its own")


def configuration(connection: Connection) -> Config:
    """Alembic's configuration."""
    config = Config()
    config.set_main_option("script_location", _SCRIPTS)
    config.set_main_option("version_locations", f"{_SCRIPTS}/csms")
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = REVISION
    return config
