"""A pack, as a charger sees it: so much energy stored, and a curve of what it accepts; and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

import msgspec

from voltbench.battery.acceptance import AcceptanceCurve
from voltbench.battery.charge_map import CellChargeMap
from voltbench.battery.circuit import EquivalentCircuit, Terminals
from voltbench.battery.pack_map import COLDEST_DEGC, HOTTEST_DEGC, ChargeMap
from voltbench.battery.thermal import Losses, ThermalNode
from voltbench.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Pack:
    """A battery pack: its acceptance curve (which holds its usable capacity) and the energy stored in it, in Wh."""

    acceptance: AcceptanceCurve
    energy_wh: float

    @property
    def soc(self) -> float:
        """State of charge, 0 to 1."""
        return self.energy_wh / self.acceptance.capacity_wh


class PackModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pack of cells, `series` times `parallel` of them, as the catalog describes it: a model, not a measured car.

    `charge_map` names the table of what one cell takes (`catalog/charge_maps/`). `resistance_ohm` is that of a fresh
    pack while it charges at 25 degrees, diffusion included: what it takes of the power heats the pack and is not
    stored. It may halve with every so many kelvins more. `max_power_w` and `max_current_a` are what leads and inlet
    allow; `margin` is the part of what its cells would take that is left unused. It is charged between two temperatures
    only: towards them what it accepts falls in a straight line from the last temperature of the table to nothing.

    `circuit` names the equivalent circuit of a cell (`catalog/circuits/`), by which the voltage at its terminals goes;
    the circuit's resistances halve with warmth as the pack's does.
    """

    id: str
    name: str
    source: str
    charge_map: CellChargeMap
    series: int
    parallel: int
    resistance_ohm: float
    thermal: ThermalNode
    max_power_w: float | None = None
    max_current_a: float | None = None
    margin: float = 0.0
    resistance_halves_every_k: float | None = None
    charges_above_degc: float = COLDEST_DEGC
    charges_below_degc: float = HOTTEST_DEGC
    circuit: EquivalentCircuit | None = None

    def __post_init__(self) -> None:
        for name in ("series", "parallel"):
            if getattr(self, name) < 1:
                raise InvalidInput(name, "is no number of cells", found=getattr(self, name), allowed="1 or more")
        for name in ("max_power_w", "max_current_a", "resistance_halves_every_k"):
            if (found := getattr(self, name)) is not None and not found > 0.0:
                raise InvalidInput(name, "is none", found=found, allowed="more than 0")
        if not 0.0 <= self.resistance_ohm < inf:
            raise InvalidInput("resistance_ohm", "is no resistance", found=self.resistance_ohm, allowed="0 or more")
        if not 0.0 <= self.margin < 1.0:
            raise InvalidInput(
                "margin", "is no part left unused", found=self.margin, allowed="0 up to, not including 1"
            )
        if not any(
            self.charges_above_degc < degc < self.charges_below_degc for degc in self.charge_map.temperature_degc
        ):
            found = f"{self.charges_above_degc:g} to {self.charges_below_degc:g}"
            allowed = f"around {', '.join(f'{degc:g}' for degc in self.charge_map.temperature_degc)}, or some of them"
            raise InvalidInput("charges_above_degc", "leaves no temperature of its table", found=found, allowed=allowed)
        if self.circuit is not None and self.circuit.cell != self.charge_map.cell:
            found, allowed = self.circuit.cell, self.charge_map.cell
            raise InvalidInput("circuit", "is of another cell than its charge map", found=found, allowed=allowed)

    @property
    def nominal_voltage_v(self) -> float:
        """Its cells' nominal voltages, one after the other."""
        return self.series * self.charge_map.nominal_voltage_v

    @property
    def capacity_wh(self) -> float:
        """What its cells hold, at their nominal voltage."""
        return self.nominal_voltage_v * self.charge_map.capacity_ah * self.parallel

    def losses(self, resistance: float = 1.0) -> Losses:
        """What charging heats it with, at so many times the resistance of a fresh one."""
        per_w2 = resistance * self.resistance_ohm / self.nominal_voltage_v**2
        return Losses(per_w2, self._halves_every_k)

    def terminals(self, resistance: float = 1.0) -> Terminals | None:
        """Its terminals at rest, at so many times a fresh one's resistance; none where nobody knows its circuit."""
        if self.circuit is None:
            return None
        return Terminals(self.circuit, self.series, self.parallel, resistance, self._halves_every_k)

    @property
    def _halves_every_k(self) -> float:
        return inf if self.resistance_halves_every_k is None else self.resistance_halves_every_k

    def accepts(self, capacity_wh: float) -> ChargeMap:
        """What it accepts in a vehicle that can use so much of it."""
        return ChargeMap.of_cells(
            self.charge_map,
            self.series,
            self.parallel,
            capacity_wh,
            inf if self.max_power_w is None else self.max_power_w,
            inf if self.max_current_a is None else self.max_current_a,
            self.margin,
            (self.charges_above_degc, self.charges_below_degc),
        )


def charge(pack: Pack, offered_w: float, duration_s: float, target_wh: float = inf) -> tuple[Pack, float]:
    """Offer power to a pack for a while; return the pack after it and the energy drawn, in Wh.

    Charging stops at `target_wh` of stored energy, and when the pack is full.
    """
    stored_wh, _ = charged_to(pack.acceptance, pack.energy_wh, offered_w, duration_s, target_wh)
    return replace(pack, energy_wh=stored_wh), stored_wh - pack.energy_wh


def charged_to(
    acceptance: AcceptanceCurve, energy_wh: float, offered_w: float, duration_s: float, target_wh: float = inf
) -> tuple[float, float]:
    """Energy stored after an offer has stood for a while, in Wh, and the power drawn at its end, in W."""
    target_wh = min(target_wh, acceptance.capacity_wh)
    remaining_s = duration_s
    while True:
        piece = acceptance.piece(energy_wh, offered_w, target_wh)
        if piece.duration_s > remaining_s:
            return min(energy_wh + piece.energy_after(remaining_s), piece.end_wh), piece.power_after(remaining_s)
        remaining_s -= piece.duration_s
        energy_wh = piece.end_wh
