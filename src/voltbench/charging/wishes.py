"""What the operator of a charging station wants of it: availability, reservations, locks, maintenance, restarts."""

from __future__ import annotations

from voltbench.charging.deeds import CANNOT_RESTART
from voltbench.charging.happenings import StatusChanged
from voltbench.charging.life import StationLife
from voltbench.charging.reservation import Reservation
from voltbench.charging.status import Status, StopReason
from voltbench.quantities import Instant


def set_operative(life: StationLife, now: Instant, evse: int, operative: bool) -> bool:
    """Let an EVSE (0: all of them) be used, or not. Return False where that has to wait for a transaction's end.

    No EVSE of a station that may not be used may be used.
    """
    at_once, operative = True, operative and (evse == 0 or life.operative)
    for at in life.evses if evse == 0 else [life.evse(evse)]:
        busy = at.transaction is not None and not operative
        at.becomes_operative = operative if busy else None
        at.operative = at.operative if busy else operative
        if not at.operative:
            at.grant = None
        at_once = at_once and not busy
    if evse == 0:
        life.operative = operative
    life.changed(now)
    return at_once


def reserve(life: StationLife, now: Instant, reservation: Reservation) -> Status | None:
    """Keep an EVSE for somebody. Return None, or what the EVSE is that it cannot be."""
    found = _in_the_way(life, reservation)
    if found is None:
        life.reservations.held[reservation.id] = reservation
        life.changed(now)
    return found


def _in_the_way(life: StationLife, wanted: Reservation) -> Status | None:
    replaced = life.reservations.held.get(wanted.id)
    if wanted.evse == 0:
        statuses = {at.status() for at in life.evses}
        roaming = sum(r.evse == 0 and r.id != wanted.id for r in life.reservations.held.values())
        if sum(at.status() is Status.AVAILABLE for at in life.evses) > roaming or replaced is not None:
            return None
        return next((s for s in (Status.FAULTED, Status.UNAVAILABLE) if statuses == {s}), Status.CHARGING)
    status = life.evse(wanted.evse).status()
    if status is Status.AVAILABLE or (replaced is not None and replaced.evse == wanted.evse):
        return None
    return status


def cancel_reservation(life: StationLife, now: Instant, id: int) -> bool:
    """Keep an EVSE no longer. Return whether there was such a reservation."""
    found = life.reservations.held.pop(id, None)
    life.changed(now)
    return found is not None


def unlock(life: StationLife, now: Instant, evse: int) -> None:
    """Let go of the plug, which ends the transaction first."""
    life.stop(now, evse, StopReason.UNLOCK_COMMAND)
    life.evse(evse).cable_of = None
    life.changed(now)


def maintain(life: StationLife, now: Instant, begins: bool) -> None:
    """Work on the station begins, or is over: until then nobody new may charge. Transactions go on."""
    life.in_maintenance = begins
    for at in life.evses:
        at.in_maintenance = begins
        at.grant = None if begins else at.grant
    life.changed(now)


def restart_failed(life: StationLife, now: Instant) -> None:
    """The station was to boot anew and could not: that is all there is to tell."""
    life.happened.append(StatusChanged(now, 0, life.status(0), CANNOT_RESTART))


def restart(life: StationLife, now: Instant, reason: StopReason) -> None:
    """The station boots anew: transactions end, nobody is granted anything. Cars stay plugged in."""
    for at in life.evses:
        if at.transaction is not None:
            life.end(now, at, reason)
        at.grant, at.finished, at.cable_of = None, False, None
    life.statuses.forget_all()
    life.changed(now)
