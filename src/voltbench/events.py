"""The facts that cross packages: what happened, when, to whom. Powers in W, energies in Wh, as drawn from the site."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from voltbench.quantities import Instant


class SessionStarted(msgspec.Struct, frozen=True, tag=True):
    """A vehicle was plugged in."""

    at: Instant
    session: str
    connector: str


class LimitSet(msgspec.Struct, frozen=True, tag=True):
    """A session may draw this much from now on; `binding` names what holds it back."""

    at: Instant
    session: str
    power_w: float
    binding: str


class MeterRead(msgspec.Struct, frozen=True, tag=True):
    """A vehicle was reported to draw so much, and to have taken so much in all."""

    at: Instant
    session: str
    power_w: float
    energy_wh: float


class SessionSatisfied(msgspec.Struct, frozen=True, tag=True):
    """A vehicle has what its driver asked for."""

    at: Instant
    session: str


class SessionEnded(msgspec.Struct, frozen=True, tag=True):
    """A vehicle was unplugged."""

    at: Instant
    session: str
    delivered_wh: float


class StorageSet(msgspec.Struct, frozen=True, tag=True):
    """The stationary battery charges (positive) or discharges (negative) with this power from now on."""

    at: Instant
    power_w: float
    soc: float


Fact: TypeAlias = SessionStarted | LimitSet | MeterRead | SessionSatisfied | SessionEnded | StorageSet
