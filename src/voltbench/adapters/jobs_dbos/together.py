"""Several of DBOS's changes in one transaction, whereas each alone has one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy

from dbos._sys_db import SystemDatabase
from sqlalchemy import Connection


class _Begun:
    """The engine of a transaction that has begun already."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dialect = connection.dialect

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        yield self._connection


@contextmanager
def together(database: SystemDatabase) -> Iterator[SystemDatabase]:
    """A database where all that is changed is changed together: whole, or, with an error or a kill, not at all."""
    with database.engine.begin() as connection:
        one = copy(database)
        one.engine = _Begun(connection)  # type: ignore[assignment]  # it is asked for no more than this
        yield one
