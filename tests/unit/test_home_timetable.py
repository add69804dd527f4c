"""Plans for one car at one home: loyal to the block that runs, true to prices, the fuse and departure."""

from __future__ import annotations

import pytest

from tests.home_clients import Day, hours
from voltbench.running.home.model import HomeModel
from voltbench.running.home_client.household import Household
from voltbench.running.home_client.planning import Planned
from voltbench.running.home_client.timetable import Timetable, lacking, reasons, timetable
from voltbench.running.home_client.wishes import Wishes

PORTION_WH = 1_850.0
QUARTER = hours(0.25)


def a_household(dear: float = 100.0, load_w: float = 500.0, **ore: float) -> Household:
    """Every hour is dear but those that are told, as `h5=50.0`."""
    prices = [ore.get(f"h{hour}", dear) for hour in range(24)]
    return Household((load_w,) * 24, tuple(prices))


def planned(household: Household, portions: float = 1.0, begins: float = 0.0, **how: object) -> Timetable:
    """A plan from an hour on until midnight."""
    wishes = Wishes()
    return timetable(household, wishes, hours(begins), hours(24), portions * PORTION_WH, **how)  # type: ignore[arg-type]


# --- loyalty ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now_ore", "later_ore", "is_on", "stays"),
    [
        (50.0, 49.6, True, True),
        (50.0, 49.4, True, False),
        (50.0, 49.6, False, False),
        (-50.0, -50.4, True, True),
        (-50.0, -50.6, True, False),
        (0.0, -0.1, True, False),
    ],
)
def test_a_charger_that_is_on_stays_on_where_that_costs_hardly_more(
    now_ore: float, later_ore: float, is_on: bool, stays: bool
):
    found = planned(a_household(h0=now_ore, h5=later_ore), is_on=is_on)
    assert (found.wants(0), found.wants(hours(5))) == (stays, not stays)


def test_it_stays_on_as_long_as_the_price_is_about_the_same():
    found = planned(a_household(h0=50.0, h1=50.2, h2=51.0, h5=49.9), portions=9, is_on=True)
    spans = "00:00 to 02:00, 05:00 to 05:15"
    assert found.words(a_household()) == spans


def test_what_a_loyal_plan_costs_is_what_is_paid():
    found = planned(a_household(h0=50.0, h5=49.6), is_on=True)
    assert found.cost_ore == pytest.approx(1.85 * 50.0)


def test_a_client_that_finds_the_charger_on_lets_it_go_on_where_that_costs_hardly_more():
    """What comes later is less than a percent cheaper, and no reason to switch to and fro."""
    model = HomeModel(price_ore_per_kwh=(50.0,) * 6 + (100.0,) * 4 + (49.8,) * 4 + (100.0,) * 10, load_w=(500.0,) * 24)
    day = Day(Wishes(until_soc=0.5), model=model, begins_at=hours(3.1))
    day.switch(True)
    day.go()
    assert {price for price, energy_wh, _ in day.ticks if energy_wh} == {50.0}
    assert day.client.switches == 1  # off at the target


# --- prices, fuse, departure ------------------------------------------------------------------------------------------


def test_the_cheapest_hours_are_taken_and_part_of_the_last():
    found = planned(a_household(h3=10.0, h7=20.0), portions=6)
    assert [found.wants(hours(3) + number * QUARTER) for number in range(4)] == [True] * 4
    assert sum(found.wants(hours(7) + number * QUARTER) for number in range(4)) == 2
    assert found.cost_ore == pytest.approx(4 * 18.5 + 2 * 37.0)


def test_nothing_is_planned_where_the_fuse_is_full_or_time_is_blocked():
    household = Household((4_000.0,) * 12 + (500.0,) * 12, (10.0,) * 12 + (90.0,) * 12)
    found = planned(household, portions=4, blocked=range(hours(12), hours(13)))
    assert not any(found.wants(number * QUARTER) for number in range(13 * 4))
    assert found.schedule.shortfall_wh == pytest.approx(0.0)


def test_what_is_lacking_is_told_with_its_hours():
    household = Household((4_000.0,) * 12 + (500.0,) * 12, (10.0,) * 24)
    found = planned(household, portions=60)
    assert lacking(found) == "22.20 kWh will be lacking at departure"
    assert lacking(found, spare_wh=2_000.0) == "20.20 kWh will be lacking at departure"
    assert reasons(household, found) == "the fuse from 00:00 to 12:00, no more time from 12:00 to 00:00 (day 2)"
    assert lacking(planned(household, portions=4)) is None


def test_the_drawn_energy_of_a_plan_grows_while_it_is_on_only():
    found = planned(a_household(h3=10.0), portions=4)
    drawn_wh = [found.drawn_wh(hours(clock)) for clock in (2.0, 3.0, 3.25, 4.0, 20.0)]
    assert drawn_wh == pytest.approx([0.0, 0.0, PORTION_WH, 4 * PORTION_WH, 4 * PORTION_WH])
    assert (found.next_change(0), found.next_change(hours(3)), found.next_change(hours(4))) == (
        hours(3),
        hours(4),
        None,
    )


# --- what stands ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("portions", "stands"), [(1.4, False), (1.6, True), (2.0, True), (2.4, True), (2.6, False)])
def test_a_plan_stands_while_the_battery_is_where_it_should_be(portions: float, stands: bool):
    """By one o'clock, half an hour after it began; the battery gets half of what is drawn."""
    wishes = Wishes(efficiency=0.5)
    plan = Planned(a_household(h0=10.0, h1=10.0), wishes, hours(24))
    plan.replan(hours(0.5), 5_000.0, 4 * PORTION_WH, 0.0, range(0), False)
    assert plan.stands(hours(1), 5_000.0 + portions * PORTION_WH * 0.5) is stands
