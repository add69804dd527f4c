"""The client at houses on the engine, on virtual time; the test keeps its own books."""

from __future__ import annotations

import pytest

from tests.home_clients import Day, charged, hours, soc
from voltbench.running.home.model import HomeModel
from voltbench.running.home_client.client import Ending
from voltbench.running.home_client.report import report_on
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


@pytest.mark.parametrize("model", [HomeModel(price_per_kwh=(50.0,) * 60 + (20.0,) * n) for n in (32, 36, 40)])
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
    day = charged(PLAN, model=HomeModel(load_w=(500.0,) * 24, price_per_kwh=(9.0, *(1.0,) * 5, *(9.0,) * 18)))
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
