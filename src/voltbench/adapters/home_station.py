"""A home station on the network: the course's own server, or ours. It counts in kW and kWh, we in W and Wh.

The original calls most of its JSON `text/html`, so nothing is made of a content type; and it says with status 200 what
is wrong with a request, so an `error` in an answer is an error.
"""

from __future__ import annotations

import asyncio
import json
import logging
from math import isfinite
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from voltbench.adapters import strict
from voltbench.clock import seconds_since_boot
from voltbench.errors import InvalidInput, NotFound, RemoteProtocolError, Unavailable
from voltbench.running.home_client.household import Household, Info

ANSWER_S, LONGEST_ANSWER_S = 5.0, 20.0
"""How long one answer may take at first, and at most: twice as long as the slowest one so far."""

LARGEST_ANSWER = 1 << 20
RETRIED = (408, 425, 429)
REFUSED = (401, 403)
LOOKS_FOR_CAPACITY = 5

logging.getLogger("httpx").setLevel(logging.WARNING)


class _InfoAnswer(msgspec.Struct):
    sim_time_hour: int
    sim_time_min: int
    base_current_load: float
    battery_capacity: float = msgspec.field(name="battery_capacity_kWh")
    is_on: bool = msgspec.field(name="ev_battery_charge_start_stopp")


class HomeStation:
    """A station below a URL, such as `http://127.0.0.1:5000` or `http://127.0.0.1:8000/homes/villa`.

    What it does not answer now, or not as agreed, is Unavailable or a RemoteProtocolError: ask again later. NotFound
    and InvalidInput will not go away. `has_answered` once it has ever answered as agreed; `slowest_s` is how long the
    slowest answer took, or was waited for.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise InvalidInput("url", "is no address of a station", found=url, allowed="such as http://127.0.0.1:5000")
        self.url = url.rstrip("/")
        self.has_answered = False
        self.slowest_s = 0.0
        headers = {"user-agent": "voltbench"} | ({} if token is None else {"authorization": f"Bearer {token}"})
        self._client = httpx.AsyncClient(headers=headers, timeout=None)

    async def __aenter__(self) -> HomeStation:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def info(self) -> Info:
        """The moment."""
        told = _as(await self._ask("GET", "/info"), _InfoAnswer)
        load_w, energy_wh = told.base_current_load * 1e3, told.battery_capacity * 1e3
        if not (isfinite(load_w) and isfinite(energy_wh)):
            raise RemoteProtocolError("the station told a load or an energy that is no number")
        return Info(told.sim_time_hour, told.sim_time_min, load_w, energy_wh, told.is_on)

    async def household(self) -> Household:
        """The day's loads and prices."""
        loads = _as(await self._ask("GET", "/baseload"), list[float])
        prices = _as(await self._ask("GET", "/priceperhour"), list[float])
        return Household(tuple(round(load * 1e3, 6) for load in loads), tuple(prices))

    async def battery(self) -> tuple[float, float]:
        """Energy (Wh) and state of charge (0 to 1) of the same moment; 0 where it changes too fast for that."""
        before = await self.info()
        for _ in range(LOOKS_FOR_CAPACITY):
            soc = _as(await self._ask("GET", "/charge"), float) / 100.0
            after = await self.info()
            if after.energy_wh == before.energy_wh:
                return after.energy_wh, soc
            before = after
        return before.energy_wh, 0.0

    async def switch(self, on: bool) -> None:
        """Let it charge, or not."""
        word = "on" if on else "off"
        told = await self._ask("POST", "/charge", {"charging": word})
        if told != {"charging": word}:
            raise RemoteProtocolError(f"the station was to switch {word} and said {strict.shown(told)}")

    async def reset(self) -> None:
        """Let everything be as at the start."""
        await self._ask("POST", "/discharge", {"discharging": "on"})

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        response = await self._answer(method, path, body)
        self._check(response, path)
        try:
            told = json.loads(response.content[:LARGEST_ANSWER])
        except (ValueError, RecursionError) as error:
            raise RemoteProtocolError(f"{self.url}{path} did not answer with JSON") from error
        if isinstance(told, dict) and "error" in told:
            raise RemoteProtocolError(f"{self.url}{path} says: {strict.shown(str(told['error']))}")
        self.has_answered = True
        return told

    async def _answer(self, method: str, path: str, body: Any) -> httpx.Response:
        may_take_s = max(ANSWER_S, min(LONGEST_ANSWER_S, 2.0 * self.slowest_s))
        asked_s = seconds_since_boot()
        try:
            async with asyncio.timeout(may_take_s):
                return await self._client.request(method, self.url + path, json=body)
        except TimeoutError as error:
            raise Unavailable(f"{self.url} did not answer within {may_take_s:.0f} s") from error
        except httpx.HTTPError as error:
            words = str(error) or type(error).__name__
            raise Unavailable(f"{self.url} cannot be asked: {words}") from error
        except httpx.InvalidURL as error:
            raise InvalidInput("url", "is no address of a station", found=self.url) from error
        finally:
            self.slowest_s = max(self.slowest_s, seconds_since_boot() - asked_s)

    def _check(self, response: httpx.Response, path: str) -> None:
        status = response.status_code
        if status == 200:
            return
        if status in REFUSED:
            raise InvalidInput("token", "was refused", found=status, allowed="one that is valid", source=self.url)
        if status == 404:
            raise NotFound("home station", self.url)
        if status >= 500 or status in RETRIED:
            raise Unavailable(f"{self.url}{path} answers {status}")
        raise InvalidInput("url", "does not answer as a home station", found=status, allowed="200", source=self.url)


def _as(told: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(told, kind)
    except msgspec.ValidationError as error:
        raise RemoteProtocolError(f"the station's answer is none of its kind: {error}") from error
