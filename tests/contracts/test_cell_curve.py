"""Charging curves by PyBaMM: the contract's table, the same by another way, and refused where they say nothing."""

from datetime import date

import msgspec
import numpy as np
import pytest

from voltbench.adapters.catalog import Catalog
from voltbench.adapters.cells.asked import parameters_hash
from voltbench.adapters.cells.catalog import cell as known
from voltbench.adapters.cells.curve import (
    SOC,
    CurvesAsked,
    charge_map,
    facts,
    minutes,
    on_grid,
    points,
    solve,
)
from voltbench.adapters.cells.library import pybamm
from voltbench.adapters.cells.pulses import identified, off_v, pulses
from voltbench.adapters.cells.warm import WarmSimulator
from voltbench.battery.simulation import DriveCycleLoad, Simulation
from voltbench.errors import Failed

TENTHS = list(range(10, 100, 10))

OKANE = {
    0.0: ([1.07, 0.77, 0.59, 0.51, 0.44, 0.38, 0.31, 0.23, 0.13], 94.0),
    25.0: ([2.31, 1.66, 1.40, 1.19, 1.03, 0.91, 0.79, 0.54, 0.33], 39.4),
    45.0: ([3.0, 2.87, 2.45, 2.09, 1.82, 1.65, 1.44, 0.94, 0.59], 22.5),
}
"""Rates at 10 to 90 %, and minutes from 10 to 80 %, by temperature."""

ONE = CurvesAsked(cell="OKane2022", temperature_degc=(25.0,), lam=(0.0,), resistance=(1.0,))


@pytest.fixture(scope="module")
def fresh():
    return facts(ONE)


def rates(fresh, **changed):
    asked = msgspec.structs.replace(ONE, **changed)
    (point,) = points(asked, fresh)
    return on_grid(solve(point), asked, fresh)[0]


@pytest.mark.parametrize("degc", OKANE)
def test_the_curves_are_those_of_the_contract(fresh, degc):
    told, lasts_min = OKANE[degc]
    found = rates(fresh, temperature_degc=(degc,))
    assert found[TENTHS] == pytest.approx(told, abs=0.01)
    assert minutes(found) == pytest.approx(lasts_min, rel=0.005)
    assert fresh.charge_ah == pytest.approx(5.11, abs=0.001)


def test_another_way_to_the_same_curve():
    """Three steps of an experiment of PyBaMM's own: a current, then the anode held at lithium's, then a voltage."""
    asked = msgspec.structs.replace(ONE, tolerance=1e-5)
    fresh = facts(asked)
    (point,) = points(asked, fresh)
    curve = solve(point)

    def anode(variables):
        return variables["Negative electrode surface potential difference at separator interface [V]"]

    below = pybamm.step.CustomTermination("anode", anode)
    full = pybamm.step.CustomTermination("full", lambda variables: 4.2 - variables["Voltage [V]"])
    experiment = pybamm.Experiment(
        [
            pybamm.step.current(-point.most_current_a, duration=600, termination=[below], period=1),
            pybamm.step.CustomStepImplicit(anode, duration=7_200, termination=[full], period=10),
            pybamm.step.voltage(4.2, duration=36_000, termination=f"{point.least_current_a} A", period=10),
        ]
    )
    model = pybamm.lithium_ion.DFN()
    points_along = {"x_n": 20, "x_s": 20, "x_p": 20, "r_n": 40, "r_p": 40}
    values = pybamm.ParameterValues("OKane2022")
    values.update({"Upper voltage cut-off [V]": 4.3})
    values.set_initial_state(asked.start_soc)
    solver = pybamm.IDAKLUSolver(rtol=1e-5, atol=1e-7)
    simulation = pybamm.Simulation(
        model, experiment=experiment, parameter_values=values, solver=solver, var_pts=points_along
    )
    solution = simulation.solve()
    soc = asked.start_soc - solution["Discharge capacity [A.h]"].entries / curve.charge_ah
    theirs = np.interp(SOC[10:96], soc, -solution["Current [A]"].entries) / fresh.charge_ah
    off = on_grid(curve, asked, fresh)[0][10:96] - theirs
    assert np.sqrt(np.mean(off**2)) < 0.005
    assert np.abs(off).max() < 0.02


def test_each_limit_slows_it_down(fresh):
    plain = rates(fresh)
    capped, careful, worn, worse = (
        rates(fresh, **changed)
        for changed in ({"most_c_rate": 1.0}, {"margin_v": 0.01}, {"lam": (0.2,)}, {"resistance": (1.5,)})
    )
    assert capped.max() == pytest.approx(1.0, abs=0.01)
    assert capped[60:95] == pytest.approx(plain[60:95], abs=0.02)
    assert minutes(careful) == pytest.approx(43.1, abs=0.3)
    assert (worn[10:90] < plain[10:90]).all()
    assert (worse[75:95] < plain[75:95]).all()


@pytest.mark.parametrize(
    ("degc", "lam", "resistance"), [(45.0, 0.0, 1.5), (20.0, 0.0, 2.0), (50.0, 0.1, 2.0), (0.0, 0.2, 2.0)]
)
def test_a_way_is_found_past_the_switch_to_the_upper_voltage_with_worse_contacts(fresh, degc, lam, resistance):
    """There the voltage rises with current four times as steeply as the anode falls, or more."""
    asked = msgspec.structs.replace(ONE, temperature_degc=(degc,), lam=(lam,), resistance=(resistance,))
    (point,) = points(asked, fresh)
    curve = solve(point)
    assert curve.soc[-1] > 0.98
    assert curve.voltage_v[-1] == pytest.approx(4.2, abs=0.001)
    assert not curve.is_finer


def test_a_curve_that_does_not_come_is_solved_again_to_a_finer_tolerance_and_the_map_says_so():
    asked = CurvesAsked(
        cell="Chen2020", temperature_degc=(40.0,), lam=(0.0,), resistance=(1.0, 1.5, 3.0), tolerance=1e-2
    )
    fresh = facts(asked)
    found = [solve(point) for point in points(asked, fresh)]
    again = [curve.is_finer for curve in found]
    assert any(again)
    assert not all(again)
    notes = charge_map("x", asked, fresh, found, "").provenance.notes
    assert f"{sum(again)} of 3 curves came only with a relative tolerance of 0.001." in notes


def test_a_curve_that_chatters_is_refused():
    asked = msgspec.structs.replace(ONE, cell="ORegan2022")
    (point,) = points(asked, facts(asked))
    with pytest.raises(Failed, match="ORegan2022 at 25 degrees: the current rises while it charges"):
        solve(point)


def test_the_entry_of_the_catalog_is_what_is_solved(fresh):
    kept = Catalog().charge_map("lg-m50-okane2022")
    (point,) = points(ONE, fresh)
    map = charge_map("lg-m50", ONE, fresh, [solve(point)], "2026-11-21")
    at = kept.temperature_degc.index(25.0)
    assert map.currents[0, 0, 0] == pytest.approx(kept.currents[0, 0, at], abs=0.005)
    assert map.voltages[0, 0, 0] == pytest.approx(kept.voltages[0, 0, at], abs=0.005)
    assert kept.provenance.parameters_sha256 == fresh.parameters_sha256
    assert (kept.provenance.label, map.provenance.label) == ("model", "model")


# --- the circuit that pulses tell of ---------------------------------------------------------------------------------


def test_a_circuit_from_pulses_drives_us06_within_millivolts_of_the_model():
    simulator = WarmSimulator()
    cell = known("Chen2020")
    given = pulses(cell, "SPMe")
    records = [simulator.record(pulse.simulation) for pulse in given]
    circuit = identified(cell, given, records, date(2026, 11, 21))
    assert circuit.r0(np.array([0.5]), np.array([0.5])) > 1.4 * circuit.r0(np.array([0.5]), np.array([10.0]))
    driven = simulator.record(Simulation(load=DriveCycleLoad(name="US06"), initial_soc=0.8))
    off = off_v(circuit, driven, 0.8)
    assert np.sqrt(np.mean(np.square(off))) < 0.0025
    assert np.abs(off).max() < 0.012


def test_the_circuit_of_the_catalogs_pack_is_its_cells():
    kept = Catalog().circuit("lg-m50-okane2022")
    simulation = Simulation(load=DriveCycleLoad(name="US06"), model="DFN", cell=kept.cell, initial_soc=0.5)
    off = off_v(kept, WarmSimulator().record(simulation), 0.5)
    assert np.sqrt(np.mean(np.square(off))) < 0.003
    assert kept.provenance.parameters_sha256 == parameters_hash(simulation)
    assert Catalog().pack("lg-m50-96s44p").circuit == kept
