"""What processes are asked to do, which import it. A process that solves may die of one simulation."""

from __future__ import annotations

import os
import signal

import msgspec

from voltbench.apps.cells.solvers import Solved, solved
from voltbench.battery.simulation import Simulation

DEADLY_DEGC = 13.0


def solved_unless_deadly(requests: list[bytes]) -> list[Solved]:
    """What `solved` does, but of one ambient temperature the process dies."""
    if any(msgspec.json.decode(one, type=Simulation).ambient_degc == DEADLY_DEGC for one in requests):
        os.kill(os.getpid(), signal.SIGKILL)
    return solved(requests)
