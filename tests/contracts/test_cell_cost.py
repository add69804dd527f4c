"""What simulations cost, told before anybody works; and how little it takes to check many of them."""

from __future__ import annotations

import sys
from collections import Counter
from types import FrameType
from typing import Any

import msgspec
import pytest

from voltbench.adapters.cells import task
from voltbench.adapters.cells.asked import known, understood
from voltbench.apps.cells import asked, cost
from voltbench.battery.record import Record
from voltbench.battery.simulation import Simulation
from voltbench.errors import InvalidInput

CYCLE = [
    {"step": "constant_current", "c_rate": -1.0, "until_voltage_v": 2.5},
    {"step": "rest", "until_s": 600.0},
    {"step": "constant_current", "c_rate": 0.5, "until_voltage_v": 4.2},
    {"step": "constant_voltage", "voltage_v": 4.2, "until_c_rate": 0.05},
]
PULSES = [{"step": "constant_current", "c_rate": rate, "until_s": 10.0} for rate in (1.0, -1.0)]


def times(count: int, steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {"kind": "protocol", "steps": [{"step": "repeat", "times": count, "steps": steps}]}


def a_simulation(load: dict[str, Any], **more: Any) -> Simulation:
    return msgspec.convert({"model": "SPM", "load": load, **more}, Simulation)


LOADS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a current": ({"kind": "current", "current_a": -5.0, "duration_s": 3_600.0}, {}),
    "a current for a week": ({"kind": "current", "current_a": -5.0, "duration_s": 604_800.0}, {"every_s": 10.0}),
    "a power": ({"kind": "power", "power_w": -15.0, "duration_s": 2_400.0}, {}),
    "cycles": (times(3, CYCLE), {}),
    "cycles, often": (times(2, CYCLE), {"every_s": 20.0}),
    "pulses": (times(50, PULSES), {"initial_soc": 0.5}),
    "a drive cycle": ({"kind": "drive_cycle", "name": "US06"}, {"initial_soc": 0.9}),
    "a drive cycle, often": ({"kind": "drive_cycle", "name": "US06"}, {"initial_soc": 0.9, "every_s": 0.1}),
    "sentences": ({"kind": "experiment", "steps": ["Rest for 10 hours", "Discharge at C/3 for 1 hour"]}, {}),
}


@pytest.mark.parametrize("name", LOADS)
def test_a_record_has_about_as_many_rows_as_were_told(name: str):
    load, more = LOADS[name]
    simulation = a_simulation(load, **more)
    (answer,) = task.solve([task.request_of(simulation)])
    record = task.decode(answer)
    assert isinstance(record, Record)
    told = cost.rows(understood(simulation), known(simulation))
    assert told / 1.6 < len(record) < told * 1.6
    assert cost.Sizes().answer_bytes(simulation) / 1.7 < len(answer) < cost.Sizes().answer_bytes(simulation) * 1.7


def test_a_protocol_takes_as_long_as_all_of_its_steps_and_short_ones_less():
    one, many = (cost.seconds(a_simulation(times(count, CYCLE))) for count in (1, 2_500))
    assert many == pytest.approx(2_500 * one)
    assert one == pytest.approx(4 * cost.seconds(a_simulation(LOADS["a current"][0])))
    assert cost.seconds(a_simulation(times(2, PULSES))) < one / 2


def test_a_drive_cycle_takes_as_long_as_its_own_rows():
    us06, wltc = (cost.seconds(a_simulation({"kind": "drive_cycle", "name": name})) for name in ("US06", "WLTC"))
    assert wltc > 20 * us06


@pytest.mark.parametrize(
    "more", [{"thermal": "lumped"}, {"tolerance": 1e-7}, {"mesh": {"electrode_points": 80}}, {"every_s": 0.05}]
)
def test_what_takes_longer_is_told_to(more: dict[str, Any]):
    load = {"kind": "current", "current_a": -5.0, "duration_s": 3_600.0}
    assert cost.seconds(a_simulation(load, model="SPMe", **more)) > 1.8 * cost.seconds(a_simulation(load, model="SPMe"))


# --- many of them -----------------------------------------------------------------------------------------------------


def a_batch(base: dict[str, Any], points: list[dict[str, Any]]) -> bytes:
    return msgspec.json.encode({"base": {"model": "SPM"} | base, "sweep": {"kind": "list", "points": points}})


def test_sentences_that_do_not_change_are_read_and_checked_once():
    called: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        called[frame.f_code.co_name] += event == "call"

    steps = [f"Discharge at 1C for {seconds} seconds" for seconds in range(1, 41)]
    base = {"load": {"kind": "experiment", "steps": steps}}
    batch = a_batch(base, [{"ambient_degc": 10.0 + number, "initial_soc": 0.9} for number in range(20)])
    sys.setprofile(note)
    try:
        asked.batch_in(batch)
    finally:
        sys.setprofile(None)
    assert called["checked_steps"] == 20
    assert (called["step_of"], called["check_load"]) == (40, 1)


@pytest.mark.parametrize(
    ("point", "field"),
    [
        ({"load.current_a": -50.0}, "load.current_a"),
        ({"load.duration_s": 1e6}, "load.duration_s"),
        ({"every_s": 1e-3}, "every_s"),
        ({"cell": "Marquis2019"}, "load.current_a"),
        ({"initial_soc": 0.0}, "load.current_a"),
        ({"load.current_a": 1.0}, "load.current_a"),
    ],
)
def test_of_a_load_that_was_good_for_one_point_another_may_still_make_no_sense(point: dict[str, Any], field: str):
    good = {"load": {"kind": "current", "current_a": -5.0, "duration_s": 1_800.0}}
    with pytest.raises(InvalidInput, match="point 2") as refused:
        asked.batch_in(a_batch(good, [{"ambient_degc": 20.0}, {"ambient_degc": 21.0}, point]))
    assert refused.value.field == field


def test_steps_are_checked_again_for_other_voltages():
    base = {"load": {"kind": "protocol", "steps": CYCLE}, "initial_soc": 0.5}
    with pytest.raises(InvalidInput, match="point 1") as refused:
        asked.batch_in(a_batch(base, [{"ambient_degc": 20.0}, {"upper_voltage_v": 4.1}]))
    assert refused.value.field.startswith("load.steps[2]")


def test_the_usual_sweep_is_not_too_much():
    base = {"load": times(1, CYCLE), "outputs": ["soc", "temperature_degc", "ocv_v"]}
    spread = {"kind": "latin_hypercube", "count": 20_000, "over": {"ambient_degc": {"least": 10.0, "most": 40.0}}}
    asked.batch_in(msgspec.json.encode({"base": base, "sweep": spread}))
