"""Vehicles with modelled packs: a fleet stepped by table, and a session by a pack beside a plain one.

The peers of the fleet's step: the same lookup by SciPy's RegularGridInterpolator, and the same step one vehicle after
the other in plain Python. Both see the same fleet, and their answers are compared with ours.
"""

from __future__ import annotations

import statistics
from bisect import bisect_right
from itertools import product
from math import exp, inf

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from benchmarks.figures import Figure, cpu_s, median_cpu_s, ms, promised
from voltbench.adapters.catalog import Catalog
from voltbench.battery.pack import PackModel
from voltbench.battery.pack_fleet import PackFleet
from voltbench.charging.path import ChargingPath
from voltbench.charging.session import ChargingSession
from voltbench.charging.vehicle import Vehicle, VehicleModel
from voltbench.charging.warm_session import session_of

VEHICLES, TICK_S, AMBIENT_DEGC = 10_000, 1.0, 15.0
MOST_S = 1e-3
MODEL = "vw-id4-pro-77-cells"
DC = ChargingPath(180_000.0, 0.0, 0.0, 3, 0.95, 0.95)


def figures(quick: bool = False) -> list[Figure]:
    """The tick of a fleet beside both peers, and sessions."""
    car = Catalog().vehicle(MODEL)
    assert car.pack is not None
    ticks = 20 if quick else 200
    return [_tick(car, car.pack, ticks, own) for own in (False, True)] + _sessions(car, ticks)


def _fleet(car: VehicleModel, pack: PackModel, own_resistance: bool) -> tuple[PackFleet, np.ndarray]:
    chance = np.random.default_rng(7)
    state = [chance.uniform(*bounds, VEHICLES) for bounds in ((0.05, 0.85), (-10.0, 45.0), (0.8, 1.0), (1.0, 1.5))]
    if not own_resistance:
        state[3] = np.array(1.0)
    return PackFleet(pack, car.usable_capacity_wh, *state), chance.uniform(0.0, 150_000.0, VEHICLES)


def _tick(car: VehicleModel, pack: PackModel, ticks: int, own_resistance: bool) -> Figure:
    fleet, offered_w = _fleet(car, pack, own_resistance)
    axes = ("SoC", "degC", "SoH", "resistance")[: 3 + own_resistance]
    lookup = RegularGridInterpolator(fleet.charge_map.axes, fleet.charge_map.table_w)
    theirs_w = lookup(_places(fleet))
    assert np.abs(fleet.accepted_w() / theirs_w - 1.0).max() < 1e-4
    by_scipy_s = median_cpu_s([fleet] * 10, lambda f: lookup(_places(f)))
    one_by_one = _OneByOne(fleet, pack)
    by_loop_s = cpu_s(lambda: one_by_one.step(offered_w))
    fleet.step(offered_w, AMBIENT_DEGC, TICK_S)
    assert np.abs(fleet.soc - one_by_one.soc).max() < 1e-7
    assert np.abs(fleet.degc - one_by_one.degc).max() < 1e-5
    ours_s = median_cpu_s([offered_w] * ticks, lambda offers: fleet.step(offers, AMBIENT_DEGC, TICK_S))
    return Figure(
        f"{VEHICLES:,} vehicles, a tick of 1 s: table ({' x '.join(axes)}), SoC, warmth",
        ms(ours_s),
        f"SciPy's lookup alone {ms(by_scipy_s)}; one by one {ms(by_loop_s)}",
        f"{by_scipy_s / ours_s:.1f}x; {by_loop_s / ours_s:,.0f}x; {promised(MOST_S, ours_s)}",
        f"<= {ms(MOST_S)}",
    )


def _places(fleet: PackFleet) -> np.ndarray:
    resistance = np.broadcast_to(fleet.resistance, fleet.soc.shape)
    return np.column_stack((resistance, fleet.soh, fleet.degc, fleet.soc))


class _OneByOne:
    """The same step, in plain Python."""

    def __init__(self, fleet: PackFleet, pack: PackModel) -> None:
        self.soc, self.degc = fleet.soc.tolist(), fleet.degc.tolist()
        self._soh = fleet.soh.tolist()
        self._resistance = np.broadcast_to(fleet.resistance, fleet.soc.shape).tolist()
        self._axes = [axis.tolist() for axis in fleet.charge_map.axes]
        self._table_w = fleet.charge_map.table_w.tolist()
        self._losses, self._capacity_wh = pack.losses(), fleet.charge_map.capacity_wh
        self._c, self._r = pack.thermal.heat_capacity_j_per_k, pack.thermal.conductance_w_per_k
        self._r /= self._c
        node = pack.thermal
        self._hot, self._cold = node.cools_above_degc or inf, node.heats_below_degc or -inf
        self._cooling_w, self._heating_w = node.cooling_w, node.heating_w

    def step(self, offered_w: np.ndarray) -> None:
        faded = exp(-self._r * TICK_S)
        for i, offer_w in enumerate(offered_w.tolist()):
            accepted_w = self._accepted_w(self._resistance[i], self._soh[i], self.degc[i], self.soc[i])
            power_w = min(offer_w, accepted_w)
            heat_w = self._losses.at(self.degc[i]) * self._resistance[i] * power_w**2
            self.soc[i] += (power_w - heat_w) * TICK_S / 3_600.0 / (self._capacity_wh * self._soh[i])
            degc = self._after(self.degc[i], heat_w, faded)
            if degc > self._hot:
                degc = max(self._hot, self._after(self.degc[i], heat_w - self._cooling_w, faded))
            elif degc < self._cold:
                degc = min(self._cold, self._after(self.degc[i], heat_w + self._heating_w, faded))
            self.degc[i] = degc

    def _after(self, degc: float, heat_w: float, faded: float) -> float:
        final = AMBIENT_DEGC + heat_w / (self._r * self._c)
        return final + (degc - final) * faded

    def _accepted_w(self, *asked: float) -> float:
        ends: list[tuple[tuple[int, float], tuple[int, float]]] = []
        for axis, at in zip(self._axes, asked, strict=True):
            i = min(max(bisect_right(axis, at) - 1, 0), len(axis) - 2)
            part = min(max((at - axis[i]) / (axis[i + 1] - axis[i]), 0.0), 1.0)
            ends.append(((i, 1.0 - part), (i + 1, part)))
        return sum(a * b * c * d * self._table_w[r][h][t][s] for (r, a), (h, b), (t, c), (s, d) in product(*ends))


def _sessions(car: VehicleModel, count: int) -> list[Figure]:
    plain = Catalog().vehicle("vw-id4-pro-77")
    socs = [0.05 + 0.3 * i / count for i in range(count)]
    rows = []
    measured_s = median_cpu_s(socs, lambda soc: _charge(Vehicle("car", plain, soc), 20.0))
    for words, degc in (("mild, 20 degC", 20.0), ("cold, -10 degC", -10.0)):
        ours_s = median_cpu_s(socs, lambda soc, degc=degc: _charge(Vehicle("car", car, soc, degc), degc))
        wakeups = statistics.mean(_charge(Vehicle("car", car, soc, degc), degc) for soc in socs)
        what = f"a session to 80 % by a modelled pack, {words} ({wakeups:.0f} wake-ups)"
        rows.append(Figure(what, ms(ours_s), f"by a measured curve {ms(measured_s)}", f"{measured_s / ours_s:.2g}x"))
    return rows


def _charge(vehicle: Vehicle, ambient_degc: float) -> int:
    """Charge it to 80 %; how often it was woken."""
    asked_wh = (0.8 - vehicle.soc) * vehicle.capacity_wh
    session: ChargingSession = session_of(vehicle, "s", DC, asked_wh, 0, ambient_degc=ambient_degc)
    session.limit(0, 1e6)
    wakeups = 0
    while not session.is_satisfied and (due := session.next_wakeup()) is not None:
        session.wake(due)
        wakeups += 1
    return wakeups
