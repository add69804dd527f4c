"""The client at a home over midnight, to a day on which the clocks are changed; the test keeps its own books."""

from __future__ import annotations

from typing import Any

import pytest

from tests.home_clients import Day, Line, hours
from voltbench.errors import RemoteProtocolError
from voltbench.quantities import MS_PER_HOUR, DurationMs, Instant
from voltbench.running.home.day import Day as Clock
from voltbench.running.home.model import HomeModel, HomeState
from voltbench.running.home_client.client import Ending
from voltbench.running.home_client.home_clock import HomeClock
from voltbench.running.home_client.household import Household
from voltbench.running.home_client.report import report_on
from voltbench.running.home_client.wishes import Mode, Wishes
from voltbench.site.calendar import QUARTER_MS

PORTION_WH = 1_850.0


class Calendar:
    """A home that goes from day to day, of so many quarter hours each; energy comes in portions, as in the course."""

    def __init__(self, lengths: list[int], begins_at: DurationMs) -> None:
        self.lengths = lengths
        self.energy_wh = 9_260.0
        self.is_on = False
        self._ticked = begins_at // QUARTER_MS

    def today(self, now: Instant) -> tuple[int, DurationMs]:
        """Which day it is, and how late on it."""
        for number, length in enumerate(self.lengths):
            if now < length * QUARTER_MS:
                return number, now
            now -= length * QUARTER_MS
        raise AssertionError("the calendar is over")

    def look(self, now: Instant) -> HomeState:
        number, elapsed_ms = self.today(now)
        hour, minute = Clock(self.lengths[number]).shown(elapsed_ms)
        car_w = 7_400.0 if self.is_on else 0.0
        soc = self.energy_wh / 46_300
        return HomeState(hour, minute, 500.0, car_w, 500.0 + car_w, self.energy_wh, soc, self.is_on, False)

    def switch(self, _now: Instant, on: bool) -> None:
        self.is_on = on

    def next_wakeup(self) -> Instant:
        return (self._ticked + 1) * QUARTER_MS

    def wake(self, now: Instant) -> None:
        while self.next_wakeup() <= now:
            self._ticked += 1
            self.energy_wh += PORTION_WH * self.is_on


class Weekend(Day):
    """A client at such a home. The 4 hours from 03:00 on are cheap: what lies before or after is dear."""

    home: Any
    dear: tuple[int, ...] = ()
    """Days without any such hours."""

    def __init__(self, wishes: Wishes, lengths: list[int], slots_an_hour: int = 4, **day: Any) -> None:
        self.lengths, self.slots_an_hour = lengths, slots_an_hour
        super().__init__(wishes, HomeModel(load_w=(500.0,) * 24), **day)

    def _made(self, now: Instant) -> Any:
        return Calendar(self.lengths, now)

    @property
    def today(self) -> int:
        return int(self.home.today(self._now)[0])

    def household(self) -> Household:
        return Household((500.0,) * 24, self.prices(self.today))

    def prices(self, number: int) -> tuple[float, ...]:
        clock, step_ms = Clock(self.lengths[number]), MS_PER_HOUR // self.slots_an_hour
        starts = range(0, clock.length_ms, step_ms)
        return tuple(self.price(number, *clock.shown(at)) for at in starts)

    def price(self, number: int, hour: int, minute: int) -> float:
        is_cheap = 3 <= hour < 7 and number not in self.dear
        return (20.0 if is_cheap else 80.0) + minute / 60 + 5 * number

    def _keep(self, now: Instant) -> None:
        before, state = self.home.energy_wh, self.home.look(now)
        self.home.wake(now)
        self._woken_at = now
        price = self.price(self.today, state.hour, state.minute if self.slots_an_hour == 4 else 0)
        self.ticks.append((price, self.home.energy_wh - before, 7_900.0))


@pytest.mark.parametrize("slots_an_hour", [4, 1])
@pytest.mark.parametrize("line_ms", [4, 180])
@pytest.mark.parametrize("changed", [92, 100])
def test_a_plan_goes_on_into_a_day_that_is_longer_or_shorter(changed: int, line_ms: int, slots_an_hour: int):
    """From 22:00 to 07:00: on the changed day, the cheap hours come an hour sooner or later than the day before."""
    wishes, line = Wishes(departure_ms=hours(7)), Line(lambda: line_ms)
    day = Weekend(wishes, [96, changed, 96], slots_an_hour, begins_at=hours(22), line=line)
    day.go()
    assert day.client.ended is Ending.REACHED
    assert day.portions == 15
    assert {hour for hour, wh, _ in day.ticks if wh} <= {25.0, 25.25, 25.5, 25.75}  # 5 dearer: the second day
    report = report_on(day.client, "http://home", "target reached", True)
    assert report is not None
    assert report.cost_ore == pytest.approx(day.cost_sek * 100, abs=0.01)
    assert report.until.startswith(("06:", "07:"))
    assert "(day 2)" in report.until


@pytest.mark.parametrize("changed", [92, 100])
def test_it_departs_when_the_clock_of_the_changed_day_shows_it(changed: int):
    wishes = Wishes(until_soc=1.0, capacity_wh=100_000.0, departure_ms=hours(3.5))
    day = Weekend(wishes, [96, changed, 96], begins_at=hours(23))
    day.go()
    assert day.client.ended is Ending.DEPARTED
    assert day.client.clock() == "03:30 (day 2)"


def test_who_departs_at_a_time_that_clocks_jump_over_departs_after_it():
    day = Weekend(Wishes(until_soc=1.0, departure_ms=hours(2.5)), [96, 92, 96], begins_at=hours(23))
    day.go()
    assert day.client.clock() == "03:00 (day 2)"


@pytest.mark.parametrize("speed", [900.0, 90_000.0])
@pytest.mark.parametrize("changed", [92, 100])
@pytest.mark.parametrize("mode", [Mode.THRESHOLD, Mode.NOW])
def test_it_goes_on_into_a_changed_day_and_out_of_it(mode: Mode, changed: int, speed: float):
    wishes = Wishes(mode, until_soc=1.0, below_ore=60.0, capacity_wh=1e6)  # more than three days of charging
    day = Weekend(wishes, [96, changed, 96, 96, 96], begins_at=hours(4), speed=speed)
    day.go(until=lambda: day.today == 3 and day.client.clock().startswith("01"))
    assert not any("planning anew" in line for line in day.said)
    assert day.client.clock().endswith("(day 4)")


def test_a_day_without_a_cheap_hour_is_waited_through():
    day = Weekend(Wishes(Mode.THRESHOLD, below_ore=60.0), [96, 92, 96, 96], begins_at=hours(5))
    day.dear = (1,)
    day.go()
    assert day.client.ended is Ending.REACHED
    assert day.today == 2


def test_a_station_that_is_lost_over_that_midnight_is_understood_again():
    day = Weekend(Wishes(departure_ms=hours(7)), [96, 92, 96], begins_at=hours(20))
    day.go(until=day.shows(23))
    day.line.is_deaf = True
    day.go(until=lambda: day.wall > hours(24 + 4) / day.speed)
    day.line.is_deaf = False
    day.go()
    assert day.client.clock() == "07:00 (day 2)"
    assert not any("planning anew" in line for line in day.said)


@pytest.mark.parametrize(("day", "shown"), [(92, (3, 15)), (100, (3, 15)), (92, (2, 15)), (100, (0, 0))])
def test_a_day_that_is_another_one_all_at_once_is_still_the_same_day(day: int, shown: tuple[int, int]):
    clock = HomeClock(Clock(96))
    clock.look(0, 4, *shown)
    before = clock.quarter
    clock.turn(Clock(day), 1_000, *shown)
    if shown == (2, 15) and day == 92:
        with pytest.raises(RemoteProtocolError, match="does not have"):
            clock.look(1_000, 1_004, *shown)
        return
    assert clock.look(1_000, 1_004, *shown) == (0, False)
    assert clock.quarter == before
    assert Clock(day).shown(clock.of_day * QUARTER_MS) == shown
