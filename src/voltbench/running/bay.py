"""A session at a connector of an operated site, and what the operation needs of it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Protocol

import msgspec

from voltbench.charging.path import ChargingPath
from voltbench.charging.session import ChargingStatus
from voltbench.energy.claim import UNBOUND, Claim
from voltbench.energy.commit import Commitment, CommitmentState
from voltbench.energy.steps import settable
from voltbench.quantities import Instant


class Session(Protocol):
    """What the operation needs of a session, whether its vehicle is a twin or only reported."""

    id: str
    path: ChargingPath
    arrived_at: Instant
    departs_at: Instant | None
    limit_w: float

    @property
    def ceiling_w(self) -> float:
        """Most it could ever draw here."""

    @property
    def drifts(self) -> bool:
        """Whether its demand changes from instant to instant."""

    @property
    def is_satisfied(self) -> bool:
        """Whether it wants no more."""

    def demand_w(self, now: Instant) -> float:
        """Power it would draw if nothing held it back."""

    def needed_wh(self, now: Instant) -> float:
        """Energy still wanted, as drawn from the site."""

    def quickest_s(self, now: Instant) -> float:
        """How long it takes until it wants no more, if nothing holds it back."""

    def power_w(self, now: Instant) -> float:
        """Power it draws."""

    def peak_w(self, now: Instant) -> float:
        """The most it draws until its law changes next, as far as it is known."""

    def drawn_wh(self, now: Instant) -> float:
        """Energy drawn from the site so far."""

    def delivered_wh(self, now: Instant) -> float:
        """Energy that has passed the connector so far."""

    def status(self) -> ChargingStatus:
        """What it is doing."""

    def limit(self, now: Instant, power_w: float) -> None:
        """Draw at most this much from now on."""

    def fall_back(self, now: Instant, power_w: float) -> None:
        """The last limit is over: draw at most this much, whatever was known before."""

    def next_wakeup(self) -> Instant | None:
        """When its law changes next."""

    def wake(self, now: Instant) -> None:
        """Go over into the next stretch."""


class BayState(msgspec.Struct, frozen=True):
    """A session at its connector, to be remembered."""

    session: str
    connector: str
    binding: int
    weight: float
    priority: int
    commitment: CommitmentState


class Bay:
    """A session at a connector of an operated site.

    Until `needs_all_until` (ms) it surely needs all that its connector gives, which is `rated_w`. A plan lets it draw
    `held_w` at most.
    """

    __slots__ = (
        "_ceiling",
        "_on_change",
        "binding",
        "claim",
        "commitment",
        "connector",
        "held_w",
        "needs_all_until",
        "rated_w",
        "session",
    )

    def __init__(
        self,
        connector: str,
        session: Session,
        claim: Claim,
        commitment: Commitment,
        on_change: Callable[[Instant, Bay], None],
    ) -> None:
        self._on_change = on_change
        self.connector = connector
        self.session = session
        self.claim = claim
        self.commitment = commitment
        self.binding = UNBOUND
        self.needs_all_until = -inf
        self.held_w = inf
        self.rated_w = settable(claim, claim.maximum_w)
        self._ceiling = (-1.0, 0.0)

    def ceiling_w(self) -> float:
        """The smallest limit that never holds the session back."""
        most_w = self.session.ceiling_w
        if most_w != self._ceiling[0]:
            self._ceiling = (most_w, settable(self.claim, most_w))
        return self._ceiling[1]

    def demand_w(self, now: Instant) -> float:
        """The smallest limit that would not hold the session back now."""
        wanted_w = self.session.demand_w(now)
        return self._ceiling[1] if wanted_w == self._ceiling[0] else settable(self.claim, wanted_w)

    def next_wakeup(self) -> Instant | None:
        """When the session's law changes next."""
        return self.session.next_wakeup()

    def wake(self, now: Instant) -> None:
        """Let the session go on, and the operation know."""
        self.session.wake(now)
        self._on_change(now, self)
