"""The tree of limits: grid connection, feeders, stations; in W, in A per phase, and on lines of delta-wired sites.

Every node may be limited by several sources (the contract, a distribution operator's signal, a breaker); each is kept
apart and the lowest holds. A limit may change over time. An outlet is where a session hangs in the tree.

For allocation the tree is compiled to *rows*: row r says sum(coefficient * power) <= bound[r]. The first rows are the
nodes in W, parents before children; three more stand for each node that is limited in A, and one for each line that is
loaded in one direction only. Other *line limits* bound the magnitude of a sum of phasors. Lowering one car can raise
such a current, so they are kept as the worst case over every draw between nothing and the limit: the largest magnitude
over all subsets of draws, which rises with each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from voltbench.errors import InvalidInput, NotFound
from voltbench.quantities import NOMINAL_VOLTAGE_V, Instant, earliest
from voltbench.site.lines import LineGroups, LineLimit, angles, worst_case_subsets
from voltbench.site.series import StepSeries, as_series

PHASES = ("L1", "L2", "L3")


@dataclass(frozen=True, slots=True)
class Node:
    """A place where power flows together: the grid connection (no parent), a feeder, a station."""

    id: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where a session hangs: below which node, on which site phases (its first phase first), at which voltage."""

    id: str
    node: str
    rotation: tuple[int, int, int] = (0, 1, 2)
    voltage_v: float = NOMINAL_VOLTAGE_V


@dataclass(frozen=True, slots=True)
class Ceiling:
    """One source's limit on one node: in W, in A on each phase, or both."""

    source: str
    power_w: StepSeries | None
    current_a: tuple[StepSeries, StepSeries, StepSeries] | None


@dataclass(frozen=True, slots=True)
class Rows:
    """What one session's power does to the rows: linear coefficients per W, and phasors in A per W on line subsets.

    Sessions that load the lines alike share a line group; -1 when they load none.
    """

    node: int
    linear: tuple[tuple[int, float], ...]
    lines: tuple[tuple[int, complex], ...]
    line_group: int = -1


class LimitTree:
    """Nodes, outlets and line limits of a site, and who limits what.

    The first node is the root. Raises InvalidInput when ids repeat, a parent is unknown or comes later than its child.
    """

    def __init__(self, nodes: Sequence[Node], outlets: Iterable[Outlet], lines: Iterable[LineLimit] = ()) -> None:
        self.nodes = list(nodes)
        self.outlets = {outlet.id: outlet for outlet in outlets}
        self.lines = list(lines)
        self._index = _indexed(self.nodes)
        self.parent = [self._index[node.parent] if node.parent is not None else -1 for node in self.nodes]
        self._ceilings: dict[int, dict[str, Ceiling]] = {i: {} for i in range(len(self.nodes))}
        for outlet in self.outlets.values():
            if outlet.node not in self._index:
                raise InvalidInput("node", "is unknown", found=outlet.node, allowed=", ".join(self._index))
        self._one_way = [line for line in self.lines if len(angles(line)) < 2]
        self._subsets = [s for line in self.lines if line not in self._one_way for s in worst_case_subsets(line)]
        self.line_groups = self._grouped_by_lines()
        self._phase_rows: list[tuple[int, int]] = []
        self._shared: dict[Rows, Rows] = {}
        self._rows: dict[tuple[str, int], Rows] = {}
        self.root_rows: list[tuple[int, float]] = [(0, 1.0)]
        """The rows of the grid connection, and what a watt of balanced three-phase power does to each."""

    # --- who limits what ---------------------------------------------------------------------------------------

    def set_limit(
        self,
        node: str,
        source: str,
        power_w: float | StepSeries | None = None,
        current_a: float | StepSeries | None = None,
    ) -> None:
        """Let a source limit a node, replacing what it said before. `current_a` holds on each phase."""
        phases = (as_series(current_a),) * 3 if current_a is not None else None
        ceiling = Ceiling(source, as_series(power_w) if power_w is not None else None, phases)
        ceilings = self._ceilings[self.node_index(node)]
        before = ceilings.get(source)
        ceilings[source] = ceiling
        if phases or (before is not None and before.current_a):
            self._compile()

    def clear_limit(self, node: str, source: str) -> None:
        """A source no longer limits a node."""
        self._ceilings[self.node_index(node)].pop(source, None)
        self._compile()

    def sources_of(self, node: str) -> list[str]:
        """Who limits a node."""
        return list(self._ceilings[self.node_index(node)])

    def node_index(self, node: str) -> int:
        """The row of a node's limit in W."""
        if node not in self._index:
            raise NotFound("node", node)
        return self._index[node]

    def _compile(self) -> None:
        limited = [i for i, ceilings in self._ceilings.items() if any(c.current_a for c in ceilings.values())]
        self._shared.clear()
        self._rows.clear()
        self._phase_rows = [(i, phase_index) for i in limited for phase_index in range(3)]
        per_phase = [
            (len(self.nodes) + r, 1.0 / (3 * NOMINAL_VOLTAGE_V)) for r, (i, _) in enumerate(self._phase_rows) if i == 0
        ]
        self.root_rows = [(0, 1.0), *per_phase]

    def _grouped_by_lines(self) -> LineGroups:
        by_id = {line.id: line for line in self.lines}
        group_of, number = {}, dict[tuple[tuple[int, complex], ...], int]()
        for outlet in self.outlets.values():
            loaded = [
                (s, by_id[line].terms[outlet.id])
                for s, (line, members) in enumerate(self._subsets)
                if outlet.id in members
            ]
            if loaded:
                terms = tuple((s, term / outlet.voltage_v) for s, term in loaded)
                group_of[outlet.id] = number.setdefault(terms, len(number))
        return LineGroups(group_of, tuple(number), self.line_bounds())

    # --- rows --------------------------------------------------------------------------------------------------

    @property
    def in_watts_only(self) -> bool:
        """Whether every limit is in W, so that the tree alone decides."""
        return not self._phase_rows and not self.lines

    @property
    def row_count(self) -> int:
        """How many linear rows there are."""
        return len(self.nodes) + len(self._phase_rows) + len(self._one_way)

    def rows_of(self, outlet: str, phases: int = 3) -> Rows:
        """The rows that a session on an outlet loads, when its vehicle draws on so many phases."""
        known = self._rows.get((outlet, phases))
        return known if known is not None else self._compiled_rows(outlet, phases)

    def _compiled_rows(self, outlet: str, phases: int) -> Rows:
        place = self.outlets.get(outlet)
        if place is None:
            raise NotFound("outlet", outlet)
        path = self._path(self._index[place.node])
        linear = [(i, 1.0) for i in path]
        used = {place.rotation[k] for k in range(phases)}
        a_per_w = 1.0 / (place.voltage_v * phases)
        first = len(self.nodes)
        linear += [(first + r, a_per_w) for r, (i, p) in enumerate(self._phase_rows) if i in path and p in used]
        first += len(self._phase_rows)
        loads = (
            (first + r, abs(line.terms.get(outlet, 0.0)) / place.voltage_v) for r, line in enumerate(self._one_way)
        )
        linear += [(row, per_w) for row, per_w in loads if per_w > 0.0]
        group = self.line_groups.group_of.get(outlet, -1)
        lines = self.line_groups.terms[group] if group >= 0 else ()
        rows = Rows(self._index[place.node], tuple(linear), lines, group)
        rows = self._rows[outlet, phases] = self._shared.setdefault(rows, rows)
        return rows

    @property
    def lines_by_id(self) -> dict[str, LineLimit]:
        """The line limits by their ids."""
        return {line.id: line for line in self.lines}

    def bounds(self, now: Instant) -> list[float]:
        """The bound of each linear row at an instant: the lowest of its sources, infinite where nobody limits it."""
        in_watts = [
            min((c.power_w.at(now) for c in self._ceilings[i].values() if c.power_w is not None), default=inf)
            for i in range(len(self.nodes))
        ]
        in_amperes = [
            min(c.current_a[p].at(now) for c in self._ceilings[i].values() if c.current_a is not None)
            for i, p in self._phase_rows
        ]
        return in_watts + in_amperes + [line.limit_a for line in self._one_way]

    def line_bounds(self) -> list[float]:
        """The bound of each line subset, in A."""
        by_id = self.lines_by_id
        return [by_id[line].limit_a for line, _ in self._subsets]

    def next_change(self, now: Instant) -> Instant | None:
        """When some limit next changes."""
        series = (
            s
            for per_node in self._ceilings.values()
            for c in per_node.values()
            for s in (c.power_w, *(c.current_a or ()))
        )
        return earliest(*(s.next_change(now) for s in series if s is not None))

    def name_of(self, row: int) -> str:
        """The limit a linear row stands for, such as `grid` or `feeder-2 L1`."""
        if row < len(self.nodes):
            return self.nodes[row].id
        row -= len(self.nodes)
        if row >= len(self._phase_rows):
            return self._one_way[row - len(self._phase_rows)].id
        node, phase_index = self._phase_rows[row]
        return f"{self.nodes[node].id} {PHASES[phase_index]}"

    def line_name_of(self, subset: int) -> str:
        """The line limit that a line subset belongs to."""
        return self._subsets[subset][0]

    def deciding_source(self, row: int, now: Instant) -> str:
        """The source whose limit holds on a linear row at an instant; nothing where no more than one limits it."""
        if not 0 <= row < len(self.nodes) + len(self._phase_rows):
            return ""
        if row < len(self.nodes):
            stated = {c.source: c.power_w for c in self._ceilings[row].values()}
        else:
            node, p = self._phase_rows[row - len(self.nodes)]
            stated = {c.source: c.current_a[p] if c.current_a else None for c in self._ceilings[node].values()}
        bounds = {source: series.at(now) for source, series in stated.items() if series is not None}
        return min(bounds, key=bounds.__getitem__) if len(bounds) > 1 else ""

    def _path(self, node: int) -> list[int]:
        path = []
        while node >= 0:
            path.append(node)
            node = self.parent[node]
        return path


def _indexed(nodes: Sequence[Node]) -> dict[str, int]:
    if not nodes:
        raise InvalidInput("nodes", "are missing", allowed="at least the grid connection")
    index: dict[str, int] = {}
    for i, node in enumerate(nodes):
        if node.id in index:
            raise InvalidInput("nodes", "repeat an id", found=node.id, allowed="each id once")
        if (node.parent is None) != (i == 0):
            raise InvalidInput("nodes", "need one root, which comes first", found=node.id)
        if node.parent is not None and node.parent not in index:
            raise InvalidInput("parent", "is unknown or comes later", found=node.parent, allowed=", ".join(index))
        index[node.id] = i
    return index
