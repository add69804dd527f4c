"""A session whose pack's warmth matters: its wake-ups are also those at which its curve is another one."""

from __future__ import annotations

from dataclasses import replace

from voltbench.battery.circuit import TerminalReading, Terminals
from voltbench.battery.thermal import MILD_DEGC
from voltbench.battery.warm_pack import WarmPack
from voltbench.charging.path import ChargingPath
from voltbench.charging.session import ChargingSession, ChargingStatus, Emit
from voltbench.charging.vehicle import Vehicle
from voltbench.quantities import MS_PER_SECOND, SECONDS_PER_HOUR, Instant


class WarmSession(ChargingSession):
    """A vehicle twin whose pack accepts what its temperature lets it, and is warmed by what it accepts.

    Between two wake-ups of the pack the curve is held, and everything is as exact as in any session. At no temperature
    does it draw more than `ceiling_w`. Where the circuit of its pack is known, its `terminals` tell their voltage.
    """

    __slots__ = ("_felt_ms", "_felt_wh", "_pack", "_terminals")

    def __init__(
        self,
        id: str,
        path: ChargingPath,
        pack: WarmPack,
        stored_wh: float,
        asked_wh: float,
        now: Instant,
        departs_at: Instant | None = None,
        emit: Emit | None = None,
        terminals: Terminals | None = None,
    ) -> None:
        path = _into(pack, path)
        super().__init__(id, path, pack.curve, stored_wh, asked_wh, now, departs_at, emit)
        self._pack = pack
        self._terminals = terminals
        self._felt_ms, self._felt_wh = float(now), stored_wh
        self._go_by_pack()

    def degc(self, now: Instant) -> float:
        """Temperature of the pack."""
        self._stored_wh(now)
        return self._pack.degc_after((now - self._felt_ms) / MS_PER_SECOND)

    def at_terminals(self, now: Instant) -> TerminalReading | None:
        """Voltage and current at the pack's terminals, by its equivalent circuit; None where nobody knows that."""
        if self._terminals is None:
            return None
        power_w = self.power_w(now) * self._efficiency / self._pack.efficiency
        since_s = (now - self._felt_ms) / MS_PER_SECOND
        return self._terminals.read(self.soc(now), power_w, self.degc(now), since_s)

    def voltage_v(self, now: Instant) -> float | None:
        """Voltage at the pack's terminals; None where nobody knows its circuit."""
        found = self.at_terminals(now)
        return None if found is None else found.voltage_v

    def status(self) -> ChargingStatus:
        """What it is doing, as of its last change; a pack too cold or too hot to be charged is what it waits for."""
        status = super().status()
        takes_nothing = status is ChargingStatus.CHARGING and self._piece.power_w == 0.0
        return ChargingStatus.SUSPENDED_EV if takes_nothing else status

    def rewire(self, now: Instant, path: ChargingPath) -> None:
        """Draw by another path from now on, which loses as much: on other phases."""
        super().rewire(now, _into(self._pack, path))
        self._rate()

    def _follow(self, since_ms: float) -> None:
        if self._is_waiting():
            self._waited_ms += since_ms - self._since_ms
        self._pass_time((since_ms - self._felt_ms) / MS_PER_SECOND)
        self._felt_ms = self._since_ms = since_ms
        self._go_by_pack()
        offered_w = self._offered_w * self._efficiency
        self._rises = self._piece.growth_per_s == 0.0 < offered_w and self._curve.rises_beyond(self._pack_wh, offered_w)
        if self._emit is not None:
            self._emit(since_ms, self._piece.power_w / self._efficiency, self._piece.growth_per_s)

    def _pass_time(self, seconds: float) -> None:
        if self._terminals is not None and seconds > 0.0:
            stored_wh, before_wh = self._pack_wh, self._felt_wh
            mean_w = (stored_wh - before_wh) / seconds * SECONDS_PER_HOUR / self._pack.efficiency
            soc = (before_wh + stored_wh) / 2.0 / self._curve.capacity_wh
            self._terminals.pass_time(soc, mean_w, self._pack.degc, seconds)
        self._pack.pass_time(seconds)
        self._felt_wh = self._pack_wh

    def _is_waiting(self) -> bool:
        return super()._is_waiting() and self._offered_w <= 0.0

    def _go_by_pack(self) -> None:
        """Take up the stretch that begins here, along the curve of the temperature that the pack has, or had lately."""
        efficiency, pack = self._efficiency, self._pack
        offered_w, rating_w = self._offered_w * efficiency, self.path.rating_w * efficiency
        self._piece = pack.piece(self._pack_wh, offered_w, self._target_wh, rating_w)
        self._curve = pack.curve
        self._rate()

    def _rate(self) -> None:
        until_wh = self._curve.accepts_until(self._pack_wh, self.path.rating_w * self._efficiency)
        self._rated_until_wh = until_wh if until_wh > self._pack_wh else -1.0
        self.ceiling_w = min(self.path.rating_w, self._pack.peak_w / self._efficiency)


def _into(pack: WarmPack, path: ChargingPath) -> ChargingPath:
    """A path that ends where energy is stored, beyond the terminals of a pack."""
    return replace(path, efficiency=path.efficiency * pack.efficiency)


def session_of(
    vehicle: Vehicle,
    id: str,
    path: ChargingPath,
    asked_wh: float,
    now: Instant,
    departs_at: Instant | None = None,
    emit: Emit | None = None,
    ambient_degc: float = MILD_DEGC,
) -> ChargingSession:
    """The session of a vehicle as it arrives: by its measured curve, or by the pack that models it.

    Raises InvalidInput for a modelled pack in a condition that nobody knows anything about.
    """
    model = vehicle.model
    if model.charge_map is not None:
        model.charge_map.require_known(vehicle.soh, vehicle.resistance)
    stored_wh = vehicle.soc * vehicle.capacity_wh
    pack = vehicle.warm_pack(ambient_degc, path.rating_w * path.efficiency, asked_wh * path.efficiency)
    if pack is None:
        return ChargingSession(id, path, vehicle.curve, stored_wh, asked_wh, now, departs_at, emit)
    terminals = model.pack.terminals(vehicle.resistance) if model.pack is not None else None
    return WarmSession(id, path, pack, stored_wh, asked_wh, now, departs_at, emit, terminals)
