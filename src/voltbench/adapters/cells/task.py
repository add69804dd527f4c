"""What a process of a pool does: requests in, answers out, both as bytes, with models that it keeps warm."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from voltbench.adapters.cells.asked import checked, known, model_key
from voltbench.adapters.cells.lean import import_lean
from voltbench.adapters.cells.wire import decode, encode
from voltbench.adapters.pool import begin_piece, progress
from voltbench.battery.record import Record
from voltbench.battery.simulation import Simulation
from voltbench.battery.simulator import Progress, unheard
from voltbench.errors import Failed, InvalidInput

if TYPE_CHECKING:
    from voltbench.adapters.cells.warm import WarmSimulator

__all__ = ["checked", "decode", "key_of", "known", "request_of", "solve", "warm_up", "warm_up_behind"]

NICE = 5

MOST_KEPT = 24
"""Built models that a process keeps, of 5 to 15 MB each."""

_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(Simulation)


def request_of(simulation: Simulation) -> bytes:
    """A simulation as a process is asked for it."""
    return _ENCODER.encode(simulation)


def key_of(request: bytes) -> str:
    """The same for requests that one built model serves, so that they go to the process that has it. Without PyBaMM."""
    return model_key(_DECODER.decode(request))


def warm_up() -> None:
    """Import PyBaMM, for a process that does nothing but solve."""
    import_lean()
    _simulator()


def warm_up_behind() -> None:
    """The same, for a process beside a server: whoever asks that is answered before anything is solved."""
    os.nice(NICE)
    warm_up()


def solve(requests: Sequence[bytes]) -> list[bytes]:
    """The answers, in the order of the requests, as `decode` reads them. An error is an answer as well.

    In a pool, what a task may take is what each of them may take.
    """
    told = progress if len(requests) == 1 else unheard
    return [encode(_answer(request, told)) for request in requests]


def _answer(request: bytes, told: Progress) -> Record | InvalidInput | Failed:
    begin_piece()
    try:
        return _simulator().record(_DECODER.decode(request), told)
    except msgspec.DecodeError as error:
        return InvalidInput("request", f"is no simulation: {error}")
    except (InvalidInput, Failed) as error:
        return error


@cache
def _simulator() -> WarmSimulator:
    """One for each process. PyBaMM is imported here: whoever only asks does not need it."""
    from voltbench.adapters.cells.machine_code import compiler_here  # noqa: PLC0415
    from voltbench.adapters.cells.warm import WarmSimulator  # noqa: PLC0415

    return WarmSimulator(compiler=compiler_here())
