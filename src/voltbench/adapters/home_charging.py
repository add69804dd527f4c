"""A charging client at a home station on the network: asked when it is time, patient, and switched off at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from voltbench.adapters.home_station import HomeStation
from voltbench.chance import stream
from voltbench.clock import seconds_since_boot
from voltbench.errors import RemoteProtocolError, Unavailable, VoltbenchError
from voltbench.quantities import MS_PER_SECOND, Instant
from voltbench.running.home_client.client import ChargingClient

FIRST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_OFF_S = 0.1, 5.0, 1.0
"""Between two attempts to reach a station that is gone: doubled each time, and half of it left to chance; shorter while
a charger may be on."""

PART = 0.25
"""In parts of a quarter hour of the station's: no such pause is longer, but for the first."""

ECHO_S = 0.5
"""How late an "on" may have its effect that was not answered, and twice as long as it was waited for."""

Answer = TypeVar("Answer")
_GONE = (Unavailable, RemoteProtocolError)


class HomeCharging:
    """Lets a client charge until it is done, its station is lost, or `stop` is set; then the charger is off.

    Meanwhile no question is waited for beyond the moment by which the client wants the charger off: then it is told so.
    `patience_s` is how long a station may not answer, once while charging and once at the end; `tell` hears what there
    is to say, line by line; `seconds` is the clock, the station's too. Raises what went wrong, once the charger is off
    (`left_off` says whether it is).
    """

    def __init__(
        self,
        client: ChargingClient,
        station: HomeStation,
        stop: asyncio.Event,
        tell: Callable[[str], None],
        patience_s: float = 60.0,
        seconds: Callable[[], float] = seconds_since_boot,
    ) -> None:
        self.left_off = False
        self.was_stopped = False
        self._client = client
        self._station = station
        self._stop = stop
        self._tell = tell
        self._patience_s = patience_s
        self._seconds = seconds
        self._chance = stream(self._now(), "home-charging", "back-off")
        self._lost_s: float | None = None
        self._attempt = 0
        self._unsure_until_s = 0.0

    async def live(self, reset: bool = False) -> None:
        """Charge."""
        try:
            await self._charge(reset)
        finally:
            self.was_stopped = self._stop.is_set()
            self.left_off = await self._leave_off()
            self._tell_failures()

    async def _charge(self, reset: bool) -> None:
        while not self._stop.is_set() and self._client.ended is None:
            try:
                if reset:
                    await self._in_time(self._station.reset())
                    reset = False
                await self._go_on()
            except TimeoutError:  # somebody says stop, or the charger is to be off
                continue
            except _GONE as error:
                await self._miss(error)
                continue
            self._found()
            if (words := self._client.standstill(round(self._patience_s * MS_PER_SECOND))) is not None:
                raise RemoteProtocolError(words)
            await self._pause(self._client.next_look())

    async def _go_on(self) -> None:
        """Switch off where that is due, asked or not; ask, decide, and switch where that is due."""
        client = self._client
        if client.off_due is not None and self._now() >= client.off_due:
            client.off_unseen(self._now())
            await self._switch(False)
        on = await self._in_time(self._look())
        if on is not None:
            await self._switch(on)
        self._tell_news()

    async def _look(self) -> bool | None:
        """Ask and decide; return what to switch the charger to, if anything."""
        client, station = self._client, self._station
        if client.wants_day:
            household = await station.household()
            client.meet(household, *await station.battery())
        info = await station.info()
        wanted = client.told(_ms(station.asked_s), self._now(), info)
        station.retries.tick_ms = client.tick_ms
        return wanted

    async def _switch(self, on: bool) -> None:
        await (self._switch_on() if on else self._station.switch(False))
        self._client.switched(on)

    async def _switch_on(self) -> None:
        """Switch on. Where that is not answered, it may have its effect later."""
        asked_s, is_answered = self._seconds(), False
        try:
            await self._in_time(self._station.switch(True))
            is_answered = True
        finally:
            if not is_answered:
                waited_s = self._seconds() - asked_s
                self._unsure_until_s = self._seconds() + ECHO_S + 2.0 * waited_s

    async def _in_time(self, asking: Coroutine[Any, Any, Answer]) -> Answer:
        """What the station answers. TimeoutError where somebody says stop, or an "off" is due, before that."""
        answering, stopping = asyncio.ensure_future(asking), asyncio.ensure_future(self._stop.wait())
        due = self._client.off_due
        try:
            left_s = None if due is None else max(0.0, (due - self._now()) / MS_PER_SECOND)
            await asyncio.wait((answering, stopping), timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise TimeoutError
            return answering.result()
        finally:
            answering.cancel()
            stopping.cancel()
            await asyncio.gather(answering, stopping, return_exceptions=True)

    def _tell_news(self) -> None:
        for line in self._client.take_news():
            self._tell(line)

    def _tell_failures(self) -> None:
        retries = self._station.retries
        if retries.failed and self._station.has_answered:
            self._tell(f"the station failed at {retries.failed} of {retries.asked} requests")

    # --- a station that does not answer -------------------------------------------------------------------------------

    async def _miss(self, error: VoltbenchError) -> None:
        """Wait a while before the next attempt; raise the error once patience is over."""
        self._tell_news()
        if self._lost_s is None:
            self._lost_s = self._seconds()
            self._tell(f"{error}; trying again for {self._patience_s:g} s")
            self._client.lost()
        if self._seconds() - self._lost_s >= self._patience_s:
            raise error
        await self._pause(self._next_attempt(LONGEST_PAUSE_S if self._client.off_due is None else LONGEST_PAUSE_OFF_S))

    def _found(self) -> None:
        if self._lost_s is not None:
            self._tell(f"the station answers again after {self._seconds() - self._lost_s:.1f} s")
        self._lost_s, self._attempt = None, 0

    def _next_attempt(self, longest_s: float) -> Instant:
        tick_ms = self._client.tick_ms
        if tick_ms is not None:
            longest_s = min(longest_s, max(FIRST_PAUSE_S, PART * tick_ms / MS_PER_SECOND))
        pause_s = back_off_s(self._attempt, longest_s, float(self._chance.random()))
        self._attempt += 1
        return self._now() + _ms(pause_s)

    def _now(self) -> Instant:
        return _ms(self._seconds())

    async def _pause(self, until: Instant) -> None:
        """A pause, which is over when somebody says stop, or an "off" is due."""
        due = self._client.off_due
        await self._sleep(until if due is None else min(until, due))

    async def _sleep(self, until: Instant) -> None:
        """A pause, which is over when somebody says stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, (until - self._now()) / MS_PER_SECOND)):
                await self._stop.wait()

    # --- the end ------------------------------------------------------------------------------------------------------

    async def _leave_off(self) -> bool:
        """Switch off and see that it is, for as long as it takes, up to a while; less if told to stop once more.

        Whatever went wrong may pass: there is nothing better to do. Only a station that never answered is asked once.
        """
        self._stop.clear()
        self._attempt = 0
        ends_s = self._seconds() + self._patience_s
        while True:
            try:
                if await self._is_off():
                    return True
            except VoltbenchError as error:
                if self._attempt == 0 and self._station.has_answered:
                    self._tell(f"switching off: {error}; trying again for {self._patience_s:g} s")
            if self._stop.is_set() or not self._station.has_answered or self._seconds() >= ends_s:
                return False
            await self._sleep(self._next_attempt(LONGEST_PAUSE_OFF_S))

    async def _is_off(self) -> bool:
        """Switch off; return whether the station shows it, also after a switch that it may still be busy with.

        A station may do as it is told and not say so: what it shows counts. Raises what went wrong where it is on.
        """
        failure: VoltbenchError | None = None
        try:
            await self._station.switch(False)
        except VoltbenchError as error:
            failure = error
        await self._sleep(_ms(self._unsure_until_s))
        self._unsure_until_s = 0.0
        info = await self._station.info()
        with suppress(VoltbenchError):  # its clock may show what is no time; it is off nevertheless
            self._client.parted(_ms(self._station.asked_s), self._now(), info)
        if failure is not None and info.is_on:
            raise failure
        return not info.is_on


def back_off_s(attempt: int, longest_s: float, chance: float) -> float:
    """How long to pause after an attempt in vain, the first of which is number 0; `chance` is 0 to 1."""
    return min(longest_s, FIRST_PAUSE_S * 2.0 ** min(attempt, 16)) * (0.5 + 0.5 * chance)


def _ms(seconds: float) -> Instant:
    return round(seconds * MS_PER_SECOND)
