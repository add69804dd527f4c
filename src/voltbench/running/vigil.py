"""Who is still heard of: a limit is valid for a while after its answer, and who does not report in time is silent.

A device is told its limit in the answer to its report and holds it for the validity; then it falls back to its
failsafe, if no newer answer has reached it. It is called silent when two thirds of the validity have passed without a
report, so that room for its failsafe can be made before it falls back.
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
        """When somebody is silent who is not heard of before."""
        first = next(iter(self._heard.values()), None)
        return first + self._validity_ms * 2 // 3 if first is not None else None

    def wake(self, now: Instant) -> None:
        """Somebody is silent now."""
        while (due := self.next_wakeup()) is not None and due <= now:
            session_id, heard_at = next(iter(self._heard.items()))
            del self._heard[session_id]
            self._operation.controller.commitments.silence(session_id, heard_at + self._validity_ms)
            self._operation.act_soon(now)

    def state(self) -> tuple[tuple[str, Instant], ...]:
        """Who was heard of, and when."""
        return tuple(self._heard.items())

    def resume(self, heard: Iterable[tuple[str, Instant]]) -> None:
        """Be as remembered."""
        self._heard = dict(heard)
        self._operation.world.reschedule(self)
