"""A stationary battery (BESS): energy in Wh, a window it may use, power both ways, losses both ways, and a reserve."""

from __future__ import annotations

from math import ceil, inf

import msgspec

from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_SECOND, SECONDS_PER_HOUR, Instant

_EMPTY_WH = 1e-6
"""Less than this is nothing: a wake-up falls on a whole millisecond, so a window's edge is met to that precision."""


class StorageModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a stationary battery is.

    It works between `soc_min` and `soc_max`; `reserve_soc` is kept back for others (backup) and never spent on cars.
    Powers are at its terminals towards the site; of what it draws `charge_efficiency` is stored, and of what it takes
    out of store `discharge_efficiency` arrives. With `sustain_s` it offers no more than it can hold for so long.
    """

    id: str
    name: str
    capacity_wh: float
    charge_max_w: float
    discharge_max_w: float
    charge_efficiency: float = 1.0
    discharge_efficiency: float = 1.0
    soc_min: float = 0.1
    soc_max: float = 1.0
    reserve_soc: float = 0.0
    sustain_s: float = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        _require(0 < self.capacity_wh < inf, "capacity_wh", self.capacity_wh, "more than 0")
        for name in ("charge_max_w", "discharge_max_w", "sustain_s"):
            _require(0 <= getattr(self, name) < inf, name, getattr(self, name), "0 or more")
        for name in ("charge_efficiency", "discharge_efficiency"):
            _require(0 < getattr(self, name) <= 1, name, getattr(self, name), "above 0, up to 1")
        _require(
            0 <= self.soc_min < self.soc_max <= 1, "soc_min", self.soc_min, "0 up to below soc_max, soc_max up to 1"
        )
        _require(0 <= self.reserve_soc <= self.soc_max, "reserve_soc", self.reserve_soc, "0 to soc_max")

    @property
    def floor_wh(self) -> float:
        """Energy that is never spent on cars."""
        return self.capacity_wh * max(self.soc_min, self.reserve_soc)

    @property
    def ceiling_wh(self) -> float:
        """Energy at which it is full."""
        return self.capacity_wh * self.soc_max


def _require(holds: bool, field: str, found: float, allowed: str) -> None:
    if not holds:
        raise InvalidInput(field, "is out of range", found=found, allowed=allowed)


class StorageState(msgspec.Struct, frozen=True):
    """A stationary battery as it is, in full, between two events."""

    energy_wh: float
    since: Instant
    setpoint_w: float
    charged_wh: float
    discharged_wh: float
    offers: bool = True


class Storage:
    """A stationary battery as it lives: a setpoint holds between two actions, and empty and full are instants.

    Power is positive into the battery. `kept_back_wh` is not offered any more, so that it can still cover what has
    been allowed until that is taken back.
    """

    __slots__ = (
        "_energy_wh",
        "_offers",
        "_since",
        "charged_wh",
        "discharged_wh",
        "kept_back_wh",
        "model",
        "setpoint_w",
    )

    def __init__(self, model: StorageModel, now: Instant, soc: float | None = None) -> None:
        self.model = model
        self._energy_wh = model.capacity_wh * (model.soc_max if soc is None else soc)
        self._since = now
        self.setpoint_w = 0.0
        self.kept_back_wh = 0.0
        self._offers = True
        self.charged_wh = 0.0
        self.discharged_wh = 0.0

    def energy_wh(self, now: Instant) -> float:
        """Energy stored, in Wh."""
        stored = self._energy_wh + self._gain_w() * (now - self._since) / MS_PER_SECOND / SECONDS_PER_HOUR
        if self.setpoint_w < 0.0:
            return max(stored, min(self._energy_wh, self.model.floor_wh))
        return min(stored, max(self._energy_wh, self.model.ceiling_wh))

    def soc(self, now: Instant) -> float:
        """State of charge, 0 to 1."""
        return self.energy_wh(now) / self.model.capacity_wh

    def dischargeable_w(self, now: Instant) -> float:
        """Most it can give from now on, in W."""
        return self.model.discharge_max_w if self._usable_wh(now) > _EMPTY_WH else 0.0

    def offerable_w(self, now: Instant) -> float:
        """Most it can offer from now on, in W: as much as it can sustain, nothing once down to what is kept back."""
        if not self._has_more(now):
            return 0.0
        if self.model.sustain_s == 0.0:
            return self.model.discharge_max_w
        sustained_w = self._usable_wh(now) * self.model.discharge_efficiency * SECONDS_PER_HOUR / self.model.sustain_s
        return min(self.model.discharge_max_w, sustained_w)

    @property
    def is_derating(self) -> bool:
        """Whether it gives, and can offer less and less the longer it does."""
        return self.setpoint_w < 0.0 < self.model.sustain_s

    def chargeable_w(self, now: Instant) -> float:
        """Most it can take from now on, in W."""
        return self.model.charge_max_w if self.model.ceiling_wh - self.energy_wh(now) > _EMPTY_WH else 0.0

    def set_power(self, now: Instant, power_w: float) -> None:
        """Charge (positive) or discharge (negative) with this power from now on, within what it can."""
        self.settle(now)
        self.setpoint_w = max(-self.dischargeable_w(now), min(power_w, self.chargeable_w(now)))

    def next_wakeup(self) -> Instant | None:
        """When it will be empty or full at its setpoint, or down to what is kept back, or None."""
        gain_w = self._gain_w()
        if gain_w == 0.0:
            return None
        edge_wh = self.model.floor_wh if gain_w < 0 else self.model.ceiling_wh
        if gain_w < 0.0 and self._energy_wh > edge_wh + self.kept_back_wh + _EMPTY_WH:
            edge_wh += self.kept_back_wh
        hours = max(0.0, (edge_wh - self._energy_wh) / gain_w)
        return self._since + ceil(hours * SECONDS_PER_HOUR * MS_PER_SECOND - 1e-6)

    def state(self) -> StorageState:
        """All there is to remember."""
        return StorageState(
            self._energy_wh, self._since, self.setpoint_w, self.charged_wh, self.discharged_wh, self._offers
        )

    def resume(self, state: StorageState) -> None:
        """Be as remembered."""
        self._energy_wh, self._since, self.setpoint_w = state.energy_wh, state.since, state.setpoint_w
        self.charged_wh, self.discharged_wh = state.charged_wh, state.discharged_wh
        self._offers = state.offers

    def _usable_wh(self, now: Instant) -> float:
        return self.energy_wh(now) - self.model.floor_wh

    def _has_more(self, now: Instant) -> bool:
        """Whether it has more than is kept back; once it has not, clearly more, not to offer for a moment only."""
        held_wh = self.kept_back_wh
        if not self._offers:
            held_wh = min(2.0 * held_wh, (held_wh + self.model.ceiling_wh - self.model.floor_wh) / 2.0)
        return self._usable_wh(now) - held_wh > _EMPTY_WH

    def _gain_w(self) -> float:
        if self.setpoint_w >= 0.0:
            return self.setpoint_w * self.model.charge_efficiency
        return self.setpoint_w / self.model.discharge_efficiency

    def settle(self, now: Instant) -> None:
        """Count what has flowed until now into `charged_wh` and `discharged_wh`."""
        stored_wh = self.energy_wh(now)
        drawn_wh = stored_wh - self._energy_wh
        if drawn_wh > 0.0:
            self.charged_wh += drawn_wh / self.model.charge_efficiency
        else:
            self.discharged_wh -= drawn_wh * self.model.discharge_efficiency
        self._energy_wh, self._since = stored_wh, now
        self._offers = self._has_more(now)
