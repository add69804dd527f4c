"""What a database that does not do its work is to us: unavailable."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError, StatementError

from voltbench.errors import Unavailable

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

LONGEST_TRANSACTION_S = 30.0
"""A database that has not answered by then is taken to be out of reach."""


class Damaged(Unavailable):
    """What is in the file is no database, or no longer one: the same request will not succeed later."""


@contextmanager
def reaching(database: str) -> Iterator[None]:
    """Say whatever a driver or the network raises as Unavailable."""
    try:
        yield
    except TimeoutError as error:
        raise Unavailable(f"{database}: no answer within {LONGEST_TRANSACTION_S:g} s") from error
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        cause = error.orig if isinstance(error, StatementError) else error
        is_damaged = getattr(cause, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
        raise (Damaged if is_damaged else Unavailable)(f"{database}: {cause}") from error
