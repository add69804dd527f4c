"""What happens at a charging station: the facts that its life tells, for whoever speaks a protocol."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from voltbench.charging.evse import Transaction
from voltbench.charging.feed import Reading
from voltbench.charging.lights import Colour
from voltbench.charging.status import Status, StopReason
from voltbench.quantities import Instant


class StatusChanged(Struct, frozen=True):
    """An EVSE is something else now; 0 is the station itself. `error` names a fault."""

    at: Instant
    evse: int
    status: Status
    error: str | None = None


class TokenPresented(Struct, frozen=True):
    """Somebody showed an id token, to charge at an EVSE: `grant` it, or do not."""

    at: Instant
    evse: int
    token: str


class TokenRefused(Struct, frozen=True):
    """Somebody who showed an id token may not charge; `why` in a word."""

    at: Instant
    evse: int
    token: str
    why: str


class Blinked(Struct, frozen=True):
    """The lights of an EVSE answer whoever showed an id token: so many blinks of a colour."""

    at: Instant
    evse: int
    colour: Colour
    times: int


class TransactionStarted(Struct, frozen=True):
    """A transaction has begun."""

    at: Instant
    transaction: Transaction
    reading: Reading


class TransactionEnded(Struct, frozen=True):
    """A transaction is over; `token` is the one it was stopped with, if any."""

    at: Instant
    transaction: Transaction
    reading: Reading
    reason: StopReason
    token: str | None


class Sampled(Struct, frozen=True):
    """A meter was read because it was time: by the interval of a transaction, or by the clock."""

    at: Instant
    evse: int
    transaction: Transaction | None
    reading: Reading
    by_clock: bool


class ReservationOver(Struct, frozen=True):
    """A reservation is held no longer, as its time is over or it was used."""

    at: Instant
    id: int


Happening: TypeAlias = (
    StatusChanged
    | TokenPresented
    | TokenRefused
    | Blinked
    | TransactionStarted
    | TransactionEnded
    | Sampled
    | ReservationOver
)
