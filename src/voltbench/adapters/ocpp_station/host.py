"""Stations on real lines, on one clock: what each wants done is carried out, what comes is handed to it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Protocol

from voltbench.adapters.ocpp_station.line import Address, Dialler, Line, NotLetIn, NotTrusted
from voltbench.adapters.ocpp_station.memory import Change, Memory
from voltbench.adapters.ocpp_station.shelter import Sheltered
from voltbench.adapters.ocpp_station.tally import Tally
from voltbench.charging.evse import Evse
from voltbench.charging.vehicle import Vehicle
from voltbench.clock import Clock
from voltbench.engine import ARRIVALS, World
from voltbench.errors import Unavailable
from voltbench.ocpp.dialect import Side
from voltbench.ocpp.orders import Abandon, Connect, Deliver, Fetch, HangUp, Keep, Order, Send
from voltbench.ocpp.v16.station.station import Station
from voltbench.quantities import Instant
from voltbench.running.drivers import Drivers

LONGEST_SLEEP_S = 5.0
"""The event loop's own clock stands still while the machine sleeps, so that a longer sleep would end too late."""

GOODBYES_S = 3.0
"""How long lines may take to be closed in order at the end."""

SLICE_S = 0.05
"""What is due within so long happens together, each thing at its own instant: waking up costs more than a reading."""

TURN_S = 0.02
"""How long what is due may happen until the lines are read: what has come is heard before an answer is missed."""

WAKEUPS = 16
"""Between two looks at the clock."""

AGAIN_S = 1.0
"""Between two attempts to keep what a station wants kept."""

_IN_DOUBT: dict[type[Unavailable], Side] = {NotLetIn: "station", NotTrusted: "csms"}

_log = logging.getLogger(__name__)


class Carrier(Protocol):
    """Carries files to and from a URL."""

    async def carry_out(self, order: Fetch | Deliver, tls: ssl.SSLContext | None = None) -> bytes | None:
        """What a transfer brought; None where it failed. `tls` secures one over https."""

    async def close(self) -> None:
        """Give up what is under way."""


class StationHost:
    """Any number of stations that live by one clock. Without a memory nothing of them outlives the process."""

    def __init__(self, clock: Clock, dialler: Dialler, memory: Memory | None, carrier: Carrier) -> None:
        self.clock = clock
        self.world = World(clock.now())
        self.tally = Tally()
        self.dialler = dialler
        self.memory = memory
        self.carrier = carrier
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due: Instant | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._hosted: list[HostedStation] = []
        self._ears: set[_Ear] = set()
        self._nobody_listens = asyncio.Event()
        self.is_closed = False

    def now(self) -> Instant:
        """The present instant; everything due before it has happened."""
        self.world.advance(max(self.clock.now(), self.world.now))
        return self.world.now

    def at(self) -> Instant:
        """When what comes from outside happens: now, or before what is due and has not happened yet."""
        return self.world.approach(self.clock.now())

    def add(self, station: Station, address: Callable[[Station], Address]) -> HostedStation:
        """Let a station live here; `address` says where its line leads, each time it connects."""
        hosted = HostedStation(self, station, address)
        self._hosted.append(hosted)
        self.world.add(hosted)
        hosted.carry_out()
        self.plan()
        return hosted

    def let_drive(self, hosted: HostedStation, drivers: Drivers) -> None:
        """Let drivers come to a station."""
        hosted.station.on_fact = drivers.hear
        who = f"the drivers of {hosted.station.id}"
        hosted.drivers = Sheltered(who, self.world, self.tally, drivers.next_wakeup, drivers.wake)
        self.world.add(hosted.drivers, ARRIVALS)
        self.plan()

    def plan(self, soonest_s: float = SLICE_S) -> None:
        """Sleep until the next thing is due, if that is sooner than was planned."""
        due = self.world.next_wakeup()
        if self.is_closed or (self._timer_due is not None and (due is None or due >= self._timer_due)):
            return
        if self._timer is not None:
            self._timer.cancel()
        left_s = LONGEST_SLEEP_S if due is None else self.clock.seconds_until(due)
        self._timer_due = due
        self._timer = self._loop.call_later(min(max(soonest_s, left_s), LONGEST_SLEEP_S), self._wake)

    def _wake(self) -> None:
        self._timer = self._timer_due = None
        soonest_s = SLICE_S
        try:
            soonest_s = SLICE_S if self._catch_up() else 0.0
        finally:
            self.plan(soonest_s)

    def _catch_up(self) -> bool:
        """Let happen what is due, as far as the turn goes; return whether that was all."""
        until, over_s = self.clock.now(), monotonic() + TURN_S
        while not self.world.go_on(until, WAKEUPS):
            if monotonic() > over_s:
                return False
        return True

    def spawn(self, work: asyncio.Task[None]) -> None:
        """Keep hold of a task until it is done."""
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)

    def line_stands(self, ear: _Ear) -> None:
        """A line stands, and somebody listens there."""
        self._ears.add(ear)

    def line_is_gone(self, ear: _Ear) -> None:
        """A line is gone for good."""
        self._ears.discard(ear)
        if self.is_closed and not self._ears:
            self._nobody_listens.set()

    async def close(self) -> None:
        """Hang up everywhere and end what is under way: as after a kill, what is not kept by then was not said."""
        self.is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for hosted in self._hosted:
            hosted.hang_up()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYES_S if self._ears else 0.0):
                await self._nobody_listens.wait()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.carrier.close()
        if self.memory is not None:
            await self.memory.close()


class HostedStation(Sheltered):
    """A station on a line of its own. Whoever does something to it does so through `do`."""

    __slots__ = ("_address", "_backlog", "_carried", "_host", "_is_keeping", "_line", "drivers", "ear", "station")

    def __init__(self, host: StationHost, station: Station, address: Callable[[Station], Address]) -> None:
        super().__init__(station.id, host.world, host.tally, station.next_wakeup, self._live)
        self._host = host
        self._address = address
        self._line: Line | None = None
        self._backlog: list[Order] = []
        self._carried: dict[int, asyncio.Task[None]] = {}
        self._is_keeping = False
        self.station = station
        self.drivers: Sheltered | None = None
        self.ear: _Ear | None = None

    # --- time -------------------------------------------------------------------------------------------------------

    def _live(self, now: Instant) -> None:
        """Let the station do what is due."""
        try:
            self.station.wake(now)
        except Exception:
            self._pick_up(now)
            raise
        self.carry_out()
        if self.drivers is not None:
            self._host.world.reschedule(self.drivers)

    def do(self, act: Callable[[Station, Instant], object]) -> None:
        """Do something to the station now. What it raises is for whoever does it."""
        try:
            act(self.station, self._host.at())
        finally:
            self._follow()
            self._host.plan()

    def undergo(self, act: Callable[[Station, Instant], object]) -> None:
        """Something happens to the station, and nobody is there to hear what that raises."""
        now = self._host.at()
        try:
            act(self.station, now)
        except Exception:
            self.stumbled()
            self._pick_up(now)
        self._follow()
        self._host.plan()

    def _pick_up(self, now: Instant) -> None:
        """The station has stumbled: let it go on with the rest."""
        try:
            self.station.stumble(now)
        except Exception:
            self.stumbled()
        self._follow()

    def _follow(self) -> None:
        self.carry_out()
        world = self._host.world
        world.reschedule(self)
        if self.drivers is not None:
            world.reschedule(self.drivers)

    # --- its drivers ------------------------------------------------------------------------------------------------

    def evses(self) -> list[Evse]:
        """Its EVSEs."""
        return self.station.life.evses

    def plug_in(self, now: Instant, evse: int, vehicle: Vehicle, asked_wh: float) -> None:
        """Plug a car in."""
        self.station.plug_in(now, evse, vehicle, asked_wh)
        self._follow()

    def present(self, now: Instant, token: str, evse: int) -> None:
        """Show an id token."""
        self.station.present(now, token, evse)
        self._follow()

    def unplug(self, now: Instant, evse: int) -> None:
        """Pull the plug."""
        self.station.unplug(now, evse)
        self._follow()

    # --- carrying out -----------------------------------------------------------------------------------------------

    def carry_out(self) -> None:
        """Do what the station wants done; nothing is sent before what it goes by is kept."""
        orders, memory = self.station.orders(), self._host.memory
        if memory is None:
            self._do(orders)
            return
        self._backlog += orders
        if self._backlog and not self._is_keeping:
            orders, self._backlog = self._backlog, []
            changes = [(order.key, order.entry) for order in orders if isinstance(order, Keep)]
            others = [order for order in orders if not isinstance(order, Keep)]
            if changes:
                self._keep(memory, changes, others)
                return
            if any(isinstance(order, Send) for order in others):
                memory.it_is(self._host.world.now)
            self._do(others)

    def _keep(self, memory: Memory, changes: list[Change], then: Sequence[Order]) -> None:
        """Keep all changes of one moment or none, then do the rest."""
        if self._host.is_closed:
            return
        self._is_keeping = True
        memory.it_is(self._host.world.now)
        kept = memory.put(self.station.id, changes)
        kept.add_done_callback(lambda done: self._kept(memory, done, changes, then))

    def _kept(self, memory: Memory, done: asyncio.Future[None], changes: list[Change], then: Sequence[Order]) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            _log.warning("%s: cannot keep what it must: %s", self.station.id, error)
            asyncio.get_running_loop().call_later(AGAIN_S, self._keep, memory, changes, then)
            return
        self._is_keeping = False
        self._do(then)
        self.carry_out()

    def _do(self, orders: Sequence[Order]) -> None:
        for order in orders:
            if isinstance(order, Send):
                if self._line is not None:
                    self._host.tally.sent(self, order.frame)
                    self._line.send(order.frame)
            elif isinstance(order, Connect):
                self._host.spawn(asyncio.create_task(self._connect()))
            elif isinstance(order, HangUp):
                self.hang_up()
            elif isinstance(order, (Fetch, Deliver)):
                carried = self._carried[order.id] = asyncio.create_task(self._carry(order))
                self._host.spawn(carried)
            elif isinstance(order, Abandon) and order.id in self._carried:
                self._carried.pop(order.id).cancel()

    # --- the line ---------------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        ear = self.ear = _Ear(self)
        try:
            line = await self._host.dialler.connect(self._address(self.station), ear)
        except Unavailable as error:
            _log.debug("%s: %s", self.station.id, error)
            self._not_connected(ear, str(error), _IN_DOUBT.get(type(error)))
            return
        except Exception as error:
            self.stumbled()
            self._not_connected(ear, repr(error))
            return
        if self.ear is not ear:
            line.close()
            return
        self._line = line
        self._host.line_stands(ear)
        self._host.tally.connected()
        self.undergo(lambda station, now: station.connected(now))

    def _not_connected(self, ear: _Ear, why: str, in_doubt: Side | None = None) -> None:
        self._host.tally.failed_to_connect(why)
        if self.ear is ear:
            self.undergo(lambda station, now: station.disconnected(now, in_doubt))

    def hang_up(self) -> None:
        """Close the line, whatever comes of it."""
        line, self._line, self.ear = self._line, None, None
        if line is not None:
            self._host.tally.disconnected(self, on_purpose=True)
            line.close()

    def heard(self, frame: bytes) -> None:
        """A frame has come."""
        host = self._host
        host.tally.received(self, frame)
        now = host.at()
        try:
            self.station.receive(now, frame)
        except Exception:
            self.stumbled()
            self._pick_up(now)
        self._follow()
        host.plan()

    def lost(self) -> None:
        """The line is gone."""
        self._line = self.ear = None
        self._host.tally.disconnected(self)
        self.undergo(lambda station, now: station.disconnected(now))

    def line_is_gone(self, ear: _Ear) -> None:
        """A line is gone for good; that matters where it was the one that counts."""
        self._host.line_is_gone(ear)
        if self.ear is ear:
            self.lost()

    async def _carry(self, order: Fetch | Deliver) -> None:
        content = None
        try:
            content = await self._host.carrier.carry_out(order, self._address(self.station).tls)
        except Exception:
            self.stumbled()
        self._carried.pop(order.id, None)
        self.undergo(lambda station, now: station.transferred(now, order.id, content))


class _Ear:
    """The near end of one line of a station, which counts only until the next."""

    __slots__ = ("_hosted",)

    def __init__(self, hosted: HostedStation) -> None:
        self._hosted = hosted

    def on_frame(self, frame: bytes) -> None:
        if self._hosted.ear is self:
            self._hosted.heard(frame)

    def on_closed(self) -> None:
        self._hosted.line_is_gone(self)
