"""`kill -9` of a process that hosts sites: every session that a client was told about is there, as it was told."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec

from tests.programs import said_until_killed
from tests.system.sites_until_killed import SITES, Told, run
from voltbench.adapters.store import Store
from voltbench.apps.sites import Sites
from voltbench.running.views import ENDED, SessionView

KILLS = 4


async def test_no_session_is_lost_whenever_the_process_is_killed(url: str, tmp_path: Path):
    chance = random.Random(29)
    last_told: dict[tuple[str, str], SessionView] = {}
    for life in range(KILLS):
        for told in told_until_killed(url, life, chance.randrange(20, 400), tmp_path / "said"):
            last_told[told.site, told.session.id] = told.session
        await everything_is_there(url, last_told)
    assert len(last_told) > 50
    assert any(session.status == ENDED for session in last_told.values())


def told_until_killed(url: str, life: int, after: int, log: Path) -> list[Told]:
    """Let another process host the sites, kill it once so much was told, and return all that it has told."""
    lines = said_until_killed(run, url, life, log=log, lines=after)
    return [msgspec.json.decode(line, type=Told) for line in lines]


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
