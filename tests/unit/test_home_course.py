"""The course's home, against its behaviour sheet: every tick, and every oddity that its clients live with."""

from __future__ import annotations

import pytest

from voltbench.running.home.course import TICK_MS, CourseHome
from voltbench.running.home.model import COURSE_LOAD_W, HomeState

HOUR = 4
DAY = 24 * HOUR

SEQUENCE = [
    24.0, 27.99, 31.99, 35.98, 39.98, 43.97, 47.97, 51.97, 55.96, 59.96, 63.95, 67.95,
    71.94, 75.94, 79.94, 83.93, 87.93, 91.92, 95.92, 99.91, 103.91, 107.9, 111.9,
]  # fmt: skip


class CourseTicks:
    """A home that is led from tick to tick. Its first tick is number 0."""

    def __init__(self) -> None:
        self.home = CourseHome(0)
        self.now = 0

    def go(self, ticks: float = 1) -> HomeState:
        """Live through so many ticks."""
        self.now += round(ticks * TICK_MS)
        self.home.wake(self.now)
        return self.look()

    def look(self) -> HomeState:
        return self.home.look(self.now)

    def switch(self, on: bool = True) -> None:
        self.home.switch(self.now, on)

    def reset(self) -> None:
        self.home.reset(self.now)


@pytest.fixture
def course() -> CourseTicks:
    return CourseTicks()


def percent(state: HomeState) -> float:
    return round(state.energy_wh / 1_000 / 46.3 * 100, 2)


def clock(state: HomeState) -> tuple[int, int]:
    return state.hour, state.minute


def test_it_begins_at_midnight_with_a_fifth_in_the_battery(course: CourseTicks):
    state = course.look()
    assert (*clock(state), state.energy_wh, state.load_w) == (0, 0, 9_260, 880)
    assert (state.is_switched_on, state.is_untouched, state.soc) == (False, True, 0.2)


def test_each_tick_brings_a_portion_until_111_9_percent(course: CourseTicks):
    course.switch()
    assert [percent(course.go()) for _ in range(25)] == [*SEQUENCE, 111.9, 111.9]


@pytest.mark.parametrize(("ticks", "energy_wh"), [(15, 37_010), (16, 38_860), (20, 46_260), (23, 51_810)])
def test_the_sheets_own_figures(course: CourseTicks, ticks: int, energy_wh: int):
    course.switch()
    assert course.go(ticks).energy_wh == energy_wh


def test_saturated_it_stays_switched_on_and_loads_the_house_no_more(course: CourseTicks):
    course.switch()
    course.go(23)
    state = course.go(DAY)
    assert (state.is_switched_on, state.energy_wh, state.load_w) == (True, 51_810, COURSE_LOAD_W[5])


def test_the_load_climbs_through_an_hour_and_falls_back_with_the_next(course: CourseTicks):
    course.go(3)
    course.switch()
    loads = [(clock(state), state.load_w) for state in (course.go() for _ in range(6))]
    hour_1 = [((1, 15 * i), 770 + 1_850 * (i + 1)) for i in range(4)]
    assert loads == [*hour_1, ((2, 0), 2_200 + 1_850), ((2, 15), 2_200 + 3_700)]


def test_all_of_the_chargers_power_is_seen_in_the_last_quarter_only(course: CourseTicks):
    course.go(3)
    course.switch()
    full = [clock(state) for state in (course.go() for _ in range(8)) if state.load_w - state.household_w == 7_400]
    assert full == [(1, 45), (2, 45)]


def test_what_was_charged_stays_in_the_hours_load_when_charging_stops(course: CourseTicks):
    course.go(3)
    course.switch()
    course.go()
    course.switch(False)
    assert [course.go().load_w for _ in range(4)] == [2_620, 2_620, 2_620, 2_200]


def test_nothing_happens_between_ticks(course: CourseTicks):
    course.switch()
    assert course.go(0.99).energy_wh == 9_260
    assert course.go(0.01).energy_wh == 11_110
    assert course.home.next_wakeup() == course.now + TICK_MS


def test_the_day_wraps(course: CourseTicks):
    assert clock(course.go(DAY - 1)) == (23, 45)
    assert clock(course.go()) == (0, 0)
    assert course.look().load_w == 880


def test_a_hundred_days_at_once_are_as_a_hundred_days(course: CourseTicks):
    course.switch()
    ticking, jumping = course, CourseTicks()
    jumping.switch()
    for _ in range(100 * DAY + 7):
        ticking.go()
    assert jumping.go(100 * DAY + 7) == ticking.look()


@pytest.mark.parametrize(("before", "rest"), [(0, 4), (1, 3), (2, 2), (3, 1), (10, 2)])
def test_a_reset_does_not_begin_an_hour(course: CourseTicks, before: int, rest: int):
    """The hour under way shows 00:00 until its next tick, then the quarter that it really is, and ends on time."""
    course.switch()
    course.go(before)
    course.reset()
    state = course.look()
    assert (clock(state), state.load_w, state.energy_wh) == ((0, 0), 880, 9_260)
    assert (state.is_switched_on, state.is_untouched) == (False, True)
    quarters = range(4 - rest + 1, 4)
    assert [clock(course.go()) for _ in range(rest)] == [*((0, 15 * quarter) for quarter in quarters), (1, 0)]


def test_after_a_reset_the_sequence_is_the_same(course: CourseTicks):
    course.switch()
    course.go(9.5)
    course.reset()
    course.switch()
    assert [percent(course.go()) for _ in range(23)] == SEQUENCE


def test_the_threshold_client_needs_two_days(course: CourseTicks):
    """Hours 22 and 23 only: eight ticks a day, 51.97 % after the first and 83.93 % after the second."""
    seen = []
    for day in range(2):
        course.go(22 * HOUR - 1 if day == 0 else 22 * HOUR)
        course.switch()
        seen.append(percent(course.go(8)))
        course.switch(False)
    assert seen == [51.97, 83.93]
