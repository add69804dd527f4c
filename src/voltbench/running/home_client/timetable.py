"""A plan for one car at one home: when the charger is on until it departs, and what will be lacking."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise, takewhile

from voltbench.energy.plan import SITE, CarSchedule, Horizon, PlannedCar, plan
from voltbench.quantities import MS_PER_HOUR, DurationMs
from voltbench.running.home_client.household import Household
from voltbench.running.home_client.wishes import Wishes
from voltbench.site.calendar import QUARTER_MS

CAR_NAME = "car"
LOYALTY = 0.01
"""A car that charges goes on while the price stays the same to this part, unless another time is cheaper by more."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """When the charger is on, on the home's clock, and what that costs."""

    schedule: CarSchedule
    cost_ore: float

    def wants(self, at: DurationMs) -> bool:
        """Whether it is on then."""
        steps = self.schedule.steps
        number = bisect_right(steps, at, key=lambda step: step[0])
        return number > 0 and steps[number - 1][1] > 0.0

    def drawn_wh(self, until: DurationMs) -> float:
        """What it has drawn by then."""
        steps = [*self.schedule.steps, (until, 0.0)]
        return sum(
            power_w * max(0, min(ends_at, until) - begins_at) / MS_PER_HOUR
            for (begins_at, power_w), (ends_at, _) in pairwise(steps)
        )

    def next_change(self, at: DurationMs) -> DurationMs | None:
        """When it goes on or off next."""
        return next((begins_at for begins_at, _ in self.schedule.steps if begins_at > at), None)

    def words(self, household: Household) -> str:
        """The times at which it is on."""
        steps = self.schedule.steps
        spans = [
            f"{household.clock(begins_at)} to {household.clock(ends_at)}"
            for (begins_at, power_w), (ends_at, _) in pairwise(steps)
            if power_w > 0.0
        ]
        return ", ".join(spans) or "never"


def timetable(
    household: Household,
    wishes: Wishes,
    begins_at: DurationMs,
    departs_at: DurationMs,
    needed_wh: float,
    blocked: range = range(0),
    is_on: bool = False,
) -> Timetable:
    """The cheapest hours from now on until departure, in which the fuse is kept; none in the `blocked` time.

    A charger that `is_on` stays on where that costs hardly more, so that plans made anew do not switch it to and fro.
    """
    edges: list[DurationMs] = []
    slots: list[tuple[float, bool]] = []
    at = begins_at
    while at < departs_at:
        slot = (household.price_at(at), wishes.keeps_fuse(household.load_at(at)) and at not in blocked)
        if not slots or slots[-1] != slot:
            edges.append(at)
            slots.append(slot)
        at += QUARTER_MS - at % QUARTER_MS
    prices = [price for price, _ in slots]
    running = _running(slots) if is_on else 0
    felt = [price - LOYALTY * abs(price) * (number < running) for number, price in enumerate(prices)]
    site_w = tuple(wishes.power_w if fits else 0.0 for _, fits in slots)
    horizon = Horizon((*edges, departs_at), tuple(felt), site_w)
    car = PlannedCar(CAR_NAME, begins_at, departs_at, needed_wh, wishes.power_w, least_w=wishes.power_w)
    schedule = plan(horizon, [car]).schedules[0]
    return Timetable(schedule, float(schedule.energy_wh @ prices) / 1e3)


def _running(slots: list[tuple[float, bool]]) -> int:
    """How many of the first slots a car that charges takes for one block: they fit, and cost about the same."""
    first_ore = slots[0][0]
    same = takewhile(lambda slot: slot[1] and abs(slot[0] - first_ore) <= LOYALTY * abs(first_ore), slots)
    return len(list(same))


def lacking(found: Timetable, spare_wh: float = 0.0) -> str | None:
    """What will be lacking, in words; that there is nothing to spare is no lack."""
    missing_wh = found.schedule.shortfall_wh - spare_wh
    return None if missing_wh <= 1.0 else f"{missing_wh / 1e3:.2f} kWh will be lacking at departure"


def reasons(household: Household, found: Timetable) -> str:
    """What stands in the way of more, and when."""
    each = [
        f"{'the fuse' if why.limit == SITE else 'no more time'} from {household.clock(why.begins_at)} "
        f"to {household.clock(why.ends_at)}"
        for why in found.schedule.hindrances
    ]
    return ", ".join(each)
