"""What became of a cell: its time series, why it ended, and what it was made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

ALWAYS = ("time_s", "current_a", "voltage_v", "charge_ah")
"""The columns of every record. `charge_ah` is what went in since the start, less what came out."""

Reason: TypeAlias = Literal["time_over", "steps_done", "lower_voltage", "upper_voltage", "other_limit"]


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """Why a simulation came to its end, and when: also a limit that is met is a good one.

    `step` is the one that could not be done, where steps were asked for; `event` is the simulator's own word.
    """

    reason: Reason
    at_s: float
    event: str = ""
    step: int | None = None


class MadeWith(msgspec.Struct, frozen=True, kw_only=True):
    """What a record was made with: enough to make it again. The hashes are SHA-256, in hexadecimal."""

    simulator: str
    version: str
    model: str
    solver: str
    solver_version: str
    electrode_points: int
    particle_points: int
    relative_tolerance: float
    absolute_tolerance: float
    parameters_hash: str
    input_hash: str
    solve_s: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a record comes to. What went in and what came out are both positive; temperatures where they are recorded.

    `mean_voltage_v` is that of the charge that flowed; energies are of straight lines between rows.
    """

    reason: Reason
    lasted_s: float
    charged_ah: float
    discharged_ah: float
    charged_wh: float
    discharged_wh: float
    first_voltage_v: float
    last_voltage_v: float
    least_voltage_v: float
    most_voltage_v: float
    mean_voltage_v: float
    most_power_w: float
    least_degc: float | None = None
    most_degc: float | None = None
    last_soc: float | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """Columns of equal length, by name with unit, in the order of time; charging is positive.

    `warnings` are for whoever asked: what of it was done in another way than it might have been meant. `figures` are
    those of all rows that were solved, where only some of them are here.
    """

    columns: Mapping[str, Floats]
    ending: Ending
    made_with: MadeWith
    warnings: tuple[str, ...] = ()
    figures: Figures | None = None

    def __len__(self) -> int:
        return len(self.columns["time_s"])

    def only(self, columns: tuple[str, ...]) -> Record:
        """The same with fewer columns, in that order. KeyError for one that is not there."""
        return replace(self, columns={name: self.columns[name] for name in columns})
