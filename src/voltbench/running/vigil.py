"""Who is still heard of: a limit is valid for a while after its answer, and then a charger falls back to its failsafe.

It does so when no newer answer has reached it. The last one may have been lost, so until the next report a device is
counted with its failsafe too (`commit`); when the validity of the last answer is over, that is all it may draw.
"""

from __future__ import annotations

from collections.abc import Iterable

from voltbench.engine import PHYSICS
from voltbench.quantities import DurationMs, Instant
from voltbench.running.operation import Operation


class Vigil:
    """The twin that notices who has fallen silent. Who was heard longest ago stands first."""

    def __init__(self, operation: Operation, validity_ms: DurationMs) -> None:
        self._operation = operation
        self._validity_ms = validity_ms
        self._heard: dict[str, Instant] = {}
        operation.world.add(self, PHYSICS)

    def hear(self, now: Instant, session_id: str) -> None:
        """A session has reported and is answered now."""
        self._heard.pop(session_id, None)
        self._heard[session_id] = now
        self._operation.controller.commitments.hear(session_id)
        self._operation.world.reschedule(self)

    def forget(self, session_id: str) -> None:
        """A session is over."""
        self._heard.pop(session_id, None)
        self._operation.world.reschedule(self)

    def next_wakeup(self) -> Instant | None:
        """When somebody falls back who is not heard of before."""
        first = next(iter(self._heard.values()), None)
        return first + self._validity_ms if first is not None else None

    def wake(self, now: Instant) -> None:
        """Somebody has been silent for too long."""
        while (due := self.next_wakeup()) is not None and due <= now:
            session_id = next(iter(self._heard))
            del self._heard[session_id]
            self._operation.controller.commitments.silence(session_id, valid_until=due)
            self._operation.act_soon(now)

    def state(self) -> tuple[tuple[str, Instant], ...]:
        """Who was heard of, and when."""
        return tuple(self._heard.items())

    def resume(self, heard: Iterable[tuple[str, Instant]]) -> None:
        """Be as remembered."""
        self._heard = dict(heard)
        self._operation.world.reschedule(self)
