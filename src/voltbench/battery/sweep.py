"""Sweeps: one simulation, asked for many times with other numbers.

What varies is named by its place in the request, with dots: `ambient_degc`, `load.current_a`, `ageing.sei`,
`parameters.Electrode height [m]`, `load.steps.0.c_rate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from math import prod
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta

from voltbench.battery.simulation import Simulation
from voltbench.chance import stream
from voltbench.errors import InvalidInput

MOST_POINTS = 20_000

Point: TypeAlias = dict[str, Any]
"""What one of them has in each place."""

Places: TypeAlias = Annotated[dict[str, Any], Meta(min_length=1, max_length=20)]


class _Sweep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    pass


class Grid(_Sweep, frozen=True, kw_only=True, tag="grid"):
    """Every combination of some settings; what is named last varies fastest."""

    over: Annotated[
        dict[str, Annotated[list[Any], Meta(min_length=1, max_length=MOST_POINTS)]], Meta(min_length=1, max_length=20)
    ]


class Listed(_Sweep, frozen=True, kw_only=True, tag="list"):
    """Just these points."""

    points: Annotated[list[Places], Meta(min_length=1, max_length=MOST_POINTS)]


class Range(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number between two."""

    least: float
    most: float


class LatinHypercube(_Sweep, frozen=True, kw_only=True, tag="latin_hypercube"):
    """So many points, spread so that each n-th part of each range has exactly one of the n.

    McKay, Beckman and Conover, "A Comparison of Three Methods for Selecting Values of Input Variables in the Analysis
    of Output from a Computer Code", Technometrics 21 (1979).
    """

    over: Annotated[dict[str, Range], Meta(min_length=1, max_length=20)]
    count: Annotated[int, Meta(ge=1, le=MOST_POINTS)]
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0


Sweep: TypeAlias = Grid | Listed | LatinHypercube


class Batch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A simulation, and what of it varies. `base` is a simulation as far as it is the same for all."""

    base: dict[str, Any]
    sweep: Sweep


def points(sweep: Sweep) -> list[Point]:
    """The points of a sweep, the same each time. Raises InvalidInput."""
    if isinstance(sweep, Listed):
        for names in dict.fromkeys(tuple(point) for point in sweep.points):
            _check_apart(names, "sweep.points")
        return [dict(point) for point in sweep.points]
    _check_apart(sweep.over, "sweep.over")
    if isinstance(sweep, LatinHypercube):
        return _latin_hypercube(sweep)
    count = prod(len(settings) for settings in sweep.over.values())
    if count > MOST_POINTS:
        raise InvalidInput("sweep.over", "comes to too many points", found=count, allowed=f"<= {MOST_POINTS}")
    return [dict(zip(sweep.over, settings, strict=True)) for settings in product(*sweep.over.values())]


def _check_apart(names: Iterable[str], field: str) -> None:
    """Raise InvalidInput for a place within another one: which of them is to have its setting, nobody could say."""
    known = set(names)
    for name in known:
        at = name.rfind(".")
        while at > 0:
            if name[:at] in known:
                problem = "is within another place that varies, and would replace it or be replaced"
                raise InvalidInput(f"{field}.{name}", problem, found=name[:at], allowed="one of them")
            at = name.rfind(".", 0, at)


def _latin_hypercube(sweep: LatinHypercube) -> list[Point]:
    columns = {}
    for name, between in sweep.over.items():
        if not between.least < between.most:
            allowed = f"above {between.least}"
            raise InvalidInput(f"sweep.over.{name}.most", "is not above the least", found=between.most, allowed=allowed)
        chance = stream(sweep.seed, "latin hypercube", name)
        part = (chance.permutation(sweep.count) + chance.random(sweep.count)) / sweep.count
        columns[name] = (between.least + part * (between.most - between.least)).tolist()
    return [dict(zip(columns, row, strict=True)) for row in np.array(list(columns.values())).T.tolist()]


def simulations(batch: Batch, some: list[Point]) -> Iterator[Simulation]:
    """The simulation of each of some points. Raises InvalidInput that names the point's place in the request."""
    for number, point in enumerate(some):
        try:
            yield msgspec.convert(merged(batch.base, point), Simulation)
        except msgspec.ValidationError as error:
            problem, _, place = str(error).partition(" - at `$.")
            field = place.rstrip("`") or "base"
            raise InvalidInput(field, f"{problem} (point {number}: {point})") from None


def merged(base: Mapping[str, Any], point: Point) -> dict[str, Any]:
    """The base with the settings of a point in their places. Raises InvalidInput for a place that there is not."""
    asked = dict(base)
    for name, setting in point.items():
        place = _split(name)
        asked = _put(asked, place, setting, name)
    return asked


def _split(name: str) -> list[str]:
    """The places on the way; a parameter's own name may have dots."""
    head, _, rest = name.partition(".")
    return [head, rest] if head == "parameters" else name.split(".")


def _put(inside: Any, place: list[str], setting: Any, name: str) -> Any:
    """The same with a setting at a place; nothing that was given is changed."""
    if not place:
        return setting
    first, *rest = place
    if isinstance(inside, list):
        if not (first.isdecimal() and int(first) < len(inside)):
            raise InvalidInput(f"sweep.{name}", "names no element", found=first, allowed=f"0 to {len(inside) - 1}")
        at = int(first)
        return [*inside[:at], _put(inside[at], rest, setting, name), *inside[at + 1 :]]
    if not isinstance(inside, Mapping):
        raise InvalidInput(f"sweep.{name}", "leads into something that has no parts", found=first)
    return {**inside, first: _put(inside.get(first, {}), rest, setting, name)}
