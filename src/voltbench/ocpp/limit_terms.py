"""How stations take limits, whatever their version of OCPP: in W, or in A on each phase, by the tenth."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from voltbench.quantities import NOMINAL_VOLTAGE_V

HIGHEST_LEVEL = 90
"""The stack level of our limits, where a station allows it: nobody else's profile is to stand above them."""

_TENTHS = 1e-7
"""Room for rounding, in tenths of W or A: 16 A are not to become 15.9."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a station takes limits at an EVSE: in W or in A on each of its phases, and up to which stack level."""

    in_a: bool = False
    highest_level: int = HIGHEST_LEVEL
    voltage_v: float = NOMINAL_VOLTAGE_V
    phases: int = 3

    def limit(self, power_w: float) -> float:
        """A power in W or A, rounded down to the tenth that OCPP has."""
        w_each = self.voltage_v * self.phases if self.in_a else 1.0
        return floor(power_w / w_each * 10.0 + _TENTHS) / 10.0

    @property
    def told_phases(self) -> int | None:
        """The phases that are said beside a limit: where it is in A, and on fewer than three."""
        return self.phases if self.in_a and self.phases != 3 else None


USUAL = Terms()
