"""What happens at a charging station: the facts that its life tells, for whoever speaks a protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from voltbench.charging.evse import Transaction
from voltbench.charging.feed import Reading
from voltbench.charging.status import Status, StopReason
from voltbench.quantities import Instant


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """An EVSE is something else now; 0 is the station itself. `error` names a fault."""

    at: Instant
    evse: int
    status: Status
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TokenPresented:
    """Somebody showed an id token, to charge at an EVSE: `grant` it, or do not."""

    at: Instant
    evse: int
    token: str


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """Somebody who showed an id token may not charge; `why` in a word."""

    at: Instant
    evse: int
    token: str
    why: str


@dataclass(frozen=True, slots=True)
class TransactionStarted:
    """A transaction has begun."""

    at: Instant
    transaction: Transaction
    reading: Reading


@dataclass(frozen=True, slots=True)
class TransactionEnded:
    """A transaction is over; `token` is the one it was stopped with, if any."""

    at: Instant
    transaction: Transaction
    reading: Reading
    reason: StopReason
    token: str | None


@dataclass(frozen=True, slots=True)
class Sampled:
    """A meter was read because it was time: by the interval of a transaction, or by the clock."""

    at: Instant
    evse: int
    transaction: Transaction | None
    reading: Reading
    by_clock: bool


@dataclass(frozen=True, slots=True)
class ReservationOver:
    """A reservation is held no longer, as its time is over or it was used."""

    at: Instant
    id: int


Happening: TypeAlias = (
    StatusChanged | TokenPresented | TokenRefused | TransactionStarted | TransactionEnded | Sampled | ReservationOver
)
