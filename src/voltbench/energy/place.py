"""A place beside its cars: what its grid connection allows and costs, its load and generation, and batteries."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

from voltbench.errors import InvalidInput

LEAST_EFFICIENCY = 0.1
"""No battery that anybody charges loses more than nine tenths."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the grid connection of a place allows and costs, and what else hangs on it, slot by slot.

    An `import_limit_w` holds for all that is drawn, in place of the horizon's limit for cars. `load_w` and
    `generation_w` are foreseen. `demand_price_per_kw` is paid once for the highest imported power, as far as it is
    above `peak_so_far_w`. `co2_price_per_kg` weighs the carbon of imported energy (`co2_g_per_kwh`).
    """

    load_w: tuple[float, ...]
    generation_w: tuple[float, ...] = ()
    export_price_per_kwh: tuple[float, ...] = ()
    import_limit_w: float = inf
    export_limit_w: float = inf
    demand_price_per_kw: float = 0.0
    peak_so_far_w: float = 0.0
    co2_g_per_kwh: tuple[float, ...] = ()
    co2_price_per_kg: float = 0.0

    def __post_init__(self) -> None:
        for field in ("demand_price_per_kw", "peak_so_far_w", "co2_price_per_kg"):
            _require_from_0(field, getattr(self, field))
        for field in ("import_limit_w", "export_limit_w"):
            if getattr(self, field) != inf:
                _require_from_0(field, getattr(self, field))


@dataclass(frozen=True, slots=True)
class Reservoir:
    """A battery that may also give: in the place, or in a car that has one (V2G).

    `wear_per_kwh` is what it costs to put a kWh through it. It ends as full as it begins, or with `least_at_end_wh` in
    it, as near to that as can be: loads and cars come first. `least_wh` is its reserve: it is never discharged below
    it, and where it begins below, it gives nothing until it is brought up to it, as soon as that can be without costing
    anybody what is needed. A car's charges with no more than the car's `most_w`, and departs with what the car needs
    beyond what was in it.
    """

    capacity_wh: float
    stored_wh: float
    charge_w: float
    discharge_w: float
    charge_efficiency: float = 0.95
    discharge_efficiency: float = 0.95
    least_wh: float = 0.0
    least_at_end_wh: float | None = None
    wear_per_kwh: float = 0.0

    def __post_init__(self) -> None:
        for part in ("capacity_wh", "charge_w", "discharge_w", "wear_per_kwh"):
            _require_from_0(part, getattr(self, part))
        for part, wh in (("stored_wh", self.stored_wh), ("least_wh", self.least_wh)):
            if not 0.0 <= wh <= self.capacity_wh:
                raise InvalidInput(part, "is out of range", found=wh, allowed=f"0 to {self.capacity_wh}")
        if not 0.0 <= (self.least_at_end_wh or 0.0) <= self.capacity_wh:
            allowed = f"0 to {self.capacity_wh}"
            found = self.least_at_end_wh
            raise InvalidInput("least_at_end_wh", "is out of range", found=found, allowed=allowed)
        for name, efficiency in (("charge", self.charge_efficiency), ("discharge", self.discharge_efficiency)):
            if not LEAST_EFFICIENCY <= efficiency <= 1.0:
                field, allowed = f"{name}_efficiency", f"{LEAST_EFFICIENCY} to 1"
                raise InvalidInput(field, "is out of range", found=efficiency, allowed=allowed)


def _require_from_0(field: str, found: float) -> None:
    if not (isfinite(found) and found >= 0.0):
        raise InvalidInput(field, "is out of range", found=found, allowed="0 or more")
