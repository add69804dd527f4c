"""What a site and its circuits can carry, slot by slot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voltbench.energy.arrays import Floats, Integers


@dataclass(frozen=True, slots=True)
class Limits:
    """What the site (T) and the circuits that have cars (T x G) can carry, and the circuit of each car; in Wh."""

    site: Floats
    circuit: Integers
    circuits: Floats

    @classmethod
    def of(cls, site: Floats, circuit: Integers, circuits: Floats) -> Limits:
        """These limits; `circuits` is (G x T). Where there is one circuit, the site carries no more than it."""
        if len(circuits) > 1:
            with_cars, circuit = np.unique(circuit, return_inverse=True)
            circuits = circuits[with_cars] if len(with_cars) else circuits[:1]
        if len(circuits) == 1:
            site = np.minimum(site, circuits[0])
        return cls(site, circuit, np.ascontiguousarray(circuits.T))

    @property
    def members(self) -> list[Integers | slice]:
        """The cars of each circuit."""
        if self.circuits.shape[1] == 1:
            return [slice(None)]
        return [np.flatnonzero(self.circuit == g) for g in range(self.circuits.shape[1])]

    def carried(self, taken: Floats) -> Floats:
        """What circuits carry in each slot (T x G)."""
        if self.circuits.shape[1] == 1:
            total: Floats = taken.sum(axis=1, keepdims=True)
            return total
        order = np.argsort(self.circuit, kind="stable")
        first = np.searchsorted(self.circuit[order], np.arange(self.circuits.shape[1]))
        carried: Floats = np.add.reduceat(taken[:, order], first, axis=1)
        return carried

    def without(self, taken: Floats) -> Limits:
        """What is left of them beside that."""
        site, circuits = self.site - taken.sum(axis=1), self.circuits - self.carried(taken)
        return Limits(np.maximum(0.0, site), self.circuit, np.maximum(0.0, circuits))
