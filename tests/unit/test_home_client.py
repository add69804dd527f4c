"""The client at the course's home, on virtual time; the test keeps its own books."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.home_clients import Day, charged, hours, soc
from voltbench.adapters.reports.charge_page import write_charge_report
from voltbench.errors import InvalidInput, RemoteProtocolError
from voltbench.running.home.model import COURSE_LOAD_W, COURSE_PRICES, HomeModel
from voltbench.running.home_client.client import Ending
from voltbench.running.home_client.household import Household
from voltbench.running.home_client.pulse import Pulse
from voltbench.running.home_client.report import report_on
from voltbench.running.home_client.wishes import Mode, Wishes

PLAN, THRESHOLD, NOW = Wishes(), Wishes(mode=Mode.THRESHOLD), Wishes(mode=Mode.NOW)
FUSE_W = 11_000
PORTION_KWH = 1.85


# --- the course's day -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [60.0, 900.0, 9_000.0, 36_000.0])
def test_the_course_day_costs_13_71_with_household_and_car_below_the_fuse(speed: float):
    day = charged(PLAN, speed=speed)
    assert (day.portions, soc(day), round(day.cost_sek, 2)) == (15, 79.94, 13.71)
    assert day.highest_w <= FUSE_W


def test_at_least_takes_a_portion_more():
    day = charged(Wishes(at_least=True))
    assert (day.portions, soc(day), round(day.cost_sek, 2)) == (16, 83.93, 14.97)
    assert day.highest_w <= FUSE_W


def test_below_50_ore_takes_two_days():
    day = charged(THRESHOLD)
    assert (day.portions, soc(day)) == (15, 79.94)
    assert {price for price, energy_wh, _ in day.ticks if energy_wh} == {32.0, 34.29}
    assert day.client.clock().endswith("(day 2)")
    after_first = [entry.soc for entry in day.client.watch.ledger.entries if entry.quarter == 96]  # type: ignore[union-attr]
    assert after_first == [pytest.approx(0.5197, abs=1e-4)]


def test_below_a_price_is_less_than_it():
    day = charged(Wishes(mode=Mode.THRESHOLD, below_ore=34.29))
    assert {price for price, energy_wh, _ in day.ticks if energy_wh} == {32.0}


@pytest.mark.parametrize(("until_soc", "portions"), [(0.57, 9), (0.59, 10)])
def test_half_a_portion_less_is_enough_and_no_less_than_that(until_soc: float, portions: int):
    """They lack 9.26 and 9.76 portions."""
    assert charged(Wishes(until_soc=until_soc)).portions == portions


def test_at_once_is_the_first_hours_that_keep_the_fuse():
    day = charged(NOW)
    assert (day.portions, round(day.cost_sek, 2)) == (15, 20.04)
    assert day.highest_w <= FUSE_W


def test_the_courses_own_rule_breaks_the_fuse_and_ours_does_not():
    own = charged(Wishes(mode=Mode.THRESHOLD, below_ore=95.0, household_only=True), begins_at=hours(5))
    ours = charged(Wishes(mode=Mode.THRESHOLD, below_ore=95.0), begins_at=hours(5))
    assert own.highest_w > FUSE_W >= ours.highest_w
    assert not any("more than the fuse" in note for note in own.client.notes)
    assert own.portions == ours.portions == 15


def test_the_courses_own_rule_leaves_out_the_hour_in_which_the_household_takes_all():
    day = charged(Wishes(mode=Mode.NOW, household_only=True), begins_at=hours(16))
    assert COURSE_PRICES[17] not in {price for price, energy_wh, _ in day.ticks if energy_wh}


@given(st.integers(0, 95), st.integers(0, 23), st.sampled_from([0.4, 0.8, 1.0]))
@settings(max_examples=25)
def test_no_cheaper_quarters_keep_fuse_and_departure(begins: int, departs: int, until_soc: float):
    day = charged(Wishes(until_soc=until_soc, departure_ms=hours(departs)), begins_at=begins * 900_000)
    first, last = begins + 1, departs * 4 if departs * 4 > begins else departs * 4 + 96
    fits = [q // 4 % 24 for q in range(first, last) if COURSE_LOAD_W[q // 4 % 24] + 7_400 <= FUSE_W]
    wanted = {0.4: 5, 0.8: 15, 1.0: 20}[until_soc]
    best = sorted(COURSE_PRICES[hour] for hour in fits)[:wanted]
    assert day.portions == len(best)
    assert day.cost_sek == pytest.approx(sum(best) * PORTION_KWH / 100)
    assert day.highest_w <= FUSE_W
    assert (day.client.ended is Ending.REACHED) == (len(best) == wanted)


# --- what it says -----------------------------------------------------------------------------------------------------


def test_the_report_adds_up():
    day = charged(PLAN)
    report = report_on(day.client, "http://home", "target reached", True)
    assert report is not None
    assert report.cost_ore == pytest.approx(day.cost_sek * 100, abs=0.01)
    assert report.at_once_ore == pytest.approx(2_003.77, abs=0.01)
    assert report.saved_ore == pytest.approx(632.94, abs=0.01)
    assert (report.energy_wh, report.soc_start, report.soc_end) == (27_750, 0.2, 0.7994)
    assert (report.peak_w, report.household_peak_w, report.shortfall_wh) == (9_600, 11_000, 0)
    assert sum(quarter.charged_wh for quarter in report.quarters) == 27_750
    assert len(report.quarters) == 4 * report.took_h + 1
    assert "13.71 SEK, 49.40 öre/kWh" in report.figures()["cost"]


def test_the_page_counts_in_the_homes_own_money(tmp_path: Path):
    report = report_on(charged(PLAN, model=HomeModel(currency="EUR")).client, "http://home", "target reached", True)
    assert report is not None
    write_charge_report(tmp_path / "report", replace(report, currency="EUR", notes=[]))
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Price, cent" in page
    assert "öre" not in page
    assert r"\u00f6re" not in page


def test_each_hour_has_a_line():
    day = charged(PLAN)
    lines = [line for line in day.said if "öre/kWh" in line]
    assert [line[:5] for line in lines] == [f"{hour:02}:00" for hour in range(24)]
    assert "SoC 51.97 %" in lines[22]
    assert lines[22].endswith("charger on")


def test_what_a_departure_leaves_no_time_for_is_told_with_its_cause():
    day = charged(Wishes(departure_ms=hours(21)), begins_at=hours(15))
    assert (day.client.ended, day.portions) == (Ending.DEPARTED, 0)
    assert any("27.75 kWh will be lacking at departure: the fuse from 15:15 to 21:00" in note for note in day.said)
    assert sum("plan: charge never" in note for note in day.said) == 1


def test_nothing_to_do_is_done_at_once():
    day = charged(Wishes(until_soc=0.2))
    assert (day.client.ended, day.client.looks, day.client.switches) == (Ending.REACHED, 1, 0)


# --- how often it asks ------------------------------------------------------------------------------------------------


def test_it_looks_about_twice_a_tick():
    day = charged(PLAN)
    assert len(day.questions) < 2.2 * 96 + 80


def test_an_undisturbed_plan_is_made_once():
    client = charged(PLAN).client
    assert (client.plans, client.switches) == (1, 4)


def test_the_clocks_speed_is_learned_from_a_few_looks():
    day = Day(PLAN, speed=450.0, begins_at=hours(3.1))
    day.go(day.shows(3, 45))
    assert day.client.watch is not None
    assert day.client.watch.clock.pulse.tick_ms == pytest.approx(2_000, rel=0.1)
    assert len(day.questions) < 70


def test_a_tick_is_foretold_between_the_looks_that_saw_it():
    pulse = Pulse()
    for number in range(5):
        pulse.look(1_000 * number + 100, 1_000 * number + 110, number)
        pulse.look(1_000 * number + 990, 1_000 * number + 995, number)
    assert pulse.tick_ms == pytest.approx(1_000)
    due = pulse.due_at(5)
    assert due is not None
    assert 4_990 <= due <= 5_110


# --- what others do ---------------------------------------------------------------------------------------------------


def test_a_reset_in_the_middle_of_an_hour_is_the_beginning_of_another_day():
    day = Day(PLAN)
    day.go(day.shows(22, 30))
    day.reset()
    spent = len(day.ticks)
    day.go()
    rest = [(price, wh) for price, wh, _ in day.ticks[spent:] if wh > 0]
    assert (len(rest), soc(day)) == (15, 79.94)
    assert sum(price * wh for price, wh in rest) / 1e5 == pytest.approx(13.708, abs=0.001)
    assert any("clock was set" in note for note in day.client.notes)


@pytest.mark.parametrize("quarter", range(4))
def test_after_a_reset_the_first_hour_is_shorter(quarter: int):
    day = Day(PLAN, begins_at=quarter * 900_000)
    day.reset()
    day.go()
    assert (day.portions, round(day.cost_sek, 2)) == (15, 13.71)
    assert not any("clock was set" in note for note in day.client.notes)


def test_a_server_that_began_anew_is_planned_anew():
    day = Day(PLAN)
    day.go(day.shows(23, 15))
    day.restart()
    day.go()
    assert soc(day) == 79.94
    assert not day.info().is_on


def test_a_clock_that_goes_back_before_its_speed_is_known_was_set():
    day = Day(PLAN, begins_at=hours(8))
    day.look()
    day.reset()
    day.look()
    assert any("clock was set" in note for note in day.client.notes)


def test_a_reset_that_somebody_switches_on_again_is_no_car_that_takes_no_more():
    day = Day(Wishes(mode=Mode.NOW, fuse_w=30_000.0))
    day.go(day.shows(3))
    day.reset()
    day.switch(True)
    day.go()
    assert (day.client.ended, soc(day)) == (Ending.REACHED, 79.94)


def test_a_clock_that_runs_faster_all_at_once_loses_no_energy():
    day = Day(Wishes(mode=Mode.NOW, fuse_w=30_000.0), speed=3_600.0)
    day.go(day.shows(0, 45))
    day.speed = 9_000.0
    day.go()
    assert any("clock was set" in note for note in day.client.notes)
    assert day.client.watch is not None
    assert day.client.watch.ledger.drawn_wh == pytest.approx(1_000 * PORTION_KWH * day.portions)


def test_somebody_switches_it_off_and_it_is_switched_on_again():
    day = Day(PLAN)
    day.go(day.shows(22, 30))
    day.switch(False)
    day.go()
    assert (day.portions, soc(day)) == (15, 79.94)
    assert any("somebody switched the charger off" in note for note in day.client.notes)
    assert round(day.cost_sek, 2) == 13.71


def test_somebody_switches_it_on_when_it_is_dear():
    day = Day(PLAN)
    day.go(day.shows(8, 30))
    day.switch(True)
    day.go()
    dear = [price for price, wh, _ in day.ticks if wh > 0 and price > 100]
    assert len(dear) <= 1
    assert (day.portions, soc(day)) == (15, 79.94)
    assert any("somebody switched the charger on" in note for note in day.client.notes)


def test_who_switches_again_and_again_is_told_of_a_few_times():
    day = Day(PLAN)
    for quarter in range(4, 30):
        day.go(day.shows(quarter // 4, quarter % 4 * 15))
        day.switch(not day.info().is_on)
    day.go()
    assert soc(day) == 79.94
    notes = [note for note in day.client.notes if "somebody switched" in note]
    assert len(notes) == 4
    assert notes[-1].endswith("is another client at work?")


def test_every_day_is_asked_for_its_prices():
    day = Day(THRESHOLD)
    day.go(day.shows(23, 45))
    day.model = HomeModel(price_ore_per_kwh=(40.0,) * 6 + COURSE_PRICES[6:])
    day.go()
    assert any("other prices or loads" in note for note in day.client.notes)
    assert day.client.clock().endswith("(day 2)")
    assert soc(day) == 79.94
    assert day.info().hour < 6


def test_another_client_goes_on_from_what_it_finds():
    day = Day(PLAN)
    day.go(day.shows(2, 45))
    assert day.info().is_on
    day.replace_client()
    day.go()
    assert (day.portions, soc(day), round(day.cost_sek, 2)) == (15, 79.94, 13.71)


def test_a_charger_found_on_in_a_dear_hour_is_switched_off():
    day = Day(THRESHOLD, begins_at=hours(9.1))
    day.switch(True)
    day.look()
    assert not day.info().is_on


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wishes", [Wishes(mode=Mode.THRESHOLD, below_ore=30.0), Wishes(mode=Mode.NOW, fuse_w=8_000.0)])
def test_a_day_without_any_such_hour_is_refused(wishes: Wishes):
    with pytest.raises(InvalidInput, match="leaves no hour"):
        Day(wishes).go()


@pytest.mark.parametrize(("loads", "prices"), [(24, 22), (22, 24), (23, 25), (96, 92), (0, 0)])
def test_a_home_that_tells_no_day_breaks_the_protocol(loads: int, prices: int):
    with pytest.raises(RemoteProtocolError):
        Household((1.0,) * loads, (1.0,) * prices)


@pytest.mark.parametrize(
    "wishes", [{"until_soc": 1.1}, {"until_soc": float("nan")}, {"fuse_w": -1.0}, {"power_w": 0.0}, {"efficiency": 0.0}]
)
def test_wishes_out_of_range_are_refused(wishes: dict[str, float]):
    with pytest.raises(InvalidInput):
        Wishes(**wishes)  # type: ignore[arg-type]
