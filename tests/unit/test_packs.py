"""Packs that warm and cool: what their temperature does to charging, and charging to their temperature."""

from dataclasses import replace
from itertools import pairwise
from math import e

import msgspec
import numpy as np
import pytest

from tests.builders import a_scenario, a_site, a_visit
from tests.packs import A_NODE, CAPACITY_WH, a_car_of_cells, a_pack, a_warm_session, charged
from voltbench.battery.pack import PackModel
from voltbench.battery.pack_fleet import PackFleet
from voltbench.battery.thermal import ThermalNode
from voltbench.battery.warm_pack import stored_part
from voltbench.battery.warming import Heat
from voltbench.charging.path import ChargingPath
from voltbench.charging.session import ChargingSession, ChargingStatus
from voltbench.charging.vehicle import Vehicle
from voltbench.charging.warm_session import session_of
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, SECONDS_PER_HOUR
from voltbench.running.scenario import run

TAU_S = A_NODE.heat_capacity_j_per_k / A_NODE.conductance_w_per_k


# --- warmth -----------------------------------------------------------------------------------------------------------


def small_steps(node, degc, ambient_degc, heat, seconds, steps=20_000):
    """The same by the simplest of all means, thresholds included."""
    h, c = seconds / steps, node.heat_capacity_j_per_k
    hot = np.inf if node.cools_above_degc is None else node.cools_above_degc
    cold = -np.inf if node.heats_below_degc is None else node.heats_below_degc
    for i in range(steps):
        heat_w = heat.power_w * np.exp(heat.growth_per_s * (i + 0.5) * h)
        free = degc + h / c * (heat_w - node.conductance_w_per_k * (degc - ambient_degc))
        if free > hot:
            free = max(free - h / c * node.cooling_w, min(hot, free))
        if free < cold:
            free = min(free + h / c * node.heating_w, max(cold, free))
        degc = free
    return degc


def test_a_warm_pack_cools_to_the_air_exponentially():
    assert A_NODE.after(35.0, 15.0, Heat(), TAU_S) == pytest.approx(15.0 + 20.0 / e)
    assert A_NODE.after(35.0, 15.0, Heat(), 1e9) == pytest.approx(15.0)


def test_constant_heat_warms_it_to_where_it_loses_as_much():
    assert A_NODE.after(15.0, 15.0, Heat(400.0), 1e9) == pytest.approx(35.0)
    seconds = A_NODE.leaves_after(15.0, 15.0, Heat(400.0), (0.0, 25.0), np.inf)
    assert seconds == pytest.approx(TAU_S * np.log(2.0))
    assert A_NODE.leaves_after(15.0, 15.0, Heat(400.0), (0.0, 35.0), np.inf) == np.inf


def test_an_insulated_pack_warms_by_all_its_heat():
    node = ThermalNode(heat_capacity_j_per_k=100_000.0, conductance_w_per_k=0.0)
    assert node.after(20.0, -10.0, Heat(1_000.0), 500.0) == pytest.approx(25.0)
    assert node.leaves_after(20.0, -10.0, Heat(1_000.0), (0.0, 25.0), np.inf) == pytest.approx(500.0)


KEPT = ThermalNode(
    heat_capacity_j_per_k=450_000.0,
    conductance_w_per_k=20.0,
    cools_above_degc=35.0,
    cooling_w=3_000.0,
    heats_below_degc=5.0,
    heating_w=2_000.0,
)


@pytest.mark.parametrize("node", [A_NODE, KEPT], ids=["left alone", "kept"])
@pytest.mark.parametrize(
    ("degc", "ambient_degc", "heat"),
    [
        (25.0, 25.0, Heat(4_000.0, -3e-4)),
        (30.0, 20.0, Heat(2_000.0, -1e-4)),
        (-10.0, -10.0, Heat(200.0, 2e-4)),
        (40.0, 30.0, Heat(0.0)),
        (34.0, 30.0, Heat(9_000.0, -8e-4)),
        (20.0, 10.0, Heat(1_000.0, -20.0 / 450_000.0)),
        (33.0, 20.0, Heat(300.0, 1.2e-3)),
        (5.0, -5.0, Heat(0.0)),
        (6.0, -15.0, Heat(500.0, -5e-4)),
    ],
)
def test_the_closed_form_of_warmth_is_what_small_steps_come_to(node, degc, ambient_degc, heat):
    for seconds in (60.0, 1_800.0, 4_000.0):
        stepped = small_steps(node, degc, ambient_degc, heat, seconds)
        assert node.after(degc, ambient_degc, heat, seconds) == pytest.approx(stepped, abs=0.01)
        fleet = np.array([degc])
        for i in range(int(seconds / 10.0)):
            heat_w = np.array([heat.after(10.0 * i + 5.0).power_w])
            fleet = node.step(fleet, ambient_degc, heat_w, 10.0)
        assert float(fleet[0]) == pytest.approx(stepped, abs=0.05)


def test_a_pack_whose_cooling_suffices_stays_at_its_threshold():
    assert KEPT.after(30.0, 25.0, Heat(3_000.0), 7_200.0) == 35.0
    assert KEPT.after(30.0, 25.0, Heat(5_000.0), 7_200.0) > 35.0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"heat_capacity_j_per_k": 0.0}, "heat_capacity_j_per_k"),
        ({"conductance_w_per_k": -1.0}, "conductance_w_per_k"),
        ({"heats_below_degc": 40.0, "heating_w": 1.0, "cools_above_degc": 35.0, "cooling_w": 1.0}, "heats_below_degc"),
    ],
)
def test_a_node_that_is_none_is_refused(change, field):
    with pytest.raises(InvalidInput) as caught:
        ThermalNode(**{"heat_capacity_j_per_k": 1.0, "conductance_w_per_k": 1.0} | change)
    assert caught.value.field == f"thermal.{field}"


# --- charging by temperature ------------------------------------------------------------------------------------------


def minutes(session) -> float:
    return charged(session) / MS_PER_MINUTE


def test_a_car_of_cells_takes_about_as_long_as_its_cells():
    kept_at_25 = ThermalNode(heat_capacity_j_per_k=1e9, conductance_w_per_k=0.0)
    found = minutes(
        a_warm_session(25.0, pack=a_pack(thermal=kept_at_25), path=ChargingPath(1e6, 0.0, 0.0, 3, 1.0, 1.0))
    )
    assert found == pytest.approx(39.4, rel=0.04)


def test_a_cold_pack_charges_slower_and_warms_while_it_charges():
    cold, mild = a_warm_session(-10.0, pack=a_pack(ohm=0.05)), a_warm_session(25.0, pack=a_pack(ohm=0.05))
    cold_min, mild_min = minutes(cold), minutes(mild)
    assert cold_min > 2.0 * mild_min
    assert -10.0 < cold.degc(round(cold_min * MS_PER_MINUTE)) < 25.0
    kept_cold = ThermalNode(heat_capacity_j_per_k=1e9, conductance_w_per_k=0)
    still_cold = a_warm_session(-10.0, pack=a_pack(thermal=kept_cold, ohm=0.05))
    assert minutes(still_cold) > 1.1 * cold_min
    assert minutes(a_warm_session(-10.0, 25.0, pack=a_pack(ohm=0.05))) < cold_min


def test_an_aged_pack_takes_less_energy_and_less_power():
    fresh, aged = a_warm_session(), a_warm_session(soh=0.8, resistance=2.0)
    fresh_min, aged_min = minutes(fresh), minutes(aged)
    assert aged.delivered_wh(10**9) < fresh.delivered_wh(10**9)
    assert aged_min > 0.9 * fresh_min
    assert aged.soc(10**9) == pytest.approx(0.8)


def minutes_and_wh_halfway(within):
    """How long a cold car takes to 80 %, and what it drew in half an hour."""
    session, half_an_hour = a_warm_session(-10.0, 20.0, within=within, pack=a_pack(halves_k=20.0)), 30 * MS_PER_MINUTE
    session.limit(0, 1e6)
    halfway_wh, due = None, 0
    while (next_due := session.next_wakeup()) is not None:
        due = next_due
        if due > half_an_hour and halfway_wh is None:
            halfway_wh = session.drawn_wh(half_an_hour)
        session.wake(due)
    return due / MS_PER_MINUTE, halfway_wh


def test_halving_the_threshold_halves_what_is_off():
    found = np.array([minutes_and_wh_halfway(0.01 * part) for part in (2.0, 1.0, 0.5, 0.25)])
    exact = np.array(minutes_and_wh_halfway(0.01 / 64))
    off = np.abs(found / exact - 1.0)
    assert off[1].max() < 0.02
    for twice, once in pairwise(off):
        assert (once > 0.3 * twice).all()
        assert (once < 0.7 * twice).all()


def test_the_energy_of_all_stretches_is_what_was_drawn():
    stretches = []
    session = a_warm_session(-5.0, 10.0, emit=lambda *stretch: stretches.append(stretch))
    ends_at = charged(session)
    total_wh = 0.0
    for (start, power_w, growth), end in zip(stretches, [s[0] for s in stretches[1:]] + [ends_at], strict=True):
        seconds = (end - start) / 1e3
        total_wh += power_w * (np.expm1(growth * seconds) / growth if growth else seconds) / SECONDS_PER_HOUR
    assert total_wh == pytest.approx(session.drawn_wh(ends_at), abs=0.01)
    assert session.soc(ends_at) == pytest.approx(0.8)
    assert len(stretches) > 70


def test_heat_that_went_in_is_there_or_was_lost_to_the_air():
    node = ThermalNode(heat_capacity_j_per_k=450_000.0, conductance_w_per_k=0.0)
    heat_wh, pack, last = 0.0, a_pack(thermal=node), (0.0, 0.0, 0.0)

    def add(start, power_w, growth):
        nonlocal heat_wh, last
        (begun, before_w, before_growth), last = last, (start, power_w, growth)
        seconds, twice = (start - begun) / 1e3, 2.0 * before_growth
        lasted = np.expm1(twice * seconds) / twice if twice else seconds
        heat_wh += pack.losses().per_w2 * (before_w * 0.95) ** 2 * lasted / SECONDS_PER_HOUR

    session = a_warm_session(0.0, pack=pack, emit=add)
    ends_at = charged(session)
    add(ends_at, 0.0, 0.0)
    kept_wh = node.heat_capacity_j_per_k * session.degc(ends_at) / SECONDS_PER_HOUR
    assert kept_wh == pytest.approx(heat_wh, rel=1e-6)
    lost_wh = session.delivered_wh(ends_at) - 0.7 * CAPACITY_WH
    assert lost_wh == pytest.approx(heat_wh, rel=0.2)


def test_a_pack_that_waits_cools_and_then_accepts_less():
    session = a_warm_session(35.0, 0.0, soc=0.5)
    before_w = session.demand_w(0)
    assert session.status() is ChargingStatus.SUSPENDED_EVSE
    wakeups = 0
    while (due := session.next_wakeup()) is not None and due <= 6 * MS_PER_HOUR:
        session.wake(due)
        wakeups += 1
    assert wakeups > 20
    assert session.degc(6 * MS_PER_HOUR) == pytest.approx(35.0 * np.exp(-6 * SECONDS_PER_HOUR / TAU_S))
    assert session.demand_w(6 * MS_PER_HOUR) < 0.7 * before_w
    assert session.waited_s(6 * MS_PER_HOUR) == pytest.approx(6 * SECONDS_PER_HOUR)
    assert session.drawn_wh(6 * MS_PER_HOUR) == 0.0


def test_a_pack_that_is_done_asks_for_nothing_any_more():
    session = a_warm_session(35.0, 0.0)
    done_at = charged(session)
    assert session.next_wakeup() is None
    assert session.demand_w(done_at) == 0.0
    assert session.degc(done_at + MS_PER_HOUR) < session.degc(done_at)


def test_a_slow_charger_does_not_care_about_the_warmth_of_a_mild_pack():
    slow = ChargingPath(11_040.0, 0.0, 0.0, 3, 1.0, 0.9)
    warm = a_warm_session(25.0, 5.0, path=slow)
    plain = ChargingSession("s", slow, a_pack().accepts(CAPACITY_WH).curve(25.0), 0.1 * CAPACITY_WH, warm.asked_wh, 0)
    plain.limit(0, 1e6)
    assert charged(warm) == pytest.approx(plain.next_wakeup())


def test_a_session_told_the_same_again_and_looked_at_often_is_the_same():
    rare, often = a_warm_session(-10.0, 10.0), a_warm_session(-10.0, 10.0)
    ends_at = charged(rare)
    often.limit(0, 1e6)
    for now in range(0, ends_at, 17_000):
        while (due := often.next_wakeup()) is not None and due <= now:
            often.wake(due)
        often.power_w(now), often.soc(now), often.degc(now), often.metered(now)
        often.limit(now, 1e6)
    while (due := often.next_wakeup()) is not None:
        often.wake(due)
    assert often.is_satisfied
    assert often.degc(ends_at) == pytest.approx(rare.degc(ends_at), abs=1e-3)
    assert often.drawn_wh(ends_at - MS_PER_MINUTE) == pytest.approx(rare.drawn_wh(ends_at), rel=0.02)
    assert often.drawn_wh(ends_at) == pytest.approx(rare.drawn_wh(ends_at), abs=5.0)


def test_other_phases_leave_the_ceiling_what_the_pack_could_take_at_its_warmest():
    session = a_warm_session(-10.0)
    assert session.ceiling_w == pytest.approx(200_000.0)
    session.rewire(0, ChargingPath(50_000.0, 0.0, 0.0, 1, 0.95, 0.95))
    assert session.ceiling_w == pytest.approx(50_000.0)


# --- in a scenario, in a fleet, in the catalog ------------------------------------------------------------------------


def test_in_a_scenario_a_winter_day_delivers_less_than_a_mild_one():
    def delivered_wh(degc):
        visit = a_visit(asked_wh=60_000.0, stays_h=0.5, model=a_car_of_cells(a_pack(ohm=0.05)))
        visit = replace(visit, vehicle=Vehicle("car", visit.vehicle.model, 0.1, battery_degc=degc))
        return run(a_scenario(site=a_site(), visits=[visit])).ledger[0].delivered_wh

    assert delivered_wh(-10.0) < 0.5 * delivered_wh(25.0)


@pytest.mark.parametrize(("ohm", "off_soc", "off_k"), [(0.005, 1e-3, 0.02), (0.15, 0.02, 3.0)])
def test_a_fleet_in_small_steps_does_what_a_session_does_but_for_its_even_losses(ohm, off_soc, off_k):
    pack = a_pack(ohm=ohm)
    fleet = PackFleet(pack, CAPACITY_WH, np.array([0.1]), np.array([0.0]))
    session = a_warm_session(0.0, 20.0, within=0.001, wanted_soc=1.0, pack=pack)
    session.limit(0, 1e6)
    for _ in range(1_800):
        fleet.step(190_000.0, 20.0, 1.0)
    while (due := session.next_wakeup()) is not None and due <= 1_800_000:
        session.wake(due)
    assert float(fleet.soc[0]) == pytest.approx(session.soc(1_800_000), abs=off_soc)
    assert float(fleet.degc[0]) == pytest.approx(session.degc(1_800_000), abs=off_k)


def test_a_fleet_stops_when_it_is_full():
    fleet = PackFleet(a_pack(), CAPACITY_WH, np.array([0.9999, 0.2]), np.array([25.0, 25.0]))
    taken_w = [fleet.step(1e6, 25.0, 60.0) for _ in range(5)]
    assert fleet.soc[0] == pytest.approx(1.0)
    assert sum(each[0] for each in taken_w) / 60.0 == pytest.approx(0.0001 * CAPACITY_WH, rel=2e-3)
    assert fleet.soc.max() <= 1.0 + 1e-12


def test_a_fleet_holds_what_is_left_of_its_health():
    fleet = PackFleet(a_pack(ohm=0.0), CAPACITY_WH, np.array([0.2, 0.2]), np.array([25.0, 25.0]), np.array([1.0, 0.8]))
    fleet.step(10_000.0, 25.0, 360.0)
    assert fleet.soc - 0.2 == pytest.approx(np.array([1_000.0, 1_250.0]) / CAPACITY_WH)


def test_a_cold_fleet_is_heated_more_by_the_same_power():
    fleet = PackFleet(a_pack(halves_k=20.0, thermal=A_FLASK), CAPACITY_WH, np.array([0.2, 0.2]), np.array([5.0, 25.0]))
    before = fleet.degc.copy()
    fleet.step(10_000.0, 25.0, 10.0)
    cold_k, mild_k = fleet.degc - before
    assert cold_k == pytest.approx(2.0 * mild_k, rel=1e-5)
    assert mild_k == pytest.approx(a_pack().losses().per_w2 * 10_000.0**2 * 10.0 / A_FLASK.heat_capacity_j_per_k)


def test_a_fleet_that_gives_stops_when_it_is_empty():
    fleet = PackFleet(a_pack(ohm=0.0), CAPACITY_WH, np.array([0.0001, 0.5, 0.0]), np.full(3, 25.0))
    given_w = fleet.step(-11_000.0, 25.0, 60.0)
    assert fleet.soc[[0, 2]].tolist() == [0.0, 0.0]
    assert given_w[[0, 2]] / 60.0 == pytest.approx([-0.0001 * CAPACITY_WH, 0.0])
    assert given_w[1] == pytest.approx(-11_000.0)


A_FLASK = ThermalNode(heat_capacity_j_per_k=450_000.0, conductance_w_per_k=0.0)


def heated_k(resistance: float, degc: float = 25.0, halves_k: float | None = None) -> float:
    """How much a minute of 20 kW warms a pack that loses nothing to the air."""
    session = a_warm_session(degc, resistance=resistance, pack=a_pack(ohm=0.05, thermal=A_FLASK, halves_k=halves_k))
    session.limit(0, 20_000.0)
    return session.degc(MS_PER_MINUTE) - degc


def test_a_pack_of_twice_the_resistance_is_heated_twice_as_much():
    assert heated_k(2.0) == pytest.approx(2.0 * heated_k(1.0), rel=1e-9)


def test_heat_follows_the_resistance_as_it_falls_while_power_stays():
    """At a slow charger the curve hardly matters; that the pack's resistance halves as it warms does."""
    node = ThermalNode(heat_capacity_j_per_k=45_000.0, conductance_w_per_k=0.0)
    slow, pack = ChargingPath(30_000.0, 0.0, 0.0, 3, 1.0, 1.0), a_pack(ohm=0.3, thermal=node, halves_k=20.0)
    session = a_warm_session(0.0, soc=0.1, pack=pack, path=slow)
    session.limit(0, 30_000.0)
    while (due := session.next_wakeup()) is not None and due <= 15 * MS_PER_MINUTE:
        session.wake(due)
    degc, per_w2 = 0.0, pack.losses().per_w2
    for _ in range(900):
        degc += per_w2 * 30_000.0**2 * 2.0 ** ((25.0 - degc) / 20.0) / node.heat_capacity_j_per_k
    assert degc > 15.0
    assert session.degc(15 * MS_PER_MINUTE) == pytest.approx(degc, rel=0.08)


def test_what_is_stored_goes_by_the_temperature_halfway_not_that_of_arrival():
    node = ThermalNode(heat_capacity_j_per_k=45_000.0, conductance_w_per_k=0.0)
    pack = a_pack(ohm=0.1, thermal=node, halves_k=20.0)
    aged, losses = pack.accepts(CAPACITY_WH).aged(), pack.losses()
    part = stored_part(aged, node, losses, 0.0, 0.0, 8_000.0, 40_000.0, 30_000.0)
    assert 1.0 - part < 0.7 * losses.at(0.0) * 30_000.0
    assert 1.0 - part > losses.at(40.0) * 30_000.0


def test_a_pack_too_cold_to_be_charged_waits_until_its_heater_has_warmed_it():
    heated = ThermalNode(
        heat_capacity_j_per_k=450_000.0, conductance_w_per_k=10.0, heats_below_degc=5.0, heating_w=4_000.0
    )
    session = a_warm_session(-30.0, pack=a_pack(ohm=0.05, thermal=heated))
    session.limit(0, 1e6)
    assert session.power_w(0) == session.demand_w(0) == 0.0
    assert session.status() is ChargingStatus.SUSPENDED_EV
    warm_at = session.next_wakeup()
    assert warm_at is not None
    assert warm_at / 60e3 == pytest.approx(19.0, rel=0.05)
    assert session.waited_s(charged(session)) == 0.0
    assert session.soc(10**9) == pytest.approx(0.8)
    left_cold = a_warm_session(-30.0, pack=a_pack())
    left_cold.limit(0, 1e6)
    assert left_cold.next_wakeup() is None


def test_a_vehicle_of_a_health_that_its_cells_are_not_known_at_is_refused_as_it_plugs_in():
    path = ChargingPath(50_000.0, 0.0, 0.0, 3, 1.0, 1.0)
    with pytest.raises(InvalidInput, match=r"soh: .*found 0.6, allowed: 0.8 to 1"):
        session_of(Vehicle("car", a_car_of_cells(), 0.5, soh=0.6), "s", path, 1_000.0, 0)


def test_a_session_costs_few_wakeups():
    session, wakeups = a_warm_session(-10.0, pack=a_pack(ohm=0.05)), 0
    session.limit(0, 1e6)
    while (due := session.next_wakeup()) is not None:
        session.wake(due)
        wakeups += 1
    assert wakeups < 150


def test_the_facts_of_a_pack_follow_from_its_cells():
    pack = a_pack()
    assert pack.nominal_voltage_v == pytest.approx(348.5, abs=0.1)
    assert pack.capacity_wh == pytest.approx(76_700, rel=1e-3)
    assert pack.losses().per_w2 * 100_000.0**2 == pytest.approx(0.15 * (100_000.0 / 348.48) ** 2)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"series": 0}, "series"),
        ({"max_power_w": 0.0}, "max_power_w"),
        ({"resistance_ohm": -1.0}, "resistance_ohm"),
        ({"margin": 1.0}, "margin"),
        ({"charges_above_degc": 50.0}, "charges_above_degc"),
    ],
)
def test_a_pack_that_is_none_is_refused_by_its_field(change, field):
    with pytest.raises(InvalidInput) as caught:
        msgspec.structs.replace(a_pack(), **change)
    assert caught.value.field == field
    assert isinstance(a_pack(), PackModel)
