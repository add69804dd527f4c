"""The promise of a simulator, by the one that keeps PyBaMM's models warm, and by a process that is asked in bytes."""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest

from tools.cell_catalog import known as found_out
from voltbench.adapters.cells import building, catalog, task
from voltbench.adapters.cells.chemistries import OPTIONS
from voltbench.adapters.cells.initial import InitialStates
from voltbench.adapters.cells.library import pybamm
from voltbench.adapters.cells.warm import WarmSimulator
from voltbench.adapters.pool import TaskOptions
from voltbench.apps.cells.solvers import ExecutorSolvers, failure_of
from voltbench.battery.analysis import figures
from voltbench.battery.cycling import ConstantCurrent, ConstantPower, ConstantVoltage, PlainStep, Repeat, Rest
from voltbench.battery.record import Record
from voltbench.battery.simulation import (
    OUTPUTS,
    Ageing,
    CurrentLoad,
    DriveCycleLoad,
    ExperimentLoad,
    PowerLoad,
    ProfileLoad,
    ProtocolLoad,
    Simulation,
)
from voltbench.errors import Failed, InvalidInput


class InBytes:
    """As a process of a pool does it."""

    def record(self, simulation):
        (answer,) = task.solve([task.request_of(simulation)])
        found = task.decode(answer)
        if isinstance(found, Record):
            return found
        raise found


@pytest.fixture(scope="module", params=[WarmSimulator, InBytes])
def simulator(request):
    return request.param()


DISCHARGE = CurrentLoad(current_a=-5.0, duration_s=1800.0)


def spm(load=DISCHARGE, **asked):
    return Simulation(**{"load": load, "model": "SPM", **asked})


def test_charging_is_positive(simulator):
    charged = simulator.record(spm(CurrentLoad(current_a=2.5, duration_s=600.0), initial_soc=0.3, outputs=["soc"]))
    assert (charged.columns["current_a"] == 2.5).all()
    assert (np.diff(charged.columns["voltage_v"]) > 0.0).all()
    assert charged.columns["charge_ah"][-1] == pytest.approx(2.5 / 6.0)
    assert charged.columns["soc"][-1] > 0.3
    drained = simulator.record(spm(initial_soc=0.9, outputs=["soc", "power_w", "energy_wh"]))
    assert drained.columns["charge_ah"][-1] == pytest.approx(-2.5)
    assert drained.columns["energy_wh"][-1] < 0.0
    assert (drained.columns["power_w"] < 0.0).all()


def test_rows_are_where_they_were_asked_for(simulator):
    record = simulator.record(spm(every_s=60.0))
    assert record.columns["time_s"] == pytest.approx(np.arange(0.0, 1801.0, 60.0))


CCCV: list[PlainStep] = [
    ConstantCurrent(c_rate=0.5, until_voltage_v=4.2),
    ConstantVoltage(voltage_v=4.2, until_c_rate=0.05),
]


@pytest.mark.parametrize(
    "load",
    [
        ProtocolLoad(steps=[*CCCV]),
        ProtocolLoad(steps=[ConstantPower(power_w=8.0, until_voltage_v=4.1), Rest(until_s=600.0)]),
        CurrentLoad(current_a=2.5, duration_s=7_200.0),
        DriveCycleLoad(name="US06", times=2),
    ],
)
def test_figures_are_the_same_however_few_rows_are_asked_for(simulator, load):
    few, all_rows = (simulator.record(spm(load, initial_soc=0.2, every_s=every_s)) for every_s in (3_600.0, None))
    assert len(few) < 10 < len(all_rows)
    assert figures(few).charged_ah == pytest.approx(figures(all_rows).charged_ah, rel=1e-3)
    assert figures(few).charged_wh == pytest.approx(figures(all_rows).charged_wh, rel=1e-3)
    assert figures(few).least_voltage_v == pytest.approx(figures(all_rows).least_voltage_v, abs=1e-3)
    came_to = figures(few).charged_ah - figures(few).discharged_ah
    assert came_to == pytest.approx(few.columns["charge_ah"][-1], abs=2e-3)


@pytest.mark.parametrize(
    "load",
    [
        CurrentLoad(current_a=-5.0, duration_s=86_400.0),
        PowerLoad(power_w=-15.0, duration_s=4_000.0),
        ProtocolLoad(steps=[ConstantCurrent(current_a=-2.5, until_s=600.0), Rest(until_s=3_600.0)]),
        ProfileLoad(time_s=[0.0, 60.0, 3_000.0], current_a=[0.0, -4.0, -4.0]),
    ],
)
def test_straight_lines_between_the_rows_of_nobody_s_choice_are_the_curve(simulator, load):
    record, every_second = simulator.record(spm(load)).columns, simulator.record(spm(load, every_s=1.0)).columns
    time_s = every_second["time_s"][
        np.diff(every_second["time_s"], prepend=-1.0) > 0.0
    ]  # a step ends as another begins
    steps_s = record["time_s"][1:][np.diff(record["time_s"]) == 0.0]
    smooth = ~np.isin(time_s, steps_s)
    volts = [np.interp(time_s, one["time_s"], one["voltage_v"])[smooth] for one in (record, every_second)]
    assert np.abs(volts[0] - volts[1]).max() < 2.5e-3


def test_every_output_is_there_in_the_order_asked_for(simulator):
    outputs = [name for name in reversed(OUTPUTS) if name not in ("step", "cycle")]
    record = simulator.record(spm(outputs=outputs))
    assert list(record.columns) == ["time_s", "current_a", "voltage_v", "charge_ah", *outputs]
    assert all(np.isfinite(column).all() for column in record.columns.values())
    assert (record.columns["resistance_ohm"] > 0.0).all()
    watts, seconds = record.columns["power_w"], record.columns["time_s"]
    assert record.columns["energy_wh"][-1] == pytest.approx(np.trapezoid(watts, seconds) / 3600.0, rel=1e-3)


def test_a_warm_model_answers_as_a_new_one(simulator):
    other = spm(ambient_degc=5.0, initial_soc=0.6, parameters={"Contact resistance [Ohm]": 0.01})
    simulator.record(spm(ambient_degc=40.0, initial_soc=0.9, parameters={"Contact resistance [Ohm]": 0.0}))
    warm, new = simulator.record(other), WarmSimulator().record(other)
    assert warm.columns["voltage_v"] == pytest.approx(new.columns["voltage_v"], abs=1e-9)


def test_a_power_is_held(simulator):
    record = simulator.record(spm(PowerLoad(power_w=-15.0, duration_s=7200.0), outputs=["power_w"]))
    assert record.columns["power_w"] == pytest.approx(-15.0, rel=1e-3)
    assert record.ending.reason == "lower_voltage"


def test_a_protocol_is_done_step_after_step(simulator):
    cycle: list[PlainStep] = [
        ConstantCurrent(c_rate=0.5, until_voltage_v=4.1),
        ConstantVoltage(voltage_v=4.1, until_current_a=0.25),
        Rest(until_s=300.0),
        ConstantPower(power_w=-10.0, until_s=600.0),
    ]
    load = ProtocolLoad(steps=[Repeat(times=2, steps=cycle)])
    record = simulator.record(spm(load, initial_soc=0.6, outputs=["step", "cycle", "power_w"]))
    assert record.ending.reason == "steps_done"
    assert sorted(set(record.columns["step"])) == list(range(8))
    assert sorted(set(record.columns["cycle"])) == [0.0, 1.0]
    held = record.columns["step"] == 1
    assert record.columns["voltage_v"][held] == pytest.approx(4.1, abs=1e-3)
    assert record.columns["current_a"][held][-1] == pytest.approx(0.25, rel=1e-3)
    assert record.columns["power_w"][record.columns["step"] == 3] == pytest.approx(-10.0, rel=1e-3)
    assert (np.diff(record.columns["time_s"]) >= 0.0).all()


def test_sentences_are_what_pybamms_own_experiment_does(simulator):
    steps = [
        "Discharge at C/2 for 20 minutes",
        "Rest for 5 minutes",
        "Charge at C/2 until 4.1 V",
        "Hold at 4.1 V until 0.5 A",
    ]
    record = simulator.record(spm(ExperimentLoad(steps=steps), tolerance=1e-6))
    values = pybamm.ParameterValues("Chen2020")
    values.set_initial_state(1.0)
    points = {"x_n": 20, "x_s": 20, "x_p": 20, "r_n": 40, "r_p": 40}
    theirs = pybamm.Simulation(
        pybamm.lithium_ion.SPM(),
        parameter_values=values,
        experiment=pybamm.Experiment(steps),
        var_pts=points,
        solver=pybamm.IDAKLUSolver(rtol=1e-6, atol=1e-8),
    ).solve()
    assert record.ending.at_s == pytest.approx(float(theirs.t[-1]), rel=1e-4)
    assert record.columns["charge_ah"][-1] == pytest.approx(
        -float(theirs["Discharge capacity [A.h]"].data[-1]), abs=1e-3
    )


def test_a_step_that_cannot_go_on_says_so(simulator):
    load = ProtocolLoad(steps=[Rest(until_s=60.0), ConstantCurrent(c_rate=-1.0, until_s=7200.0), Rest(until_s=60.0)])
    record = simulator.record(spm(load))
    assert (record.ending.reason, record.ending.step) == ("lower_voltage", 1)


def test_a_step_that_is_over_as_it_begins_is_left_out_and_told(simulator):
    load = ProtocolLoad(steps=[ConstantCurrent(c_rate=-0.5, until_voltage_v=4.19), Rest(until_s=60.0)])
    record = simulator.record(spm(load, outputs=["step"]))
    assert set(record.columns["step"]) == {1.0}
    assert "step 0" in record.warnings[0]


def test_a_short_pulse_after_a_long_rest_is_seen(simulator):
    time_s, current_a = [0.0, 3600.0, 3601.0, 3611.0, 3612.0, 7200.0], [0.0, 0.0, -10.0, -10.0, 0.0, 0.0]
    record = simulator.record(spm(ProfileLoad(time_s=time_s, current_a=current_a), initial_soc=0.8))
    assert set(time_s) <= set(record.columns["time_s"])
    assert record.columns["charge_ah"][-1] == pytest.approx(-110.0 / 3600.0, abs=1e-4)
    rested_v, pulsed_v = np.interp([3600.0, 3611.0], record.columns["time_s"], record.columns["voltage_v"])
    assert pulsed_v < rested_v - 0.1


def test_a_profile_of_powers(simulator):
    load = ProfileLoad(time_s=[0.0, 60.0, 120.0], power_w=[-5.0, -10.0, 5.0])
    record = simulator.record(spm(load, initial_soc=0.5, outputs=["power_w"]))
    time_s, power_w = record.columns["time_s"], record.columns["power_w"]
    assert load.power_w is not None
    assert power_w == pytest.approx(np.interp(time_s, load.time_s, [-5.0, -10.0, 5.0]), rel=1e-3, abs=1e-3)


def test_a_full_cell_may_begin_a_drive_cycle_with_its_rest(simulator):
    record = simulator.record(spm(DriveCycleLoad(name="US06")))
    assert record.ending.reason == "upper_voltage"
    assert record.ending.at_s > 1.0


@pytest.mark.parametrize(
    ("model", "cell", "tolerance"),
    [
        ("SPM", "Chen2020", 1e-2),
        ("SPMe", "Chen2020", 1e-3),
        ("SPMe", "Chen2020", 9e-5),
        ("Thevenin", "ECM_Example", 1e-2),
    ],
)
def test_a_drive_cycle_is_believed_at_any_tolerance(simulator, model, cell, tolerance):
    load = DriveCycleLoad(name="US06")
    asked = Simulation(load=load, model=model, cell=cell, initial_soc=0.8, tolerance=tolerance)
    record = simulator.record(asked)
    assert record.ending.reason == "time_over"
    assert record.made_with.relative_tolerance <= min(tolerance, 1e-4)


def test_a_cell_warms_and_ages_where_asked(simulator):
    outputs = ["temperature_degc", "sei_loss_ah", "capacity_loss_ah"]
    ageing = Ageing(sei="solvent-diffusion limited")
    record = simulator.record(spm(thermal="lumped", ageing=ageing, outputs=outputs))
    assert record.columns["temperature_degc"][0] == pytest.approx(25.0)
    assert record.columns["temperature_degc"][-1] > 26.0
    assert 0.0 < record.columns["sei_loss_ah"][-1] < 0.1


def test_an_equivalent_circuit_counts_its_charge(simulator):
    load = CurrentLoad(current_a=-100.0, duration_s=1800.0)
    asked = Simulation(
        load=load, cell="ECM_Example", model="Thevenin", outputs=["soc", "temperature_degc", "energy_wh"]
    )
    record = simulator.record(asked)
    assert record.columns["charge_ah"][-1] == pytest.approx(-50.0, rel=1e-4)
    assert record.columns["soc"][-1] == pytest.approx(0.5, rel=1e-4)
    assert record.columns["temperature_degc"] == pytest.approx(25.0, abs=1e-3)


def test_what_makes_no_sense_is_refused_by_its_field(simulator):
    with pytest.raises(InvalidInput) as refusal:
        simulator.record(spm(CurrentLoad(current_a=-50.0, duration_s=1.0)))
    assert refusal.value.field == "load.current_a"


def test_the_record_says_what_it_was_made_with(simulator):
    made = simulator.record(spm()).made_with
    assert (made.simulator, made.version, made.model, made.solver) == ("PyBaMM", pybamm.__version__, "SPM", "IDAKLU")
    assert made.input_hash == simulator.record(spm()).made_with.input_hash
    assert made.input_hash != simulator.record(spm(every_s=60.0)).made_with.input_hash


def test_a_replaced_number_shows_or_is_refused(simulator):
    at_once = CurrentLoad(current_a=-5.0, duration_s=1.0)
    volts = [
        simulator.record(spm(at_once, parameters={"Contact resistance [Ohm]": ohm})).columns["voltage_v"][0]
        for ohm in (0.0, 0.01)
    ]
    assert volts[0] - volts[1] == pytest.approx(0.05)
    with pytest.raises(InvalidInput, match="changes nothing"):
        simulator.record(spm(parameters={"Negative electrode double-layer capacity [F.m-2]": 0.3}))


@pytest.mark.parametrize(
    ("name", "number", "more"),
    [
        ("EC initial concentration in electrolyte [mol.m-3]", 4_000.0, {"ageing": Ageing(sei="reaction limited")}),
        ("Separator thickness [m]", 2e-5, {}),
        ("Separator porosity", 0.4, {}),
        ("Cell thermal mass [J/K]", 500.0, {"cell": "ECM_Example", "model": "Thevenin"}),
    ],
)
def test_a_number_that_the_model_does_not_need_is_refused(simulator, name, number, more):
    with pytest.raises(InvalidInput, match="changes nothing") as refusal:
        simulator.record(spm(parameters={name: number}, **more))
    assert refusal.value.field == f"parameters.{name}"


@pytest.mark.parametrize(
    ("name", "number"),
    [("Negative electrode thickness [m]", 8e-5), ("Open-circuit voltage at 0% SOC [V]", 2.6)],
)
def test_a_number_that_decides_where_the_cell_starts_is_taken(simulator, name, number):
    volts = [
        simulator.record(spm(parameters=given, initial_soc=0.5)).columns["voltage_v"][0]
        for given in ({}, {name: number})
    ]
    assert abs(volts[0] - volts[1]) > 1e-5


# --- processes of others -------------------------------------------------------------------------------------------


def test_a_solve_that_takes_too_long_elsewhere_is_ended_and_the_next_one_done():
    with ThreadPoolExecutor(1) as theirs:
        late = ExecutorSolvers(theirs).begin([task.request_of(spm())], TaskOptions(timeout_s=0.01))
        assert failure_of(late.exception(120.0) or ValueError()).kind == "timed_out"
        (done,) = ExecutorSolvers(theirs).begin([task.request_of(spm())]).result(120.0)
        assert isinstance(task.decode(done.answer), Record)
        assert done.figures is not None


# --- bytes ------------------------------------------------------------------------------------------------------------


def test_errors_travel_too():
    answers = task.solve([b"{}", task.request_of(spm(model="Thevenin")), b"\xff"])
    assert [getattr(task.decode(answer), "field", None) for answer in answers] == ["request", "model", "request"]


def test_the_kept_are_few():
    simulator = WarmSimulator(most_kept=1)
    for outputs in ([], ["soc"], []):
        simulator.record(spm(outputs=outputs))
    assert len(simulator._kept) == 1


def test_progress_comes_to_its_end():
    heard: list[float] = []
    load = ProtocolLoad(steps=[Rest(until_s=60.0), Rest(until_s=60.0)])
    WarmSimulator().record(spm(load, initial_soc=0.5), heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


# --- the catalog ------------------------------------------------------------------------------------------------------


def test_every_parameter_set_is_in_the_catalog_with_models_or_reasons():
    assert set(catalog.names()) == set(pybamm.parameter_sets)
    for cell in catalog.cells():
        assert set(cell.models) | set(cell.why_not) == {"SPM", "SPMe", "DFN", "Thevenin"}, cell.name
        assert len(cell.ocv_v) == 101 or not cell.models


@pytest.mark.parametrize("name", [cell.name for cell in catalog.cells() if "SPM" in cell.models])
def test_each_cell_of_the_catalog_discharges_at_1c(name):
    cell = catalog.cell(name)
    load = CurrentLoad(current_a=-cell.capacity_ah, duration_s=7200.0)
    record = WarmSimulator().record(Simulation(load=load, cell=name, model="SPM"))
    assert record.ending.reason in ("lower_voltage", "other_limit")
    assert record.ending.at_s > 600.0


@pytest.mark.parametrize(("name", "model"), [("Prada2013", "SPMe"), ("Mohtat2020", "DFN")])
def test_slower_models_of_some_cells_as_well(name, model):
    load = CurrentLoad(current_a=-catalog.cell(name).capacity_ah, duration_s=600.0)
    assert WarmSimulator().record(Simulation(load=load, cell=name, model=model)).ending.reason == "time_over"


@pytest.mark.campaign
@pytest.mark.parametrize("name", ["Marquis2019", "Sulzer2019"])
def test_the_catalog_is_what_the_tool_finds_out(name):
    found, kept = found_out(name, pybamm.ParameterValues(name)), catalog.cell(name)
    assert (found.models, found.thermal, dict(found.ageing), found.without) == (
        kept.models,
        kept.thermal,
        dict(kept.ageing),
        kept.without,
    )
    assert dict(found.numbers) == pytest.approx(dict(kept.numbers))
    if found.models:
        assert kept.ocv_v == pytest.approx(found.ocv_v, abs=1e-4)
        assert kept.usable_ah == pytest.approx(found.usable_ah, rel=1e-4)


@pytest.mark.parametrize("name", ["Chen2020", "Prada2013", "Ramadass2004", "Ecker2015", "Xu2019"])
@pytest.mark.parametrize("part", [1.0, 0.98])
def test_states_of_charge_are_pybamms(name, part):
    values, options = pybamm.ParameterValues(name), OPTIONS.get(name, {})
    active = "Positive electrode active material volume fraction"
    changed = {active: part * float(values[active])}
    ours = InitialStates(values, options, 1.0, 1.0).at(0.7, changed).parameters
    theirs = values.copy()
    theirs.update(changed)
    theirs.set_initial_state(0.7, options=options or None)
    assert dict(ours) == pytest.approx({key: float(theirs[key]) for key in ours}, rel=1e-9)


def test_requests_survive_the_journey():
    asked = spm(DriveCycleLoad(name="US06", scale=0.5), outputs=["soc"])
    assert msgspec.json.decode(task.request_of(asked), type=Simulation) == asked
    assert task.key_of(task.request_of(asked)) == task.key_of(task.request_of(asked))


def test_a_solver_that_comes_no_further_is_ended(monkeypatch):
    monkeypatch.setattr(building, "STUCK_S", 1e6)  # so that whatever it does counts as creeping
    monkeypatch.setattr(building, "STUCK_STEPS", 5)
    with pytest.raises(Failed) as failed:
        WarmSimulator().record(Simulation(load=CurrentLoad(current_a=-5.0, duration_s=600.0), model="SPM"))
    assert failed.value.kind == "solver"
