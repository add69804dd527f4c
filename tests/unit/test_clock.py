"""Clocks: real time, hurried, and over a sleep of the machine."""

import time

import pytest

from voltbench.clock import ScaledClock, seconds_since_boot
from voltbench.quantities import MS_PER_HOUR

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
