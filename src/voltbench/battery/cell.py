"""What a cell is: what is known of it before anything is simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

KELVIN = 273.15


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as its makers, or a paper, describe it. `ocv_v` is its open-circuit voltage at evenly spaced SoC, 0 to 1.

    `most_c_rate` is what its description holds for, in both directions. `models` can be told what they need of it;
    `why_not` says for the others what is missing. `source` is where the description is from. `capacity_ah` is the
    nominal one, which says what 1C is; `usable_ah` is what flows between empty and full. At `described_ocv_v` is the
    state that the description itself begins in. `ageing` holds what it has parameters for, by the field of
    `simulation.Ageing`; `without` the outputs that it cannot have; `numbers` its parameters, by the simulator's names.
    """

    name: str
    chemistry: str
    capacity_ah: float
    lower_voltage_v: float
    upper_voltage_v: float
    ocv_v: tuple[float, ...]
    most_c_rate: float
    models: tuple[str, ...]
    why_not: Mapping[str, str] = field(default_factory=dict)
    least_degc: float = -30.0
    most_degc: float = 60.0
    source: str = ""
    usable_ah: float | None = None
    described_ocv_v: float | None = None
    thermal: tuple[str, ...] = ("isothermal",)
    ageing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)

    def ocv_at(self, soc: float | None) -> float:
        """Open-circuit voltage at a state of charge, between what is known linearly. Without one: as described."""
        if soc is None:
            return self.upper_voltage_v if self.described_ocv_v is None else self.described_ocv_v
        return float(np.interp(soc, np.linspace(0.0, 1.0, len(self.ocv_v)), self.ocv_v))

    @property
    def energy_wh(self) -> float:
        """What it holds from empty to full at no current, by its open-circuit voltage."""
        volts: NDArray[np.float64] = np.asarray(self.ocv_v)
        return float((volts[1:] + volts[:-1]).mean() / 2.0 * self.capacity_ah)


def degc(kelvin: float) -> float:
    """Degrees Celsius of a temperature in kelvin."""
    return kelvin - KELVIN


def kelvin(celsius: float) -> float:
    """Kelvin of a temperature in degrees Celsius."""
    return celsius + KELVIN


def c_rate(current_a: float, capacity_ah: float) -> float:
    """A current as a rate of a capacity, in 1/h, without its sign."""
    return abs(current_a) / capacity_ah


def peak(currents_a: Sequence[float]) -> float:
    """The greatest of some currents, without their signs."""
    return float(np.max(np.abs(currents_a), initial=0.0))
