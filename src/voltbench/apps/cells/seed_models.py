"""What the seed's four services said to each other, by their names; hours, and discharging positive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from voltbench.adapters import json_text, strict
from voltbench.battery.cycling import LONGEST_S
from voltbench.battery.record import Record
from voltbench.battery.simulation import CurrentLoad, DriveCycleLoad, Mesh, Simulation
from voltbench.errors import InvalidInput
from voltbench.jobs import JobError
from voltbench.quantities import SECONDS_PER_HOUR

Kind: TypeAlias = Literal["cell", "driveCycle"]
CELL: Final = "cell"
DRIVE_CYCLE: Final = "driveCycle"

CELL_NAME, CAPACITY_AH, OWN_UPPER_V, OWN_LOWER_V = "Chen2020", 5.0, 4.2, 2.5
ROWS = 100
"""Of a cell: PyBaMM's own, where the seed left them open."""

TOLERANCE = 1e-6
CELL_MESH = Mesh(electrode_points=20, particle_points=20)
DRIVE_CYCLE_MESH = Mesh(electrode_points=30, particle_points=10)

MOST_A = 10_000.0
MOST_NUMBER = 2**32 - 1
ROWS_OF_ONE = 1_000_000
"""Rows are counted over all simulations: each has so many of the numbers for itself."""

MOST_ROWS = 100_000
UNPARSABLE = "Error while parsing Simulation Results"

_FIELDS = {
    "load.current_a": "controlCurrent",
    "load.duration_s": "time",
    "lower_voltage_v": "lowerVoltage",
    "upper_voltage_v": "upperVoltage",
    "initial_soc": "upperVoltage",
}
"""How the seed calls what we refuse."""


class _Seed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class SeedAsked(_Seed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A simulation as the seed asks for it: time in h, capacity in Ah, discharging positive.

    `nominalCell` changes nothing, and neither do `time` and `controlCurrent` for a drive cycle.
    """

    id: Annotated[int, Meta(ge=0, le=MOST_NUMBER)] | Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    simulation_type: Kind | UnsetType = UNSET
    time: float = 1.0
    upper_voltage: Annotated[float, Meta(gt=0.0, le=10.0)] = OWN_UPPER_V
    lower_voltage: Annotated[float, Meta(gt=0.0, le=10.0)] = OWN_LOWER_V
    nominal_cell: Annotated[float, Meta(gt=0.0, le=1e6)] | UnsetType = UNSET
    control_current: float = 5.0

    @property
    def kind(self) -> Kind:
        """What is to be simulated."""
        return CELL if isinstance(self.simulation_type, UnsetType) else self.simulation_type

    @property
    def number(self) -> int | None:
        """Its id, if that is a number: the simulation is found by it."""
        return self.id if isinstance(self.id, int) else None


class SeedRow(_Seed, frozen=True, kw_only=True):
    """A sample: s, V, A, and the Ah that were taken out."""

    time: float
    voltage: float
    current: float
    dcap: float


class SeedAnswer(_Seed, frozen=True, kw_only=True):
    """What came of a simulation. `warning` and `error` are ours."""

    job_started: bool
    simulation_type: Kind | None
    simulation_results: list[SeedRow] | None
    warning: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


class SeedResult(_Seed, frozen=True, kw_only=True):
    """The same with the id that it was asked for with, as it is published."""

    id: int | str | None
    job_started: bool
    simulation_type: Kind | None
    simulation_results: list[SeedRow] | None
    warning: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


class SeedCallback(_Seed, frozen=True, kw_only=True):
    """What the Flask service posted to the job manager."""

    id: int | str | None
    result: list[SeedRow] | None
    error: str | UnsetType = UNSET


class SeedStoredRow(_Seed, frozen=True, kw_only=True):
    """A sample as the database has it."""

    sim_results_id: int
    current: float
    dcap: float
    time: float
    voltage: float


class SeedStored(_Seed, frozen=True, kw_only=True):
    """A simulation as the database has it."""

    id: int
    simulation_type: str | None
    simulation_results: list[SeedStoredRow]
    job_started: Literal["true", "false"]
    error: str | UnsetType = UNSET


class SeedBrought(_Seed, frozen=True, kw_only=True):
    """An answer of the simulator that is brought to be kept."""

    simulation_type: Literal["cell", "batteryPack", "driveCycle"]
    job_started: bool
    simulation_results: Annotated[list[SeedRow], Meta(max_length=MOST_ROWS)] | None


# --- reading ----------------------------------------------------------------------------------------------------------


def asked_in(body: bytes, kind: Kind | None = None) -> SeedAsked:
    """What a JSON text asks for, of this kind where the route has one. Raises UnreadableJson or InvalidInput."""
    asked: SeedAsked = strict.convert(json_text.parse_object(body), SeedAsked)
    if kind is not None and isinstance(asked.simulation_type, UnsetType):
        asked = msgspec.structs.replace(asked, simulation_type=kind)
    if kind is not None and asked.kind != kind:
        raise InvalidInput("simulationType", "is asked for elsewhere", found=asked.simulation_type, allowed=kind)
    if asked.kind == CELL:
        _check_range("time", asked.time, 1.0 / SECONDS_PER_HOUR, LONGEST_S / SECONDS_PER_HOUR, "h")
        _check_range("controlCurrent", asked.control_current, -MOST_A, MOST_A, "A")
    return asked


def _check_range(field: str, found: float, least: float, most: float, unit: str) -> None:
    """For a cell only: a drive cycle ignores both, and Java's clients send what they leave open as 0.0."""
    if not least <= found <= most:
        raise InvalidInput(field, "is not allowed", found=found, allowed=f"{least:.6g} to {most:g} {unit}")


def brought_in(body: bytes) -> SeedBrought:
    """The simulator's answer that a JSON text holds. Raises UnreadableJson or InvalidInput."""
    brought: SeedBrought = strict.convert(json_text.parse_object(body), SeedBrought)
    return brought


def kind_in(body: bytes) -> Kind | None:
    """The kind of simulation that a body names, however wrong the rest of it is."""
    try:
        kind = json_text.parse_object(body).get("simulationType", CELL)
    except InvalidInput:
        return None
    return kind if kind in (CELL, DRIVE_CYCLE) else None


# --- to and from our own words ----------------------------------------------------------------------------------------


def simulation_of(asked: SeedAsked) -> Simulation:
    """The simulation in our units, charging positive: as fine as the seed's, from the state the set describes."""
    duration_s = asked.time * SECONDS_PER_HOUR
    is_cell = asked.kind == CELL
    held = CurrentLoad(current_a=0.0 - asked.control_current, duration_s=duration_s)
    return Simulation(
        load=held if is_cell else DriveCycleLoad(name="US06"),
        model="DFN",
        cell=CELL_NAME,
        initial_soc=None,
        upper_voltage_v=asked.upper_voltage,
        lower_voltage_v=asked.lower_voltage,
        mesh=CELL_MESH if is_cell else DRIVE_CYCLE_MESH,
        tolerance=TOLERANCE,
        every_s=duration_s / (ROWS - 1) if is_cell else None,
    )


def refused(error: InvalidInput) -> InvalidInput:
    """A refusal of ours in the seed's words: its names, and its sign."""
    field = _FIELDS.get(error.field, error.field)
    problem = f"the full cell {error.problem}" if error.field == "initial_soc" else error.problem
    is_turned = field == "controlCurrent" and isinstance(error.found, int | float)
    found = -error.found if is_turned else error.found
    found = found / SECONDS_PER_HOUR if field == "time" and isinstance(found, int | float) else found
    return InvalidInput(field, problem, found=found, allowed=error.allowed)


def failure(error: JobError) -> str:
    """Why a job failed, in the seed's words: without the figure, which is of our sign."""
    words = error.message.partition(", found ")[0] if error.field in _FIELDS else error.message
    return words.replace(error.field, _FIELDS.get(error.field, error.field), 1) if error.field else words


def rows_of(record: Record) -> list[SeedRow]:
    """The samples of a record, discharging positive."""
    columns = record.columns
    drawn = (columns["time_s"], columns["voltage_v"], 0.0 - columns["current_a"], 0.0 - columns["charge_ah"])
    table = zip(*[column.tolist() for column in drawn], strict=True)
    return [SeedRow(time=time, voltage=voltage, current=current, dcap=dcap) for time, voltage, current, dcap in table]


def stored_rows(number: int, rows: Sequence[SeedRow]) -> list[SeedStoredRow]:
    """Samples as the database has them."""
    first = number * ROWS_OF_ONE
    return [
        SeedStoredRow(sim_results_id=first + at, current=row.current, dcap=row.dcap, time=row.time, voltage=row.voltage)
        for at, row in enumerate(rows, 1)
    ]


def warning_of(asked: SeedAsked | None, kind: Kind, record: Record) -> str | UnsetType:
    """What of it was done in another way than it might have been meant."""
    words = []
    if asked is not None and not isinstance(asked.nominal_cell, UnsetType):
        words.append(
            f"nominalCell ({asked.nominal_cell:g} Ah) changes nothing: the cell is that of {CELL_NAME}, with "
            f"{CAPACITY_AH:g} Ah, and not scaled."
        )
    if kind == DRIVE_CYCLE and record.ending.reason in ("lower_voltage", "upper_voltage"):
        which = "lower" if record.ending.reason == "lower_voltage" else "upper"
        words.append(f"The drive cycle stopped at {record.ending.at_s:.1f} s, at the {which} cut-off voltage.")
    return " ".join([*words, *record.warnings]) or UNSET
