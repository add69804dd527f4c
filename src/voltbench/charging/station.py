"""Charging stations, as models: what they can give, on which connectors."""

from __future__ import annotations

from math import inf

import msgspec

from voltbench.charging.vehicle import CONNECTOR_TYPES
from voltbench.errors import InvalidInput
from voltbench.quantities import MINIMUM_AC_CURRENT_A, NOMINAL_VOLTAGE_V


class ConnectorModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A connector of a station: its type (OCPP 2.0.1), its own ceiling in W, and on AC its phases."""

    type: str
    max_power_w: float
    phases: int = 3
    voltage_v: float = NOMINAL_VOLTAGE_V

    def __post_init__(self) -> None:
        if self.type not in CONNECTOR_TYPES:
            raise InvalidInput("connectors.type", "is unknown", found=self.type, allowed=", ".join(CONNECTOR_TYPES))
        if not 0 < self.max_power_w < inf:
            raise InvalidInput("connectors.max_power_w", "is no power", found=self.max_power_w, allowed="more than 0")
        if self.phases not in (1, 2, 3):
            raise InvalidInput("connectors.phases", "is not a number of phases", found=self.phases, allowed="1, 2, 3")
        if not 0 < self.voltage_v < inf:
            raise InvalidInput("connectors.voltage_v", "is no voltage", found=self.voltage_v, allowed="more than 0")

    @property
    def is_dc(self) -> bool:
        """Whether it carries direct current."""
        return CONNECTOR_TYPES[self.type] == "dc"

    @property
    def is_socket(self) -> bool:
        """Whether drivers bring their own cables, which it locks; else its cable is captive."""
        return self.type.startswith("s")


class StationModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model of charging station, as the catalog describes it.

    `max_power_w` is what its connectors share, at the output. `efficiency` is output over input (1 for AC, which is
    only switched). `step_w` is the resolution in which its output can be limited; `step_a` the same per phase on AC.
    `switches_phases` says that it can let a car go on on one phase instead of three. `default_current_a` is what a
    connector may draw on each phase (of its supply, on DC) where no charging profile speaks; else it is its rating.
    """

    id: str
    name: str
    max_power_w: float
    connectors: tuple[ConnectorModel, ...]
    source: str
    efficiency: float = 1.0
    step_w: float = 0.0
    step_a: float = 0.0
    min_current_a: float = MINIMUM_AC_CURRENT_A
    switches_phases: bool = False
    default_current_a: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.max_power_w < inf:
            raise InvalidInput("max_power_w", "is no power", found=self.max_power_w, allowed="more than 0")
        if not self.connectors:
            raise InvalidInput("connectors", "are missing", allowed="at least one")
        if not 0 < self.efficiency <= 1:
            raise InvalidInput("efficiency", "is no efficiency", found=self.efficiency, allowed="above 0, up to 1")
        for name in ("step_w", "step_a", "min_current_a"):
            if not 0 <= getattr(self, name) < inf:
                raise InvalidInput(name, "is out of range", found=getattr(self, name), allowed="0 or more")
        if self.default_current_a is not None and not 0 <= self.default_current_a < inf:
            raise InvalidInput(
                "default_current_a", "is out of range", found=self.default_current_a, allowed="0 or more"
            )
