"""A simulation as it is asked for: a cell, a model of it, and what is done to it. Charging is positive."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from voltbench.battery.cycling import Current, Duration, Power, Step

Model: TypeAlias = Literal["SPM", "SPMe", "DFN", "Thevenin"]
"""Single particle; the same with electrolyte; Doyle, Fuller and Newman's; an equivalent circuit."""

MOST_ROWS = 100_000
"""Of a profile, and of what is asked for of a record. What is not asked for is some hundreds for each step."""

OUTPUTS = {
    "ocv_v": "Open-circuit voltage of the cell as it is now",
    "power_w": "Power at the terminals",
    "energy_wh": "What went in since the start, less what came out",
    "soc": "State of charge by the charge that went in",
    "temperature_degc": "Mean temperature of the cell",
    "resistance_ohm": "What the voltage is away from the open-circuit one, by the current",
    "anode_potential_v": "Potential of the negative electrode against its electrolyte at the separator: below 0 V "
    "lithium may plate",
    "negative_stoichiometry": "Mean lithium content of the negative electrode, 0 to 1",
    "positive_stoichiometry": "Mean lithium content of the positive electrode, 0 to 1",
    "sei_loss_ah": "Charge that is bound in SEI",
    "plating_loss_ah": "Charge that is bound as plated lithium",
    "capacity_loss_ah": "Lithium that cannot be cycled any more, as charge",
    "negative_active_fraction": "Mean volume fraction of active material in the negative electrode",
    "positive_active_fraction": "Mean volume fraction of active material in the positive electrode",
    "step": "Number of the step, from 0",
    "cycle": "Number of the cycle, from 0",
}
"""What a record may have beside time, current, voltage and charge."""


class _Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Load(_Asked, frozen=True, kw_only=True, tag_field="kind"):
    pass


class CurrentLoad(_Load, frozen=True, kw_only=True, tag="current"):
    """One current."""

    current_a: Current
    duration_s: Duration


class PowerLoad(_Load, frozen=True, kw_only=True, tag="power"):
    """One power at the terminals."""

    power_w: Power
    duration_s: Duration


class ExperimentLoad(_Load, frozen=True, kw_only=True, tag="experiment"):
    """Sentences in the words of PyBaMM's experiments (`Charge at C/3 until 4.2 V`), all of them `times` times."""

    steps: Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(min_length=1, max_length=1_000)]
    times: Annotated[int, Meta(ge=1, le=1_000)] = 1


class ProtocolLoad(_Load, frozen=True, kw_only=True, tag="protocol"):
    """A cycling protocol."""

    steps: Annotated[list[Step], Meta(min_length=1, max_length=1_000)]


class ProfileLoad(_Load, frozen=True, kw_only=True, tag="profile"):
    """Currents, or powers, at rising times from 0 on, and straight lines between them."""

    time_s: Annotated[list[float], Meta(min_length=2, max_length=MOST_ROWS)]
    current_a: Annotated[list[Current], Meta(max_length=MOST_ROWS)] | None = None
    power_w: Annotated[list[Power], Meta(max_length=MOST_ROWS)] | None = None


class DriveCycleLoad(_Load, frozen=True, kw_only=True, tag="drive_cycle"):
    """A drive cycle of the catalog by its name; its currents times `scale`, `times` times after each other."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    scale: Annotated[float, Meta(gt=0.0, le=1_000.0)] = 1.0
    times: Annotated[int, Meta(ge=1, le=100)] = 1


Load: TypeAlias = CurrentLoad | PowerLoad | ExperimentLoad | ProtocolLoad | ProfileLoad | DriveCycleLoad


class Ageing(_Asked, frozen=True, kw_only=True):
    """How a cell ages while it is simulated, in the words of PyBaMM's options."""

    sei: Literal[
        "none", "constant", "reaction limited", "solvent-diffusion limited", "electron-migration limited",
        "interstitial-diffusion limited", "ec reaction limited",
    ] = "none"  # fmt: skip
    plating: Literal["none", "reversible", "partially reversible", "irreversible"] = "none"
    loss_of_active_material: Literal["none", "stress-driven", "reaction-driven"] = "none"


class Mesh(_Asked, frozen=True, kw_only=True):
    """Points across each electrode and the separator, and along a particle's radius.

    What decides the accuracy is the particle: at 1C the voltage of Chen2020 is 9 mV off at its worst instant with 20
    points, and 2 mV with 40.
    """

    electrode_points: Annotated[int, Meta(ge=5, le=200)] = 20
    particle_points: Annotated[int, Meta(ge=5, le=200)] = 40


Celsius: TypeAlias = Annotated[float, Meta(ge=-30.0, le=70.0)]


USUAL_CELL = "Chen2020"


class Simulation(_Asked, frozen=True, kw_only=True):
    """A cell, a model of it, what is done to it, and what is to be known of it.

    The cell is one of the catalog, or a BPX document; `parameters` replace some of its numbers, by PyBaMM's names.
    Without voltages of its own it keeps those of the cell. Without a state of charge it begins in the one that its
    description gives; without `initial_degc`, it is as warm as what is around it. Rows are `every_s`; without that,
    there are as many as it takes for straight lines between them to be the curve.
    """

    load: Load
    model: Model = "SPMe"
    cell: Annotated[str, Meta(min_length=1, max_length=100)] = USUAL_CELL
    bpx: dict[str, Any] | None = None
    parameters: Annotated[dict[str, float], Meta(max_length=100)] = {}
    initial_soc: Annotated[float, Meta(ge=0.0, le=1.0)] | None = 1.0
    ambient_degc: Celsius = 25.0
    initial_degc: Celsius | None = None
    lower_voltage_v: Annotated[float, Meta(gt=0.0, le=10.0)] | None = None
    upper_voltage_v: Annotated[float, Meta(gt=0.0, le=10.0)] | None = None
    thermal: Literal["isothermal", "lumped"] = "isothermal"
    ageing: Ageing = Ageing()
    mesh: Mesh = Mesh()
    tolerance: Annotated[float, Meta(ge=1e-9, le=1e-2)] = 1e-4
    outputs: Annotated[list[str], Meta(max_length=50)] = []
    every_s: Annotated[float, Meta(gt=0.0, le=86_400.0)] | None = None
