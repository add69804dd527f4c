"""When cars charge: the cheapest plan in which each has what it needs when it departs, as far as that can be.

Departure comes first, then cost. A plan is never impossible: what cannot be had is told as a shortfall, with the
limits that stand in its way and when they do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from voltbench.energy.demand import Demand
from voltbench.energy.fleet import Fleet, Floats, Integers, Slots, Stretches
from voltbench.energy.minimums import with_minimums
from voltbench.energy.plan_car import LEAST_WH, CarPlan, Losses, Stretch, plan_block, plan_car, plan_with_losses
from voltbench.energy.schedule import CAR, SITE, CarCourse, CarSchedule, FleetCourse, Hindrance, Plan
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR, Instant

__all__ = ["CAR", "SITE", "CarSchedule", "Hindrance", "Horizon", "Plan", "PlannedCar", "hours_present", "plan"]


@dataclass(frozen=True, slots=True)
class Horizon:
    """The slots of a plan: their edges, and what an energy costs in each. `site_w` is the power that cars may share.

    `circuits_w` is the same for parts of the site, by name.
    """

    edges: tuple[Instant, ...]
    price_per_kwh: tuple[float, ...]
    site_w: tuple[float, ...]
    circuits_w: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    slots: Slots = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        edges = np.array(self.edges, dtype=np.float64)
        if len(edges) < 2 or not (edges[1:] > edges[:-1]).all():
            raise InvalidInput("edges", "do not rise", found=str(self.edges[:9]), allowed="at least two, rising")
        count = len(edges) - 1
        price_per_kwh = _finite("price_per_kwh", self.price_per_kwh, count)
        rows = {"site_w": self.site_w, **self.circuits_w}
        limits_w = np.array([_finite(name, series, count) for name, series in rows.items()])
        np.maximum(limits_w, 0.0, out=limits_w)  # nothing is left where loads take all and more
        object.__setattr__(self, "slots", Slots(edges, price_per_kwh, limits_w, tuple(self.circuits_w)))

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
            raise InvalidInput("departs_at", "is not after its arrival", found=self.departs_at)
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


def plan(horizon: Horizon, cars: Sequence[PlannedCar], *, exact: bool = True) -> Plan:
    """The cheapest plan for these cars: departures first, then cost. No limit is exceeded at any instant of it.

    One car's plan is exact always. A fleet's is exact unless `exact` is False, with two exceptions: minimum powers are
    seen to by trying (`minimums`), and cars that charge in one go are planned one by one, before or after the others of
    their priority, whichever lacks less and then costs less. One that is not exact costs more, but does not lack more,
    except for minimum powers. Losses are for one car alone. Raises InvalidInput.
    """
    check(horizon, cars)
    for number, car in enumerate(cars):
        if car.losses is not None and (len(cars) > 1 or car.in_one_go or car.least_w > car.losses.drawn_w[0]):
            allowed = "a car alone, not in one go, whose losses begin at its least power"
            raise InvalidInput(f"cars[{number}].losses", "cannot be planned with", allowed=allowed)
    slots = horizon.slots
    if len(cars) == 1:
        return _alone(slots, cars[0])
    fleet = Fleet.of(cars, slots.circuits)
    slots = slots.cut(fleet)
    if any(car.in_one_go for car in cars):
        drafts = [_in_turn(slots, fleet, cars, exact, blocks_first) for blocks_first in (True, False)]
        draft = min(drafts, key=lambda draft: _badness(draft, fleet))
    else:
        draft = _together(slots, fleet, exact)
    return Plan(cars, slots.joined(draft.energy_wh), draft.costs, draft.short_wh, draft.course)


def check(horizon: Horizon, cars: Sequence[PlannedCar]) -> None:
    """Require that ids are distinct and circuits known."""
    if len({car.id for car in cars}) < len(cars):
        ids = [car.id for car in cars]
        raise InvalidInput("cars", "have an id twice", found=next(id for id in ids if ids.count(id) > 1))
    for number, car in enumerate(cars):
        if car.circuit is not None and car.circuit not in horizon.circuits_w:
            allowed = ", ".join(horizon.circuits_w) or "none"
            raise InvalidInput(f"cars[{number}].circuit", "is unknown", found=car.circuit, allowed=allowed)


def hours_present(horizon: Horizon, car: PlannedCar) -> Floats:
    """How many hours of each slot a car is there."""
    return _present_h(horizon.slots.edges, car)


def _present_h(edges: Floats, car: PlannedCar) -> Floats:
    hours: Floats = np.minimum(edges[1:], car.departs_at)
    hours -= np.maximum(edges[:-1], car.arrives_at)
    return np.maximum(hours, 0.0) / MS_PER_HOUR


# --- one car ----------------------------------------------------------------------------------------------------------


def _alone(slots: Slots, car: PlannedCar) -> Plan:
    most_w, present_h = most_drawn_w(slots, car, slots.limits_w), _present_h(slots.edges, car)
    given: list[Stretch] | None = None
    if car.losses is None:
        found = _planned(slots, car, most_w * present_h)
    else:
        given_w = np.array([car.losses.given_for(power_w) for power_w in most_w.tolist()]) * (present_h > 0.0)
        needed_wh = car.needed_wh + car.extra_wh
        found, given = plan_with_losses(slots.price_per_kwh, given_w, present_h, needed_wh, car.losses)

    def course() -> CarCourse:
        stretches = _stretches(found, most_w) if given is None else _drawn(given, car)
        return CarCourse(slots, car, stretches, found.energy_wh)

    lacks_wh = found.shortfall_wh - car.extra_wh
    short_wh = np.array([lacks_wh if lacks_wh > LEAST_WH else 0.0])
    return Plan([car], found.energy_wh[:, None], np.array([found.cost]), short_wh, course)


def _drawn(given: Sequence[Stretch], car: PlannedCar) -> list[Stretch]:
    """What is drawn to give that, where the charger has losses."""
    if car.losses is None:
        return list(given)
    return [one._replace(power_w=car.losses.drawn_for(one.power_w)) for one in given]


def most_drawn_w(slots: Slots, car: PlannedCar, left_w: Floats) -> Floats:
    """The most that a car can draw in each slot of what limits leave, row by row: nothing, or at least its least."""
    free_w = left_w[0]
    if car.circuit is not None:
        free_w = np.minimum(free_w, left_w[1 + slots.circuits.index(car.circuit)])
    most_w: Floats = np.minimum(free_w, car.most_w)
    if car.least_w:
        most_w[free_w < car.least_w] = 0.0
    return most_w


def _planned(slots: Slots, car: PlannedCar, room_wh: Floats) -> CarPlan:
    return (plan_block if car.in_one_go else plan_car)(slots.price_per_kwh, room_wh, car.needed_wh + car.extra_wh)


def _stretches(found: CarPlan, most_w: Floats) -> list[Stretch]:
    """Each slot's energy at the most power there is."""
    used = np.flatnonzero(found.energy_wh > LEAST_WH)
    power_w = most_w[used]
    hours = found.energy_wh[used] / power_w
    return list(map(Stretch, used.tolist(), hours.tolist(), power_w.tolist()))


# --- a fleet ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Draft:
    """A fleet's plan: energies by slot and car (T x C), costs and shortfalls by car."""

    energy_wh: Floats
    costs: Floats
    short_wh: Floats
    course: Callable[[], FleetCourse]


def _draft(slots: Slots, fleet: Fleet, energy_wh: Floats, course: Callable[[], FleetCourse]) -> _Draft:
    short_wh = fleet.needed_wh - energy_wh.sum(axis=0)
    short_wh[short_wh <= LEAST_WH] = 0.0
    return _Draft(energy_wh, slots.price_per_kwh @ energy_wh / 1e3, short_wh, course)


def _together(slots: Slots, fleet: Fleet, exact: bool) -> _Draft:
    """All cars at once."""
    energy_wh = _energies(slots, fleet, slots.limits_w, exact)

    def course() -> FleetCourse:
        stretches = Stretches.even(slots, fleet, energy_wh)
        left_w = slots.limits_w - stretches.on_limits(slots, fleet)
        return FleetCourse(slots, fleet, energy_wh, stretches, [left_w], np.zeros_like(fleet.limit))

    return _draft(slots, fleet, energy_wh, course)


def _in_turn(slots: Slots, fleet: Fleet, cars: Sequence[PlannedCar], exact: bool, blocks_first: bool) -> _Draft:
    """Group after group, each under what those before have left."""
    energy_wh, group_of = np.zeros((len(slots.price_per_kwh), len(cars))), np.zeros_like(fleet.limit)
    left_w, parts = [slots.limits_w], list[tuple[Integers, Stretches]]()
    for number, group in enumerate(_groups(fleet, cars, blocks_first), 1):
        some, first = fleet.some(group), cars[group[0]]
        if first.in_one_go:
            energy_wh[:, group], stretches = _block(slots, some, first, left_w[-1])
        else:
            energy_wh[:, group] = _energies(slots, some, left_w[-1], exact)
            stretches = Stretches.even(slots, some, energy_wh[:, group])
        left_w.append(np.maximum(0.0, left_w[-1] - stretches.on_limits(slots, some)))
        parts.append((group, stretches))
        group_of[group] = number

    def course() -> FleetCourse:
        return FleetCourse(slots, fleet, energy_wh, Stretches.joined(parts), left_w, group_of)

    return _draft(slots, fleet, energy_wh, course)


def _block(slots: Slots, alone: Fleet, car: PlannedCar, left_w: Floats) -> tuple[Floats, Stretches]:
    """A car that charges in one go, beside those before it: its energies (T x 1), at the most power there is."""
    most_w = most_drawn_w(slots, car, left_w)
    found = _planned(slots, car, np.where(alone.room_wh(slots)[:, 0] > 0.0, most_w, 0.0) * slots.hours)
    used = np.flatnonzero(found.energy_wh > LEAST_WH)
    hours = found.energy_wh[used] / most_w[used]
    return found.energy_wh[:, None], Stretches(np.zeros_like(used), used, hours, most_w[used])


def _groups(fleet: Fleet, cars: Sequence[PlannedCar], blocks_first: bool) -> list[Integers]:
    """Who is planned before whom: those of higher priority, and of each those in one go one by one."""
    is_block = np.array([car.in_one_go for car in cars])
    urgency = fleet.needed_wh / (fleet.most_w * (fleet.departs_at - fleet.arrives_at))
    groups: list[Integers] = []
    for priority in np.unique(fleet.priority)[::-1]:
        blocks = np.flatnonzero(is_block & (fleet.priority == priority))
        alone = list(blocks[np.argsort(-urgency[blocks], kind="stable")][:, None])
        others = [np.flatnonzero(~is_block & (fleet.priority == priority))]
        groups += alone + others if blocks_first else others + alone
    return [group for group in groups if len(group)]


def _badness(draft: _Draft, fleet: Fleet) -> tuple[list[float], float]:
    """What those of each priority lack, the highest first, and then the cost."""
    lacking = [float(draft.short_wh[fleet.priority == one].sum()) for one in np.unique(fleet.priority)[::-1]]
    return [round(wh, 3) for wh in lacking], float(draft.costs.sum())


def _energies(slots: Slots, fleet: Fleet, left_w: Floats, exact: bool) -> Floats:
    """The energy of each car in each slot (T x C), under what is left of the limits."""
    room_wh, limits_wh = fleet.room_wh(slots), left_w * slots.hours
    demand = Demand(slots.price_per_kwh, room_wh, limits_wh, fleet.limit, _levels(fleet))
    if not fleet.least_w.any():
        return demand.met(exact)
    free_w = np.minimum(left_w[0], left_w[fleet.limit]).T
    room_wh[free_w < fleet.least_w] = 0.0
    return with_minimums(demand, np.where(room_wh > 0.0, fleet.least_w, 0.0) * slots.hours[:, None], exact)


def _levels(fleet: Fleet) -> list[Floats]:
    """What is asked for, level by level: what those of the highest priority need, then the others, then extras."""
    asked_wh, priorities = fleet.needed_wh + fleet.extra_wh, np.unique(fleet.priority)[::-1]
    needs = [np.where(fleet.priority >= priority, fleet.needed_wh, 0.0) for priority in priorities]
    extras = [np.where(fleet.priority >= priority, asked_wh, fleet.needed_wh) for priority in priorities[:-1]]
    return [*needs, *extras, asked_wh]
