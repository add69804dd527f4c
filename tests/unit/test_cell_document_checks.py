"""BPX documents whose functions make no sense where a cell comes, or whose numbers do not agree with each other."""

import copy
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.unit.test_cell_documents import DOCUMENT, asked, changed
from voltbench.adapters.cells.asked import checked, known
from voltbench.adapters.cells.document_functions import as_function
from voltbench.adapters.cells.documents import cell_of_document
from voltbench.adapters.cells.library import pybamm
from voltbench.adapters.cells.warm import WarmSimulator
from voltbench.battery.simulation import CurrentLoad
from voltbench.errors import InvalidInput

NEGATIVE_OCP, POSITIVE_OCP = "Negative electrode/OCP [V]", "Positive electrode/OCP [V]"
ENTROPIC = "Negative electrode/Entropic change coefficient [V.K-1]"
IN_PARTICLES, IN_SALT = "Negative electrode/Diffusivity [m2.s-1]", "Electrolyte/Diffusivity [m2.s-1]"
CONDUCTS = "Electrolyte/Conductivity [S.m-1]"

PRADA = "0.41253 + 5.007 * (x / 1000) - 4.7212 * (x / 1000) ** 2 + 1.5094 * (x / 1000) ** 3 - 0.16018 * (x / 1000) ** 4"


def refused(document: dict[str, Any]) -> InvalidInput:
    with pytest.raises(InvalidInput) as refusal:
        checked(asked(document))
    return refusal.value


def where(place: str) -> str:
    return f"bpx.Parameterisation.{place.replace('/', '.')}"


def salty(concentration: Any, **functions: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    document["Parameterisation"]["Electrolyte"] |= functions
    document["State"]["Initial conditions"]["Initial electrolyte concentration [mol.m-3]"] = concentration
    return document


# --- functions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [NEGATIVE_OCP, IN_PARTICLES, CONDUCTS, "User-defined/of mine"])
@pytest.mark.parametrize(
    "table",
    [
        {"x": [], "y": []},
        {"x": [0.5], "y": [0.1]},
        {"x": [0.0, 1.0], "y": [0.1]},
        {"x": [0.0, 0.5, 0.4, 1.0], "y": [0.4, 0.3, 0.2, 0.1]},
        {"x": [0.0, 0.5, 0.5, 1.0], "y": [0.4, 0.3, 0.2, 0.1]},
    ],
)
def test_a_table_has_points_from_left_to_right(place, table):
    document = copy.deepcopy(DOCUMENT)
    document["Parameterisation"]["User-defined"] = {}
    part, name = place.split("/")
    document["Parameterisation"][part][name] = table
    assert refused(document).field == where(place)


@pytest.mark.parametrize("odd", [{}, {"x": [0.0, 1.0]}, {"x": 0.0, "y": 1.0}])
def test_a_table_has_two_columns(odd):
    refusal = refused(changed(NEGATIVE_OCP, odd))
    assert (refusal.field, refusal.problem) == (where(NEGATIVE_OCP), "is no table")


@pytest.mark.parametrize("odd", [None, True, "0.1"])
def test_a_table_is_of_numbers(odd):
    assert refused(changed(NEGATIVE_OCP, {"x": [0.0, 1.0], "y": [0.2, odd]})).field == f"{where(NEGATIVE_OCP)}.y[1]"


@pytest.mark.parametrize(
    ("place", "described", "at"),
    [
        (IN_PARTICLES, "x-5", "a stoichiometry of 0.0263"),
        (IN_PARTICLES, "-4e-14", "a stoichiometry of 0.0263"),
        (IN_PARTICLES, "1e-14 * (0.9 - x)", "a stoichiometry of 0.9018"),
        (IN_PARTICLES, {"x": [0.0, 1.0], "y": [-1e-14, -1e-14]}, "a stoichiometry of 0.0263"),
        (IN_PARTICLES, {"x": [0.2, 0.3], "y": [1e-14, 4e-14]}, "a stoichiometry of 0.0263"),  # its line goes on
        (CONDUCTS, "-1.0", "10 mol/m3"),
        (CONDUCTS, "1 - x / 2900", "2900 mol/m3"),
        (CONDUCTS, {"x": [0.0, 3000.0], "y": [-1.0, -1.0]}, "10 mol/m3"),
        (CONDUCTS, {"x": [0.0, 1.5], "y": [1.2, 0.9]}, "1000 mol/m3"),  # in mol/l
        (IN_SALT, "-3e-10", "10 mol/m3"),
    ],
)
def test_what_conducts_or_diffuses_does_so_wherever_a_cell_comes(place, described, at):
    refusal = refused(changed(place, described))
    assert (refusal.field, refusal.problem) == (where(place), f"is not positive at {at}")
    assert refusal.found <= 0.0
    assert refusal.allowed.startswith("above 0 from ")


@pytest.mark.parametrize("place", [NEGATIVE_OCP, POSITIVE_OCP, IN_PARTICLES, IN_SALT, CONDUCTS, ENTROPIC])
@pytest.mark.parametrize("text", ["1/0", "exp(1000 * x)", "(x - 20000) ** 0.5", "1 / (1 + exp(1000 * x))"])
def test_what_cannot_be_worked_out_is_told_with_its_field_and_where(place, text):
    refusal = refused(changed(place, text))
    assert (refusal.field, refusal.found) == (where(place), text)
    assert refusal.problem.startswith("cannot be worked out at ")


@pytest.mark.parametrize(
    ("conductivity", "concentration"),
    [
        (DOCUMENT["Parameterisation"]["Electrolyte"]["Conductivity [S.m-1]"], 1_200.0),  # Nyman 2008, as in Chen2020
        ("0.0911 + 1.9101 * (x / 1000) - 1.052 * (x / 1000) ** 2 + 0.1554 * (x / 1000) ** 3", 1_000.0),  # Marquis2019
        ("0.2667 * (x / 1000) ** 3 - 1.2983 * (x / 1000) ** 2 + 1.7919 * (x / 1000) + 0.1726", 1_000.0),  # Ecker2015
        (PRADA, 1_200.0),  # negative above 4270 mol/m3
        ({"x": [0.0, 500.0, 1_000.0, 2_000.0], "y": [0.0, 0.8, 1.0, 0.3]}, 1_000.0),  # nothing beyond was measured
        (1.0, None),
    ],
)
def test_fits_that_are_used_every_day_pass(conductivity, concentration):
    assert checked(asked(salty(concentration, **{"Conductivity [S.m-1]": conductivity}))).name == "A cell of the tests"


def test_more_salt_is_met_where_there_is_more_to_begin_with():
    assert refused(salty(2_000.0, **{"Conductivity [S.m-1]": PRADA})).field == where(CONDUCTS)


@pytest.mark.parametrize("odd", [-1_000.0, 0.0, "1000"])
def test_an_electrolyte_begins_with_some_salt(odd):
    field = "bpx.State.Initial conditions.Initial electrolyte concentration [mol.m-3]"
    assert refused(salty(odd)).field == field


@pytest.mark.parametrize(
    ("place", "ocp"),
    [(POSITIVE_OCP, "3.43 - 0.015 * x + 3.5e14 * exp(-170 * x) - 1.46 * exp(-110 * (1 - x))"), (NEGATIVE_OCP, 0.1)],
)
def test_flat_potentials_end_before_the_cut_off(place, ocp):
    assert known(asked(changed(place, ocp))).upper_voltage_v == 4.2


def test_a_table_goes_on_as_it_does_in_pybamm():
    x, y, at = np.array([0.2, 0.5, 0.8]), np.array([0.3, 0.2, 0.12]), np.array([0.05, 0.2, 0.4, 0.8, 0.95])
    theirs = pybamm.Interpolant(x, y, pybamm.StateVector(slice(0, 5)), interpolator="linear").evaluate(y=at[:, None])
    assert as_function({"x": x, "y": y}, "here")(at) == pytest.approx(theirs.flatten())


def test_a_cell_rests_where_its_tables_go_on():
    table = {"x": [0.1, 0.3, 0.8], "y": [0.23, 0.13, 0.09]}
    document = changed(NEGATIVE_OCP, table)
    rest = CurrentLoad(current_a=-1e-5, duration_s=1.0)
    begins_v = WarmSimulator().record(asked(document, load=rest, initial_soc=0.02)).columns["voltage_v"][0]
    assert known(asked(document)).ocv_at(0.02) == pytest.approx(begins_v, abs=1e-3)


@pytest.mark.parametrize(
    "place", ["Negative electrode/Thickness [m]", "Negative electrode/Conductivity [S.m-1]", "Cell/Volume [m3]"]
)
@pytest.mark.parametrize("text", ["-1e-5", "1e-5"])
def test_a_number_is_not_spelled(place, text):
    refusal = refused(changed(place, text))
    assert (refusal.field, refusal.problem, refusal.allowed) == (where(place), "is no number", "a number")


@pytest.mark.parametrize("deep", [800, 900, 2_000])
def test_a_document_is_not_nested_without_end(deep):
    inside = b'{"in":' * deep + b'{"Porosity":-1.0}' + b"}" * deep
    with pytest.raises(InvalidInput):
        cell_of_document(msgspec.json.encode(DOCUMENT).replace(b'"Cell":{', b'"User-defined":%b,"Cell":{' % inside))


# --- numbers that do not agree ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lower_v", "upper_v"), [(5.0, 4.2), (4.2, 4.2), (4.5, 5.0)])
def test_the_lower_cut_off_is_below_the_upper_one_and_what_the_electrodes_have(lower_v, upper_v):
    document = changed("Cell/Lower voltage cut-off [V]", lower_v)
    document["Parameterisation"]["Cell"]["Upper voltage cut-off [V]"] = upper_v
    refusal = refused(document)
    assert (refusal.field, refusal.found) == (where("Cell/Lower voltage cut-off [V]"), lower_v)
    assert refusal.allowed.startswith("below 4.2")


@pytest.mark.parametrize("upper_v", [1.0, 100.0])
def test_the_upper_cut_off_is_a_voltage_that_the_electrodes_have(upper_v):
    refusal = refused(changed("Cell/Upper voltage cut-off [V]", upper_v))
    assert (refusal.field, refusal.found) == (where("Cell"), upper_v)
    assert "Upper voltage cut-off [V]" in refusal.problem


@pytest.mark.parametrize("nominal_ah", [1e9, 15.0, 1.5, 1e-3])
def test_a_nominal_capacity_is_about_what_the_electrodes_hold(nominal_ah):
    refusal = refused(changed("Cell/Nominal cell capacity [A.h]", nominal_ah))
    assert (refusal.field, refusal.found) == (where("Cell"), nominal_ah)
    assert "Nominal cell capacity [A.h]" in refusal.problem
    assert refusal.allowed.endswith("the negative electrode holds 4.71 Ah, the positive 5.31 Ah")


@pytest.mark.parametrize("nominal_ah", [2.4, 9.6])
def test_who_made_a_cell_may_call_it_smaller_or_larger(nominal_ah):
    assert known(asked(changed("Cell/Nominal cell capacity [A.h]", nominal_ah))).capacity_ah == nominal_ah


def test_a_stoichiometry_rises():
    assert refused(changed("Positive electrode/Maximum stoichiometry", 0.2)).field == where("Positive electrode")


def test_electrodes_that_hold_all_too_little_beside_each_other_are_no_cell():
    document = changed("Positive electrode/Thickness [m]", 1e-12)
    parts = document["Parameterisation"]
    parts["Negative electrode"]["Maximum stoichiometry"] = 1.0
    parts["Cell"]["Nominal cell capacity [A.h]"] = 6.6e-8
    assert refused(document).field == "bpx.Parameterisation"


@pytest.mark.parametrize("part", ["Electrolyte", "Separator"])
def test_a_part_of_a_document_may_lack_what_models_need(part):
    document = copy.deepcopy(DOCUMENT)
    document["Header"]["Model"] = "Partial"
    del document["Parameterisation"][part]
    assert known(asked(document)).models == ()


@pytest.mark.parametrize("part", ["Cell", "Negative electrode", "Positive electrode"])
@pytest.mark.parametrize("odd", [None, [], "x", 3, [{}]])
def test_a_part_that_is_no_table_is_named(part, odd):
    document = copy.deepcopy(DOCUMENT)
    document["Parameterisation"][part] = odd
    assert refused(document).field == where(part)
