"""Every live site of this process, by its id: the default site, the demonstration, and those that people make."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, overload

from voltbench.adapters.station_json import BASE_EXAMPLE, StationConfig
from voltbench.adapters.store import Store
from voltbench.adapters.telemetry import Telemetry
from voltbench.apps.live import Living, live
from voltbench.apps.sites.audience import Audience, Subscription
from voltbench.apps.sites.demo import DemoSite
from voltbench.apps.sites.recorder import Recorder
from voltbench.apps.sites.stored import StoredSite
from voltbench.clock import Clock, ScaledClock, wall_instant
from voltbench.errors import Conflict, InvalidInput, NotFound
from voltbench.quantities import Instant
from voltbench.running.inputs import Input, Recompute, SetLimit, StartSession, StopSession, UpdatePower
from voltbench.running.metering import SiteReading
from voltbench.running.views import SessionView, SiteView

DEFAULT, DEMO = "default", "demo"

_log = logging.getLogger(__name__)

_SITE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_IN_WORDS = "letters, digits, dot, dash and underscore, up to 64, a letter or digit first"


class LiveSite(Living, Protocol):
    """What every live site can do."""

    id: str
    audience: Audience
    stirred: asyncio.Event

    @property
    def clock(self) -> Clock:
        """What time it is there."""

    @property
    def speed(self) -> float:
        """Virtual seconds per second."""

    async def take(self, input: Input) -> SessionView | SiteView:
        """Be told something."""

    async def status(self) -> SiteView:
        """What there is to see now."""

    async def session(self, id: str) -> SessionView:
        """One session."""

    async def sessions(self, limit: int, before: tuple[Instant, str] | None) -> list[SessionView]:
        """Sessions that ended."""

    async def config(self) -> StationConfig:
        """How it is built."""

    async def replace(self, config: StationConfig) -> None:
        """Be built anew."""

    async def delete(self) -> None:
        """Be gone."""

    async def close(self) -> None:
        """Come to rest."""


def _note_end(life: asyncio.Task[None]) -> None:
    if not life.cancelled() and (error := life.exception()) is not None:
        _log.error("%s lives no more", life.get_name(), exc_info=error)


def new_session_id() -> str:
    """An id that no session has had."""
    return f"session-{secrets.token_hex(6)}"


class Sites:
    """The live sites; made by `open`. NotFound for an id there is not, Unavailable while the store is in trouble."""

    def __init__(self, store: Store, clock: Clock, recorder: Recorder | None, new_id: Callable[[], str]) -> None:
        self.new_id = new_id
        self._store = store
        self._clock = clock
        self._recorder = recorder
        self._sites: dict[str, LiveSite] = {}
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._unfinished: set[asyncio.Task[None]] = set()
        self._recording: asyncio.Task[None] | None = None
        self._making: set[str] = set()

    # --- beginning and end -----------------------------------------------------------------------------------------

    @classmethod
    async def open(
        cls,
        store: Store,
        telemetry: Telemetry | None = None,
        *,
        demo_speed: float | None = None,
        retention_days: float = 30.0,
        clock: Clock | None = None,
        new_id: Callable[[], str] = new_session_id,
    ) -> Sites:
        """Go on with every site that the store has, and with the default one in any case; with a speed, with a demo.

        What was due while nobody was there happens first, each thing at its due instant.
        """
        recorder = Recorder(telemetry, retention_days) if telemetry is not None else None
        sites = cls(store, clock or ScaledClock(wall_instant()), recorder, new_id)
        for row in await store.sites():
            await sites._recall(row.id)
        if DEFAULT not in sites._sites:
            await sites.create(DEFAULT, BASE_EXAMPLE)
        if recorder is not None:
            await recorder.forget_others(set(sites._sites))
            await recorder.prune(sites._clock.now())
            sites._recording = asyncio.create_task(recorder.run(), name="recorder")
            sites._recording.add_done_callback(_note_end)
        if demo_speed is not None:
            sites._let_live(DemoSite(DEMO, demo_speed, sites._clock.now(), sites._meter_of(DEMO)))
        return sites

    async def close(self) -> None:
        """Put every site down in order; the store is left open."""
        tasks = [*self._lives.values(), *([self._recording] if self._recording is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*self._unfinished, return_exceptions=True)
        for site in self._sites.values():
            await site.close()
        if self._recorder is not None:
            await self._recorder.flush()

    async def well(self) -> None:
        """Unavailable while the store cannot keep what sites are told, or the default site cannot live."""
        await self._store.writable()
        await self.status(DEFAULT)

    # --- sites -----------------------------------------------------------------------------------------------------

    def ids(self) -> list[str]:
        """Every site, the default one and the demo first."""
        return sorted(self._sites, key=lambda id: (id != DEFAULT, id != DEMO, id))

    async def create(self, site_id: str, config: StationConfig) -> None:
        """Make a site. Conflict when there is one of this id."""
        if not _SITE_ID.fullmatch(site_id):
            raise InvalidInput("site_id", "is no id", found=site_id, allowed=_IN_WORDS)
        if site_id in self._sites or site_id in self._making or site_id == DEMO:
            raise Conflict("site", site_id, "exists already")
        self._making.add(site_id)
        await self._finish(self._create(site_id, config))

    async def replace(self, site_id: str, config: StationConfig) -> None:
        """Build a site anew; its sessions end."""
        await self._finish(self._site(site_id).replace(config))

    async def delete(self, site_id: str) -> None:
        """Delete a site, with its history. Conflict for the default site and the demo."""
        if site_id == DEFAULT:
            raise Conflict("site", site_id, "is always there; replace its configuration instead")
        await self._finish(self._delete(self._site(site_id)))

    async def config(self, site_id: str) -> StationConfig:
        """The configuration of a site. Conflict for the demo."""
        return await self._site(site_id).config()

    def speed(self, site_id: str) -> float:
        """Virtual seconds per second at a site."""
        return self._site(site_id).speed

    def set_speed(self, site_id: str, speed: float) -> None:
        """Let the demo go on at another speed. Conflict for every other site: they live in real time."""
        site = self._site(site_id)
        if not isinstance(site, DemoSite):
            raise Conflict("site", site_id, "lives in real time; only the demo can be hurried")
        site.set_speed(speed)

    # --- what a site is told, what there is to see -------------------------------------------------------------------

    @overload
    async def take(self, site_id: str, input: StartSession | UpdatePower | StopSession) -> SessionView: ...
    @overload
    async def take(self, site_id: str, input: Recompute | SetLimit) -> SiteView: ...
    async def take(self, site_id: str, input: Input) -> SessionView | SiteView:
        """Tell a site something; return the session it is about, or the site, once that is durable.

        Raises InvalidInput, NotFound or Conflict, and then nothing has changed.
        """
        return await self._site(site_id).take(input)

    async def status(self, site_id: str) -> SiteView:
        """A site at one instant."""
        return await self._site(site_id).status()

    async def session(self, site_id: str, session_id: str) -> SessionView:
        """A session of a site: running, just ended, or of its history."""
        return await self._site(site_id).session(session_id)

    async def sessions(
        self, site_id: str, limit: int = 100, before: tuple[Instant, str] | None = None
    ) -> list[SessionView]:
        """Sessions that ended, the last one first; `before` is the (ended_at, id) to go on from."""
        return await self._site(site_id).sessions(limit, before)

    def subscribe(self, site_id: str) -> Subscription:
        """Hear what happens at a site from now on."""
        return self._site(site_id).audience.subscribe()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _site(self, site_id: str) -> LiveSite:
        if site_id not in self._sites:
            raise NotFound("site", site_id)
        return self._sites[site_id]

    def _meter_of(self, site_id: str) -> Callable[[SiteReading], None] | None:
        return self._recorder.meter_of(site_id) if self._recorder is not None else None

    async def _recall(self, site_id: str) -> None:
        site = StoredSite(site_id, self._store, self._clock, self._meter_of(site_id))
        await site.recall()
        self._let_live(site)

    async def _create(self, site_id: str, config: StationConfig) -> None:
        try:
            if self._recorder is not None:
                await self._recorder.forget(site_id)  # of an earlier one of this name, that nobody was there to forget
            site = StoredSite(site_id, self._store, self._clock, self._meter_of(site_id))
            await site.create(config)
        finally:
            self._making.discard(site_id)
        self._let_live(site)

    async def _delete(self, site: LiveSite) -> None:
        await site.delete()
        self._lives.pop(site.id).cancel()
        del self._sites[site.id]
        if self._recorder is not None:
            await self._recorder.forget(site.id)

    def _let_live(self, site: LiveSite) -> None:
        self._sites[site.id] = site
        life = asyncio.create_task(live(site, site.clock, site.stirred), name=f"site {site.id}")
        life.add_done_callback(_note_end)
        self._lives[site.id] = life

    async def _finish(self, activity: Coroutine[Any, Any, None]) -> None:
        """Bring something to its end, even if nobody waits for it any more."""
        task = asyncio.create_task(activity)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        await asyncio.shield(task)
