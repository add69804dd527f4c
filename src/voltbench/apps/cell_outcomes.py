"""What becomes of the points of a sweep, told by the process that solves them: figures come home, records do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voltbench.adapters.cells import task
from voltbench.battery.analysis import Figures, figures
from voltbench.battery.record import Record
from voltbench.errors import VoltbenchError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a point came to, or why it came to nothing."""

    figures: Figures | None = None
    solve_s: float | None = None
    error: str = ""


def outcomes(requests: Sequence[bytes]) -> list[Outcome]:
    """What requests come to, in their order; each record is gone before the next is solved."""
    return [_outcome(task.decode(answer)) for request in requests for answer in task.solve([request])]


def all_failed(requests: Sequence[bytes], error: VoltbenchError) -> list[Outcome]:
    """The same for requests whose process died."""
    return [Outcome(error=str(error))] * len(requests)


def _outcome(answer: Record | VoltbenchError) -> Outcome:
    if isinstance(answer, Record):
        return Outcome(figures(answer), answer.made_with.solve_s)
    return Outcome(error=str(answer))
