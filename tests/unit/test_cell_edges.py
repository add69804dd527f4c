"""Cells at the edges of what may be asked: limits met at once, pulses after rests, exact charge and energy."""

from functools import cache

import numpy as np
import pytest

from voltbench.adapters.cells.drive_cycles import drive_cycle
from voltbench.adapters.cells.warm import WarmSimulator
from voltbench.battery.analysis import figures
from voltbench.battery.record import Record
from voltbench.battery.simulation import CurrentLoad, ExperimentLoad, Load, ProfileLoad, Simulation
from voltbench.errors import Failed, InvalidInput
from voltbench.quantities import SECONDS_PER_HOUR


@cache
def simulator() -> WarmSimulator:
    return WarmSimulator()


def done(load: Load | list[str], **asked) -> Record:
    load = ExperimentLoad(steps=load) if isinstance(load, list) else load
    return simulator().record(Simulation(**{"load": load, "model": "SPM", **asked}))


# --- steps that are over, or cannot be done, as they begin ------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "soc"),
    [
        (["Hold at 4.2 V until 2 A", "Discharge at 1C for 10 minutes"], 1.0),
        (["Hold at 4.15 V until 10 A", "Rest for 1 minute"], 0.9),
    ],
)
def test_a_hold_whose_current_is_small_already_is_left_out_and_the_next_step_done(steps, soc):
    record = done(steps, initial_soc=soc, outputs=["step"])
    assert record.ending.reason == "steps_done"
    assert record.warnings == ("step 0 was over as it began, and left out",)
    assert set(record.columns["step"]) == {1.0}


def test_a_step_beyond_a_limit_at_once_ends_the_record_and_keeps_what_was_done():
    record = done(["Discharge at 1C for 10 seconds", "Charge at 3C for 5 minutes"], initial_soc=0.99, outputs=["step"])
    assert (record.ending.reason, record.ending.step, record.ending.at_s) == ("upper_voltage", 1, 10.0)
    assert set(record.columns["step"]) == {0.0}
    assert record.columns["charge_ah"][-1] == pytest.approx(-50.0 / SECONDS_PER_HOUR)


@pytest.mark.parametrize(
    ("cell", "step", "soc"),
    [("Chen2020", "Charge at 2C for 5 minutes", 0.97), ("Chayambuka2022", "Charge at C/5 for 5 minutes", 0.8)],
)
def test_a_first_step_beyond_a_limit_at_once_leaves_the_cell_as_it_was(cell, step, soc):
    record = done([step], cell=cell, initial_soc=soc)
    assert (record.ending.reason, record.ending.step) == ("upper_voltage", 0)
    assert (len(record), record.columns["current_a"][0], record.columns["charge_ah"][0]) == (1, 0.0, 0.0)


def test_a_single_current_beyond_a_limit_at_once_is_refused():
    with pytest.raises(InvalidInput, match="meets a limit as it begins"):
        done(CurrentLoad(current_a=10.0, duration_s=300.0), initial_soc=0.97)


def test_a_held_voltage_may_not_ask_for_more_current_than_the_cell_is_described_for():
    with pytest.raises(Failed, match=r"C, more than the 3C or 15 A that the cell is described for"):
        done(["Hold at 4.2 V for 5 minutes"], initial_soc=0.5)


# --- charge and energy ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["SPM", "SPMe"])
def test_charge_is_what_the_current_of_a_profile_adds_up_to(model):
    record = done(ProfileLoad(time_s=[0.0, 10.0, 20.0, 30.0], current_a=[-1.0, -1.0, 0.0, 0.0]), model=model)
    time_s, charge_ah = record.columns["time_s"], record.columns["charge_ah"]
    assert np.interp([10.0, 20.0], time_s, charge_ah) * SECONDS_PER_HOUR == pytest.approx([-10.0, -15.0], rel=1e-9)
    assert np.ptp(charge_ah[time_s >= 20.0]) == 0.0


def test_symmetric_pulses_leave_no_charge():
    pulse_s, pulse_a = np.array([1.0, 10.0, 11.0, 20.0, 21.0]), [5.0, 5.0, -5.0, -5.0, 0.0]
    time_s = np.concatenate(([0.0], *(pulse_s + 21.0 * number for number in range(50))))
    load = ProfileLoad(time_s=time_s.tolist(), current_a=[0.0, *pulse_a * 50])
    record = done(load, initial_soc=0.5, outputs=["soc"])
    assert record.columns["charge_ah"][-1] == pytest.approx(0.0, abs=1e-12)
    assert record.columns["soc"][-1] == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize("model", ["SPM", "SPMe"])
@pytest.mark.parametrize(
    "asked", [{"current_a": [0.0, 0.0, -10.0, 0.0, 0.0]}, {"power_w": [0.0, 0.0, -36.0, 0.0, 0.0]}]
)
def test_no_pulse_is_stepped_over_after_a_rest_and_before_one(model, asked):
    load = ProfileLoad(time_s=[0.0, 3000.0, 3000.5, 3001.0, 6000.0], **asked)
    record = done(load, model=model, initial_soc=0.5)
    assert record.columns["voltage_v"].min() < record.columns["voltage_v"][0] - 0.1
    assert record.columns["charge_ah"][-1] == pytest.approx(-5.0 / SECONDS_PER_HOUR, rel=0.05)


@pytest.mark.parametrize("model", ["SPM", "SPMe"])
def test_energy_is_that_of_a_tight_tolerance_and_of_every_second(model):
    load = CurrentLoad(current_a=-5.0, duration_s=7_200.0)
    record = done(load, model=model, outputs=["energy_wh"])
    tight = done(load, model=model, tolerance=1e-7, every_s=1.0)
    true_wh = figures(tight).discharged_wh
    assert figures(record).discharged_wh == pytest.approx(true_wh, rel=1e-4)
    assert -record.columns["energy_wh"][-1] == pytest.approx(true_wh, rel=1e-4)


@pytest.mark.parametrize("model", ["SPM", "SPMe"])
def test_a_power_is_right_at_each_of_its_rows(model):
    cycle = drive_cycle("WLTC")
    assert cycle.power_w is not None
    time_s, power_w = np.round(cycle.time_s[:301], 1), cycle.power_w[6_000:6_301]
    load = ProfileLoad(time_s=time_s.tolist(), power_w=power_w.tolist())
    record = done(load, model=model, initial_soc=0.8, outputs=["power_w"]).columns
    tight = done(load, model=model, initial_soc=0.8, tolerance=1e-7).columns
    assert record["power_w"] == pytest.approx(np.interp(record["time_s"], time_s, power_w), abs=1e-3)
    assert record["voltage_v"] == pytest.approx(tight["voltage_v"], abs=5e-4)


def test_a_dfn_is_as_right_between_rows_that_are_far_from_each_other():
    load = ProfileLoad(time_s=[0.0, 10.0, 20.0, 30.0, 40.0], current_a=[0.0, -10.0, -10.0, 5.0, 5.0])
    record, tight = (
        done(load, model="DFN", initial_soc=0.5, tolerance=tolerance, every_s=0.5).columns for tolerance in (1e-4, 1e-7)
    )
    assert record["voltage_v"] == pytest.approx(tight["voltage_v"], abs=5e-4)
