"""The sun over a site."""

from hypothesis import given
from hypothesis import strategies as st

from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR
from voltbench.site.generation import STEP_MS, clear_sky

JUNE, DECEMBER = 20_605 * MS_PER_DAY, 20_808 * MS_PER_DAY  # 2026-06-01 and 2026-12-21
PARIS, SYDNEY, SPITSBERGEN = 48.9, -33.9, 78.2


def a_day(latitude_deg, day=JUNE, peak_w=100_000.0, **more):
    return clear_sky(peak_w, latitude_deg, day, day + MS_PER_DAY, **more)


def energy_wh(series, day):
    return sum(series.at(day + i * STEP_MS) * STEP_MS / MS_PER_HOUR for i in range(96))


def test_the_sun_stands_highest_at_noon_and_not_at_all_at_midnight():
    steps = a_day(PARIS)
    assert max(power for _, power in steps.steps()) in (steps.at(JUNE + 12 * MS_PER_HOUR), steps.at(JUNE + 43_100_000))
    assert steps.at(JUNE) == 0.0


def test_noon_is_when_the_place_says():
    late = a_day(PARIS, solar_noon_h=14.0, utc_offset_ms=2 * MS_PER_HOUR)
    assert late.steps() == a_day(PARIS).steps()


def test_summer_gives_more_than_winter_and_the_south_has_it_the_other_way_round():
    assert energy_wh(a_day(PARIS), JUNE) > 3 * energy_wh(a_day(PARIS, DECEMBER), DECEMBER)
    assert energy_wh(a_day(SYDNEY), JUNE) < energy_wh(a_day(SYDNEY, DECEMBER), DECEMBER)


def test_a_clear_day_in_june_gives_about_six_hours_of_peak_power():
    assert 5.5 < energy_wh(a_day(PARIS), JUNE) / 100_000 < 7.5


def test_the_polar_night_gives_nothing_and_wakes_nobody():
    assert a_day(SPITSBERGEN, DECEMBER).steps() == [(DECEMBER, 0.0)]


@given(st.floats(-90, 90), st.integers(0, 365), st.floats(0, 1e6), st.floats(0, 1))
def test_it_is_never_negative_and_never_more_than_the_peak(latitude_deg, day, peak_w, performance):
    steps = a_day(latitude_deg, day * MS_PER_DAY, peak_w, performance=performance).steps()
    assert all(0.0 <= power <= peak_w * performance + 1e-3 for _, power in steps)
