"""A cycling protocol: its steps, their order, and what is no step."""

import pytest

from voltbench.battery.cycling import (
    ConstantCurrent,
    ConstantPower,
    ConstantVoltage,
    Repeat,
    Rest,
    Step,
    check_steps,
    in_order,
)
from voltbench.errors import InvalidInput

CHARGE = ConstantCurrent(c_rate=0.5, until_voltage_v=4.2)
REST = Rest(until_s=600.0)


def test_each_repetition_is_a_cycle_and_so_is_what_is_between():
    steps: list[Step] = [REST, Repeat(times=2, steps=[CHARGE, REST]), REST, REST]
    assert [(cycle, step) for cycle, step in in_order(steps)] == [
        (0, REST),
        (1, CHARGE),
        (1, REST),
        (2, CHARGE),
        (2, REST),
        (3, REST),
        (3, REST),
    ]


@pytest.mark.parametrize(
    ("step", "field"),
    [
        (ConstantCurrent(until_s=1.0), "load.steps[1]"),
        (ConstantCurrent(current_a=1.0, c_rate=1.0, until_s=1.0), "load.steps[1]"),
        (ConstantCurrent(current_a=0.0, until_s=1.0), "load.steps[1]"),
        (ConstantCurrent(current_a=1.0), "load.steps[1]"),
        (ConstantVoltage(voltage_v=4.0), "load.steps[1]"),
        (ConstantVoltage(voltage_v=4.0, until_current_a=1.0, until_c_rate=1.0), "load.steps[1]"),
        (ConstantPower(power_w=0.0, until_s=1.0), "load.steps[1].power_w"),
        (ConstantPower(power_w=1.0), "load.steps[1]"),
        (Repeat(times=2, steps=[REST, ConstantCurrent(until_s=1.0)]), "load.steps[1].steps[1]"),
    ],
)
def test_what_says_too_little_or_too_much_is_refused_in_its_place(step, field):
    with pytest.raises(InvalidInput) as refusal:
        check_steps([REST, step], "load.steps")
    assert refusal.value.field == field


def test_repetitions_have_an_end():
    with pytest.raises(InvalidInput, match="too many"):
        check_steps([Repeat(times=10_000, steps=[REST, REST])], "load.steps")
