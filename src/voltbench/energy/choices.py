"""Good guesses at who charges when in a whole place, where cars have minimum powers.

The fleet is planned with its minimums as if there were no batteries at all; then as the program without minimums says
how much goes into cars in each slot, with that as a limit. What is left to find, the program finds itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from voltbench.energy.arrays import NEGLIGIBLE_WH, Flags, Floats
from voltbench.energy.demand import Demand
from voltbench.energy.fleet import Fleet
from voltbench.energy.minimums import with_minimums
from voltbench.energy.plan import Horizon, PlannedCar, plan
from voltbench.energy.plan_effort import Effort

MORE = (0.0, 0.5, 2.0, 8.0)
"""How much more than without minimums all cars may take in a slot, in parts of the greatest minimum, guess by guess."""


def likely(
    horizon: Horizon,
    cars: Sequence[PlannedCar],
    energy_wh: Floats,
    room_wh: Floats,
    least_wh: Floats,
    spare_wh: Floats,
) -> Iterator[Flags]:
    """Who charges when (T x C), guess by guess, so that there is room for their minimums.

    `energy_wh` is what cars take without minimums and `spare_wh` what the site could give to them beyond that in each
    slot; `room_wh` is what they can take, and `least_wh` the least that has to be.
    """
    yield (plan(horizon, cars).energy_wh.T > NEGLIGIBLE_WH) & (room_wh > 0.0)
    fleet, slots = Fleet.of(cars, horizon.slots.circuits), horizon.slots
    taken_wh = np.clip(energy_wh, 0.0, room_wh)  # the solver's rounding goes beyond
    for part in MORE:
        limits_wh = slots.limits_w * slots.hours
        limits_wh[0] = taken_wh.sum(axis=1) + np.minimum(spare_wh, part * least_wh.max(axis=1))
        demand = Demand(slots.price_per_kwh, room_wh, limits_wh, fleet.limit, [taken_wh.sum(axis=0)])
        yield with_minimums(demand, least_wh, Effort()) > NEGLIGIBLE_WH
