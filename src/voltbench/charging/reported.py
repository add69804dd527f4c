"""A session of a vehicle that we only hear of: what it draws is what is reported.

It may lend. A share that it has not drawn for a while goes to others, and comes back as soon as it draws what is left
to it, or states another maximum.
"""

from __future__ import annotations

from math import inf

import msgspec

from voltbench.charging.path import ChargingPath
from voltbench.charging.session import ChargingStatus, Emit
from voltbench.quantities import MS_PER_SECOND, SECONDS_PER_HOUR, DurationMs, Instant

SMALLEST_MARGIN_W = 500.0
MARGIN = 0.05
"""What a lending session keeps above its reading, so that it can show that it wants more: 5 %, at least 500 W."""


class Reading(msgspec.Struct, frozen=True):
    """What a vehicle was last reported to draw, and when."""

    power_w: float
    at: Instant


class ReportedState(msgspec.Struct, frozen=True):
    """A reported session as it is, in full, between two events."""

    id: str
    maximum_w: float
    arrived_at: Instant
    limit_w: float
    reading: Reading | None
    energy_wh: float
    since: Instant
    unused_since: Instant | None
    is_lent: bool
    is_lowered: bool = True


class ReportedSession:
    """A vehicle that we only hear of: its demand is what it was announced with, its draw what is reported.

    Until something is reported it is taken to draw all it may. A reading above the limit counts as it is. With
    `follows_at_once` a lower limit after a reading lowers the draw there and then, otherwise only the next report
    does. With `lends_after_ms` what it has clearly not drawn for so
    long is lent.
    """

    __slots__ = (
        "_emit",
        "_energy_wh",
        "_follows_at_once",
        "_is_lowered",
        "_lends_after_ms",
        "_since",
        "_unused_since",
        "arrived_at",
        "id",
        "is_lent",
        "limit_w",
        "maximum_w",
        "path",
        "reading",
    )

    def __init__(
        self,
        id: str,
        path: ChargingPath,
        maximum_w: float,
        now: Instant,
        emit: Emit | None = None,
        *,
        follows_at_once: bool = True,
        lends_after_ms: DurationMs | None = None,
    ) -> None:
        self.id = id
        self.path = path
        self.maximum_w = maximum_w
        self.arrived_at = now
        self.limit_w = 0.0
        self.reading: Reading | None = None
        self.is_lent = False
        self._emit = emit
        self._follows_at_once = follows_at_once
        self._lends_after_ms = lends_after_ms
        self._unused_since: Instant | None = None
        self._is_lowered = False
        self._energy_wh = 0.0
        self._since = now

    departs_at: Instant | None = None
    drifts = False
    is_satisfied = False

    # --- what it wants and does ----------------------------------------------------------------------------------

    @property
    def ceiling_w(self) -> float:
        """Most it could ever draw here."""
        return min(self.path.rating_w, self.maximum_w)

    def demand_w(self, now: Instant) -> float:
        """Power it asks for: all it could draw, or a margin above its reading while it lends the rest."""
        if not self.is_lent or self.reading is None:
            return self.ceiling_w
        return min(self.ceiling_w, self.reading.power_w + _margin_w(self.reading.power_w))

    def needed_wh(self, now: Instant) -> float:
        """Energy still wanted: nobody told."""
        return inf

    def quickest_s(self, now: Instant) -> float:
        """How long it takes until it has what is wanted: nobody told."""
        return inf

    def power_w(self, now: Instant) -> float:
        """Power it is known or taken to draw."""
        if self.reading is None:
            return self.limit_w
        if self._follows_at_once and self._is_lowered:
            return min(self.reading.power_w, self.limit_w)
        return self.reading.power_w

    def peak_w(self, now: Instant) -> float:
        """The most it draws until something else is reported, as far as it is known."""
        return self.power_w(now)

    def drawn_wh(self, now: Instant) -> float:
        """Energy drawn so far, by what was reported."""
        return self._energy_wh + self.power_w(now) * (now - self._since) / MS_PER_SECOND / SECONDS_PER_HOUR

    def delivered_wh(self, now: Instant) -> float:
        """Energy that has passed the connector so far."""
        return self.drawn_wh(now) * self.path.supply_efficiency

    def status(self) -> ChargingStatus:
        """What it is doing, as of its last change."""
        if self.limit_w <= 0.0:
            return ChargingStatus.SUSPENDED_EVSE
        idle = self.reading is not None and self.reading.power_w <= 0.0
        return ChargingStatus.SUSPENDED_EV if idle else ChargingStatus.CHARGING

    # --- what it is told -----------------------------------------------------------------------------------------

    def limit(self, now: Instant, power_w: float) -> None:
        """Draw at most this much from now on."""
        before_w = self._settle(now)
        self._is_lowered = self._is_lowered or power_w < self.limit_w
        self.limit_w = power_w
        self._tell(now, before_w)

    def fall_back(self, now: Instant, power_w: float) -> None:
        """Its last limit is over, and it draws at most this much; nothing that was reported before says how much."""
        before_w = self._settle(now)
        self.limit_w, self.reading = power_w, None
        self.is_lent, self._unused_since = False, None
        self._tell(now, before_w)

    def report(self, now: Instant, power_w: float, maximum_w: float) -> None:
        """Its draw was measured, and it states what it could take."""
        before_w = self._settle(now)
        draws_its_share = self._draws_its_share(power_w)
        if maximum_w != self.maximum_w or draws_its_share:
            self.is_lent, self._unused_since = False, None
        if not draws_its_share and (self._unused_since is None or self._is_ramping_up(power_w)):
            self._unused_since = now
        self.reading, self.maximum_w, self._is_lowered = Reading(power_w, now), maximum_w, False
        self._tell(now, before_w)

    def correct(self, now: Instant, delivered_wh: float) -> None:
        """The energy that has passed the connector so far was metered."""
        self._settle(now)
        self._energy_wh = delivered_wh / self.path.supply_efficiency

    def next_wakeup(self) -> Instant | None:
        """When it begins to lend what it does not draw."""
        if self._lends_after_ms is None or self._unused_since is None or self.is_lent:
            return None
        return self._unused_since + self._lends_after_ms

    def wake(self, now: Instant) -> None:
        """Lend, unless its limit has come down to what it draws."""
        if self.reading is None or self._draws_its_share(self.reading.power_w):
            self._unused_since = None
        else:
            self.is_lent = True

    # --- stopping and going on -----------------------------------------------------------------------------------

    def state(self) -> ReportedState:
        """All there is to remember."""
        return ReportedState(
            id=self.id,
            maximum_w=self.maximum_w,
            arrived_at=self.arrived_at,
            limit_w=self.limit_w,
            reading=self.reading,
            energy_wh=self._energy_wh,
            since=self._since,
            unused_since=self._unused_since,
            is_lent=self.is_lent,
            is_lowered=self._is_lowered,
        )

    def resume(self, state: ReportedState) -> None:
        """Be as remembered."""
        self.arrived_at, self.maximum_w, self.limit_w = state.arrived_at, state.maximum_w, state.limit_w
        self.reading, self.is_lent, self._unused_since = state.reading, state.is_lent, state.unused_since
        self._energy_wh, self._since, self._is_lowered = state.energy_wh, state.since, state.is_lowered

    # --- inside --------------------------------------------------------------------------------------------------

    def _draws_its_share(self, power_w: float) -> bool:
        return power_w + _margin_w(power_w) / 2 >= self.limit_w

    def _is_ramping_up(self, power_w: float) -> bool:
        return self.reading is not None and power_w > self.reading.power_w + _margin_w(self.reading.power_w)

    def _settle(self, now: Instant) -> float:
        """Count the energy up to now; return the power until now."""
        self._energy_wh, self._since = self.drawn_wh(now), now
        return self.power_w(now)

    def _tell(self, now: Instant, before_w: float) -> None:
        power_w = self.power_w(now)
        if self._emit is not None and power_w != before_w:
            self._emit(float(now), power_w, 0.0)


def _margin_w(power_w: float) -> float:
    return max(SMALLEST_MARGIN_W, MARGIN * power_w)
