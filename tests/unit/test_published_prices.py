"""Prices that become known day by day: what is planned before they are told, and what changes when they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.builders import MIDNIGHT, a_scenario, a_site, a_station_model, a_visit
from tests.builders import at as on_the_day
from tests.local_time import AUTUMN, SPRING, STOCKHOLM, at
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, Instant
from voltbench.running.balance import Balance
from voltbench.running.foresight import Foresight
from voltbench.running.publication import Publication, foreseen
from voltbench.running.scenario import Run, Scenario
from voltbench.running.summary import summarize
from voltbench.running.visits import Visit
from voltbench.site.calendar import day_start
from voltbench.site.series import StepSeries
from voltbench.site.tariff import Tariff

AT_ONE = Publication(UTC)
BOX = a_station_model(10_000.0, connectors=1)
TOMORROW = 24.0


def hourly(*steps: tuple[float, float]) -> Tariff:
    """Prices from an hour on, counted from the day's midnight."""
    return Tariff(import_price_per_kwh=StepSeries((on_the_day(hour), price) for hour, price in steps))


def days(
    *visits: Visit,
    tariff: Tariff,
    published: Publication | None = AT_ONE,
    grid_w: float = 40_000.0,
    hours: float = 48.0,
) -> Scenario:
    scenario = a_scenario(list(visits), a_site(grid_w, 4, BOX), "planned", hours, tariff)
    return replace(scenario, published=published)


def power_w(run: Run, now: Instant) -> float:
    run.world.advance(now)
    return sum(bay.session.power_w(now) for bay in run.operation.bays.values())


def paid(scenario: Scenario) -> float:
    """What a story costs in which everybody has enough."""
    run = Run(scenario)
    run.world.advance(scenario.ends_at)
    summary = summarize(run.outcome())
    assert summary.delivery.unmet_wh == pytest.approx(0, abs=1e-6)
    assert summary.cost is not None
    return summary.cost.total


# --- what a plan knows ------------------------------------------------------------------------------------------------

CHEAP_TOMORROW = hourly((0, 0.30), (20, 0.20), (22, 0.30), (TOMORROW + 2, 0.05), (TOMORROW + 4, 0.30))
OVERNIGHT = a_visit(arrives_at=on_the_day(9), stays_h=22, asked_wh=18_000)


def test_a_car_that_comes_before_prices_are_told_has_the_cheap_hours_of_tomorrow() -> None:
    run = Run(days(OVERNIGHT, tariff=CHEAP_TOMORROW))
    run.world.advance(on_the_day(12, 59))
    assert run.operation._plan is not None
    before = run.operation._plan._courses["visit-1"]
    assert before.power_w(on_the_day(21)) == 10_000.0, "the cheapest hours of today are all it knows"
    assert before.power_w(on_the_day(TOMORROW + 3)) == 0.0
    assert power_w(run, on_the_day(21)) == 0.0
    assert power_w(run, on_the_day(TOMORROW + 3)) == 10_000.0
    assert paid(days(OVERNIGHT, tariff=CHEAP_TOMORROW)) == pytest.approx(18 * 0.05)


def test_the_plan_changes_at_the_minute_at_which_prices_are_told() -> None:
    """In Stockholm it is one o'clock an hour before it is so in UTC; the quarter hour of looking again is not it."""
    flat_today = hourly((0, 0.30), (TOMORROW + 2, 0.05), (TOMORROW + 6, 0.30))
    early = a_visit(arrives_at=on_the_day(11, 20), stays_h=20, asked_wh=18_000)
    run = Run(days(early, tariff=flat_today, published=Publication(STOCKHOLM, 12 * 60 + 47)))
    assert power_w(run, on_the_day(11, 47) - 1) == 10_000.0, "no hour that it knows is cheaper than this one"
    assert power_w(run, on_the_day(11, 47)) == 0.0
    assert power_w(run, on_the_day(TOMORROW + 3)) == 10_000.0


def test_nobody_is_woken_for_prices_that_do_not_matter() -> None:
    run = Run(days(a_visit(arrives_at=on_the_day(9), stays_h=8, asked_wh=10_000), tariff=CHEAP_TOMORROW))
    run.world.advance(on_the_day(12, 40))
    assert run.operation._plan is not None
    assert run.operation._plan._news_at is None


def test_tomorrow_is_taken_to_be_like_today_until_it_is_told() -> None:
    """Tonight was cheap last time; when the market says that it is not, the evening will do."""
    cheap_night = hourly((0, 0.05), (6, 0.40), (18, 0.20), (20, 0.40), (TOMORROW, 0.50), (TOMORROW + 20, 0.50))
    run = Run(days(OVERNIGHT, tariff=cheap_night))
    run.world.advance(on_the_day(12))
    assert run.operation._plan is not None
    assert run.operation._plan._courses["visit-1"].ends_at > on_the_day(TOMORROW)
    assert power_w(run, on_the_day(19)) == 10_000.0
    assert paid(days(OVERNIGHT, tariff=cheap_night)) == pytest.approx(18 * 0.20)


def test_a_first_day_that_begins_at_noon_knows_only_the_mean_of_its_own_hours() -> None:
    tariff = Tariff(import_price_per_kwh=StepSeries([(on_the_day(12), 0.20), (on_the_day(18), 0.60)]))
    foresight = Foresight(a_site().tree, Balance({}), tariff, None, Publication(UTC, 14 * 60))
    outlook = foresight.outlook(on_the_day(12), on_the_day(TOMORROW + 20))
    after = [outlook.price_per_kwh[i] for i in (48, 48 + 4 * 11, 48 + 4 * 13, 48 + 4 * 19)]
    assert after == pytest.approx([0.40, 0.40, 0.20, 0.60]), "and of 13 and 19 o'clock those of today"


# --- what foresight is worth ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid_w", [40_000.0, 12_000.0])
@pytest.mark.parametrize("night", [0.05, 0.20, 0.60])
def test_who_knows_all_pays_no_more_and_departures_hold_either_way(grid_w: float, night: float) -> None:
    prices = [(0, 0.15), (6, 0.45), (10, 0.25), (16, 0.50), (21, 0.30)]
    nights = [(TOMORROW, night), (TOMORROW + 5, 0.45), (TOMORROW + 11, 0.22), (TOMORROW + 16, 0.50)]
    visits = [
        a_visit(f"car-{i}", arrives_at=on_the_day(7 + 3 * i), stays_h=26 - 3 * i, asked_wh=14_000 + 2_000 * i)
        for i in range(4)
    ]
    scenario = days(*visits, tariff=hourly(*prices, *nights), grid_w=grid_w, hours=60.0)
    assert paid(replace(scenario, published=None)) <= paid(scenario) * (1 + 1e-9)


# --- days of 23 and of 25 hours ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 22), (AUTUMN, 24)])
def test_prices_of_a_day_on_which_clocks_change_are_told_by_the_clocks(day, hours) -> None:
    market, a_day = Publication(STOCKHOLM), timedelta(days=1)
    told = [at(f"{one}T13:00") for one in (day - a_day, day)]
    assert market.next_after(told[0] - 1) == told[0]
    assert market.next_after(told[0] + MS_PER_HOUR) == told[1] == told[0] + (hours + 1) * MS_PER_HOUR
    assert market.known_until(told[0] - 1) == day_start(day, STOCKHOLM)
    assert market.known_until(told[0]) == market.known_until(told[1] - 1) == day_start(day + a_day, STOCKHOLM)
    assert market.known_until(told[1]) == day_start(day + 2 * a_day, STOCKHOLM)


@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_after_clocks_have_changed_the_same_hours_are_those_that_clocks_show(day) -> None:
    """Three to four is cheap by the clock, on Saturday as on the Sunday that nobody knows yet."""
    saturday = day - timedelta(days=1)
    starts_at = day_start(saturday, STOCKHOLM)
    cheap = [(starts_at, 0.3), (at(f"{saturday}T03:00"), 0.1), (at(f"{saturday}T04:00"), 0.3)]
    tariff = Tariff(import_price_per_kwh=StepSeries(cheap))
    foresight = Foresight(a_site().tree, Balance({}), tariff, None, Publication(STOCKHOLM))
    outlook = foresight.outlook(at(f"{saturday}T09:00"), at(f"{day}T09:00"))
    is_cheap = outlook.price_per_kwh == 0.1
    assert outlook.edges[:-1][is_cheap].tolist() == [at(f"{day}T03:00") + i * 15 * MS_PER_MINUTE for i in range(4)]


def test_a_car_that_stays_over_a_night_of_25_hours_is_ready_and_charges_when_it_is_cheap() -> None:
    starts_at = day_start(AUTUMN - timedelta(days=1), STOCKHOLM)
    prices = StepSeries([(starts_at, 0.3), (at("2026-10-25T02:00"), 0.1), (at("2026-10-25T03:00"), 0.3)])
    visit = a_visit(arrives_at=at("2026-10-24T18:00"), stays_h=14, asked_wh=20_000)
    scenario = replace(
        days(visit, tariff=Tariff(import_price_per_kwh=prices), published=Publication(STOCKHOLM)),
        starts_at=starts_at,
        ends_at=starts_at + 2 * MS_PER_DAY,
    )
    assert paid(scenario) == pytest.approx(20 * 0.1), "between two and three there are two hours"


def test_a_market_far_away_goes_by_its_own_day() -> None:
    tokyo = Publication(ZoneInfo("Asia/Tokyo"), 10 * 60)
    assert tokyo.known_until(MIDNIGHT) == on_the_day(15)
    assert tokyo.known_until(on_the_day(1)) == on_the_day(39)


# --- what stands in for a price ---------------------------------------------------------------------------------------


def test_a_slot_that_is_longer_than_prices_has_the_mean_of_the_day_before() -> None:
    quarters = StepSeries([(MIDNIGHT + i * 15 * MS_PER_MINUTE, 0.1 * (i % 4)) for i in range(96)])
    edges = np.arange(MIDNIGHT, MIDNIGHT + 27 * MS_PER_HOUR, MS_PER_HOUR)
    told = foreseen(quarters, edges, MIDNIGHT + MS_PER_DAY, AT_ONE.day_before)
    assert told[24:] == pytest.approx([0.15] * 2)


def test_no_price_is_taken_from_beyond_what_is_known() -> None:
    """An hour of which only its first half is known is as that half; so is the same hour of the day after."""
    prices = StepSeries([(MIDNIGHT, 0.1), (MIDNIGHT + MS_PER_HOUR // 2, 9.0)])
    edges = np.array([MIDNIGHT, MIDNIGHT + MS_PER_HOUR])
    for ahead_ms in (0, MS_PER_DAY):
        assert foreseen(prices, edges + ahead_ms, MIDNIGHT + MS_PER_HOUR // 2, AT_ONE.day_before).tolist() == [0.1]


def test_where_no_slot_is_known_there_is_a_price_all_the_same() -> None:
    prices = StepSeries([(MIDNIGHT, 0.1)])
    edges = np.array([MIDNIGHT - 2 * MS_PER_HOUR, MIDNIGHT - MS_PER_HOUR])
    assert foreseen(prices, edges, MIDNIGHT - 3 * MS_PER_HOUR, AT_ONE.day_before, 7.0).tolist() == [7.0]
