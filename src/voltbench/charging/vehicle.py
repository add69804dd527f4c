"""Vehicles: what a model can do, and one on the road with so much in its battery."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from typing import Literal

import msgspec

from voltbench.battery.acceptance import AcceptanceCurve
from voltbench.battery.pack import PackModel
from voltbench.battery.pack_map import ChargeMap
from voltbench.battery.thermal import MILD_DEGC
from voltbench.battery.warm_pack import WarmPack, stored_part
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

    A `pack` models its battery (`catalog/packs/`): then temperature and ageing change how it charges, and `acceptance`
    may be left out. Where both are there, the curve counts, unless the vehicle `charges_by` its pack.
    """

    id: str
    name: str
    usable_capacity_wh: float
    acceptance: Acceptance | None
    inlets: tuple[str, ...]
    source: str
    ac: OnboardCharger | None = None
    published_10_80_min: float | None = None
    nominal_voltage_v: float = 400.0
    pack: PackModel | None = None
    charges_by: Literal["acceptance", "pack"] = "acceptance"

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
        if self.charges_by == "pack" and self.pack is None:
            raise InvalidInput("pack", "is missing", allowed="a pack, by which the vehicle is to charge")
        if self.acceptance is None and self.pack is None:
            raise InvalidInput("acceptance", "is missing")
        _ = self.curve  # which refuses what is none

    def pack_voltage_v(self, soc: float) -> float:
        """Voltage of the pack: a straight line, a tenth below its nominal one when empty, a tenth above when full."""
        return self.nominal_voltage_v * (0.9 + 0.2 * soc)

    @cached_property
    def curve(self) -> AcceptanceCurve:
        """Power its pack accepts over the energy stored; of a modelled one, fresh and at 25 degrees."""
        if self.charge_map is not None:
            return self.charge_map.curve(MILD_DEGC)
        return self._measured(self.usable_capacity_wh)

    @cached_property
    def charge_map(self) -> ChargeMap | None:
        """Power its pack accepts at any temperature and age, where it charges by a model of it."""
        if self.pack is None or (self.acceptance is not None and self.charges_by == "acceptance"):
            return None
        return self.pack.accepts(self.usable_capacity_wh)

    def _measured(self, capacity_wh: float) -> AcceptanceCurve:
        if self.acceptance is None:
            raise InvalidInput("acceptance", "is missing")
        return AcceptanceCurve(capacity_wh, self.acceptance.soc, self.acceptance.power_w)

    def aged_curve(self, soh: float) -> AcceptanceCurve:
        """Power its pack accepts when it holds less: a measured curve keeps its power over the state of charge."""
        if soh == 1.0:
            return self.curve
        if self.charge_map is not None:
            return self.charge_map.curve(MILD_DEGC, soh)
        return self._measured(self.usable_capacity_wh * soh)


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
class Condition:
    """How a battery is as its vehicle arrives: `soh` and `resistance` as those of a vehicle are."""

    battery_degc: float = MILD_DEGC
    soh: float = 1.0
    resistance: float = 1.0


AS_NEW = Condition()


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle as it arrives: its state of charge (0 to 1, of what it can still hold), and its battery's condition.

    `soh` is the part of its capacity that is left, `resistance` that of its pack over what it was when fresh.
    """

    id: str
    model: VehicleModel
    soc: float
    battery_degc: float = MILD_DEGC
    soh: float = 1.0
    resistance: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.soc <= 1.0:
            raise InvalidInput("soc", "is no state of charge", found=self.soc, allowed="0 to 1")
        if not COLDEST_DEGC <= self.battery_degc <= HOTTEST_DEGC:
            allowed = f"{COLDEST_DEGC:g} to {HOTTEST_DEGC:g}"
            raise InvalidInput("battery_degc", "is no temperature of a pack", found=self.battery_degc, allowed=allowed)
        if not 0.0 < self.soh <= 1.0:
            raise InvalidInput("soh", "is no state of health", found=self.soh, allowed="above 0, up to 1")
        if not 0.0 < self.resistance < inf:
            raise InvalidInput("resistance", "is no factor", found=self.resistance, allowed="more than 0")
        if self.model.charge_map is not None:
            self.model.charge_map.require_known(self.soh, self.resistance)

    def in_condition(self, condition: Condition) -> Vehicle:
        """The same vehicle with such a battery. Raises InvalidInput."""
        soh, resistance = condition.soh, condition.resistance
        return replace(self, battery_degc=condition.battery_degc, soh=soh, resistance=resistance)

    @property
    def capacity_wh(self) -> float:
        """What its pack can still hold."""
        return self.model.usable_capacity_wh * self.soh

    @property
    def curve(self) -> AcceptanceCurve:
        """What its pack accepts; of a modelled one, at 25 degrees."""
        return self.model.aged_curve(self.soh)

    def warm_pack(self, ambient_degc: float, rating_w: float = inf, wanted_wh: float = inf) -> WarmPack | None:
        """Its pack on a charger of such a rating, in such air, where a model of it says how it charges."""
        model = self.model
        if model.charge_map is None or model.pack is None:
            return None
        aged, losses = model.charge_map.aged(self.soh, self.resistance), model.pack.losses(self.resistance)
        from_wh = self.soc * self.capacity_wh
        to_wh = min(self.capacity_wh, from_wh + wanted_wh)
        thermal, degc = model.pack.thermal, self.battery_degc
        part = stored_part(aged, thermal, losses, degc, ambient_degc, from_wh, to_wh, rating_w)
        return WarmPack(aged, thermal, losses, degc, ambient_degc, part)


COLDEST_DEGC, HOTTEST_DEGC = -50.0, 90.0


def fits(inlets: tuple[str, ...], connector: str) -> bool:
    """Whether a vehicle with these inlets can use a connector: a Type 2 plug goes into a Type 2 socket and so on."""
    return any(inlet[1:] == connector[1:] for inlet in inlets)
