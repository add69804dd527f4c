"""Steps in the words of PyBaMM's experiments: `Charge at C/3 until 4.2 V`, `Rest for 1 hour`.

They are read here, not by PyBaMM, so that a sentence is refused in microseconds and by its number, and becomes the same
steps as a protocol of ours. A test reads them both ways. Not understood: resistances (`Discharge at 4 Ohm`), and
terminations with `<` and `>`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from voltbench.battery.cycling import (
    LONGEST_S,
    ConstantCurrent,
    ConstantPower,
    ConstantVoltage,
    PlainStep,
    Repeat,
    Rest,
)
from voltbench.battery.simulation import ExperimentLoad, ProtocolLoad
from voltbench.errors import InvalidInput

GRAMMAR = (
    "(Charge|Discharge) at 2 A|200 mA|1C|C/3|5 W, Hold at 4.2 V, or Rest; for 30 seconds|minutes|hours, "
    "until 4.2 V|50 mA|C/50, or both: for 1 hour or until 4.2 V; (1 minute period) after it, for its rows"
)

_NUMBER = r"\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?"
_AMOUNT = rf"C/(?:{_NUMBER})|(?:{_NUMBER}) ?(?:m?A|m?V|m?W|C)"
_TIME = rf"(?:{_NUMBER}) ?(?:seconds?|sec|s|minutes?|min|m|hours?|hr|h)"
_SENTENCE = re.compile(
    rf"(?:(?P<rest>Rest)|(?P<deed>Charge|Discharge|Hold) at (?P<amount>{_AMOUNT}))"
    rf"(?: for (?P<time>{_TIME}))?(?: (?:or )?until (?P<until>{_AMOUNT}))?(?: \((?P<period>{_TIME}) period\))?"
)
_PARTS = re.compile(rf"({_NUMBER}) ?(\w+)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def as_protocol(load: ExperimentLoad) -> ProtocolLoad:
    """The protocol that sentences describe. Raises InvalidInput that names the first which is not understood."""
    steps = [step_of(sentence, f"load.steps[{number}]") for number, sentence in enumerate(load.steps)]
    return ProtocolLoad(steps=list(_repeated(steps, load.times)))


def _repeated(steps: list[PlainStep], times: int) -> Sequence[PlainStep | Repeat]:
    """Several repetitions of all steps are cycles."""
    return steps if times == 1 else [Repeat(times=times, steps=steps)]


def step_of(sentence: str, field: str) -> PlainStep:
    """The step that a sentence describes. Raises InvalidInput."""
    match = _SENTENCE.fullmatch(sentence.strip())
    if match is None:
        raise InvalidInput(field, "is not understood", found=sentence, allowed=GRAMMAR)
    said = match.groupdict()
    if said["time"] is None and said["until"] is None:
        raise InvalidInput(field, "has no end", found=sentence, allowed="for a time, until a voltage or current")
    until_s = None if said["time"] is None else _seconds(said["time"], field)
    every_s = None if said["period"] is None else _seconds(said["period"], field)
    try:
        return _step(said, until_s, every_s)
    except ValueError as error:
        raise InvalidInput(field, str(error), found=sentence, allowed=GRAMMAR) from None


def _step(said: dict[str, str | None], until_s: float | None, every_s: float | None) -> PlainStep:
    until = None if said["until"] is None else _amount(said["until"])
    if said["rest"] is not None:
        if until is not None or until_s is None:
            raise ValueError("ends a rest by something else than time")
        return Rest(until_s=until_s, every_s=every_s)
    number, unit = _amount(said["amount"] or "")
    if said["deed"] == "Hold":
        return _hold(number, unit, until, until_s, every_s)
    until_voltage_v = _end(until, "V")
    sign = 1.0 if said["deed"] == "Charge" else -1.0
    if unit == "A":
        return ConstantCurrent(
            current_a=sign * number, until_voltage_v=until_voltage_v, until_s=until_s, every_s=every_s
        )
    if unit == "C":
        return ConstantCurrent(c_rate=sign * number, until_voltage_v=until_voltage_v, until_s=until_s, every_s=every_s)
    if unit == "W":
        return ConstantPower(power_w=sign * number, until_voltage_v=until_voltage_v, until_s=until_s, every_s=every_s)
    raise ValueError("charges or discharges at a voltage; that is a hold")


def _hold(
    number: float, unit: str, until: tuple[float, str] | None, until_s: float | None, every_s: float | None
) -> ConstantVoltage:
    if unit != "V":
        raise ValueError("holds something else than a voltage")
    by_rate = until is not None and until[1] == "C"
    return ConstantVoltage(
        voltage_v=number,
        until_c_rate=until[0] if until is not None and by_rate else None,
        until_current_a=None if by_rate else _end(until, "A"),
        until_s=until_s,
        every_s=every_s,
    )


def _end(until: tuple[float, str] | None, unit: str) -> float | None:
    if until is None:
        return None
    if until[1] != unit:
        raise ValueError(f"ends at {until[1]}, where it can only end at {unit}")
    return until[0]


def _amount(text: str) -> tuple[float, str]:
    """A number in A, V, W or 1/h, with the letter of its unit; `C/3` is a third of 1C."""
    if text.startswith("C/"):
        below = float(text[2:])
        if below <= 0.0:
            raise ValueError("divides by zero")
        return 1.0 / below, "C"
    match = _PARTS.fullmatch(text)
    assert match is not None
    number, unit = float(match[1]), match[2]
    if number <= 0.0:
        raise ValueError("has an amount of zero; that is a rest")
    return (number / 1000.0, unit[1:]) if len(unit) == 2 else (number, unit)


def _seconds(text: str, field: str) -> float:
    match = _PARTS.fullmatch(text)
    assert match is not None
    seconds = float(match[1]) * _SECONDS[match[2][0]]
    if not 0.0 < seconds <= LONGEST_S:
        raise InvalidInput(field, "has a time that is not possible", found=text, allowed=f"up to {LONGEST_S:g} s")
    return seconds
