"""Drive cycles: they are the published ones, charging is positive, and a car's speed becomes power of a cell."""

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.drive_cycles import PROFILES, ours
from voltbench.adapters.cells.drive_cycles import (
    FOLDER,
    RoadVehicle,
    SpeedTrace,
    battery_power_w,
    drive_cycle,
    drive_cycles,
    load_from_speed,
    speed_trace,
    speed_traces,
)
from voltbench.errors import InvalidInput, NotFound


def currents(cycle):
    assert cycle.current_a is not None
    return cycle.current_a


def powers(asked):
    """Those of a cycle, or of a load."""
    assert asked.power_w is not None
    return np.array(asked.power_w)


def energy_wh(trace, vehicle):
    return -np.trapezoid(battery_power_w(trace, vehicle), trace.time_s) / 3600.0


def test_every_file_is_the_one_that_its_sheet_describes():
    named = [(FOLDER, cycle) for cycle in drive_cycles()] + [(FOLDER / "speeds", trace) for trace in speed_traces()]
    assert [one.name for _, one in named] == ["UDDS", "US06", "WLTC", "HWFET", "UDDS"]
    for folder, one in named:
        assert sha256((folder / f"{one.name}.csv").read_bytes()).hexdigest() == one.sha256
        assert one.source
        assert "LICENCES.txt" in one.licence
        assert one.time_s[0] == 0.0
        assert (np.diff(one.time_s) > 0.0).all()


def test_us06_takes_from_a_cell_what_pybamms_file_says_it_gives():
    cycle = drive_cycle("us06")
    assert (cycle.name, cycle.duration_s, len(cycle.time_s)) == ("US06", 600.0, 601)
    assert currents(cycle).min() == -8.1
    assert currents(cycle).max() == 4.2071
    assert np.trapezoid(currents(cycle), cycle.time_s) / 3600.0 == pytest.approx(-0.140310, abs=1e-6)


def test_wltc_is_a_power_of_one_of_two_thousand_cells():
    cycle = drive_cycle("WLTC")
    assert cycle.current_a is None
    assert powers(cycle).min() == pytest.approx(-43_249.505 / 2_000)
    load = cycle.load(scale=2.0)
    assert load.current_a is None
    assert powers(load).min() == pytest.approx(-43.249505)


def test_the_tool_turns_the_sign_and_nothing_else():
    us06, _, wltc = PROFILES
    assert ours(b"# time [s],current [A]\n0,0.012859\n1,-4.2071\n2,0\n", us06) == (
        "time_s,current_a\n0,-0.012859\n1,4.2071\n2,0\n"
    )
    assert ours(b"0,0.000511\n0.1,0.291065\n", wltc) == "time_s,power_w\n0,-0.511\n0.1,-291.065\n"


def test_a_cycle_can_be_driven_several_times():
    once, twice = drive_cycle("US06").load(), drive_cycle("US06").load(scale=0.5, times=2)
    assert len(twice.time_s) == 1201
    assert twice.time_s[-1] == 1200.0
    assert currents(twice)[600:] == [0.5 * current for current in currents(once)]
    jumping = drive_cycle("WLTC").load(times=2)
    assert jumping.time_s[18_000:18_002] == [1800.0, 1800.001]
    assert powers(jumping)[18_001] == powers(jumping)[0]


def test_too_many_times_are_refused():
    with pytest.raises(InvalidInput, match=r"load\.times: makes too many rows, found 100"):
        drive_cycle("WLTC").load(times=100)


@pytest.mark.parametrize("name", ["US6", "NEDC", "../stations/US06", ""])
def test_an_unknown_cycle_is_not_made_up(name):
    with pytest.raises(NotFound, match="there is no drive cycle"):
        drive_cycle(name)
    with pytest.raises(NotFound, match="there is no speed trace"):
        speed_trace(name)


def test_the_numbers_of_the_catalog_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        currents(drive_cycle("US06"))[0] = 1.0


@pytest.mark.parametrize(("name", "distance_m", "fastsim_wh"), [("UDDS", 11_990, 1_357.1), ("HWFET", 16_507, 2_249.4)])
def test_a_renault_zoe_needs_what_fastsim_says_it_needs(name, distance_m, fastsim_wh):
    """FASTSim 3.1.0 with its own `2022_Renault_Zoe_ZE50_R135.yaml`, whose figures these are; its motor is a map."""
    trace = speed_trace(name)
    zoe = RoadVehicle("Renault Zoe", 1_600.0, 0.33 * 2.5121646, 0.009, 0.85, 0.9, 250.0)
    assert np.trapezoid(trace.speed_m_per_s, trace.time_s) == pytest.approx(distance_m, abs=1.0)
    assert energy_wh(trace, zoe) == pytest.approx(fastsim_wh, rel=0.02)


@given(st.lists(st.floats(0.0, 40.0), min_size=1, max_size=60), st.floats(500.0, 4_000.0))
def test_what_is_braked_is_given_back_where_nothing_is_lost(speeds, mass_kg):
    speed = np.array([0.0, 0.0, *speeds, 0.0, 0.0])
    trace = SpeedTrace("drawn", np.arange(len(speed), dtype=float), speed, "", "", "", "")
    lossless = RoadVehicle("a sledge", mass_kg, 0.0, 0.0, 1.0, 1.0, 0.0)
    assert energy_wh(trace, lossless) == pytest.approx(0.0, abs=1e-6)


def test_each_cell_of_a_pack_does_its_part():
    trace, car = speed_trace("UDDS"), RoadVehicle()
    load = load_from_speed(trace, car, series=96, parallel=44)
    assert load.current_a is None
    assert powers(load) * 96 * 44 == pytest.approx(battery_power_w(trace, car))
    assert powers(load)[0] == pytest.approx(-250.0 / 4_224)
    with pytest.raises(InvalidInput, match="parallel: is no number of cells, found 0"):
        load_from_speed(trace, car, series=96, parallel=0)
