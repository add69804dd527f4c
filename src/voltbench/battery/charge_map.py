"""What one cell lets itself be charged with, as a table over its state, and where that table comes from.

`voltbench cell curve` computes such a table with a model of the cell, the catalog keeps it (`catalog/charge_maps/`),
and a pack is so many of these cells (`pack.py`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from math import isfinite
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from voltbench.errors import InvalidInput

Floats = NDArray[np.float64]

Table = tuple[tuple[tuple[tuple[float, ...], ...], ...], ...]
"""Values by resistance, loss of active material, temperature and state of charge: the innermost are one curve."""


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a table comes from: the cell's `parameters`, what was solved (`model`), by which version of what.

    `parameters_sha256` and `inputs_sha256` are of what was put in; `made_on` is a date (ISO 8601). `notes` say what
    else was assumed.
    """

    label: Literal["model", "measured"] = "model"
    parameters: str
    model: str
    simulator: str
    parameters_sha256: str = ""
    inputs_sha256: str = ""
    made_on: str
    notes: str = ""


class CellChargeMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """The current that a cell takes at most, and its voltage then, over four axes, each of which rises.

    `soc` (0 to 1, of what the aged cell still holds), `temperature_degc`, `lam` (the part of its active material that
    is lost; 0 is fresh) and `resistance` (times that of a fresh one; 1 is fresh). `c_rate` is the current over
    `capacity_ah`, which is that of a fresh cell, in 1/h; both tables are nested as resistance, lam, temperature, soc.
    """

    id: str
    name: str
    source: str
    cell: str
    capacity_ah: float
    nominal_voltage_v: float
    provenance: Provenance
    soc: tuple[float, ...]
    temperature_degc: tuple[float, ...]
    lam: tuple[float, ...]
    resistance: tuple[float, ...]
    c_rate: Table
    voltage_v: Table

    def __post_init__(self) -> None:
        for name in ("capacity_ah", "nominal_voltage_v"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InvalidInput(name, "is none", found=getattr(self, name), allowed="more than 0")
        for name in ("soc", "temperature_degc", "lam", "resistance"):
            _check_axis(name, getattr(self, name))
        if len(self.soc) < 2 or (self.soc[0], self.soc[-1]) != (0.0, 1.0):
            raise InvalidInput("soc", "does not go from 0 to 1", found=list(self.soc), allowed="first 0, last 1")
        if self.lam[0] < 0.0 or self.lam[-1] >= 1.0:
            raise InvalidInput("lam", "is no part lost", found=list(self.lam), allowed="0 up to, not including 1")
        if self.resistance[0] <= 0.0:
            raise InvalidInput("resistance", "is no factor", found=self.resistance[0], allowed="more than 0")
        _check_table("c_rate", self.currents, self.shape, least=0.0)
        _check_table("voltage_v", self.voltages, self.shape, least=0.5)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """How many values each axis has: resistance, lam, temperature, soc."""
        return len(self.resistance), len(self.lam), len(self.temperature_degc), len(self.soc)

    @cached_property
    def currents(self) -> Floats:
        """`c_rate` as an array of `shape`."""
        return _array("c_rate", self.c_rate)

    @cached_property
    def voltages(self) -> Floats:
        """`voltage_v` as an array of `shape`."""
        return _array("voltage_v", self.voltage_v)


def nested(array: Floats, decimals: int = 5) -> Table:
    """An array over resistance, lam, temperature and soc as a map holds it, rounded to what is worth keeping."""
    rounded = np.round(array, decimals).tolist()
    return tuple(tuple(tuple(tuple(curve) for curve in by_degc) for by_degc in by_lam) for by_lam in rounded)


def toml_text(entry: msgspec.Struct) -> str:
    """A map, or another entry of a cell, as a file of the catalog, one curve a line; `adapters.catalog` reads it."""
    plain = msgspec.to_builtins(entry)
    provenance = {key: text for key, text in plain.pop("provenance").items() if text}
    del plain["id"]  # which is the file's name
    nested_ones = [name for name, found in plain.items() if isinstance(found, tuple | list) and _is_nested(found)]
    tables = {name: plain.pop(name) for name in nested_ones}
    lines = [f"{key} = {json.dumps(found, ensure_ascii=False)}" for key, found in plain.items()]
    lines += [f"{name} = {_rows(table, 0)}" for name, table in tables.items()]
    lines += ["", "[provenance]"]
    lines += [f"{key} = {json.dumps(found, ensure_ascii=False)}" for key, found in provenance.items()]
    return "\n".join(lines) + "\n"


def _is_nested(table: Sequence[object]) -> bool:
    return bool(table) and isinstance(table[0], list | tuple)


def _rows(table: Sequence[object], depth: int) -> str:
    if not _is_nested(table):
        return json.dumps(table)
    inner = [_rows(part, depth + 1) for part in table if isinstance(part, list | tuple)]
    return "[\n" + "".join(f"{'  ' * (depth + 1)}{part},\n" for part in inner) + "  " * depth + "]"


def _array(name: str, table: Table) -> Floats:
    try:
        return np.array(table, dtype=np.float64)
    except ValueError as error:
        raise InvalidInput(name, "has curves of different lengths", allowed="one value for each SoC") from error


def _check_axis(name: str, axis: Sequence[float]) -> None:
    if not axis or not all(map(isfinite, axis)) or any(b <= a for a, b in pairwise(axis)):
        raise InvalidInput(name, "does not rise", found=list(axis), allowed="rising numbers, one at least")


def _check_table(name: str, table: Floats, shape: tuple[int, ...], least: float) -> None:
    if table.shape != shape:
        raise InvalidInput(name, "does not fit its axes", found=f"{table.shape}", allowed=f"{shape}")
    if not bool(np.isfinite(table).all()) or table.min() < least:
        raise InvalidInput(name, "holds what is none", found=float(table.min()), allowed=f"{least:g} or more")
