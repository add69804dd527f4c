"""The promise of a simulator: a cell, and what is done to it, become a record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from voltbench.battery.record import Record
from voltbench.battery.simulation import Simulation

Progress = Callable[[float], None]
"""Told how much of it is done, 0 to 1, now and then."""


def unheard(_: float) -> None:
    """For whoever does not want to know."""


class Simulator(Protocol):
    """Makes records of simulations."""

    def record(self, simulation: Simulation, progress: Progress = unheard) -> Record:
        """What becomes of the cell. Raises InvalidInput, or Failed where no trustworthy record could be made."""
