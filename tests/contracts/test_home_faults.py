"""A client at the course's home over a line on which many requests fail: it asks again, and the day ends well."""

from __future__ import annotations

import asyncio

import pytest

from tests.home_faults import BadLine, CourseDay, Faults, charged_over
from voltbench.running.home_client.wishes import Mode, Wishes

FUSE_W = 11_000


def ends_well(day: CourseDay) -> bool:
    assert day.line.highest_w <= FUSE_W
    assert not day.line.is_on
    assert day.left_off
    return day.line.portions == 15 and day.line.cost_sek <= 14.5


@pytest.mark.parametrize(
    "faults",
    [
        Faults(),
        Faults(says_500=0.3),
        Faults(is_dropped=0.3),
        Faults(is_dropped=0.3, half_heard=0.5),
        Faults(is_garbage=0.3),
        Faults(says_500=0.15, is_dropped=0.15, half_heard=0.5, is_garbage=0.15),
    ],
)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.campaign)])
def test_the_course_day_ends_as_it_should_though_three_of_ten_requests_fail(faults: Faults, seed: int):
    assert ends_well(charged_over(faults, seed))


@pytest.mark.parametrize("speed", [90.0, 9_000.0])
def test_slower_or_faster_hours_do_not_matter(speed: float):
    assert ends_well(charged_over(Faults(says_500=0.3), seed=4, speed=speed))


@pytest.mark.parametrize("times", [7, 12])
@pytest.mark.parametrize("word", ["off", "on", "info"])
def test_a_question_that_fails_again_and_again_is_put_again_in_time(word: str, times: int):
    async def meddle(line: BadLine) -> None:
        await asyncio.sleep(5.0)
        line.deaf_to[word] = times

    assert ends_well(charged_over(Faults(), meddle=meddle))


def test_an_on_that_failed_into_the_next_hour_is_not_put_again_unasked():
    """The station hears no "on" until shortly before 05:00, from when on the fuse would not be kept."""

    async def meddle(line: BadLine) -> None:
        line.deaf_to['"on"'] = 100_000
        await asyncio.sleep(4.97 * 4.0)
        line.deaf_to['"on"'] = 0
        line.deaf_to["GET"] = 6

    day = charged_over(Faults(), wishes=Wishes(mode=Mode.NOW), meddle=meddle)
    assert day.line.hours[0] > 5
    assert day.line.highest_w <= FUSE_W
    assert day.left_off


def test_a_station_that_is_gone_is_asked_seldom_and_found_again():
    asked_when_gone: list[str] = []

    async def meddle(line: BadLine) -> None:
        await asyncio.sleep(40.0)
        line.is_gone, before = True, len(line.asked)
        await asyncio.sleep(20.0)
        asked_when_gone.extend(line.asked[before:])
        line.is_gone = False

    day = charged_over(Faults(), meddle=meddle)
    assert ends_well(day)
    assert 10 <= len(asked_when_gone) <= 250
    assert sum("trying again" in line for line in day.said) == 1
    assert sum("answers again" in line for line in day.said) == 1


def test_a_single_failure_is_no_lost_station():
    day = charged_over(Faults(says_500=0.1), seed=5)
    assert not any("trying again" in line for line in day.said)
    assert day.line.asked.count("GET /baseload") <= 5
    assert any(line.startswith("the station failed at ") for line in day.said)
