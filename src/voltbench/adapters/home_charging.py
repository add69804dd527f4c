"""A charging client at a home station on the network: asked when it is time, patient, and switched off at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from voltbench.adapters.home_station import HomeStation
from voltbench.chance import stream
from voltbench.clock import seconds_since_boot
from voltbench.errors import RemoteProtocolError, Unavailable, VoltbenchError
from voltbench.quantities import MS_PER_SECOND, Instant
from voltbench.running.home_client.client import ChargingClient

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""Between two attempts to reach a station that does not answer: doubled each time, and a part of it left to chance."""

ECHO_S = 0.5
"""How late a switch may have its effect that was never answered."""

_GONE = (Unavailable, RemoteProtocolError)


class HomeCharging:
    """Lets a client charge until it is done, its station is lost, or `stop` is set; then the charger is off.

    `patience_s` is how long a station may not answer, once while charging and once at the end; `tell` hears what there
    is to say, line by line. Raises what went wrong, once the charger is off (`left_off` says whether it is).
    """

    def __init__(
        self,
        client: ChargingClient,
        station: HomeStation,
        stop: asyncio.Event,
        tell: Callable[[str], None],
        patience_s: float = 60.0,
    ) -> None:
        self.left_off = False
        self.was_stopped = False
        self._client = client
        self._station = station
        self._stop = stop
        self._tell = tell
        self._patience_s = patience_s
        self._chance = stream(_now(), "home-charging", "back-off")
        self._lost_s: float | None = None
        self._attempt = 0
        self._is_unsure = False

    async def live(self, reset: bool = False) -> None:
        """Charge."""
        try:
            await self._charge(reset)
        finally:
            self.was_stopped = self._stop.is_set()
            self.left_off = await self._leave_off()

    async def _charge(self, reset: bool) -> None:
        while not self._stop.is_set() and self._client.ended is None:
            try:
                if reset:
                    await self._station.reset()
                    reset = False
                await self._look()
            except _GONE as error:
                await self._miss(error)
            else:
                self._found()
                await self._pause((self._client.next_look() - _now()) / MS_PER_SECOND)

    async def _look(self) -> None:
        """Ask, decide, and switch where that is due."""
        client, station = self._client, self._station
        if client.wants_day:
            household = await station.household()
            client.meet(household, *await station.battery())
        asked_at = _now()
        info = await station.info()
        on = client.told(asked_at, _now(), info)
        if on is not None:
            self._is_unsure = True
            await station.switch(on)
            self._is_unsure = False
            client.switched(on)
        self._tell_news()

    def _tell_news(self) -> None:
        for line in self._client.take_news():
            self._tell(line)

    # --- a station that does not answer -------------------------------------------------------------------------------

    async def _miss(self, error: VoltbenchError) -> None:
        """Wait a while before the next attempt; raise the error once patience is over."""
        self._tell_news()
        if self._lost_s is None:
            self._lost_s = seconds_since_boot()
            self._tell(f"{error}; trying again for {self._patience_s:g} s")
            self._client.lost()
        if seconds_since_boot() - self._lost_s >= self._patience_s:
            raise error
        await self._back_off()

    def _found(self) -> None:
        if self._lost_s is not None:
            self._tell(f"the station answers again after {seconds_since_boot() - self._lost_s:.1f} s")
        self._lost_s, self._attempt = None, 0

    async def _back_off(self) -> None:
        longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**self._attempt)
        self._attempt = min(self._attempt + 1, 16)
        await self._pause(longest_s * (0.5 + 0.5 * float(self._chance.random())))

    async def _pause(self, seconds: float) -> None:
        """A pause, which is over when somebody says stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stop.wait()

    # --- the end ------------------------------------------------------------------------------------------------------

    async def _leave_off(self) -> bool:
        """Switch off and see that it is, for as long as it takes, up to a while; less if told to stop once more.

        Whatever went wrong may pass: there is nothing better to do. Only a station that never answered is asked once.
        """
        self._stop.clear()
        self._attempt = 0
        ends_s = seconds_since_boot() + self._patience_s
        while True:
            try:
                if await self._is_off():
                    return True
            except VoltbenchError as error:
                if self._attempt == 0 and self._station.has_answered:
                    self._tell(f"switching off: {error}; trying again for {self._patience_s:g} s")
            if self._stop.is_set() or not self._station.has_answered or seconds_since_boot() >= ends_s:
                return False
            await self._back_off()

    async def _is_off(self) -> bool:
        """Switch off; return whether the station shows it, also after a switch that it may still be busy with."""
        await self._station.switch(False)
        if self._is_unsure:
            await self._pause(ECHO_S)
            self._is_unsure = False
        asked_at = _now()
        info = await self._station.info()
        with suppress(VoltbenchError):  # its clock may show what is no time; it is off nevertheless
            self._client.parted(asked_at, _now(), info)
        return not info.is_on


def _now() -> Instant:
    return round(seconds_since_boot() * MS_PER_SECOND)
