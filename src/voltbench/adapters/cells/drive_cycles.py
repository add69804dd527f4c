"""Drive cycles: what published ones ask of a cell, and what a car's speed does. Charging is positive.

The files, where they are from and under which licence: `catalog/drive_cycles/`, made by `tools/drive_cycles.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec
import numpy as np

from voltbench.adapters.catalog import UnknownModel
from voltbench.adapters.toml_text import parse_toml
from voltbench.battery.checks import SHORTEST_S
from voltbench.battery.record import Floats
from voltbench.battery.simulation import MOST_ROWS, ProfileLoad
from voltbench.errors import InvalidInput

FOLDER = files("voltbench") / "catalog" / "drive_cycles"

GRAVITY_M_PER_S2 = 9.80665
AIR_KG_PER_M3 = 1.2
"""At 20 degrees Celsius and sea level."""


@dataclass(frozen=True, slots=True)
class DriveCycle:
    """What a drive cycle asks of one cell: a current, or else a power, at its times, and straight lines between them.

    `sha256` is that of the file the numbers are in.
    """

    name: str
    time_s: Floats
    current_a: Floats | None
    power_w: Floats | None
    description: str
    source: str
    licence: str
    sha256: str

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return float(self.time_s[-1])

    def load(self, scale: float = 1.0, times: int = 1) -> ProfileLoad:
        """It, scaled, several times after each other. Raises InvalidInput where that would be too many rows."""
        if len(self.time_s) * times > MOST_ROWS:
            raise InvalidInput("load.times", "makes too many rows", found=times, allowed=f"{MOST_ROWS} rows")
        asked = self.power_w if self.current_a is None else self.current_a
        assert asked is not None
        time_s, asked = _repeated(self.time_s, asked, times)
        numbers = (asked * scale).tolist()
        if self.current_a is None:
            return ProfileLoad(time_s=time_s.tolist(), power_w=numbers)
        return ProfileLoad(time_s=time_s.tolist(), current_a=numbers)


@dataclass(frozen=True, slots=True)
class SpeedTrace:
    """How fast a car is at some times. `sha256` is that of the file the numbers are in."""

    name: str
    time_s: Floats
    speed_m_per_s: Floats
    description: str
    source: str
    licence: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RoadVehicle:
    """What a car's battery must give so that it moves. Without figures: a compact electric car, and nobody's in
    particular.

    `drag_area_m2` is the drag coefficient times the frontal area, `drive_efficiency` what arrives of a power on its way
    between battery and wheels, in either direction, `recovered` the part of the braking that the motor does.
    """

    name: str = "generic compact electric car"
    mass_kg: float = 1_600.0
    drag_area_m2: float = 0.70
    rolling_resistance: float = 0.009
    drive_efficiency: float = 0.85
    recovered: float = 0.9
    auxiliary_w: float = 250.0


class _Sheet(msgspec.Struct, forbid_unknown_fields=True):
    description: str
    source: str
    licence: str
    sha256: str
    source_sha256: str = ""
    cells: int = 1


# --- those of the catalog --------------------------------------------------------------------------------------------


def drive_cycles() -> tuple[DriveCycle, ...]:
    """Every drive cycle of the catalog, by its name in alphabetical order."""
    return tuple(drive_cycle(name) for name in _names(FOLDER))


@cache
def drive_cycle(name: str) -> DriveCycle:
    """The drive cycle of this name, in capitals or not. Raises NotFound."""
    known, sheet, columns = _read(FOLDER, name, "drive cycle")
    return DriveCycle(
        name=known,
        time_s=columns["time_s"],
        current_a=columns.get("current_a"),
        power_w=columns.get("power_w"),
        description=sheet.description,
        source=sheet.source,
        licence=sheet.licence,
        sha256=sheet.sha256,
    )


def speed_traces() -> tuple[SpeedTrace, ...]:
    """Every speed trace of the catalog, by its name in alphabetical order."""
    return tuple(speed_trace(name) for name in _names(FOLDER / "speeds"))


@cache
def speed_trace(name: str) -> SpeedTrace:
    """The speed trace of this name, in capitals or not. Raises NotFound."""
    known, sheet, columns = _read(FOLDER / "speeds", name, "speed trace")
    return SpeedTrace(
        known, columns["time_s"], columns["speed_m_per_s"], sheet.description, sheet.source, sheet.licence, sheet.sha256
    )


# --- from speed to power ---------------------------------------------------------------------------------------------


def load_from_speed(trace: SpeedTrace, vehicle: RoadVehicle, series: int, parallel: int) -> ProfileLoad:
    """What one cell of a pack gives and takes while a car drives like that, in W. Its current follows from its voltage.

    Every cell of the pack does the same.
    """
    for field, found in (("series", series), ("parallel", parallel)):
        if found < 1:
            raise InvalidInput(field, "is no number of cells", found=found, allowed="1 or more")
    power_w = battery_power_w(trace, vehicle) / (series * parallel)
    return ProfileLoad(time_s=trace.time_s.tolist(), power_w=power_w.tolist())


def battery_power_w(trace: SpeedTrace, vehicle: RoadVehicle) -> Floats:
    """Power into a car's battery on a level road without wind: below zero while it drives.

    At the wheels: `(m dv/dt + m g c_r + rho/2 c_d A v^2) v` (Guzzella and Sciarretta, Vehicle Propulsion Systems, 3rd
    ed. 2013, section 2.1; wheels' inertia left out). The battery gives that over the efficiency, or gets the recovered
    part of it times the efficiency, and pays the auxiliaries. With central differences a trace from rest to rest gives
    back exactly the kinetic energy that it took, before losses.
    """
    speed = trace.speed_m_per_s
    acceleration = np.gradient(speed, trace.time_s)
    rolling_n = vehicle.mass_kg * GRAVITY_M_PER_S2 * vehicle.rolling_resistance
    drag_n = AIR_KG_PER_M3 / 2.0 * vehicle.drag_area_m2 * speed**2
    wheels_w = (vehicle.mass_kg * acceleration + rolling_n + drag_n) * speed
    given_w = np.maximum(wheels_w, 0.0) / vehicle.drive_efficiency
    recovered_w = np.maximum(-wheels_w, 0.0) * vehicle.recovered * vehicle.drive_efficiency
    into: Floats = recovered_w - given_w - vehicle.auxiliary_w
    return into


# --- files -----------------------------------------------------------------------------------------------------------


def _names(folder: Traversable) -> list[str]:
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def _read(folder: Traversable, name: str, kind: str) -> tuple[str, _Sheet, _Columns]:
    known = name.upper()
    if known not in _names(folder):
        raise UnknownModel(kind, name, _names(folder))
    sheet = msgspec.convert(parse_toml((folder / f"{known}.toml").read_bytes()), _Sheet)
    head, *rows = (folder / f"{known}.csv").read_text(encoding="utf-8").splitlines()
    numbers = np.array([row.split(",") for row in rows], dtype=np.float64).T.copy()
    numbers[1:] /= sheet.cells
    numbers.setflags(write=False)
    return known, sheet, dict(zip(head.split(","), numbers, strict=True))


_Columns = Mapping[str, Floats]


def _repeated(time_s: Floats, asked: Floats, times: int) -> tuple[Floats, Floats]:
    """Rows several times after each other. Where the last is not like the first, there is a jump of the least time."""
    if times == 1:
        return time_s, asked
    joins = bool(asked[0] == asked[-1])
    period_s = float(time_s[-1]) + (0.0 if joins else SHORTEST_S)
    again_s, again = (time_s[1:], asked[1:]) if joins else (time_s, asked)
    later = [again_s + number * period_s for number in range(1, times)]
    return np.concatenate([time_s, *later]), np.concatenate([asked, *[again] * (times - 1)])
