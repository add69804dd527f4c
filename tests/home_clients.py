"""A client at a home, both on virtual time: whoever is to do something next does it, and nobody sleeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from voltbench.apps.api.contracts import course_models
from voltbench.quantities import DurationMs, Instant
from voltbench.running.home.course import TICK_MS, CourseHome
from voltbench.running.home.house import House
from voltbench.running.home.plan import COURSE, HomePlan
from voltbench.running.home_client.client import ChargingClient
from voltbench.running.home_client.household import Household, Info
from voltbench.running.home_client.wishes import Wishes

TOOK_MS = 4
"""How long a question takes, on the wall."""


class Day:
    """A home and its client. The wall clock runs `speed` times slower than the home's."""

    def __init__(
        self, wishes: Wishes, plan: HomePlan = COURSE, speed: float = 900.0, begins_at: DurationMs = 0
    ) -> None:
        self.plan, self.speed = plan, speed
        self.told_load_w = plan.load_w
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
            due = max(self.wall + 1, self.client.next_look())
            self._live(due)

    def look(self) -> None:
        """One look, and what comes of it."""
        client = self.client
        if client.wants_day:
            soc = course_models.percent(self._state, self.plan) / 100.0
            household = Household(self.told_load_w, self.plan.told_prices)
            client.meet(household, course_models.kilo(self._state.energy_wh) * 1e3, soc)
        self.questions.append(asked_at := self.wall)
        self._live(self.wall + TOOK_MS // 2)
        info = self.info()
        self._live(self.wall + TOOK_MS // 2)
        on = client.told(asked_at, self.wall, info)
        if on is not None:
            self._live(self.wall + TOOK_MS // 2)
            self.home.switch(self._now, on)
            client.switched(on)
        self.said += client.take_news()

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
        return round(self.wall * self.speed)

    @property
    def _state(self) -> Any:
        return self.home.look(self._now)

    def _made(self, now: Instant) -> CourseHome | House:
        return CourseHome(now) if self.plan.is_of_course else House(self.plan, now)

    def _live(self, until: Instant) -> None:
        """Let the home live until then, and keep the books ourselves: tick by tick, or what is seen in between."""
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
        price = self.plan.price_per_kwh[shown.hour * len(self.plan.price_per_kwh) // 24]
        drawn_w = 7_400.0 if isinstance(self.home, CourseHome) else before.car_w
        self.ticks.append((price, state.energy_wh - before.energy_wh, shown.household_w + drawn_w))


def hours(clock: float) -> DurationMs:
    return round(clock * 4 * TICK_MS)
