"""Where energy goes in the books when several quarter hours went by between two looks."""

from __future__ import annotations

import pytest

from tests.home_clients import hours
from voltbench.running.home_client.household import Household
from voltbench.running.home_client.ledger import Ledger
from voltbench.running.home_client.wishes import Wishes

HOUSEHOLD = Household((500.0,) * 24, tuple(float(hour) for hour in range(24)))
PORTION_WH = 1_850.0


def booked(ledger: Ledger) -> dict[int, float]:
    """What was drawn in each quarter hour."""
    return {entry.quarter: round(entry.drawn_wh, 3) for entry in ledger.entries}


# --- portions, each at once -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("portions", "is_on", "booked_portions"),
    [
        (3, True, [1, 1, 1]),
        (2, True, [0, 1, 1]),  # somebody switched it on meanwhile
        (2, False, [1, 1, 0]),  # or off
        (4, True, [2, 1, 1]),  # its power is not what we were told
        (4, False, [1, 1, 2]),
    ],
)
def test_who_is_on_now_was_on_last(portions: int, is_on: bool, booked_portions: list[int]):
    ledger = Ledger(Wishes())
    ledger.add(HOUSEHOLD, range(7, 10), portions * PORTION_WH, is_on, 0.5)
    assert booked(ledger) == {7 + i: n * PORTION_WH for i, n in enumerate(booked_portions)}


def test_a_quarter_that_is_looked_at_again_has_the_room_that_is_left():
    ledger = Ledger(Wishes())
    ledger.add(HOUSEHOLD, range(7, 8), 1_000.0, True, 0.5)
    ledger.add(HOUSEHOLD, range(7, 9), 2_000.0, False, 0.5)
    assert booked(ledger) == {7: PORTION_WH, 8: 1_150.0}


# --- as time goes by --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("was_on", "is_on", "booked_wh"),
    [
        (True, True, [340.0, 680.0, 340.0]),  # evenly
        (False, True, [0.0, 435.0, 925.0]),  # all its power up to now
        (True, False, [925.0, 435.0, 0.0]),  # and up to some time ago
    ],
)
def test_energy_is_where_the_time_was(was_on: bool, is_on: bool, booked_wh: list[float]):
    """From half past to half past of quarter 7 and 9: 1,360 Wh, of 3,700 that the charger could have given."""
    ledger = Ledger(Wishes())
    span = (hours(0.25) * 7.5, hours(0.25) * 9.5)
    ledger.add_steadily(HOUSEHOLD, span, 1_360.0, was_on, is_on, 0.5)
    assert booked(ledger) == dict(zip((7, 8, 9), booked_wh, strict=True))


def test_what_is_too_much_for_a_quarter_was_drawn_in_the_one_before():
    ledger = Ledger(Wishes())
    quarter = hours(0.25)
    ledger.add_steadily(HOUSEHOLD, (quarter * 7.0, quarter * 7.9), 1_700.0, True, True, 0.5)
    ledger.add_steadily(HOUSEHOLD, (quarter * 8.0, quarter * 8.9), 1_950.0, True, True, 0.5)
    assert booked(ledger) == {7: 1_800.0, 8: 1_850.0}


def test_while_nobody_knows_the_time_it_is_the_present_quarter():
    ledger = Ledger(Wishes())
    at = float(hours(0.25) * 7)
    ledger.add_steadily(HOUSEHOLD, (at, at), 300.0, True, True, 0.5)
    assert booked(ledger) == {7: 300.0}


# --- what it costs ----------------------------------------------------------------------------------------------------


def test_a_quarter_costs_what_its_hour_does_and_at_once_is_from_the_first_on():
    ledger = Ledger(Wishes())
    ledger.add(HOUSEHOLD, range(20, 22), 2 * PORTION_WH, True, 0.5)
    assert ledger.cost_ore == pytest.approx(2 * 1.85 * 5.0)
    assert ledger.at_once_ore(HOUSEHOLD, hours(0.75)) == pytest.approx(1.85 * (0.0 + 1.0))


def test_under_a_fuse_that_is_always_full_there_is_no_at_once():
    ledger = Ledger(Wishes(fuse_w=1_000.0))
    ledger.add(HOUSEHOLD, range(1), PORTION_WH, True, 0.5)
    assert ledger.at_once_ore(HOUSEHOLD, 0) is None
