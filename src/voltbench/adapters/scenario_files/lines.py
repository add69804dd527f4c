"""Line limits of a scenario file: currents that are sums of phasors, as on sites wired in delta."""

from __future__ import annotations

from cmath import phase, rect
from collections.abc import Sequence
from math import radians

from voltbench.adapters import strict
from voltbench.adapters.scenario_files.stations import Station
from voltbench.adapters.scenario_files.tables import LineTable, TermTable
from voltbench.errors import InvalidInput
from voltbench.site.limits import PHASES
from voltbench.site.lines import LineLimit

_ANGLE_DEG = {"L1-L2": 30.0, "L2-L3": -90.0, "L3-L1": 150.0}
"""Angles of the line-to-line voltages of a three-phase system, from the voltage of L1 against neutral."""

_MOST_ANGLES = 12
"""Wirings have three or six directions of current; the worst case over many more would take long to find."""


def line_limits(lines: Sequence[LineTable], stations: Sequence[Station]) -> list[LineLimit]:
    """The line limits that the tables `site.lines` describe."""
    for i, line in enumerate(lines):
        if line.id in [before.id for before in lines[:i]]:
            raise InvalidInput(f"site.lines[{i}].id", "is taken already", found=line.id, allowed="each id once")
    connectors = _connectors_by_name(stations)
    return [_line(f"site.lines[{i}]", line, connectors) for i, line in enumerate(lines)]


def _line(place: str, line: LineTable, connectors: dict[str, list[str]]) -> LineLimit:
    terms: dict[str, complex] = {}
    for k, term in enumerate(line.terms):
        phasor = _phasor(f"{place}.terms[{k}]", term, line)
        for connector in connectors[strict.chosen(term.of, connectors, f"{place}.terms[{k}].of")]:
            terms[connector] = terms.get(connector, 0j) + phasor
    if len({round(phase(term), 9) for term in terms.values()}) > _MOST_ANGLES:
        raise InvalidInput(f"{place}.terms", "turn into too many directions", allowed=f"{_MOST_ANGLES} angles")
    return LineLimit(line.id, line.limit_a, terms)


def _phasor(place: str, term: TermTable, line: LineTable) -> complex:
    """The line's current for one ampere of the connector's."""
    if (term.pair is None) == (term.magnitude is None):
        raise InvalidInput(place, "needs one way to say it", allowed="pair, or magnitude with angle_deg")
    if term.magnitude is not None:
        return rect(term.magnitude, radians(term.angle_deg))
    assert term.pair is not None
    if line.line is None or line.line not in term.pair:
        problem = "does not load this line" if line.line else "needs to know which line this is: say `line`"
        raise InvalidInput(f"{place}.pair", problem, found=term.pair, allowed=line.line or ", ".join(PHASES))
    sign = 1.0 if term.pair.startswith(line.line) else -1.0
    return rect(sign, radians(_ANGLE_DEG[term.pair]))


def _connectors_by_name(stations: Sequence[Station]) -> dict[str, list[str]]:
    """The connectors that are meant by the name of a group, a station or a connector."""
    by_name: dict[str, list[str]] = {}
    for station in stations:
        connectors = [place.connector for place in station.places()]
        by_name.setdefault(station.group, []).extend(connectors)
        by_name.update({connector: [connector] for connector in connectors})
        if station.id != station.group:
            by_name[station.id] = connectors
    return by_name
