"""An EVSE of a charging station: its feed, who may use it, and what is going on there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from voltbench.charging.authorization import is_same_token
from voltbench.charging.feed import Feed
from voltbench.charging.reservation import Reservations
from voltbench.charging.session import ChargingStatus
from voltbench.charging.status import Status
from voltbench.quantities import Instant


class Transaction(msgspec.Struct):
    """What will be billed. `number` is the station's own, whatever the CSMS calls it.

    A `barred` one may not go on, but was not stopped: it gets `grace_wh` more at most, counted from its start.
    """

    number: int
    evse: int
    token: str
    started_at: Instant
    register_start_wh: float
    group: str | None = None
    reservation: int | None = None
    barred: bool = False
    grace_wh: float = 0.0


class Grant(msgspec.Struct, frozen=True):
    """Somebody may charge, if a car is plugged in before it is too late."""

    token: str
    until: Instant
    group: str | None = None


_RUNNING = {
    ChargingStatus.CHARGING: Status.CHARGING,
    ChargingStatus.SUSPENDED_EV: Status.SUSPENDED_EV,
    ChargingStatus.SUSPENDED_EVSE: Status.SUSPENDED_EVSE,
}


class Evse:
    """One EVSE. `finished` says that the transaction of the car that is plugged in is over.

    `cable_of` is the id token that a driver's own cable is locked for; `in_maintenance` that nobody new may use it now.
    """

    __slots__ = ("becomes_operative", "cable_of", "fault", "feed", "finished", "grant", "id", "in_maintenance",
                 "is_reserved", "operative", "transaction")  # fmt: skip

    def __init__(self, id: int, feed: Feed) -> None:
        self.id = id
        self.feed = feed
        self.operative = True
        self.becomes_operative: bool | None = None
        self.fault: str | None = None
        self.grant: Grant | None = None
        self.transaction: Transaction | None = None
        self.finished = False
        self.is_reserved = False
        self.in_maintenance = False
        self.cable_of: str | None = None

    @property
    def is_plugged(self) -> bool:
        """Whether a car is plugged in."""
        return self.feed.vehicle is not None

    @property
    def holds_cable(self) -> bool:
        """Whether a cable is locked in here that no car hangs on."""
        return self.cable_of is not None and not self.is_plugged and self.transaction is None

    def is_held_by(self, token: str) -> bool:
        """Whether somebody has begun the transaction that goes on here, or left his cable."""
        if self.transaction is not None:
            return is_same_token(token, self.transaction.token)
        return self.holds_cable and is_same_token(token, self.cable_of)

    @property
    def is_idle(self) -> bool:
        """Whether a newcomer could use it."""
        return self.status() in (Status.AVAILABLE, Status.PREPARING) and self.grant is None

    def status(self) -> Status:
        """What it is for whoever looks: the first line that holds."""
        return next(status(self) for holds, status in _LINES if holds(self))


_LIKELY = {Status.PREPARING: 0, Status.FINISHING: 1, Status.RESERVED: 2, Status.AVAILABLE: 3}


def likeliest(evses: Iterable[Evse], reservations: Reservations, token: str) -> int:
    """The EVSE that a driver at the reader most likely means: with a car that waits for him, or else a free one."""

    def unlikeliness(at: Evse) -> int:
        is_for_others = at.status() is Status.RESERVED and reservations.bars(at.id, 0, token, None)
        return _LIKELY.get(at.status(), 4) + 10 * (is_for_others or at.grant is not None or at.holds_cable)

    return min(evses, key=unlikeliness).id


_LINES: tuple[tuple[Callable[[Evse], bool], Callable[[Evse], Status]], ...] = (
    (lambda e: e.fault is not None, lambda _: Status.FAULTED),
    (lambda e: e.transaction is not None and not e.is_plugged, lambda _: Status.SUSPENDED_EV),
    (lambda e: e.transaction is not None, lambda e: _RUNNING[e.feed.status()]),
    (lambda e: e.in_maintenance or not e.operative, lambda _: Status.UNAVAILABLE),
    (lambda e: (e.is_plugged and e.finished) or e.holds_cable, lambda _: Status.FINISHING),
    (lambda e: e.is_plugged or e.grant is not None, lambda _: Status.PREPARING),
    (lambda e: e.is_reserved, lambda _: Status.RESERVED),
    (lambda _: True, lambda _: Status.AVAILABLE),
)
"""What an EVSE is, in order of importance: OCPP 1.6 edition 2, section 4.9, read as facts instead of as transitions."""
