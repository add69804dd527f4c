"""A hosted site and its store: nobody hears an answer before what it tells is durable.

Each input is applied in memory, queued for the journal, and answered once it is kept. Where the store fails, what is
in memory is not to be shown: the site is put away, and rebuilt from the store as soon as that is there again. A
database that breaks off may have kept what it did not confirm: a session that was started so is then stopped.

Who was told nothing, or only that nobody knows, because we were killed between the keeping and the answer (or before
the database was there again), finds the session at its connector: the station's status names it, and so does the
Conflict that another start meets there.

What this version cannot live on from is set aside: it stays in the store as it is, and whoever asks hears why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import NoReturn

from voltbench.adapters.station_json import StationConfig
from voltbench.adapters.store import InputTaken, SiteDeleted, SnapshotTaken, Store, Write
from voltbench.apps.sites import audience
from voltbench.apps.sites.audience import Audience, ConfigurationReplaced, FellBehind
from voltbench.apps.sites.herald import Herald
from voltbench.apps.sites.keeping import SetAside, hosted_plan, kept_site, saved
from voltbench.apps.sites.records import record_of, view_of
from voltbench.clock import Clock
from voltbench.errors import Conflict, InvalidInput, NotFound, Unavailable, VoltbenchError
from voltbench.events import Fact
from voltbench.quantities import Instant
from voltbench.running.hosted import HostedPlan, HostedSite
from voltbench.running.inputs import Input, StartSession, StopSession, encoded
from voltbench.running.metering import SiteMeter, SiteReading
from voltbench.running.views import SessionView, SiteView

INPUTS_PER_SNAPSHOT = 500

RETURNS_AFTER_S = 1.0
"""A site that was put away tries so often to be there again."""

LAST_RETURN_S = 5.0
"""How long that may take at the very end."""

_log = logging.getLogger(__name__)


class StoredSite:
    """One hosted site on the store. `stirred` is set when what is due next may have changed."""

    def __init__(
        self, id: str, store: Store, clock: Clock, on_reading: Callable[[SiteReading], None] | None = None
    ) -> None:
        self.id = id
        self.clock = clock
        self.speed = 1.0
        self.audience = Audience(id)
        self.stirred = asyncio.Event()
        self._store = store
        self._on_reading = on_reading
        self._herald = Herald(self.audience, lambda: self._durable(self._losses))
        self._site: HostedSite | None = None
        self._config: StationConfig | None = None
        self._meter: SiteMeter | None = None
        self._sequence = self._snapshot = 0
        self._losses = 0
        self._aside: SetAside | None = None
        self._disowned: set[str] = set()  # sessions whose start was answered with a failure
        self._is_gone = False
        self._rebuilding = asyncio.Lock()
        self._returning: asyncio.Task[None] | None = None

    # --- beginning and end -----------------------------------------------------------------------------------------

    async def create(self, config: StationConfig) -> None:
        """Begin to exist. Raises InvalidInput, or Unavailable when that cannot be kept."""
        now = self.clock.now()
        site = HostedSite(hosted_plan(config), now)
        await self._store.put(saved(self.id, config, now), SnapshotTaken(self.id, 0, now, site.snapshot()))
        self._attach(site)
        self._site, self._config = site, config

    async def replace(self, config: StationConfig) -> None:
        """Be built anew; every session ends. What others have limited stays limited, where it is still there."""
        plan = hosted_plan(config)
        async with self._rebuilding:
            if self._aside is not None and not self._is_gone:
                await self._begin_anew(config, plan, self._aside.sequence)
                return
        site, now = await self._present()
        limits = [limit for limit in site.limits if plan.can_take(limit)]
        for limit in site.limits:
            if limit not in limits:
                _log.warning("site %r: no place in the new configuration for the limit %s", self.id, limit)
        HostedSite(plan, now, limits)  # what cannot be built ends nobody's session
        ended = site.end(now, "configuration replaced")
        new = HostedSite(plan, now, limits, site.recent)
        self._attach(new)
        self._site, self._config = new, config
        self._herald.hear(ConfigurationReplaced(now))
        records = [record_of(self.id, session) for session in ended]
        snapshot = SnapshotTaken(self.id, self._sequence, now, new.snapshot())
        await asyncio.shield(self._put(saved(self.id, config, now), *records, snapshot))

    async def delete(self) -> None:
        """Be gone, with all history."""
        if self._is_gone:
            raise NotFound("site", self.id)
        if self._aside is None:
            await self._present()
        self._is_gone = True
        try:
            await asyncio.shield(self._put(SiteDeleted(self.id)))
        except BaseException:
            self._is_gone = False
            raise
        await self._herald.finish(audience.SiteDeleted())

    async def recall(self) -> None:
        """Be what the store has kept, and live on until now; or be set aside. Raises Unavailable."""
        try:
            await self._present()
        except SetAside:
            pass  # `_rebuilt` has logged it
        except Unavailable:
            raise
        except Exception as error:
            self._set_aside(SetAside(self.id, error, self._sequence))

    async def close(self) -> None:
        """Come to rest: a snapshot leaves the next start nothing to repeat."""
        if self._returning is not None:
            self._returning.cancel()
        if self._disowned and self._site is None:
            await self._return_at_last()
        if self._site is not None and not self._is_gone:
            try:
                await self._put_snapshot(self._site)
            except Unavailable as error:
                _log.warning("site %r: no snapshot at the end, the journal has to do: %s", self.id, error)
        await self._herald.finish()

    # --- what it is told, what there is to see ---------------------------------------------------------------------

    async def take(self, input: Input) -> SessionView | SiteView:
        """Apply an input now; return once it is durable.

        Raises InvalidInput, NotFound or Conflict, and then nothing has changed; Unavailable when it is not known to
        be kept. Then it never was, or the database kept it without our knowing: a session started so is stopped.
        """
        site, now = await self._present()
        losses = self._losses
        try:
            answer = site.take(now, input)
        except (InvalidInput, NotFound, Conflict) as refusal:
            await self._refuse(refusal, losses)
        except Exception:
            self._lose()
            raise
        self.stirred.set()
        await asyncio.shield(self._journal(now, input, answer, site))
        return answer

    async def status(self) -> SiteView:
        """The site now; nothing that is shown can be lost any more."""
        site, now = await self._present()
        view, losses = site.status(now), self._losses
        await self._durable(losses)
        return view

    async def session(self, id: str) -> SessionView:
        """A session, running or ended, or NotFound."""
        site, now = await self._present()
        losses = self._losses
        try:
            view = site.session(now, id)
        except NotFound:
            record = await self._store.session(self.id, id)
            if record is None:
                raise
            return view_of(record)
        await self._durable(losses)
        return view

    async def sessions(self, limit: int, before: tuple[Instant, str] | None) -> list[SessionView]:
        """Sessions that ended, the last one first, from a position on."""
        await self._present()
        await self._durable(self._losses)
        return [view_of(record) for record in await self._store.sessions(self.id, limit, before)]

    async def config(self) -> StationConfig:
        """The configuration."""
        await self._present()
        config, losses = self._config, self._losses
        await self._durable(losses)
        assert config is not None
        return config

    # --- living ------------------------------------------------------------------------------------------------------

    def next_wakeup(self) -> Instant | None:
        """When something is due next; never, while it waits to be rebuilt."""
        return self._site.next_wakeup() if self._site is not None else None

    def advance(self, until: Instant) -> None:
        """Run what is due. Where that fails the site is put away, for whoever asks next to hear why."""
        try:
            if self._site is not None:
                self._site.advance(until)
        except Exception:
            _log.exception("site %r cannot go on", self.id)
            self._lose()

    # --- present or put away -----------------------------------------------------------------------------------------

    async def _present(self) -> tuple[HostedSite, Instant]:
        """The site as it is now, and now: rebuilt if need be."""
        async with self._rebuilding:
            if self._is_gone:
                raise NotFound("site", self.id)
            if self._aside is not None:
                raise Unavailable(str(self._aside))
            site = self._site or await self._rebuilt()
        now = max(self.clock.now(), site.now)
        try:
            site.advance(now)
        except Exception:
            self._lose()
            raise
        return site, now

    async def _rebuilt(self) -> HostedSite:
        try:
            kept = await kept_site(self._store, self.id, self._attach_meter)
        except SetAside as error:
            self._set_aside(error)
            raise
        kept.site.on_fact = self._hear
        self._site, self._config = kept.site, kept.config
        self._sequence, self._snapshot = kept.sequence, kept.snapshot
        self.stirred.set()
        self._stop_disowned(kept.site)
        return kept.site

    def _stop_disowned(self, site: HostedSite) -> None:
        """Stop the sessions that were kept although whoever started them was told that nobody knows."""
        now = max(self.clock.now(), site.now)
        self._disowned &= set(site.operation.bays)
        for id in sorted(self._disowned):
            stop = StopSession(id)
            self._journal(now, stop, site.take(now, stop), site)

    def _set_aside(self, error: SetAside) -> None:
        _log.error("%s", error, exc_info=error)
        self._aside, self._site = error, None

    async def _begin_anew(self, config: StationConfig, plan: HostedPlan, sequence: int) -> None:
        """Leave behind what cannot be lived on from, except for the history."""
        now = self.clock.now()
        new = HostedSite(plan, now)
        await asyncio.shield(
            self._put(saved(self.id, config, now), SnapshotTaken(self.id, sequence, now, new.snapshot()))
        )
        self._attach(new)
        self._site, self._config, self._aside = new, config, None
        self._sequence = self._snapshot = sequence
        self.stirred.set()

    def _attach(self, site: HostedSite) -> None:
        self._attach_meter(site)
        site.on_fact = self._hear

    def _attach_meter(self, site: HostedSite) -> None:
        if self._on_reading is not None:
            self._meter = SiteMeter(site.operation, self._on_reading)
            site.on_fact = self._measure

    def _lose(self) -> None:
        """What is in memory may not be what is kept: put it away."""
        self._losses += 1
        self._site = None
        self._herald.forget()
        self.audience.dismiss(FellBehind())
        if self._returning is None or self._returning.done():
            self._returning = asyncio.create_task(self._return(), name=f"return of site {self.id}")

    async def _return(self) -> None:
        """Be there again although nobody asks: there may be sessions to stop, and life goes on."""
        while self._site is None and self._aside is None and not self._is_gone:
            await asyncio.sleep(RETURNS_AFTER_S)
            try:
                await self._present()
            except Unavailable:
                continue
            except Exception:
                _log.exception("site %r cannot go on; whoever asks for it hears why", self.id)
                return

    async def _return_at_last(self) -> None:
        try:
            async with asyncio.timeout(LAST_RETURN_S):
                await self._present()
        except (TimeoutError, VoltbenchError) as error:
            in_doubt = ", ".join(sorted(self._disowned))
            _log.warning("site %r: nobody knows whether these sessions were kept: %s (%s)", self.id, in_doubt, error)

    def _hear(self, fact: Fact) -> None:
        self._herald.hear(fact)
        self._measure(fact)

    def _measure(self, fact: Fact) -> None:
        if self._meter is not None:
            self._meter.touch(fact.at)

    # --- keeping -----------------------------------------------------------------------------------------------------

    def _journal(
        self, now: Instant, input: Input, answer: SessionView | SiteView, site: HostedSite
    ) -> asyncio.Future[None]:
        self._sequence += 1
        writes: list[Write] = [InputTaken(self.id, self._sequence, now, encoded(input))]
        if isinstance(answer, SessionView) and answer.ended_at is not None:
            writes.append(record_of(self.id, answer))
        kept = self._put(*writes)
        if isinstance(input, StartSession):
            kept.add_done_callback(lambda kept: self._note_failure(kept, input.session))
        if self._sequence - self._snapshot >= INPUTS_PER_SNAPSHOT:
            self._put_snapshot(site)
        return kept

    def _note_failure(self, kept: asyncio.Future[None], session_id: str) -> None:
        if kept.cancelled() or kept.exception() is not None:
            self._disowned.add(session_id)

    def _put(self, *writes: Write) -> asyncio.Future[None]:
        losses = self._losses
        try:
            kept = self._store.put(*writes)
        except Unavailable:
            self._lose()
            raise

        def look(kept: asyncio.Future[None]) -> None:
            if (kept.cancelled() or kept.exception() is not None) and self._losses == losses:
                self._lose()

        kept.add_done_callback(look)
        return kept

    def _put_snapshot(self, site: HostedSite) -> asyncio.Future[None]:
        """A snapshot that is not kept is no loss: the journal has everything."""
        self._snapshot = self._sequence
        kept = self._store.put(SnapshotTaken(self.id, self._sequence, site.now, site.snapshot()))
        kept.add_done_callback(lambda kept: kept.cancelled() or kept.exception())
        return kept

    async def _durable(self, losses: int) -> None:
        """Return when all that was told to the site so far is durable. `losses` counts those of then."""
        try:
            await self._store.durable(self.id)
        except Unavailable:
            if self._losses == losses:
                self._lose()
            raise
        if self._losses != losses:
            raise Unavailable(f"site {self.id!r} had to be rebuilt from the store; ask again")

    async def _refuse(self, refusal: InvalidInput | NotFound | Conflict, losses: int) -> NoReturn:
        """Refuse an input; a refusal, too, tells only what is durable."""
        await self._durable(losses)
        unknown = refusal.id if isinstance(refusal, NotFound) and refusal.kind == "session" else None
        if unknown is not None and await self._store.session(self.id, unknown) is not None:
            raise Conflict("session", unknown, "has ended") from refusal
        raise refusal
