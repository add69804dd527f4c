"""A pack whose warmth changes what it accepts, from arrival on.

Its curve is held, and charging along it exact, until its temperature has moved so far that the power it accepts would
move by more than a part of itself; then the curve of the present temperature takes its place. The energy stored does
not move at that.
"""

from __future__ import annotations

from math import inf, log2

from voltbench.battery.acceptance import IDLE, Piece
from voltbench.battery.pack_map import AgedMap, Room
from voltbench.battery.thermal import Losses, Stretch, ThermalNode
from voltbench.battery.warming import Heat
from voltbench.quantities import SECONDS_PER_HOUR

WITHIN = 0.01
"""By which part of itself the accepted power may be off, because of temperature, before its curve is replaced."""

_HEAT_WITHIN = 10.0
"""Its heat may be off by so many times that part: warmth is slow, and power follows it at a distance."""

_AT_THE_EDGE_K = 1e-6
"""A temperature this close to where its curve is replaced is there: times are whole ms, and a little is rounding."""

_SAMPLES, _GUESSES = 20, 3

_LEAST_EFFICIENCY = 0.5


def stored_part(
    map: AgedMap,
    thermal: ThermalNode,
    losses: Losses,
    degc: float,
    ambient_degc: float,
    from_wh: float,
    to_wh: float,
    ceiling_w: float,
) -> float:
    """The part of what enters a pack that is stored, from one energy to another: all but its heat.

    Heat goes with the square of the power, and so its part of the energy with the power: this is the part for the mean
    over the energy, at the temperature it is expected to have halfway, or the nearest that its cells are known at.
    """
    halfway_degc, heat_per_w2, mean_w = map.in_table(degc), 0.0, 0.0
    for _ in range(_GUESSES):
        curve = map.curve(halfway_degc)
        steps = ((i + 0.5) / _SAMPLES for i in range(_SAMPLES))
        mean_w = sum(min(ceiling_w, curve.power_at(from_wh + (to_wh - from_wh) * at)) for at in steps) / _SAMPLES
        heat_per_w2 = losses.at(halfway_degc)
        seconds = (to_wh - from_wh) / mean_w * SECONDS_PER_HOUR
        expected_degc = thermal.after(degc, ambient_degc, Heat(heat_per_w2 * mean_w**2), seconds / 2.0)
        halfway_degc = map.in_table(expected_degc)
    return max(_LEAST_EFFICIENCY, 1.0 - heat_per_w2 * mean_w)


class WarmPack:
    """A pack of some health on its charger, as it warms and cools: `curve` is what it accepts until further notice.

    All powers here are of what is stored, which is the part `efficiency` of what enters at its terminals, other than
    those that `losses` speak of.
    """

    __slots__ = (
        "_ambient_degc",
        "_heat",
        "_heat_per_w2",
        "_held_degc",
        "_held_from_wh",
        "_losses",
        "_map",
        "_room",
        "_same_heat_k",
        "_stretch",
        "_thermal",
        "_within",
        "curve",
        "degc",
        "efficiency",
        "peak_w",
    )

    def __init__(
        self,
        map: AgedMap,
        thermal: ThermalNode,
        losses: Losses,
        degc: float,
        ambient_degc: float,
        efficiency: float = 1.0,
        within: float = WITHIN,
    ) -> None:
        map = map.stored(efficiency)
        self.efficiency = efficiency
        self.degc = self._held_degc = degc
        self.curve = map.curve(degc)
        self.peak_w = map.peak_w
        self._map, self._thermal, self._within = map, thermal, within
        self._losses = Losses(losses.per_w2 / efficiency**2, losses.halves_every_k)
        self._heat_per_w2, self._ambient_degc = self._losses.at(degc), ambient_degc
        self._same_heat_k = losses.halves_every_k * log2(1.0 + _HEAT_WITHIN * within)
        self._heat = Heat()
        self._held_from_wh = inf
        self._room = Room(map, degc, within)
        self._stretch: Stretch | None = None

    def degc_after(self, seconds: float) -> float:
        """Its temperature after a while as it is now."""
        if self._stretch is not None and seconds <= self._stretch.lasts_s:
            return self._stretch.course.after(seconds)
        return self._thermal.after(self.degc, self._ambient_degc, self._heat, seconds)

    def pass_time(self, seconds: float) -> None:
        """A while has passed, along the piece that was taken up last."""
        if seconds > 0.0:
            self.degc, self._heat, self._stretch = self.degc_after(seconds), self._heat.after(seconds), None

    def piece(self, energy_wh: float, offered_w: float, target_wh: float, ceiling_w: float) -> Piece:
        """Take up how charging goes on from here, as the curve's own `piece`, while the curve is good.

        More than the ceiling it will not be offered. A pack that waits warms and cools on, one that is done does too,
        but asks for nothing any more.
        """
        piece, held_s = IDLE, 0.0
        if self._room.low + _AT_THE_EDGE_K < self.degc < self._room.high - _AT_THE_EDGE_K:
            piece, held_s = self._taken_up(energy_wh, offered_w, target_wh, ceiling_w)
        if held_s == 0.0:
            self._hold(energy_wh)
            piece, held_s = self._taken_up(energy_wh, offered_w, target_wh, ceiling_w)
        if held_s >= piece.duration_s:
            return piece
        end_wh = min(energy_wh + piece.energy_after(held_s), piece.end_wh)
        return Piece(piece.power_w, piece.growth_per_s, held_s, end_wh)

    def _hold(self, energy_wh: float) -> None:
        self._held_degc, self._held_from_wh = self.degc, energy_wh
        self.curve = self._map.curve(self.degc)
        self._room = Room(self._map, self.degc, self._within)
        self._heat_per_w2 = self._losses.at(self.degc)

    def _taken_up(self, energy_wh: float, offered_w: float, target_wh: float, ceiling_w: float) -> tuple[Piece, float]:
        piece = self.curve.piece(energy_wh, offered_w, target_wh)
        self._heat = Heat(self._heat_per_w2 * piece.power_w**2, 2.0 * piece.growth_per_s)
        self._stretch = None
        if energy_wh >= target_wh:
            return IDLE, inf
        end_wh = energy_wh if piece.power_w == 0.0 else piece.end_wh
        return piece, self._good_for_s(min(energy_wh, self._held_from_wh), end_wh, ceiling_w, piece.duration_s)

    def _good_for_s(self, from_wh: float, to_wh: float, ceiling_w: float, at_most_s: float) -> float:
        """How long the curve is good; from where it was taken up on, so that looking more often changes nothing."""
        capacity_wh = self._map.capacity_wh
        soc = (from_wh / capacity_wh, to_wh / capacity_wh)
        low, high = self._room.between(soc, ceiling_w)
        if self._heat.power_w > 0.0:
            low, high = max(low, self._held_degc - self._same_heat_k), min(high, self._held_degc + self._same_heat_k)
        if not low + _AT_THE_EDGE_K < self.degc < high - _AT_THE_EDGE_K:
            return 0.0
        now = self.degc, self._ambient_degc, self._heat
        self._stretch = self._thermal.stretch(*now, at_most_s)
        return self._thermal.leaves_after(*now, (low, high), at_most_s, self._stretch)
