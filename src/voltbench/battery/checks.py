"""What can be said of a simulation before any solver sees it: whether it makes sense for this cell.

Each refusal names the field, what was found, and what is allowed, with its unit.
"""

from __future__ import annotations

from math import inf, isfinite

import msgspec
import numpy as np

from voltbench.battery.cell import Cell, c_rate, peak
from voltbench.battery.cycling import (
    LONGEST_S,
    LONGEST_STEP_S,
    ConstantCurrent,
    ConstantPower,
    ConstantVoltage,
    PlainStep,
    Repeat,
    Step,
    check_steps,
    placed,
)
from voltbench.battery.simulation import (
    MOST_ROWS,
    OUTPUTS,
    CurrentLoad,
    Mesh,
    PowerLoad,
    ProfileLoad,
    ProtocolLoad,
    Simulation,
)
from voltbench.errors import InvalidInput
from voltbench.quantities import SECONDS_PER_HOUR

BEYOND_V = 0.3
"""How far a cut-off may lie outside the cell's own voltages."""

SHORTEST_S = 1e-3
"""Between two rows of a profile."""

ROOM = 1.25
"""So much more than its nominal capacity a cell may take."""

_STEP_OUTPUTS = ("step", "cycle")


def check(simulation: Simulation, cell: Cell) -> None:
    """Raise InvalidInput where that cannot be simulated, or could only fail, whatever `check_load` says of its load."""
    _check_model(simulation, cell)
    _check_numbers(simulation)
    _check_window(simulation, cell)
    _check_temperatures(simulation, cell)
    _check_direction(simulation)
    _check_outputs(simulation, cell)


def lower_v(simulation: Simulation, cell: Cell) -> float:
    """The voltage at which discharging ends."""
    return cell.lower_voltage_v if simulation.lower_voltage_v is None else simulation.lower_voltage_v


def upper_v(simulation: Simulation, cell: Cell) -> float:
    """The voltage at which charging ends."""
    return cell.upper_voltage_v if simulation.upper_voltage_v is None else simulation.upper_voltage_v


def _check_model(simulation: Simulation, cell: Cell) -> None:
    if simulation.model not in cell.models:
        problem = cell.why_not.get(simulation.model, "it has not what the model needs")
        raise InvalidInput(
            "model",
            f"does not go with {cell.name}: {problem}",
            found=simulation.model,
            allowed=", ".join(cell.models) or "none",
        )
    if simulation.thermal not in cell.thermal:
        problem = cell.why_not.get(simulation.thermal, "")
        raise InvalidInput(
            "thermal",
            f"does not go with {cell.name}{f': {problem}' if problem else ''}",
            found=simulation.thermal,
            allowed=", ".join(cell.thermal),
        )
    for name, found in msgspec.structs.asdict(simulation.ageing).items():
        known = ("none", *cell.ageing.get(name, ()))
        if found not in known:
            problem = f"is not what {cell.name} has parameters for"
            raise InvalidInput(f"ageing.{name}", problem, found=found, allowed=", ".join(known))
    if simulation.model == "Thevenin" and simulation.mesh != Mesh():
        name = "electrode_points" if simulation.mesh.electrode_points != Mesh().electrode_points else "particle_points"
        found = getattr(simulation.mesh, name)
        problem = "changes nothing: an equivalent circuit has no mesh"
        raise InvalidInput(f"mesh.{name}", problem, found=found, allowed="nothing, or another model")


def _check_numbers(simulation: Simulation) -> None:
    for name, number in simulation.parameters.items():
        if not isfinite(number):
            raise InvalidInput(f"parameters.{name}", "is not finite", found=number, allowed="a number")


def _check_window(simulation: Simulation, cell: Cell) -> None:
    least, most = cell.lower_voltage_v - BEYOND_V, cell.upper_voltage_v + BEYOND_V
    lower, upper = lower_v(simulation, cell), upper_v(simulation, cell)
    for name, found in (("lower_voltage_v", lower), ("upper_voltage_v", upper)):
        if not least <= found <= most:
            allowed = f"{least:.2f} to {most:.2f} V for {cell.name}"
            raise InvalidInput(name, "is not a voltage of this cell", found=found, allowed=allowed)
    if lower >= upper:
        raise InvalidInput("lower_voltage_v", "is not below the upper one", found=lower, allowed=f"below {upper} V")
    ocv = cell.ocv_at(simulation.initial_soc)
    if not lower - 1e-3 <= ocv <= upper + 1e-3:
        problem = f"is {ocv:.3f} V at rest, outside the voltages it may have"
        raise InvalidInput("initial_soc", problem, found=simulation.initial_soc, allowed=f"{lower} to {upper} V")


def _check_temperatures(simulation: Simulation, cell: Cell) -> None:
    for name, found in (("ambient_degc", simulation.ambient_degc), ("initial_degc", simulation.initial_degc)):
        if found is not None and not cell.least_degc <= found <= cell.most_degc:
            allowed = f"{cell.least_degc:g} to {cell.most_degc:g} degrees Celsius for {cell.name}"
            raise InvalidInput(
                name, "is not a temperature that this cell is described for", found=found, allowed=allowed
            )
    stays_as_warm = simulation.thermal == "isothermal" and simulation.model != "Thevenin"
    if stays_as_warm and simulation.initial_degc not in (None, simulation.ambient_degc):
        problem = "changes nothing in this model: the cell is always as warm as what is around it"
        raise InvalidInput(
            "initial_degc", problem, found=simulation.initial_degc, allowed="ambient_degc, or thermal: lumped"
        )


def _check_outputs(simulation: Simulation, cell: Cell) -> None:
    for number, name in enumerate(simulation.outputs):
        if name not in OUTPUTS:
            raise InvalidInput(f"outputs[{number}]", "is unknown", found=name, allowed=", ".join(OUTPUTS))
        if name in _STEP_OUTPUTS and not hasattr(simulation.load, "steps"):
            raise InvalidInput(f"outputs[{number}]", "is for loads that have steps", found=name)
        if name in cell.without:
            allowed = ", ".join(output for output in OUTPUTS if output not in cell.without)
            raise InvalidInput(f"outputs[{number}]", f"is nothing {cell.name} has", found=name, allowed=allowed)


# --- what is done to it -----------------------------------------------------------------------------------------------


def check_load(simulation: Simulation, cell: Cell) -> None:
    """The same for what is done to it: by the load, the cell, the voltage limits and `every_s`, and nothing else."""
    load = simulation.load
    if isinstance(load, CurrentLoad):
        check_rate("load.current_a", load.current_a, cell)
        check_rows(simulation, load.duration_s)
    elif isinstance(load, PowerLoad):
        check_power("load.power_w", load.power_w, cell)
        check_rows(simulation, load.duration_s)
    elif isinstance(load, ProfileLoad):
        _check_profile(load, cell)
        check_rows(simulation, load.time_s[-1])
    elif isinstance(load, ProtocolLoad):
        check_steps(load.steps, "load.steps")
        for place, step in placed(load.steps, "load.steps"):
            _check_step(place, step, simulation, cell)
        _check_rows_of_steps(simulation, load, cell)


def check_rate(field: str, current_a: float, cell: Cell, found: float | None = None) -> None:
    """Raise InvalidInput for a current that the cell is not described for; `found` where it was given as a rate."""
    rate = c_rate(current_a, cell.capacity_ah)
    if rate > cell.most_c_rate * (1.0 + 1e-9):
        most_a = cell.most_c_rate * cell.capacity_ah
        problem = f"is {rate:.2f}C, more than the cell is described for"
        allowed = f"{cell.most_c_rate:g}C, that is {most_a:g} A"
        raise InvalidInput(field, problem, found=current_a if found is None else found, allowed=allowed)


def check_power(field: str, power_w: float, cell: Cell) -> None:
    """Raise InvalidInput for a power whose current the cell is not described for, at the lowest voltage it may have."""
    volts = _volts(cell)
    rate = c_rate(power_w / volts, cell.capacity_ah)
    if rate > cell.most_c_rate * (1.0 + 1e-9):
        problem = f"is {rate:.2f}C at {volts:g} V, more than the cell is described for"
        raise InvalidInput(field, problem, found=power_w, allowed=f"{_most_w(cell):g} W")


def check_scale(field: str, scale: float, cell: Cell, *, current_a: float = 0.0, power_w: float = 0.0) -> None:
    """The same for a profile's peak of one of them, as many times as large."""
    try:
        check_rate(field, scale * current_a, cell)
        check_power(field, scale * power_w, cell)
    except InvalidInput as error:
        most = cell.most_c_rate * cell.capacity_ah / current_a if current_a else _most_w(cell) / power_w
        allowed = f"up to {most * (1.0 - 5e-4):.4g}, for {error.allowed}"  # not above it when it is rounded
        raise InvalidInput(field, error.problem, found=scale, allowed=allowed) from None


def _volts(cell: Cell) -> float:
    return max(cell.lower_voltage_v, cell.upper_voltage_v / 2.0)


def _most_w(cell: Cell) -> float:
    return cell.most_c_rate * cell.capacity_ah * _volts(cell)


def _check_direction(simulation: Simulation) -> None:
    """A full cell cannot be charged, and an empty one not discharged."""
    load, soc = simulation.load, simulation.initial_soc
    if isinstance(load, CurrentLoad):
        field, found = "load.current_a", load.current_a
    elif isinstance(load, PowerLoad):
        field, found = "load.power_w", load.power_w
    else:
        return
    if found > 0.0 and soc is not None and soc >= 1.0 and simulation.upper_voltage_v is None:
        problem = "charges a full cell (positive is charging)"
        raise InvalidInput(field, problem, found=found, allowed="below 0, or an initial_soc below 1")
    if found < 0.0 and soc is not None and soc <= 0.0 and simulation.lower_voltage_v is None:
        problem = "discharges an empty cell (negative is discharging)"
        raise InvalidInput(field, problem, found=found, allowed="above 0, or an initial_soc above 0")


def check_rows(simulation: Simulation, duration_s: float) -> None:
    """Raise InvalidInput where so long a load makes too many of the rows that are asked for."""
    if simulation.every_s is not None and duration_s / simulation.every_s > MOST_ROWS:
        allowed = f"at least {duration_s / MOST_ROWS:g} s, for {MOST_ROWS} rows"
        raise InvalidInput("every_s", "makes too many rows", found=simulation.every_s, allowed=allowed)


def _check_rows_of_steps(simulation: Simulation, load: ProtocolLoad, cell: Cell) -> None:
    """By all steps together, each as often as it is done, and for as long as it may last."""
    times = [times for step in load.steps for times in _times(step)]
    rows: list[tuple[float, str, float]] = []
    for (place, step), often in zip(placed(load.steps, "load.steps"), times, strict=True):
        every_s = step.every_s or simulation.every_s
        if every_s is not None:
            field = "every_s" if step.every_s is None else f"{place}.every_s"
            rows.append((often * (longest_s(step, cell) / every_s + 1.0), field, every_s))
    total = sum(count for count, _, _ in rows)
    if total > MOST_ROWS:
        _, field, every_s = max(rows)
        problem = f"makes too many rows: {total:.0f}, if every step takes as long as it may"
        raise InvalidInput(field, problem, found=every_s, allowed=f"{MOST_ROWS} rows; it helps to name times (until_s)")


def _times(step: Step) -> list[int]:
    return [step.times] * len(step.steps) if isinstance(step, Repeat) else [1]


def longest_s(step: PlainStep, cell: Cell) -> float:
    """How long a step lasts at most: one that names no time, until its least current would have filled the cell."""
    return min(ROOM * filling_s(step, cell), LONGEST_STEP_S) if step.until_s is None else step.until_s


def filling_s(step: PlainStep, cell: Cell) -> float:
    """How long the least current of a step takes to fill the cell; endless where there is none."""
    if isinstance(step, ConstantCurrent):
        least_a = step.current_a or (step.c_rate or 0.0) * cell.capacity_ah
    elif isinstance(step, ConstantPower):
        least_a = step.power_w / cell.upper_voltage_v
    elif isinstance(step, ConstantVoltage):
        least_a = step.until_current_a or (step.until_c_rate or 0.0) * cell.capacity_ah
    else:
        least_a = 0.0
    return cell.capacity_ah / abs(least_a) * SECONDS_PER_HOUR if least_a else inf


def _check_profile(load: ProfileLoad, cell: Cell) -> None:
    if (load.current_a is None) == (load.power_w is None):
        raise InvalidInput("load", "needs one of them", allowed="current_a or power_w")
    field, given = ("current_a", load.current_a) if load.current_a is not None else ("power_w", load.power_w or [])
    if len(given) != len(load.time_s):
        problem = "has not a number for each time"
        raise InvalidInput(f"load.{field}", problem, found=len(given), allowed=f"{len(load.time_s)}")
    for name, series in (("time_s", load.time_s), (field, given)):
        odd = np.flatnonzero(~np.isfinite(np.array(series)))
        if len(odd):
            raise InvalidInput(f"load.{name}[{odd[0]}]", "is not finite", allowed="a number")
    _check_times(load.time_s)
    (check_rate if field == "current_a" else check_power)(f"load.{field}", peak(given), cell)


def _check_times(time_s: list[float]) -> None:
    short = np.flatnonzero(np.diff(time_s) < SHORTEST_S * (1.0 - 1e-9))
    if len(short):
        row = int(short[0]) + 1
        allowed = f"{SHORTEST_S} s after the one before, or later"
        raise InvalidInput(f"load.time_s[{row}]", "does not rise", found=time_s[row], allowed=allowed)
    if time_s[0] != 0.0:
        raise InvalidInput("load.time_s[0]", "is not the start", found=time_s[0], allowed="0")
    if time_s[-1] > LONGEST_S:
        row = len(time_s) - 1
        raise InvalidInput(f"load.time_s[{row}]", "is too late", found=time_s[-1], allowed=f"<= {LONGEST_S:g} s")


def _check_step(place: str, step: PlainStep, simulation: Simulation, cell: Cell) -> None:
    lower, upper = lower_v(simulation, cell), upper_v(simulation, cell)
    if isinstance(step, ConstantCurrent):
        given, field = (step.current_a, "current_a") if step.c_rate is None else (step.c_rate, "c_rate")
        current_a = (given or 0.0) * (1.0 if field == "current_a" else cell.capacity_ah)
        check_rate(f"{place}.{field}", current_a, cell, given)
    elif isinstance(step, ConstantPower):
        check_power(f"{place}.power_w", step.power_w, cell)
    field = "voltage_v" if isinstance(step, ConstantVoltage) else "until_voltage_v"
    voltage_v = getattr(step, field, None)
    if voltage_v is not None and not lower <= voltage_v <= upper:
        problem = "is outside the voltages the cell may have"
        raise InvalidInput(f"{place}.{field}", problem, found=voltage_v, allowed=f"{lower:g} to {upper:g} V")
