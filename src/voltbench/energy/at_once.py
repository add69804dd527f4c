"""What it would cost if every car charged as soon as it could: what plans are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from voltbench.energy.plan import Horizon, PlannedCar, hours_present, most_drawn_w, plan
from voltbench.energy.plan_car import Losses

Floats = NDArray[np.float64]


def drawn_at_once(horizon: Horizon, cars: Sequence[PlannedCar]) -> Floats:
    """The energies that cars draw that do not wait (cars x slots, Wh), under the same limits.

    A car with losses draws all the power it may, and more than it is given.
    """
    if len(cars) == 1 and cars[0].losses is not None:
        return _drawn_with_losses(horizon, cars[0], cars[0].losses)[None, :]
    by_time = replace(horizon, price_per_kwh=tuple(map(float, range(len(horizon.price_per_kwh)))))
    return plan(by_time, cars, exact=False).energy_wh


def cost_at_once(horizon: Horizon, cars: Sequence[PlannedCar]) -> float:
    """What these energies cost. Raises InvalidInput, as `plan` does."""
    return float(drawn_at_once(horizon, cars).sum(axis=0) @ horizon.slots.price_per_kwh) / 1e3


def _drawn_with_losses(horizon: Horizon, car: PlannedCar, losses: Losses) -> Floats:
    drawn_w = most_drawn_w(horizon.slots, car, horizon.slots.limits_w)
    given_w = np.array([losses.given_for(power_w) for power_w in drawn_w.tolist()])
    room_wh = given_w * hours_present(horizon, car)
    before_wh = np.cumsum(room_wh) - room_wh
    given_wh = np.clip(car.needed_wh + car.extra_wh - before_wh, 0.0, room_wh)
    drawn: Floats = given_wh * np.divide(drawn_w, given_w, out=np.zeros_like(drawn_w), where=given_w > 0.0)
    return drawn
