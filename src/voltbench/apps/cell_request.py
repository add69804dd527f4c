"""From what was typed about a cell to a simulation of it, checked before anybody works."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from voltbench.adapters import json_text, strict
from voltbench.adapters.cells.asked import checked, known
from voltbench.adapters.rows import read_bytes
from voltbench.apps.cell_options import BEYOND, FAR_BEYOND, LoadOptions, length_s, parameters
from voltbench.battery.simulation import USUAL_CELL, Simulation
from voltbench.errors import InvalidInput

TYPED = {
    "initial_soc": "--soc",
    "ambient_degc": "--ambient",
    "every_s": "--every",
    "outputs": "--output",
    "parameters": "--set",
    "model": "--model",
    "cell": "--cell",
    "bpx": "--bpx",
    "thermal": "--thermal",
}
"""What the fields of a simulation are called on the command line."""

NOTHING_YET = {"kind": "current", "current_a": 0.0, "duration_s": 1.0}
"""Until the cell is known: how long a load lasts, or how great it is, depends on the cell."""


@dataclass(frozen=True)
class SimulationOptions:
    """What is asked of a simulation beside its model, its cell and its load, as it was typed."""

    soc: float
    ambient: float
    thermal: str
    output: str | None
    every: str | None
    numbers: list[str] | None


def requested(
    model: str, name: str, bpx: Path | None, load: LoadOptions, options: SimulationOptions, *, is_varied: bool = False
) -> Simulation:
    """The simulation that is meant, or the one that others vary.

    Raises InvalidInput, by the names of the options, where it makes no sense.
    """
    asked = {
        "load": NOTHING_YET,
        "model": model,
        "cell": name if bpx is None else USUAL_CELL,
        "bpx": None if bpx is None else _document(bpx),
        "parameters": parameters(options.numbers),
        "initial_soc": options.soc,
        "ambient_degc": options.ambient,
        "thermal": options.thermal,
        "outputs": [column.strip() for column in (options.output or "").split(",") if column.strip()],
        "every_s": None if options.every is None else length_s(options.every, "--every"),
    }
    beyond = FAR_BEYOND if is_varied or options.numbers else BEYOND
    try:
        simulation = strict.convert(asked, Simulation)
        simulation = msgspec.structs.replace(simulation, load=load.load(known(simulation), beyond))
        checked(simulation)
    except InvalidInput as error:
        raise _as_typed(error, bpx) from error
    return simulation


def _document(path: Path) -> dict[str, Any]:
    with strict.within(str(path)):
        document = json_text.parse(read_bytes(path, "--bpx"))
        if not isinstance(document, dict):
            raise InvalidInput("text", "is no BPX document", allowed="an object with Header and Parameterisation")
        return document


def _as_typed(error: InvalidInput, bpx: Path | None) -> InvalidInput:
    """The same, by the name of the option, or by the place in the document."""
    name = re.split(r"[.\[]", error.field, maxsplit=1)[0]
    if error.source or name not in TYPED:
        return error
    rest = error.field.removeprefix(name)
    if name == "bpx":
        return error.at(rest.removeprefix(".") or "document").within(str(bpx))
    return error.at(f"{TYPED[name]}{rest}")
