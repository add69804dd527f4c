"""An equivalent circuit of a cell, found from pulses that a model of it is given.

From each of some states of charge a current flows for a minute, and ten minutes follow at rest. For one pair of time
constants everything else is linear, by least squares; so only those two are searched:

    V - OCV = I (R0(|I|) + R1 (1 - exp(-t / tau1)) + R2 (1 - exp(-t / tau2)))       while it flows, and decays after
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product

import numpy as np
from scipy.optimize import minimize, nnls

from voltbench.adapters.cells.asked import parameters_hash
from voltbench.battery.cell import Cell
from voltbench.battery.charge_map import Provenance
from voltbench.battery.circuit import CircuitState, EquivalentCircuit
from voltbench.battery.cycling import ConstantCurrent, Rest, Step
from voltbench.battery.record import Floats, Record
from voltbench.battery.simulation import Model, ProtocolLoad, Simulation
from voltbench.errors import Failed, InvalidInput

SOC = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
C_RATES = (0.1, 0.5, 1.0, 2.0)
PULSE_S, REST_S = 60.0, 600.0

DISCHARGED_FROM, CHARGED_FROM = 0.12, 0.88
"""Below the first a pulse only charges, above the second it only discharges."""

ROOM_V = 0.25
"""A pulse may go so far beyond the cell's limits: it is a model's, and says what happens near them."""

FIRST_TAUS_S = (8.0, 120.0)
GRID = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True)
class Pulse:
    """A pulse to be given: from where, and which current; charging is positive."""

    soc: float
    current_a: float
    simulation: Simulation


def pulses(cell: Cell, model: Model = "DFN", ambient_degc: float = 25.0) -> list[Pulse]:
    """The pulses that tell of a cell, in both directions where there is room.

    Raises InvalidInput for a model that does not go with the cell.
    """
    if model not in cell.models or model == "Thevenin":
        why = cell.why_not.get(model, "it is no model of what goes on in a cell")
        raise InvalidInput("model", f"tells of no circuit of {cell.name}: {why}", found=model)
    found = []
    for soc, rate, sign in product(SOC, C_RATES, (-1.0, 1.0)):
        if (soc < DISCHARGED_FROM and sign < 0.0) or (soc > CHARGED_FROM and sign > 0.0):
            continue
        current_a = sign * rate * cell.capacity_ah
        steps: list[Step] = [ConstantCurrent(current_a=current_a, until_s=PULSE_S), Rest(until_s=REST_S)]
        simulation = Simulation(
            load=ProtocolLoad(steps=steps),
            model=model,
            cell=cell.name,
            initial_soc=soc,
            ambient_degc=ambient_degc,
            lower_voltage_v=cell.lower_voltage_v - ROOM_V,
            upper_voltage_v=cell.upper_voltage_v + ROOM_V,
            outputs=["ocv_v"],
            every_s=1.0,
            tolerance=1e-6,
        )
        found.append(Pulse(soc, current_a, simulation))
    return found


def identified(cell: Cell, given: Sequence[Pulse], records: Sequence[Record], made_on: date) -> EquivalentCircuit:
    """The circuit of a cell by what became of its pulses, in their order; those that met a limit are left out.

    Raises Failed where too few are left.
    """
    pairs = zip(given, records, strict=True)
    whole = [(pulse, record) for pulse, record in pairs if record.ending.reason == "steps_done"]
    levels = [_level([each for each in whole if each[0].soc == soc], cell) for soc in SOC]
    r0, r1, tau1, r2, tau2 = (
        np.array([np.interp(GRID, SOC, column) for column in np.atleast_2d(np.array(rows).T)])
        for rows in zip(*levels, strict=True)
    )
    ocv_v = np.interp(GRID, np.linspace(0.0, 1.0, len(cell.ocv_v)), cell.ocv_v)
    some = given[0].simulation
    return EquivalentCircuit(
        id=cell.name.lower(),
        name=f"{cell.name}, {cell.chemistry}, as a circuit",
        source=f"A model of a model: fitted to {len(whole)} pulses of the {some.model} of {cell.name} ({cell.source}).",
        cell=cell.name,
        capacity_ah=round(cell.usable_ah or cell.capacity_ah, 4),
        provenance=_provenance(cell, some, records[0], made_on),
        soc=tuple(np.round(GRID, 2).tolist()),
        ocv_v=tuple(np.round(ocv_v, 4).tolist()),
        current_a=tuple(rate * cell.capacity_ah for rate in C_RATES),
        r0_ohm=tuple(_kept(row) for row in r0.T),
        r1_ohm=_kept(r1[0]),
        c1_f=_kept((tau1 / r1)[0]),
        r2_ohm=_kept(r2[0]),
        c2_f=_kept((tau2 / r2)[0]),
    )


def off_v(circuit: EquivalentCircuit, record: Record, soc: float) -> Floats:
    """How far a circuit's voltage is from that of a record which begins at rest and this SoC, at each of its rows."""
    time_s, current_a, volts = (record.columns[name] for name in ("time_s", "current_a", "voltage_v"))
    state: CircuitState = circuit.at_rest(soc)
    before_a, before_s, off = float(current_a[0]), float(time_s[0]), []
    for now_s, now_a, now_v in zip(time_s.tolist(), current_a.tolist(), volts.tolist(), strict=True):
        state = circuit.step(state, (before_a + now_a) / 2.0, now_s - before_s)
        off.append(float(circuit.voltage_v(state, now_a)[0]) - now_v)
        before_a, before_s = now_a, now_s
    return np.array(off)


def _provenance(cell: Cell, some: Simulation, record: Record, made_on: date) -> Provenance:
    made, rates = record.made_with, ", ".join(f"{rate:g}" for rate in C_RATES)
    return Provenance(
        parameters=cell.name,
        model=f"2-RC with R0 over current, from {some.model}",
        simulator=f"{made.simulator} {made.version}, {made.solver}",
        parameters_sha256=parameters_hash(some),
        made_on=made_on.isoformat(),
        notes=f"Made by `voltbench cell circuit`. {some.ambient_degc:g} degrees; pulses of {PULSE_S:g} s at {rates}C "
        f"and {REST_S:g} s of rest, from {SOC[0]:.0%} to {SOC[-1]:.0%}, and beyond those as there.",
    )


def _kept(row: Floats) -> tuple[float, ...]:
    """Five digits of each: more than the fit is worth."""
    return tuple(float(f"{each:.5g}") for each in row.tolist())


def _level(given: Sequence[tuple[Pulse, Record]], cell: Cell) -> tuple[Floats, float, float, float, float]:
    """R0 over current, and both pairs' resistances and time constants, at one state of charge."""
    sizes = [rate * cell.capacity_ah for rate in C_RATES]
    rows = [_rows(pulse, record, sizes) for pulse, record in given]
    there = np.array([any(np.isclose(abs(pulse.current_a), size) for pulse, _ in given) for size in sizes])
    if not there.any():
        raise Failed("implausible", f"no pulse of {cell.name} came to its end")
    time_s, ohm, kinds, flows = (np.concatenate([row[i] for row in rows]) for i in range(4))
    weight = 1.0 / np.sqrt(np.where(flows > 0.0, time_s, time_s - PULSE_S))

    def solved(taus: Floats) -> tuple[Floats, float]:
        columns = [np.where(kinds == k, flows, 0.0) for k in range(len(sizes))]
        columns += [_swing(time_s, float(np.exp(tau)), flows) for tau in taus]
        resistances, left = nnls(np.stack(columns, axis=1) * weight[:, None], ohm * weight)
        return resistances, float(left)

    taus = minimize(lambda taus: solved(taus)[1], np.log(FIRST_TAUS_S), method="Nelder-Mead", options={"xatol": 1e-3}).x
    found, _ = solved(taus)
    r0 = np.interp(sizes, np.array(sizes)[there], found[: len(sizes)][there])
    (r1, tau1), (r2, tau2) = sorted(zip(found[len(sizes) :], np.exp(taus), strict=True), key=lambda pair: pair[1])
    return r0, max(r1, 1e-6), tau1, max(r2, 1e-6), tau2


def _rows(pulse: Pulse, record: Record, sizes: Sequence[float]) -> tuple[Floats, Floats, Floats, Floats]:
    """Times, what the voltage is away from the open-circuit one by the current, which current, and whether it flows."""
    time_s, volts, ocv_v, current_a = (record.columns[name] for name in ("time_s", "voltage_v", "ocv_v", "current_a"))
    flows = np.abs(current_a) > 0.0
    counts = (time_s > 0.0) & (time_s != PULSE_S)
    kind = float(np.argmin(np.abs(np.array(sizes) - abs(pulse.current_a))))
    ohm = (volts - ocv_v) / pulse.current_a
    return time_s[counts], ohm[counts], np.full(int(counts.sum()), kind), flows[counts].astype(float)


def _swing(time_s: Floats, tau_s: float, flows: Floats) -> Floats:
    """How far a pair of this time constant has come, as a part of its resistance."""
    rising = 1.0 - np.exp(-np.minimum(time_s, PULSE_S) / tau_s)
    return np.where(flows > 0.0, rising, rising * np.exp(-np.maximum(time_s - PULSE_S, 0.0) / tau_s))
