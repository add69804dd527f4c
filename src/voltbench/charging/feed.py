"""A feed: the contactor, the meter and the plug of one EVSE, and the car that hangs on it."""

from __future__ import annotations

from dataclasses import replace
from math import exp, inf

from msgspec import Struct

from voltbench.charging.path import ChargingPath, on_phases, path_to_connector, path_to_pack
from voltbench.charging.session import ChargingSession, ChargingStatus
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.charging.vehicle import Vehicle
from voltbench.charging.warm_session import WarmSession, session_of
from voltbench.quantities import MS_PER_SECOND, POWER_TOLERANCE_W, Instant

AMBIENT_DEGC = 20.0
RATED_RISE_K = 30.0
"""How much warmer than its surroundings a plug gets at its rating; half of what IEC 62196-1 allows at most."""

WARMING_MS = 900.0 * MS_PER_SECOND
"""Time constant of that warming."""


IN_ORDER = (0, 1, 2)
"""A connector whose phases are those of the grid, one by one."""


class Reading(Struct, frozen=True, gc=False):
    """What the meter of an EVSE reads, at the connector. `phases` 0 is direct current.

    `voltage_v` is line to neutral, or that of the pack (0 where there is none); `current_a` that of each phase.
    `lines` are the grid's phases that the car hangs on, counted from 0.
    """

    at: Instant
    register_wh: float
    power_w: float
    offered_w: float
    voltage_v: float
    phases: int
    soc: float | None
    temperature_degc: float
    lines: tuple[int, ...]

    @property
    def current_a(self) -> float:
        """Current in each phase that carries any, or in the cable of a DC connector."""
        return self._amperes(self.power_w)

    @property
    def offered_a(self) -> float:
        """Current on offer in each phase, or in the cable of a DC connector."""
        return self._amperes(self.offered_w)

    def _amperes(self, power_w: float) -> float:
        return power_w / (self.voltage_v * (self.phases or 1)) if self.voltage_v else 0.0


class Feed:
    """The power side of an EVSE. Powers are at the connector, behind the station's own losses.

    A car draws only while the feed is closed, and then the smaller of what it is allowed and what it accepts.
    `register_wh` is what the meter has counted when no car is plugged in.
    """

    __slots__ = ("_full", "_idle", "_least_w", "_lines", "_path", "_rated_w", "_rotation", "_session", "_station",
                 "_warm_at", "_warmth", "allowed_w", "closed", "model", "register_wh", "vehicle")  # fmt: skip

    def __init__(self, station: StationModel, connector: ConnectorModel, register_wh: float = 0.0) -> None:
        self.model = connector
        self.register_wh = register_wh
        self.allowed_w = 0.0
        self.closed = False
        self.vehicle: Vehicle | None = None
        self._station = station
        self._session: ChargingSession | None = None
        self._idle = path_to_connector(station, connector)
        self._rated_w = self._idle.rating_w * self._idle.supply_efficiency
        self._rotation: tuple[int, ...] = IN_ORDER
        self._full = self._path = self._idle
        self._lines: tuple[int, ...] = ()
        self._follow_lines()
        self._warmth = 0.0
        self._warm_at: Instant | None = None

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def rating_w(self) -> float:
        """The most it can ever give to the car that is plugged in, or to any."""
        return self._path.rating_w * self._path.supply_efficiency

    @property
    def phases(self) -> int:
        """How many phases of the connector the car uses, or any could."""
        return self._path.phases

    @property
    def most_phases(self) -> int:
        """How many phases of the connector the car can use at most, or any could."""
        return self._full.phases

    @property
    def minimum_w(self) -> float:
        """The least that lets the car charge."""
        return self._path.minimum_w * self._path.supply_efficiency

    @property
    def drifts(self) -> bool:
        """Whether the car's demand changes from instant to instant."""
        return self._session is not None and self._session.drifts

    def status(self) -> ChargingStatus:
        """What the car is doing; without one, or with less on offer than it can do with, it is the car that waits."""
        status = self._session.status() if self._session is not None else ChargingStatus.SUSPENDED_EV
        if status is ChargingStatus.SUSPENDED_EVSE and self.offered_w > 0.0:
            return ChargingStatus.SUSPENDED_EV
        return status

    @property
    def offered_w(self) -> float:
        """What is on offer to the car: nothing, where it would be less than can be signalled (IEC 61851-1: 6 A)."""
        if not self.closed or self.allowed_w < self._least_w:
            return 0.0
        return min(self.allowed_w, self._path.rating_w * self._path.supply_efficiency)

    def demand_w(self, now: Instant) -> float:
        """What the car would draw if it were let."""
        return self._session.demand_w(now) * self._path.supply_efficiency if self._session is not None else 0.0

    def power_w(self, now: Instant) -> float:
        """What the car draws."""
        return self._session.power_w(now) * self._path.supply_efficiency if self._session is not None else 0.0

    def energy_wh(self, now: Instant) -> float:
        """What the meter's register shows."""
        return self.register_wh + (self._session.delivered_wh(now) if self._session is not None else 0.0)

    def reading(self, now: Instant) -> Reading:
        """What the meter reads."""
        session = self._session
        power_w, counted_wh = (0.0, 0.0) if session is None else session.metered(now)
        path = self._path
        soc, volts, phases = None, self.model.voltage_v, path.phases
        if not self._lines:  # a plain AC plug does not tell the state of charge
            phases, volts = 0, 0.0
            if session is not None and self.vehicle is not None:
                soc = session.soc(now)
                modelled_v = session.voltage_v(now) if isinstance(session, WarmSession) else None
                volts = self.vehicle.model.pack_voltage_v(soc) if modelled_v is None else modelled_v
        degc = AMBIENT_DEGC + self._warmth_after(now, power_w)
        register_wh = self.register_wh + counted_wh
        return Reading(now, register_wh, power_w, self.offered_w, volts, phases, soc, degc, self._lines)

    # --- what it is told --------------------------------------------------------------------------------------------

    def plug_in(self, now: Instant, id: str, vehicle: Vehicle, asked_wh: float = inf) -> None:
        """A car is plugged in; it wants so much at the connector, or to be full. InvalidInput where it does not fit."""
        path: ChargingPath = path_to_pack(self._station, self.model, vehicle)
        wanted_wh = min(asked_wh, vehicle.capacity_wh / path.efficiency)
        self._take(path)
        self.vehicle = vehicle
        self._session = session_of(vehicle, id, path, wanted_wh, now, ambient_degc=AMBIENT_DEGC)
        self._limit(now)

    def unplug(self, now: Instant) -> Vehicle | None:
        """The car is unplugged; return it as it is now."""
        session, vehicle = self._session, self.vehicle
        self._warm(now)
        if session is None or vehicle is None:
            return None
        self.register_wh += session.delivered_wh(now)
        self._session = self.vehicle = None
        self._take(self._idle)
        degc = session.degc(now) if isinstance(session, WarmSession) else vehicle.battery_degc
        return replace(vehicle, soc=min(1.0, session.soc(now)), battery_degc=degc)

    def allow(self, now: Instant, power_w: float) -> None:
        """Let the car draw so much at most from now on, while the feed is closed."""
        if power_w != self.allowed_w:
            self.allowed_w = power_w
            self._limit(now)

    def switch(self, now: Instant, closed: bool) -> None:
        """Close or open the contactor."""
        if closed != self.closed:
            self.closed = closed
            self._limit(now)

    def rotate(self, rotation: tuple[int, ...]) -> None:
        """Each phase of the connector hangs on this phase of the grid."""
        self._rotation = rotation
        self._follow_lines()

    def use_phases(self, now: Instant, phases: int) -> None:
        """Let the car go on on one phase of the connector where it needs more than these, else on all it can use."""
        used = self._full.phases if self._full.phases <= phases else 1
        if used != self._path.phases and not self.model.is_dc:
            self._warm(now)
            self._path = on_phases(self._full, used)
            self._follow_lines()
            if self._session is not None:
                self._session.rewire(now, self._path)

    def next_wakeup(self) -> Instant | None:
        """When the car's law changes next."""
        return self._session.next_wakeup() if self._session is not None else None

    def wake(self, now: Instant) -> None:
        """Let the car go on."""
        if self._session is not None:
            self._session.wake(now)

    def _take(self, path: ChargingPath) -> None:
        self._full = self._path = path
        self._follow_lines()

    def _follow_lines(self) -> None:
        least_a = 0.0 if self.model.is_dc else self._station.min_current_a
        self._least_w = least_a * self._path.phases * self.model.voltage_v - POWER_TOLERANCE_W
        self._lines = () if self.model.is_dc else tuple(sorted(self._rotation[: self._path.phases]))

    def _limit(self, now: Instant) -> None:
        self._warm(now)
        if self._session is not None:
            allowed_w = self.allowed_w if self.closed else 0.0
            self._session.limit(now, allowed_w / self._path.supply_efficiency)

    # --- warmth -----------------------------------------------------------------------------------------------------

    def _warm(self, now: Instant) -> None:
        self._warmth, self._warm_at = self._warmth_after(now, self.power_w(now)), now

    def _warmth_after(self, now: Instant, power_w: float) -> float:
        """Warmth follows the losses, the square of the current, with a lag; power is taken as it is at the end."""
        if self._warm_at is None:
            return 0.0
        part = power_w / self._rated_w
        final = RATED_RISE_K * part * part
        return final + (self._warmth - final) * exp((self._warm_at - now) / WARMING_MS)
