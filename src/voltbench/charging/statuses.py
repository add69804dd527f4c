"""Which statuses of a station are news, and how long one has to last before it is told."""

from __future__ import annotations

from voltbench.charging.status import Status
from voltbench.quantities import DurationMs, Instant


class Statuses:
    """What was told of each EVSE (0: the station), and what waits until it has lasted long enough."""

    __slots__ = ("_pending", "_told")

    def __init__(self) -> None:
        self._told: dict[int, tuple[Status, str | None]] = {}
        self._pending: dict[int, tuple[Instant, Status]] = {}

    def are_news(self, now: Instant, evse: int, status: Status, error: str | None, minimum_ms: DurationMs) -> bool:
        """Whether the status and the fault of an EVSE are to be told now; what was never told is told at once."""
        if self._told.get(evse) == (status, error):
            self._pending.pop(evse, None)
            return False
        since, pending = self._pending.get(evse, (None, None))
        wait_ms = minimum_ms if evse in self._told else 0
        if wait_ms and pending is not status:
            self._pending[evse] = (now + wait_ms, status)
            return False
        if wait_ms and (since is None or since > now):
            return False
        self._pending.pop(evse, None)
        self._told[evse] = (status, error)
        return True

    def next_wakeup(self) -> Instant | None:
        """When a status has lasted long enough."""
        return min((instant for instant, _ in self._pending.values()), default=None) if self._pending else None

    def forget(self, evse: int) -> None:
        """What an EVSE is has to be told again."""
        self._told.pop(evse, None)

    def forget_all(self) -> None:
        """What everything is has to be told again."""
        self._told.clear()
        self._pending.clear()
