"""How far a station's clock is off, by when its readings arrive."""

from __future__ import annotations

from voltbench.running.station_clock import StationClock


def hears(clock: StationClock, *readings_s: tuple[float, float]) -> float:
    """How far it is behind once readings have arrived, each at a second by our clock and of one by its own."""
    for now_s, told_s in readings_s:
        clock.hear(round(now_s * 1_000), round(told_s * 1_000))
    return clock.behind_ms / 1_000


def every_ten_seconds(since_s: int, behind_s: float, count: int = 4) -> list[tuple[float, float]]:
    return [(now_s, now_s - behind_s) for now_s in range(since_s, since_s + 10 * count, 10)]


def test_a_clock_is_right_until_its_readings_say_otherwise():
    assert hears(StationClock(), *every_ten_seconds(100, 0.3)) == 0.0


def test_a_clock_that_is_behind_shows_in_readings_that_stay_as_late():
    clock = StationClock()
    assert hears(clock, (100, 80), (110, 90)) == 0.0
    assert hears(clock, (120.2, 100)) == 20.0
    assert clock.ours(80_000) == 100_000
    assert clock.its(100_000) == 80_000


def test_a_clock_that_is_ahead_shows_at_once_and_when_it_is_set_right_soon():
    clock = StationClock()
    assert hears(clock, (100, 3_700)) == -3_600.0
    assert hears(clock, *every_ten_seconds(110, 0.0, 2)) == -3_600.0
    assert hears(clock, (130, 130)) == 0.0


def test_readings_that_waited_for_a_line_catch_up_and_say_nothing_of_the_clock():
    replayed = [(1_000 + number, 10 * number) for number in range(100)]
    assert hears(StationClock(), *replayed) == 0.0


def test_a_message_of_several_readings_is_as_late_as_its_last():
    clock = StationClock()
    for now_s in range(100, 160, 10):
        hears(clock, (now_s, now_s - 30), (now_s, now_s - 20))
    assert clock.behind_ms == 20_000


def test_a_clock_may_begin_with_1970_but_not_with_the_year_1_or_9999():
    now_s = 1_790_000_000
    assert hears(StationClock(), *every_ten_seconds(now_s, now_s)) == now_s
    for year_s in (-62_135_596_800, 253_402_300_000):
        assert hears(StationClock(), *every_ten_seconds(now_s, now_s - year_s)) == 0.0


def test_a_change_that_is_none_to_speak_of_is_none():
    clock = StationClock()
    assert [clock.hear(now, told) for now, told in ((100_000, 103_600), (110_000, 114_200), (120_000, 123_600))] == [
        -3_600,
        0,
        0,
    ]
    assert clock.behind_ms == -4_200
