"""What every test runs under."""

import os

import pytest
from hypothesis import HealthCheck, settings

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
