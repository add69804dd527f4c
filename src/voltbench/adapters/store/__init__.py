"""The durable store of the live site: what it is told is kept, and a `kill -9` loses nothing that was confirmed.

The core is deterministic, so its *inputs* are stored and not what follows from them: a site is rebuilt from its last
snapshot and the inputs journalled after it. Beside them: each site's configuration, and the history of its sessions.
"""

from voltbench.adapters.store.store import Restored, Site, Store
from voltbench.adapters.store.writes import (
    InputTaken,
    SessionEnded,
    SiteDeleted,
    SiteSaved,
    SnapshotTaken,
    Write,
)

__all__ = [
    "InputTaken",
    "Restored",
    "SessionEnded",
    "Site",
    "SiteDeleted",
    "SiteSaved",
    "SnapshotTaken",
    "Store",
    "Write",
]
