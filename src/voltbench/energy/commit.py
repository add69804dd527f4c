"""Make it so: lower first, wait until that is certain, then raise into what is certainly free.

A device is counted with its *worst case*: the most it may draw by what is known. That is the last limit it confirmed,
or the last one sent if that is higher. A silent device is counted with the larger of both and its failsafe until the
validity of its last limit ends, and with its failsafe after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from voltbench.energy.claim import Bounds, Claim, Room
from voltbench.errors import NotFound
from voltbench.quantities import POWER_TOLERANCE_W, Instant
from voltbench.site.series import earliest


class Confirmation(StrEnum):
    """When a decrease counts: at once (our own twins), or when the device reports that it draws no more."""

    INSTANT = "instant"
    REPORTED = "reported"


@dataclass(slots=True)
class Commitment:
    """What is known of one device: the limit it was sent, the most it may still draw, and what it falls back to."""

    claim: Claim
    sent_w: float = 0.0
    confirmed_w: float = 0.0
    failsafe_w: float = 0.0
    valid_until: Instant | None = None
    is_silent: bool = False

    def worst_w(self, now: Instant) -> float:
        """The most this device may draw, by what is known."""
        if not self.is_silent:
            return max(self.sent_w, self.confirmed_w)
        if self.valid_until is not None and now >= self.valid_until:
            return self.failsafe_w
        return max(self.sent_w, self.confirmed_w, self.failsafe_w)


@dataclass(frozen=True, slots=True)
class Order:
    """A limit to send to a device."""

    id: str
    power_w: float


class Commitments:
    """Every device of a site, and what each may draw at worst."""

    def __init__(self, confirmation: Confirmation = Confirmation.INSTANT) -> None:
        self.confirmation = confirmation
        self._all: dict[str, Commitment] = {}

    def join(self, claim: Claim, failsafe_w: float = 0.0) -> None:
        """A device has come; it may draw nothing yet."""
        self._all[claim.id] = Commitment(claim, failsafe_w=failsafe_w)

    def leave(self, id: str) -> None:
        """A device is unplugged: it draws nothing for certain."""
        self._all.pop(id, None)

    def of(self, id: str) -> Commitment:
        """What is known of a device."""
        if id not in self._all:
            raise NotFound("commitment", id)
        return self._all[id]

    def confirm(self, id: str, power_w: float) -> None:
        """A device reports the most it draws. What is not a power confirms nothing."""
        known = self.of(id)
        if isfinite(power_w) and power_w >= 0.0:
            known.confirmed_w = power_w if power_w > known.sent_w + POWER_TOLERANCE_W else known.sent_w
            known.is_silent = False

    def silence(self, id: str, valid_until: Instant) -> None:
        """Nothing is heard of a device any more; the limit it holds is valid until then."""
        known = self.of(id)
        known.is_silent, known.valid_until = True, valid_until

    def silent(self) -> list[Commitment]:
        """The devices that nothing is heard of."""
        return [known for known in self._all.values() if known.is_silent]

    def next_expiry(self, now: Instant) -> Instant | None:
        """When the limit of a silent device ends next."""
        ends = (known.valid_until for known in self.silent())
        return earliest(*(end for end in ends if end is not None and end > now))

    def lowered(self, targets_w: Mapping[str, float]) -> list[Order]:
        """The limits to send now that are lower than before. A target that is not a power is nothing."""
        orders = []
        for id in targets_w:
            target, known = _powered(targets_w[id]), self._all[id]
            if target < known.sent_w - POWER_TOLERANCE_W and not known.is_silent:
                orders.append(self._sent(known, target))
        return orders

    def raised(self, now: Instant, targets_w: Mapping[str, float], bounds: Bounds) -> list[Order]:
        """The limits to send, after the lower ones, that are higher: as far as what is certainly free allows."""
        rising = [known for id, known in self._all.items() if self._is_raised(known, targets_w.get(id))]
        if not rising:
            return []
        room = None if self._all_certain() else self._certain_room(now, bounds)
        orders = []
        for known in rising:
            target = _powered(targets_w[known.claim.id])
            if room is not None:
                target = _within(room, known, now, target)
            if target > known.sent_w:
                orders.append(self._sent(known, target))
        return orders

    def _is_raised(self, known: Commitment, target_w: float | None) -> bool:
        return target_w is not None and not known.is_silent and _powered(target_w) > known.sent_w + POWER_TOLERANCE_W

    def _all_certain(self) -> bool:
        """Whether every device is known to draw no more than it was sent, so that targets that fit together fit now."""
        return self.confirmation is Confirmation.INSTANT and not any(k.is_silent for k in self._all.values())

    def _certain_room(self, now: Instant, bounds: Bounds) -> Room:
        room = Room(bounds)
        for known in self._all.values():
            room.take(known.claim, known.worst_w(now))
        return room

    def _sent(self, known: Commitment, power_w: float) -> Order:
        instant = self.confirmation is Confirmation.INSTANT
        known.confirmed_w = power_w if instant else max(known.confirmed_w, known.sent_w)
        known.sent_w = power_w
        return Order(known.claim.id, power_w)


def _within(room: Room, known: Commitment, now: Instant, target_w: float) -> float:
    """The raise towards a target that fits the certain room, taken from it; never below the device's minimum."""
    worst_w = known.worst_w(now)
    if target_w <= worst_w:
        return target_w
    reachable_w = worst_w + room.headroom(known.claim, target_w - worst_w)[0]
    if reachable_w < known.claim.minimum_w - POWER_TOLERANCE_W:
        return known.sent_w
    room.take(known.claim, reachable_w - worst_w)
    return reachable_w


def _powered(power_w: float) -> float:
    """Fail closed: what is not a finite power of at least nothing is nothing."""
    return power_w if isfinite(power_w) and power_w > 0.0 else 0.0
