"""The client at houses on the engine, on virtual time; the test keeps its own books."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.home_clients import Day, charged, hours, soc
from voltbench.errors import RemoteProtocolError
from voltbench.running.home.model import COURSE, HomeModel
from voltbench.running.home_client.client import Ending
from voltbench.running.home_client.household import Info
from voltbench.running.home_client.report import report_on
from voltbench.running.home_client.rest import Rest
from voltbench.running.home_client.wishes import Mode, Wishes

PLAN, NOW = Wishes(), Wishes(mode=Mode.NOW)
FUSE_W = 11_000
PORTION_KWH = 1.85
STEADY = HomeModel(cap_soc=0.95)
"""A home whose energy comes as time goes by, with the course's loads and prices."""


def test_where_energy_comes_steadily_it_is_switched_when_the_time_has_come():
    day = charged(PLAN, model=STEADY)
    assert day.info().energy_wh == pytest.approx(0.8 * 46_300, abs=30)
    assert day.cost_sek == pytest.approx(13.73, rel=0.01)


@pytest.mark.parametrize("speed", [60.0, 900.0])
def test_where_energy_comes_steadily_it_is_off_before_the_hour_that_breaks_the_fuse(speed: float):
    day = charged(Wishes(mode=Mode.NOW, until_soc=0.9), model=STEADY, begins_at=hours(1), speed=speed)
    assert day.highest_w <= FUSE_W
    assert not any("more than the fuse" in note for note in day.client.notes)


@pytest.mark.parametrize("mode", [Mode.PLAN, Mode.NOW])
@pytest.mark.parametrize(("fuse_w", "peak_w"), [(None, 12_000), (9_000.0, 9_000)])
def test_the_peak_load_is_what_the_house_drew(mode: Mode, fuse_w: float | None, peak_w: int):
    """A house of 4.6 kW beside a charger of 7.4 kW, which gets what the fuse of the house leaves it."""
    model = HomeModel(fuse_w=fuse_w, cap_soc=0.95, load_w=(4_600.0,) * 24)
    day = charged(Wishes(mode, fuse_w=12_000.0), model=model)
    report = report_on(day.client, "http://home", "target reached", True)
    assert report is not None
    assert (report.peak_w, report.household_peak_w) == (peak_w, 4_600)
    assert report.cost_ore == pytest.approx(day.cost_sek * 100, rel=0.01)


@pytest.mark.parametrize("speed", [60.0, 900.0, 3_600.0])
def test_the_report_has_each_quarters_energy_at_its_price(speed: float):
    day = charged(PLAN, model=STEADY, speed=speed)
    report = report_on(day.client, "http://home", "target reached", True)
    assert report is not None
    assert report.cost_ore == pytest.approx(day.cost_sek * 100, rel=0.001)


@pytest.mark.parametrize("wishes", [PLAN, NOW])
@pytest.mark.parametrize("speed", [60.0, 900.0])
def test_no_quarter_of_the_report_has_more_than_the_charger_gives(speed: float, wishes: Wishes):
    day = charged(wishes, model=STEADY, speed=speed)
    report = report_on(day.client, "http://home", "target reached", True)
    assert report is not None
    drawn_wh = [quarter.charged_wh for quarter in report.quarters if quarter.charged_wh > 0.0]
    assert max(drawn_wh) <= 1_850 * 1.005  # energies are told to 10 Wh
    assert sum(drawn_wh) == pytest.approx(report.energy_wh, abs=1)
    assert report.peak_w == 9_600


@pytest.mark.parametrize("model", [HomeModel(price_ore_per_kwh=(50.0,) * 60 + (20.0,) * n) for n in (32, 36, 40)])
def test_days_on_which_clocks_are_changed(model: HomeModel):
    day = charged(Wishes(departure_ms=hours(23.75)), model=model)
    assert day.client.ended is Ending.REACHED


@pytest.mark.parametrize(("at_least", "ending"), [(False, Ending.REACHED), (True, Ending.DEPARTED)])
def test_who_departs_half_a_portion_short_has_what_he_wanted(at_least: bool, ending: Ending):
    wishes = Wishes(Mode.NOW, until_soc=0.685, at_least=at_least, departure_ms=hours(3))
    day = charged(wishes, model=HomeModel(load_w=(500.0,) * 24))
    assert 0 < 0.685 * 46_300 - day.info().energy_wh < 925
    assert day.client.ended is ending


def test_what_switches_cost_is_planned_for():
    """Each of them is a little late; without anything to spare the plan would end short of the target, and go on."""
    day = charged(PLAN, model=HomeModel(load_w=(500.0,) * 24, price_ore_per_kwh=(9.0, *(1.0,) * 5, *(9.0,) * 18)))
    assert day.client.switches == 2
    assert day.info().energy_wh == pytest.approx(0.8 * 46_300, abs=30)


def test_a_battery_that_gets_less_than_is_drawn():
    model = HomeModel(efficiency=0.9)
    day = charged(Wishes(efficiency=0.9), model=model)
    assert soc(day) == pytest.approx(80, abs=0.1)
    assert day.client.watch is not None
    assert day.client.watch.ledger.drawn_wh == pytest.approx(0.6 * 46_300 / 0.9, abs=60)
    assert day.client.plans <= 4


def test_another_battery_is_learned_from_what_the_home_says():
    day = charged(NOW, model=HomeModel(capacity_wh=77_000, start_soc=0.6))
    assert day.client.capacity_wh == 77_000
    assert day.info().energy_wh == pytest.approx(0.8 * 77_000, abs=60)


@pytest.mark.parametrize("load_w", [3_700.0, 9_000.0])
@pytest.mark.parametrize("wishes", [PLAN, NOW])
def test_a_household_that_draws_more_than_it_told_keeps_the_fuse_all_the_same(wishes: Wishes, load_w: float):
    day = Day(wishes, model=HomeModel(load_w=(load_w,) * 3 + (500.0,) * 21))
    day.told_load_w = (500.0,) * 24
    day.go()
    assert day.client.ended is Ending.REACHED
    assert any("more than the fuse" in note for note in day.client.notes)
    over_wh = sum(wh for _, wh, load_w in day.ticks if load_w > FUSE_W)
    assert 0.0 < over_wh <= 3 * PORTION_KWH * 1_000 / 2  # half a quarter hour in each of these hours


def test_where_loads_are_told_of_quarter_hours_the_car_waits_for_the_next_one_only():
    price = tuple(50.0 + hour for hour in range(24) for _ in range(4))
    day = Day(NOW, model=HomeModel(load_w=(500.0,) * 5 + (9_000.0,) + (500.0,) * 90, price_ore_per_kwh=price))
    day.told_load_w = (500.0,) * 96
    day.go(lambda: any("more than the fuse" in line for line in day.said))
    day.go(day.shows(1, 30))
    day.go(lambda: not day.shows(1, 30)())
    assert day.info().is_on
    assert any("the car waits until 01:30" in line for line in day.said)


def test_nobody_is_switched_on_sooner_than_in_the_middle_of_the_quarter_before():
    """How energy comes is not yet known then; where it comes steadily, no more than about that half is dear."""
    day = Day(PLAN, model=STEADY)
    day.go(lambda: day.info().is_on)
    assert 0.25 <= day.questions[-1] * day.speed / hours(0.25) % 1.0 <= 0.75


def test_a_charger_that_gives_nothing_for_three_hours_is_waited_for():
    model = HomeModel(fuse_w=11_000, load_w=(500.0,) * 2 + (10_000.0,) * 3 + (500.0,) * 19)
    day = charged(Wishes(mode=Mode.NOW, fuse_w=30_000.0), model=model)
    assert day.client.ended is Ending.REACHED


def test_a_car_that_takes_no_more_ends_it():
    day = charged(NOW, model=HomeModel(cap_soc=0.5))
    assert day.client.ended is Ending.IDLE


CAPPED = HomeModel(cap_soc=0.5, fuse_w=11_000.0)


@pytest.mark.parametrize("speed", [60.0, 900.0, 3_600.0])
def test_a_car_that_takes_no_more_is_seen_within_half_an_hour_and_said_once(speed: float):
    day = Day(Wishes(departure_ms=hours(7)), model=CAPPED, speed=speed)
    day.go(lambda: soc(day) >= 50)
    full_at = day.wall
    day.go(lambda: any("takes no more" in note for note in day.client.notes))
    assert (day.wall - full_at) * speed <= hours(0.6)
    day.go()
    assert day.client.plans <= 8
    notes = [note for note in day.client.notes if "plan:" not in note]
    assert [note[7:] for note in notes] == ["13.89 kWh are lacking: the car takes no more at 50 %"]
    assert sum("plan:" in note for note in day.client.notes) <= 2
    report = report_on(day.client, "http://home", "departure", True)
    assert report is not None
    assert report.lacking == "13.89 kWh are lacking: the car takes no more at 50 %"


def test_a_car_that_is_full_from_the_start_is_seen_too():
    day = charged(Wishes(mode=Mode.NOW, until_soc=0.9), model=HomeModel(start_soc=0.5, cap_soc=0.5))
    assert day.client.lacking() == "18.52 kWh are lacking: the car takes no more at 50 %"


def test_in_the_course_two_ticks_that_bring_nothing_are_a_car_that_takes_no_more():
    day = Day(Wishes(mode=Mode.NOW, fuse_w=30_000.0))
    day.go(lambda: day.portions == 3)
    stuck = day.info().energy_wh

    class Stuck(Day):
        def info(self) -> Info:
            return replace(super().info(), energy_wh=stuck)

    day.__class__ = Stuck
    first = day.wall
    day.go(lambda: any("takes no more" in note for note in day.client.notes))
    assert day.wall - first <= 3_500
    day.__class__ = Day
    day.go()
    assert day.client.ended is Ending.REACHED
    assert [note[7:] for note in day.client.notes][-1] == "the car charges again"


def test_a_car_that_goes_on_after_a_rest_is_planned_for_again():
    model = HomeModel(fuse_w=11_000, load_w=(500.0,) * 3 + (10_000.0,) * 3 + (500.0,) * 18)
    day = Day(Wishes(departure_ms=hours(12), fuse_w=30_000.0), model=model)
    day.told_load_w = (500.0,) * 24
    day.go()
    assert day.client.ended is Ending.REACHED
    assert [note[7:] for note in day.client.notes if "plan:" not in note][-1] == "the car charges again"


def test_a_trickle_is_no_charging():
    """At 1 % of its power, it never was at rest; and it does not rest and go on by turns."""
    rest, wh = Rest(1_850.0), 10_000.0
    said = []
    for _ in range(100):
        wh += 1.85
        rest.look(wh, True, 0, hours(0.025), True)
        said.append(rest.is_certain)
    assert said == sorted(said)
    assert rest.is_certain


# --- what was saved ---------------------------------------------------------------------------------------------------

HOMES = [
    COURSE,
    HomeModel(efficiency=0.9),
    STEADY,
    HomeModel(cap_soc=0.95, quarter_hours=True),
    HomeModel(cap_soc=0.95, price_ore_per_kwh=tuple(50.0 + 7 * quarter % 31 for quarter in range(96))),
    HomeModel(cap_soc=0.95, fuse_w=9_000.0, load_w=(4_600.0,) * 24),
]


@pytest.mark.parametrize("model", HOMES)
@pytest.mark.parametrize("begins_at", [0.0, 0.1, 5.07, 20.6])
def test_at_once_saves_nothing_against_itself(model: HomeModel, begins_at: float):
    day = charged(
        Wishes(mode=Mode.NOW, efficiency=model.efficiency, fuse_w=12_000.0), model=model, begins_at=hours(begins_at)
    )
    report = report_on(day.client, "http://home", "target reached", True)
    assert report is not None
    assert report.saved_ore == 0.0


@pytest.mark.parametrize("model", HOMES[:-1])
@pytest.mark.parametrize("begins_at", [0.0, 0.1, 21.35])
def test_a_plan_is_held_against_what_at_once_would_have_cost_there(model: HomeModel, begins_at: float):
    """A kWh, from the same moment on."""
    efficiency = model.efficiency
    at_once = charged(Wishes(mode=Mode.NOW, efficiency=efficiency), model=model, begins_at=hours(begins_at))
    planned = charged(Wishes(efficiency=efficiency), model=model, begins_at=hours(begins_at))
    report = report_on(planned.client, "http://home", "target reached", True)
    assert report is not None
    assert report.at_once_ore is not None
    assert at_once.client.watch is not None
    ledger = at_once.client.watch.ledger
    assert report.at_once_ore / report.energy_wh == pytest.approx(ledger.cost_ore / ledger.drawn_wh, rel=0.004)


def test_what_was_lacking_is_told_with_all_that_stood_in_its_way():
    day = charged(Wishes(fuse_w=8_000.0), model=HomeModel(load_w=(5_000.0,) * 24))
    report = report_on(day.client, "http://home", "departure", True)
    assert report is not None
    assert report.lacking == "27.75 kWh will be lacking at departure: the fuse from 00:15 to 00:15 (day 2)"


def test_what_is_no_moment_of_the_home_is_not_taken_for_one():
    day = Day(NOW)
    day.go(lambda: day.portions == 2)
    nonsense = Info(-3, 99, -5_000.0, 0.0, False)
    with pytest.raises(RemoteProtocolError):
        day.client.told(day.wall, day.wall, nonsense)
    day.go()
    report = report_on(day.client, "http://home", "target reached", True)
    assert report is not None
    assert report.cost_ore == pytest.approx(day.cost_sek * 100, abs=0.01)
