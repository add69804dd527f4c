"""The voltage of a cell, or a pack, by an equivalent circuit: a source, a series resistance and two RC pairs.

    voltage = ocv(soc) + I R0(soc, |I|) + V1 + V2,      C dV/dt = I - V / R for each pair

R0 falls with the current, as the Butler-Volmer law has it: without that axis a drive cycle is off five times as much.
Long constant currents keep 8 to 25 mV of error from slow diffusion; and for what a pack may be charged with, there is
`pack_map.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import pairwise
from math import exp, exp2, inf, sqrt
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltbench.battery.charge_map import Provenance
from voltbench.battery.thermal import MILD_DEGC
from voltbench.errors import InvalidInput
from voltbench.quantities import SECONDS_PER_HOUR

Floats = NDArray[np.float64]


class CircuitState(NamedTuple):
    """Many circuits of one kind: their states of charge, and the voltages over their two RC pairs."""

    soc: Floats
    v1: Floats
    v2: Floats


class EquivalentCircuit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """A circuit with its elements over `soc`; `r0_ohm` has a row for each SoC, over sizes of current `current_a`.

    Charging is positive. Beyond the edges of a table it is as at the edge.
    """

    id: str
    name: str
    source: str
    cell: str
    capacity_ah: float
    provenance: Provenance
    soc: tuple[float, ...]
    ocv_v: tuple[float, ...]
    current_a: tuple[float, ...]
    r0_ohm: tuple[tuple[float, ...], ...]
    r1_ohm: tuple[float, ...]
    c1_f: tuple[float, ...]
    r2_ohm: tuple[float, ...]
    c2_f: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 0.0 < self.capacity_ah < float("inf"):
            raise InvalidInput("capacity_ah", "is no capacity", found=self.capacity_ah, allowed="more than 0")
        for name in ("soc", "current_a"):
            axis = getattr(self, name)
            if not axis or axis[0] < 0.0 or any(b <= a for a, b in pairwise(axis)):
                raise InvalidInput(name, "does not rise", found=list(axis), allowed="rising, from 0 or more")
        if any(len(row) != len(self.current_a) for row in self.r0_ohm):
            raise InvalidInput("r0_ohm", "has rows that do not fit", allowed="one value for each current")
        for name in ("ocv_v", "r0_ohm", "r1_ohm", "c1_f", "r2_ohm", "c2_f"):
            table = np.array(getattr(self, name))
            if len(table) != len(self.soc):
                raise InvalidInput(name, "does not fit", found=len(table), allowed=f"one for each SoC: {len(self.soc)}")
            if not bool((table > 0.0).all() and np.isfinite(table).all()):
                raise InvalidInput(name, "holds what is none", found=float(table.min()), allowed="more than 0")

    def scaled(self, series: int, parallel: int) -> EquivalentCircuit:
        """The circuit of a pack of these cells, which are all alike."""
        volts, ohms = float(series), series / parallel
        return msgspec.structs.replace(
            self,
            capacity_ah=self.capacity_ah * parallel,
            ocv_v=_times(self.ocv_v, volts),
            current_a=_times(self.current_a, float(parallel)),
            r0_ohm=tuple(_times(row, ohms) for row in self.r0_ohm),
            r1_ohm=_times(self.r1_ohm, ohms),
            c1_f=_times(self.c1_f, 1.0 / ohms),
            r2_ohm=_times(self.r2_ohm, ohms),
            c2_f=_times(self.c2_f, 1.0 / ohms),
        )

    def at_rest(self, soc: ArrayLike) -> CircuitState:
        """Circuits that have not been used for long."""
        levels = np.array(soc, dtype=np.float64, ndmin=1)
        return CircuitState(levels, np.zeros_like(levels), np.zeros_like(levels))

    def step(self, state: CircuitState, current_a: ArrayLike, seconds: float) -> CircuitState:
        """The circuits after a while of constant current: exact for the elements as they are at its middle."""
        current = np.asarray(current_a, dtype=np.float64)
        gain = current * (seconds / SECONDS_PER_HOUR / self.capacity_ah)
        elements = self._at(state.soc + gain / 2.0)
        ends = [
            ohm * current + (volts - ohm * current) * np.exp(-seconds / (ohm * farad))
            for volts, ohm, farad in ((state.v1, *elements[:2]), (state.v2, *elements[2:]))
        ]
        return CircuitState(np.clip(state.soc + gain, 0.0, 1.0), *ends)

    def voltage_v(self, state: CircuitState, current_a: ArrayLike) -> Floats:
        """Voltage at the terminals while a current flows."""
        current = np.asarray(current_a, dtype=np.float64)
        ocv_v = np.interp(state.soc, self.soc, self.ocv_v)
        return np.asarray(ocv_v + current * self.r0(state.soc, np.abs(current)) + state.v1 + state.v2)

    def r0(self, soc: Floats, size_a: Floats) -> Floats:
        """The series resistance at states of charge and sizes of current, between entries linear in both."""
        table = self._r0_table
        row, down = _placed(self._soc_axis, soc)
        column, right = _placed(self._current_axis, size_a)
        next_row, next_column = np.minimum(row + 1, len(table) - 1), np.minimum(column + 1, table.shape[1] - 1)
        upper = table[row, column] + (table[row, next_column] - table[row, column]) * right
        lower = table[next_row, column] + (table[next_row, next_column] - table[next_row, column]) * right
        return np.asarray(upper + (lower - upper) * down)

    def _at(self, soc: Floats) -> list[Floats]:
        elements = (self.r1_ohm, self.c1_f, self.r2_ohm, self.c2_f)
        return [np.interp(soc, self._soc_axis, element) for element in elements]

    @cached_property
    def _r0_table(self) -> Floats:
        return np.array(self.r0_ohm)

    @cached_property
    def _soc_axis(self) -> Floats:
        return np.array(self.soc)

    @cached_property
    def _current_axis(self) -> Floats:
        return np.array(self.current_a)


_MOST_PASSED = 256
"""Of whiles that have passed, so many are kept for who may read."""

_GUESSES = 3
"""Of a current by its power: the resistance hardly depends on it."""


class TerminalReading(NamedTuple):
    """What is measured at a pack's terminals; charging is positive."""

    voltage_v: float
    current_a: float


class Terminals:
    """The terminals of one pack over time, by the circuit of its cells: `series` times `parallel`, all alike.

    Its resistances are `resistance` times those of the circuit, which is told of at 25 degrees, and halve with every
    `halves_every_k` more; its capacitors stay. It begins at rest. What has passed is worked out when somebody reads.
    """

    __slots__ = ("_circuit", "_halves_every_k", "_parallel", "_passed", "_resistance", "_series", "_swing_v")

    def __init__(
        self,
        circuit: EquivalentCircuit,
        series: int,
        parallel: int,
        resistance: float = 1.0,
        halves_every_k: float = inf,
    ) -> None:
        self._circuit, self._series, self._parallel = circuit, series, parallel
        self._resistance, self._halves_every_k = resistance, halves_every_k
        self._swing_v = (0.0, 0.0)
        self._passed: list[tuple[float, float, float, float]] = []

    def pass_time(self, soc: float, power_w: float, degc: float, seconds: float) -> None:
        """A while has passed at this temperature, with this mean power and, in its middle, this state of charge."""
        if seconds > 0.0:
            self._passed.append((soc, power_w, degc, seconds))
        if len(self._passed) >= _MOST_PASSED:
            self._catch_up()

    def read(self, soc: float, power_w: float, degc: float, since_s: float = 0.0) -> TerminalReading:
        """What is measured at a power, a state of charge and a temperature, after a while of the same since the last
        one that passed.
        """
        self._catch_up()
        swing_v = self._swing_after(soc, power_w, degc, since_s) if since_s > 0.0 else self._swing_v
        current_a, open_v, ohm = self._cell_current(soc, power_w, degc, swing_v)
        return TerminalReading((open_v + current_a * ohm) * self._series, current_a * self._parallel)

    def _catch_up(self) -> None:
        for passed in self._passed:
            self._swing_v = self._swing_after(*passed)
        self._passed.clear()

    def _cell_current(
        self, soc: float, power_w: float, degc: float, swing_v: tuple[float, float]
    ) -> tuple[float, float, float]:
        """A cell's current, the voltage behind its series resistance, and that: P = (E + I R) I."""
        circuit, cell_w = self._circuit, power_w / (self._series * self._parallel)
        row, down = _between(circuit.soc, soc)
        open_v = _along(circuit.ocv_v, row, down) + sum(swing_v)
        warm, current_a, ohm = self._factor(degc), cell_w / open_v, 0.0
        for _ in range(_GUESSES):
            column, right = _between(circuit.current_a, abs(current_a))
            upper, lower = (_along(circuit.r0_ohm[at], column, right) for at in (row, min(row + 1, _last(circuit.soc))))
            ohm = warm * (upper + (lower - upper) * down)
            current_a = 2.0 * cell_w / (open_v + sqrt(max(0.0, open_v * open_v + 4.0 * ohm * cell_w)))
        return current_a, open_v, ohm

    def _swing_after(self, soc: float, power_w: float, degc: float, seconds: float) -> tuple[float, float]:
        circuit, warm = self._circuit, self._factor(degc)
        current_a, _, _ = self._cell_current(soc, power_w, degc, self._swing_v)
        row, down = _between(circuit.soc, soc)
        pairs = ((circuit.r1_ohm, circuit.c1_f), (circuit.r2_ohm, circuit.c2_f))
        after_v = []
        for before_v, (ohms, farads) in zip(self._swing_v, pairs, strict=True):
            ohm = warm * _along(ohms, row, down)
            end_v = ohm * current_a
            after_v.append(end_v + (before_v - end_v) * exp(-seconds / (ohm * _along(farads, row, down))))
        return after_v[0], after_v[1]

    def _factor(self, degc: float) -> float:
        return self._resistance * exp2((MILD_DEGC - degc) / self._halves_every_k)


def _between(axis: tuple[float, ...], at: float) -> tuple[int, float]:
    """The entry below a place on an axis, and the part of the way to the next; beyond an end it is that end."""
    i = bisect_right(axis, at) - 1
    if i < 0:
        return 0, 0.0
    if i >= len(axis) - 1:
        return len(axis) - 1, 0.0
    return i, (at - axis[i]) / (axis[i + 1] - axis[i])


def _along(row: tuple[float, ...], i: int, part: float) -> float:
    return row[i] + part * (row[i + 1] - row[i]) if part else row[i]


def _last(axis: tuple[float, ...]) -> int:
    return len(axis) - 1


def _times(row: tuple[float, ...], factor: float) -> tuple[float, ...]:
    return tuple(each * factor for each in row)


def _placed(axis: Floats, at: Floats) -> tuple[NDArray[np.intp], Floats]:
    """The entry below each place on an axis, and the part of the way to the next; beyond an end it is that end."""
    along = np.interp(at, axis, np.arange(len(axis)))
    entry = np.minimum(along.astype(np.intp), max(0, len(axis) - 2))
    return entry, along - entry
