"""Two clients at one home, both on virtual time; and prices below zero, midnights, and clocks that drift."""

from __future__ import annotations

from math import sin

import pytest

from tests.home_clients import Day, charged, hours, soc
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, Instant
from voltbench.running.home.model import COURSE, HomeModel
from voltbench.running.home_client.client import ChargingClient, Ending
from voltbench.running.home_client.report import report_on
from voltbench.running.home_client.rest import Rest
from voltbench.running.home_client.wishes import Mode, Wishes

STEADY = HomeModel(cap_soc=0.95)
PLAN, SOME_NOW = Wishes(), Wishes(mode=Mode.NOW, until_soc=0.5)


def together(first: Wishes, second: Wishes, model: HomeModel) -> tuple[Day, list[ChargingClient], int]:
    """Two of them until both are done, each of which switches off at its end; how often it was switched over."""
    day = Day(first, model=model)
    clients = [day.client, ChargingClient(second)]
    due, switches, was_on = [0.0, 3.0], 0, False
    while any(client.ended is None for client in clients):
        number = min((n for n in (0, 1) if clients[n].ended is None), key=lambda n: due[n])
        day.client = client = clients[number]
        day._live(max(day.wall + 1, due[number]))
        day.look()
        if client.ended is not None:
            day._switch(False)
        due[number] = max(day.wall + 1, min(client.next_look(), day._off_due))
        switches, was_on = switches + (day.info().is_on != was_on), day.info().is_on
    return day, clients, switches


@pytest.mark.parametrize("model", [COURSE, STEADY])
@pytest.mark.parametrize("wishes", [(PLAN, SOME_NOW), (SOME_NOW, PLAN), (PLAN, PLAN)])
def test_two_clients_do_not_switch_to_and_fro_for_hours(wishes: tuple[Wishes, Wishes], model: HomeModel):
    day, clients, switches = together(*wishes, model)
    assert switches <= 30
    assert [client.ended for client in clients] == [Ending.REACHED] * 2
    assert not day.info().is_on
    assert soc(day) == pytest.approx(80, abs=0.1)


def test_what_another_client_switches_off_is_no_car_that_takes_no_more():
    _, clients, _ = together(Wishes(mode=Mode.THRESHOLD), Wishes(Mode.THRESHOLD, until_soc=0.6, below_ore=70.0), STEADY)
    assert not [note for client in clients for note in client.notes if "takes no more" in note]


def test_a_stretch_in_which_it_was_switched_says_nothing_of_the_car():
    """It is seen on before and after, and need not have been on in between."""
    rest = Rest(1_850.0)
    for _ in range(100):
        rest.switched()
        rest.look(10_000.0, True, 1, hours(0.25), True)
    assert not rest.is_certain
    assert rest.quarters == 0


# --- prices below zero ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [COURSE, STEADY])
def test_below_zero_is_below_a_threshold_and_it_earns(model: HomeModel):
    prices = tuple(-30.0 if hour in (2, 3) else 40.0 for hour in range(24))
    own = HomeModel(price_ore_per_kwh=prices, cap_soc=model.cap_soc)
    day = charged(Wishes(mode=Mode.THRESHOLD, below_ore=0.0), model=own)
    report = report_on(day.client, "http://home", "target reached", True)
    assert report is not None
    assert report.cost_ore == pytest.approx(-30.0 * 27.78, rel=0.1)
    assert report.cost_ore == pytest.approx(day.cost_sek * 100, rel=0.01)
    assert report.figures()["cost"].startswith("-")


# --- midnights --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [COURSE, HomeModel(load_w=(500.0,) * 24)])
@pytest.mark.parametrize(("begins_at", "until"), [(23.8, "(day 3)"), (23.99, "(day 3)"), (0.0, "(day 2)")])
def test_a_plan_over_midnights_ends_in_a_day(model: HomeModel, begins_at: float, until: str):
    day = Day(Wishes(), model=model, begins_at=hours(begins_at))
    day.look()
    assert day.client.watch is not None
    assert day.client.departs_at is not None
    assert day.client.watch.household.clock(day.client.departs_at).endswith(until)
    day.go()
    assert day.client.ended is Ending.REACHED
    assert day.cost_sek <= 13.90


def test_who_departs_before_the_next_quarter_hour_is_told_that_there_was_no_time():
    day = charged(Wishes(departure_ms=0), begins_at=hours(23.8))
    assert (day.client.ended, day.client.plans) == (Ending.DEPARTED, 0)
    assert day.client.lacking() == "27.78 kWh are lacking: there was no time before departure"


# --- a clock that drifts ----------------------------------------------------------------------------------------------


class Drifting(Day):
    """Its clock is ahead and behind by so many minutes in turns, within hours."""

    minutes = 0.0

    @property
    def _now(self) -> Instant:
        even = self.wall * self.speed
        return round(even + self.minutes * MS_PER_MINUTE * sin(even / MS_PER_HOUR / 2))


@pytest.mark.parametrize("minutes", [2.0, 5.0, 15.0])
@pytest.mark.parametrize("model", [COURSE, STEADY])
def test_a_clock_that_drifts_by_minutes_an_hour_costs_nothing(minutes: float, model: HomeModel):
    day = Drifting(PLAN, model=model)
    day.minutes = minutes
    day.go()
    assert soc(day) == pytest.approx(80, abs=0.2)
    assert day.cost_sek == pytest.approx(13.73, abs=0.2)
    assert not [note for note in day.client.notes if "clock was set" in note]
    assert day.highest_w <= 11_000
