"""What a record must keep to be believed, whoever made it."""

from __future__ import annotations

from math import inf

import numpy as np

from voltbench.battery.record import ALWAYS, Floats, Record
from voltbench.errors import Failed
from voltbench.quantities import SECONDS_PER_HOUR

BEYOND_V = 1e-3
"""How far a voltage may lie outside its limits: what a solver's search for the crossing leaves."""

BEYOND_PART = 1e-3
"""By which a current may be more than what the cell is described for: a solver's tolerance leaves as much."""

FLOW_PART, CAPACITY_PART = 1e-3, 1e-4
"""How far charge may be off what the current adds up to: a part of all that flowed, and a part of what the cell holds,
which is what a solver's tolerance leaves."""


def require_plausible(
    record: Record, lower_voltage_v: float, upper_voltage_v: float, capacity_ah: float, most_a: float = inf
) -> None:
    """Raise Failed where numbers are not finite, time does not rise, limits are broken or charge does not add up.

    `most_a` is the greatest current that the cell is described for, in either direction.
    """
    if len(record) < 1:
        raise Failed("implausible", "the record is empty")
    for name in ALWAYS:
        if not np.isfinite(record.columns[name]).all():
            raise Failed("implausible", f"{name} is not finite throughout")
    time_s = record.columns["time_s"]
    if (np.diff(time_s) < 0.0).any():
        raise Failed("implausible", "time runs backwards")
    _check_voltage(record.columns["voltage_v"], lower_voltage_v, upper_voltage_v)
    _check_current(record.columns["current_a"], most_a, capacity_ah)
    _check_charge(time_s, record.columns["current_a"], record.columns["charge_ah"], capacity_ah)


def _check_voltage(voltage_v: Floats, lower: float, upper: float) -> None:
    least, most = float(voltage_v.min()), float(voltage_v.max())
    if least < lower - BEYOND_V or most > upper + BEYOND_V:
        found = least if least < lower - BEYOND_V else most
        raise Failed("implausible", f"the voltage is {found:.4f} V, outside {lower:g} to {upper:g} V")


def _check_current(current_a: Floats, most_a: float, capacity_ah: float) -> None:
    """That of a held voltage is known only now."""
    found = float(current_a[int(np.abs(current_a).argmax())])
    if abs(found) > most_a * (1.0 + BEYOND_PART):
        rates = f"{abs(found) / capacity_ah:.2f}C, more than the {most_a / capacity_ah:g}C or {most_a:g} A"
        raise Failed("implausible", f"the current is {found:.4g} A or {rates} that the cell is described for")


def _check_charge(time_s: Floats, current_a: Floats, charge_ah: Floats, capacity_ah: float) -> None:
    """By trapezia: exact for what is straight between rows."""
    parts_ah = (current_a[1:] + current_a[:-1]) / 2.0 * np.diff(time_s) / SECONDS_PER_HOUR
    adds_up_to = np.concatenate(([0.0], np.cumsum(parts_ah)))
    off_ah = float(np.abs(charge_ah - charge_ah[0] - adds_up_to).max())
    if off_ah > FLOW_PART * float(np.abs(parts_ah).sum()) + CAPACITY_PART * capacity_ah:
        raise Failed("implausible", f"charge is {off_ah:.6f} Ah off what the current adds up to")
