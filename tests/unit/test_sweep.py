"""One simulation, asked for many times with other numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from voltbench.adapters.strict import convert
from voltbench.battery.simulation import CurrentLoad, ProtocolLoad, Simulation
from voltbench.battery.sweep import Batch, Grid, LatinHypercube, Listed, Range, points, simulations
from voltbench.errors import InvalidInput

DISCHARGE = {"kind": "current", "current_a": -5.0, "duration_s": 3600.0}


def asked(sweep: Any, **base: Any) -> list[Simulation]:
    batch = Batch(base={"load": DISCHARGE} | base, sweep=sweep)
    return list(simulations(batch, points(sweep)))


def test_a_grid_has_every_combination_and_the_last_varies_fastest():
    found = asked(Grid(over={"ambient_degc": [0.0, 25.0], "load.current_a": [-5.0, -2.5]}))
    loads = [one.load for one in found]
    assert [one.ambient_degc for one in found] == [0.0, 0.0, 25.0, 25.0]
    assert [load.current_a for load in loads if isinstance(load, CurrentLoad)] == [-5.0, -2.5, -5.0, -2.5]


def test_a_list_may_name_a_parameter_and_a_step_of_a_protocol():
    steps = [{"step": "constant_current", "c_rate": -1.0, "until_voltage_v": 2.5}, {"step": "rest", "until_s": 60.0}]
    point = {"parameters.Electrode height [m]": 0.07, "load.steps.0.c_rate": -0.5}
    (found,) = asked(Listed(points=[point]), load={"kind": "protocol", "steps": steps})
    assert found.parameters == {"Electrode height [m]": 0.07}
    assert isinstance(found.load, ProtocolLoad)
    assert found.load.steps[0].c_rate == -0.5  # type: ignore[union-attr]  # it is the constant current
    assert steps[0]["c_rate"] == -1.0


def test_a_latin_hypercube_has_one_point_in_each_part_of_each_range():
    sweep = LatinHypercube(
        over={"ambient_degc": Range(least=-10.0, most=40.0), "initial_soc": Range(least=0.5, most=1.0)},
        count=50,
        seed=3,
    )
    found = points(sweep)
    for name, least, most in (("ambient_degc", -10.0, 40.0), ("initial_soc", 0.5, 1.0)):
        part = (np.array([point[name] for point in found]) - least) / (most - least) * 50
        assert sorted(np.floor(part).astype(int).tolist()) == list(range(50))
    assert points(sweep) == found


@pytest.mark.parametrize(
    ("sweep", "field"),
    [
        (Grid(over={"ambient_degc": [0.0] * 200, "initial_soc": [0.5] * 200}), "sweep.over"),
        (LatinHypercube(over={"ambient_degc": Range(least=5.0, most=5.0)}, count=2), "sweep.over.ambient_degc.most"),
        (Grid(over={"ambient_degc": ["warm"]}), "ambient_degc"),
        (Grid(over={"load.currents_a": [1.0]}), "load"),
        (Grid(over={"initial_soc.part": [1.0]}), "initial_soc"),
        (Grid(over={"load.current_a": [-1.0], "load": [DISCHARGE]}), "sweep.over.load.current_a"),
        (Listed(points=[{}, {"parameters": {}, "parameters.Height [m]": 1.0}]), "sweep.points.parameters.Height [m]"),
    ],
)
def test_what_makes_no_sense_is_named(sweep: Any, field: str):
    with pytest.raises(InvalidInput) as refused:
        asked(sweep)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("given", "field", "allowed"),
    [
        ({"least": 10, "mst": 40}, "sweep.over.ambient_degc.mst", "most, least"),
        ({"least": 10}, "sweep.over.ambient_degc.most", None),
        ({"least": 10, "most": "warm"}, "sweep.over.ambient_degc.most", "a number"),
        ([10, 40], "sweep.over.ambient_degc", "a table"),
    ],
)
def test_a_range_that_is_none_is_refused_by_its_name(given: Any, field: str, allowed: str | None):
    over = {"load.current_a": {"least": -5, "most": -4}, "ambient_degc": given}
    sweep = {"kind": "latin_hypercube", "count": 3, "over": over}
    with pytest.raises(InvalidInput) as refused:
        convert({"base": {}, "sweep": sweep}, Batch)
    assert refused.value.field == field
    assert allowed is None or allowed in str(refused.value.allowed)
