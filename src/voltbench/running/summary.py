"""A scenario's outcome in figures: what was asked and delivered, who waited, what the grid and the battery saw, costs.

Peaks are means over whole minutes (and quarter hours, as networks bill); energies are exact: import and export do not
net out within an interval. Units are in the names.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import msgspec
import numpy as np

from voltbench.quantities import MS_PER_MINUTE, MS_PER_SECOND, Instant
from voltbench.running.flows import (
    Flows,
    Recorded,
    exact_flows,
    grid_limit_steps,
    peak_import_w,
    storage_gain_wh,
    stored_wh,
)
from voltbench.running.scenario import Outcome
from voltbench.running.visits import Ending, VisitRecord
from voltbench.site.meter import Floats
from voltbench.site.peaks import means, monthly_peaks
from voltbench.site.sampling import sample_edges, sampled_mean
from voltbench.site.series import StepSeries


class Visits(msgspec.Struct, frozen=True):
    """How many came, and how it ended for them: with all they asked for, with less, in front of a full site.

    Nobody is short of less than a watt-hour, which no driver could notice.
    """

    came: int
    served: int
    satisfied: int
    left_short: int
    turned_away: int
    still_there: int


class Delivery(msgspec.Struct, frozen=True):
    """Energy at the connectors, in Wh. `drawn_wh` is what the stations took from the site for it.

    `beyond_wh` was asked for and would not have fitted into the packs; it is not counted as unmet. `fairness` is
    Jain's index over the delivered parts of all who plugged in: 1 when everybody got the same part, 1/n when one of n
    got all (Jain, Chiu & Hawe, DEC Research Report TR-301, 1984).
    """

    asked_wh: float
    beyond_wh: float
    delivered_wh: float
    unmet_wh: float
    drawn_wh: float
    fairness: float

    @property
    def part(self) -> float | None:
        """The part that was delivered of what was asked and would have fitted; None where that was nothing."""
        fitting_wh = self.asked_wh - self.beyond_wh
        return min(1.0, self.delivered_wh / fitting_wh) if fitting_wh > 0.0 else None


class Waiting(msgspec.Struct, frozen=True):
    """Time in the queue of all who came, and time plugged in and offered nothing of those served, in s."""

    queued_mean_s: float
    queued_p95_s: float
    waited_mean_s: float
    waited_p95_s: float


class Grid(msgspec.Struct, frozen=True):
    """What went through the grid connection. `limit_w` is the lowest limit in force (None: no limit).

    `tight_s` is how long some shared limit held somebody back, or might have.
    """

    import_wh: float
    export_wh: float
    load_wh: float
    generation_wh: float
    curtailed_wh: float
    peak_minute_w: float
    peak_quarter_hour_w: float
    peak_instant_w: float
    limit_w: float | None
    tight_s: float


class StorageUse(msgspec.Struct, frozen=True):
    """What the stationary battery took and gave at its terminals, what was lost in it, and how it was worn.

    A full equivalent cycle is its capacity once in and once out of store.
    """

    charged_wh: float
    discharged_wh: float
    loss_wh: float
    full_cycles: float
    soc_start: float
    soc_end: float


class Cost(msgspec.Struct, frozen=True):
    """What the energy cost, in `currency`: import less export, and the demand charge.

    That is what the largest quarter hour costs, and what the highest hours of each month do under a peak tariff.
    """

    currency: str
    energy_import: float
    energy_export: float
    demand_charge: float
    total: float


class ConnectorUse(msgspec.Struct, frozen=True):
    """How one connector was used: visits, time occupied, time delivering power, energy."""

    connector: str
    visits: int
    occupied_s: float
    charging_s: float
    delivered_wh: float


class Summary(msgspec.Struct, frozen=True):
    """An outcome in figures. `storage`, `cost` and `co2_g` are None where nothing is known of them.

    `occupied` and `charging` are the parts, 0 to 1, of all connectors' time with a vehicle plugged in, and drawing.
    """

    scenario: str
    strategy: str
    seed: int
    starts_at: Instant
    ends_at: Instant
    visits: Visits
    delivery: Delivery
    waiting: Waiting
    grid: Grid
    storage: StorageUse | None
    cost: Cost | None
    co2_g: float | None
    occupied: float
    charging: float
    connectors: tuple[ConnectorUse, ...]


def summarize(outcome: Outcome) -> Summary:
    """The figures of an outcome."""
    scenario, recorded = outcome.scenario, Recorded.of(outcome)
    minutes_ms = sample_edges(scenario.starts_at, scenario.ends_at, MS_PER_MINUTE)
    exact = exact_flows(recorded, minutes_ms)
    grid = _grid(outcome, recorded, exact, exact.over(minutes_ms))
    connectors = _connectors(outcome, recorded)
    connector_s = len(connectors) * (scenario.ends_at - scenario.starts_at) / MS_PER_SECOND
    return Summary(
        scenario=scenario.name,
        strategy=scenario.options.strategy,
        seed=scenario.seed,
        starts_at=scenario.starts_at,
        ends_at=scenario.ends_at,
        visits=_visits(outcome.ledger),
        delivery=_delivery(outcome.ledger),
        waiting=_waiting(outcome.ledger),
        grid=grid,
        storage=_storage(recorded),
        cost=_cost(outcome, exact, grid.peak_quarter_hour_w),
        co2_g=_priced(exact, exact.grid_w.clip(min=0.0), scenario.tariff.co2_g_per_kwh),
        occupied=sum(use.occupied_s for use in connectors) / connector_s,
        charging=sum(use.charging_s for use in connectors) / connector_s,
        connectors=connectors,
    )


def jain_index(shares: Sequence[float]) -> float:
    """Jain's fairness index (sum x)^2 / (n sum x^2), from 1/n to 1; 1 where nobody got anything."""
    squares = sum(x * x for x in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares > 0.0 else 1.0


def _served(ledger: Sequence[VisitRecord]) -> list[VisitRecord]:
    return [visit for visit in ledger if visit.connector]


def _visits(ledger: Sequence[VisitRecord]) -> Visits:
    endings = [visit.ending for visit in ledger]
    return Visits(
        came=len(ledger),
        served=len(_served(ledger)),
        satisfied=endings.count(Ending.SATISFIED),
        left_short=endings.count(Ending.DEPARTED),
        turned_away=endings.count(Ending.TURNED_AWAY),
        still_there=endings.count(Ending.STILL_THERE),
    )


def _delivery(ledger: Sequence[VisitRecord]) -> Delivery:
    shares = [visit.served_part for visit in _served(ledger) if visit.served_part is not None]
    return Delivery(
        asked_wh=sum(visit.asked_wh for visit in ledger),
        beyond_wh=sum(visit.asked_wh - visit.fitting_wh for visit in ledger),
        delivered_wh=sum(visit.delivered_wh for visit in ledger),
        unmet_wh=sum(visit.unmet_wh for visit in ledger),
        drawn_wh=sum(visit.drawn_wh for visit in ledger),
        fairness=jain_index(shares),
    )


def _waiting(ledger: Sequence[VisitRecord]) -> Waiting:
    queued = _mean_and_p95([visit.queued_s for visit in ledger])
    waited = _mean_and_p95([visit.waited_s for visit in _served(ledger)])
    return Waiting(*queued, *waited)


def _mean_and_p95(seconds: list[float]) -> tuple[float, float]:
    if not seconds:
        return 0.0, 0.0
    return float(np.mean(seconds)), float(np.percentile(seconds, 95))


def _grid(outcome: Outcome, recorded: Recorded, exact: Flows, minutes: Flows) -> Grid:
    scenario, grid_w = outcome.scenario, exact.grid_w
    quarters = minutes.over(sample_edges(scenario.starts_at, scenario.ends_at, 15 * MS_PER_MINUTE))
    limit_w = min(w for _, w in grid_limit_steps(scenario))
    return Grid(
        import_wh=_energy_wh(exact, grid_w.clip(min=0.0)),
        export_wh=_energy_wh(exact, (-grid_w).clip(min=0.0)),
        load_wh=_energy_wh(exact, exact.load_w),
        generation_wh=_energy_wh(exact, exact.generation_w),
        curtailed_wh=_energy_wh(exact, exact.curtailed_w),
        peak_minute_w=float(minutes.grid_w.max(initial=0.0)),
        peak_quarter_hour_w=float(quarters.grid_w.max(initial=0.0)),
        peak_instant_w=peak_import_w(recorded),
        limit_w=limit_w if isfinite(limit_w) else None,
        tight_s=outcome.tight_ms / MS_PER_SECOND,
    )


def _energy_wh(flow: Flows, power_w: Floats) -> float:
    return float(np.dot(power_w, flow.hours))


def _storage(recorded: Recorded) -> StorageUse | None:
    scenario, model = recorded.scenario, recorded.scenario.site.storage
    at_ends_wh = stored_wh(recorded, np.array([scenario.starts_at, scenario.ends_at]))
    if model is None or at_ends_wh is None:
        return None
    terminals_wh, gain_wh = recorded.storage.energy_wh(), storage_gain_wh(recorded)
    return StorageUse(
        charged_wh=float(terminals_wh.clip(min=0.0).sum()),
        discharged_wh=float((-terminals_wh).clip(min=0.0).sum()),
        loss_wh=float((terminals_wh - gain_wh).sum()),
        full_cycles=float(np.abs(gain_wh).sum()) / (2.0 * model.capacity_wh),
        soc_start=float(at_ends_wh[0]) / model.capacity_wh,
        soc_end=float(at_ends_wh[1]) / model.capacity_wh,
    )


def _cost(outcome: Outcome, exact: Flows, peak_w: float) -> Cost | None:
    tariff, grid_w = outcome.scenario.tariff, exact.grid_w
    bought = _priced(exact, grid_w.clip(min=0.0), tariff.import_price_per_kwh)
    if bought is None:
        return None
    sold = _priced(exact, (-grid_w).clip(min=0.0), tariff.export_price_per_kwh) or 0.0
    demand = peak_w / 1_000.0 * tariff.demand_price_per_kw + _peak_charge(outcome, exact)
    return Cost(tariff.currency, bought, sold, demand, bought - sold + demand)


def _peak_charge(outcome: Outcome, exact: Flows) -> float:
    peak, scenario = outcome.scenario.tariff.peak, outcome.scenario
    if peak is None:
        return 0.0
    grid_w = StepSeries(zip(exact.edges_ms[:-1].tolist(), exact.grid_w.tolist(), strict=True))
    hours = means(grid_w, scenario.starts_at, scenario.ends_at, peak)
    return sum(month.cost for month in monthly_peaks(hours, peak))


def _priced(exact: Flows, power_w: Floats, per_kwh: StepSeries | None) -> float | None:
    """Sum over the pieces of energy times its mean price (or carbon) per kWh; None where that is not known."""
    if per_kwh is None:
        return None
    return float(np.dot(power_w * exact.hours, sampled_mean(per_kwh, exact.edges_ms)) / 1_000.0)


def _connectors(outcome: Outcome, recorded: Recorded) -> tuple[ConnectorUse, ...]:
    number = {visit.id: i for i, visit in enumerate(outcome.scenario.visits)}
    drawing = recorded.vehicles.power_w > 0.0
    lengths_s = (recorded.vehicles.end_ms - recorded.vehicles.start_ms)[drawing] / MS_PER_SECOND
    charging_s = np.bincount(recorded.vehicles.source[drawing], weights=lengths_s, minlength=len(number))
    visits: dict[str, list[VisitRecord]] = {place.connector: [] for place in outcome.scenario.site.places}
    for visit in _served(outcome.ledger):
        visits[visit.connector].append(visit)
    return tuple(
        ConnectorUse(
            connector=connector,
            visits=len(there),
            occupied_s=sum(visit.ended_at - visit.plugged_at for visit in there) / MS_PER_SECOND,
            charging_s=float(sum(charging_s[number[visit.id]] for visit in there)),
            delivered_wh=sum(visit.delivered_wh for visit in there),
        )
        for connector, there in visits.items()
    )
