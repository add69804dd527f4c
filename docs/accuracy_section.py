"""What the sections of docs/accuracy.md share: how ours is solved, how far off it may be, and how that is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

import numpy as np

from voltbench.adapters.cells import task
from voltbench.battery.record import Floats, Record
from voltbench.battery.simulation import Simulation
from voltbench.errors import VoltbenchError

MOST_MV = 0.5

Row = Sequence[str]


def ours(simulation: Simulation) -> Record:
    """What the service says, by the way of its workers."""
    (answer,) = task.solve([task.request_of(simulation)])
    found = task.decode(answer)
    if isinstance(found, VoltbenchError):
        raise found
    return found


class TooFar(Exception):
    """Ours is further from theirs than we promise."""


def prose(*parts: str) -> Iterator[str]:
    """A paragraph, wrapped."""
    yield from (*wrap(" ".join(parts), 120), "")


def rms_and_worst(off_mv: Floats) -> tuple[str, str]:
    """How far off it is, in words for a table."""
    worst = off_mv[int(np.abs(off_mv).argmax())]
    return f"{float(np.sqrt(np.mean(off_mv**2))):.3f}", f"{worst:+.3f}"


def promise(off_mv: Floats, what: str) -> None:
    """Raise TooFar where it is further off than we promise."""
    if np.abs(off_mv).max() > MOST_MV:
        raise TooFar(f"{what}: {np.abs(off_mv).max():.3f} mV off")


def table(heads: Row, rows: Sequence[Row]) -> Iterator[str]:
    """A table, its first column of words."""
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" + "---:|" * (len(heads) - 1)
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
