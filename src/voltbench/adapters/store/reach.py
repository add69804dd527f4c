"""What a database that does not do its work is to us: unavailable."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from voltbench.errors import Unavailable

LONGEST_TRANSACTION_S = 30.0
"""A database that has not answered by then is taken to be out of reach."""


@contextmanager
def reaching(database: str) -> Iterator[None]:
    """Say whatever a driver or the network raises as Unavailable."""
    try:
        yield
    except TimeoutError as error:
        raise Unavailable(f"{database}: no answer within {LONGEST_TRANSACTION_S:g} s") from error
    except DBAPIError as error:
        raise Unavailable(f"{database}: {error.orig}") from error
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise Unavailable(f"{database}: {error}") from error
