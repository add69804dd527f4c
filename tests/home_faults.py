"""The course's home behind a bad line, and its client there, on virtual time: no socket is opened and nobody sleeps.

Which request fails, and how, is drawn from a seed. The books are kept here, tick by tick.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx

from tests.home_time import VirtualLoop
from voltbench.adapters.home_charging import HomeCharging
from voltbench.adapters.home_station import HomeStation
from voltbench.apps.api.contracts import course_models
from voltbench.quantities import MS_PER_SECOND
from voltbench.running.home.course import PORTION_WH, POWER_W, CourseHome
from voltbench.running.home.model import COURSE, COURSE_LOAD_W, COURSE_PRICES
from voltbench.running.home_client.client import ChargingClient
from voltbench.running.home_client.wishes import Wishes

GARBAGE = (
    b"<html>",
    b"{",
    b"null",
    b"[]",
    b'"x"',
    b"\xff\xfe",
    b"",
    b"NaN",
    b'{"sim_time_hour":99}',
    b"1e999",
    b"9260",
)


@dataclass(frozen=True)
class Faults:
    """What part of the requests fails: is answered 500, or not at all, or with what is no answer.

    `half_heard` is the part of the unanswered switches that were heard nevertheless.
    """

    says_500: float = 0.0
    is_dropped: float = 0.0
    half_heard: float = 0.0
    is_garbage: float = 0.0


class BadLine(httpx.AsyncBaseTransport):
    """The course's home, faults and all. Its time is that of our clock, so many times faster.

    Beside the faults that are drawn, it does not hear so many of the next questions that it is `deaf_to`, and none
    while it `is_gone`.
    """

    def __init__(self, faults: Faults, seed: int, seconds: Callable[[], float], speed: float = 900.0) -> None:
        self._faults, self._chance, self._seconds, self._speed = faults, Random(seed), seconds, speed
        self.home = CourseHome(self._now)
        self.is_gone = False
        self.deaf_to: dict[str, int] = {}
        self.asked: list[str] = []
        self.hours: list[int] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(self._chance.uniform(0.001, 0.006))
        asked, faults = f"{request.method} {request.url.path}", self._faults
        self.asked.append(asked)
        self.live()
        word = request.content.decode()
        is_deaf = next((said for said, left in self.deaf_to.items() if left and said in f"{asked} {word}"), None)
        if is_deaf is not None:
            self.deaf_to[is_deaf] -= 1
        if self.is_gone or is_deaf is not None:
            raise httpx.ConnectError("refused", request=request)
        if self._chance.random() < faults.is_dropped:
            if request.method == "POST" and self._chance.random() < faults.half_heard:
                self._answer(asked, request.content)
            raise httpx.ReadError("hung up", request=request)
        if self._chance.random() < faults.says_500:
            return httpx.Response(500, content=b"<h1>err</h1>", request=request)
        told = self._answer(asked, request.content)
        if told is None:
            return httpx.Response(404, request=request)
        is_garbage = self._chance.random() < faults.is_garbage
        body = self._chance.choice(GARBAGE) if is_garbage else json.dumps(told).encode()
        return httpx.Response(200, content=body, request=request)

    def _answer(self, asked: str, body: bytes) -> Any:
        state = self.home.look(self._now)
        match asked:
            case "GET /info":
                return course_models.info(state)
            case "GET /baseload":
                return [load_w / 1e3 for load_w in COURSE_LOAD_W]
            case "GET /priceperhour":
                return [*COURSE_PRICES]
            case "GET /charge":
                return course_models.percent(state, COURSE)
            case "POST /charge":
                told = json.loads(body)
                self.home.switch(self._now, told["charging"] == "on")
                return told
        return None

    def live(self) -> None:
        """Let the ticks come that are due."""
        while (due := self.home.next_wakeup()) <= self._now:
            before_wh = self.home.look(due).energy_wh
            self.home.wake(due)
            state = self.home.look(due)
            self.hours += [state.hour] * (state.energy_wh > before_wh)

    @property
    def _now(self) -> int:
        return round(self._seconds() * MS_PER_SECOND * self._speed)

    @property
    def portions(self) -> int:
        """Ticks that brought energy."""
        return len(self.hours)

    @property
    def cost_sek(self) -> float:
        """What they cost."""
        return sum(PORTION_WH / 1e3 * COURSE_PRICES[hour] for hour in self.hours) / 100.0

    @property
    def highest_w(self) -> float:
        """The highest power of household and charger together."""
        return max((COURSE_LOAD_W[hour] + POWER_W for hour in self.hours), default=0)

    @property
    def is_on(self) -> bool:
        """Whether the charger is on."""
        return self.home.look(self._now).is_switched_on


@dataclass
class CourseDay:
    """What came of it: the line, the client, and what was said meanwhile."""

    line: BadLine
    client: ChargingClient
    said: list[str]
    left_off: bool = False


Meddling = Callable[[BadLine], Coroutine[Any, Any, None]]


def charged_over(
    faults: Faults, seed: int = 0, wishes: Wishes | None = None, speed: float = 900.0, meddle: Meddling | None = None
) -> CourseDay:
    """The home after a client has done its work, over such a line; meanwhile somebody may `meddle` with that."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_charged(faults, seed, wishes or Wishes(), speed, meddle))


async def _charged(faults: Faults, seed: int, wishes: Wishes, speed: float, meddle: Meddling | None) -> CourseDay:
    seconds = asyncio.get_running_loop().time
    day = CourseDay(BadLine(faults, seed, seconds, speed), ChargingClient(wishes), [])
    station = HomeStation("http://home", transport=day.line, seconds=seconds, seed=seed)
    meddling = None if meddle is None else asyncio.create_task(meddle(day.line))
    async with station:
        charging = HomeCharging(day.client, station, asyncio.Event(), day.said.append, seconds=seconds)
        await charging.live()
    if meddling is not None:
        meddling.cancel()
    day.left_off = charging.left_off
    day.line.live()
    return day
