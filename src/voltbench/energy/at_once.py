"""What it would cost if every car charged as soon as it could: what plans are compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf

import numpy as np

from voltbench.energy.arrays import Floats
from voltbench.energy.fleet import most_drawn_w
from voltbench.energy.place import Place, Reservoir
from voltbench.energy.plan import Horizon, PlannedCar, hours_present, plan
from voltbench.energy.plan_car import Losses
from voltbench.energy.schedule import placed, stretches_of
from voltbench.energy.settle import Connection, Drawn, settled
from voltbench.quantities import MS_PER_HOUR

AS_MUCH_WH = 1.0
"""What all cars have together is as much as this near to it."""


def drawn_at_once(horizon: Horizon, cars: Sequence[PlannedCar]) -> Floats:
    """The energies that cars draw that do not wait (cars x slots, Wh), under the same limits.

    A car with losses draws all the power it may, and more than it is given.
    """
    return _at_once(horizon, cars)[0]


def cost_at_once(horizon: Horizon, cars: Sequence[PlannedCar], had_wh: Floats | None = None) -> float | None:
    """What these energies cost. `had_wh` is what a plan gives each car: None where at once they would have another sum.

    That goes for what all of them need, and for what they have with what they would like beyond. Raises InvalidInput,
    as `plan` does.
    """
    drawn_wh, given_wh = _at_once(horizon, cars)
    if had_wh is not None and not _is_as_much(given_wh, had_wh, cars):
        return None
    return float(drawn_wh.sum(axis=0) @ horizon.slots.price_per_kwh) / 1e3


def imported_at_once_w(
    horizon: Horizon, cars: Sequence[PlannedCar], place: Place, batteries: Sequence[Reservoir | None]
) -> Floats:
    """The mean power that a place imports in each slot if its cars do not wait, and nothing gives.

    The horizon's limit is what load and generation leave of the connection. `batteries` are those of the cars.
    """
    slots, load_w = horizon.slots, np.array(place.load_w)
    sun_w, free = np.array(place.generation_w or np.zeros(len(load_w))), np.zeros(len(load_w))
    over = Connection(slots.edges, load_w, sun_w, free, free, place.import_limit_w, inf)
    cars = as_batteries_let(cars, batteries)
    cars_wh, drawn = drawn_at_once(horizon, cars), list[Drawn]()
    for car, energy_wh in zip(cars, cars_wh, strict=True):
        drawn += _parts(horizon, car, energy_wh)
    slot = np.searchsorted(slots.edges, [one.begins_at for one in drawn], side="right") - 1
    steady_wh = cars_wh.sum(axis=0)
    np.subtract.at(steady_wh, slot, [one.energy_wh for one in drawn])
    imported_w: Floats = settled(over, steady_wh / horizon.hours, drawn).bought_wh / horizon.hours
    return imported_w


def as_batteries_let(cars: Sequence[PlannedCar], batteries: Sequence[Reservoir | None]) -> list[PlannedCar]:
    """The same cars, each with no more power than its battery takes."""
    return [
        car if battery is None else replace(car, most_w=min(car.most_w, battery.charge_w))
        for car, battery in zip(cars, batteries, strict=True)
    ]


def _parts(horizon: Horizon, car: PlannedCar, energy_wh: Floats) -> Iterator[Drawn]:
    """What a car draws for a part of a slot, since it is less than its minimum all through it."""
    stretches = stretches_of(car, energy_wh, hours_present(horizon, car))
    for (slot, hours, _), (begins_at, ends_at, _) in zip(stretches, placed(horizon.edges, car, stretches), strict=True):
        if round(hours * MS_PER_HOUR) < horizon.edges[slot + 1] - horizon.edges[slot] and ends_at > begins_at:
            yield Drawn(begins_at, ends_at, float(energy_wh[slot]))


def _at_once(horizon: Horizon, cars: Sequence[PlannedCar]) -> tuple[Floats, Floats]:
    """What each car draws in each slot, and what it is given in all."""
    if len(cars) == 1 and cars[0].losses is not None:
        return _with_losses(horizon, cars[0], cars[0].losses)
    by_time = replace(horizon, price_per_kwh=tuple(map(float, range(len(horizon.price_per_kwh)))))
    drawn_wh = plan(by_time, cars, exact=False).energy_wh
    return drawn_wh, drawn_wh.sum(axis=1)


def _is_as_much(given_wh: Floats, had_wh: Floats, cars: Sequence[PlannedCar]) -> bool:
    needed_wh = np.array([car.needed_wh for car in cars])
    beyond_wh = float(given_wh.sum() - had_wh.sum())
    of_needs_wh = float((np.minimum(given_wh, needed_wh) - np.minimum(had_wh, needed_wh)).sum())
    return abs(beyond_wh) <= AS_MUCH_WH and abs(of_needs_wh) <= AS_MUCH_WH


def _with_losses(horizon: Horizon, car: PlannedCar, losses: Losses) -> tuple[Floats, Floats]:
    drawn_w = most_drawn_w(horizon.slots, car, horizon.slots.limits_w)
    given_w = np.array([losses.given_for(power_w) for power_w in drawn_w.tolist()])
    room_wh = given_w * hours_present(horizon, car)
    before_wh = np.cumsum(room_wh) - room_wh
    given_wh = np.clip(car.needed_wh + car.extra_wh - before_wh, 0.0, room_wh)
    drawn_wh = given_wh * np.divide(drawn_w, given_w, out=np.zeros_like(drawn_w), where=given_w > 0.0)
    return drawn_wh[None, :], given_wh.sum(keepdims=True)
