"""Modelled packs to speak of in tests: the contract's table of the cell of Chen2020 and OKane2022, and a pack of it."""

from functools import cache

import numpy as np

from voltbench.battery.charge_map import CellChargeMap, Provenance, nested
from voltbench.battery.pack import PackModel
from voltbench.battery.thermal import ThermalNode
from voltbench.battery.warm_pack import WITHIN, WarmPack, stored_part
from voltbench.charging.path import ChargingPath
from voltbench.charging.session import Emit
from voltbench.charging.vehicle import VehicleModel
from voltbench.charging.warm_session import WarmSession
from voltbench.quantities import Instant

CAPACITY_WH = 77_000.0

C_RATES = {
    -10.0: (0.75, 0.53, 0.40, 0.34, 0.30, 0.25, 0.19, 0.16, 0.0),
    0.0: (1.07, 0.77, 0.59, 0.51, 0.44, 0.38, 0.31, 0.23, 0.13),
    10.0: (1.48, 1.06, 0.85, 0.73, 0.63, 0.55, 0.47, 0.34, 0.20),
    20.0: (2.00, 1.44, 1.19, 1.02, 0.88, 0.78, 0.67, 0.47, 0.28),
    25.0: (2.31, 1.66, 1.40, 1.19, 1.03, 0.91, 0.79, 0.54, 0.33),
    30.0: (2.68, 1.92, 1.62, 1.38, 1.20, 1.07, 0.93, 0.63, 0.39),
    40.0: (3.0, 2.50, 2.16, 1.83, 1.59, 1.43, 1.25, 0.83, 0.52),
    45.0: (3.0, 2.87, 2.45, 2.09, 1.82, 1.65, 1.44, 0.94, 0.59),
}
"""C-rate at 10, 20 .. 90 % SoC by temperature: /work/shared/contracts/simulation-service.md, section D."""

TENTHS = np.arange(1, 10) / 10.0
LOST = (0.0, 0.1, 0.2)
RESISTANCE = (1.0, 1.5, 2.0)


@cache
def a_cell_map() -> CellChargeMap:
    """The contract's table, drawn through to both ends; what ageing and resistance take away is made up."""
    soc = np.linspace(0.0, 1.0, 101)
    rates = np.array([np.interp(soc, [0.0, *TENTHS, 1.0], [row[0], *row, 0.0]) for row in C_RATES.values()])
    c_rate = np.array([[rates * (1.0 - lost / 2.0) / ohms**0.5 for lost in LOST] for ohms in RESISTANCE])
    volts = np.interp(soc, [0.0, 0.1, 0.5, 0.7, 1.0], [3.9, 3.94, 4.14, 4.2, 4.2])
    return CellChargeMap(
        id="contract",
        name="A cell of 5 Ah",
        source="Made up for tests.",
        cell="lg-m50",
        capacity_ah=5.0,
        nominal_voltage_v=3.63,
        provenance=Provenance(parameters="OKane2022", model="DFN", simulator="PyBaMM 26.10", made_on="2026-11-21"),
        soc=tuple(np.round(soc, 4).tolist()),
        temperature_degc=tuple(C_RATES),
        lam=LOST,
        resistance=RESISTANCE,
        c_rate=nested(c_rate),
        voltage_v=nested(np.broadcast_to(volts, c_rate.shape)),
    )


A_NODE = ThermalNode(heat_capacity_j_per_k=450_000.0, conductance_w_per_k=20.0)


def a_pack(
    max_power_w: float | None = None,
    thermal: ThermalNode = A_NODE,
    margin: float = 0.0,
    ohm: float = 0.15,
    halves_k: float | None = None,
) -> PackModel:
    """96 times 44 cells."""
    return PackModel(
        id="pack",
        name="A pack",
        source="Made up for tests.",
        charge_map=a_cell_map(),
        series=96,
        parallel=44,
        resistance_ohm=ohm,
        thermal=thermal,
        max_power_w=max_power_w,
        margin=margin,
        resistance_halves_every_k=halves_k,
    )


def a_car_of_cells(pack: PackModel | None = None) -> VehicleModel:
    """A car that charges on DC by the model of its pack alone."""
    return VehicleModel("car", "car", CAPACITY_WH, None, ("cCCS2",), "made up for tests", pack=pack or a_pack())


DC = ChargingPath(200_000.0, 0.0, 0.0, 3, 0.95, 0.95)


def a_warm_session(
    degc: float = 25.0,
    ambient_degc: float | None = None,
    now: Instant = 0,
    *,
    within: float = WITHIN,
    soc: float = 0.1,
    wanted_soc: float = 0.8,
    soh: float = 1.0,
    resistance: float = 1.0,
    pack: PackModel | None = None,
    path: ChargingPath = DC,
    emit: Emit | None = None,
) -> WarmSession:
    """A car at 10 % that wants 80 %, as warm as the air, and is offered nothing yet."""
    pack = pack or a_pack()
    aged = pack.accepts(CAPACITY_WH).aged(soh, resistance)
    losses = pack.losses(resistance)
    air_degc = degc if ambient_degc is None else ambient_degc
    capacity_wh = CAPACITY_WH * soh
    part = stored_part(
        aged,
        pack.thermal,
        losses,
        degc,
        air_degc,
        soc * capacity_wh,
        wanted_soc * capacity_wh,
        path.rating_w * path.efficiency,
    )
    warm = WarmPack(aged, pack.thermal, losses, degc, air_degc, part, within)
    onboard = path.efficiency * part / path.supply_efficiency
    asked_wh = (wanted_soc - soc) * capacity_wh / onboard
    return WarmSession("s", path, warm, soc * capacity_wh, asked_wh, now, emit=emit)


def charged(session: WarmSession, limit_w: float = 1e6, now: Instant = 0) -> Instant:
    """When a session is done that gets so much all the time and is woken as it asks to be."""
    session.limit(now, limit_w)
    while not session.is_satisfied:
        due = session.next_wakeup()
        assert due is not None
        now = due
        session.wake(now)
    return now
