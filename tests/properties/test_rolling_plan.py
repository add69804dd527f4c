"""Planned days: whoever comes, whatever energy costs, no limit is broken and departures hold as without a plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import MIDNIGHT, a_scenario, a_site, a_station_model, a_vehicle_model, a_visit, at
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.charging.vehicle import OnboardCharger
from voltbench.events import LimitSet
from voltbench.quantities import MS_PER_HOUR
from voltbench.running.publication import Publication
from voltbench.running.scenario import Outcome, Run, Scenario
from voltbench.running.summary import summarize
from voltbench.running.visits import Visit
from voltbench.site.series import StepSeries
from voltbench.site.tariff import Tariff

KW = 1_000.0
FAST = a_station_model(22 * KW, connectors=1)
SOCKET = StationModel(
    "box", "box", 11_040.0, (ConnectorModel("cType2", 11_040.0),), "made up for tests", min_current_a=6.0, step_a=1.0
)
CARS = [
    a_vehicle_model("steady", 60 * KW, 22 * KW, 0.99, OnboardCharger(3, 16.0, 6.0, 0.9)),
    a_vehicle_model("tapers", 40 * KW, 20 * KW, 0.3, OnboardCharger(3, 16.0, 6.0, 0.95)),
    a_vehicle_model("one phase", 30 * KW, 11 * KW, 0.8, OnboardCharger(1, 16.0, 6.0, 0.9)),
]
CONNECTORS = 5


@st.composite
def prices(draw: st.DrawFn) -> Tariff:
    """Hours with ties, and below nothing; sometimes what is sold earns something."""
    hours = draw(st.lists(st.sampled_from([-0.05, 0.05, 0.1, 0.1, 0.2, 0.4]), min_size=24, max_size=24))
    sold = StepSeries.constant(0.04) if draw(st.booleans()) else None
    return Tariff(
        import_price_per_kwh=StepSeries((at(h), price) for h, price in enumerate(hours)), export_price_per_kwh=sold
    )


@st.composite
def visits(draw: st.DrawFn) -> list[Visit]:
    """Cars that come to a connector of their own and stay for an hour or the whole day."""
    return [
        a_visit(
            f"car-{i}",
            arrives_at=at(draw(st.integers(0, 12)), draw(st.sampled_from([0, 7, 30]))),
            stays_h=draw(st.sampled_from([1.0, 3.3, 6.0, 11.0])),
            asked_wh=draw(st.sampled_from([500.0, 6 * KW, 15 * KW, 40 * KW])),
            soc=draw(st.sampled_from([0.0, 0.3, 0.85])),
            model=draw(st.sampled_from(CARS)),
            connector=f"station-{i + 1}:1",
            leaves_satisfied=draw(st.booleans()) and draw(st.booleans()),
        )
        for i in range(draw(st.integers(1, CONNECTORS)))
    ]


@st.composite
def days(draw: st.DrawFn, grid_w: st.SearchStrategy[float]) -> Scenario:
    """A day at a site with load and generation, whose limit changes."""
    limit_w = StepSeries([(at(6 * i), draw(grid_w)) for i in range(3)])
    load_w = StepSeries([(at(5 * i, 20), draw(st.sampled_from([0.0, 4 * KW]))) for i in range(4)])
    sun_w = StepSeries([(at(8), 0.0), (at(9, 10), draw(st.sampled_from([0.0, 7 * KW, 90 * KW]))), (at(15), 0.0)])
    site = a_site(limit_w, CONNECTORS, draw(st.sampled_from([FAST, SOCKET])), load_w=load_w, generation_w=sun_w)
    if draw(st.booleans()):
        site.tree.set_limit("grid", "fuse", current_a=draw(st.sampled_from([63.0, 100.0])))
    return a_scenario(draw(visits()), site, "planned", tariff=draw(prices()))


def lived(scenario: Scenario) -> Outcome:
    """What comes of a day, its limits checked whenever somebody is told one."""
    run = Run(scenario)

    def check(fact: LimitSet) -> None:
        if fact.power_w > 0.0:
            assert run.operation.excess(fact.at, fact.session)[0] <= 1e-4

    run.operation._on_limit = check
    for now in range(MIDNIGHT, scenario.ends_at, MS_PER_HOUR):
        run.world.advance(now)
        own_w = max(0.0, run.operation.balance.background_w(now) - run.operation.tree.bounds(now)[0])
        assert run.operation.excess(now)[0] <= own_w + 1e-4
    run.world.advance(scenario.ends_at)
    return run.outcome()


@settings(max_examples=40)
@given(days(st.sampled_from([0.0, 6 * KW, 15 * KW, 40 * KW])))
def test_no_limit_is_broken_however_little_there_is(scenario: Scenario) -> None:
    lived(scenario)


@settings(max_examples=25)
@given(days(st.sampled_from([25 * KW, 40 * KW, 80 * KW])), st.integers(-12, 12), st.sampled_from([0, 767, 1439]))
def test_departures_hold_whenever_prices_are_told(scenario: Scenario, ahead_h: int, minute: int) -> None:
    at_once = lived(replace(scenario, options=replace(scenario.options, strategy="max_min")))
    told = Publication(timezone(timedelta(hours=ahead_h)), minute)
    before = {visit.id: visit for visit in at_once.ledger}
    for visit in lived(replace(scenario, published=told)).ledger:
        assert visit.unmet_wh <= before[visit.id].unmet_wh + max(1.0, 1e-3 * visit.fitting_wh), visit.id


@settings(max_examples=60)
@given(days(st.sampled_from([25 * KW, 40 * KW, 80 * KW])))
def test_who_has_enough_without_a_plan_has_enough_with_one_and_pays_no_more(scenario: Scenario) -> None:
    at_once = lived(replace(scenario, options=replace(scenario.options, strategy="max_min")))
    planned = lived(scenario)
    before = {visit.id: visit for visit in at_once.ledger}
    for visit in planned.ledger:
        assert visit.unmet_wh <= before[visit.id].unmet_wh + max(1.0, 1e-3 * visit.fitting_wh), visit.id
    paid, had = summarize(planned).cost, summarize(at_once).cost
    assert paid is not None
    assert had is not None
    assert paid.total <= had.total + 0.02 * summarize(at_once).delivery.drawn_wh / 1e3 * 0.4 + 0.01
