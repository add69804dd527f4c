"""`kill -9` at any moment loses nothing that was confirmed, and leaves nothing half-written."""

from __future__ import annotations

import random
from pathlib import Path

from tests.programs import said_until_killed
from tests.system.until_killed import SITE, a_session, a_snapshot, an_input, run
from voltbench.adapters.store import Store
from voltbench.errors import NotFound

KILLS = 4


async def test_what_was_confirmed_survives_a_kill_at_any_moment(url: str, tmp_path: Path):
    chance = random.Random(17)
    confirmed = 0
    for _ in range(KILLS):
        confirmed = max([confirmed, *confirmed_until_killed(url, chance.randrange(300), tmp_path / "said")])
        assert await last_kept_in_full(url) >= confirmed
    assert confirmed > 0


def confirmed_until_killed(url: str, after: int, log: Path) -> list[int]:
    """Let another process take inputs, kill it once it has confirmed so many, and return all that it confirmed."""
    return [int(line) for line in said_until_killed(run, url, log=log, lines=after)]


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
