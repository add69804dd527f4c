"""Meter a site: its powers after everything that happens, and every so often while something goes on."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from voltbench.engine import METERS
from voltbench.quantities import MS_PER_MINUTE, DurationMs, Instant, earliest
from voltbench.running.operation import Operation


class SiteReading(msgspec.Struct, frozen=True):
    """What a site's meters show at an instant, in W; a battery that is not there shows nothing."""

    at: Instant
    grid_w: float
    vehicles_w: float
    battery_w: float
    battery_soc: float


class SiteMeter:
    """The twin that reads a site's meters. It only looks: a site lives the same with it and without.

    Tell it with `touch` that something has happened. It also reads when the load or the generation changes, and at
    every whole interval while vehicles are there or the battery works.
    """

    def __init__(
        self,
        operation: Operation,
        on_reading: Callable[[SiteReading], None],
        interval_ms: DurationMs = MS_PER_MINUTE,
    ) -> None:
        self._operation = operation
        self._on_reading = on_reading
        self._interval_ms = interval_ms
        self._due: Instant | None = operation.world.now
        operation.world.add(self, METERS)

    def touch(self, now: Instant) -> None:
        """Something has happened: read once everything due at this instant is done."""
        if self._due is None or now < self._due:
            self._due = now
            self._operation.world.reschedule(self)

    def next_wakeup(self) -> Instant | None:
        """The next reading."""
        return self._due

    def wake(self, now: Instant) -> None:
        """Read."""
        self._on_reading(self._read(now))
        interval = now - now % self._interval_ms + self._interval_ms if self._goes_on() else None
        self._due = earliest(interval, self._operation.balance.next_change(now))

    def _read(self, now: Instant) -> SiteReading:
        balance, storage = self._operation.balance, self._operation.storage
        return SiteReading(
            at=now,
            grid_w=balance.grid_w(now),
            vehicles_w=balance.vehicles_w(now),
            battery_w=balance.storage_w(),
            battery_soc=storage.soc(now) if storage is not None else 0.0,
        )

    def _goes_on(self) -> bool:
        storage = self._operation.storage
        return bool(self._operation.bays) or (storage is not None and storage.setpoint_w != 0.0)
