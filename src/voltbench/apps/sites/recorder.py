"""Keep what the sites' meters show: gathered as it comes, stored every few seconds, forgotten after some days."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

import numpy as np

from voltbench.adapters.telemetry import Telemetry
from voltbench.errors import Unavailable
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, Instant
from voltbench.running.metering import SiteReading

SERIES = ("grid_w", "vehicles_w", "battery_w", "battery_soc")
"""The series of each site; power is positive into vehicles and battery, and from the grid."""

FLUSH_S = 5.0
_FLUSHES_PER_PRUNING = 720

_log = logging.getLogger(__name__)


class Recorder:
    """Hears the meters of every site, and lets telemetry keep what has changed."""

    def __init__(self, telemetry: Telemetry, retention_days: float) -> None:
        self._telemetry = telemetry
        self._retention_ms = round(retention_days * MS_PER_DAY)
        self._pieces: dict[tuple[str, str], list[tuple[Instant, float]]] = {}
        self._last: dict[tuple[str, str], tuple[int, float]] = {}
        self._latest: dict[str, Instant] = {}

    def meter_of(self, site_id: str) -> Callable[[SiteReading], None]:
        """What a site's meter is to tell its readings."""

        def note(reading: SiteReading) -> None:
            self._latest[site_id] = reading.at
            for series in SERIES:
                self._note((site_id, series), reading.at, getattr(reading, series))

        return note

    async def run(self) -> None:
        """Store what was gathered, again and again, until cancelled."""
        while True:
            for _ in range(_FLUSHES_PER_PRUNING):
                await asyncio.sleep(FLUSH_S)
                await self.flush()
            await self.prune()

    async def flush(self) -> None:
        """Store what was gathered, or what cannot be stored now the next time."""
        await _tried(self._flush)

    async def prune(self, now: Instant | None = None) -> None:
        """Forget what is older than the retention: by each site's own time, and before `now` of every site."""
        if now is not None:
            await _tried(lambda: self._telemetry.prune(now - self._retention_ms))
        await _tried(self._prune)

    async def forget_others(self, known: Collection[str]) -> None:
        """Forget what was recorded of sites that are no more: a site and its series go one after the other."""
        await _tried(lambda: self._forget_others(known))

    async def _forget_others(self, known: Collection[str]) -> None:
        for site_id in await self._telemetry.sites():
            if site_id not in known:
                await self._telemetry.forget(site_id)

    async def forget(self, site_id: str) -> None:
        """Forget a site."""
        self._latest.pop(site_id, None)
        for memory in (self._pieces, self._last):
            for key in [key for key in memory if key[0] == site_id]:
                del memory[key]
        await _tried(lambda: self._telemetry.forget(site_id))

    async def _flush(self) -> None:
        gathered, self._pieces = self._pieces, {}
        for (site_id, series), pieces in gathered.items():
            instants, readings = zip(*pieces, strict=True)
            self._telemetry.append(site_id, series, np.array(instants, np.int64), np.array(readings))
        await self._telemetry.flush()

    async def _prune(self) -> None:
        for site_id, latest in list(self._latest.items()):
            await self._telemetry.prune(latest - self._retention_ms, site_id)

    def _note(self, key: tuple[str, str], at: Instant, reading: float) -> None:
        """Gather a reading that is new; one in every hour is kept even so, that pruning leaves a beginning."""
        new = (at // MS_PER_HOUR, reading)
        if self._last.get(key) != new:
            self._last[key] = new
            self._pieces.setdefault(key, []).append((at, reading))


async def _tried(activity: Callable[[], Awaitable[object]]) -> None:
    try:
        await activity()
    except Unavailable as error:
        _log.warning("telemetry waits: %s", error)
    except Exception:  # the outermost edge of a task that has to go on
        _log.exception("telemetry has lost some readings")
