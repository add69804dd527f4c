"""What processes are asked to do, which import it. A process that solves may die of one simulation."""

from __future__ import annotations

import os
import signal

import msgspec

from voltbench.apps.cell_outcomes import Outcome, outcomes
from voltbench.apps.cells.solvers import Solved, solved
from voltbench.battery.simulation import Simulation

DEADLY_DEGC = 13.0


def solved_unless_deadly(requests: list[bytes]) -> list[Solved]:
    """What `solved` does, but of one ambient temperature the process dies."""
    _die_of_the_deadly(requests)
    return solved(requests)


def outcomes_unless_deadly(requests: list[bytes]) -> list[Outcome]:
    """The same of the command line's sweeps."""
    _die_of_the_deadly(requests)
    return outcomes(requests)


def _die_of_the_deadly(requests: list[bytes]) -> None:
    if any(msgspec.json.decode(one, type=Simulation).ambient_degc == DEADLY_DEGC for one in requests):
        os.kill(os.getpid(), signal.SIGKILL)
