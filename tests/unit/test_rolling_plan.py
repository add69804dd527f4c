"""Days on which sessions are planned: when they charge, what makes the plan change, and what it can not do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.builders import a_scenario, a_site, a_station_model, a_vehicle_model, a_visit, at
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.charging.vehicle import OnboardCharger
from voltbench.energy.control import ControlOptions
from voltbench.energy.gate import Turns
from voltbench.engine import World
from voltbench.events import Fact, LimitSet
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, Instant
from voltbench.running.operation import Operation
from voltbench.running.scenario import Run, Scenario
from voltbench.running.summary import Summary, summarize
from voltbench.running.visits import Visit, Visitors
from voltbench.site.limits import LimitTree, Node, Outlet
from voltbench.site.series import StepSeries
from voltbench.site.tariff import Tariff

NIGHT = Tariff(import_price_per_kwh=StepSeries([(at(0), 0.10), (at(6), 0.40), (at(22), 0.10)]))
"""Cheap until six, and from ten in the evening on."""

NOON = Tariff(import_price_per_kwh=StepSeries([(at(0), 0.30), (at(12), 0.10), (at(13), 0.30)]))

BOX = a_station_model(10_000.0, connectors=1)


def a_day(*visits: Visit, tariff: Tariff = NOON, grid_w: float | StepSeries = 40_000.0, **more: object) -> Scenario:
    site = a_site(grid_w, 4, BOX, **more)  # type: ignore[arg-type]
    return a_scenario(list(visits), site, "planned", tariff=tariff)


def lived(scenario: Scenario) -> tuple[Run, Summary]:
    run = Run(scenario)
    run.world.advance(scenario.ends_at)
    return run, summarize(run.outcome())


def powers(run: Run, now: Instant) -> list[float]:
    run.world.advance(now)
    return [round(bay.session.power_w(now)) for bay in run.operation.bays.values()]


# --- when it charges --------------------------------------------------------------------------------------------------


def test_a_car_waits_for_the_cheap_hour_and_has_what_it_needs_when_it_leaves() -> None:
    run = Run(a_day(a_visit(stays_h=8, asked_wh=10_000)))
    assert powers(run, at(9)) == [0]
    assert run.operation.binding_of(run.operation.bay("visit-1")) == "plan"
    assert powers(run, at(12)) == [10_000]
    assert run.operation.binding_of(run.operation.bay("visit-1")) == "vehicle"
    run.world.advance(at(16, 1))
    summary = summarize(run.outcome())
    assert summary.delivery.unmet_wh == 0
    assert summary.cost is not None
    assert summary.cost.total == pytest.approx(1.0)


def test_what_the_cheap_hour_cannot_give_comes_in_the_others_before_the_departure() -> None:
    _, summary = lived(a_day(a_visit(stays_h=6, asked_wh=35_000)))
    assert summary.delivery.unmet_wh == 0
    assert summary.cost is not None
    assert summary.cost.total == pytest.approx(10 * 0.10 + 25 * 0.30, rel=1e-6)


def test_without_prices_or_at_one_price_cars_charge_at_once() -> None:
    for tariff in (Tariff(), Tariff(import_price_per_kwh=StepSeries.constant(0.2))):
        assert powers(Run(a_day(a_visit(), tariff=tariff)), at(8)) == [10_000]


def test_who_leaves_as_soon_as_it_has_enough_does_not_wait_for_a_better_hour() -> None:
    assert powers(Run(a_day(a_visit(stays_h=8, asked_wh=10_000, leaves_satisfied=True))), at(8)) == [10_000]


def test_what_the_roof_has_left_over_comes_before_the_cheap_hour() -> None:
    roof = StepSeries([(at(0), 0.0), (at(9), 6_000.0), (at(11), 0.0)])
    run = Run(a_day(a_visit(stays_h=8, asked_wh=12_000), generation_w=roof))
    assert powers(run, at(8)) == [0]
    assert powers(run, at(10)) == [6_000]
    run.world.advance(at(17))
    summary = summarize(run.outcome())
    assert summary.delivery.unmet_wh == 0
    assert summary.cost is not None
    assert summary.cost.total == pytest.approx(0.0, abs=0.01)


def test_cars_share_the_cheap_hour_below_their_limit_and_take_the_rest_elsewhere() -> None:
    visits = [a_visit(f"car-{i}", stays_h=8, asked_wh=8_000) for i in range(4)]
    run, summary = lived(a_day(*visits, grid_w=20_000.0))
    assert summary.delivery.unmet_wh == pytest.approx(0, abs=1e-6)
    assert summary.grid.peak_instant_w <= 20_000 + 1e-6
    assert summary.cost is not None
    assert summary.cost.total == pytest.approx(20 * 0.10 + 12 * 0.30, rel=0.02)
    assert all(visit.unmet_wh == pytest.approx(0, abs=1e-6) for visit in run.visitors.ledger)


def test_a_pack_that_tapers_is_full_in_time_all_the_same() -> None:
    slow = a_vehicle_model(capacity_wh=20_000, peak_w=10_000, knee_soc=0.2)
    late = Tariff(import_price_per_kwh=StepSeries([(at(0), 0.30), (at(14), 0.10)]))
    _, summary = lived(a_day(a_visit(stays_h=8, soc=0.1, asked_wh=17_000, model=slow), tariff=late))
    assert summary.delivery.unmet_wh == pytest.approx(0, abs=1e-6)


def test_who_cannot_have_all_gets_all_there_is_at_any_price() -> None:
    run = Run(a_day(a_visit(stays_h=3, asked_wh=50_000)))
    assert powers(run, at(8)) == [10_000]
    run.world.advance(at(12))
    assert run.visitors.ledger[0].delivered_wh == pytest.approx(30_000)


def test_all_is_done_when_the_story_ends() -> None:
    scenario = a_day(a_visit(arrives_at=at(20), stays_h=12, asked_wh=30_000), tariff=NIGHT)
    _, summary = lived(scenario)
    assert summary.delivery.unmet_wh == pytest.approx(0, abs=1e-6)


# --- what makes it change ---------------------------------------------------------------------------------------------


def test_a_new_car_makes_it_plan_again_and_both_are_ready() -> None:
    first = a_visit("first", stays_h=6, asked_wh=20_000)
    second = a_visit("second", arrives_at=at(11), stays_h=2.5, asked_wh=20_000)
    run = Run(a_day(first, second, grid_w=15_000.0))
    assert powers(run, at(10, 59)) == [0]
    run.world.advance(at(14, 1))
    assert [visit.unmet_wh for visit in run.visitors.ledger] == pytest.approx([0, 0], abs=1e-6)


def test_a_limit_that_nobody_foresaw_makes_it_plan_again() -> None:
    run = Run(a_day(a_visit(stays_h=5, asked_wh=20_000)))
    assert powers(run, at(10)) == [0]
    run.operation.tree.set_limit("grid", "operator", StepSeries([(at(0), 40_000.0), (at(11), 4_000.0)]))
    run.operation.limits_changed(at(10))
    assert powers(run, at(10)) == [10_000]
    run.world.advance(at(13, 1))
    assert run.visitors.ledger[0].unmet_wh < 2_000.0 + 1.0


def test_a_limit_that_falls_as_it_is_known_to_is_planned_around() -> None:
    falls = StepSeries([(at(0), 40_000.0), (at(10), 1_000.0)])
    _, summary = lived(a_day(a_visit(stays_h=6, asked_wh=15_000), grid_w=falls))
    assert summary.delivery.unmet_wh == pytest.approx(0, abs=1e-6)


def test_prices_that_become_known_make_it_plan_again() -> None:
    run = Run(a_day(a_visit(stays_h=8, asked_wh=10_000), tariff=Tariff()))
    run.world.advance(at(0))
    run.operation.foresee_otherwise(at(0), NOON, at(11))
    assert powers(run, at(8)) == [10_000], "all known hours cost the same, and later ones are taken to as well"
    run.operation.foresee_otherwise(at(8), NOON, at(24))
    assert powers(run, at(8)) == [0]
    assert powers(run, at(12)) == [10_000]


def test_a_plan_does_not_flap() -> None:
    """Equal hours, cars that come one by one, and a price that hardly moves: nobody begins more than he has to."""
    begun: list[LimitSet] = []
    hours = [(at(h), 0.20 + 0.0001 * (h % 3)) for h in range(24)]
    visits = [a_visit(f"car-{i}", arrives_at=at(8, 20 * i), stays_h=9, asked_wh=20_000) for i in range(4)]
    scenario = a_day(*visits, tariff=Tariff(import_price_per_kwh=StepSeries(hours)), grid_w=20_000.0)
    run = Run(scenario)
    on = {visit.id: False for visit in visits}

    def hear(fact: LimitSet) -> None:
        if (fact.power_w > 0.0) != on[fact.session]:
            on[fact.session] = fact.power_w > 0.0
            begun.extend([fact] * on[fact.session])

    run.operation._on_limit = hear
    run.world.advance(scenario.ends_at)
    assert summarize(run.outcome()).delivery.unmet_wh == pytest.approx(0, abs=1e-6)
    assert len(begun) <= 8


@pytest.mark.parametrize(("price", "noon_w"), [(0.098, 10_000), (0.05, 0)])
def test_a_little_cheaper_is_not_worth_a_change_and_a_lot_is(price: float, noon_w: int) -> None:
    run = Run(a_day(a_visit(stays_h=8, asked_wh=10_000)))
    assert powers(run, at(8)) == [0]
    later = Tariff(import_price_per_kwh=StepSeries([(at(0), 0.3), (at(12), 0.1), (at(13), 0.3), (at(14), price)]))
    run.operation.foresee_otherwise(at(9), later)
    assert powers(run, at(12)) == [noon_w]


def test_hours_that_cost_nearly_the_same_are_not_waited_for() -> None:
    prices = StepSeries([(at(0), 0.2000), (at(9), 0.1999), (at(10), 0.2000), (at(11), 0.1999)])
    nearly = Tariff(import_price_per_kwh=prices)
    assert powers(Run(a_day(a_visit(stays_h=8, asked_wh=10_000), tariff=nearly)), at(8)) == [10_000]


def test_when_one_goes_who_is_short_is_planned_anew_at_once() -> None:
    """They need 44 kWh of the 40 there are; when one goes, the other can have all it needs."""
    visits = [a_visit(name, stays_h=4, asked_wh=22_000) for name in ("ada", "bob")]
    run = Run(a_day(*visits, grid_w=10_000.0))
    run.world.advance(at(8, 20))
    assert run.operation._plan is not None
    short = [id for id, course in run.operation._plan._courses.items() if course.is_short]
    assert short
    run.operation.unplug(at(8, 20), "ada" if "bob" in short else "bob")
    run.world.advance(at(8, 21))
    (left,) = run.operation._plan._courses.values()
    assert not left.is_short


# --- what it can not do -----------------------------------------------------------------------------------------------


def test_no_limit_is_broken_whatever_the_plan_says() -> None:
    visits = [a_visit(f"car-{i}", stays_h=8, asked_wh=9_000) for i in range(4)]
    run = Run(a_day(*visits))
    assert powers(run, at(11)) == [0] * 4
    run.operation.tree.set_limit("grid", "operator", 12_000.0)
    run.operation.controller.limits_changed()  # the guard hears of it, the plan does not
    assert sum(powers(run, at(12))) == pytest.approx(12_000, abs=2), "each is rounded to a watt"
    run.world.advance(at(17))
    assert all(visit.unmet_wh == pytest.approx(0, abs=1e-6) for visit in run.visitors.ledger)


SOCKET = StationModel(
    "box", "box", 11_040.0, (ConnectorModel("cType2", 11_040.0),), "made up for tests", min_current_a=6.0, step_a=1.0
)


def test_stations_with_steps_and_a_minimum_do_as_planned() -> None:
    car = a_vehicle_model(ac=OnboardCharger(3, 16.0, 6.0, 0.9))
    visits = [a_visit(f"car-{i}", stays_h=8, asked_wh=7_000, model=car) for i in range(3)]
    options = ControlOptions(turns=Turns(minimum_on_ms=5 * MS_PER_MINUTE))
    _, summary = lived(a_scenario(visits, a_site(14_000.0, 3, SOCKET), "planned", tariff=NOON, options=options))
    assert summary.delivery.unmet_wh == pytest.approx(0, abs=1e-6)
    assert summary.grid.peak_instant_w <= 14_000 + 1e-6


def test_who_waits_takes_no_turn_from_who_is_to_charge_now() -> None:
    """Both that leave soon need all of 12 kW and more; two that have the whole day left are due later, not by turns."""
    car = a_vehicle_model(ac=OnboardCharger(3, 16.0, 6.0, 1.0))
    soon = [a_visit(f"soon-{i}", stays_h=3, asked_wh=19_000, model=car) for i in range(2)]
    late = [a_visit(f"late-{i}", arrives_at=at(7), stays_h=14, asked_wh=9_000, model=car) for i in range(2)]
    flat = Tariff(import_price_per_kwh=StepSeries.constant(0.2))
    run = Run(a_scenario([*late, *soon], a_site(12_000.0, 4, SOCKET), "planned", tariff=flat))
    for minute in range(5, 150, 15):
        run.world.advance(at(8, minute))
        drawn_w = {id: bay.session.power_w(at(8, minute)) for id, bay in run.operation.bays.items()}
        assert (drawn_w["late-0"], drawn_w["late-1"]) == (0.0, 0.0)
        assert drawn_w["soon-0"] + drawn_w["soon-1"] >= 11_040.0 - 1e-6
        assert run.operation.binding_of(run.operation.bay("late-0")) == "plan"
    run.world.advance(at(22))
    _, shared = lived(run.scenario.with_strategy("max_min"))
    assert sum(visit.unmet_wh for visit in run.visitors.ledger) <= shared.delivery.unmet_wh


def test_cars_on_phases_are_planned_below_limits_in_amperes() -> None:
    tree = LimitTree([Node("grid")], [Outlet(f"socket-{i}", "grid", (i, (i + 1) % 3, (i + 2) % 3)) for i in range(3)])
    tree.set_limit("grid", "fuse", current_a=16.0)
    world = World(at(8))
    told: list[Fact] = []
    operation = Operation(world, tree, ControlOptions("planned"), tariff=NOON, on_fact=told.append)
    car = a_vehicle_model(ac=OnboardCharger(1, 16.0, 6.0, 1.0))
    site = a_site(14_000.0, 3, SOCKET)
    places = [replace(place, connector=f"socket-{i}") for i, place in enumerate(site.places)]
    visits = [a_visit(f"car-{i}", stays_h=8, asked_wh=3_600, model=car) for i in range(3)]
    visitors = Visitors(operation, places, visits)
    world.advance(at(11))
    assert [bay.session.power_w(at(11)) for bay in operation.bays.values()] == [0.0] * 3
    world.advance(at(12))
    assert [round(bay.session.power_w(at(12))) for bay in operation.bays.values()] == [3_680] * 3
    world.advance(at(8) + 8 * MS_PER_HOUR)
    assert [visit.unmet_wh for visit in visitors.ledger] == pytest.approx([0.0] * 3, abs=1e-6)
