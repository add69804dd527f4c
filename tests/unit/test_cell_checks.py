"""What is refused before anybody works: each refusal names its field."""

from math import nan

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltbench.adapters.cells import catalog, rows
from voltbench.adapters.cells.asked import checked, input_hash, model_key
from voltbench.adapters.cells.parameters import check_bounds
from voltbench.battery.cycling import ConstantCurrent, ConstantPower, ConstantVoltage, PlainStep, Repeat, Rest
from voltbench.battery.simulation import (
    Ageing,
    CurrentLoad,
    DriveCycleLoad,
    ExperimentLoad,
    Mesh,
    PowerLoad,
    ProfileLoad,
    ProtocolLoad,
    Simulation,
)
from voltbench.errors import InvalidInput, NotFound

DISCHARGE = CurrentLoad(current_a=-5.0, duration_s=3600.0)
REST = "Rest for 1 s"


def simulation(**asked):
    return Simulation(**{"load": DISCHARGE, **asked})


REFUSED = {
    "cell": simulation(cell="Chen2021"),
    "model": simulation(model="Thevenin"),
    "thermal": simulation(cell="Prada2013", load=CurrentLoad(current_a=-2.0, duration_s=9.0), thermal="lumped"),
    "ageing.plating": simulation(ageing=Ageing(plating="irreversible")),
    "lower_voltage_v": simulation(lower_voltage_v=1.0),
    "upper_voltage_v": simulation(upper_voltage_v=5.0),
    "initial_soc": simulation(upper_voltage_v=4.0),
    "ambient_degc": simulation(ambient_degc=65.0),
    "initial_degc": simulation(initial_degc=65.0),
    "mesh.particle_points": simulation(cell="ECM_Example", model="Thevenin", mesh=Mesh(particle_points=10)),
    "load.current_a": simulation(load=CurrentLoad(current_a=-50.0, duration_s=1.0)),
    "load.power_w": simulation(load=PowerLoad(power_w=-500.0, duration_s=1.0)),
    "every_s": simulation(every_s=0.001),
    "load": simulation(load=ProfileLoad(time_s=[0.0, 1.0])),
    "load.time_s[0]": simulation(load=ProfileLoad(time_s=[1.0, 2.0], current_a=[0.0, 0.0])),
    "load.time_s[1]": simulation(load=ProfileLoad(time_s=[0.0, 0.0], current_a=[0.0, 0.0])),
    "load.current_a[1]": simulation(load=ProfileLoad(time_s=[0.0, 1.0], current_a=[0.0, nan])),
    "load.time_s[2]": simulation(load=ProfileLoad(time_s=[0.0, 1.0, 1e9], current_a=[0.0, 0.0, 0.0])),
    "outputs[1]": simulation(outputs=["soc", "charge"]),
    "outputs[0]": simulation(outputs=["step"]),
    "load.steps[0]": simulation(load=ExperimentLoad(steps=["Dance at 1C for 1 hour"])),
    "load.steps[1].voltage_v": simulation(
        load=ProtocolLoad(steps=[Rest(until_s=1.0), ConstantVoltage(voltage_v=4.4, until_s=1.0)])
    ),
    "load.steps[0].c_rate": simulation(load=ProtocolLoad(steps=[ConstantCurrent(c_rate=9.0, until_s=1.0)])),
    "load.name": simulation(load=DriveCycleLoad(name="US07")),
    "load.scale": simulation(load=DriveCycleLoad(name="US06", scale=3.0)),
    "parameters.Contact resistance [Ohm]": simulation(parameters={"Contact resistance [Ohm]": -1.0}),
    "parameters.Contact": simulation(parameters={"Contact": 1.0}),
    "parameters.Negative electrode porosity": simulation(parameters={"Negative electrode porosity": 1.5}),
    "parameters.Ambient temperature [K]": simulation(parameters={"Ambient temperature [K]": 300.0}),
    "parameters.Nominal cell capacity [A.h]": simulation(parameters={"Nominal cell capacity [A.h]": 8.6}),
    "parameters.Electrode height [m]": simulation(parameters={"Electrode height [m]": nan}),
    "parameters": simulation(parameters={"Positive electrode porosity": 0.5}),
}


@pytest.mark.parametrize("field", REFUSED)
def test_each_refusal_names_its_field(field):
    with pytest.raises(InvalidInput) as refusal:
        checked(REFUSED[field])
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("load", "field", "found", "allowed"),
    [
        (ProtocolLoad(steps=[ConstantCurrent(c_rate=10.0, until_s=1.0)]), "load.steps[0].c_rate", 10.0, "3C"),
        (ExperimentLoad(steps=[REST, "Charge at 10C for 1 s"]), "load.steps[1]", "Charge at 10C for 1 s", "3C"),
        (ExperimentLoad(steps=[REST, "Hold at 5 V for 1 s"], times=2), "load.steps[1]", "Hold at 5 V for 1 s", ""),
        (DriveCycleLoad(name="US06", scale=50.0), "load.scale", 50.0, "up to 1.85"),
        (DriveCycleLoad(name="WLTC", scale=50.0), "load.scale", 50.0, "up to "),
    ],
)  # fmt: skip
def test_a_refusal_shows_what_was_written_at_its_field(load, field, found, allowed):
    with pytest.raises(InvalidInput) as refusal:
        checked(simulation(load=load))
    assert (refusal.value.field, refusal.value.found) == (field, found)
    assert refusal.value.allowed.startswith(allowed)


def test_the_greatest_scale_that_is_allowed_is_accepted():
    for name in ("US06", "WLTC"):
        with pytest.raises(InvalidInput) as refusal:
            checked(simulation(load=DriveCycleLoad(name=name, scale=50.0)))
        most = float(refusal.value.allowed.removeprefix("up to ").partition(",")[0])
        checked(simulation(load=DriveCycleLoad(name=name, scale=most)))


def test_a_temperature_that_changes_nothing_is_refused():
    with pytest.raises(InvalidInput, match="changes nothing") as refusal:
        checked(simulation(initial_degc=50.0))
    assert (refusal.value.field, refusal.value.allowed) == ("initial_degc", "ambient_degc, or thermal: lumped")
    checked(simulation(initial_degc=50.0, thermal="lumped"))
    checked(simulation(initial_degc=40.0, ambient_degc=40.0))


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("Separator porosity", 0.0),
        ("Positive particle diffusivity [m2.s-1]", 0.0),
        ("Separator Bruggeman coefficient (electrolyte)", -50.0),
        ("Initial concentration in electrolyte [mol.m-3]", 1e9),
        ("Positive electrode conductivity [S.m-1]", 0.0),
    ],
)
def test_a_number_that_no_cell_has_is_out_of_range(name, number):
    with pytest.raises(InvalidInput, match="out of its range") as refusal:
        checked(simulation(parameters={name: number}))
    assert (refusal.value.field, refusal.value.found) == (f"parameters.{name}", number)
    assert refusal.value.allowed


@pytest.mark.parametrize("cell", catalog.cells(), ids=lambda cell: cell.name)
def test_what_a_cell_has_of_its_own_is_within_the_bounds(cell):
    bounded = ("diffusivity", "conductivity", "porosity", "Bruggeman", "oncentration")
    for name, number in cell.numbers.items():
        if any(word in name for word in bounded):
            check_bounds(name, name, number)


CYCLE: list[PlainStep] = [
    ConstantCurrent(c_rate=0.5, until_voltage_v=4.2),
    ConstantVoltage(voltage_v=4.2, until_c_rate=0.05),
    ConstantCurrent(c_rate=-1.0, until_voltage_v=2.5),
]
TOO_OFTEN = [
    (DriveCycleLoad(name="US06"), 1e-3, "every_s"),
    (DriveCycleLoad(name="US06", times=100), 0.5, "every_s"),
    (ProtocolLoad(steps=[Rest(until_s=7 * 86_400.0)]), 1e-6, "every_s"),
    (ProtocolLoad(steps=[Rest(until_s=60.0), Rest(until_s=3_600.0, every_s=0.01)]), None, "load.steps[1].every_s"),
    (ProtocolLoad(steps=[Repeat(times=1_000, steps=[Rest(until_s=600.0)])]), 5.0, "every_s"),
    (ProtocolLoad(steps=[Repeat(times=2, steps=CYCLE)]), 1.0, "every_s"),
    (ProtocolLoad(steps=[ConstantPower(power_w=-0.01, until_voltage_v=3.0)]), 0.5, "every_s"),
    (ExperimentLoad(steps=["Rest for 10 hours (0.1 second period)"]), None, "load.steps[0]"),
    (ExperimentLoad(steps=["Rest for 10 hours"], times=1_000), 60.0, "every_s"),
]


@pytest.mark.parametrize(("load", "every_s", "field"), TOO_OFTEN)
def test_no_load_makes_more_rows_than_a_record_may_have(load, every_s, field):
    with pytest.raises(InvalidInput, match="too many rows") as refusal:
        checked(simulation(load=load, every_s=every_s))
    assert refusal.value.field == field


def test_rows_of_usual_loads_are_not_too_many():
    checked(simulation(load=ProtocolLoad(steps=[*CYCLE]), every_s=1.0, initial_soc=0.2))
    checked(simulation(load=ProtocolLoad(steps=[Repeat(times=3_000, steps=CYCLE)]), initial_soc=0.2))
    checked(simulation(load=DriveCycleLoad(name="US06", times=16), every_s=0.1))


@given(
    st.sampled_from([Rest, ConstantCurrent, ConstantVoltage, ConstantPower]),
    st.floats(1e-3, 7 * 86_400.0),
    st.floats(1e-6, 100.0),
)
def test_rows_that_nobody_asked_for_are_some_hundreds_a_step(kind, until_s, size):
    amount = {
        ConstantCurrent: {"current_a": size},
        ConstantVoltage: {"voltage_v": 4.0},
        ConstantPower: {"power_w": size},
    }
    step = kind(until_s=until_s, **amount.get(kind, {}))
    time_s = rows.of_step(step, until_s, 5.0, 4.2)
    assert (time_s[0], time_s[-1]) == (0.0, until_s)
    assert (np.diff(time_s) > 0.0).all()
    assert len(time_s) <= 500


def test_a_power_is_judged_at_the_lowest_voltage():
    at_most = simulation(load=PowerLoad(power_w=-37.5, duration_s=60.0))  # 3C of 5 Ah at 2.5 V
    assert checked(at_most).capacity_ah == 5.0
    with pytest.raises(InvalidInput, match=r"3\.04C at 2\.5 V") as refusal:
        checked(simulation(load=PowerLoad(power_w=-38.0, duration_s=60.0)))
    assert refusal.value.allowed == "37.5 W"


IDLE = {
    "Negative current collector thickness [m]": 2e-5,
    "Separator density [kg.m-3]": 400.0,
    "Initial SEI thickness [m]": 6e-9,
    "EC initial concentration in electrolyte [mol.m-3]": 4_000.0,
    "Bulk solvent concentration [mol.m-3]": 2_000.0,
    "Negative electrode reaction-driven LAM factor [m3.mol-1]": 1e-4,
    "Negative electrode double-layer capacity [F.m-2]": 0.3,
}


@pytest.mark.parametrize("name", IDLE)
def test_a_number_that_would_change_nothing_is_refused_before_anything_is_built(name):
    with pytest.raises(InvalidInput, match="changes nothing") as refusal:
        checked(simulation(parameters={name: IDLE[name]}))
    assert refusal.value.field == f"parameters.{name}"


def test_the_same_numbers_are_taken_where_they_have_an_effect():
    ageing = Ageing(sei="solvent-diffusion limited", loss_of_active_material="reaction-driven")
    able = {name: number for name, number in IDLE.items() if "double-layer" not in name}
    checked(simulation(parameters=able, thermal="lumped", ageing=ageing))


def test_a_full_cell_is_not_charged_and_an_empty_one_not_discharged():
    with pytest.raises(InvalidInput, match="full cell"):
        checked(simulation(load=CurrentLoad(current_a=5.0, duration_s=1.0)))
    with pytest.raises(InvalidInput, match="empty cell"):
        checked(simulation(initial_soc=0.0))


def test_what_makes_sense_is_the_cell():
    assert checked(simulation()) == catalog.cell("Chen2020")
    assert checked(simulation(initial_soc=None)).capacity_ah == 5.0


def test_nobody_knows_a_cell_that_is_not_in_the_catalog():
    with pytest.raises(NotFound):
        catalog.cell("Chen2021")


def test_requests_that_differ_in_numbers_share_a_model():
    one = simulation(ambient_degc=10.0, initial_soc=0.5, parameters={"Contact resistance [Ohm]": 0.001})
    other = simulation(ambient_degc=30.0, load=CurrentLoad(current_a=-1.0, duration_s=9.0))
    other = msgspec.structs.replace(other, parameters={"Contact resistance [Ohm]": 0.002})
    assert model_key(one) == model_key(other)
    assert input_hash(one) != input_hash(other)
    for different in (
        msgspec.structs.replace(one, model="DFN"),
        msgspec.structs.replace(one, mesh=Mesh(particle_points=20)),
        msgspec.structs.replace(one, outputs=["soc"]),
        msgspec.structs.replace(one, load=PowerLoad(power_w=-1.0, duration_s=1.0)),
        msgspec.structs.replace(one, parameters={"Negative electrode thickness [m]": 8e-5}),
    ):
        assert model_key(one) != model_key(different)


def test_a_drive_cycle_at_another_scale_is_the_same_model():
    cycles = [simulation(load=DriveCycleLoad(name=name, scale=scale)) for name, scale in (("US06", 1.0), ("us06", 0.5))]
    assert len({model_key(cycle) for cycle in cycles}) == 1


def test_the_same_request_has_the_same_hash_after_a_journey():
    asked = simulation(load=ProfileLoad(time_s=[0, 1], current_a=[0, -1]), parameters={"b": 1, "a": 2})
    again = msgspec.json.decode(msgspec.json.encode(asked), type=Simulation)
    other_order = msgspec.structs.replace(again, parameters=dict(sorted(again.parameters.items())))
    assert input_hash(msgspec.convert(msgspec.to_builtins(asked), Simulation)) == input_hash(other_order)
