"""Cells of the catalog: what is known of PyBaMM's parameter sets, without PyBaMM.

The files are in `catalog/cells/`, made by `tools/cell_catalog.py` from the sets themselves.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec

from voltbench.adapters.catalog import Shelf
from voltbench.battery.cell import Cell


class CellModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cell as its file describes it. The fields are those of a `Cell`; its name is the file's."""

    id: str
    chemistry: str
    source: str
    capacity_ah: float
    usable_ah: float
    lower_voltage_v: float
    upper_voltage_v: float
    described_ocv_v: float
    most_c_rate: float
    least_degc: float
    most_degc: float
    models: list[str]
    why_not: dict[str, str] = {}
    thermal: list[str] = []
    ageing: dict[str, list[str]] = {}
    without: list[str] = []
    ocv_v: list[float]
    numbers: dict[str, float] = {}


_SHELF = Shelf("cell", CellModel, [files("voltbench") / "catalog" / "cells"])


def names() -> tuple[str, ...]:
    """Names of all cells, in alphabetical order."""
    return _SHELF.ids


def cells() -> tuple[Cell, ...]:
    """Every cell of the catalog, in the order of their names; also those that no model goes with."""
    return tuple(cell(name) for name in names())


@cache
def cell(name: str) -> Cell:
    """The cell of this name. Raises NotFound that knows which are spelled like it."""
    model = _SHELF.get(name)
    return Cell(
        name=model.id,
        chemistry=model.chemistry,
        capacity_ah=model.capacity_ah,
        lower_voltage_v=model.lower_voltage_v,
        upper_voltage_v=model.upper_voltage_v,
        ocv_v=tuple(model.ocv_v),
        most_c_rate=model.most_c_rate,
        models=tuple(model.models),
        why_not=model.why_not,
        least_degc=model.least_degc,
        most_degc=model.most_degc,
        source=model.source,
        usable_ah=model.usable_ah,
        described_ocv_v=model.described_ocv_v,
        thermal=tuple(model.thermal),
        ageing={name: tuple(words) for name, words in model.ageing.items()},
        without=tuple(model.without),
        numbers=model.numbers,
    )
