"""A home station on the network: the course's own server, or ours. It counts in kW and kWh, we in W and Wh.

The original calls most of its JSON `text/html`, so nothing is made of a content type; and it says with status 200 what
is wrong with a request, so an `error` in an answer is an error. A figure that no home has is no answer either.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
from msgspec import Meta

from voltbench.adapters import strict
from voltbench.adapters.web_answers import OK, refusal, whole
from voltbench.clock import seconds_since_boot
from voltbench.errors import InvalidInput, NotFound, RemoteProtocolError, Unavailable, VoltbenchError
from voltbench.quantities import MS_PER_SECOND
from voltbench.running.home_client.household import DAYS, HIGHEST_SOC, Household, Info
from voltbench.running.home_client.money import SEK
from voltbench.running.home_client.retries import Retries

ANSWER_S, LONGEST_ANSWER_S = 5.0, 20.0
"""How long one answer may take at first, and at most: twice as long as the slowest one so far."""

LARGEST_ANSWER = 1 << 20
LOOKS_FOR_CAPACITY = 5
DEFAULT_HOME = "/homes/default"

logging.getLogger("httpx").setLevel(logging.WARNING)


_Found = TypeVar("_Found")
_Kw = Annotated[float, Meta(ge=-1e4, le=1e4)]
_Kwh = Annotated[float, Meta(ge=0, le=1e4)]
_Price = Annotated[float, Meta(ge=-1e6, le=1e6)]
_Percent = Annotated[float, Meta(ge=0, le=100 * HIGHEST_SOC)]


class _InfoAnswer(msgspec.Struct):
    sim_time_hour: int
    sim_time_min: int
    base_current_load: _Kw
    battery_capacity: _Kwh = msgspec.field(name="battery_capacity_kWh")
    is_on: bool = msgspec.field(name="ev_battery_charge_start_stopp")


class _HomeAnswer(msgspec.Struct):
    currency: Annotated[str, Meta(min_length=1, max_length=20)]


class HomeStation:
    """A station below a URL, such as `http://127.0.0.1:5000` or `http://127.0.0.1:8000/homes/villa`.

    What it does not answer, or not as agreed, is asked again a few times at once. Then it is Unavailable or a
    RemoteProtocolError: ask again later. NotFound and InvalidInput will not go away. `has_answered` once it has ever
    answered as agreed; `asked_s` is when the question was put that it answered last; `slowest_s` is how long the
    slowest answer took, or was waited for. Its prices are in hundredths of the `currency`: if nobody says which, of the
    one that a home of ours tells. `transport` is how it is reached, `seconds` the clock, `seed` that of the pauses.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        currency: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        seconds: Callable[[], float] = seconds_since_boot,
        seed: int | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise InvalidInput("url", "is no address of a station", found=url, allowed="such as http://127.0.0.1:5000")
        self.url = url.rstrip("/")
        self.has_answered = False
        self.asked_s = self.slowest_s = 0.0
        self.retries = Retries(round(seconds() * MS_PER_SECOND) if seed is None else seed)
        self._seconds = seconds
        self._currency = currency
        headers = {"user-agent": "voltbench"} | ({} if token is None else {"authorization": f"Bearer {token}"})
        self._client = httpx.AsyncClient(headers=headers, timeout=None, transport=transport)

    async def __aenter__(self) -> HomeStation:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def info(self) -> Info:
        """The moment."""
        told = await self._ask("GET", "/info", _as(_InfoAnswer))
        load_w, energy_wh = told.base_current_load * 1e3, told.battery_capacity * 1e3
        return Info(told.sim_time_hour, told.sim_time_min, load_w, energy_wh, told.is_on)

    async def household(self) -> Household:
        """The day's loads and prices."""
        loads = await self._ask("GET", "/baseload", _day_of(_Kw))
        prices = await self._ask("GET", "/priceperhour", _day_of(_Price))
        if self._currency is None:
            self._currency = await self._told_currency()
        return Household(tuple(round(load * 1e3, 6) for load in loads), tuple(prices), self._currency or SEK)

    async def _told_currency(self) -> str | None:
        """What a home of ours says that its money is; the course's server knows no such page, and counts in öre.

        None where that was not told now: it is but a name, and not worth another attempt before the next day.
        """
        below_homes = urlsplit(self.url).path.rpartition("/")[0].endswith("/homes")
        try:
            told = await self._ask("GET", "" if below_homes else DEFAULT_HOME, _as(_HomeAnswer))
        except Unavailable:
            return None
        except VoltbenchError:
            self.retries.answered()  # that page may be another's; the station is there
            return SEK
        return told.currency if told.currency.isprintable() else SEK

    async def battery(self) -> tuple[float, float]:
        """Energy (Wh) and state of charge (0 to 1) of the same moment; 0 where it changes too fast for that."""
        before = await self.info()
        for _ in range(LOOKS_FOR_CAPACITY):
            soc = await self._ask("GET", "/charge", _as(_Percent)) / 100.0
            after = await self.info()
            if after.energy_wh == before.energy_wh:
                return after.energy_wh, soc
            before = after
        return before.energy_wh, 0.0

    async def switch(self, on: bool) -> None:
        """Let it charge, or not."""
        word = "on" if on else "off"
        asked = {"charging": word}

        def confirmed(told: Any) -> None:
            if told != asked:
                raise RemoteProtocolError(f"the station was to switch {word} and said {strict.shown(told)}")

        await self._ask("POST", "/charge", confirmed, asked)

    async def reset(self) -> None:
        """Let everything be as at the start."""
        await self._ask("POST", "/discharge", lambda told: None, {"discharging": "on"})

    async def _ask(self, method: str, path: str, read: Callable[[Any], _Found], body: Any = None) -> _Found:
        """What is read from the answer. A question that failed is asked again, until the station seems to be gone."""
        while True:
            self.asked_s = self._seconds()
            try:
                found = read(await self._told(method, path, body))
            except (Unavailable, RemoteProtocolError):
                pause_s = self.retries.missed(self.asked_s, self._seconds())
                if pause_s is None:
                    raise
                await asyncio.sleep(pause_s)
            else:
                self.retries.answered()
                self.has_answered = True
                return found

    async def _told(self, method: str, path: str, body: Any) -> Any:
        try:
            told = json.loads(await self._answer(method, path, body), parse_constant=_no_json)
        except (ValueError, RecursionError) as error:
            raise RemoteProtocolError(f"{self.url}{path} did not answer with JSON") from error
        if isinstance(told, dict) and "error" in told:
            raise RemoteProtocolError(f"{self.url}{path} says: {strict.shown(str(told['error']))}")
        return told

    async def _answer(self, method: str, path: str, body: Any) -> bytes:
        may_take_s = max(ANSWER_S, min(LONGEST_ANSWER_S, 2.0 * self.slowest_s))
        asked_s = self._seconds()
        try:
            async with (
                asyncio.timeout(may_take_s),
                self._client.stream(method, self.url + path, json=body) as response,
            ):
                if response.status_code != OK:
                    raise self._refusal(response, path)
                return await whole(response, LARGEST_ANSWER, self.url + path)
        except RemoteProtocolError:
            self.retries.give_up()
            raise
        except TimeoutError as error:
            self.retries.give_up()
            raise Unavailable(f"{self.url} did not answer within {may_take_s:.0f} s") from error
        except httpx.HTTPError as error:
            words = str(error) or type(error).__name__
            raise Unavailable(f"{self.url} cannot be asked: {words}") from error
        except httpx.InvalidURL as error:
            raise InvalidInput("url", "is no address of a station", found=self.url) from error
        finally:
            self.slowest_s = max(self.slowest_s, self._seconds() - asked_s)

    def _refusal(self, response: httpx.Response, path: str) -> VoltbenchError:
        found = response.status_code
        odd = InvalidInput("url", "does not answer as a home station", found=found, allowed="200", source=self.url)
        return refusal(response, self.url + path, NotFound("home station", self.url), odd)


def _no_json(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _as(kind: Any) -> Callable[[Any], Any]:
    """A reader of answers of that kind."""

    def read(told: Any) -> Any:
        try:
            return msgspec.convert(told, kind)
        except (msgspec.ValidationError, OverflowError) as error:
            raise RemoteProtocolError(f"the station's answer is none of its kind: {error}") from error

    return read


def _day_of(kind: Any) -> Callable[[Any], list[float]]:
    """A reader of answers with so many values as a day may have."""

    def read(told: Any) -> list[float]:
        found: list[float] = _as(list[kind])(told)
        if len(found) not in DAYS:
            raise RemoteProtocolError(f"the station told {len(found)} values, which is no day")
        return found

    return read
