"""The figures of an outcome, on stories small enough to reckon by hand."""

from datetime import UTC

import msgspec
import numpy as np
import pytest

from tests.builders import MIDNIGHT, a_scenario, a_site, a_station_model, a_storage, a_vehicle_model, a_visit, at
from voltbench.charging.vehicle import Acceptance
from voltbench.quantities import MS_PER_MINUTE
from voltbench.running.flows import Recorded, flows, grid_limit_w, stored_wh
from voltbench.running.scenario import run
from voltbench.running.summary import jain_index, summarize
from voltbench.running.visits import Ending
from voltbench.site.calendar import Calendar
from voltbench.site.peaks import PeakTariff
from voltbench.site.sampling import sample_edges
from voltbench.site.series import StepSeries
from voltbench.site.tariff import Tariff

STEADY = a_vehicle_model(peak_w=60_000.0, knee_soc=0.99)
"""A car that takes 60 kW until it is all but full."""


def a_steady_visit(id="visit-1", **changes):
    return a_visit(id, model=STEADY, **{"asked_wh": 30_000.0, "soc": 0.1, **changes})


def summary_of(scenario):
    return summarize(run(scenario))


def test_a_car_that_gets_all_it_asked_for():
    summary = summary_of(a_scenario([a_steady_visit()]))
    assert summary.visits.satisfied == summary.visits.served == summary.visits.came == 1
    assert summary.delivery.delivered_wh == pytest.approx(30_000)
    assert summary.delivery.unmet_wh == pytest.approx(0, abs=1e-6)
    assert summary.delivery.fairness == pytest.approx(1)
    assert summary.grid.import_wh == pytest.approx(30_000)
    assert summary.grid.peak_instant_w == summary.grid.peak_minute_w == pytest.approx(60_000)
    assert summary.grid.limit_w == 400_000


def test_a_station_loses_what_it_draws_and_does_not_deliver():
    site = a_site(station=a_station_model(efficiency=0.95))
    delivery = summary_of(a_scenario([a_steady_visit()], site)).delivery
    assert delivery.delivered_wh == pytest.approx(30_000)
    assert delivery.drawn_wh == pytest.approx(30_000 / 0.95)


def test_who_finds_the_site_full_is_turned_away_and_who_waits_is_counted():
    site = a_site(stations=1, station=a_station_model(connectors=1))
    visits = [
        a_steady_visit("first", stays_h=1.0),
        a_steady_visit("hasty", arrives_at=at(8, 10)),
        a_steady_visit("patient", arrives_at=at(8, 30), patience_ms=60 * MS_PER_MINUTE),
    ]
    summary = summary_of(a_scenario(visits, site))
    assert (summary.visits.came, summary.visits.served, summary.visits.turned_away) == (3, 2, 1)
    assert summary.waiting.queued_mean_s == pytest.approx(30 * 60 / 3)
    assert summary.delivery.unmet_wh == pytest.approx(30_000)


def test_peaks_are_means_over_minutes_and_quarter_hours_of_the_clock():
    summary = summary_of(a_scenario([a_steady_visit(asked_wh=10_000.0, arrives_at=at(8, 5))]))
    assert summary.grid.peak_minute_w == pytest.approx(60_000)
    assert summary.grid.peak_quarter_hour_w == pytest.approx(40_000)


def test_cost_is_import_less_export_and_the_demand_charge():
    prices = StepSeries([(MIDNIGHT, 0.20), (at(8, 15), 0.40)])
    tariff = Tariff(
        "EUR",
        import_price_per_kwh=prices,
        export_price_per_kwh=StepSeries.constant(0.08),
        demand_price_per_kw=2.0,
        co2_g_per_kwh=StepSeries.constant(300.0),
    )
    generation = StepSeries([(MIDNIGHT, 0.0), (at(12), 10_000.0), (at(13), 0.0)])
    summary = summary_of(a_scenario([a_steady_visit()], a_site(generation_w=generation), tariff=tariff))
    assert summary.cost.energy_import == pytest.approx(15 * 0.20 + 15 * 0.40)
    assert summary.cost.energy_export == pytest.approx(10 * 0.08)
    assert summary.cost.demand_charge == pytest.approx(60 * 2)
    assert summary.cost.total == pytest.approx(9 - 0.8 + 120)
    assert summary.co2_g == pytest.approx(30 * 300)


def test_what_costs_nothing_known_costs_nothing_said():
    summary = summary_of(a_scenario())
    assert summary.cost is None
    assert summary.co2_g is None


def test_generation_beyond_the_export_limit_is_curtailed_on_any_sampling():
    generation = StepSeries([(MIDNIGHT, 0.0), (at(12), 50_000.0), (at(12, 30), 0.0)])
    outcome = run(a_scenario([], a_site(load_w=5_000.0, generation_w=generation, export_limit_w=20_000.0)))
    grid = summarize(outcome).grid
    assert grid.curtailed_wh == pytest.approx(12_500)
    assert grid.export_wh == pytest.approx(10_000)
    assert grid.generation_wh == pytest.approx(12_500)
    hourly = flows(Recorded.of(outcome), sample_edges(at(0), at(24), 60 * MS_PER_MINUTE))
    assert hourly.curtailed_w[12] == pytest.approx(12_500)
    assert hourly.grid_w[12] == pytest.approx(5_000 - 12_500)


def test_the_battery_gives_what_is_missing_and_takes_it_back():
    storage = a_storage(efficiency=0.9)
    visits = [a_visit(f"visit-{i}", soc=0.1, asked_wh=30_000.0) for i in range(3)]
    site = a_site(grid_w=200_000.0, storage=storage, storage_soc=0.5)
    use = summary_of(a_scenario(visits, site)).storage
    assert use.soc_end == pytest.approx(1.0)
    assert use.discharged_wh > 0
    assert use.charged_wh * 0.9 - use.discharged_wh / 0.9 == pytest.approx(0.5 * 200_000, rel=1e-6)
    assert use.loss_wh == pytest.approx(use.charged_wh * 0.1 + use.discharged_wh * (1 / 0.9 - 1))
    assert use.full_cycles == pytest.approx((use.charged_wh * 0.9 + use.discharged_wh / 0.9) / 400_000)


def test_the_battery_s_charge_is_known_at_any_instant():
    storage = a_storage(power_w=60_000.0)
    outcome = run(a_scenario([], a_site(storage=storage, storage_soc=0.4)))
    charge_wh = stored_wh(Recorded.of(outcome), np.array([at(0), at(1), at(1.5), at(3)]))
    assert charge_wh == pytest.approx([80_000, 140_000, 170_000, 200_000], rel=1e-6)
    assert stored_wh(Recorded.of(run(a_scenario([]))), np.array([at(0)])) is None


def test_connectors_are_occupied_longer_than_they_charge():
    summary = summary_of(a_scenario([a_steady_visit(connector="station-1:2", stays_h=2.0)]))
    use = {use.connector: use for use in summary.connectors}["station-1:2"]
    assert (use.visits, use.occupied_s) == (1, 7_200)
    assert use.charging_s == pytest.approx(1_800)
    assert summary.occupied == pytest.approx(2 / (24 * 4))
    assert summary.charging == pytest.approx(0.5 / (24 * 4))


def test_an_empty_day_is_all_zeros():
    summary = summary_of(a_scenario([]))
    assert summary.delivery.asked_wh == summary.grid.peak_instant_w == summary.occupied == 0
    assert summary.delivery.fairness == 1


def test_a_limit_that_changes_is_shown_as_it_holds():
    limit = StepSeries([(MIDNIGHT, 300_000.0), (at(12), 100_000.0)])
    scenario = a_scenario([], a_site(grid_w=limit))
    limit_w = grid_limit_w(scenario, np.array([at(0), at(11), at(13), at(24)]))
    assert limit_w == pytest.approx([300_000, 200_000, 100_000])
    assert summary_of(scenario).grid.limit_w == 100_000
    scenario.site.tree.clear_limit("grid", "contract")
    assert np.isnan(grid_limit_w(scenario, np.array([at(0), at(24)]))).all()


def test_the_exact_peak_lies_between_the_minutes():
    humped = Acceptance((0.0, 0.5, 1.0), (20_000.0, 120_000.0, 10_000.0))
    model = msgspec.structs.replace(a_vehicle_model(), acceptance=humped)
    grid = summary_of(a_scenario([a_visit(model=model, soc=0.3, asked_wh=30_000.0)])).grid
    assert grid.peak_minute_w < grid.peak_instant_w == pytest.approx(120_000, rel=1e-6)


def test_jain_s_index_runs_from_one_of_many_to_all_alike():
    assert jain_index([1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)
    assert jain_index([0.7, 0.7, 0.7]) == pytest.approx(1.0)
    assert jain_index([]) == jain_index([0.0]) == 1.0


def test_who_wants_more_than_the_pack_takes_is_full_not_short():
    visit = a_visit(asked_wh=90_000.0, soc=0.2, stays_h=10.0)
    outcome = run(a_scenario([visit]))
    (stay,) = outcome.ledger
    assert (stay.asked_wh, stay.unmet_wh, stay.ending) == (90_000.0, 0.0, Ending.SATISFIED)
    assert stay.fitting_wh == pytest.approx(0.8 * 75_000 - 0.02 * 0.2 * 75_000)
    assert stay.soc_end == pytest.approx(0.996)
    assert summarize(outcome).delivery.beyond_wh == pytest.approx(90_000.0 - stay.fitting_wh)
    assert summarize(outcome).delivery.part == pytest.approx(1.0)


def test_a_driver_in_a_hurry_whose_car_is_full_already_goes_on_at_once():
    outcome = run(a_scenario([a_visit(soc=1.0, leaves_satisfied=True)]))
    (stay,) = outcome.ledger
    assert (stay.plugged_at, stay.ended_at, stay.ending) == (at(8), at(8), Ending.SATISFIED)


def test_what_is_sold_bought_and_curtailed_is_exact_whatever_the_sampling():
    """The sun gives 40 kW, 5 kW may be fed in; a car comes for 20 s, and one that tapers below what the sun gives."""
    site = a_site(generation_w=40_000.0, export_limit_w=5_000.0)
    short = a_steady_visit("short", arrives_at=at(8, 0) + 10_000, stays_h=20.0 / 3_600.0)
    tapering = a_visit("tapering", at(9), 3.0, asked_wh=60_000.0, soc=0.7)
    outcome = run(a_scenario([short, tapering], site, hours=14))
    recorded, scenario = Recorded.of(outcome), outcome.scenario
    grid = summarize(outcome).grid
    assert grid.curtailed_wh + grid.generation_wh == pytest.approx(14.0 * 40_000.0)
    seconds = flows(recorded, sample_edges(scenario.starts_at, scenario.ends_at, 100))
    assert grid.import_wh == pytest.approx(float(np.dot(seconds.grid_w.clip(min=0.0), seconds.hours)), rel=1e-5)
    assert grid.export_wh == pytest.approx(float(np.dot((-seconds.grid_w).clip(min=0.0), seconds.hours)), rel=1e-5)
    net_wh = {
        every_ms: float(np.dot(flow.grid_w, flow.hours))
        for every_ms in (1_000, 60_000, 3_600_000)
        for flow in [flows(recorded, sample_edges(scenario.starts_at, scenario.ends_at, every_ms))]
    }
    assert list(net_wh.values()) == pytest.approx([grid.import_wh - grid.export_wh] * 3, abs=0.01)
    assert float(seconds.grid_w.min()) >= -5_000.0 - 1e-6


def test_a_peak_tariff_bills_the_highest_hour_of_the_month():
    peak = PeakTariff(Calendar(UTC), price_per_kw=50.0, count=1)
    scenario = a_scenario([a_steady_visit()], tariff=Tariff(import_price_per_kwh=StepSeries.constant(0.0), peak=peak))
    assert summary_of(scenario).cost.demand_charge == pytest.approx(30.0 * 50.0)
