"""BPX documents from strangers: what they describe, and what in them is refused before anything runs it."""

import copy
from typing import Any

import numpy as np
import pytest

from voltbench.adapters.cells.asked import checked, known
from voltbench.adapters.cells.expressions import read_expression
from voltbench.adapters.cells.warm import WarmSimulator
from voltbench.battery.simulation import CurrentLoad, Simulation
from voltbench.errors import InvalidInput

GRAPHITE = (
    "1.9793 * exp(-39.3631 * x) + 0.2482 - 0.0909 * tanh(29.8538 * (x - 0.1234)) "
    "- 0.04478 * tanh(14.9159 * (x - 0.2769)) - 0.0205 * tanh(30.4444 * (x - 0.6103))"
)
NMC = (
    "-0.8090 * x + 4.4875 - 0.0428 * tanh(18.5138 * (x - 0.5542)) "
    "- 17.7326 * tanh(15.7890 * (x - 0.3117)) + 17.5842 * tanh(15.9308 * (x - 0.3120))"
)


def an_electrode(ocp: str, radius_m: float, active: float, window: tuple[float, float], most: float) -> dict[str, Any]:
    return {
        "Particle radius [m]": radius_m,
        "Thickness [m]": 8e-5,
        "Diffusivity [m2.s-1]": 4e-14,
        "OCP [V]": ocp,
        "Conductivity [S.m-1]": 100.0,
        "Surface area per unit volume [m-1]": 3.0 * active / radius_m,
        "Porosity": 0.25,
        "Transport efficiency": 0.125,
        "Reaction rate constant [mol.m-2.s-1]": 1e-5,
        "Minimum stoichiometry": window[0],
        "Maximum stoichiometry": window[1],
        "Maximum concentration [mol.m-3]": most,
    }


DOCUMENT: dict[str, Any] = {
    "Header": {"BPX": "1.1.0", "Title": "A cell of the tests", "Model": "DFN"},
    "Parameterisation": {
        "Cell": {
            "Electrode area [m2]": 0.1,
            "Number of electrode pairs connected in parallel to make a cell": 1,
            "Lower voltage cut-off [V]": 2.5,
            "Upper voltage cut-off [V]": 4.2,
            "Nominal cell capacity [A.h]": 4.8,
            "Reference temperature [K]": 298.15,
        },
        "Electrolyte": {
            "Cation transference number": 0.26,
            "Diffusivity [m2.s-1]": "8.794e-11 * (x / 1000) ** 2 - 3.972e-10 * (x / 1000) + 4.862e-10",
            "Conductivity [S.m-1]": "0.1297 * (x / 1000) ** 3 - 2.51 * (x / 1000) ** 1.5 + 3.329 * (x / 1000)",
        },
        "Negative electrode": an_electrode(GRAPHITE, 5.86e-6, 0.75, (0.0263, 0.9106), 33133.0),
        "Positive electrode": an_electrode(NMC, 5.22e-6, 0.665, (0.2638, 0.8540), 63104.0),
        "Separator": {"Thickness [m]": 1.2e-5, "Porosity": 0.47, "Transport efficiency": 0.3222},
    },
    "State": {"Initial conditions": {"Initial electrolyte concentration [mol.m-3]": 1000.0}},
}


def changed(place: str, found: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    part = document["Parameterisation"]
    *path, name = place.split("/")
    for step in path:
        part = part[step]
    part[name] = found
    return document


def asked(document: dict[str, Any], **more: Any) -> Simulation:
    load = CurrentLoad(current_a=-4.8, duration_s=1800.0)
    return Simulation(**{"load": load, "bpx": document, "model": "SPM", **more})


def test_a_document_is_a_cell_without_any_model():
    cell = known(asked(DOCUMENT))
    assert (cell.name, cell.capacity_ah, cell.lower_voltage_v, cell.upper_voltage_v) == (
        "A cell of the tests",
        4.8,
        2.5,
        4.2,
    )
    assert cell.models == ("SPM", "SPMe", "DFN")
    assert cell.ocv_at(0.0) == pytest.approx(2.5, abs=0.02)
    assert cell.ocv_at(1.0) == pytest.approx(4.2, abs=0.02)


@pytest.mark.parametrize("soc", [0.1, 0.5, 0.9, 1.0])
def test_its_voltage_at_rest_is_that_which_a_simulation_begins_with(soc: float):
    rest = CurrentLoad(current_a=-1e-5, duration_s=1.0)
    begins_v = WarmSimulator().record(asked(DOCUMENT, load=rest, initial_soc=soc)).columns["voltage_v"][0]
    assert known(asked(DOCUMENT)).ocv_at(soc) == pytest.approx(begins_v, abs=2e-4)


@pytest.mark.parametrize("model", ["SPM", "SPMe"])
def test_a_document_is_simulated(model):
    record = WarmSimulator().record(asked(DOCUMENT, model=model))
    assert record.ending.reason == "time_over"
    assert record.columns["charge_ah"][-1] == pytest.approx(-2.4, rel=1e-6)
    assert (np.diff(record.columns["voltage_v"]) < 0.0).all()


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("Negative electrode/Thickness [m]", -1e-5),
        ("Negative electrode/Thickness [m]", 8.5),
        ("Negative electrode/Porosity", 1.2),
        ("Negative electrode/Particle radius [m]", 0.0),
        ("Positive electrode/Maximum stoichiometry", 1.5),
        ("Negative electrode/Diffusivity [m2.s-1]", "exit(1)"),
        ("Negative electrode/OCP [V]", "__import__('os').system('true')"),
        ("Negative electrode/OCP [V]", "9**9**9"),
        ("Negative electrode/OCP [V]", "9**99999"),
        ("Negative electrode/OCP [V]", "x" + " + x" * 2_000),
        ("Negative electrode/OCP [V]", "(" * 200 + "x" + ")" * 200 + "["),
        ("Negative electrode/OCP [V]", True),
        ("Electrolyte/Cation transference number", 2.0),
        ("Negative electrode/OCP [V]", "x**1" + "0" * 400),
        ("Negative electrode/OCP [V]", "1" + "0" * 400 + " * x"),
        ("Negative electrode/OCP [V]", "1e999 * x"),
        ("Electrolyte/Diffusivity [m2.s-1]", "1" + "0" * 101),
    ],
)
def test_what_is_refused_is_named_by_its_place(place, found):
    with pytest.raises(InvalidInput) as refusal:
        known(asked(changed(place, found)))
    assert refusal.value.field.startswith("bpx.Parameterisation." + place.replace("/", "."))


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("Electrolyte/Conductivity [S.m-1]", -1.0),
        ("Electrolyte/Diffusivity [m2.s-1]", 0.0),
        ("Positive electrode/Diffusivity [m2.s-1]", -1e-14),
        ("Negative electrode/Conductivity [S.m-1]", 0.0),
    ],
)
def test_what_conducts_or_diffuses_does_so(place, found):
    with pytest.raises(InvalidInput, match="is not positive") as refusal:
        checked(asked(changed(place, found)))
    assert refusal.value.field == f"bpx.Parameterisation.{place.replace('/', '.')}"


def test_pores_and_material_need_room():
    with pytest.raises(InvalidInput, match="room"):
        known(asked(changed("Negative electrode/Porosity", 0.5)))


@pytest.mark.parametrize("document", [{}, {"Parameterisation": {}}, {"Header": {}, "Parameterisation": {"Cell": {}}}])
def test_what_is_no_document_is_refused(document):
    with pytest.raises(InvalidInput) as refusal:
        checked(asked(document))
    assert refusal.value.field.startswith("bpx")


@pytest.mark.parametrize("text", ["x / 0", "0 ** -1 + x", "x + 1" + " + x" * 600])
def test_what_cannot_be_worked_out_is_refused_before_it_is_solved(text):
    with pytest.raises(InvalidInput) as refusal:
        WarmSimulator().record(asked(changed("Negative electrode/OCP [V]", text)))
    assert refusal.value.field.startswith("bpx")


def warm(**lacks: str) -> dict[str, Any]:
    """A document that says how warm its cell becomes, but for what is to be left out of a part."""
    document = copy.deepcopy(DOCUMENT)
    parts = document["Parameterisation"]
    parts["Cell"] |= {
        "External surface area [m2]": 0.0053,
        "Volume [m3]": 2.4e-5,
        "Density [kg.m-3]": 2_000.0,
        "Specific heat capacity [J.K-1.kg-1]": 1_000.0,
    }
    for side in ("Negative electrode", "Positive electrode"):
        parts[side]["Entropic change coefficient [V.K-1]"] = 0.0
    document["State"]["Thermal environment"] = {
        "Ambient temperature [K]": 298.15,
        "Heat transfer coefficient [W.m-2.K-1]": 10.0,
    }
    for part, name in lacks.items():
        place = document["State"] if part == "Thermal_environment" else parts
        del place[part.replace("_", " ")][name]
    return document


def test_a_document_with_all_that_heat_needs_becomes_warm():
    record = WarmSimulator().record(asked(warm(), thermal="lumped", outputs=["temperature_degc"]))
    assert 26.0 < record.columns["temperature_degc"][-1] < 60.0


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("Cell", "External surface area [m2]"),
        ("Cell", "Volume [m3]"),
        ("Cell", "Density [kg.m-3]"),
        ("Cell", "Specific heat capacity [J.K-1.kg-1]"),
        ("Cell", "Reference temperature [K]"),
        ("Positive_electrode", "Entropic change coefficient [V.K-1]"),
        ("Thermal_environment", "Heat transfer coefficient [W.m-2.K-1]"),
    ],
)
def test_heat_of_which_a_number_is_missing_is_refused_by_that(part, name):
    document = warm(**{part: name})
    with pytest.raises(InvalidInput) as refusal:
        checked(asked(document, thermal="lumped"))
    assert refusal.value.field == "thermal"
    assert name in refusal.value.problem
    assert checked(asked(document)).thermal == ("isothermal",)


def test_what_changes_with_temperature_needs_the_one_it_holds_at():
    document = changed("Electrolyte/Diffusivity activation energy [J.mol-1]", 17_100.0)
    assert known(asked(document)).name
    del document["Parameterisation"]["Cell"]["Reference temperature [K]"]
    with pytest.raises(InvalidInput, match="Diffusivity activation energy") as refusal:
        known(asked(document))
    assert refusal.value.field == "bpx.Parameterisation.Cell.Reference temperature [K]"


@pytest.mark.parametrize("name", ["Foo thickness [m]", "Foo"])
def test_a_number_that_a_document_has_not_is_not_replaced(name):
    with pytest.raises(InvalidInput, match="is no number of this cell") as refusal:
        WarmSimulator().record(asked(DOCUMENT, parameters={name: 1e-5}))
    assert refusal.value.field == f"parameters.{name}"


def test_a_document_has_a_size():
    with pytest.raises(InvalidInput, match="too large"):
        known(asked({**DOCUMENT, "Header": {**DOCUMENT["Header"], "Description": "x" * 1_100_000}}))


def test_expressions_are_worked_out():
    at = read_expression("-2 * x ** 2 + exp(-x) / (1 + cosh(x)) - tanh(3e-1)", "here")
    x = np.array([0.1, 0.7])
    assert at(x) == pytest.approx(-2 * x**2 + np.exp(-x) / (1 + np.cosh(x)) - np.tanh(0.3))


@pytest.mark.parametrize(
    "text", ["((x**9)**9)**9", "x**x", "lambda: x", "x if x else 1", "x.real", "[x]", "1j", "'x'", ""]
)
def test_expressions_are_nothing_more(text):
    with pytest.raises(InvalidInput):
        read_expression(text, "here")
