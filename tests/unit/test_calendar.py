"""Days, slots and windows in local time."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.local_time import AUTUMN, HERE, MONDAY, SPRING, STOCKHOLM, at
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR
from voltbench.site.calendar import (
    QUARTER_MS,
    WEEKEND,
    WORKING_DAYS,
    Calendar,
    Window,
    day_slots,
    day_start,
    local_days,
)


@pytest.mark.parametrize(("day", "hours"), [(MONDAY, 24), (SPRING, 23), (AUTUMN, 25)])
def test_a_day_has_as_many_slots_as_its_clocks_give_it(day, hours):
    assert len(day_slots(day, STOCKHOLM)) == hours
    assert len(day_slots(day, STOCKHOLM, QUARTER_MS)) == 4 * hours


def test_on_lord_howe_island_clocks_change_by_half_an_hour():
    slots = day_slots(date(2026, 4, 5), ZoneInfo("Australia/Lord_Howe"))
    assert len(slots) == 25
    assert slots[-1][1] - slots[-1][0] == MS_PER_HOUR // 2


def test_a_day_that_a_country_jumped_over_has_no_slots():
    assert day_slots(date(2011, 12, 30), ZoneInfo("Pacific/Apia")) == []


def test_where_clocks_jump_over_midnight_the_day_starts_with_the_jump():
    beirut, day = ZoneInfo("Asia/Beirut"), date(2026, 3, 29)
    assert Calendar(beirut).local(day_start(day, beirut)).isoformat() == "2026-03-29T01:00:00+03:00"
    assert Calendar(beirut).local(day_start(day, beirut) - 1).date() == day - timedelta(days=1)
    assert len(day_slots(day, beirut)) == 23


def test_the_days_that_a_stretch_of_time_touches():
    assert list(local_days(at("2026-06-01T23:59"), at("2026-06-03T00:00"), STOCKHOLM)) == [MONDAY, date(2026, 6, 2)]


def test_a_window_may_go_over_midnight():
    night = Window(22 * 60, 6 * 60)
    assert [night.holds(at(f"2026-06-01T{time}"), HERE) for time in ("21:59", "22:00", "00:00", "05:59", "06:00")] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_a_holiday_is_a_sunday():
    working, weekend = Window(weekdays=WORKING_DAYS), Window(weekdays=WEEKEND)
    for now, works in (("2026-12-24T12:00", True), ("2026-12-25T12:00", False), ("2026-12-26T12:00", False)):
        assert (working.holds(at(now), HERE), weekend.holds(at(now), HERE)) == (works, not works)


def test_a_season_may_go_over_new_year_and_includes_its_last_day():
    winter = Window(season=((11, 1), (3, 31)))
    days = {"2026-10-31": False, "2026-11-01": True, "2026-01-15": True, "2026-03-31": True, "2026-04-01": False}
    assert {day: winter.holds(at(f"{day}T12:00"), HERE) for day in days} == days


@pytest.mark.parametrize(
    "wrong",
    [{"from_min": -1}, {"until_min": 1441}, {"weekdays": frozenset({7})}, {"season": ((0, 1), (12, 31))}],
)
def test_a_window_outside_of_days_weeks_and_years_is_refused(wrong):
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        Window(**wrong)
