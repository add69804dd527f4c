"""The parameters that a cell begins with, at a state of charge."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from voltbench.adapters.cells.balance import Balance, Ends

MOST_KEPT = 1_024
MOST_BALANCES = 32
"""Each has its own expressions; a sweep has one."""

A_LITTLE = 1.001
"""Times a number, to see whether it matters."""

CIRCUIT_SOC, CIRCUIT_CHARGE = "Initial SoC", "Cell capacity [A.h]"

MATTER = ("fraction", "thickness", "oncentration", "height", "width", "Open-circuit voltage at", "Number of", "OCP")
"""Words in the names of parameters that decide how much lithium there is, and room for it."""

Overrides = tuple[tuple[str, float], ...]
Key = TypeVar("Key", bound=Hashable)
Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Start:
    """Initial parameters, the state of charge that they are, and the charge between empty and full, in Ah."""

    parameters: Mapping[str, float]
    soc: float
    charge_ah: float


class InitialStates:
    """Initial parameters of one parameter set with its options. `names` are those that a model is given.

    For electrodes of several kinds, what the cell holds and begins at is told, not found.
    """

    def __init__(self, values: Any, options: Mapping[str, Any], usable_ah: float, described_soc: float) -> None:
        self._values = values
        self._options = dict(options)
        self._usable_ah = usable_ah
        self._described_soc = described_soc
        self._balances: OrderedDict[tuple[str, ...], Balance] = OrderedDict()
        self._ends: OrderedDict[Overrides, Ends] = OrderedDict()
        self._found: OrderedDict[tuple[Overrides, float], dict[str, float]] = OrderedDict()
        is_msmr = self._options.get("open-circuit potential") == "MSMR"
        self._is_circuit = CIRCUIT_SOC in values
        self._is_plain = not is_msmr and "particle phases" not in self._options
        word = "Initial voltage in " if is_msmr else "Initial concentration in "
        electrodes = tuple(f"{word}{side} electrode" for side in ("negative", "positive"))
        found = (name for name, _ in values.items() if any(electrode in name for electrode in electrodes))
        self.names = (CIRCUIT_SOC,) if self._is_circuit else tuple(found)

    def at(self, soc: float | None, overrides: Mapping[str, float]) -> Start:
        """Where a cell starts at a state of charge; without one, as the set itself does.

        Raises InvalidInput where overrides leave no such state.
        """
        given = {name: overrides.get(name, float(self._values[name])) for name in self.names}
        if self._is_circuit:
            begins = given[CIRCUIT_SOC] if soc is None else soc
            return Start(
                {CIRCUIT_SOC: begins}, begins, overrides.get(CIRCUIT_CHARGE, float(self._values[CIRCUIT_CHARGE]))
            )
        matter = _matter(overrides)
        if self._is_plain:
            ends = _kept(self._ends, matter, self._between)
            if soc is None:
                return Start(given, ends.soc_of(given), ends.charge_ah)
            return Start(given | ends.at(soc), soc, ends.charge_ah)
        if soc is None:
            return Start(given, self._described_soc, self._usable_ah)
        found = _kept(self._found, (matter, soc), self._searched)
        return Start(found, soc, self._usable_ah)

    def needs(self, overrides: Mapping[str, float], soc: float | None) -> frozenset[str]:
        """Names of the overrides that where a cell starts depends on, or the charge that it holds."""
        if self._is_circuit:
            return frozenset(overrides) & {CIRCUIT_SOC, CIRCUIT_CHARGE}
        matter = _matter(overrides)
        if self._is_plain:
            return self._balance(matter).inputs
        if soc is None:
            return frozenset(overrides) & frozenset(self.names)
        usual = self._searched(((), soc))
        slightly = {name: (((name, A_LITTLE * float(self._values[name])),), soc) for name, _ in matter}
        return frozenset(name for name, asked in slightly.items() if self._searched(asked) != usual)

    def _between(self, matter: Overrides) -> Ends:
        return self._balance(matter).ends(dict(matter))

    def _balance(self, matter: Overrides) -> Balance:
        free = tuple(name for name, _ in matter)
        return _kept(self._balances, free, lambda free: Balance(self._values, self._options, free), MOST_BALANCES)

    def _searched(self, asked: tuple[Overrides, float]) -> dict[str, float]:
        """As PyBaMM finds it, for electrodes of several kinds."""
        matter, soc = asked
        values = self._values.copy()
        values.update(dict(matter))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # PyBaMM's own names, in PyBaMM's own code
            values.set_initial_state(soc, options=self._options or None)
        return {name: float(values[name]) for name in self.names}


def _matter(overrides: Mapping[str, float]) -> Overrides:
    return tuple(sorted(pair for pair in overrides.items() if any(word in pair[0] for word in MATTER)))


def _kept(kept: OrderedDict[Key, Kept], key: Key, make: Callable[[Key], Kept], most: int = MOST_KEPT) -> Kept:
    """What is kept for a key, made if need be; what nobody has asked for in longest is forgotten."""
    if key not in kept:
        kept[key] = make(key)
        if len(kept) > most:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]
