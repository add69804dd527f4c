"""A hosted site: the contract's scenarios, sessions that only report, and what is refused."""

from math import inf, nan

import pytest

from tests.builders import a_site, a_station_model, a_storage
from tests.hosting import T0, T1, T2, T3, a_hosted_site, allocated, battery_kw, start
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.energy.commit import Confirmation
from voltbench.energy.control import ControlOptions
from voltbench.errors import Conflict, InvalidInput, LocalProtocolError, NotFound
from voltbench.events import LimitSet
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE
from voltbench.running.hosted import MOST_SOURCES, HostedPlan, HostedSite
from voltbench.running.inputs import (
    Recompute,
    SetLimit,
    StartSession,
    StopSession,
    UpdatePower,
    decoded,
    encoded,
)

# --- the official scenarios ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("load_w", [0.0, 3_000.0])
def test_scenario_1_two_cars_share_a_charger(load_w):
    site = a_hosted_site(stations=1, rating_w=200_000.0, load_w=load_w)
    start(site, T0, "S1", "1:1")
    answer = start(site, T0, "S2", "1:2")
    assert allocated(site, T0) == {"S1": 100.0, "S2": 100.0}
    assert answer.binding == "station-1"


@pytest.mark.parametrize(("load_w", "three", "four"), [(0.0, 133.33, 100.0), (3_000.0, 132.33, 99.25)])
def test_scenario_2_cars_come_and_go(load_w, three, four):
    site = a_hosted_site(load_w=load_w)
    start(site, T0, "S1", "1:1")
    start(site, T0, "S2", "1:2")
    assert allocated(site, T0) == {"S1": 150.0, "S2": 150.0}
    assert round(start(site, T1, "S3", "2:1").allocated_w / 1_000, 2) == three
    assert allocated(site, T1) == dict.fromkeys(["S1", "S2", "S3"], three)
    start(site, T2, "S4", "2:2")
    assert allocated(site, T2) == dict.fromkeys(["S1", "S2", "S3", "S4"], four)
    assert site.status(T2).grid_power_w == pytest.approx(400_000.0)
    site.take(T3, StopSession("S1"))
    assert allocated(site, T3) == dict.fromkeys(["S2", "S3", "S4"], three)


@pytest.mark.parametrize(
    ("power_w", "load_w", "boost_of_three", "boost_of_four", "four"),
    [
        (200_000.0, 0.0, 50.0, 200.0, 150.0),
        (200_000.0, 3_000.0, 53.0, 200.0, 149.25),
        (100_000.0, 0.0, 50.0, 100.0, 125.0),
        (100_000.0, 3_000.0, 53.0, 100.0, 124.25),
    ],
)
def test_scenario_3_the_battery_boosts(power_w, load_w, boost_of_three, boost_of_four, four):
    site = a_hosted_site(load_w=load_w, storage=a_storage(200_000.0, power_w))
    start(site, T0, "S1", "1:1")
    start(site, T0, "S2", "1:2")
    assert battery_kw(site, T0) == 0.0
    start(site, T1, "S3", "2:1")
    assert allocated(site, T1) == dict.fromkeys(["S1", "S2", "S3"], 150.0)
    assert battery_kw(site, T1) == boost_of_three
    start(site, T2, "S4", "2:2")
    assert allocated(site, T2) == dict.fromkeys(["S1", "S2", "S3", "S4"], four)
    assert battery_kw(site, T2) == boost_of_four
    assert site.status(T2).grid_power_w == pytest.approx(400_000.0)
    site.take(T3, StopSession("S1"))
    assert allocated(site, T3) == dict.fromkeys(["S2", "S3", "S4"], 150.0)
    assert battery_kw(site, T3) == boost_of_three


@pytest.mark.parametrize(("power_w", "boosted", "minutes"), [(200_000.0, 150.0, 54), (100_000.0, 125.0, 108)])
def test_the_boost_lasts_as_long_as_the_battery(power_w, boosted, minutes):
    site = a_hosted_site(storage=a_storage(200_000.0, power_w))
    for i, place in enumerate(["1:1", "1:2", "2:1", "2:2"]):
        start(site, T0, f"S{i + 1}", place)
    empty = T0 + minutes * MS_PER_MINUTE
    assert set(allocated(site, empty - 1).values()) == {boosted}
    assert set(allocated(site, empty).values()) == {100.0}
    battery = site.status(empty).battery
    assert battery is not None
    assert battery.soc == pytest.approx(0.1)


def test_a_reader_never_sees_a_limit_broken_while_the_battery_runs_empty():
    site = a_hosted_site(load_w=3_000.0, storage=a_storage(20_000.0, 100_000.0))
    for i, place in enumerate(["1:1", "1:2", "2:1", "2:2"]):
        start(site, T0 + i * 700, f"S{i + 1}", place)
    for now in range(T0 + 2_100, T0 + 20 * MS_PER_MINUTE, 777):
        view = site.status(now)
        assert view.grid_power_w <= view.grid_limit_w + 1e-6
        assert site.operation.excess(now)[0] <= 1e-6


# --- energies ------------------------------------------------------------------------------------------------------


def test_energy_is_the_integral_of_what_was_reported():
    site = a_hosted_site()
    start(site, T0, "S1", "1:1")
    site.take(T0 + 6 * MS_PER_MINUTE, UpdatePower("S1", 100_000.0, 150_000.0))
    site.take(T0 + 12 * MS_PER_MINUTE, UpdatePower("S1", 50_000.0, 150_000.0))
    ended = site.take(T0 + 18 * MS_PER_MINUTE, StopSession("S1"))
    assert ended.energy_wh == pytest.approx(15_000.0 + 10_000.0 + 5_000.0)
    assert (ended.status, ended.reason, ended.consumed_w) == ("Ended", "stopped", 50_000.0)


def test_a_reading_above_the_limit_counts_until_a_lower_limit_follows_it():
    site = a_hosted_site()
    start(site, T0, "S1", "1:1")
    site.take(T0, UpdatePower("S1", 190_000.0, 150_000.0))
    assert site.status(T0).grid_power_w == 190_000.0
    assert HostedSite.restore(site.plan, site.snapshot()).status(T0).grid_power_w == 190_000.0
    view = site.take(T0 + MS_PER_HOUR, SetLimit("grid", "dso", 100_000.0))
    assert (view.sessions[0].energy_wh, view.grid_power_w) == (190_000.0, 100_000.0)
    assert site.take(T0 + 2 * MS_PER_HOUR, SetLimit("grid", "dso", 120_000.0)).grid_power_w == 120_000.0


def test_a_full_vehicle_can_take_nothing():
    site = a_hosted_site()
    start(site, T0, "S1", "1:1")
    assert site.take(T1, UpdatePower("S1", 0.0, 0.0)).allocated_w == 0.0


def test_so_many_sources_limit_a_node_and_no_more():
    site = a_hosted_site()
    for i in range(MOST_SOURCES):
        site.take(T0, SetLimit("grid", f"source {i}", 90_000.0))
    with pytest.raises(Conflict, match="sources"):
        site.take(T0, SetLimit("grid", "another", 10_000.0))
    site.take(T0, SetLimit("grid", "source 0", 80_000.0))
    site.take(T0, SetLimit("grid", "source 0", None))
    assert site.take(T0, SetLimit("grid", "another", 10_000.0)).grid_limit_w == 10_000.0


def test_an_empty_battery_rests_at_zero():
    site = a_hosted_site(storage=a_storage(200_000.0, 200_000.0))
    for i, place in enumerate(["1:1", "1:2", "2:1", "2:2"]):
        start(site, T0, f"S{i + 1}", place)
    battery = site.status(T0 + 3 * MS_PER_HOUR).battery
    assert battery is not None
    assert str(battery.power_w) == "0.0"


def test_what_another_format_kept_is_refused():
    site = a_hosted_site()
    with pytest.raises(InvalidInput, match="format"):
        HostedSite.restore(site.plan, b"\x7f" + site.snapshot()[1:])
    with pytest.raises(InvalidInput, match="format"):
        decoded(b"\x7f" + encoded(Recompute())[1:])


def test_the_energy_metered_at_the_end_counts():
    site = a_hosted_site()
    start(site, T0, "S1", "1:1")
    ended = site.take(T0 + MS_PER_HOUR, StopSession("S1", consumed_wh=42_000.0, duration_s=3_590.0))
    assert (ended.energy_wh, ended.reported_duration_s) == (42_000.0, 3_590.0)
    assert site.session(T0 + 2 * MS_PER_HOUR, "S1") == ended


# --- limits from others ----------------------------------------------------------------------------------------------


def test_the_lowest_source_holds_until_it_is_taken_back():
    site = a_hosted_site()
    start(site, T0, "S1", "1:1")
    view = site.take(T1, SetLimit("grid", "dso", 60_000.0))
    assert (view.grid_limit_w, view.grid_capacity_w) == (60_000.0, 400_000.0)
    assert (view.sessions[0].allocated_w, view.sessions[0].binding) == (60_000.0, "grid (dso)")
    view = site.take(T2, SetLimit("grid", "dso", None))
    assert (view.limits, view.sessions[0].allocated_w) == ((), 150_000.0)


def test_the_configurations_own_limits_cannot_be_taken_away():
    site = a_hosted_site()
    with pytest.raises(Conflict, match="belongs to the configuration"):
        site.take(T1, SetLimit("grid", "contract", None))


def test_two_sites_of_one_plan_have_limits_of_their_own():
    one = a_hosted_site()
    other = HostedSite(one.plan, T0)
    one.take(T1, SetLimit("grid", "dso", 60_000.0))
    assert other.status(T1).grid_limit_w == 400_000.0


# --- what binds ------------------------------------------------------------------------------------------------------


def test_the_binding_limit_is_named():
    site = a_hosted_site(rating_w=200_000.0)
    assert start(site, T0, "S1", "1:1", 100_000.0).binding == "vehicle"
    assert start(site, T0, "S2", "2:1", 250_000.0).binding == "station-2"
    start(site, T0, "S3", "1:2")
    bindings = {session.id: session.binding for session in site.status(T0).sessions}
    assert bindings == {"S1": "vehicle", "S2": "station-2", "S3": "station-1"}


def test_nobody_is_given_more_than_the_vehicle_takes():
    site = a_hosted_site(stations=1, rating_w=200_000.0)
    start(site, T0, "S1", "1:1", 200_000.0)
    start(site, T0, "S2", "1:2", 22_000.0)
    assert allocated(site, T0) == {"S1": 178.0, "S2": 22.0}


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("input", "error"),
    [
        (StartSession("S2", "station-9", "1", 1.0), NotFound("charger", "station-9")),
        (StartSession("S2", "station-1", "3", 1.0), NotFound("connector", "station-1:3")),
        (StartSession("S2", "station-1", "x", 1.0), NotFound("connector", "station-1:x")),
        (
            StartSession("S2", "station-1", "1", 1.0),
            Conflict("connector", "station-1:1", "is occupied by session 'S1'"),
        ),
        (StartSession("S1", "station-1", "2", 1.0), Conflict("session", "S1", "exists already")),
        (StartSession("S0", "station-1", "2", 1.0), Conflict("session", "S0", "exists already")),
        (UpdatePower("S9", 1.0, 1.0), NotFound("session", "S9")),
        (UpdatePower("S0", 1.0, 1.0), Conflict("session", "S0", "has ended")),
        (StopSession("S0"), Conflict("session", "S0", "has ended")),
        (StopSession("S9"), NotFound("session", "S9")),
        (SetLimit("feeder", "dso", 1.0), NotFound("node", "feeder")),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(input, error):
    site = a_hosted_site()
    start(site, T0, "S0", "1:1")
    site.take(T0, StopSession("S0"))
    start(site, T0, "S1", "1:1")
    site.advance(T1)
    before = site.snapshot()
    with pytest.raises(type(error)) as raised:
        site.take(T1, input)
    assert raised.value.args == error.args
    assert site.snapshot() == before


@pytest.mark.parametrize("number", [-1.0, nan, inf])
@pytest.mark.parametrize(
    ("field", "input"),
    [
        ("vehicle_max_w", lambda n: StartSession("S2", "station-1", "2", n)),
        ("vehicle_max_w", lambda n: UpdatePower("S1", 1.0, n)),
        ("consumed_w", lambda n: UpdatePower("S1", n, 1.0)),
        ("consumed_wh", lambda n: StopSession("S1", consumed_wh=n)),
        ("duration_s", lambda n: StopSession("S1", duration_s=n)),
        ("power_w", lambda n: SetLimit("grid", "dso", n)),
    ],
)
def test_what_is_no_amount_is_refused_by_its_field(field, input, number):
    site = a_hosted_site()
    start(site, T0, "S1", "1:1")
    before = site.snapshot()
    with pytest.raises(InvalidInput) as raised:
        site.take(T0, input(number))
    assert raised.value.field == field
    assert site.snapshot() == before


def test_time_does_not_run_backwards():
    site = a_hosted_site()
    site.advance(T1)
    with pytest.raises(LocalProtocolError):
        site.take(T0, Recompute())


def test_ending_everything_leaves_records():
    site = a_hosted_site()
    start(site, T0, "S1", "1:1")
    start(site, T0, "S2", "1:2")
    ended = site.end(T1, "configuration replaced")
    assert [(session.id, session.reason) for session in ended] == [
        ("S1", "configuration replaced"),
        ("S2", "configuration replaced"),
    ]
    assert site.status(T1).sessions == []


# --- why -------------------------------------------------------------------------------------------------------------


def test_who_waits_for_what_others_have_not_given_back_yet_is_not_held_back_by_its_vehicle():
    site = a_hosted_site(confirmation=Confirmation.REPORTED, grid_w=200_000.0)
    start(site, T0, "A", "1:1", 150_000.0)
    site.take(T0, UpdatePower("A", 150_000.0, 100_000.0))
    newcomer = start(site, T0, "B", "2:1", 100_000.0)
    assert newcomer.allocated_w == 50_000.0
    assert newcomer.binding == "grid"


def test_the_same_reason_is_given_to_who_asks_and_to_who_listens():
    told = dict[str, LimitSet]()
    site = HostedSite(HostedPlan(a_site(stations=1), validity_ms=30_000), T0)
    site.on_fact = lambda fact: told.update({fact.session: fact}) if isinstance(fact, LimitSet) else None
    view = start(site, T0, "A", "1:1", 250_000.0)
    assert told["A"].binding == view.binding == "station-1"
    site.advance(T1)
    assert told["A"].binding == site.session(T1, "A").binding == "silence"


def test_who_comes_back_does_not_push_out_who_is_being_served():
    station = StationModel("ac", "ac", 22_080.0, (ConnectorModel("sType2", 22_080.0),), "made up", step_a=1.0)
    site = HostedSite(HostedPlan(a_site(5_000.0, 2, station), validity_ms=30_000), T0)
    start(site, T0, "A", "1:1", 22_080.0)
    start(site, T0, "B", "2:1", 22_080.0)
    for now in range(T0, T1 + 1, 10_000):
        site.take(now, UpdatePower("B", 0.0, 22_080.0))
    assert allocated(site, T1) == {"A": 0.0, "B": 4.83}
    site.take(T1, UpdatePower("A", 0.0, 22_080.0))
    assert allocated(site, T1) == {"A": 0.0, "B": 4.83}


def test_who_is_silent_is_reckoned_with_after_a_restart_too():
    station = a_station_model(50_000.0, connectors=1)
    options = ControlOptions(confirmation=Confirmation.REPORTED)
    plan = HostedPlan(a_site(50_000.0, 2, station), options, validity_ms=60_000, failsafe_w=10_000.0)
    site = HostedSite(plan, T0)
    for session, place in (("A", "1:1"), ("B", "2:1")):
        start(site, T0, session, place, 50_000.0)
    for now in range(T0, T2 + 1, 10_000):
        site.take(now, UpdatePower("B", 0.0, 50_000.0))
    assert allocated(site, T2) == {"A": 10.0, "B": 40.0}
    again = HostedSite.restore(plan, site.snapshot())
    again.take(T2, UpdatePower("B", 0.0, 50_000.0))
    assert allocated(again, T2) == {"A": 10.0, "B": 40.0}
