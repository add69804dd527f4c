"""What simulations cost, before they are solved: about how long it takes, and how many numbers are kept of them."""

from __future__ import annotations

from math import log, log10, sqrt

import msgspec
import numpy as np

from voltbench.adapters.cells.asked import known, understood
from voltbench.adapters.cells.drive_cycles import drive_cycle
from voltbench.adapters.cells.rows import AT_ONCE_S, FINE_S, LEAST_PARTS, LONGER, PARTS, PER_DECADE, SOON_S
from voltbench.battery.cell import Cell
from voltbench.battery.checks import filling_s, longest_s
from voltbench.battery.cycling import (
    LONGEST_STEP_S,
    ConstantCurrent,
    ConstantPower,
    ConstantVoltage,
    PlainStep,
    Repeat,
    Rest,
    Step,
)
from voltbench.battery.record import ALWAYS
from voltbench.battery.simulation import (
    Ageing,
    CurrentLoad,
    DriveCycleLoad,
    Mesh,
    PowerLoad,
    ProfileLoad,
    ProtocolLoad,
    Simulation,
)
from voltbench.errors import InvalidInput, NotFound

_encoder = msgspec.json.Encoder()

# --- numbers that are kept --------------------------------------------------------------------------------------------

BYTES_PER_NUMBER, ABOUT_BYTES = 8, 2_000
"""Of a record: each of its numbers, and what it says besides."""

HOLD_S = 7_200.0
"""How long a hold lasts about that ends at a current."""


def columns(simulation: Simulation) -> int:
    """How many columns its record has."""
    return len(ALWAYS) + len(set(simulation.outputs))


class Sizes:
    """How large the answers to some simulations are about. Of those that have the same load, one stands for all."""

    def __init__(self) -> None:
        self._rows: dict[bytes, float] = {}

    def answer_bytes(self, simulation: Simulation) -> int:
        """Of one of them. What makes no sense here is answered with an error."""
        load = _encoder.encode([simulation.load, simulation.every_s, simulation.cell])
        if load not in self._rows:
            try:
                self._rows[load] = rows(understood(simulation), known(simulation))
            except (InvalidInput, NotFound):
                self._rows[load] = 0.0
        return ABOUT_BYTES + round(BYTES_PER_NUMBER * self._rows[load] * columns(simulation))


def rows(simulation: Simulation, cell: Cell) -> float:
    """How many rows its record has about; for one that is understood. Raises NotFound for an unknown drive cycle."""
    load, every_s = simulation.load, simulation.every_s
    if isinstance(load, CurrentLoad):
        return _rows_of(ConstantCurrent(current_a=load.current_a, until_s=load.duration_s), every_s, cell)
    if isinstance(load, PowerLoad):
        return _rows_of(ConstantPower(power_w=load.power_w, until_s=load.duration_s), every_s, cell)
    if isinstance(load, ProfileLoad):
        return _rows_of_profile(len(load.time_s), load.time_s[-1], every_s)
    if isinstance(load, DriveCycleLoad):
        cycle = drive_cycle(load.name)
        return _rows_of_profile(load.times * len(cycle.time_s), load.times * cycle.duration_s, every_s)
    assert isinstance(load, ProtocolLoad)
    return sum(_rows_of_steps(step, every_s, cell) for step in load.steps)


def _rows_of_profile(told: int, duration_s: float, every_s: float | None) -> float:
    return max(told, PARTS) if every_s is None else duration_s / every_s + 1.0


def _rows_of_steps(step: Step, every_s: float | None, cell: Cell) -> float:
    if isinstance(step, Repeat):
        return step.times * sum(_rows_of(one, every_s, cell) for one in step.steps)
    return _rows_of(step, every_s, cell)


def _rows_of(step: PlainStep, every_s: float | None, cell: Cell) -> float:
    """Those that a step is given, by the rules in `adapters/cells/rows.py`."""
    lasts_s = _lasts_s(step, cell)
    if step.every_s is not None or every_s is not None:
        return lasts_s / (step.every_s or every_s or 1.0) + 1.0
    if isinstance(step, Rest):
        return 2.0 + PER_DECADE * max(0.0, log10(lasts_s / AT_ONCE_S[0]))
    soon = float(np.searchsorted(AT_ONCE_S, lasts_s))
    if isinstance(step, ConstantVoltage):
        return soon + min(lasts_s, SOON_S) / FINE_S + max(0.0, log(lasts_s / SOON_S)) / log(LONGER) + 1.0
    return soon + max(LEAST_PARTS, PARTS * lasts_s / filling_s(step, cell)) + 1.0


def _lasts_s(step: PlainStep, cell: Cell) -> float:
    """How long a step lasts about: a cell that is full, or empty, ends it sooner than its time."""
    if isinstance(step, Rest):
        return step.until_s
    if isinstance(step, ConstantVoltage):
        is_timed = step.until_current_a is None and step.until_c_rate is None
        return longest_s(step, cell) if is_timed else min(longest_s(step, cell), HOLD_S)
    return min(step.until_s or LONGEST_STEP_S, filling_s(step, cell))


# --- how long it takes ------------------------------------------------------------------------------------------------

_STEP_S = {"SPM": 0.002, "SPMe": 0.008, "DFN": 0.03, "Thevenin": 0.003}
"""A step of some minutes or hours, solved warm."""

_SHORT_S, _SHORT_PART = 60.0, 0.25
"""A step that is no longer than that takes this part of it."""

_PROFILE_ROW_S = {"SPM": 6e-5, "SPMe": 1.5e-4, "DFN": 1e-3, "Thevenin": 6e-5}
"""A row of a profile, which may be a corner."""

_RECORD_ROW_S = 1.5e-5
"""A row of the record, where more of them are asked for than a step has."""

_LUMPED = {"SPM": 1.0, "SPMe": 4.0, "DFN": 3.0, "Thevenin": 1.0}
_AGEING = 1.5
"""So many times as long, where it becomes warm, and where it ages."""


def seconds(simulation: Simulation) -> float:
    """About how long it is solved, in s: within three times of what was measured, which is enough to share out work."""
    try:
        return _seconds(understood(simulation))
    except (InvalidInput, NotFound):  # what makes no sense here is answered with an error, at once
        return _STEP_S[simulation.model]


def _seconds(simulation: Simulation) -> float:
    mesh, usual = simulation.mesh, Mesh()
    size = mesh.electrode_points / usual.electrode_points * mesh.particle_points / usual.particle_points
    times: float = max(0.5, sqrt(size)) * max(0.5, (1e-4 / simulation.tolerance) ** 0.15)
    times *= _LUMPED[simulation.model] if simulation.thermal == "lumped" else 1.0
    times *= _AGEING if simulation.ageing != Ageing() else 1.0
    solved_s = _solved_s(simulation) * times
    return solved_s if simulation.every_s is None else solved_s + _RECORD_ROW_S * rows(simulation, known(simulation))


def _solved_s(simulation: Simulation) -> float:
    """Of the load alone, by a usual mesh."""
    load, step_s, row_s = simulation.load, _STEP_S[simulation.model], _PROFILE_ROW_S[simulation.model]
    if isinstance(load, ProfileLoad):
        return step_s + row_s * len(load.time_s)
    if isinstance(load, DriveCycleLoad):
        return step_s + row_s * load.times * len(drive_cycle(load.name).time_s)
    if isinstance(load, ProtocolLoad):
        return step_s * sum(_parts_of(step) for step in load.steps)
    return step_s


def _parts_of(step: Step) -> float:
    if isinstance(step, Repeat):
        return step.times * sum(_parts_of(one) for one in step.steps)
    return _SHORT_PART if step.until_s is not None and step.until_s <= _SHORT_S else 1.0
