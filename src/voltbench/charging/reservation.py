"""Reservations: an EVSE, or any one of a station, is kept for somebody until a time."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from voltbench.charging.authorization import is_same_token
from voltbench.quantities import Instant


class Reservation(msgspec.Struct, frozen=True):
    """Kept for an id token or its group until an instant; `evse` 0 is any EVSE of the station."""

    id: int
    evse: int
    token: str
    expires_at: Instant
    group: str | None = None

    def admits(self, token: str, group: str | None) -> bool:
        """Whether it is for this id token."""
        return is_same_token(token, self.token) or is_same_token(group, self.group)


class Reservations:
    """The reservations of a station."""

    __slots__ = ("held",)

    def __init__(self, held: Iterable[Reservation] = ()) -> None:
        self.held = {reservation.id: reservation for reservation in held}

    def of(self, evse: int) -> Reservation | None:
        """The one that keeps this EVSE, if any."""
        return next((r for r in self.held.values() if r.evse == evse), None)

    def bars(self, evse: int, free: int, token: str, group: str | None) -> bool:
        """Whether somebody must not charge at an EVSE, of which the station has `free` others that nobody has reserved.

        Those who have reserved any EVSE need as many to be left as there are of them.
        """
        own = self.of(evse)
        if own is not None:
            return not own.admits(token, group)
        roaming = [r for r in self.held.values() if r.evse == 0]
        return len(roaming) > free and not any(r.admits(token, group) for r in roaming)

    def used_by(self, evse: int, token: str, group: str | None) -> Reservation | None:
        """The reservation that somebody uses by charging at an EVSE: that of the EVSE, or one for any."""
        fitting = [r for r in self.held.values() if r.evse in (evse, 0) and r.admits(token, group)]
        return max(fitting, key=lambda r: r.evse, default=None)

    def next_expiry(self) -> Instant | None:
        """When the next one ends by itself."""
        return min((r.expires_at for r in self.held.values()), default=None) if self.held else None

    def expired(self, now: Instant) -> list[Reservation]:
        """Those whose time is over; they are held no longer."""
        over = [r for r in self.held.values() if r.expires_at <= now]
        for reservation in over:
            del self.held[reservation.id]
        return over
