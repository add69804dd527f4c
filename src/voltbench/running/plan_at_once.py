"""The plan in which nobody waits: what others are compared with, as one that can be followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from voltbench.energy.arrays import NEGLIGIBLE_WH
from voltbench.energy.at_once import as_batteries_let, drawn_at_once
from voltbench.energy.optimize import PlacePlan
from voltbench.energy.place import Place, Reservoir
from voltbench.energy.plan import Horizon, Plan, PlannedCar, hours_present, most_drawn_w, plan
from voltbench.energy.plan_car import Losses, Stretch
from voltbench.energy.schedule import CarTimeline


def plan_at_once(horizon: Horizon, cars: Sequence[PlannedCar]) -> Plan:
    """Every car charges as soon as it can, as `cost_at_once` has it, under the same limits. Raises InvalidInput."""
    if len(cars) == 1 and cars[0].losses is not None:
        return _with_losses(horizon, cars[0], cars[0].losses)
    found = _plan_by_time(horizon, cars)
    costs = found.energy_wh @ horizon.slots.price_per_kwh / 1e3
    return Plan(cars, found.energy_wh.T, costs, found.short_wh, lambda: found.timeline, is_exact=False)


def _plan_by_time(horizon: Horizon, cars: Sequence[PlannedCar]) -> Plan:
    by_time = replace(horizon, price_per_kwh=tuple(map(float, range(len(horizon.price_per_kwh)))))
    return plan(by_time, cars, exact=False)


def _with_losses(horizon: Horizon, car: PlannedCar, losses: Losses) -> Plan:
    """The charger draws all it may, whatever it loses, until the car has enough."""
    slots, drawn_wh = horizon.slots, drawn_at_once(horizon, [car])
    power_w = most_drawn_w(slots, car, slots.limits_w)
    hours = np.divide(drawn_wh[0], power_w, out=np.zeros_like(power_w), where=power_w > 0.0)
    given_wh = hours * np.array([losses.given_for(one_w) for one_w in power_w.tolist()])
    lacks_wh = car.needed_wh - float(given_wh.sum())
    used = np.flatnonzero(hours > 0.0)
    stretches = list(map(Stretch, used.tolist(), hours[used].tolist(), power_w[used].tolist()))
    return Plan(
        [car],
        given_wh[:, None],
        drawn_wh @ slots.price_per_kwh / 1e3,
        np.array([lacks_wh if lacks_wh > NEGLIGIBLE_WH else 0.0]),
        lambda: CarTimeline(slots, car, stretches, hours_present(horizon, car)),
        is_exact=False,
    )


def place_at_once(
    rests: PlacePlan,
    horizon: Horizon,
    cars: Sequence[PlannedCar],
    place: Place,
    storage: Reservoir | None,
    batteries: Sequence[Reservoir | None],
) -> PlacePlan | None:
    """A place whose cars do not wait and whose batteries give nothing; None where that leaves more to be wished for.

    It lacks what the plan `rests` on lacks, whose `cost_at_once` is what it costs but for the cars' wear.
    """
    found = _plan_by_time(horizon, as_batteries_let(cars, batteries))
    drawn_wh, hours = found.energy_wh, horizon.hours
    if rests.cost_at_once is None or rests.unserved_w.any() or not _may_rest(storage):
        return None
    wear = 0.0
    for battery, energy_wh in zip(batteries, drawn_wh.sum(axis=1).tolist(), strict=True):
        if battery is None:
            continue
        if not _may_rest(battery) or battery.stored_wh + energy_wh * battery.charge_efficiency > battery.capacity_wh:
            return None
        wear += energy_wh / 1e3 * battery.wear_per_kwh / 2.0
    surplus_w = (np.array(place.generation_w) if place.generation_w else 0.0) - np.array(place.load_w)
    surplus_w = surplus_w - drawn_wh.sum(axis=0) / hours
    earned = np.array(place.export_price_per_kwh) if place.export_price_per_kwh else np.zeros(len(hours))
    import_w, export_w = np.maximum(-surplus_w, 0.0), np.clip(surplus_w, 0.0, place.export_limit_w)
    export_w[earned <= 0.0] = 0.0  # nobody has to pay for selling
    paid = float((import_w * horizon.slots.price_per_kwh - export_w * earned) @ hours) / 1e3
    if abs(paid - rests.cost_at_once) > 1e-6 * max(1.0, abs(paid)):
        return None  # within a slot it buys and sells, which means do not tell
    return replace(
        rests,
        cars_w=drawn_wh / hours,
        steps=tuple(schedule.steps for schedule in found.schedules),
        storage_w=np.zeros(len(hours)),
        import_w=import_w,
        export_w=export_w,
        curtailed_w=np.maximum(surplus_w, 0.0) - export_w,
        cost=paid + wear,
        co2_g=float(import_w * hours @ np.array(place.co2_g_per_kwh or np.zeros(len(hours)))) / 1e3,
    )


def _may_rest(battery: Reservoir | None) -> bool:
    """Whether a battery that is left alone ends as it should."""
    if battery is None:
        return True
    return battery.stored_wh >= max(battery.least_wh, battery.least_at_end_wh or 0.0)
