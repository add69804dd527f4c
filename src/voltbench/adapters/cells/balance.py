"""How much lithium each electrode holds when a cell is empty and when it is full.

The same stoichiometries as PyBaMM's `ElectrodeSOHSolver`, which takes 0.2 s, as it builds models to find two roots.
This takes 3 ms, as sweeps over electrodes need. A test compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from voltbench.adapters.cells.library import pybamm
from voltbench.battery.record import Floats
from voltbench.errors import InvalidInput

POINTS = 400
"""Where the open-circuit voltage is looked at before its crossing is searched: some have poles, or rise and fall."""

EDGE = 1e-9
"""Potentials are infinite at stoichiometries of 0 and 1."""

NEGATIVE, POSITIVE = (f"Initial concentration in {side} electrode [mol.m-3]" for side in ("negative", "positive"))
STOICHIOMETRY = "Stoichiometry"


@dataclass(frozen=True, slots=True)
class Ends:
    """Initial concentrations when empty and when full, and the charge between, in Ah."""

    empty: Mapping[str, float]
    full: Mapping[str, float]
    charge_ah: float

    def at(self, soc: float) -> dict[str, float]:
        """Between the ends: charge flows evenly through both electrodes."""
        return {name: low + soc * (self.full[name] - low) for name, low in self.empty.items()}

    def soc_of(self, concentrations: Mapping[str, float]) -> float:
        """Where a state is between the ends, by the positive electrode."""
        empty, full = self.empty[POSITIVE], self.full[POSITIVE]
        return (concentrations[POSITIVE] - empty) / (full - empty)


class Balance:
    """The electrodes of a parameter set, one kind of particle in each, for any values of its free parameters."""

    def __init__(self, values: Any, options: Mapping[str, Any], free: Sequence[str]) -> None:
        values = values.copy()
        values.update(dict.fromkeys(free, "[input]"))
        param = pybamm.LithiumIonParameters(dict(options) or None)
        sides = {"positive": param.p}
        numbers = {"empty_v": param.ocp_soc_0, "full_v": param.ocp_soc_100}
        if options.get("working electrode") != "positive":
            sides["negative"] = param.n
            numbers["lithium_ah"] = param.Q_Li_particles_init
        for side, electrode in sides.items():
            numbers |= {f"{side}_ah": electrode.Q_init, f"{side}_most": electrode.prim.c_max}
        self._numbers = {name: values.process_symbol(symbol) for name, symbol in numbers.items()}
        many, one = pybamm.StateVector(slice(0, POINTS)), pybamm.InputParameter(STOICHIOMETRY)
        self._many = {side: values.process_symbol(at.prim.U(many, param.T_ref)) for side, at in sides.items()}
        self._one = {side: values.process_symbol(at.prim.U(one, param.T_ref)) for side, at in sides.items()}
        found = (*self._numbers.values(), *self._many.values(), *self._one.values())
        self.inputs = inputs_in(found) - {STOICHIOMETRY}
        """Those of the free parameters that anything depends on."""
        self._described = float(values[POSITIVE]) if POSITIVE not in free else None

    def ends(self, given: Mapping[str, float]) -> Ends:
        """The ends for these values. Raises InvalidInput where no stoichiometry has the voltage of one."""
        inputs = dict(given)
        number = {name: _number(symbol.evaluate(inputs=inputs)) for name, symbol in self._numbers.items()}
        described = self._described if self._described is not None else inputs[POSITIVE]
        cell = _Cell(number, self._many, self._one, inputs, described / number["positive_most"])
        empty, full = (cell.where(number[voltage]) for voltage in ("empty_v", "full_v"))
        part = abs(full[POSITIVE] - empty[POSITIVE]) / number["positive_most"]
        return Ends(empty, full, part * number["positive_ah"])


class _Cell:
    """Open-circuit voltage over the stoichiometry y of the positive electrode, with what it leaves for the other."""

    def __init__(
        self,
        number: Mapping[str, float],
        many: Mapping[str, Any],
        one: Mapping[str, Any],
        inputs: dict[str, float],
        described: float,
    ) -> None:
        self._number, self._one, self._inputs = number, one, inputs
        self._is_full = "lithium_ah" in number
        least, most = 0.0, 1.0
        if self._is_full:
            least = max(least, self._other(1.0, "positive"))
            most = min(most, self._other(0.0, "positive"))
        self._ys: Floats = np.linspace(least + EDGE, most - EDGE, POINTS)
        volts = many["positive"].evaluate(y=self._ys[:, None], inputs=inputs).reshape(-1)
        if self._is_full:
            left = self._other(self._ys, "negative")
            volts = volts - many["negative"].evaluate(y=left[:, None], inputs=inputs).reshape(-1)
        self._volts: Floats = volts
        self._start = int(np.abs(self._ys - described).argmin())

    def where(self, voltage_v: float) -> dict[str, float]:
        """Concentrations at a voltage: the first crossing on the way there from the cell as it is described."""
        if self._volts[self._start] <= voltage_v:
            above = np.flatnonzero(self._volts[: self._start] >= voltage_v)
            bracket = (int(above[-1]), int(above[-1]) + 1) if len(above) else None
        else:
            below = np.flatnonzero(self._volts[self._start :] <= voltage_v) + self._start
            bracket = (int(below[0]) - 1, int(below[0])) if len(below) else None
        if bracket is None:
            raise InvalidInput("parameters", f"leave no state at {voltage_v:g} V", allowed="less of a change")
        low, high = self._ys[bracket[0]], self._ys[bracket[1]]
        y = float(brentq(lambda y: self._at(y) - voltage_v, low, high, xtol=1e-14, rtol=1e-13))
        found = {POSITIVE: y * self._number["positive_most"]}
        if self._is_full:
            found[NEGATIVE] = float(self._other(y, "negative")) * self._number["negative_most"]
        return found

    def _at(self, y: float) -> float:
        volts = _number(self._one["positive"].evaluate(inputs={**self._inputs, STOICHIOMETRY: y}))
        if not self._is_full:
            return volts
        x = self._other(y, "negative")
        return volts - _number(self._one["negative"].evaluate(inputs={**self._inputs, STOICHIOMETRY: x}))

    def _other(self, stoichiometry: Any, side: str) -> Any:
        """Stoichiometry of one side, where the other has this one and all the lithium is in one of them."""
        far = "positive" if side == "negative" else "negative"
        left = self._number["lithium_ah"] - stoichiometry * self._number[f"{far}_ah"]
        return left / self._number[f"{side}_ah"]


def inputs_in(symbols: Iterable[Any]) -> frozenset[str]:
    """Names of the inputs that some processed expressions depend on."""
    every = (part for symbol in symbols for part in symbol.pre_order())
    return frozenset(part.name for part in every if isinstance(part, pybamm.InputParameter))


def _number(found: Any) -> float:
    return float(found) if isinstance(found, int | float) else float(found.item())
