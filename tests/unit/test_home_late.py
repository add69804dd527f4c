"""The client at homes that answer late, or not at all, or whose clock stands still: the charger is off in time."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.home_clients import Day, Line, hours, soc
from voltbench.running.home.model import COURSE, HomeModel
from voltbench.running.home_client.household import Info
from voltbench.running.home_client.pulse import Pulse
from voltbench.running.home_client.wishes import Mode, Wishes

PLAN, NOW = Wishes(), Wishes(mode=Mode.NOW)
STEADY = HomeModel(cap_soc=0.95)
PORTION = 100 * 1.85 / 46.3
TARGET = 79.94
"""The state of charge, in percent, that a client ends at whom everything is answered at once."""


def left_alone(day: Day, quarters: float) -> None:
    """Nothing is answered for so many of the home's quarter hours."""
    ends_at = day.wall + quarters * hours(0.25) / day.speed
    day.go(lambda: day.wall >= ends_at)


# --- who does not answer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [COURSE, STEADY])
@pytest.mark.parametrize("speed", [60.0, 900.0, 9_000.0])
@pytest.mark.parametrize(("wishes", "clock"), [(PLAN, (22, 15)), (PLAN, (23, 0)), (NOW, (1, 30))])
def test_who_falls_silent_is_switched_off_before_the_target_is_passed(
    wishes: Wishes, clock: tuple[int, int], speed: float, model: HomeModel
):
    day = Day(wishes, model=model, speed=speed)
    day.go(day.shows(*clock))
    assert day.info().is_on
    day.line.is_dumb = True
    left_alone(day, 100)
    assert not day.info().is_on
    assert TARGET - PORTION / 2 <= soc(day) <= TARGET + 1.01 * PORTION
    assert "switched off unseen" in day.client.notes[-1]


def test_the_plan_ends_in_silence_too():
    day = Day(PLAN)
    day.go(day.shows(3, 15))
    day.line.is_dumb = True
    left_alone(day, 20)
    assert (day.info().is_on, round(day.cost_sek, 2)) == (False, 8.8)  # as planned: from 02:15 to 04:00
    day.line.is_dumb = False
    day.go()
    assert (soc(day), round(day.cost_sek, 2)) == (79.94, 13.71)


def test_departure_ends_charging_in_silence_too():
    day = Day(Wishes(mode=Mode.NOW, departure_ms=hours(2)))
    day.go(day.shows(1, 15))
    day.line.is_dumb = True
    left_alone(day, 40)
    assert (day.info().is_on, day.portions) == (False, 7)  # from 00:15 to 02:00


def test_an_off_that_is_not_heard_is_said_until_it_is():
    day = Day(NOW)
    day.go(day.shows(3, 30))
    day.line.is_deaf = True
    left_alone(day, 5)
    assert day.info().is_on
    day.line.is_deaf, day.line.is_dumb = False, True
    left_alone(day, 5)
    assert not day.info().is_on


def test_an_off_that_was_not_answered_is_said_again_though_nobody_answers_any_more():
    class OffIsLost(Day):
        def _switch(self, on: bool) -> bool:
            is_first, self.line.is_dumb = not self.line.is_dumb, self.line.is_dumb or not on
            return super()._switch(on) if on or not is_first else False

    day = OffIsLost(PLAN)
    day.go(lambda: day.line.is_dumb)
    assert day.info().is_on
    left_alone(day, 3)
    assert not day.info().is_on


def test_before_the_clocks_speed_is_known_nobody_is_trusted_for_long():
    day = Day(NOW)
    day.look()
    assert (day.info().is_on, day.client.watch.clock.pulse.tick_ms) == (True, None)  # type: ignore[union-attr]
    day.line.is_dumb = True
    left_alone(day, 20)
    assert not day.info().is_on
    assert day.portions <= 1


def test_after_a_silence_it_goes_on_by_what_it_finds():
    day = Day(PLAN)
    day.go(day.shows(22, 30))
    day.line.is_deaf = True
    left_alone(day, 3)
    day.line.is_deaf = False
    day.go()
    assert (soc(day), round(day.cost_sek, 2)) == (79.94, 13.71)


def test_who_was_lost_is_asked_for_his_day_again():
    day = Day(PLAN)
    day.go(day.shows(8))
    day.line.is_deaf = True
    left_alone(day, 8)
    day.line.is_deaf = False
    day.told_load_w = (100.0,) * 24
    day.go()
    assert any("other prices or loads" in note for note in day.client.notes)


def test_a_silence_of_more_than_a_day_is_counted():
    day = Day(PLAN)
    day.go(day.shows(8))
    day.line.is_deaf = True
    left_alone(day, 102)
    day.line.is_deaf = False
    day.look()
    assert day.client.clock().endswith("(day 2)")
    assert not any("clock was set" in note for note in day.client.notes)


def test_a_silence_of_a_day_before_the_clock_was_known_teaches_nothing_wrong():
    day = Day(PLAN)
    day.go(day.shows(0, 30))
    day.line.is_deaf = True
    left_alone(day, 120)
    day.line.is_deaf = False
    day.go(day.shows(8))
    assert day.client.watch is not None
    assert day.client.watch.clock.pulse.tick_ms == pytest.approx(1_000, rel=0.05)


# --- who answers late -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [COURSE, STEADY])
@pytest.mark.parametrize("wishes", [PLAN, NOW])
@pytest.mark.parametrize(("part", "beyond"), [(0.1, 0.1), (0.3, 0.6), (0.6, 1.0), (1.0, 1.0), (2.0, 2.0), (4.0, 4.0)])
def test_who_is_slow_ends_no_further_beyond_than_an_answer_takes(
    wishes: Wishes, part: float, beyond: float, model: HomeModel
):
    """`part` is how many quarter hours of the home's an answer takes, `beyond` is counted in these as well."""
    day = Day(wishes, model=model, line=Line(lambda: round(part * 1_000)))
    day.go(days=6)
    assert not day.info().is_on
    assert TARGET - 1.01 * PORTION <= soc(day) <= TARGET + 1.01 * beyond * PORTION


@given(st.integers(0, 1_000), st.sampled_from([PLAN, NOW]))
@settings(max_examples=25)
def test_who_is_slow_now_and_then_costs_nothing(seed: int, wishes: Wishes):
    chance = Random(seed)
    day = Day(wishes, speed=60.0, line=Line(lambda: chance.randrange(4, 2_000)))
    day.go()
    assert soc(day) == 79.94
    assert round(day.cost_sek, 2) == (13.71 if wishes is PLAN else 20.04)


@given(st.integers(0, 1_000))
@settings(max_examples=50)
def test_answers_of_uneven_age_are_no_other_clock(seed: int):
    chance = Random(seed)
    day = Day(PLAN, line=Line(lambda: chance.randrange(4, 4_000)))
    day.go(days=6)
    assert not any("clock was set" in note for note in day.client.notes)
    assert soc(day) <= TARGET + 4 * PORTION


def test_the_length_of_a_tick_is_taken_from_those_that_were_seen_best():
    pulse = Pulse()
    for asked_at, number in ((0, 0), (990, 0), (1_010, 1), (9_000, 1), (121_500, 121), (121_990, 121), (122_010, 122)):
        pulse.look(asked_at, asked_at + 4, number)
    assert pulse.tick_ms == pytest.approx(1_000, rel=0.001)


# --- whose clock stands still -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen", [(0, 0), (3, 15)])
def test_a_clock_that_stands_still_is_told_after_a_while(seen: tuple[int, int]):
    day, patience_ms = Day(NOW), 60_000
    day.go(day.shows(*seen))
    day.look()
    day.stop_the_clock()
    until = day.wall + patience_ms + (0 if seen[0] else hours(0.25))
    day.go(lambda: day.wall >= until - 2_000, days=40)
    assert day.client.standstill(patience_ms) is None
    day.go(lambda: day.wall >= until + 22_000, days=40)
    words = day.client.standstill(patience_ms)
    assert words is not None
    assert f"has stood still at {seen[0]:02}:{seen[1]:02} for" in words


@pytest.mark.parametrize("model", [COURSE, STEADY])
@pytest.mark.parametrize(("wishes", "clock"), [(PLAN, (22, 15)), (NOW, (1, 30))])
def test_who_says_the_same_again_and_again_is_not_believed(wishes: Wishes, clock: tuple[int, int], model: HomeModel):
    """Somebody in between answers for the station what it said once; the car goes on charging."""

    class Repeated(Day):
        kept: Info | None = None

        def info(self) -> Info:
            return self.kept or super().info()

    day = Repeated(wishes, model=model)
    day.go(day.shows(*clock))
    day.kept = day.info()
    assert day.kept.is_on
    left_alone(day, 60)
    day.kept = None
    assert not day.info().is_on
    assert TARGET - PORTION <= soc(day) <= TARGET + 2 * PORTION


def test_a_clock_that_stands_still_switches_nothing_to_and_fro():
    day = Day(NOW)
    day.go(day.shows(1, 30))
    day.stop_the_clock()
    left_alone(day, 60)
    assert not day.info().is_on
    assert day.client.switches <= 4


def test_a_clock_that_shows_hours_only_does_not_stand_still():
    class Hours(Day):
        def info(self) -> Info:
            return replace(super().info(), minute=0)

    day = Hours(NOW)
    for hour in range(1, 5):
        day.go(day.shows(hour, 45))
        assert day.client.standstill(0) is None


def test_a_clock_in_real_time_does_not_stand_still():
    day = Day(NOW, speed=1.0)
    for until in range(0, 3 * 3_600_000, 30_000):
        day.go(lambda until=until: day.wall >= until)  # type: ignore[misc]
        assert day.client.standstill(60_000) is None
