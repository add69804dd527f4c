"""What can be simulated: cells, models, and the drive cycles that are there by name."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path
from starlette.responses import Response

from voltbench.adapters.cells import catalog
from voltbench.adapters.cells.drive_cycles import DriveCycle, drive_cycle, drive_cycles
from voltbench.apps.api.addressing import struct_answer
from voltbench.apps.api.docs import says
from voltbench.apps.api.problems import problems
from voltbench.apps.cell_models import MODELS
from voltbench.battery.cell import Cell
from voltbench.battery.simulation import OUTPUTS

router = APIRouter(tags=["cells"])


class ModelTold(msgspec.Struct, frozen=True):
    """A model, and the cells that it goes with."""

    name: str
    description: str
    cells: list[str]


class ModelsTold(msgspec.Struct, frozen=True):
    """The models there are, and what a record may have beside time, current, voltage and charge."""

    models: list[ModelTold]
    outputs: dict[str, str]


class CellTold(msgspec.Struct, frozen=True, kw_only=True):
    """A cell: between its voltages, with its open-circuit voltage at evenly spaced SoC; `why_not` other models."""

    name: str
    chemistry: str
    capacity_ah: float
    lower_voltage_v: float
    upper_voltage_v: float
    most_c_rate: float
    least_degc: float
    most_degc: float
    models: list[str]
    why_not: dict[str, str]
    source: str
    ocv_v: list[float]


class CellsTold(msgspec.Struct, frozen=True):
    """The cells there are."""

    cells: list[CellTold]


class DriveCycleTold(msgspec.Struct, frozen=True, kw_only=True):
    """A drive cycle: where it is from, and what a cell bears at each time (positive is charging)."""

    name: str
    description: str
    source: str
    licence: str
    sha256: str
    time_s: list[float]
    current_a: list[float] | None
    power_w: list[float] | None


class DriveCyclesTold(msgspec.Struct, frozen=True):
    """The drive cycles there are."""

    drive_cycles: list[DriveCycleTold]


@router.get("/models", responses=says(ModelsTold))
async def list_models() -> Response:
    """The models there are, and which cells they go with."""
    cells = catalog.cells()
    models = [
        ModelTold(name, words, [cell.name for cell in cells if name in cell.models]) for name, words in MODELS.items()
    ]
    return struct_answer(ModelsTold(models, OUTPUTS))


@router.get("/cells", responses=says(CellsTold))
async def list_cells() -> Response:
    """The cells there are: PyBaMM's parameter sets, and which models each goes with."""
    return struct_answer(CellsTold([_cell(cell) for cell in catalog.cells()]))


@router.get("/cells/{name}", responses=says(CellTold) | problems(404))
async def read_cell(name: Annotated[str, Path(max_length=100)]) -> Response:
    """A cell."""
    return struct_answer(_cell(catalog.cell(name)))


@router.get("/drive-cycles", responses=says(DriveCyclesTold))
async def list_drive_cycles() -> Response:
    """The drive cycles there are."""
    return struct_answer(DriveCyclesTold([_cycle(cycle) for cycle in drive_cycles()]))


@router.get("/drive-cycles/{name}", responses=says(DriveCycleTold) | problems(404))
async def read_drive_cycle(name: Annotated[str, Path(max_length=100)]) -> Response:
    """A drive cycle."""
    return struct_answer(_cycle(drive_cycle(name)))


def _cell(cell: Cell) -> CellTold:
    return CellTold(
        name=cell.name,
        chemistry=cell.chemistry,
        capacity_ah=cell.capacity_ah,
        lower_voltage_v=cell.lower_voltage_v,
        upper_voltage_v=cell.upper_voltage_v,
        most_c_rate=cell.most_c_rate,
        least_degc=cell.least_degc,
        most_degc=cell.most_degc,
        models=list(cell.models),
        why_not=dict(cell.why_not),
        source=cell.source,
        ocv_v=list(cell.ocv_v),
    )


def _cycle(cycle: DriveCycle) -> DriveCycleTold:
    return DriveCycleTold(
        name=cycle.name,
        description=cycle.description,
        source=cycle.source,
        licence=cycle.licence,
        sha256=cycle.sha256,
        time_s=cycle.time_s.tolist(),
        current_a=None if cycle.current_a is None else cycle.current_a.tolist(),
        power_w=None if cycle.power_w is None else cycle.power_w.tolist(),
    )
