"""Clocks: real time, hurried, and over a sleep of the machine."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltbench.clock import ScaledClock, SteadyClock, seconds_since_boot
from voltbench.quantities import MS_PER_HOUR, MS_PER_SECOND

SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def test_seconds_count_from_the_boot_whether_or_not_the_machine_was_awake():
    before = time.clock_gettime(SINCE_BOOT)
    assert before <= seconds_since_boot() <= time.clock_gettime(SINCE_BOOT)


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_a_night_in_which_the_machine_slept_has_passed(speed):
    since_boot_s = 100.0
    clock = ScaledClock(0, speed, monotonic=lambda: since_boot_s)
    assert clock.seconds_until(MS_PER_HOUR) == 3_600.0 / speed
    since_boot_s += 8 * 3_600.0
    assert clock.now() == 8 * MS_PER_HOUR * speed
    assert clock.seconds_until(MS_PER_HOUR) < 0.0


def test_at_another_speed_it_goes_on_from_where_it_is():
    since_boot_s = 0.0
    clock = ScaledClock(0, monotonic=lambda: since_boot_s)
    since_boot_s = 10.0
    clock.set_speed(60.0)
    since_boot_s = 20.0
    assert (clock.speed, clock.now()) == (60.0, 610_000)


def test_the_time_of_day_goes_at_half_pace_while_the_wall_is_behind():
    wall, since_boot_s = MS_PER_HOUR, 100.0
    clock = SteadyClock(lambda: wall, lambda: since_boot_s)
    shown = [clock.now()]
    for step_s in (0.0, -60.0, 0.0, 0.0, 0.0, 3_600.0):
        since_boot_s += 60.0
        wall += round((60.0 + step_s) * MS_PER_SECOND)
        shown.append(clock.now())
    minutes = [(instant - MS_PER_HOUR) / 60_000 for instant in shown]
    assert minutes == [0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 65.0]


@given(st.lists(st.tuples(st.floats(0.0, 100.0), st.integers(0, 200_000)), min_size=1))
def test_the_time_of_day_neither_goes_back_nor_stands_still(looks):
    wall, since_boot_s = 100_000, 0.0
    clock = SteadyClock(lambda: wall, lambda: since_boot_s)
    before = clock.now()
    for passed_s, wall in looks:  # the clock reads it
        since_boot_s += passed_s
        now = clock.now()
        assert now >= wall
        assert now >= before + int(passed_s * MS_PER_SECOND / 2) - 1
        before = now
