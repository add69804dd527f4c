"""Days on which more than the price of energy counts: who may still come, and what the highest quarter hours cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest

from tests.builders import a_scenario, a_site, a_station_model, a_vehicle_model, a_visit, at
from voltbench.quantities import Instant
from voltbench.running.scenario import Run, Scenario
from voltbench.running.summary import Summary, summarize
from voltbench.running.visits import Visit
from voltbench.site.calendar import Calendar, Window
from voltbench.site.limits import LimitTree, Node, Outlet
from voltbench.site.peaks import PeakTariff, Weight
from voltbench.site.series import StepSeries
from voltbench.site.tariff import Tariff

BOX = a_station_model(10_000.0, connectors=1)
FLAT = StepSeries.constant(0.2)
LATE = StepSeries([(at(0), 0.9), (at(15), 0.1)])
"""Cheap from three in the afternoon on."""


def a_day(
    *visits: Visit,
    grid_w: float = 40_000.0,
    price: StepSeries = FLAT,
    strategy: str = "planned",
    stations: int = 3,
    **more: object,
) -> Scenario:
    tariff_parts = {name: more.pop(name) for name in ("demand_price_per_kw", "peak") if name in more}
    tariff = Tariff(import_price_per_kwh=price, **tariff_parts)  # type: ignore[arg-type]
    site = a_site(grid_w, stations, BOX, **more)  # type: ignore[arg-type]
    return a_scenario(list(visits), site, strategy, tariff=tariff)


def lived(scenario: Scenario) -> Summary:
    run = Run(scenario)
    run.world.advance(scenario.ends_at)
    return summarize(run.outcome())


def drawn_w(run: Run, now: Instant) -> float:
    run.world.advance(now)
    return sum(bay.session.power_w(now) for bay in run.operation.bays.values())


# --- who may still come -----------------------------------------------------------------------------------------------


def test_it_waits_only_where_there_would_be_enough_for_those_who_may_come() -> None:
    """Three connectors; if two more like the first came in the afternoon, 20 kW would do for all and 8 kW would not."""
    first = a_visit(stays_h=10, asked_wh=24_000)
    assert drawn_w(Run(a_day(first, grid_w=30_000.0, price=LATE)), at(9)) == 0.0
    assert drawn_w(Run(a_day(first, grid_w=8_000.0, price=LATE)), at(9)) > 0.0


def test_with_no_connector_free_it_need_not_think_of_others() -> None:
    visits = [a_visit(f"car-{i}", stays_h=10, asked_wh=7_000) for i in range(3)]
    assert drawn_w(Run(a_day(*visits, grid_w=8_000.0, price=LATE)), at(9)) == 0.0
    assert lived(a_day(*visits, grid_w=8_000.0, price=LATE)).delivery.unmet_wh == pytest.approx(0, abs=1e-6)


def test_where_nothing_is_limited_it_waits_whoever_may_come() -> None:
    site = a_site(40_000.0, 3, BOX)
    unlimited = LimitTree([Node("grid")], [Outlet(place.connector, "grid") for place in site.places])
    visit = a_visit(stays_h=10, asked_wh=24_000)
    scenario = a_scenario([visit], replace(site, tree=unlimited), "planned", tariff=Tariff(import_price_per_kwh=LATE))
    assert drawn_w(Run(scenario), at(9)) == 0.0
    assert lived(scenario).delivery.unmet_wh == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("price", [FLAT, LATE])
def test_who_comes_later_finds_as_much_as_without_a_plan(price: StepSeries) -> None:
    """A day on which 5 kW are too little for all: the earlier ones must not have waited."""
    visits = [
        a_visit("early", arrives_at=at(6), stays_h=12, asked_wh=25_000),
        a_visit("noon", arrives_at=at(11), stays_h=8, asked_wh=30_000),
        a_visit("late", arrives_at=at(14), stays_h=6, asked_wh=20_000),
    ]
    planned = lived(a_day(*visits, grid_w=5_000.0, price=price))
    shared = lived(a_day(*visits, grid_w=5_000.0, price=price, strategy="max_min"))
    assert planned.delivery.unmet_wh <= shared.delivery.unmet_wh + 1.0


@pytest.mark.parametrize(("grid_w", "waits"), [(28_000.0, False), (34_000.0, True)])
def test_it_thinks_of_as_many_as_there_are_connectors(grid_w: float, waits: bool) -> None:
    """At nine, four more like the first would need 96 kWh until one: 112 kWh do for that beside 14, not beside 24."""
    price = StepSeries([(at(0), 0.3), (at(9), 0.1)])
    run = Run(a_day(a_visit(stays_h=4, asked_wh=24_000), grid_w=grid_w, price=price, stations=5))
    assert (drawn_w(run, at(8, 10)) == 0.0) is waits


# --- who goes first ---------------------------------------------------------------------------------------------------


def test_where_it_costs_the_same_who_leaves_first_charges_first() -> None:
    stays_h = {"long": 10.0, "short": 4.0, "middle": 5.0}
    visits = [a_visit(name, stays_h=hours, asked_wh=10_000) for name, hours in stays_h.items()]
    run = Run(a_day(*visits, grid_w=10_000.0))
    run.operation.tree.set_limit("grid", "operator", 0.0)
    assert drawn_w(run, at(8, 15)) == 0.0
    run.operation.tree.set_limit("grid", "operator", 10_000.0)
    run.operation.limits_changed(at(8, 15))
    for hour, name in ((8, "short"), (9, "middle"), (10, "long")):
        run.world.advance(at(hour, 30))
        assert run.operation.bay(name).session.power_w(at(hour, 30)) == 10_000.0


def test_who_is_planned_in_full_does_not_share_with_who_has_time() -> None:
    visits = [a_visit("stays", stays_h=9, asked_wh=20_000), a_visit("leaves", stays_h=2, asked_wh=17_500)]
    run = Run(a_day(*visits, grid_w=15_000.0))
    assert drawn_w(run, at(9)) == pytest.approx(15_000.0)
    run.world.advance(at(18))
    assert [visit.unmet_wh for visit in run.visitors.ledger] == pytest.approx([0.0, 0.0], abs=1e-6)


def test_at_one_price_who_stays_has_at_once_what_who_goes_leaves() -> None:
    """Nobody foresaw that it would go; the other was planned to take the rest of 12 kW until then."""
    visits = [a_visit("goes", stays_h=2, asked_wh=17_500), a_visit("stays", stays_h=9, asked_wh=40_000)]
    run = Run(a_day(*visits, grid_w=12_000.0))
    run.world.advance(at(8, 20))
    assert run.operation.bay("stays").session.power_w(at(8, 20)) == pytest.approx(2_000.0)
    run.operation.unplug(at(8, 20), "goes")
    run.world.advance(at(8, 25))
    assert run.operation.bay("stays").session.power_w(at(8, 25)) == 10_000.0


def test_who_has_fallen_behind_is_planned_anew() -> None:
    """A limit of which the plan hears nothing takes most of the cheap hour; the next best is not the next."""
    prices = StepSeries([(at(0), 0.30), (at(12), 0.10), (at(13), 0.30), (at(14), 0.20)])
    run = Run(a_day(a_visit(arrives_at=at(8, 5), stays_h=8, asked_wh=10_000), price=prices))
    assert drawn_w(run, at(12, 20)) == pytest.approx(10_000.0)
    run.operation.tree.set_limit("grid", "operator", StepSeries([(at(0), 1_000.0), (at(13), 40_000.0)]))
    run.operation.controller.limits_changed()
    assert drawn_w(run, at(12, 30)) == pytest.approx(1_000.0)
    assert drawn_w(run, at(13, 5)) == 0.0
    assert drawn_w(run, at(14, 5)) == pytest.approx(10_000.0)


# --- what peaks cost --------------------------------------------------------------------------------------------------


def test_a_demand_charge_levels_what_is_drawn() -> None:
    day = a_day(a_visit(stays_h=8, asked_wh=20_000), demand_price_per_kw=10.0)
    summary = lived(day)
    assert summary.delivery.unmet_wh == pytest.approx(0, abs=1e-6)
    assert summary.grid.peak_instant_w == pytest.approx(20_000 / 7.75, rel=0.02), "a quarter of an hour is to spare"


@pytest.mark.parametrize(("charge", "hours"), [(2.0, 3.75), (4.0, 10.75)])
def test_cheap_hours_are_worth_a_peak_as_long_as_they_save_more_than_it_costs(charge: float, hours: float) -> None:
    """A kW more of peak moves 3.75 kWh to hours in which each is 0.80 cheaper: that is worth 3.00."""
    day = a_day(a_visit(stays_h=11, asked_wh=20_000), price=LATE, demand_price_per_kw=charge)
    assert lived(day).grid.peak_instant_w == pytest.approx(20_000 / hours, rel=0.02)


def test_a_peak_that_is_paid_already_may_be_used() -> None:
    """The house has drawn 8 kW in the morning; the car need not stay below that."""
    morning = StepSeries([(at(0), 0.0), (at(5), 8_000.0), (at(6), 0.0)])
    day = a_day(a_visit(stays_h=10, asked_wh=24_000), price=LATE, demand_price_per_kw=1_000.0, load_w=morning)
    run = Run(day)
    assert drawn_w(run, at(12)) == 0.0
    assert drawn_w(run, at(15, 5)) == pytest.approx(8_000.0)


@pytest.mark.parametrize(("different_days", "power_w"), [(True, 8_000.0), (False, 24_000.0 / 7)])
def test_a_peak_that_the_house_is_to_have_today_may_be_reached_before_it(different_days: bool, power_w: float) -> None:
    """It will draw 8 kW in the evening. Where two hours of a day may count, the car's are one more of them."""
    evening = StepSeries([(at(0), 0.0), (at(22), 8_000.0), (at(23), 0.0)])
    peak = PeakTariff(Calendar(UTC), price_per_kw=1_000.0, count=2, different_days=different_days)
    run = Run(a_day(a_visit(arrives_at=at(15), stays_h=8, asked_wh=24_000), price=LATE, peak=peak, load_w=evening))
    assert drawn_w(run, at(15, 5)) == pytest.approx(power_w, rel=0.05)


def test_hours_that_do_not_count_for_the_month_are_used_at_full() -> None:
    nights = PeakTariff(Calendar(UTC), price_per_kw=100.0, count=1, weights=(Weight(Window(20 * 60), 0.0),))
    day = a_day(a_visit(arrives_at=at(16), stays_h=7.5, asked_wh=20_000), peak=nights)
    run = Run(day)
    assert drawn_w(run, at(18)) == 0.0
    assert drawn_w(run, at(20, 10)) == pytest.approx(10_000.0)
    assert lived(day).delivery.unmet_wh == pytest.approx(0, abs=1e-6)


def test_a_pack_that_takes_ever_less_is_ready_though_the_peak_is_levelled() -> None:
    """Held low at first, it has no time to spare: near its end nothing makes good for that."""
    tapers = a_vehicle_model("tapers", 55_000.0, 10_000.0, knee_soc=0.2)
    visits = [a_visit("tapers", stays_h=12, asked_wh=44_000, soc=0.1, model=tapers)]
    visits.append(a_visit("goes", stays_h=6, asked_wh=40_000))
    summary = lived(a_day(*visits, grid_w=20_000.0, demand_price_per_kw=10.0))
    assert summary.visits.left_short == 0
    assert summary.delivery.unmet_wh == pytest.approx(0, abs=1.0)


def by_days(price_per_kw: float = 100.0) -> PeakTariff:
    return PeakTariff(Calendar(UTC), price_per_kw=price_per_kw, count=3)


def a_night(asked_wh: float) -> Run:
    """A car that comes at six in the evening and goes at seven in the morning, where each day's peak is billed."""
    model = a_vehicle_model("large", 150_000.0)
    day = a_day(a_visit(arrives_at=at(18), stays_h=13, asked_wh=asked_wh, model=model), peak=by_days())
    return Run(replace(day, ends_at=at(36)))


def test_of_two_days_one_is_spared_where_the_other_will_do() -> None:
    run = a_night(27_000)
    assert drawn_w(run, at(23)) == 0.0
    assert drawn_w(run, at(25)) == pytest.approx(27_000 / 6.75, rel=0.05), "a quarter of an hour is to spare"


def test_a_plan_does_not_raise_the_peak_of_today_above_the_one_before() -> None:
    """Too much for one day: what is paid already of today is no reason to go as much above it again."""
    run = a_night(100_000)
    before_w, evening_w = drawn_w(run, at(18, 30)), [drawn_w(run, at(hour, 30)) for hour in range(19, 24)]
    assert before_w > 0.0
    assert max(evening_w) <= before_w * 1.03
    run.world.advance(at(36))
    assert run.outcome().ledger[0].unmet_wh == pytest.approx(0, abs=1.0)
