"""`kill -9` of a process that hosts sites: every session that a client was told about is there, as it was told."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.databases import a_postgresql
from tests.system.sites_until_killed import SITES, Told
from voltbench.adapters.store import Store
from voltbench.apps.sites import Sites
from voltbench.running.views import ENDED, SessionView

KILLS = 4
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/bench.db"
    else:
        with a_postgresql() as server, server.new_database() as url:
            yield url


async def test_no_session_is_lost_whenever_the_process_is_killed(url: str):
    chance = random.Random(29)
    last_told: dict[tuple[str, str], SessionView] = {}
    for life in range(KILLS):
        for told in told_until_killed(url, life, after=chance.randrange(20, 400)):
            last_told[told.site, told.session.id] = told.session
        await everything_is_there(url, last_told)
    assert len(last_told) > 50
    assert any(session.status == ENDED for session in last_told.values())


def told_until_killed(url: str, life: int, after: int) -> list[Told]:
    """Let another process host the sites, kill it once so much was told, and return all that it has told."""
    command = [sys.executable, "-m", "tests.system.sites_until_killed", url, str(life)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        return [msgspec.json.decode(line, type=Told) for line in (*lines, *process.stdout) if line.endswith(b"\n")]


async def everything_is_there(url: str, last_told: dict[tuple[str, str], SessionView]) -> None:
    """Ended sessions are exactly as told; the others run where they were, or have ended since, unheard."""
    store = await Store.open(url)
    sites = await Sites.open(store)
    for (site_id, id), told in last_told.items():
        found = await sites.session(site_id, id)
        if told.status == ENDED:
            assert found == told
        assert (found.charger, found.connector, found.started_at) == (told.charger, told.connector, told.started_at)
        assert found.energy_wh >= told.energy_wh - 1e-6
    for site_id in SITES:
        view = await sites.status(site_id)
        stands_by_w = view.battery.max_power_w if view.battery is not None and view.battery.soc > 0.1 else 0.0
        allowed_w = sum(session.allocated_w for session in view.sessions)  # some report more than they may draw
        assert allowed_w <= view.grid_limit_w + stands_by_w + 1e-6
        history = {session.id for session in await sites.sessions(site_id, limit=100_000)}
        assert history >= {id for (site, id), told in last_told.items() if site == site_id and told.status == ENDED}
        assert not history & {session.id for session in view.sessions}
    for site in sites._sites.values():
        site.audience.dismiss()
    sites._sites.clear()  # gone without a snapshot, so that the journal has to do
    await sites.close()
    await store.close()
