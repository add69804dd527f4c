"""What PyBaMM calls what a record has, and the turn of its sign: there, discharging is positive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltbench.battery.cell import KELVIN
from voltbench.battery.record import Floats
from voltbench.quantities import SECONDS_PER_HOUR

FARADAY_AH = 96_485.33212 / 3_600.0
"""Charge of a mole of electrons."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of PyBaMM, and how it becomes ours: times a factor, plus an offset."""

    name: str
    factor: float = 1.0
    offset: float = 0.0

    def ours(self, theirs: Floats) -> Floats:
        """The same in our unit and sign."""
        return theirs * self.factor + self.offset


CURRENT = Variable("Current [A]", factor=-1.0)
VOLTAGE = Variable("Voltage [V]")
CHARGE = Variable("Discharge capacity [A.h]", factor=-1.0)

ELECTROCHEMICAL = {
    "ocv_v": Variable("Bulk open-circuit voltage [V]"),
    "temperature_degc": Variable("Volume-averaged cell temperature [K]", offset=-KELVIN),
    "anode_potential_v": Variable("Negative electrode surface potential difference at separator interface [V]"),
    "negative_stoichiometry": Variable("Negative electrode stoichiometry"),
    "positive_stoichiometry": Variable("Positive electrode stoichiometry"),
    "sei_loss_ah": Variable("Loss of capacity to negative SEI [A.h]"),
    "plating_loss_ah": Variable("Loss of capacity to negative lithium plating [A.h]"),
    "capacity_loss_ah": Variable("Total lithium lost [mol]", factor=FARADAY_AH),
    "negative_active_fraction": Variable("X-averaged negative electrode active material volume fraction"),
    "positive_active_fraction": Variable("X-averaged positive electrode active material volume fraction"),
}
"""Outputs of the models that know electrodes."""

CIRCUIT = {
    "ocv_v": Variable("Open-circuit voltage [V]"),
    "temperature_degc": Variable("Cell temperature [degC]"),
    "soc": Variable("SoC"),
}
"""Outputs of the equivalent circuit, which counts no charge: it follows from the state of charge."""

NEEDS = {"resistance_ohm": ("ocv_v",)}
"""Outputs that are made of others."""


def asked_of(outputs: Sequence[str], is_circuit: bool) -> dict[str, Variable]:
    """The variables that the solver must give for some outputs, by our name, beside current, voltage and charge."""
    known = CIRCUIT if is_circuit else ELECTROCHEMICAL
    wanted = dict.fromkeys(need for output in outputs for need in (*NEEDS.get(output, ()), output))
    always = {"soc": CIRCUIT["soc"]} if is_circuit else {"charge_ah": CHARGE}
    found = {"current_a": CURRENT, "voltage_v": VOLTAGE, **always}
    return found | {name: known[name] for name in wanted if name in known}


def with_derived(
    columns: Mapping[str, Floats], outputs: Sequence[str], initial_soc: float, capacity_ah: float
) -> dict[str, Floats]:
    """The columns in the order asked for, with those that follow from others. Charge counts from the start.

    Energy is counted by the rows: as a state of the model it would be as far off as the tolerance lets it, 0.2 %.
    """
    every = dict(columns)
    if "charge_ah" in every:
        every["charge_ah"] = every["charge_ah"] - every["charge_ah"][0]
        every.setdefault("soc", initial_soc + every["charge_ah"] / capacity_ah)
    else:
        every["charge_ah"] = (every["soc"] - every["soc"][0]) * capacity_ah
    current_a, voltage_v = every["current_a"], every["voltage_v"]
    every["power_w"] = current_a * voltage_v
    if "energy_wh" in outputs:
        every["energy_wh"] = np.concatenate(([0.0], np.cumsum(_parts(every["time_s"], every["power_w"]))))
    if "resistance_ohm" in outputs:
        flows = np.abs(current_a) > 1e-9
        over_v = voltage_v - every["ocv_v"]
        every["resistance_ohm"] = np.divide(over_v, current_a, out=np.full_like(over_v, np.nan), where=flows)
    names = ("time_s", "current_a", "voltage_v", "charge_ah", *outputs)
    return {name: every[name] for name in dict.fromkeys(names)}


def recounted(columns: Mapping[str, Floats], is_known: NDArray[np.bool_], capacity_ah: float) -> dict[str, Floats]:
    """The columns with charge counted by the current itself up to each row where that is known, and straight between.

    A solver counts only as well as its tolerance is tight.
    """
    counted_ah = np.where(is_known[1:], _parts(columns["time_s"], columns["current_a"]), np.diff(columns["charge_ah"]))
    charge_ah = np.concatenate(([0.0], np.cumsum(counted_ah)))
    found = {**columns, "charge_ah": charge_ah}
    if "soc" in columns:
        found["soc"] = columns["soc"] + (charge_ah - columns["charge_ah"]) / capacity_ah
    return found


def _parts(time_s: Floats, rate: Floats) -> Floats:
    """What flows between rows, by trapezia, for a rate per hour."""
    parts: Floats = (rate[1:] + rate[:-1]) / 2.0 * np.diff(time_s) / SECONDS_PER_HOUR
    return parts
