"""Make it so: lower first, wait until that is certain, then raise into what is certainly free.

A device is counted with its *worst case*: the most it may draw by what is known. That is the last limit it confirmed,
the last one sent, or its failsafe, whichever is the highest. A device confirms with a report, and what it confirms is
the limit it was told before that report: whether the limit in the answer has arrived, its next report shows. A device
that is silent for longer than its limits are valid is counted with its failsafe. A device that does not take what it is
sent is counted with all that it can draw, whatever it reports.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import inf, isfinite
from typing import TypeAlias

import msgspec

from voltbench.energy.claim import UNBOUND, Bounds, Claim, Room
from voltbench.errors import NotFound
from voltbench.quantities import POWER_TOLERANCE_W, Instant


class Confirmation(StrEnum):
    """When a decrease counts: at once (our own twins), or when the device was told of it and has reported since."""

    INSTANT = "instant"
    REPORTED = "reported"


class CommitmentState(msgspec.Struct, frozen=True):
    """What is known of one device, to be remembered."""

    sent_w: float
    confirmed_w: float
    failsafe_w: float
    valid_until: Instant | None
    is_silent: bool
    told_w: float | None = None


@dataclass(slots=True)
class Commitment:
    """What is known of one device: the limit it was sent, the most it may still draw, and what it falls back to.

    `told_w` is the limit in the last answer to it, or a higher one sent since, of which it may have heard otherwise.
    One that `refuses` limits has all that it can draw as its failsafe, and counts as silent.
    """

    claim: Claim
    sent_w: float = 0.0
    confirmed_w: float = 0.0
    failsafe_w: float = 0.0
    valid_until: Instant | None = None
    is_silent: bool = False
    told_w: float = 0.0
    refuses: bool = False

    def state(self) -> CommitmentState:
        """All there is to remember."""
        return CommitmentState(
            self.sent_w, self.confirmed_w, self.failsafe_w, self.valid_until, self.is_silent, self.told_w
        )

    def worst_w(self, now: Instant) -> float:
        """The most this device may draw, by what is known: the last answer to it may not have arrived."""
        if self.is_silent and self.valid_until is not None and now >= self.valid_until:
            return self.failsafe_w
        return max(self.sent_w, self.confirmed_w, self.failsafe_w)


@dataclass(frozen=True, slots=True)
class Order:
    """A limit to send to a device."""

    id: str
    power_w: float


Aim: TypeAlias = tuple[Commitment, float]
"""A device, and the limit it should have, in W."""


class Commitments:
    """Every device of a site, and what each may draw at worst."""

    def __init__(self, confirmation: Confirmation = Confirmation.INSTANT) -> None:
        self.confirmation = confirmation
        self._all: dict[str, Commitment] = {}
        self._silent: dict[str, Commitment] = {}
        self._may_fall_back = False
        self.held_back: dict[str, int] = {}
        """By device, the row in which the last raise found no certain room for all of its target."""

    def join(self, claim: Claim, failsafe_w: float = 0.0) -> Commitment:
        """A device has come; it may draw no more than its failsafe yet."""
        self._may_fall_back |= failsafe_w > 0.0
        known = self._all[claim.id] = Commitment(claim, failsafe_w=failsafe_w)
        return known

    def reserve(self, claim: Claim, failsafe_w: float) -> None:
        """Nobody is there yet, but whoever comes may draw the failsafe before he is heard of; `leave` takes it back."""
        self._may_fall_back = True
        known = self._all[claim.id] = Commitment(claim, failsafe_w=failsafe_w, is_silent=True)
        self._silent[claim.id] = known

    def resume(self, claim: Claim, state: CommitmentState) -> Commitment:
        """A device is here, and as much is known of it as is remembered."""
        self._may_fall_back |= state.failsafe_w > 0.0
        told_w = state.told_w if state.told_w is not None else max(state.sent_w, state.confirmed_w)
        known = self._all[claim.id] = Commitment(
            claim, state.sent_w, state.confirmed_w, state.failsafe_w, state.valid_until, state.is_silent, told_w
        )
        if known.is_silent:
            self._silent[claim.id] = known
        return known

    def leave(self, id: str) -> None:
        """A device is unplugged: it draws nothing for certain."""
        self._all.pop(id, None)
        self._silent.pop(id, None)

    def of(self, id: str) -> Commitment:
        """What is known of a device."""
        if id not in self._all:
            raise NotFound("commitment", id)
        return self._all[id]

    def confirm(self, id: str, power_w: float) -> None:
        """A device reports the most it draws: no more than that, or than the limit it was told before.

        What is not a power confirms nothing.
        """
        known = self.of(id)
        if isfinite(power_w) and power_w >= 0.0:
            known.confirmed_w = power_w if power_w > known.told_w + POWER_TOLERANCE_W else known.told_w
            self.hear(id)

    def hear(self, id: str) -> None:
        """A device is heard of again."""
        known = self.of(id)
        known.is_silent = known.refuses
        if not known.refuses:
            self._silent.pop(id, None)

    def answer(self, id: str) -> None:
        """A device is told its limit; if the answer arrives, its next report confirms that."""
        known = self.of(id)
        known.told_w = known.sent_w

    def silence(self, id: str, valid_until: Instant) -> None:
        """Nothing is heard of a device any more; the limit it holds is valid until then."""
        known = self.of(id)
        known.is_silent, known.valid_until = True, None if known.refuses else valid_until
        self._silent[id] = known

    def hold(self, id: str, power_w: float, valid_until: Instant) -> None:
        """A device that nothing was heard of yet holds a limit that it was told before we knew of it."""
        known = self.of(id)
        known.sent_w = known.confirmed_w = known.told_w = power_w
        self.silence(id, valid_until)

    def still_hold(self, id: str, power_w: float) -> None:
        """A device may not have taken what it was sent, and hold this limit: the next report confirms no less."""
        known = self.of(id)
        known.told_w, known.confirmed_w = max(known.told_w, power_w), max(known.confirmed_w, power_w)

    def distrust(self, id: str, power_w: float) -> None:
        """A device refuses limits: it counts with all that it can draw, and gets no share, until it is trusted."""
        known = self.of(id)
        known.refuses, known.failsafe_w = True, power_w
        self._may_fall_back = True
        self.silence(id, 0)

    def trust(self, id: str, failsafe_w: float) -> None:
        """A device takes limits after all; what it could draw before counts until its reports confirm less."""
        known = self.of(id)
        self.still_hold(id, known.failsafe_w)
        known.refuses, known.failsafe_w = False, failsafe_w
        self.hear(id)

    def silent(self) -> list[Commitment]:
        """The devices that nothing is heard of."""
        return list(self._silent.values())

    def fallen_back(self, now: Instant) -> list[Order]:
        """The limits that silent devices have taken up by themselves, their validity being over: their failsafes."""
        silent = self._silent.values()
        fallen = [known for known in silent if known.valid_until is not None and now >= known.valid_until]
        for known in fallen:
            known.sent_w = known.confirmed_w = known.told_w = known.failsafe_w
            known.valid_until = None
        return [Order(known.claim.id, known.failsafe_w) for known in fallen]

    def next_expiry(self, now: Instant) -> Instant | None:
        """When the limit of a silent device ends next."""
        if not self._silent:
            return None
        ends = [known.valid_until for known in self._silent.values() if known.valid_until is not None]
        return min((end for end in ends if end > now), default=None)

    def lowered(self, targets: Iterable[Aim]) -> list[Order]:
        """The limits to send now that are lower than before. A target that is not a power is nothing."""
        orders = []
        for known, target_w in targets:
            if not target_w >= known.sent_w - POWER_TOLERANCE_W:  # true of what is not a number, too
                power_w = _powered(target_w)
                if power_w < known.sent_w:
                    orders.append(self._sent(known, power_w))
        return orders

    def raised(self, now: Instant, targets: Iterable[Aim], bounds: Bounds) -> list[Order]:
        """The limits to send, after the lower ones, that are higher: as far as what is certainly free allows."""
        self.held_back = {}
        rising = [(known, target_w) for known, target_w in targets if known.sent_w + POWER_TOLERANCE_W < target_w < inf]
        if not rising:
            return []
        if self._all_certain():
            return [self._sent(known, target_w) for known, target_w in rising]
        room = self._certain_room(now, bounds)
        reached = [(known, self._within(room, known, now, target_w)) for known, target_w in rising]
        return [self._sent(known, power_w) for known, power_w in reached if power_w > known.sent_w]

    def _within(self, room: Room, known: Commitment, now: Instant, target_w: float) -> float:
        """The raise towards a target that fits the certain room, taken from it; never below the device's minimum."""
        worst_w = known.worst_w(now)
        if target_w <= worst_w:
            return target_w
        more_w, row = room.headroom(known.claim, target_w - worst_w)
        if row != UNBOUND:
            self.held_back[known.claim.id] = row
        reachable_w = worst_w + more_w
        if reachable_w < known.claim.minimum_w - POWER_TOLERANCE_W:
            return known.sent_w
        room.take(known.claim, more_w)
        return reachable_w

    def _all_certain(self) -> bool:
        """Whether every device is known to draw no more than it was sent, so that targets that fit together fit now."""
        return self.confirmation is Confirmation.INSTANT and not self._silent and not self._may_fall_back

    def _certain_room(self, now: Instant, bounds: Bounds) -> Room:
        """What is free when everybody who is heard draws its worst; the bounds already reserve it for the silent."""
        room = Room(bounds)
        for known in self._all.values():
            if not known.is_silent:
                room.take(known.claim, known.worst_w(now))
        return room

    def _sent(self, known: Commitment, power_w: float) -> Order:
        instant = self.confirmation is Confirmation.INSTANT
        known.confirmed_w = power_w if instant else max(known.confirmed_w, known.sent_w)
        known.sent_w = power_w
        known.told_w = max(known.told_w, power_w)
        return Order(known.claim.id, power_w)


def _powered(power_w: float) -> float:
    """Fail closed: what is not a finite power of at least nothing is nothing."""
    return power_w if isfinite(power_w) and power_w > 0.0 else 0.0
