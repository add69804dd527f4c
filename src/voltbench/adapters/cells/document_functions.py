"""Functions of BPX documents, as texts or tables: read, and tried wherever a cell may come.

A function is as good as its worst place: a solver does not say that a diffusivity was below zero, it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from voltbench.adapters.cells.expressions import read_expression
from voltbench.adapters.strict import shown
from voltbench.battery.record import Floats
from voltbench.errors import InvalidInput

Function = Callable[[Floats], Floats]

ELECTRODES = ("Negative electrode", "Positive electrode")
ELECTROLYTE = "Electrolyte"
DIFFUSIVITY, CONDUCTIVITY = "Diffusivity [m2.s-1]", "Conductivity [S.m-1]"
OCP, ENTROPIC = "OCP [V]", "Entropic change coefficient [V.K-1]"
OF_STOICHIOMETRY = (DIFFUSIVITY, OCP, "OCP (delithiation) [V]", "OCP (lithiation) [V]", ENTROPIC)
OF_CONCENTRATION = (DIFFUSIVITY, CONDUCTIVITY)
ALWAYS_POSITIVE = (DIFFUSIVITY, CONDUCTIVITY)

USUAL_CONCENTRATION = 1_000.0
"""What PyBaMM begins with where a document does not say."""
TIMES_INITIAL, LEAST_REACH = 3.0, 3_000.0
"""How much salt an electrolyte's functions have to stand: so many times what it begins with, and so much, in mol/m3.
Fits of conductivity that others use every day turn negative from about 4,270 (Ramadass 2004, Prada 2013)."""

POINTS = 301


@dataclass(frozen=True)
class Domain:
    """Where a function is tried, and how such a place is told.

    Where something is `surely` met, a table is tried there and as far as it was measured; else wherever a text is.
    """

    points: Floats
    words: str
    surely: float | None = None

    def of(self, described: Any) -> Floats:
        """The places that count for what is described. Beyond its ends a table goes on in a straight line."""
        points = self.points
        if not isinstance(described, dict):
            return points
        x = np.array(described["x"], dtype=np.float64)
        inside = x[(x >= points.min()) & (x <= points.max())]
        if self.surely is not None:
            points = np.append(points[(points >= x[0]) & (points <= x[-1])], self.surely)
        return np.union1d(points, inside)


def as_function(described: Any, place: str) -> Function:
    """What a number, a text or a table (as JSON has it, or `bpx`) says. Raises InvalidInput for an odd expression."""
    if isinstance(described, str):
        return read_expression(described, place)
    if isinstance(described, dict):
        return _straight_between(described["x"], described["y"])
    if hasattr(described, "x"):
        return _straight_between(described.x, described.y)
    return lambda at: np.full(np.shape(at), float(described))


def _straight_between(x: Sequence[float], y: Sequence[float]) -> Function:
    """Straight lines from point to point; the first and the last of them go on, as they do in PyBaMM."""
    known_x, known_y = np.array(x, dtype=np.float64), np.array(y, dtype=np.float64)

    def at(wanted: Floats) -> Floats:
        row = np.clip(np.searchsorted(known_x, wanted) - 1, 0, len(known_x) - 2)
        part = (wanted - known_x[row]) / (known_x[row + 1] - known_x[row])
        return np.asarray(known_y[row] * (1.0 - part) + known_y[row + 1] * part)

    return at


def check_functions(parameters: Mapping[str, Any], concentration: float, place: str) -> None:
    """Raise InvalidInput for a table that is none, and for a function that makes no sense where a cell comes."""
    for where, table in _tables(parameters, place):
        _check_table(table, where)
    for side in ELECTRODES:
        window = [parameters[side].get(f"{end} stoichiometry") for end in ("Minimum", "Maximum")]
        if all(isinstance(end, int | float) for end in window):  # else `bpx` says so
            stoichiometries = Domain(np.linspace(window[0], window[1], POINTS), "a stoichiometry of {:.4g}")
            _check_part(parameters[side], OF_STOICHIOMETRY, stoichiometries, f"{place}.{side}")
    reach = max(TIMES_INITIAL * concentration, LEAST_REACH)
    salty = Domain(np.linspace(0.0, reach, POINTS)[1:], "{:.4g} mol/m3", surely=concentration)
    _check_part(parameters.get(ELECTROLYTE, {}), OF_CONCENTRATION, salty, f"{place}.{ELECTROLYTE}")


def _tables(tree: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, part in tree.items():
        if isinstance(part, dict):
            where = f"{place}.{name}"
            is_one = name in (*OF_STOICHIOMETRY, *OF_CONCENTRATION) or {"x", "y"} <= part.keys()
            yield from [(where, part)] if is_one else _tables(part, where)


def _check_table(table: Mapping[str, Any], place: str) -> None:
    """That numbers stand in it is known."""
    x, y = table.get("x"), table.get("y")
    if not isinstance(x, list) or not isinstance(y, list):
        raise InvalidInput(place, "is no table", allowed="lists x and y")
    if len(x) < 2 or len(x) != len(y):
        found = f"{len(x)} x and {len(y)} y"
        raise InvalidInput(place, "is no table", found=found, allowed="two points at least, and as many y as x")
    for before, after in pairwise(x):
        if not after > before:
            raise InvalidInput(place, f"has an x that does not rise after {before:g}", found=after, allowed="rising x")


def _check_part(part: Mapping[str, Any], names: Sequence[str], domain: Domain, place: str) -> None:
    for name in names:
        described = part.get(name)
        if isinstance(described, str | dict):
            _try(described, domain, f"{place}.{name}", is_positive=name in ALWAYS_POSITIVE)


def _try(described: Any, domain: Domain, place: str, *, is_positive: bool) -> None:
    """Raise InvalidInput where the function cannot be worked out, is not finite, or is not positive and has to be.

    What overflows on the way to a finite number is refused too: nobody can tell how it rises there, and solvers ask.
    """
    function, points = as_function(described, place), domain.of(described)
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            found = function(points)
    except FloatingPointError:
        found = np.full(len(points), np.nan)
        for row, point in enumerate(points):
            found[row] = _alone(function, point, domain, place, shown(described))
    wrong = ~np.isfinite(found) | (is_positive & (found <= 0.0))
    if wrong.any():
        first = int(np.argmax(wrong))
        where, least, most = domain.words.format(points[first]), points.min(), points.max()
        allowed = f"{'above 0' if is_positive else 'finite numbers'} from {least:g} to {most:g}"
        if np.isfinite(found[first]):
            raise InvalidInput(place, f"is not positive at {where}", found=float(found[first]), allowed=allowed)
        raise InvalidInput(place, f"is not finite at {where}", found=shown(described), allowed=allowed)


def _alone(function: Function, point: float, domain: Domain, place: str, described: Any) -> float:
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            return float(function(np.array([point]))[0])
    except FloatingPointError as error:
        problem = f"cannot be worked out at {domain.words.format(point)}: {error}"
        raise InvalidInput(place, problem, found=described, allowed="finite numbers") from None
