"""What a station does over a while: transfers that may be tried several times, and steps that wait for their time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush

from msgspec import UnsetType

from voltbench.ocpp.orders import Abandon, Deliver, Fetch
from voltbench.ocpp.v16.station.desk import Desk
from voltbench.quantities import MS_PER_SECOND, DurationMs, Instant

UNASKED_RETRY_S = 30

Arrived = Callable[[Instant, bytes | None], None]
"""Told what a transfer brought; None where it failed for good."""


@dataclass(slots=True)
class _Job:
    order: Callable[[int], Fetch | Deliver]
    arrived: Arrived
    retries: int
    wait_ms: DurationMs


class Errands:
    """The transfers of a station that are under way, and what it will do at an instant."""

    __slots__ = ("_desk", "_due", "_jobs", "_last")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._jobs: dict[int, _Job] = {}
        self._due: list[tuple[Instant, int, Callable[[Instant], None]]] = []
        self._last = 0

    # --- transfers --------------------------------------------------------------------------------------------------

    def send_for(
        self,
        order: Callable[[int], Fetch | Deliver],
        arrived: Arrived,
        retries: int | UnsetType,
        retry_interval_s: int | UnsetType,
    ) -> int:
        """Have a file fetched or delivered, again after a while where that fails; `order` is made of a number.

        That number is returned: see `give_up`.
        """
        again = 0 if isinstance(retries, UnsetType) else max(0, retries)
        wait_s = UNASKED_RETRY_S if isinstance(retry_interval_s, UnsetType) else max(0, retry_interval_s)
        self._last += 1
        self._jobs[self._last] = _Job(order, arrived, again, wait_s * MS_PER_SECOND)
        number = self._last
        self._desk.afterwards.append(lambda _: self._set_out(number))
        return number

    def _set_out(self, number: int) -> None:
        if number in self._jobs:
            self._desk.orders.append(self._jobs[number].order(number))

    def give_up(self, number: int) -> None:
        """Nobody waits for a transfer any more: nothing more is told of it."""
        if self._jobs.pop(number, None) is not None:
            self._desk.orders.append(Abandon(number))

    def transferred(self, now: Instant, number: int, content: bytes | None) -> None:
        """A transfer has come to its end: what it brought, or None where it failed."""
        job = self._jobs.get(number)
        if job is None:
            return
        if content is None and job.retries > 0:
            job.retries -= 1
            self.at(now + self._desk.network_ms(job.wait_ms), lambda _: self._set_out(number))
            return
        del self._jobs[number]
        job.arrived(now, content)

    # --- time -------------------------------------------------------------------------------------------------------

    def at(self, due: Instant, act: Callable[[Instant], None]) -> None:
        """Do something at an instant."""
        self._last += 1
        heappush(self._due, (due, self._last, act))

    def next_wakeup(self) -> Instant | None:
        """When something is due."""
        return self._due[0][0] if self._due else None

    def wake(self, now: Instant) -> None:
        """Do what is due."""
        while self._due and self._due[0][0] <= now:
            heappop(self._due)[2](now)
