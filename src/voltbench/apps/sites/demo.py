"""The demonstration: a built-in scenario that lives by itself, at any speed, day after day. Nothing of it is stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NoReturn

from voltbench.adapters.catalog import Catalog
from voltbench.adapters.scenario_files import built_in, toml_file
from voltbench.adapters.scenario_files.changes import Changes
from voltbench.adapters.station_json import StationConfig
from voltbench.adapters.toml_text import parse_toml
from voltbench.apps.sites.audience import Audience
from voltbench.clock import ScaledClock
from voltbench.errors import Conflict, InvalidInput, NotFound
from voltbench.events import Fact, SessionStarted
from voltbench.quantities import MS_PER_HOUR, Instant, utc
from voltbench.running.endless import RECENT_VISITS, EndlessSite
from voltbench.running.inputs import Input
from voltbench.running.look import boosted_share, connector_id, look, session_view
from voltbench.running.metering import SiteMeter, SiteReading
from voltbench.running.scenario import Scenario
from voltbench.running.views import ENDED, SessionView, SiteView
from voltbench.running.visits import VisitRecord

SCENARIO = "fast-charging-hub"
OPENS_H = 16
"""The hour of the first day at which the demonstration is opened to the eye: a busy one."""

LIVES_BY_ITSELF = "is a demonstration and lives by itself; use another site for sessions of your own"

_log = logging.getLogger(__name__)


class DemoSite:
    """A site that lives by itself from today on. `stirred` is set when its clock has changed its speed."""

    def __init__(
        self, id: str, speed: float, today: Instant, on_reading: Callable[[SiteReading], None] | None = None
    ) -> None:
        self.id = id
        self.audience = Audience(id)
        self.stirred = asyncio.Event()
        self._site = EndlessSite(_days_from(today))
        self._meter = SiteMeter(self._site.operation, on_reading) if on_reading is not None else None
        self._grid_capacity_w = self._site.plan.tree.bounds(self._site.world.now)[0]
        self._places = {place.connector: place for place in self._site.plan.places}
        self._untold: list[Fact] = []
        self._could_take_w: dict[str, float] = {}
        self._site.on_fact = self._hear
        opens_at = self._site.world.now + OPENS_H * MS_PER_HOUR
        self.advance(opens_at)
        self.clock = ScaledClock(opens_at, speed)

    @property
    def speed(self) -> float:
        """Virtual seconds per second."""
        return self.clock.speed

    def set_speed(self, speed: float) -> None:
        """Go on at another speed."""
        if not 0.0 < speed < float("inf"):
            raise InvalidInput("speed", "is no speed", found=speed, allowed="more than 0")
        self.clock.set_speed(speed)
        self.stirred.set()

    # --- what there is to see --------------------------------------------------------------------------------------

    async def status(self) -> SiteView:
        """The site now."""
        now = self._advanced()
        return look(self.id, now, self._site.operation, self._site.plan.places, self._grid_capacity_w)

    async def session(self, id: str) -> SessionView:
        """A vehicle that is there, or was lately, or NotFound."""
        now, operation = self._advanced(), self._site.operation
        if id in operation.bays:
            bay = operation.bays[id]
            return session_view(now, operation, bay, self._places[bay.connector], boosted_share(now, operation))
        ended = next((record for record in self._site.ended() if record.id == id and record.connector), None)
        if ended is None:
            raise NotFound("session", id)
        return self._ended(ended)

    async def sessions(self, limit: int, before: tuple[Instant, str] | None) -> list[SessionView]:
        """Vehicles that have left lately, the last one first, from a position on."""
        self._advanced()
        records = sorted(self._site.ended(), key=lambda record: (record.ended_at, record.id), reverse=True)
        older = [r for r in records if r.connector and (before is None or (r.ended_at, r.id) < before)]
        return [self._ended(record) for record in older[:limit]]

    async def take(self, input: Input) -> SessionView | SiteView:
        """Conflict: nobody tells the demonstration anything."""
        self._refuse()

    async def replace(self, config: StationConfig) -> None:
        """Conflict, too."""
        self._refuse()

    async def delete(self) -> None:
        """Conflict, too."""
        self._refuse()

    async def config(self) -> StationConfig:
        """Conflict: it is built from a scenario."""
        raise Conflict("site", self.id, f"is a demonstration, built from the scenario {SCENARIO!r}")

    async def close(self) -> None:
        """Come to rest."""
        self.audience.dismiss()

    def _refuse(self) -> NoReturn:
        raise Conflict("site", self.id, LIVES_BY_ITSELF)

    # --- living ------------------------------------------------------------------------------------------------------

    def next_wakeup(self) -> Instant | None:
        """When something happens next."""
        return self._site.world.next_wakeup()

    def advance(self, until: Instant) -> None:
        """Let happen what is due, and tell of it."""
        self._site.world.advance(until)
        self.audience.tell(self._untold)
        self._untold.clear()

    def _advanced(self) -> Instant:
        """The present instant. Where its life cannot keep up with its clock, nobody who looks has to wait for it."""
        world = self._site.world
        due, now = world.next_wakeup(), self.clock.now()
        self.advance(max(world.now, now if due is None else min(now, due - 1)))
        return world.now

    def _hear(self, fact: Fact) -> None:
        self._untold.append(fact)
        if self._meter is not None:
            self._meter.touch(fact.at)
        if isinstance(fact, SessionStarted):
            self._could_take_w[fact.session] = self._site.operation.bay(fact.session).session.ceiling_w
            while len(self._could_take_w) > 2 * RECENT_VISITS:
                del self._could_take_w[next(iter(self._could_take_w))]

    def _ended(self, record: VisitRecord) -> SessionView:
        place = self._places[record.connector]
        return SessionView(
            id=record.id,
            charger=place.station,
            connector=connector_id(place),
            vehicle_max_w=self._could_take_w.get(record.id, place.connector_model.max_power_w),
            allocated_w=0.0,
            binding="vehicle",
            consumed_w=None,
            power_w=0.0,
            boosted_w=0.0,
            energy_wh=record.delivered_wh,
            started_at=record.plugged_at,
            ended_at=record.ended_at,
            status=ENDED,
            reason=str(record.ending),
        )


def _days_from(today: Instant) -> Callable[[int], Scenario]:
    """The scenario of each day, by its number from 0."""
    file, catalog = built_in()[SCENARIO], Catalog()
    written = parse_toml(file.read_bytes())
    first: datetime = written["horizon"]["start"]
    first = datetime.combine(utc(today).date(), first.timetz())

    def day(number: int) -> Scenario:
        horizon: dict[str, Any] = {"start": first + timedelta(days=number), "days": 1.0}
        return toml_file.scenario_of(written | {"horizon": horizon}, SCENARIO, file, Changes(), catalog)

    return day
