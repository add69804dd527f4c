"""A hosted site goes by what its cars report: whose limits are confirmed, who is silent, who lends."""

import pytest

from tests.builders import a_site, a_storage
from tests.hosting import T0, T1, T2, a_hosted_site, allocated, battery_kw, start
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.energy.commit import Confirmation
from voltbench.energy.control import ControlOptions
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE
from voltbench.running.hosted import HostedPlan, HostedSite
from voltbench.running.inputs import (
    Recompute,
    SetLimit,
    UpdatePower,
)

# --- demand, readings, confirmation --------------------------------------------------------------------------------


def test_what_a_vehicle_could_take_is_its_demand_and_what_it_consumes_is_only_a_reading():
    site = a_hosted_site()
    for i, place in enumerate(["1:1", "1:2", "2:1"]):
        start(site, T0, f"S{i + 1}", place)
    site.take(T1, UpdatePower("S1", 20_000.0, 150_000.0))
    assert allocated(site, T1) == dict.fromkeys(["S1", "S2", "S3"], 133.33)
    site.take(T2, UpdatePower("S1", 20_000.0, 100_000.0))
    assert allocated(site, T2) == {"S1": 100.0, "S2": 150.0, "S3": 150.0}
    assert site.status(T2).grid_power_w == pytest.approx(320_000.0)


def test_a_newcomer_waits_until_room_is_reported():
    site = a_hosted_site(confirmation=Confirmation.REPORTED)
    for i, place in enumerate(["1:1", "1:2", "2:1"]):
        start(site, T0, f"S{i + 1}", place, 130_000.0)
    assert allocated(site, T0) == dict.fromkeys(["S1", "S2", "S3"], 130.0)
    newcomer = start(site, T1, "S4", "2:2", 130_000.0)
    assert newcomer.allocated_w == pytest.approx(10_000.0)
    for i in (1, 2, 3):  # they learn of the lower limit only from the answer
        told = site.take(T1 + 500, UpdatePower(f"S{i}", 99_000.0, 130_000.0))
        assert told.allocated_w == pytest.approx(100_000.0)
    assert allocated(site, T1 + 500)["S4"] == 10.0
    site.take(T1 + 1_000, UpdatePower("S1", 99_000.0, 130_000.0))
    assert allocated(site, T1 + 1_000)["S4"] == 40.0
    site.take(T1 + 2_000, UpdatePower("S2", 110_000.0, 130_000.0))
    assert allocated(site, T1 + 2_000)["S4"] == 60.0
    site.take(T1 + 3_000, UpdatePower("S2", 100_000.0, 130_000.0))
    site.take(T1 + 4_000, UpdatePower("S3", 100_000.0, 130_000.0))
    assert allocated(site, T1 + 4_000) == dict.fromkeys(["S1", "S2", "S3", "S4"], 100.0)
    assert site.operation.excess(T1 + 4_000)[0] <= 1e-6


def test_a_report_confirms_no_limit_that_its_device_has_not_been_told():
    site = a_hosted_site(grid_w=200_000.0, confirmation=Confirmation.REPORTED)
    assert start(site, T0, "A", "1:1").allocated_w == 150_000.0
    assert start(site, T0, "B", "2:1").allocated_w == 50_000.0
    site.take(T1, UpdatePower("A", 90_000.0, 150_000.0))  # told 100 kW, but the answer is lost: it may draw 150
    assert site.take(T1, UpdatePower("B", 50_000.0, 150_000.0)).allocated_w == 50_000.0
    site.take(T2, UpdatePower("A", 150_000.0, 150_000.0))  # it still does
    assert site.take(T2, UpdatePower("B", 50_000.0, 150_000.0)).allocated_w == 50_000.0
    site.take(T2 + 1_000, UpdatePower("A", 100_000.0, 150_000.0))
    assert site.take(T2 + 1_000, UpdatePower("B", 50_000.0, 150_000.0)).allocated_w == 100_000.0


def test_where_reports_confirm_a_lower_limit_lowers_no_draw_by_itself():
    site = a_hosted_site(confirmation=Confirmation.REPORTED)
    start(site, T0, "S1", "1:1")
    site.take(T0, UpdatePower("S1", 150_000.0, 150_000.0))
    site.take(T1, SetLimit("grid", "dso", 50_000.0))
    assert allocated(site, T1) == {"S1": 50.0}
    assert site.session(T1, "S1").power_w == 150_000.0
    assert site.take(T2, UpdatePower("S1", 49_000.0, 150_000.0)).power_w == 49_000.0


def test_where_reports_confirm_the_battery_stops_offering_while_it_can_still_cover_what_was_allowed():
    site = a_hosted_site(storage=a_storage(200_000.0, 200_000.0), confirmation=Confirmation.REPORTED)
    places = ["1:1", "1:2", "2:1", "2:2"]
    for i, place in enumerate(places):
        start(site, T0, f"S{i + 1}", place)
    stops_offering = T0 + 52 * MS_PER_MINUTE
    draws = dict.fromkeys(["S1", "S2", "S3", "S4"], 150_000.0)
    for now in range(T0 + 10_000, T0 + 60 * MS_PER_MINUTE, 10_000):
        session = f"S{now // 10_000 % 4 + 1}"
        told = site.take(now, UpdatePower(session, draws[session], 150_000.0))
        assert told.allocated_w == pytest.approx(150_000.0 if now < stops_offering else 100_000.0)
        draws[session] = told.allocated_w
        assert site.operation.excess(now)[0] <= 1e-6
        assert site.status(now).grid_power_w <= 400_000.0 + 1e-6
    assert battery_kw(site, T0 + 60 * MS_PER_MINUTE) == 0.0


# --- the battery and what is really drawn ----------------------------------------------------------------------------


def four_cars_on_a_boosted_site(**options) -> HostedSite:
    """Four cars of 150 kW on 400 kW and a battery of 200 kW."""
    site = a_hosted_site(storage=a_storage(200_000.0, 200_000.0), **options)
    for i, place in enumerate(["1:1", "1:2", "2:1", "2:2"]):
        start(site, T0, f"S{i + 1}", place)
    return site


def test_the_battery_gives_what_is_lacking_for_what_is_drawn_and_stands_by_for_the_rest():
    site = four_cars_on_a_boosted_site()
    assert battery_kw(site, T0) == 200.0
    site.take(T1, UpdatePower("S1", 20_000.0, 150_000.0))
    assert battery_kw(site, T1) == 70.0
    assert allocated(site, T1) == dict.fromkeys(["S1", "S2", "S3", "S4"], 150.0)
    assert site.status(T1).grid_power_w == pytest.approx(400_000.0)
    assert site.operation.excess(T1)[0] <= 0.0


def test_cars_that_draw_little_neither_empty_the_battery_nor_make_it_feed_the_grid():
    site = four_cars_on_a_boosted_site()
    for i in range(4):
        site.take(T0, UpdatePower(f"S{i + 1}", 5_000.0, 150_000.0))
    then = site.status(T0 + 2 * MS_PER_HOUR)
    assert then.battery is not None
    assert (then.battery.soc, then.grid_power_w) == (1.0, 20_000.0)
    assert [session.allocated_w for session in then.sessions] == [150_000.0] * 4
    assert [session.boosted_w for session in then.sessions] == [0.0] * 4


def test_a_small_car_is_offered_its_small_minimum_after_a_restart_too():
    station = StationModel("ac", "ac", 22_080.0, (ConnectorModel("sType2", 22_080.0),), "made up", step_a=1.0)
    site = HostedSite(HostedPlan(a_site(2_000.0, 1, station)), T0)
    start(site, T0, "S1", "1:1", vehicle_max_w=1_380.0)
    again = HostedSite.restore(site.plan, site.snapshot())
    for place in (site, again):
        assert place.take(T1, Recompute()).sessions[0].allocated_w == 1_380.0


def test_generation_beyond_the_export_limit_is_held_back_live_too():
    site = HostedSite(HostedPlan(a_site(generation_w=50_000.0, load_w=5_000.0, export_limit_w=20_000.0)), T0)
    seen = site.status(T0)
    assert (seen.grid_power_w, seen.generation_w) == (-20_000.0, 25_000.0)
    start(site, T0, "S1", "1:1", vehicle_max_w=30_000.0)
    seen = site.status(T0)
    assert (seen.grid_power_w, seen.generation_w) == (-15_000.0, 50_000.0)


# --- who is not heard of any more ------------------------------------------------------------------------------------


def two_cars_of_which_one_falls_silent() -> HostedSite:
    """Two cars share 100 kW; a limit is valid for 30 s, and only the first goes on reporting, every 10 s."""
    site = HostedSite(HostedPlan(a_site(100_000.0), validity_ms=30_000), T0)
    start(site, T0, "S1", "1:1")
    start(site, T0, "S2", "2:1")
    return site


def reports(site: HostedSite, until_s: int) -> dict[str, float]:
    for now in range(site.now // 10_000 * 10_000 + 10_000, T0 + until_s * 1_000 + 1, 10_000):
        site.take(now, UpdatePower("S1", 50_000.0, 150_000.0))
    return allocated(site, T0 + until_s * 1_000)


def test_a_silent_car_keeps_its_share_while_its_limit_is_valid_and_no_longer():
    site = two_cars_of_which_one_falls_silent()
    assert reports(site, 29) == {"S1": 50.0, "S2": 50.0}
    assert reports(site, 30) == {"S1": 100.0, "S2": 0.0}
    silent = site.session(site.now, "S2")
    assert (silent.binding, silent.power_w, silent.consumed_w) == ("silence", 0.0, None)


def test_who_is_heard_of_again_has_its_share_again():
    site = two_cars_of_which_one_falls_silent()
    assert reports(site, 40) == {"S1": 100.0, "S2": 0.0}
    assert site.take(site.now, UpdatePower("S2", 0.0, 150_000.0)).allocated_w == 50_000.0
    assert site.session(site.now, "S2").binding == "grid"


def test_where_reports_confirm_who_comes_back_waits_for_room():
    plan = HostedPlan(a_site(100_000.0), ControlOptions(confirmation=Confirmation.REPORTED), validity_ms=30_000)
    site = HostedSite(plan, T0)
    start(site, T0, "S1", "1:1")
    start(site, T0, "S2", "2:1")
    assert reports(site, 40) == {"S1": 100.0, "S2": 0.0}
    assert site.take(site.now, UpdatePower("S2", 0.0, 150_000.0)).allocated_w == 0.0
    assert reports(site, 50) == {"S1": 50.0, "S2": 0.0}
    assert reports(site, 60)["S1"] == 50.0
    assert site.take(site.now, UpdatePower("S2", 0.0, 150_000.0)).allocated_w == 50_000.0


def test_a_site_that_was_down_finds_its_silent_cars_without_a_limit():
    site = two_cars_of_which_one_falls_silent()
    reports(site, 10)
    again = HostedSite.restore(site.plan, site.snapshot())
    assert allocated(again, T0 + 5 * MS_PER_MINUTE) == {"S1": 0.0, "S2": 0.0}
    assert allocated(site, T0 + 5 * MS_PER_MINUTE) == {"S1": 0.0, "S2": 0.0}


# --- lending what is not used ----------------------------------------------------------------------------------------


def a_lending_site() -> HostedSite:
    """Three cars of 150 kW on 400 kW; the first draws 60."""
    site = a_hosted_site(lends_after_s=30.0)
    for i, place in enumerate(["1:1", "1:2", "2:1"]):
        start(site, T0, f"S{i + 1}", place)
    site.take(T0, UpdatePower("S1", 60_000.0, 150_000.0))
    return site


def test_a_share_not_drawn_for_30_s_is_lent():
    site = a_lending_site()
    assert allocated(site, T0 + 29_999)["S2"] == 133.33
    assert allocated(site, T0 + 30_000) == {"S1": 63.0, "S2": 150.0, "S3": 150.0}
    assert site.session(T0 + 30_000, "S1").is_lent


def test_who_draws_what_is_left_gets_its_share_back():
    site = a_lending_site()
    site.take(T1, UpdatePower("S1", 62_000.0, 150_000.0))
    assert not site.session(T1, "S1").is_lent
    assert allocated(site, T1)["S1"] == 133.33


def test_who_states_another_maximum_gets_its_share_back():
    site = a_lending_site()
    site.take(T1, UpdatePower("S1", 10_000.0, 140_000.0))
    assert allocated(site, T1)["S1"] == 133.33


def test_what_is_lent_follows_what_is_drawn():
    site = a_lending_site()
    site.take(T1, UpdatePower("S1", 40_000.0, 150_000.0))
    assert site.session(T1, "S1").is_lent
    assert allocated(site, T1)["S1"] == 42.0


def test_a_vehicle_that_is_ramping_up_does_not_lend():
    site = a_lending_site()
    site.take(T0 + 25_000, UpdatePower("S1", 110_000.0, 150_000.0))
    assert not site.session(T0 + 54_999, "S1").is_lent
    assert site.session(T0 + 55_000, "S1").is_lent


def test_nothing_is_lent_unless_asked_for():
    site = a_hosted_site()
    for i, place in enumerate(["1:1", "1:2", "2:1"]):
        start(site, T0, f"S{i + 1}", place)
    site.take(T0, UpdatePower("S1", 0.0, 150_000.0))
    assert site.next_wakeup() is None
    assert allocated(site, T0 + MS_PER_HOUR)["S1"] == 133.33
