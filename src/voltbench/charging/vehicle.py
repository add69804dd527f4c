"""Vehicles: what a model can do, and one on the road with so much in its battery."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf

import msgspec

from voltbench.battery.acceptance import AcceptanceCurve
from voltbench.errors import InvalidInput
from voltbench.quantities import MINIMUM_AC_CURRENT_A, NOMINAL_VOLTAGE_V


class OnboardCharger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The charger in the car, for AC: phases it can use, current per phase, and efficiency from socket to pack."""

    phases: int
    max_current_a: float
    min_current_a: float = MINIMUM_AC_CURRENT_A
    efficiency: float = 0.9

    def __post_init__(self) -> None:
        if self.phases not in (1, 2, 3):
            raise InvalidInput("ac.phases", "is not a number of phases", found=self.phases, allowed="1, 2 or 3")
        if not 0 < self.efficiency <= 1:
            raise InvalidInput("ac.efficiency", "is no efficiency", found=self.efficiency, allowed="above 0, up to 1")
        if not 0 < self.max_current_a < inf:
            raise InvalidInput("ac.max_current_a", "is no current", found=self.max_current_a, allowed="more than 0")
        if not 0 <= self.min_current_a <= self.max_current_a:
            raise InvalidInput(
                "ac.min_current_a", "is out of range", found=self.min_current_a, allowed=f"0 to {self.max_current_a:g}"
            )

    def max_power_w(self, voltage_v: float = NOMINAL_VOLTAGE_V) -> float:
        """Largest power drawn from the socket, in W."""
        return self.phases * self.max_current_a * voltage_v


class Acceptance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A curve of accepted power in W over state of charge (0 to 1), at the pack's terminals."""

    soc: tuple[float, ...]
    power_w: tuple[float, ...]


class VehicleModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """A model of vehicle, as the catalog describes it.

    `inlets` are the connector types it takes (`cCCS2`, `cType2` and so on, the words of OCPP 2.0.1). A vehicle
    without `ac` charges on DC only; one whose `inlets` name no DC connector charges on AC only.
    `published_10_80_min` is the time from 10 to 80 % on DC that its maker or a known test states, in minutes: what
    the curve is measured against, not what the bench computes with. `nominal_voltage_v` is that of the pack, by which a
    DC meter's volts and amperes go.
    """

    id: str
    name: str
    usable_capacity_wh: float
    acceptance: Acceptance
    inlets: tuple[str, ...]
    source: str
    ac: OnboardCharger | None = None
    published_10_80_min: float | None = None
    nominal_voltage_v: float = 400.0

    def __post_init__(self) -> None:
        if not 0 < self.usable_capacity_wh < inf:
            raise InvalidInput(
                "usable_capacity_wh", "is not a capacity", found=self.usable_capacity_wh, allowed="more than 0"
            )
        if not 0 < self.nominal_voltage_v < inf:
            raise InvalidInput(
                "nominal_voltage_v", "is no voltage", found=self.nominal_voltage_v, allowed="more than 0"
            )
        if not self.inlets:
            raise InvalidInput("inlets", "are missing", allowed=", ".join(CONNECTOR_TYPES))
        for inlet in self.inlets:
            if inlet not in CONNECTOR_TYPES:
                raise InvalidInput(
                    "inlets", "names an unknown connector", found=inlet, allowed=", ".join(CONNECTOR_TYPES)
                )
        _ = self.curve  # which refuses what is none

    def pack_voltage_v(self, soc: float) -> float:
        """Voltage of the pack: a straight line, a tenth below its nominal one when empty, a tenth above when full."""
        return self.nominal_voltage_v * (0.9 + 0.2 * soc)

    @cached_property
    def curve(self) -> AcceptanceCurve:
        """Power its pack accepts over the energy stored."""
        return AcceptanceCurve(self.usable_capacity_wh, self.acceptance.soc, self.acceptance.power_w)


CONNECTOR_TYPES = {
    "cCCS1": "dc",
    "cCCS2": "dc",
    "cG105": "dc",
    "cTesla": "dc",
    "cType1": "ac",
    "cType2": "ac",
    "sType2": "ac",
    "s309-3P-32A": "ac",
    "sCEE-7-7": "ac",
}
"""Connector types of OCPP 2.0.1 (ConnectorEnumType) that the bench knows, and the current they carry.

`cCCS*` are the combined inlets, `cG105` is CHAdeMO, `cTesla` also stands for NACS; `c` a captive cable, `s` a socket.
"""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle with its state of charge on arrival, 0 to 1."""

    id: str
    model: VehicleModel
    soc: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.soc <= 1.0:
            raise InvalidInput("soc", "is no state of charge", found=self.soc, allowed="0 to 1")


def fits(inlets: tuple[str, ...], connector: str) -> bool:
    """Whether a vehicle with these inlets can use a connector: a Type 2 plug goes into a Type 2 socket and so on."""
    return any(inlet[1:] == connector[1:] for inlet in inlets)
