"""Resets that the CSMS asks for: tried again where they do not succeed. OCPP 1.6 edition 2, sections 5.14 and 9.1."""

from __future__ import annotations

from typing import Literal

from voltbench.charging import wishes
from voltbench.charging.status import StopReason
from voltbench.ocpp.v16.messages import Reset, ResetResponse
from voltbench.ocpp.v16.station.desk import Desk
from voltbench.ocpp.v16.station.errands import Errands
from voltbench.ocpp.v16.station.registration import LAST_WORDS_MS, Registration
from voltbench.ocpp.v16.station.security import SecurityEvents
from voltbench.quantities import MS_PER_SECOND, Instant

AGAIN_MS = 10 * MS_PER_SECOND
"""Between two attempts to reset."""


class Resetting:
    """The resets of a station. A newer wish takes the place of one that is still being tried."""

    __slots__ = ("_desk", "_errands", "_registration", "_security", "_wishes")

    def __init__(self, desk: Desk, registration: Registration, errands: Errands, security: SecurityEvents) -> None:
        self._desk = desk
        self._security = security
        self._registration = registration
        self._errands = errands
        self._wishes = 0

    def reset(self, _now: Instant, request: Reset) -> ResetResponse:
        """Boot anew as the CSMS wants it: a soft reset first tells of the ends of transactions."""
        self._wishes += 1
        wish, retries = self._wishes, self._desk.configuration.whole("ResetRetries")
        self._desk.afterwards.append(lambda at: self._attempt(at, wish, request.type, retries))
        return ResetResponse(status="Accepted")

    def _attempt(self, now: Instant, wish: int, kind: Literal["Hard", "Soft"], retries: int) -> None:
        if wish != self._wishes:
            return
        if not self._desk.life.cannot_restart:
            self._security.note_routine(now, "ResetOrReboot", f"{kind} reset")
            soft = kind == "Soft"
            reason = StopReason.SOFT_RESET if soft else StopReason.HARD_RESET
            self._registration.restart(now, reason, self._desk.network_ms(LAST_WORDS_MS) if soft else 0)
            return
        self._desk.diary.append((now, "a reset has failed"))
        if retries > 0:
            self._errands.at(now + AGAIN_MS, lambda at: self._attempt(at, wish, kind, retries - 1))
        else:
            wishes.restart_failed(self._desk.life, now)
