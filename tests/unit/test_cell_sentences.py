"""Steps in words, and as PyBaMM reads them."""

import os

import pytest

os.environ["PYBAMM_DISABLE_TELEMETRY"] = "true"

from voltbench.adapters.cells.sentences import as_protocol, step_of
from voltbench.battery.cycling import ConstantCurrent, ConstantPower, ConstantVoltage, Repeat, Rest
from voltbench.battery.simulation import ExperimentLoad
from voltbench.errors import InvalidInput

SENTENCES = {
    "Discharge at C/20 for 0.5 hours": ConstantCurrent(c_rate=-0.05, until_s=1800.0),
    "Charge at 0.5 C for 45 minutes": ConstantCurrent(c_rate=0.5, until_s=2700.0),
    "Discharge at 1 A for 0.5 hours": ConstantCurrent(current_a=-1.0, until_s=1800.0),
    "Charge at 200 mA for 45 minutes": ConstantCurrent(current_a=0.2, until_s=2700.0),
    "Discharge at 1W for 0.5 hours": ConstantPower(power_w=-1.0, until_s=1800.0),
    "Charge at 200mW for 45 minutes": ConstantPower(power_w=0.2, until_s=2700.0),
    "Rest for 10 minutes": Rest(until_s=600.0),
    "Rest for 10 minutes (1 minute period)": Rest(until_s=600.0, every_s=60.0),
    "Hold at 3.6V for 20 seconds": ConstantVoltage(voltage_v=3.6, until_s=20.0),
    "Charge at 1 C until 4.1V": ConstantCurrent(c_rate=1.0, until_voltage_v=4.1),
    "Hold at 4.1 V until 50mA": ConstantVoltage(voltage_v=4.1, until_current_a=0.05),
    "Hold at 3V until C/50": ConstantVoltage(voltage_v=3.0, until_c_rate=0.02),
    "Discharge at C/3 for 2 hours or until 2.5 V": ConstantCurrent(c_rate=-1 / 3, until_s=7200.0, until_voltage_v=2.5),
}


@pytest.mark.parametrize(("sentence", "step"), SENTENCES.items())
def test_a_sentence_is_a_step(sentence, step):
    assert step_of(sentence, "load.steps[0]") == step


@pytest.mark.parametrize("sentence", SENTENCES)
def test_pybamm_reads_the_same_in_it(sentence):
    from voltbench.adapters.cells.library import pybamm  # noqa: PLC0415

    ours, theirs = step_of(sentence, "load.steps[0]"), pybamm.step.string(sentence)
    fields = ("current_a", "c_rate", "power_w", "voltage_v")
    number = next((getattr(ours, field) for field in fields if getattr(ours, field, None) is not None), 0.0)
    sign = 1.0 if isinstance(ours, ConstantVoltage) else -1.0
    assert theirs.value == pytest.approx(sign * number)
    assert ours.until_s in (None, pytest.approx(theirs.duration))
    assert theirs.period == ours.every_s
    ends = [
        getattr(ours, field)
        for field in ("until_voltage_v", "until_current_a", "until_c_rate")
        if getattr(ours, field, None) is not None
    ]
    assert [termination.value for termination in theirs.termination] == pytest.approx(ends)


@pytest.mark.parametrize(
    "sentence",
    [
        "Discharge",
        "Discharge at 1C",
        "Charge at __import__('os') for 1 hour",
        "Discharge at 4 Ohm for 1 hour",
        "Charge at C/0 for 1 hour",
        "Charge at 0 A for 1 hour",
        "Charge at 4.2 V for 1 hour",
        "Hold at 1 A for 1 hour",
        "Hold at 4.2 V until 3 V",
        "Charge at 1 A until 50 mA",
        "Rest until 3 V",
        "Rest for 9999999 hours",
        "Rest for 0 seconds",
        "Run US06 (A)",
        "Charge at 1C for 1 hour\nRest for 1 hour",
        "",
    ],
)
def test_what_is_no_step_is_refused_by_its_number(sentence):
    with pytest.raises(InvalidInput) as refusal:
        as_protocol(ExperimentLoad(steps=["Rest for 1 hour", sentence]))
    assert refusal.value.field == "load.steps[1]"


def test_repetitions_are_cycles():
    protocol = as_protocol(ExperimentLoad(steps=["Rest for 1 hour"], times=3))
    assert protocol.steps == [Repeat(times=3, steps=[Rest(until_s=3600.0)])]
