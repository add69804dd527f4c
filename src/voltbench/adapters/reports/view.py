"""What pictures show of an outcome: its flows, sampled so that there are enough points and not too many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND, DurationMs
from voltbench.running.flows import Flows, Recorded, connectors_w, flows, grid_limit_w, stored_wh
from voltbench.running.scenario import Outcome, Scenario
from voltbench.running.summary import Summary
from voltbench.running.visits import VisitRecord
from voltbench.site.meter import Floats, Stretches
from voltbench.site.sampling import Integers, hours, sample_edges, sampled_energy_by_group_wh, sampled_mean

STEPS = {
    MS_PER_SECOND: "1-second means",
    10 * MS_PER_SECOND: "10-second means",
    MS_PER_MINUTE: "1-minute means",
    5 * MS_PER_MINUTE: "5-minute means",
    15 * MS_PER_MINUTE: "15-minute means",
    MS_PER_HOUR: "hourly means",
    MS_PER_DAY: "daily means",
}
"""Intervals that pictures are made of, and what they are called. Between an hour and a day there is nothing to see."""


@dataclass(frozen=True, slots=True)
class View:
    """An outcome as it is drawn: powers in W over intervals, and what is at their edges.

    `plugs_w` has a row for each connector of `plugs`, not a number where nobody was plugged in; `stays` are the visits
    that were. `soc` (at the edges), `limit_w` and `price_per_kwh` are None where there is no such thing.
    """

    summary: Summary
    sampled: str
    flows: Flows
    limit_w: Floats | None
    export_limit_w: float
    soc: Floats | None
    price_per_kwh: Floats | None
    plugs: list[str]
    plugs_w: Floats
    stays: list[VisitRecord]

    @property
    def edges(self) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
        """The edges of the intervals, in UTC."""
        return self.flows.edges_ms.astype("datetime64[ms]")


def view_of(outcome: Outcome, summary: Summary, most_points: int = 3_000) -> View:
    """An outcome as it is drawn, with no more intervals than so many."""
    scenario, recorded = outcome.scenario, Recorded.of(outcome)
    step_ms = _step_ms(scenario, most_points)
    edges = sample_edges(scenario.starts_at, scenario.ends_at, step_ms)
    price = scenario.tariff.import_price_per_kwh
    limit_w = grid_limit_w(scenario, edges)
    return View(
        summary=summary,
        sampled=STEPS[step_ms],
        flows=flows(recorded, edges),
        limit_w=None if np.isnan(limit_w).all() else limit_w,
        export_limit_w=scenario.site.export_limit_w,
        soc=_soc(recorded, edges),
        price_per_kwh=None if price is None else sampled_mean(price, edges),
        plugs=[place.connector for place in scenario.site.places],
        plugs_w=_plugs_w(outcome, recorded, edges),
        stays=[visit for visit in outcome.ledger if visit.connector],
    )


def _step_ms(scenario: Scenario, most_points: int) -> DurationMs:
    length_ms = scenario.ends_at - scenario.starts_at
    return next((step for step in STEPS if length_ms / step <= most_points), MS_PER_DAY)


def _soc(recorded: Recorded, edges: Integers) -> Floats | None:
    energy_wh, model = stored_wh(recorded, edges), recorded.scenario.site.storage
    return None if energy_wh is None or model is None else energy_wh / model.capacity_wh


def _plugs_w(outcome: Outcome, recorded: Recorded, edges: Integers) -> Floats:
    """Mean power of each connector while somebody is plugged in, in W."""
    occupied = _occupied(outcome, edges)
    drawn_w = connectors_w(outcome, recorded, edges)
    return np.divide(drawn_w, occupied, out=np.full_like(drawn_w, np.nan), where=occupied > 1e-9)


def _occupied(outcome: Outcome, edges: Integers) -> Floats:
    """The part of each interval that each connector had a vehicle, 0 to 1: a watt for as long as it was there."""
    order = {place.connector: i for i, place in enumerate(outcome.scenario.site.places)}
    stays = [(order[v.connector], v.plugged_at, v.ended_at) for v in outcome.ledger if v.connector]
    place, plugged, ended = (np.array(column) for column in zip(*stays, strict=True)) if stays else ([], [], [])
    place = np.asarray(place, dtype=np.int64)
    count = len(place)
    there = Stretches(place, np.asarray(plugged, float), np.asarray(ended, float), np.ones(count), np.zeros(count))
    return np.asarray(sampled_energy_by_group_wh(there, place, len(order), edges) / hours(edges))
