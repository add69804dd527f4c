"""Numbers of a cell that are replaced: where they lead, and what is kept of them."""

from itertools import combinations

import msgspec
import pytest

from voltbench.adapters.cells import catalog
from voltbench.adapters.cells.curve import CurvesAsked, facts, points
from voltbench.adapters.cells.curve_model import curve_of
from voltbench.adapters.cells.initial import MOST_BALANCES, InitialStates
from voltbench.adapters.cells.library import pybamm
from voltbench.battery.simulation import Mesh


def test_active_material_is_lost_in_both_electrodes():
    asked = CurvesAsked(cell="OKane2022", temperature_degc=(25.0,), lam=(0.2,), resistance=(1.0,), model="SPMe")
    asked = msgspec.structs.replace(asked, mesh=Mesh(electrode_points=5, particle_points=10))
    fresh = facts(asked)
    assert curve_of(*points(asked, fresh)).charge_ah == pytest.approx(0.8 * fresh.charge_ah, rel=1e-6)


def test_balances_of_which_there_could_be_thousands_are_few():
    states = InitialStates(pybamm.ParameterValues("Chen2020"), {}, 5.0, 1.0)
    names = [name for name in catalog.cell("Chen2020").numbers if "oncentration" in name or "fraction" in name]
    for some in list(combinations(names, 2))[: MOST_BALANCES + 3]:
        states.at(0.5, {name: catalog.cell("Chen2020").numbers[name] for name in some})
    assert len(states._balances) == MOST_BALANCES
