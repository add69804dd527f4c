"""What the store is asked to keep. Writes put together are kept together, or none of them is."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from voltbench.quantities import Instant


class SiteSaved(msgspec.Struct, frozen=True):
    """A site exists with this configuration (JSON text); saving it again replaces the text, not when it was made."""

    site_id: str
    configuration: str
    at: Instant


class SiteDeleted(msgspec.Struct, frozen=True):
    """A site is gone, with its journal, its snapshot and its history."""

    site_id: str


class InputTaken(msgspec.Struct, frozen=True):
    """A site was told something from outside. A site's inputs are numbered from 1, without a gap."""

    site_id: str
    sequence: int
    instant: Instant
    input: bytes


class SnapshotTaken(msgspec.Struct, frozen=True):
    """The whole state of a site after its input `sequence`; inputs up to that one are no longer needed."""

    site_id: str
    sequence: int
    instant: Instant
    state: bytes


class SessionEnded(msgspec.Struct, frozen=True):
    """A session of the history. Its id is unique within its site; writing it again replaces it (replays do)."""

    site_id: str
    id: str
    charger_id: str
    connector_id: str
    started_at: Instant
    ended_at: Instant
    energy_wh: float
    reason: str
    details: dict[str, Any] = {}


Write: TypeAlias = SiteSaved | SiteDeleted | InputTaken | SnapshotTaken | SessionEnded
