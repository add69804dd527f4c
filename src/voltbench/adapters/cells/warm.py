"""Simulations by models that are kept warm: built once for all the requests that differ in numbers only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from time import perf_counter

from voltbench.adapters.cells.asked import checked_steps, input_hash, model_key, parameters_hash, understood
from voltbench.adapters.cells.building import ABSOLUTE_PART
from voltbench.adapters.cells.library import pybamm
from voltbench.adapters.cells.machine_code import Compiler
from voltbench.adapters.cells.plant import Plant, planted
from voltbench.adapters.cells.running import Run, run
from voltbench.adapters.cells.task import MOST_KEPT
from voltbench.adapters.cells.variables import recounted, with_derived
from voltbench.battery.analysis import figures
from voltbench.battery.cell import Cell
from voltbench.battery.checks import lower_v, upper_v
from voltbench.battery.plausible import require_plausible
from voltbench.battery.record import Floats, MadeWith, Record
from voltbench.battery.simulation import Simulation
from voltbench.battery.simulator import Progress, unheard

SOLVER_VERSION = version("pybammsolvers")


class WarmSimulator:
    """Makes records with PyBaMM, of whose models the ones used last are kept. For one thread at a time.

    With a compiler, those that are solved often are compiled; records are the same.
    """

    def __init__(self, most_kept: int = MOST_KEPT, compiler: Compiler | None = None) -> None:
        self._most_kept = most_kept
        self._compiler = compiler
        self._kept: OrderedDict[str, Plant] = OrderedDict()

    def record(self, simulation: Simulation, progress: Progress = unheard) -> Record:
        """What becomes of the cell. Raises InvalidInput, or Failed where no trustworthy record could be made."""
        plain = understood(simulation)
        cell = checked_steps(plain)
        plant = self._plant(plain, cell)
        began = perf_counter()
        done = run(plant, plain, cell, progress)
        solve_s = perf_counter() - began
        if self._compiler is not None:
            plant.built.spend(solve_s, self._compiler)
        columns = with_derived(done.columns, plain.outputs, done.initial_soc, done.charge_ah)
        record = Record(columns, done.ending, _made_with(simulation, plant.tolerance, solve_s), done.warnings)
        most_a = cell.most_c_rate * cell.capacity_ah
        require_plausible(record, lower_v(plain, cell), upper_v(plain, cell), cell.capacity_ah, most_a)
        return _kept_rows(replace(record, columns=recounted(columns, done.is_known, done.charge_ah)), done)

    def _plant(self, simulation: Simulation, cell: Cell) -> Plant:
        key = model_key(simulation)
        if key in self._kept:
            self._kept.move_to_end(key)
        else:
            self._kept[key] = planted(simulation, cell)
            if len(self._kept) > self._most_kept:
                self._kept.popitem(last=False)
        return self._kept[key]


def _kept_rows(record: Record, done: Run) -> Record:
    """The rows that were asked for, of those that were solved and checked, with the figures of them all."""
    if done.kept.all():
        return record
    columns: Mapping[str, Floats] = {name: column[done.kept] for name, column in record.columns.items()}
    return replace(record, columns=columns, figures=figures(record))


def _made_with(simulation: Simulation, tolerance: float, solve_s: float) -> MadeWith:
    return MadeWith(
        simulator="PyBaMM",
        version=pybamm.__version__,
        model=simulation.model,
        solver="IDAKLU",
        solver_version=SOLVER_VERSION,
        electrode_points=simulation.mesh.electrode_points,
        particle_points=simulation.mesh.particle_points,
        relative_tolerance=tolerance,
        absolute_tolerance=tolerance * ABSOLUTE_PART,
        parameters_hash=parameters_hash(simulation),
        input_hash=input_hash(simulation),
        solve_s=solve_s,
    )
