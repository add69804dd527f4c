"""A cell's document is held against the measurements that it brings."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from docs import accuracy_documents
from tests.unit.test_cell_documents import DOCUMENT
from voltbench.adapters.cells.documents import completed
from voltbench.adapters.cells.library import pybamm
from voltbench.adapters.cells.warm import WarmSimulator
from voltbench.errors import InvalidInput

TIMES_S = np.concatenate((np.linspace(0.0, 60.0, 7), [60.01], np.linspace(70.0, 1_800.0, 174)))


def measured(**told: Any) -> dict[str, Any]:
    """What is brought as a measurement: PyBaMM by itself, a discharge after a rest, 10 mV too high."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what bpx imports
        values = pybamm.ParameterValues.create_from_bpx_obj(completed(copy.deepcopy(DOCUMENT)))
    values.set_initial_state(0.9)
    steps = pybamm.Experiment(["Rest for 60 seconds", "Discharge at 4 A for 29 minutes"])
    simulation = pybamm.Simulation(pybamm.lithium_ion.DFN(), parameter_values=values, experiment=steps)
    volts = simulation.solve()["Voltage [V]"](TIMES_S)
    rows = {
        "Time [s]": TIMES_S.tolist(),
        "Current [A]": np.where(TIMES_S > 60.0, -4.0, 0.0).tolist(),
        "Voltage [V]": [volts[0], *(volts[1:] + 0.010)],
    }
    return copy.deepcopy(DOCUMENT) | {"Validation": {"a discharge": rows | told}}


def test_what_was_measured_is_told_with_how_far_we_are_off(tmp_path: Path):
    file = tmp_path / "cell.json"
    file.write_text(json.dumps(measured()))
    ((what, at, lasts, rms_mv, worst_mv),) = accuracy_documents.rows([file], WarmSimulator().record)
    assert (what, at, lasts) == ("cell.json: a discharge", "25 °C, from 90%", "1,800 of 1,800 s")
    assert float(rms_mv) == pytest.approx(10.0, abs=0.7)
    assert float(worst_mv) == pytest.approx(-10.0, abs=1.5)


def test_a_measurement_without_a_voltage_for_each_time_is_refused():
    with pytest.raises(InvalidInput, match=r"Validation\.a discharge: has no rows"):
        list(accuracy_documents.measured_in(measured(**{"Current [A]": [0.0]})))
