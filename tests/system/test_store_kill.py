"""`kill -9` at any moment loses nothing that was confirmed, and leaves nothing half-written."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import a_postgresql
from tests.system.until_killed import SITE, a_session, a_snapshot, an_input
from voltbench.adapters.store import Store
from voltbench.errors import NotFound

KILLS = 4
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/bench.db"
    else:
        with a_postgresql() as server, server.new_database() as url:
            yield url


async def test_what_was_confirmed_survives_a_kill_at_any_moment(url: str):
    chance = random.Random(17)
    confirmed = 0
    for _ in range(KILLS):
        confirmed = max([confirmed, *confirmed_until_killed(url, after=chance.randrange(300))])
        assert await last_kept_in_full(url) >= confirmed
    assert confirmed > 0


def confirmed_until_killed(url: str, after: int) -> list[int]:
    """Let another process take inputs, kill it once it has confirmed so many, and return all that it confirmed."""
    command = [sys.executable, "-m", "tests.system.until_killed", url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        confirmed = [int(process.stdout.readline()) for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        return [*confirmed, *map(int, process.stdout)]


async def last_kept_in_full(url: str) -> int:
    """The last input of the site, after checking that all up to it are there, in order, each in full."""
    store = await Store.open(url)
    try:
        restored = await store.restore(SITE)
        snapshot = restored.snapshot
        covered = snapshot.sequence if snapshot is not None else 0
        last = covered + len(restored.inputs)
        assert snapshot in (None, a_snapshot(covered))
        assert list(restored.inputs) == [an_input(sequence) for sequence in range(covered + 1, last + 1)]
        history = {session.id: session for session in await store.sessions(SITE, limit=1_000_000)}
        assert history == {str(sequence): a_session(sequence) for sequence in range(2, last + 1, 2)}
    except NotFound:
        return 0
    finally:
        await store.close()
    return last
