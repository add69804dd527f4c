"""What people do at a charging station, and what breaks there."""

from __future__ import annotations

from math import inf

from voltbench.charging.evse import likeliest
from voltbench.charging.happenings import TokenPresented
from voltbench.charging.life import StationLife
from voltbench.charging.lights import Colour
from voltbench.charging.status import StopReason
from voltbench.charging.vehicle import Vehicle
from voltbench.errors import Conflict, InvalidInput
from voltbench.quantities import Instant

CANNOT_RESTART = "ResetFailure"
"""A fault of a station that shows only when it is to boot anew."""

NO_FAULT = "NoError"
"""How OCPP says that there is no fault."""


def plug_in(life: StationLife, now: Instant, evse: int, vehicle: Vehicle, asked_wh: float = inf) -> None:
    """Plug a car in. Raises Conflict where there is one, InvalidInput where it does not fit."""
    at = life.evse(evse)
    if at.is_plugged:
        raise Conflict("evse", str(evse), "has a car plugged in")
    at.feed.plug_in(now, f"{evse}", vehicle, asked_wh)
    at.finished = False
    if at.grant is not None:
        life.begin(now, at)
    life.changed(now)


def unplug(life: StationLife, now: Instant, evse: int) -> Vehicle | None:
    """Pull the plug; return the car as it is now. That ends its transaction, unless it may go on.

    Drivers take their cables with them, if the station lets go of them.
    """
    at = life.evse(evse)
    if at.transaction is not None and life.habits.stops_on_unplug:
        life.end(now, at, StopReason.EV_DISCONNECTED)
    if life.habits.unlocks_on_unplug:
        at.cable_of = None
    vehicle = at.feed.unplug(now)
    at.finished = False
    life.changed(now)
    return vehicle


def present(life: StationLife, now: Instant, token: str, evse: int | None = None) -> None:
    """Show an id token to the station's reader: it ends the transaction it began, or wants to begin one.

    Who has left his cable behind gets it back first.
    """
    chosen = next((at for at in life.evses if evse in (None, at.id) and at.is_held_by(token)), None)
    if chosen is None:
        meant = evse if evse is not None else likeliest(life.evses, life.reservations, token)
        life.happened.append(TokenPresented(now, meant, token))
        return
    if chosen.transaction is not None:
        life.end(now, chosen, StopReason.LOCAL, token)
    chosen.cable_of = None
    life.blink(now, chosen.id, Colour.GREEN)
    life.changed(now)


def fail(life: StationLife, now: Instant, evse: int, error: str) -> None:
    """An EVSE has a fault, which ends its transaction; 0 is the whole station. See `CANNOT_RESTART` too.

    Raises InvalidInput for a fault that is none.
    """
    if error.partition("/")[0] in ("", NO_FAULT):
        raise InvalidInput("error", "is no fault", found=error, allowed="an error code, as GroundFailure")
    if evse == 0 and error == CANNOT_RESTART:
        life.cannot_restart = True
        return
    for at in life.evses if evse == 0 else [life.evse(evse)]:
        at.fault, at.grant = error, None
        if at.transaction is not None:
            life.end(now, at, StopReason.OTHER)
    if evse == 0:
        life.fault = error
    life.changed(now)


def repair(life: StationLife, now: Instant, evse: int) -> None:
    """The fault is gone."""
    for at in life.evses if evse == 0 else [life.evse(evse)]:
        at.fault = None
    if evse == 0:
        if life.cannot_restart:
            life.statuses.forget(0)
        life.fault, life.cannot_restart = None, False
    life.changed(now)
