"""What a station does by itself, and how soon."""

from __future__ import annotations

from dataclasses import dataclass

from voltbench.quantities import MS_PER_SECOND, DurationMs


@dataclass(slots=True)
class Habits:
    """The habits of a station, which its operator may change."""

    connection_timeout_ms: DurationMs = 60 * MS_PER_SECOND
    stops_on_unplug: bool = True
    unlocks_on_unplug: bool = True
    stops_on_invalid: bool = True
    grace_wh: float = 0.0
    minimum_status_ms: DurationMs = 0
