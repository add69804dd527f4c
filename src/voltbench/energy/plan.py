"""When cars charge: the cheapest plan in which each has what it needs when it departs, as far as that can be.

Departure comes first, then cost. A plan is never impossible: what cannot be had is told as a shortfall, with the
limits that stand in its way and when they do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from operator import attrgetter

import numpy as np

from voltbench.energy.arrays import NEGLIGIBLE_WH, Floats
from voltbench.energy.fleet import Fleet, PlanSlots, most_drawn_w
from voltbench.energy.minimums import SMALL
from voltbench.energy.plan_blocks import with_blocks
from voltbench.energy.plan_car import CarPlan, Losses, Stretch, plan_block, plan_car, plan_with_losses
from voltbench.energy.plan_draft import FleetDraft, together
from voltbench.energy.plan_effort import MOST_STEPS, Effort
from voltbench.energy.schedule import CAR, SITE, CarSchedule, CarTimeline, Hindrance, Plan
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR, Instant

__all__ = [
    "CAR",
    "SITE",
    "CarSchedule",
    "Hindrance",
    "Horizon",
    "Plan",
    "PlannedCar",
    "hours_present",
    "most_drawn_w",
    "plan",
]

_IN_ONE_GO = attrgetter("in_one_go")
LONGEST_NAME, MOST_NAMES = 100, 20
"""More letters of a name, and more names, are not told."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """The slots of a plan: their edges, and what an energy costs in each. `site_w` is the power that cars may share.

    `circuits_w` is the same for parts of the site, by name.
    """

    edges: tuple[Instant, ...]
    price_per_kwh: tuple[float, ...]
    site_w: tuple[float, ...]
    circuits_w: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    slots: PlanSlots = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        edges = np.array(self.edges, dtype=np.float64)
        if len(edges) < 2 or not (edges[1:] > edges[:-1]).all():
            raise InvalidInput("edges", "do not rise", found=str(self.edges[:9]), allowed="at least two, rising")
        count = len(edges) - 1
        price_per_kwh = _finite("price_per_kwh", self.price_per_kwh, count)
        rows = {"site_w": self.site_w, **self.circuits_w}
        limits_w = np.array([_finite(name, series, count) for name, series in rows.items()])
        np.maximum(limits_w, 0.0, out=limits_w)  # nothing is left where loads take all and more
        object.__setattr__(self, "slots", PlanSlots(edges, price_per_kwh, limits_w, tuple(self.circuits_w)))

    @property
    def hours(self) -> Floats:
        """How long each slot is."""
        return self.slots.hours


def _finite(name: str, series: Sequence[float], count: int) -> Floats:
    """A series as an array, if it has a number for each slot."""
    if len(series) != count:
        raise InvalidInput(name, "does not fit the slots", found=len(series), allowed=f"{count} values")
    numbers = np.array(series, dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise InvalidInput(name, "holds a value that is not finite", allowed="numbers")
    return numbers


@dataclass(frozen=True, slots=True)
class PlannedCar:
    """What a car needs at its connector until it departs (`needed_wh`), and what it would like beyond (`extra_wh`).

    It draws at most `most_w`, and at least `least_w` while it charges. A higher `priority` is served first where not
    all can be. `in_one_go` is without a pause. `losses` say what its charger draws to give so much: then needs are what
    is given, powers and limits what is drawn. Without any both are the same.
    """

    id: str
    arrives_at: Instant
    departs_at: Instant
    needed_wh: float
    most_w: float
    least_w: float = 0.0
    extra_wh: float = 0.0
    circuit: str | None = None
    priority: int = 0
    in_one_go: bool = False
    losses: Losses | None = None

    def __post_init__(self) -> None:
        if self.departs_at <= self.arrives_at:
            allowed = f"> {self.arrives_at}"
            raise InvalidInput("departs_at", "is not after its arrival", found=self.departs_at, allowed=allowed)
        for part, found in (("needed_wh", self.needed_wh), ("extra_wh", self.extra_wh), ("least_w", self.least_w)):
            if not (isfinite(found) and found >= 0.0):
                raise InvalidInput(part, "is out of range", found=found, allowed="0 or more")
        if not (isfinite(self.most_w) and self.most_w > 0.0):
            raise InvalidInput("most_w", "is out of range", found=self.most_w, allowed="above 0")
        if self.least_w > self.most_w:
            raise InvalidInput("least_w", "is more than the most", found=self.least_w, allowed=f"<= {self.most_w}")
        if self.losses is not None and self.losses.drawn_w[0] > self.most_w:
            found, allowed = self.losses.drawn_w[0], f"<= {self.most_w}"
            raise InvalidInput("losses[0].drawn_w", "is more than the most", found=found, allowed=allowed)


def plan(horizon: Horizon, cars: Sequence[PlannedCar], *, exact: bool = True, most_steps: float = MOST_STEPS) -> Plan:
    """The cheapest plan for these cars: departures first, then cost. No limit is exceeded at any instant of it.

    One car's plan is exact always. A fleet's is exact unless `exact` is False, with three exceptions: minimum powers
    are seen to by trying (`minimums`); cars that charge in one go are planned one by one, before or after the others of
    their priority, whichever lacks less and then costs less (`plan_blocks`); and where cars times slots are more than
    200,000, slots are no longer cut where all cars come and go, so that most count in whole slots only. One that is not
    exact costs more, but does not lack more, except for minimum powers: with these it lacks no more than charging at
    once does, and with as little lacking it costs no more, unless it lacks nothing with more than 5,000 cars times
    slots. After `most_steps` of work the best plan that was found is taken, and says so (`Plan.is_exact`,
    `Plan.is_cut_short`). Losses are for one car alone. Raises InvalidInput.
    """
    check(horizon, cars)
    slots = horizon.slots
    if len(cars) == 1:
        return _alone(slots, cars[0])
    fleet = Fleet.of(cars, slots.circuits)
    slots = slots.cut(fleet)
    has_blocks, effort = any(map(_IN_ONE_GO, cars)), Effort(most_steps, exact=exact)
    drafting = with_blocks if has_blocks else together
    draft = drafting(slots, fleet, cars, effort)
    if not exact and fleet.least_w.any() and (draft.energy_wh.size <= SMALL or draft.short_wh.any()):
        draft = _at_once_if_better(draft, drafting, slots, fleet, cars, most_steps)
    return Plan(
        cars,
        slots.joined(draft.energy_wh),
        draft.costs,
        draft.short_wh,
        draft.timeline,
        is_exact=effort.is_for_exact and not has_blocks and not fleet.least_w.any(),
        is_cut_short=effort.is_over,
    )


def _at_once_if_better(
    draft: FleetDraft,
    drafting: Callable[[PlanSlots, Fleet, Sequence[PlannedCar], Effort], FleetDraft],
    slots: PlanSlots,
    fleet: Fleet,
    cars: Sequence[PlannedCar],
    most_steps: float,
) -> FleetDraft:
    """The draft, or the one in which nobody waits where that is better: with minimums neither is the best there is."""
    prices = slots.price_per_kwh if slots.first is None else slots.price_per_kwh[slots.first]
    if (np.diff(prices) > 0.0).all():
        return draft  # that is it
    at_once = drafting(slots.by_time(), fleet, cars, Effort(most_steps, exact=False)).at(slots.price_per_kwh)
    return min(draft, at_once, key=lambda one: one.badness(fleet))


def check(horizon: Horizon, cars: Sequence[PlannedCar], *, in_place: bool = False) -> None:
    """Require that ids are distinct, circuits known, and nothing is asked for that only one car alone can have."""
    if len({car.id for car in cars}) < len(cars):
        ids = [car.id for car in cars]
        raise InvalidInput("cars", "have an id twice", found=next(id for id in ids if ids.count(id) > 1))
    for number, car in enumerate(cars):
        if car.circuit is not None and car.circuit not in horizon.circuits_w:
            found, allowed = _told(car.circuit), ", ".join(map(_told, list(horizon.circuits_w)[:MOST_NAMES]))
            raise InvalidInput(f"cars[{number}].circuit", "is unknown", found=found, allowed=allowed or "none")
        if in_place and car.in_one_go:
            raise InvalidInput(f"cars[{number}].in_one_go", "cannot be planned with a place", allowed="False")
        if car.losses is not None and (
            in_place or len(cars) > 1 or car.in_one_go or car.least_w > car.losses.drawn_w[0]
        ):
            allowed = "a car alone, not in one go, whose losses begin at its least power"
            raise InvalidInput(f"cars[{number}].losses", "cannot be planned with", allowed=allowed)


def _told(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."


def hours_present(horizon: Horizon, car: PlannedCar) -> Floats:
    """How many hours of each slot a car is there."""
    return _present_h(horizon.slots.edges, car)


def _present_h(edges: Floats, car: PlannedCar) -> Floats:
    hours: Floats = np.minimum(edges[1:], car.departs_at)
    hours -= np.maximum(edges[:-1], car.arrives_at)
    return np.maximum(hours, 0.0) / MS_PER_HOUR


# --- one car ----------------------------------------------------------------------------------------------------------


def _alone(slots: PlanSlots, car: PlannedCar) -> Plan:
    most_w, present_h = most_drawn_w(slots, car, slots.limits_w), _present_h(slots.edges, car)
    given: list[Stretch] | None = None
    if car.losses is None:
        found = _planned(slots, car, most_w * present_h)
    else:
        given_w = np.array([car.losses.given_for(power_w) for power_w in most_w.tolist()]) * (present_h > 0.0)
        needed_wh = car.needed_wh + car.extra_wh
        found, given = plan_with_losses(slots.price_per_kwh, given_w, present_h, needed_wh, car.losses)

    def timeline() -> CarTimeline:
        stretches = _stretches(found, most_w) if given is None else _drawn(given, car)
        return CarTimeline(slots, car, stretches, present_h)

    lacks_wh = found.shortfall_wh - car.extra_wh
    short_wh = np.array([lacks_wh if lacks_wh > NEGLIGIBLE_WH else 0.0])
    return Plan([car], found.energy_wh[:, None], np.array([found.cost]), short_wh, timeline)


def _drawn(given: Sequence[Stretch], car: PlannedCar) -> list[Stretch]:
    """What is drawn to give that, where the charger has losses."""
    if car.losses is None:
        return list(given)
    return [one._replace(power_w=round(car.losses.drawn_for(one.power_w), 9)) for one in given]  # not a hair too little


def _planned(slots: PlanSlots, car: PlannedCar, room_wh: Floats) -> CarPlan:
    return (plan_block if car.in_one_go else plan_car)(slots.price_per_kwh, room_wh, car.needed_wh + car.extra_wh)


def _stretches(found: CarPlan, most_w: Floats) -> list[Stretch]:
    """Each slot's energy at the most power there is."""
    used = np.flatnonzero(found.energy_wh > NEGLIGIBLE_WH)
    power_w = most_w[used]
    hours = found.energy_wh[used] / power_w
    return list(map(Stretch, used.tolist(), hours.tolist(), power_w.tolist()))
