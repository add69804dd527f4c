"""What the store keeps of a hosted site, and the site that is rebuilt from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from voltbench.adapters import station_json
from voltbench.adapters.station_json import StationConfig
from voltbench.adapters.store import Restored, Site, SiteSaved, Store
from voltbench.errors import NotFound, Unavailable
from voltbench.quantities import MS_PER_SECOND, Instant
from voltbench.running.hosted import HostedPlan, HostedSite
from voltbench.running.inputs import decoded

LENDS_AFTER_MS = 30 * MS_PER_SECOND
"""With `releaseUnused`, a share not drawn for so long is lent."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A site as it was kept: rebuilt, after its input number `sequence`; `snapshot` is the last one's number."""

    config: StationConfig
    site: HostedSite
    sequence: int
    snapshot: int


class SetAside(Unavailable):
    """What is kept of a site cannot be lived on from, and is left as it is; `sequence` is its last input."""

    def __init__(self, site_id: str, why: Exception, sequence: int) -> None:
        super().__init__(
            f"site {site_id!r} is set aside, because what is kept of it cannot be used ({type(why).__name__}: {why}). "
            "Start the version of voltbench that wrote it, replace its configuration to begin it anew, or delete it"
        )
        self.sequence = sequence


def hosted_plan(config: StationConfig) -> HostedPlan:
    """The site of a configuration, and how it is run. Raises InvalidInput."""
    lends_after_ms = LENDS_AFTER_MS if config.release_unused else None
    validity_ms = round(config.limit_validity * MS_PER_SECOND) if config.limit_validity is not None else None
    site, options = station_json.site_plan(config), station_json.control_options(config)
    return HostedPlan(site, options, lends_after_ms, validity_ms)


def saved(site_id: str, config: StationConfig, at: Instant) -> SiteSaved:
    """How the store is told of a configuration."""
    return SiteSaved(site_id, msgspec.json.encode(station_json.to_json(config)).decode(), at)


async def kept_site(store: Store, site_id: str, attach: Callable[[HostedSite], None]) -> Kept:
    """The site that the store has kept; `attach` sees it before it lives through the inputs since its snapshot.

    Raises NotFound or Unavailable; SetAside when this version cannot read what is kept, or refuses it.
    """
    restored = await _restored(store, site_id)
    row = next((row for row in await store.sites() if row.id == site_id), None)
    if row is None:
        raise NotFound("site", site_id)
    covered = restored.snapshot.sequence if restored.snapshot is not None else 0
    sequence = covered + len(restored.inputs)
    try:
        config = station_json.parse(row.configuration)
        site = _rebuilt(hosted_plan(config), row, restored, attach)
    except Exception as error:  # of any kind: another version wrote it
        raise SetAside(site_id, error, sequence) from error
    return Kept(config, site, sequence, covered)


async def _restored(store: Store, site_id: str) -> Restored:
    try:
        return await store.restore(site_id)
    except (NotFound, Unavailable):
        raise
    except Exception as error:  # of any kind: its rows are damaged
        raise SetAside(site_id, error, store.last_input(site_id)) from error


def _rebuilt(plan: HostedPlan, row: Site, restored: Restored, attach: Callable[[HostedSite], None]) -> HostedSite:
    if restored.snapshot is not None:
        site = HostedSite.restore(plan, restored.snapshot.state)
    else:
        site = HostedSite(plan, row.created_at)
    attach(site)
    for taken in restored.inputs:
        site.take(taken.instant, decoded(taken.input))
    return site
