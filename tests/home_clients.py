"""A client at a home, both on virtual time: whoever is to do something next does it, and nobody sleeps."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from voltbench.apps.api.contracts import course_models
from voltbench.quantities import DurationMs, Instant
from voltbench.running.home.course import TICK_MS, CourseHome
from voltbench.running.home.house import House
from voltbench.running.home.model import COURSE, HomeModel
from voltbench.running.home_client.client import ChargingClient
from voltbench.running.home_client.household import Household, Info
from voltbench.running.home_client.wishes import Wishes

WAITED_MS = 5_000
"""How long one waits for an answer, on the wall."""


class Line:
    """The way to a station and back: each question takes so long, on the wall, and is heard in the middle of that."""

    def __init__(self, takes_ms: Callable[[], DurationMs] = lambda: 4) -> None:
        self.takes_ms = takes_ms
        self.is_deaf = self.is_dumb = False

    def ways(self) -> tuple[float, float]:
        """How long until a question is heard, and until its answer is."""
        took = self.takes_ms()
        return inf if self.is_deaf else took // 2, inf if self.is_dumb or self.is_deaf else took


class Day:
    """A home and its client. The wall clock runs `speed` times slower than the home's."""

    def __init__(
        self,
        wishes: Wishes,
        model: HomeModel = COURSE,
        speed: float = 900.0,
        begins_at: DurationMs = 0,
        line: Line | None = None,
    ) -> None:
        self.model, self.speed = model, speed
        self.line = line or Line()
        self._under_way: list[tuple[float, bool]] = []
        self._stands_at: Instant | None = None
        self.told_load_w = model.load_w
        self.wall: Instant = 0
        self.ticks: list[tuple[float, float, float]] = []
        self.home = self._made(0)
        self._woken_at: Instant = 0
        self._live(round(begins_at / speed))
        self.client = ChargingClient(wishes)
        self.said: list[str] = []
        self.questions: list[Instant] = []

    def restart(self) -> None:
        """The server is another process now."""
        self.home = self._made(self._now)
        self._woken_at = self._now

    def reset(self) -> None:
        """Somebody resets the home."""
        self.home.reset(self._now)
        self._woken_at = self._now

    def stop_the_clock(self) -> None:
        """The home's time stands still from now on; it goes on answering."""
        self._stands_at = self._now

    def switch(self, on: bool) -> None:
        """Somebody else switches the charger."""
        self.home.switch(self._now, on)

    def replace_client(self) -> None:
        """The client ended as if killed, and another one begins."""
        self.client = ChargingClient(self.client.wishes)

    def go(self, until: Callable[[], bool] = lambda: False, days: float = 4.0) -> None:
        """Let the client charge until it is done, or so long."""
        last = self.wall + round(days * 86_400_000 / self.speed)
        while self.client.ended is None and not until():
            self.look()
            assert self.wall < last, self.said
            due = max(self.wall + 1, min(self.client.next_look(), self._off_due))
            self._live(due)

    def look(self) -> None:
        """Switch off where that is due, asked or not; one look, and what comes of it."""
        client = self.client
        if self.wall >= self._off_due:
            client.off_unseen(self.wall)
            if not self._switch(False):
                client.lost()
                return
        if client.wants_day:
            soc = course_models.percent(self._state, self.model) / 100.0
            client.meet(self.household(), course_models.kilo(self._state.energy_wh) * 1e3, soc)
        self.questions.append(asked_at := self.wall)
        info = self._asked()
        if info is not None:
            on = client.told(asked_at, self.wall, info)
            if on is not None:
                self._switch(on)
        elif self.wall >= asked_at + WAITED_MS:
            client.lost()
        self.said += client.take_news()

    def household(self) -> Household:
        """What it tells of its day."""
        return Household(self.told_load_w, self.model.told_prices)

    def _asked(self) -> Info | None:
        """What is answered in time. It is as it was when the question was heard."""
        heard_at, answered_at, until = self._question(self._off_due)
        self._live(min(heard_at, until))
        said = self.info()
        self._live(min(answered_at, until))
        return said if answered_at <= until else None

    def _switch(self, on: bool) -> bool:
        """Switch; return whether that was answered in time. It has its effect when it is heard."""
        heard_at, answered_at, until = self._question(self._off_due if on else inf)
        self._under_way.append((heard_at, on))
        self._live(min(answered_at, until))
        if answered_at <= until:
            self.client.switched(on)
        return answered_at <= until

    def _question(self, due: float) -> tuple[float, float, float]:
        """When a question is heard and answered, and until when that is waited for."""
        heard_in, answered_in = self.line.ways()
        return self.wall + heard_in, self.wall + answered_in, max(self.wall, min(due, self.wall + WAITED_MS))

    @property
    def _off_due(self) -> float:
        return inf if self.client.off_due is None else self.client.off_due

    def info(self) -> Info:
        """What `/info` says, rounded as it is there."""
        told: dict[str, Any] = course_models.info(self._state)
        load_w, energy_wh = told["base_current_load"] * 1e3, told["battery_capacity_kWh"] * 1e3
        is_on = told["ev_battery_charge_start_stopp"]
        return Info(told["sim_time_hour"], told["sim_time_min"], load_w, energy_wh, is_on)

    def shows(self, hour: int, minute: int = 0) -> Callable[[], bool]:
        """Whether its clock does."""
        return lambda: (self._state.hour, self._state.minute) == (hour, minute)

    @property
    def cost_sek(self) -> float:
        """What was charged, tick by tick, at the price of the hour that the home showed it in."""
        return sum(energy_wh / 1e3 * price for price, energy_wh, _ in self.ticks) / 100.0

    @property
    def highest_w(self) -> float:
        """The highest power of household and charger together in a tick that brought energy."""
        return max((load_w for _, energy_wh, load_w in self.ticks if energy_wh > 0.0), default=0.0)

    @property
    def portions(self) -> int:
        """Ticks that brought energy."""
        return sum(energy_wh > 0.0 for _, energy_wh, _ in self.ticks)

    @property
    def _now(self) -> Instant:
        return round(self.wall * self.speed) if self._stands_at is None else self._stands_at

    @property
    def _state(self) -> Any:
        return self.home.look(self._now)

    def _made(self, now: Instant) -> CourseHome | House:
        return CourseHome(now) if self.model.is_of_course else House(self.model, now)

    def _live(self, until: float) -> None:
        """Let the home live until then, and keep the books ourselves: tick by tick, or what is seen in between."""
        for heard_at, on in sorted(self._under_way):
            if heard_at <= until:
                self._under_way.remove((heard_at, on))
                self._keep_books(heard_at)
                self.home.switch(self._now, on)
        self._keep_books(until)

    def _keep_books(self, until: float) -> None:
        until = round(until)
        self.wall = max(self.wall, until)
        while (due := self.home.next_wakeup()) is not None and due <= self._now:
            self._keep(due)
        self._keep(self._now)

    def _keep(self, now: Instant) -> None:
        before = self.home.look(self._woken_at)
        self.home.wake(now)
        self._woken_at = now
        state = self.home.look(now)
        shown = state if isinstance(self.home, CourseHome) else before
        price = self.model.price_ore_per_kwh[shown.hour * len(self.model.price_ore_per_kwh) // 24]
        drawn_w = 7_400.0 if isinstance(self.home, CourseHome) else before.car_w
        self.ticks.append((price, state.energy_wh - before.energy_wh, shown.household_w + drawn_w))


def charged(wishes: Wishes, **day: Any) -> Day:
    """A home after a client has done its work."""
    found = Day(wishes, **day)
    found.go()
    assert not found.info().is_on
    return found


def soc(day: Day) -> float:
    """Its state of charge, in percent, as the course's home tells it."""
    return round(day.info().energy_wh / 463, 2)


def hours(clock: float) -> DurationMs:
    return round(clock * 4 * TICK_MS)
