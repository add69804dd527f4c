"""Readings as OCPP 1.6 tells of them: measurands, phases, contexts, units."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import attrgetter

from voltbench.charging.feed import Reading
from voltbench.ocpp.v16.messages import (
    Measurand,
    MeterValue,
    Phase,
    ReadingContext,
    SampledValue,
    UnitOfMeasure,
)
from voltbench.quantities import rfc3339

Sampler = Callable[[list[SampledValue], Reading, ReadingContext], None]
"""Adds what there is of a measurand in a reading."""

_PHASES: tuple[Phase, ...] = ("L1", "L2", "L3")
_TO_NEUTRAL: tuple[Phase, ...] = ("L1-N", "L2-N", "L3-N")


def _one(measurand: Measurand, unit: UnitOfMeasure, of: Callable[[Reading], float | None], form: str) -> Sampler:
    """A measurand with one figure, where there is one."""

    def sample(told: list[SampledValue], reading: Reading, context: ReadingContext) -> None:
        found = of(reading)
        if found is not None:
            told.append(SampledValue(value=format(found, form), context=context, measurand=measurand, unit=unit))

    return sample


def _each(
    measurand: Measurand, unit: UnitOfMeasure, of: Callable[[Reading], float], form: str, phases: tuple[Phase, ...]
) -> Sampler:
    """A measurand with a figure for each phase that the car uses; one without a phase on DC."""

    @lru_cache(maxsize=1_024)  # thousands of stations tell the same voltages and currents
    def samples(text: str, lines: tuple[int, ...], context: ReadingContext) -> tuple[SampledValue, ...]:
        if not lines:
            return (SampledValue(value=text, context=context, measurand=measurand, unit=unit),)
        return tuple(
            SampledValue(value=text, context=context, measurand=measurand, phase=phases[line], unit=unit)
            for line in lines
        )

    def sample(told: list[SampledValue], reading: Reading, context: ReadingContext) -> None:
        told += samples(format(of(reading), form), reading.lines, context)

    return sample


_SAMPLERS: dict[str, Sampler] = {
    "Energy.Active.Import.Register": _one(
        "Energy.Active.Import.Register", "Wh", lambda r: whole_wh(r.register_wh), ".0f"
    ),
    "Power.Active.Import": _one("Power.Active.Import", "W", attrgetter("power_w"), ".1f"),
    "Power.Offered": _one("Power.Offered", "W", attrgetter("offered_w"), ".1f"),
    "Power.Factor": _one("Power.Factor", "Percent", lambda r: 100.0 if r.phases else None, ".0f"),
    "Current.Import": _each("Current.Import", "A", attrgetter("current_a"), ".2f", _PHASES),
    "Current.Offered": _one("Current.Offered", "A", attrgetter("offered_a"), ".2f"),
    "Voltage": _each("Voltage", "V", attrgetter("voltage_v"), ".1f", _TO_NEUTRAL),
    "Frequency": _one("Frequency", "Hertz", lambda r: 50.0 if r.phases else None, ".1f"),
    "Temperature": _one("Temperature", "Celsius", attrgetter("temperature_degc"), ".1f"),
    "SoC": _one("SoC", "Percent", lambda r: None if r.soc is None else 100.0 * r.soc, ".1f"),
}
MEASURED = tuple(_SAMPLERS)
"""The measurands that a station of ours can be asked for."""


def whole_wh(register_wh: float) -> int:
    """A register as its display shows it: whole watt-hours, never more than there were."""
    return int(register_wh + 1e-6)


def meter_value(reading: Reading, measurands: Iterable[str], context: ReadingContext) -> MeterValue | None:
    """A reading, in these measurands as far as there are any; None where there is none."""
    told: list[SampledValue] = []
    for name in measurands:
        _SAMPLERS[name](told, reading, context)
    return MeterValue(timestamp=rfc3339(reading.at), sampled_value=tuple(told)) if told else None
