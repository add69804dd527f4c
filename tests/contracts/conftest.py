"""The same promise, kept by each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import PostgreSQL, a_postgresql


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with a_postgresql() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> Iterator[str]:
    """An empty database of PostgreSQL."""
    with postgresql.new_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind, by the URL that a person would give."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bench.db"
    return str(request.getfixturevalue("postgresql_url"))
