"""`voltbench cell validate`: everything that is wrong with a request or a cell, not only the first thing."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from voltbench.adapters import json_text, strict
from voltbench.adapters.cells.asked import checked, known
from voltbench.adapters.rows import read_bytes
from voltbench.apps.cell_request import NOTHING_YET
from voltbench.battery.cell import Cell
from voltbench.battery.simulation import Simulation
from voltbench.errors import InvalidInput

WRONG = 2
"""The exit code where anything is wrong."""

MOST_PROBLEMS = 50

_UNKNOWN = "is unknown"

_PLAIN_LOADS = ("current", "power", "drive_cycle")
_PLAIN = {"current_a": 0.0, "power_w": 0.0, "duration_s": 1.0, "scale": 1.0, "times": 1}
"""Numbers of these loads with which nothing else can be wrong."""

HARMLESS = 1e-6
"""A number that is a fraction, more than nothing, and no great length."""


class Problem(msgspec.Struct, frozen=True):
    """Something that is wrong, and where."""

    field: str
    problem: str
    found: Any
    allowed: str


def validate(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A request as for POST /simulations, or a BPX document.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False,
) -> None:
    """Tell everything that is wrong with a request (JSON) or a cell (BPX)."""
    with strict.within(str(file)):
        told = json_text.parse(read_bytes(file))
    is_document = isinstance(told, dict) and "Parameterisation" in told
    wrong = list(problems({"load": NOTHING_YET, "bpx": told} if is_document else told))
    if is_document:
        wrong = [error.at(error.field.removeprefix("bpx.")) for error in wrong]
    if json:
        listed = [Problem(e.field, e.problem, _found(e, told), e.allowed) for e in wrong]
        print(msgspec.json.encode({"problems": listed}).decode())
    elif wrong:
        for error in wrong:
            typer.echo(f"voltbench: {' '.join(str(error.within(str(file))).split())}", err=True)
    else:
        print(f"{file}: nothing is wrong with {_words(told, is_document)}")
    if wrong:
        raise typer.Exit(WRONG)


def problems(request: Any) -> Iterator[InvalidInput]:
    """Everything that is wrong with a request: each thing found is put aside, and the rest looked at again."""
    if not isinstance(request, dict):
        yield InvalidInput("request", "is no object", found=strict.shown(request), allowed="{...}")
        return
    rest, is_mended = deepcopy(request), False
    for _ in range(MOST_PROBLEMS):
        try:
            checked(strict.convert(rest, Simulation))
            return
        except InvalidInput as error:
            found = error
        if not is_mended and _is_in(found.field, "load") and _let_be(rest, found):
            yield found
            continue
        is_number = _is_in(found.field, "bpx") and _mended(rest["bpx"], found.field.removeprefix("bpx."))
        if is_mended and not is_number:
            return  # it may come of what stands there instead
        yield found
        is_mended = is_number
        is_other_cell = _is_in(found.field, "cell") or _is_in(found.field, "bpx")
        if not is_number and (is_other_cell or not _put_aside(rest, found.field)):
            return  # of another cell, other things would be wrong


def _mended(tree: Any, place: str) -> bool:
    """Put a harmless number where a wrong one, or an expression, stands in a document; False where it is a table."""
    spot = _spot(tree, place)
    if spot is None or isinstance(spot[0][spot[1]], dict | list):
        return False
    spot[0][spot[1]] = HARMLESS
    return True


def _let_be(request: dict[str, Any], wrong: InvalidInput) -> bool:
    """Do without what the load has no use for, or may do without; False where its rest would make no sense."""
    name = wrong.field.removeprefix("load.")
    if wrong.problem == _UNKNOWN and (spot := _spot(request, wrong.field)) is not None:
        del spot[0][spot[1]]
        return True
    load = request.get("load")
    if not isinstance(load, dict) or load.get("kind") not in _PLAIN_LOADS or name not in _PLAIN:
        return False
    is_wrong = load.get(name) != _PLAIN[name]
    load[name] = _PLAIN[name]
    return is_wrong


def _spot(tree: Any, place: str) -> tuple[Any, Any] | None:
    """In what something stands, and by which name or number there. Names may have dots and brackets in them."""
    if isinstance(tree, list):
        row, _, rest = place.removeprefix("[").partition("]")
        key: Any = int(row) if row.isdecimal() and int(row) < len(tree) else None
    elif isinstance(tree, dict):
        names = [name for name in tree if place == name or place.startswith((f"{name}.", f"{name}["))]
        key = max(names, key=len, default=None)
        rest = place.removeprefix(key or "")
    else:
        return None
    rest = rest.removeprefix(".")
    return None if key is None else _spot(tree[key], rest) if rest else (tree, key)


def _found(error: InvalidInput, told: Any) -> Any:
    """What stands where something is wrong, also where the refusal does not say it; None where nothing does."""
    if error.found is not None:
        return strict.shown(error.found)
    spot = _spot(told, error.field)
    return None if spot is None or spot[0][spot[1]] is None else strict.shown(spot[0][spot[1]])


def _put_aside(request: dict[str, Any], field: str) -> bool:
    """Take a field out of a request; False where that helps no more."""
    name = next((known for known in sorted(request, key=len, reverse=True) if _is_in(field, known)), None)
    if name is None and field in ("load", ""):
        name = "load"
    if name is None or request.get(name) == NOTHING_YET:
        return False
    request.pop(name, None)
    if name == "load":
        request["load"] = dict(NOTHING_YET)
    return True


def _is_in(field: str, name: str) -> bool:
    return field == name or field.startswith((f"{name}.", f"{name}["))


def _words(told: Any, is_document: bool) -> str:
    if is_document:
        cell = known(strict.convert({"load": NOTHING_YET, "bpx": told}, Simulation))
        return f"the cell: {_cell(cell)}"
    simulation = strict.convert(told, Simulation)
    return f"the request: {simulation.model} of {_cell(known(simulation))}"


def _cell(cell: Cell) -> str:
    return f"{cell.name}, {cell.capacity_ah:g} Ah, {cell.lower_voltage_v:g} to {cell.upper_voltage_v:g} V"
