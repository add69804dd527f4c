"""What flowed at a site, interval by interval: mean powers, the battery's charge, limits and prices. Exact at any grid.

Powers are means over each interval, positive into the device. Generation is what was used or fed in: where it would
push more through the connection than the site may export, it is curtailed, at every instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isinf

import numpy as np

from voltbench.quantities import Instant
from voltbench.running.scenario import STORAGE_SOURCE, Outcome, Scenario
from voltbench.running.site_plan import SitePlan
from voltbench.site.limits import LimitTree
from voltbench.site.meter import Floats, Stretches
from voltbench.site.sampling import (
    Integers,
    chosen,
    hours,
    power_at_w,
    sampled_energy_by_group_wh,
    sampled_energy_wh,
    sampled_mean,
)
from voltbench.site.series import StepSeries


@dataclass(frozen=True, slots=True)
class Recorded:
    """The stretches of a scenario's vehicles, numbered as its visits are, and those of its stationary battery."""

    scenario: Scenario
    vehicles: Stretches
    storage: Stretches

    @classmethod
    def of(cls, outcome: Outcome) -> Recorded:
        """All that was recorded until the scenario's end."""
        stretches = outcome.record.stretches(outcome.scenario.ends_at)
        of_storage = stretches.source == STORAGE_SOURCE
        return cls(outcome.scenario, chosen(stretches, ~of_storage), chosen(stretches, of_storage))


@dataclass(frozen=True, slots=True)
class Flows:
    """Mean powers over the intervals between `edges_ms`, in W, one number for each interval."""

    edges_ms: Integers
    vehicles_w: Floats
    load_w: Floats
    generation_w: Floats
    curtailed_w: Floats
    storage_w: Floats

    @property
    def grid_w(self) -> Floats:
        """Power through the grid connection, import positive."""
        return np.asarray(self.vehicles_w + self.load_w - self.generation_w + self.storage_w)

    @property
    def hours(self) -> Floats:
        """Length of each interval, in h."""
        return hours(self.edges_ms)

    def over(self, edges_ms: Integers) -> Flows:
        """The same flows over longer intervals, whose edges are among these."""
        first, length_h = np.searchsorted(self.edges_ms, edges_ms[:-1]), hours(edges_ms)
        columns = (self.vehicles_w, self.load_w, self.generation_w, self.curtailed_w, self.storage_w)
        return Flows(edges_ms, *(np.add.reduceat(w * self.hours, first) / length_h for w in columns))


def flows(recorded: Recorded, edges_ms: Integers) -> Flows:
    """The flows of a scenario over the intervals between rising edges within it."""
    if isinf(recorded.scenario.site.export_limit_w):
        return _uncurtailed(recorded, edges_ms)
    return exact_flows(recorded, edges_ms).over(edges_ms)


def exact_flows(recorded: Recorded, edges_ms: Integers) -> Flows:
    """The same over the pieces of those intervals in each of which the site only imports or only exports.

    Nor does it reach its export limit within one. So what is bought, sold and curtailed is exact to the millisecond.
    """
    site = recorded.scenario.site
    feeds = any(w > 0.0 for _, w in site.generation_w.steps()) or any(w < 0.0 for _, w in site.load_w.steps())
    if not feeds and not len(recorded.storage.source):
        return _uncurtailed(recorded, edges_ms)
    levels_w = [0.0] if isinf(site.export_limit_w) else [0.0, -site.export_limit_w]
    return _curtailed(site, _uncurtailed(recorded, _with_crossings(recorded, edges_ms, levels_w)))


def _with_crossings(recorded: Recorded, edges_ms: Integers, levels_w: Sequence[float]) -> Integers:
    """The edges, the events between them, and where the grid's power crosses one of these levels on its way."""
    events = np.floor(_events(recorded)).astype(np.int64)
    edges = np.union1d(edges_ms, events[(events > edges_ms[0]) & (events < edges_ms[-1])])
    at = edges.astype(np.float64)
    begins_w, ends_w = _grid_at_w(recorded, at[:-1], False), _grid_at_w(recorded, at[1:], True)
    found = [edges]
    for level_w in levels_w:
        turns = (begins_w > level_w) != (ends_w > level_w)
        low, high, falls = at[:-1][turns], at[1:][turns], begins_w[turns] > level_w
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2.0
            first_half = (_grid_at_w(recorded, middle, False) > level_w) != falls
            low, high = np.where(first_half, low, middle), np.where(first_half, middle, high)
        found.append(np.rint(low).astype(np.int64))
    return np.unique(np.concatenate(found))


_BISECTIONS = 24
"""Enough to find a millisecond in four hours."""


def _uncurtailed(recorded: Recorded, edges_ms: Integers) -> Flows:
    site, length_h = recorded.scenario.site, hours(edges_ms)
    return Flows(
        edges_ms,
        vehicles_w=sampled_energy_wh(recorded.vehicles, edges_ms) / length_h,
        load_w=sampled_mean(site.load_w, edges_ms),
        generation_w=sampled_mean(site.generation_w, edges_ms),
        curtailed_w=np.zeros(len(length_h)),
        storage_w=sampled_energy_wh(recorded.storage, edges_ms) / length_h,
    )


def _curtailed(site: SitePlan, free: Flows) -> Flows:
    excess_w = np.clip(-free.grid_w - site.export_limit_w, 0.0, np.maximum(free.generation_w, 0.0))
    used_w = free.generation_w - excess_w
    return Flows(free.edges_ms, free.vehicles_w, free.load_w, used_w, excess_w, free.storage_w)


def connectors_w(outcome: Outcome, recorded: Recorded, edges_ms: Integers) -> Floats:
    """Mean power drawn through each of the site's connectors (rows, in their order) over each interval, in W."""
    order = {place.connector: i for i, place in enumerate(outcome.scenario.site.places)}
    used = {visit.id: order[visit.connector] for visit in outcome.ledger if visit.connector}
    place_of_visit = np.array([used.get(visit.id, 0) for visit in outcome.scenario.visits], dtype=np.int64)
    group = place_of_visit[recorded.vehicles.source]
    return sampled_energy_by_group_wh(recorded.vehicles, group, len(order), edges_ms) / hours(edges_ms)


def peak_import_w(recorded: Recorded) -> float:
    """The largest power drawn from the grid at any instant, in W; 0 where nothing ever was.

    Between two events power is a sum of exponentials and constants, which is convex: it is largest at an event.
    """
    events = _events(recorded)
    return max(float(_grid_at_w(recorded, events, before).max(initial=0.0)) for before in (False, True))


def _events(recorded: Recorded) -> Floats:
    """The instants at which any power at the site takes another course, in ms."""
    scenario = recorded.scenario
    steps = [np.array([at for at, _ in s.steps()]) for s in (scenario.site.load_w, scenario.site.generation_w)]
    known = [c for s in (recorded.vehicles, recorded.storage) for c in (s.start_ms, s.end_ms)]
    events = np.unique(np.concatenate([*known, *steps, [scenario.starts_at, scenario.ends_at]]))
    return events[(events >= scenario.starts_at) & (events <= scenario.ends_at)]


def _grid_at_w(recorded: Recorded, instants_ms: Floats, before: bool) -> Floats:
    site = recorded.scenario.site
    drawn_w = power_at_w(recorded.vehicles, instants_ms, before=before)
    stored_w = power_at_w(recorded.storage, instants_ms, before=before)
    return drawn_w + stored_w + _at(site.load_w, instants_ms, before) - _at(site.generation_w, instants_ms, before)


def _at(series: StepSeries, instants_ms: Floats, before: bool) -> Floats:
    """The value of a step series just after (or before) each instant."""
    edges, values = (np.array(column) for column in zip(*series.steps(), strict=True))
    return np.asarray(
        values[np.maximum(np.searchsorted(edges, instants_ms, side="left" if before else "right") - 1, 0)]
    )


def stored_wh(recorded: Recorded, instants_ms: Integers) -> Floats | None:
    """Energy in the stationary battery at each instant, in Wh; None where there is no battery."""
    site, storage = recorded.scenario.site, recorded.storage
    model = site.storage
    if model is None:
        return None
    gain_wh = storage_gain_wh(recorded)
    after_wh = np.cumsum(gain_wh)
    start_wh = model.capacity_wh * (model.soc_max if site.storage_soc is None else site.storage_soc)
    knots_ms = np.concatenate([[float(recorded.scenario.starts_at)], _woven(storage.start_ms, storage.end_ms)])
    knots_wh = start_wh + np.concatenate([[0.0], _woven(after_wh - gain_wh, after_wh)])
    return np.clip(np.interp(instants_ms, knots_ms, knots_wh), 0.0, model.capacity_wh)


def storage_gain_wh(recorded: Recorded) -> Floats:
    """Energy that each stretch of the battery adds to its store, after losses, in Wh; negative when it gives."""
    energy_wh, model = recorded.storage.energy_wh(), recorded.scenario.site.storage
    if model is None:
        return energy_wh
    return np.where(energy_wh > 0.0, energy_wh * model.charge_efficiency, energy_wh / model.discharge_efficiency)


def _woven(a: Floats, b: Floats) -> Floats:
    return np.column_stack((a, b)).ravel()


def grid_limit_w(scenario: Scenario, edges_ms: Integers) -> Floats:
    """Mean over each interval of what the grid connection may draw, in W; not a number where it is not limited."""
    steps = grid_limit_steps(scenario)
    finite = sampled_mean(StepSeries([(at, 0.0 if isinf(w) else w) for at, w in steps]), edges_ms)
    endless = sampled_mean(StepSeries([(at, float(isinf(w))) for at, w in steps]), edges_ms)
    return np.where(endless > 0.0, np.nan, finite)


def grid_limit_steps(scenario: Scenario) -> list[tuple[Instant, float]]:
    """What the grid connection may draw, all its phases loaded alike, in W: each limit with when it begins."""
    tree, steps = scenario.site.tree, []
    now: Instant | None = scenario.starts_at
    while now is not None and now < scenario.ends_at:
        steps.append((now, _root_limit_w(tree, now)))
        now = tree.next_change(now)
    return steps


def _root_limit_w(tree: LimitTree, now: Instant) -> float:
    bounds = tree.bounds(now)
    return min(bounds[row] / per_w for row, per_w in tree.root_rows)
