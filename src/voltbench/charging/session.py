"""A session: a vehicle at a connector from plug to unplug, and what it draws under the limit it is given.

Between two limits a session follows its pack's acceptance curve in closed form. Powers here are what is drawn from
the site; `supply_efficiency` takes them to the connector (the meter a driver pays by) and `efficiency` to the pack.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from math import ceil, exp, inf, isinf

from voltbench.battery.acceptance import IDLE, AcceptanceCurve, Piece, energy_along
from voltbench.charging.path import ChargingPath
from voltbench.quantities import MS_PER_SECOND, POWER_TOLERANCE_W, Instant

Emit = Callable[[float, float, float], None]
"""Told each new stretch of drawn power: start (ms, may be fractional), power (W), growth (1/s)."""


_EARLY_MS = 1e-3
"""A wake-up falls on a whole millisecond; one that lies no more than this after it is not put off to the next."""

_OVER_S = 2e-6
"""A stretch this close to its end is over: `_EARLY_MS`, and what a float of milliseconds since 1970 cannot resolve
(0.25 us) besides. So a wake-up always ends the stretch that it was for."""


class ChargingStatus(StrEnum):
    """What a session is doing, in the words of OCPP (ChargingStateEnumType)."""

    CHARGING = "Charging"
    SUSPENDED_EVSE = "SuspendedEVSE"
    SUSPENDED_EV = "SuspendedEV"


class ChargingSession:
    """A vehicle twin that charges: its pack fills along its acceptance curve, up to what its driver wants.

    `asked_wh` is the energy wanted at the connector; it is cut to what the pack takes until it is full. `ceiling_w` is
    the most it could ever draw here, whatever its state of charge.
    """

    __slots__ = (
        "_curve",
        "_efficiency",
        "_emit",
        "_offered_w",
        "_pack_wh",
        "_piece",
        "_rated_until_wh",
        "_rises",
        "_since_ms",
        "_start_wh",
        "_target_wh",
        "_waited_ms",
        "arrived_at",
        "asked_wh",
        "ceiling_w",
        "departs_at",
        "id",
        "limit_w",
        "path",
    )

    def __init__(
        self,
        id: str,
        path: ChargingPath,
        curve: AcceptanceCurve,
        stored_wh: float,
        asked_wh: float,
        now: Instant,
        departs_at: Instant | None = None,
        emit: Emit | None = None,
    ) -> None:
        self.id = id
        self.path = path
        self.arrived_at = now
        self.departs_at = departs_at
        self.limit_w = 0.0
        self._curve = curve
        self._efficiency = path.efficiency
        self._emit = emit
        self._start_wh = self._pack_wh = stored_wh
        onboard = path.efficiency / path.supply_efficiency
        self._target_wh = max(stored_wh, min(stored_wh + asked_wh * onboard, curve.full_wh))
        self.asked_wh = (self._target_wh - stored_wh) / onboard
        self._rated_until_wh = curve.accepts_until(stored_wh, path.rating_w * path.efficiency)
        self.ceiling_w = min(path.rating_w, curve.peak_w / path.efficiency)
        self._offered_w = 0.0
        self._piece: Piece = IDLE
        self._rises = False
        self._since_ms: float = now
        self._waited_ms: float = 0.0

    # --- what it wants and does ----------------------------------------------------------------------------------

    def demand_w(self, now: Instant) -> float:
        """Power it would draw if nothing but itself and its connector held it back."""
        piece = self._piece
        if piece.end_wh <= self._rated_until_wh and now - self._since_ms < piece.duration_s * MS_PER_SECOND:
            return self.path.rating_w
        stored_wh = self._stored_wh(now)
        if stored_wh >= self._target_wh:
            return 0.0
        return min(self.path.rating_w, self._curve.power_at(stored_wh) / self._efficiency)

    def power_w(self, now: Instant) -> float:
        """Power drawn from the site, in W."""
        piece = self._piece
        seconds = (now - self._since_ms) / MS_PER_SECOND
        if seconds >= piece.duration_s:
            self._settle(now)
            piece, seconds = self._piece, 0.0
        growth = exp(piece.growth_per_s * seconds) if piece.growth_per_s else 1.0
        return piece.power_w * growth / self._efficiency

    def metered(self, now: Instant) -> tuple[float, float]:
        """What a meter at the connector reads: power in W, and energy since plug-in in Wh."""
        power_w, supply = self.power_w(now), self.path.supply_efficiency
        piece, stored_wh = self._piece, self._pack_wh
        if piece.power_w:
            stored_wh += energy_along(piece.power_w, piece.growth_per_s, (now - self._since_ms) / MS_PER_SECOND)
        return power_w * supply, (stored_wh - self._start_wh) / self._efficiency * supply

    def peak_w(self, now: Instant) -> float:
        """The most it draws until its law changes next."""
        power_w, piece = self.power_w(now), self._piece
        return piece.power_after(piece.duration_s) / self._efficiency if piece.growth_per_s > 0.0 else power_w

    @property
    def drifts(self) -> bool:
        """Whether its demand changes from instant to instant: it tapers, or could rise if the limit followed."""
        return self._piece.growth_per_s != 0.0 or self._rises

    @property
    def is_satisfied(self) -> bool:
        """Whether its driver has what was asked for."""
        return self._pack_wh >= self._target_wh

    def status(self) -> ChargingStatus:
        """What it is doing, as of its last change."""
        if self.is_satisfied:
            return ChargingStatus.SUSPENDED_EV
        return ChargingStatus.CHARGING if self._offered_w > 0.0 else ChargingStatus.SUSPENDED_EVSE

    def needed_wh(self, now: Instant) -> float:
        """Energy still wanted, as drawn from the site."""
        return (self._target_wh - self._stored_wh(now)) / self._efficiency

    def quickest_s(self, now: Instant) -> float:
        """How long it takes until it has what is wanted, if nothing but itself and its connector holds it back."""
        stored_wh, offered_w, seconds = self._stored_wh(now), self.path.rating_w * self._efficiency, 0.0
        while stored_wh < self._target_wh and seconds < inf:
            piece = self._curve.piece(stored_wh, offered_w, self._target_wh)
            stored_wh, seconds = piece.end_wh, seconds + piece.duration_s
        return seconds

    def drawn_wh(self, now: Instant) -> float:
        """Energy drawn from the site so far."""
        return (self._stored_wh(now) - self._start_wh) / self._efficiency

    def delivered_wh(self, now: Instant) -> float:
        """Energy that has passed the connector so far."""
        return self.drawn_wh(now) * self.path.supply_efficiency

    def soc(self, now: Instant) -> float:
        """State of charge of the pack, 0 to 1."""
        return self._stored_wh(now) / self._curve.capacity_wh

    def waited_s(self, now: Instant) -> float:
        """Time spent wanting energy and being offered none."""
        return (self._waited_ms + (now - self._since_ms if self._is_waiting() else 0.0)) / MS_PER_SECOND

    # --- what it is told -----------------------------------------------------------------------------------------

    def limit(self, now: Instant, power_w: float) -> None:
        """Draw at most this much from now on. Less than the connector's minimum pauses charging."""
        self._settle(now)
        self.limit_w = power_w
        usable = power_w if power_w >= self.path.minimum_w - POWER_TOLERANCE_W else 0.0
        self._offered_w = min(usable, self.path.rating_w)
        self._follow(float(now))

    def rewire(self, now: Instant, path: ChargingPath) -> None:
        """Draw by another path from now on, which loses as much: on other phases."""
        self._settle(now)
        self.path = path
        self._rated_until_wh = self._curve.accepts_until(self._pack_wh, path.rating_w * path.efficiency)
        self.ceiling_w = min(path.rating_w, self._curve.peak_w / path.efficiency)
        self.limit(now, self.limit_w)

    def fall_back(self, now: Instant, power_w: float) -> None:
        """Its last limit is over; draw at most this much."""
        self.limit(now, power_w)

    def next_wakeup(self) -> Instant | None:
        """When its law changes next: a knee of the curve, or the target."""
        if isinf(self._piece.duration_s):
            return None
        return ceil(self._since_ms + self._piece.duration_s * MS_PER_SECOND - _EARLY_MS)

    def wake(self, now: Instant) -> None:
        """Go over into the next stretch of the curve."""
        self._settle(now)

    # --- closed form ---------------------------------------------------------------------------------------------

    def _stored_wh(self, now: Instant) -> float:
        seconds = (now - self._since_ms) / MS_PER_SECOND
        if seconds >= self._piece.duration_s:
            self._settle(now)
            return self._pack_wh
        return self._pack_wh + self._piece.energy_after(seconds) if self._piece.power_w else self._pack_wh

    def _settle(self, now: Instant) -> None:
        piece = self._piece
        while (now - self._since_ms) / MS_PER_SECOND >= piece.duration_s - _OVER_S:
            self._pack_wh = piece.end_wh
            self._follow(min(self._since_ms + piece.duration_s * MS_PER_SECOND, now))  # woken early: not beyond
            piece = self._piece
        if now > self._since_ms:
            seconds = (now - self._since_ms) / MS_PER_SECOND
            if piece.power_w:
                self._pack_wh = min(self._pack_wh + piece.energy_after(seconds), piece.end_wh)
                self._piece = Piece(
                    piece.power_after(seconds), piece.growth_per_s, piece.duration_s - seconds, piece.end_wh
                )
            elif self._is_waiting():
                self._waited_ms += now - self._since_ms
            self._since_ms = now

    def _follow(self, since_ms: float) -> None:
        """Take up the stretch of the curve that begins here."""
        offered_w = self._offered_w * self._efficiency
        self._piece = self._curve.piece(self._pack_wh, offered_w, self._target_wh)
        self._rises = self._piece.growth_per_s == 0.0 < offered_w and self._curve.rises_beyond(self._pack_wh, offered_w)
        self._since_ms = since_ms
        if self._emit is not None:
            self._emit(since_ms, self._piece.power_w / self._efficiency, self._piece.growth_per_s)

    def _is_waiting(self) -> bool:
        return self._piece.power_w == 0.0 and self._pack_wh < self._target_wh
