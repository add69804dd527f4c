"""Voltages of PyBaMM that have held for three years, the figures of the seed's README, and PyBaMM asked directly."""

import numpy as np
import pytest

from voltbench.adapters.cells.drive_cycles import drive_cycle
from voltbench.adapters.cells.library import pybamm
from voltbench.adapters.cells.warm import WarmSimulator
from voltbench.battery.simulation import CurrentLoad, DriveCycleLoad, Mesh, Simulation

PYBAMMS_MESH = Mesh(electrode_points=20, particle_points=20)

GOLDEN = {
    "SPM": ((3.867894, 3.568377, 3.293079), 3567.861),
    "SPMe": ((3.811660, 3.511834, 3.236122), 3555.902),
    "DFN": ((3.815675, 3.512612, 3.226096), 3555.502),
}
"""Chen2020 at 1C from where its description begins: volts at 600, 1800 and 3000 s, and the end."""


@pytest.fixture(scope="module")
def simulator():
    return WarmSimulator()


def discharge(model, current_a=-5.0, **asked):
    load = CurrentLoad(current_a=current_a, duration_s=3600.0)
    return Simulation(load=load, model=model, initial_soc=None, mesh=PYBAMMS_MESH, **asked)


@pytest.mark.parametrize("model", GOLDEN)
def test_1c_of_chen2020_is_what_it_was(simulator, model):
    volts, end_s = GOLDEN[model]
    record = simulator.record(discharge(model, tolerance=1e-8, every_s=600.0))
    at = [float(record.columns["voltage_v"][list(record.columns["time_s"]).index(t)]) for t in (600.0, 1800.0, 3000.0)]
    assert at == pytest.approx(volts, abs=5e-4)
    assert record.ending.at_s == pytest.approx(end_s, abs=0.2)
    assert record.ending.reason == "lower_voltage"


@pytest.mark.parametrize("model", GOLDEN)
def test_our_way_to_the_solver_and_pybamms_own_give_the_same(simulator, model):
    record = simulator.record(discharge(model))
    solver = pybamm.IDAKLUSolver(rtol=1e-4, atol=1e-6)
    points = dict.fromkeys(("x_n", "x_s", "x_p", "r_n", "r_p"), 20)
    theirs = pybamm.Simulation(
        getattr(pybamm.lithium_ion, model)(),
        parameter_values=pybamm.ParameterValues("Chen2020"),
        var_pts=points,
        solver=solver,
    ).solve([0.0, 3600.0])
    assert record.ending.at_s == pytest.approx(float(theirs.t[-1]), abs=1e-3)
    volts = theirs["Voltage [V]"](record.columns["time_s"][:-1])
    assert np.abs(volts - record.columns["voltage_v"][:-1]).max() < 5e-4
    assert theirs["Current [A]"].data[0] == 5.0
    assert record.columns["current_a"][0] == -5.0
    assert record.columns["charge_ah"][-1] == pytest.approx(
        -float(theirs["Discharge capacity [A.h]"].data[-1]), rel=1e-6
    )


def test_the_seeds_example_ends_at_3308_mv(simulator):
    record = simulator.record(discharge("DFN", current_a=-4.0))
    assert record.columns["voltage_v"][-1] == pytest.approx(3.308, abs=1e-3)
    assert record.ending.reason == "time_over"


def test_the_seeds_5_a_stop_at_3555_s(simulator):
    record = simulator.record(discharge("DFN"))
    assert record.ending.at_s == pytest.approx(3555.45, abs=0.2)
    assert record.columns["charge_ah"][-1] == pytest.approx(-4.938, abs=1e-3)


def test_us06_of_a_full_cell_stops_at_the_upper_cut_off_inside_a_step(simulator):
    load = DriveCycleLoad(name="US06")
    record = simulator.record(Simulation(load=load, model="SPMe", initial_soc=None, mesh=PYBAMMS_MESH))
    assert record.ending.reason == "upper_voltage"
    assert record.ending.at_s == pytest.approx(25.5, abs=0.3)
    assert record.columns["voltage_v"].max() <= 4.2 + 1e-3
    cycle = drive_cycle("US06")
    assert cycle.current_a is not None
    asked = np.interp(record.columns["time_s"], cycle.time_s, cycle.current_a)
    assert record.columns["current_a"] == pytest.approx(asked, abs=1e-9)
