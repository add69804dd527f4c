"""Circuits and curves beside what they stand for: the sections of docs/accuracy.md from cell to car."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from docs.accuracy_section import Row, TooFar, ours, prose, rms_and_worst, table
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.cells.pulses import off_v
from voltbench.battery.charge_map import CellChargeMap
from voltbench.battery.record import Floats
from voltbench.battery.simulation import CurrentLoad, DriveCycleLoad, Load, Simulation
from voltbench.charging.path import ChargingPath
from voltbench.charging.vehicle import Condition, Vehicle
from voltbench.charging.warm_session import session_of
from voltbench.quantities import MS_PER_SECOND

CIRCUIT_LOADS: tuple[tuple[str, float, Load, str], ...] = (
    ("US06 from 80 %", 0.8, DriveCycleLoad(name="US06"), "1.1 / 4.2"),
    ("US06 from 20 %", 0.2, DriveCycleLoad(name="US06"), "1.2 / 4.7"),
    ("US06, 1.85 times (3C)", 0.8, DriveCycleLoad(name="US06", scale=1.85), "3.0 / 21, at twice"),
    ("C/2 discharge, 95 to 10 %", 0.95, CurrentLoad(current_a=-2.5, duration_s=0.85 * 7_200.0), "8.2 / 26"),
    ("1C discharge, 95 to 15 %", 0.95, CurrentLoad(current_a=-5.0, duration_s=0.8 * 3_600.0), "17 / 39"),
    ("1C charge, 10 to 80 %", 0.1, CurrentLoad(current_a=5.0, duration_s=0.7 * 3_600.0), "25 / 47"),
)
"""What the circuit of a cell is held against its model by: from where, and what a prototype came to."""

MOST_CIRCUIT_MV = 40.0

ID4_KW = {0.2: 127.5, 0.3: 127.5, 0.5: 95.0, 0.7: 65.0, 0.8: 65.0}
ID4_MOST_W = 127_500.0
MODEL_3_C = {0.14: 3.1, 0.34: 1.75, 0.80: 0.63, 0.90: 0.45}
CONTRACT_C = (2.31, 1.66, 1.40, 1.19, 1.03, 0.91, 0.79, 0.54, 0.33)
TENTHS = range(10, 100, 10)


# --- circuits --------------------------------------------------------------------------------------------------------


def circuit() -> Iterator[str]:
    """The circuit of a cell beside its model."""
    circuit = Catalog().circuit("lg-m50-okane2022")
    yield from ("## The circuit beside the model", "")
    yield from prose(
        f"`voltbench cell circuit {circuit.cell}`: two RC pairs, and R0 over state of charge and current, fitted to "
        "pulses of a minute. Beside the DFN that was given the pulses, at 25 °C; and what the prototype that the issue "
        "was written after came to with another cell's parameters (Chen2020). Long constant currents are off by what "
        "diffuses slowly, which a minute does not show: energy is right to 1 %, and limits come from the charge map.",
    )
    rows = []
    for words, soc, load, theirs_mv in CIRCUIT_LOADS:
        asked = Simulation(load=load, model="DFN", cell=circuit.cell, initial_soc=soc, every_s=_every_s(load))
        off = off_v(circuit, ours(asked), soc) * 1e3
        rows.append((words, *rms_and_worst(off), theirs_mv))
        if np.sqrt(np.mean(off**2)) > MOST_CIRCUIT_MV:
            raise TooFar(f"the circuit, {words}")
    yield from table(("load", "mV rms", "mV at most", "prototype, rms / at most"), rows)


def _every_s(load: Load) -> float | None:
    return 10.0 if isinstance(load, CurrentLoad) else None


# --- vehicles --------------------------------------------------------------------------------------------------------


def curve() -> Iterator[str]:
    """What a cell lets itself be charged with, beside other figures of it."""
    map = Catalog().charge_map("lg-m50-okane2022")
    at = map.temperature_degc.index(25.0)
    found = map.currents[0, 0, at][list(TENTHS)]
    yield from ("## Charging curves", "")
    yield from prose(
        "`voltbench cell curve OKane2022`: a model, not a measurement. As much current as 3C, an anode that stays "
        "above lithium's potential, and 4.2 V allow. A test solves the same in another way (PyBaMM's experiment of "
        "three steps: 3C, the anode held at lithium's potential, 4.2 V), and agrees within 0.005C rms. Beside the "
        "prototype that the issue was written after; fresh, 25 °C, in C:",
    )
    rows = [("prototype", *(f"{rate:.2f}" for rate in CONTRACT_C)), ("ours", *(f"{rate:.2f}" for rate in found))]
    yield from table(("", *(f"{percent} %" for percent in TENTHS)), rows)
    if np.abs(found - CONTRACT_C).max() > 0.03:
        raise TooFar("the charge map")


def vehicles() -> Iterator[str]:
    """Charging that follows from cells, beside cars."""
    yield from ("### Beside cars that were measured", "")
    yield from prose(
        "Nothing is fitted, and the cells are an LG M50's, not those of either car: this says that the shape is "
        "plausible, and no more. The curve of a measured car is what to simulate that car with (`vw-id4-pro-77`, "
        "`tesla-model-3-long-range`).",
    )
    yield from prose(
        "VW ID.4 (InsideEVs, 2021): kW at a SoC, and minutes from 5 %. Ours: the pack lg-m50-96s44p, and one of 82 kWh "
        "as the ID.4's, with its 127.5 kW, at a constant temperature:",
    )
    cells = Catalog().pack("lg-m50-96s44p").charge_map
    rows: list[Row] = [("measured", *(f"{kw:.0f}" for kw in ID4_KW.values()), "", "38", "48")]
    for parallel in (44, 46):
        rows += [_like_an_id4(cells, parallel, degc) for degc in (25.0, 30.0, 35.0)]
    heads = ("", *(f"{soc:.0%}" for soc in ID4_KW), "kW rms", "to 80 %, min", "to 90 %, min")
    yield from table(heads, rows)
    yield from prose(
        "The twin `vw-id4-pro-77-cells` itself warms by 10 to 45 K as it charges, whatever its cooling of 6 kW does "
        "from 35 °C on, and its cells then take more than the car lets itself be given: the twin is faster than the "
        "car, most of all above 60 %. From 5 %, battery and air as warm as each other, for one that is new and one "
        "that holds 90 % with 1.5 times the resistance:",
    )
    conditions = [Condition(degc, *aged) for degc in (0.0, 15.0, 25.0) for aged in ((1.0, 1.0), (0.9, 1.5))]
    yield from table(heads, [rows[0], *(_twin(condition) for condition in conditions)])
    yield from prose("Tesla Model 3 Long Range (2021; published power by its capacity), in C:")
    told: list[Row] = [("measured", *(f"{rate:.2f}" for rate in MODEL_3_C.values()))]
    for degc in (25.0, 30.0, 40.0):
        rates = [f"{np.interp(soc, cells.soc, _at(cells, cells.currents, degc)):.2f}" for soc in MODEL_3_C]
        told.append((f"LG M50 by OKane2022, {degc:g} °C", *rates))
    yield from table(("", *(f"{soc:.0%}" for soc in MODEL_3_C)), told)


def _like_an_id4(cells: CellChargeMap, parallel: int, degc: float) -> Row:
    """A fresh pack with 96 cells in series: by the charge that flows, not by energy, of which a part becomes heat."""
    volts = _at(cells, cells.voltages, degc)
    current_a = np.minimum(_at(cells, cells.currents, degc) * cells.capacity_ah, ID4_MOST_W / (volts * 96 * parallel))
    kw = np.interp(list(ID4_KW), cells.soc, current_a * volts * 96 * parallel / 1e3)
    soc = np.linspace(0.05, 0.9, 1_701)
    passed = np.concatenate(([0.0], np.cumsum(np.diff(soc) / np.interp(soc[:-1], cells.soc, current_a))))
    minutes = passed * cells.capacity_ah * 60.0
    rms = float(np.sqrt(np.mean((kw - list(ID4_KW.values())) ** 2)))
    wh = 96 * parallel * cells.capacity_ah * cells.nominal_voltage_v
    times = [f"{np.interp(to, soc, minutes):.0f}" for to in (0.8, 0.9)]
    return (f"96s{parallel}p, {wh / 1e3:.0f} kWh, {degc:g} °C", *(f"{one:.0f}" for one in kw), f"{rms:.1f}", *times)


def _twin(condition: Condition) -> Row:
    """The vehicle of the catalog on a charger that gives all it takes, second by second."""
    car = Vehicle("car", Catalog().vehicle("vw-id4-pro-77-cells"), 0.05).in_condition(condition)
    path = ChargingPath(1e6, 0.0, 0.0, 3, 1.0, 1.0)
    session = session_of(car, "session", path, 2.0 * car.capacity_wh, 0, ambient_degc=condition.battery_degc)
    session.limit(0, 1e6)
    soc, kw, at = [0.05], [session.power_w(0) / 1e3], 0
    while soc[-1] < 0.9:
        at += MS_PER_SECOND
        while (due := session.next_wakeup()) is not None and due <= at:
            session.wake(due)
        soc.append(session.soc(at))
        kw.append(session.power_w(at) / 1e3)
    found = np.interp(list(ID4_KW), soc, kw)
    rms = float(np.sqrt(np.mean((found - list(ID4_KW.values())) ** 2)))
    times = [f"{np.searchsorted(soc, to) / 60.0:.0f}" for to in (0.8, 0.9)]
    name = f"{condition.battery_degc:g} °C, " + ("new" if condition.soh == 1.0 else "aged")
    return (name, *(f"{one:.0f}" for one in found), f"{rms:.1f}", *times)


def _at(cells: CellChargeMap, table: Floats, degc: float) -> Floats:
    """A fresh cell's row at a temperature, linear between two."""
    axis = np.array(cells.temperature_degc)
    return np.array([np.interp(degc, axis, column) for column in table[0, 0].T])
