"""Readings as OCPP 1.6 tells of them: measurands, phases, contexts, units."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import chain, groupby
from operator import attrgetter

from msgspec.structs import replace

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

MOST_KNOWN = 1_024
"""So many samples of a kind are made once, and told again and again."""

_PHASES: tuple[Phase, ...] = ("L1", "L2", "L3")
_TO_NEUTRAL: tuple[Phase, ...] = ("L1-N", "L2-N", "L3-N")


def _one(measurand: Measurand, unit: UnitOfMeasure, of: Callable[[Reading], float | None], form: str) -> Sampler:
    """A measurand with one figure, where there is one."""

    def sample(told: list[SampledValue], reading: Reading, context: ReadingContext) -> None:
        found = of(reading)
        if found is not None:
            told.append(SampledValue(value=form % found, context=context, measurand=measurand, unit=unit))

    return sample


def _each(
    measurand: Measurand, unit: UnitOfMeasure, of: Callable[[Reading], float], form: str, phases: tuple[Phase, ...]
) -> Sampler:
    """A measurand with a figure for each phase that the car uses; one without a phase on DC."""

    @lru_cache(MOST_KNOWN)  # thousands of stations tell the same voltages and currents
    def samples(text: str, lines: tuple[int, ...], context: ReadingContext) -> tuple[SampledValue, ...]:
        if not lines:
            return (SampledValue(value=text, context=context, measurand=measurand, unit=unit),)
        return tuple(
            SampledValue(value=text, context=context, measurand=measurand, phase=phases[line], unit=unit)
            for line in lines
        )

    def sample(told: list[SampledValue], reading: Reading, context: ReadingContext) -> None:
        told += samples(form % of(reading), reading.lines, context)

    return sample


def _of_line(sampler: Sampler, line: int) -> Sampler:
    """A measurand for one phase of the grid, where the car uses that."""

    def sample(told: list[SampledValue], reading: Reading, context: ReadingContext) -> None:
        if line in reading.lines:
            sampler(told, replace(reading, lines=(line,)), context)

    return sample


def _register(told: list[SampledValue], reading: Reading, context: ReadingContext) -> None:
    text = str(whole_wh(reading.register_wh))
    told.append(SampledValue(value=text, context=context, measurand="Energy.Active.Import.Register", unit="Wh"))


_SAMPLERS: dict[str, Sampler] = {
    "Energy.Active.Import.Register": _register,
    "Power.Active.Import": _one("Power.Active.Import", "W", attrgetter("power_w"), "%.1f"),
    "Power.Offered": _one("Power.Offered", "W", attrgetter("offered_w"), "%.1f"),
    "Power.Factor": _one("Power.Factor", "Percent", lambda r: 100.0 if r.phases else None, "%.0f"),
    "Current.Import": _each("Current.Import", "A", attrgetter("current_a"), "%.2f", _PHASES),
    "Current.Offered": _one("Current.Offered", "A", attrgetter("offered_a"), "%.2f"),
    "Voltage": _each("Voltage", "V", attrgetter("voltage_v"), "%.1f", _TO_NEUTRAL),
    "Frequency": _one("Frequency", "Hertz", lambda r: 50.0 if r.phases else None, "%.1f"),
    "Temperature": _one("Temperature", "Celsius", attrgetter("temperature_degc"), "%.1f"),
    "SoC": _one("SoC", "Percent", lambda r: None if r.soc is None else 100.0 * r.soc, "%.1f"),
}
_SAMPLERS |= {
    f"{measurand}.{phase}": _of_line(_SAMPLERS[measurand], line)
    for measurand in ("Current.Import", "Voltage")
    for line, phase in enumerate(_PHASES)
}
MEASURED = tuple(_SAMPLERS)
"""The measurands that a station of ours can be asked for, some of them for one phase too (OCPP 1.6, section 9.1)."""

_DRIFTING = frozenset({"Energy.Active.Import.Register", "Temperature", "SoC"})
"""They are others each time. The rest stays as it is as long as the power does: most of a session on AC."""


def whole_wh(register_wh: float) -> int:
    """A register as its display shows it: whole watt-hours, never more than there were."""
    return int(register_wh + 1e-6)


def meter_value(reading: Reading, measurands: tuple[str, ...], context: ReadingContext) -> MeterValue | None:
    """A reading, in these measurands as far as there are any; None where there is none."""
    told: list[SampledValue] = []
    for sample in _samplers(measurands):
        sample(told, reading, context)
    return MeterValue(timestamp=rfc3339(reading.at), sampled_value=tuple(told)) if told else None


@lru_cache(MOST_KNOWN)
def _samplers(measurands: tuple[str, ...]) -> tuple[Sampler, ...]:
    """Who adds these measurands, in their order; neighbours that change together are added together."""
    runs = ((drifts, tuple(names)) for drifts, names in groupby(measurands, _DRIFTING.__contains__))
    added = ([_SAMPLERS[name] for name in names] if drifts else [_together(names)] for drifts, names in runs)
    return tuple(chain.from_iterable(added))


def _together(measurands: tuple[str, ...]) -> Sampler:
    """Measurands that are told again as they were while the power is the same."""

    @lru_cache(MOST_KNOWN)
    def samples(
        power_w: float, offered_w: float, volts: float, phases: int, lines: tuple[int, ...], context: ReadingContext
    ) -> list[SampledValue]:
        told: list[SampledValue] = []
        reading = Reading(0, 0.0, power_w, offered_w, volts, phases, None, 0.0, lines)
        for name in measurands:
            _SAMPLERS[name](told, reading, context)
        return told

    def sample(told: list[SampledValue], reading: Reading, context: ReadingContext) -> None:
        told += samples(reading.power_w, reading.offered_w, reading.voltage_v, reading.phases, reading.lines, context)

    return sample
