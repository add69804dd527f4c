"""What every test runs under, and the same promise kept by each database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import PostgreSQL, a_postgresql

# `ci` finds the same examples everywhere and each time; `nightly` looks for new ones, for as long as it takes.
settings.register_profile("ci", derandomize=True, max_examples=100, deadline=None, print_blob=True)
settings.register_profile(
    "nightly",
    max_examples=5_000,
    stateful_step_count=200,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def anyio_backend():
    """Coroutine tests run on asyncio, as the product does."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One server for all: whoever is killed, it is not."""
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
