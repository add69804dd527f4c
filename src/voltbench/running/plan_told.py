"""A plan as it is told: each car's schedule, what it costs and lacks, and what a whole place does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from voltbench.energy.optimize import PlacePlan
from voltbench.energy.plan import Horizon, PlannedCar
from voltbench.energy.schedule import CarSchedule, Hindrance, Plan, Steps
from voltbench.quantities import Instant
from voltbench.running.plan_asked import PlanAsked

Tier: TypeAlias = Literal["car", "fleet", "place"]


class Step(msgspec.Struct, frozen=True):
    """A power that holds from an instant on."""

    at_ms: Instant
    power_w: float


class HindranceView(msgspec.Struct, frozen=True):
    """What stood in a car's way, and when: `site`, a circuit, or `car` (its own power)."""

    limit: str
    begins_at_ms: Instant
    ends_at_ms: Instant


class CarView(msgspec.Struct, frozen=True):
    """A car's schedule. `shortfall_wh` is what it will lack of what it needs, and `hindrances` say why."""

    id: str
    energy_wh: float
    cost: float
    shortfall_wh: float
    steps: list[Step]
    slot_energy_wh: list[float]
    hindrances: list[HindranceView]


class PlaceView(msgspec.Struct, frozen=True):
    """What a whole place does, as means of each slot.

    `unserved_load_wh` is the foreseen load that neither the connection nor a battery can carry. Where the best plan was
    not found in the time there is, `gap` is the part of the cost that another one could save at most, and
    `shortfall_gap_wh` how much less cars could lack at most.
    """

    import_w: list[float]
    export_w: list[float]
    curtailed_w: list[float]
    storage_w: list[float]
    unserved_load_wh: float
    co2_g: float
    gap: float
    shortfall_gap_wh: float


class PlanView(msgspec.Struct, frozen=True, kw_only=True):
    """A plan. `cost_at_once` is what the same energy would cost if every car charged as soon as it could."""

    id: str
    planner: Tier
    currency: str
    starts_at_ms: Instant
    slot_minutes: int
    prices_per_kwh: list[float]
    prices_known_until_ms: Instant
    energy_wh: float
    cost: float
    cost_at_once: float | None
    shortfall_wh: float
    cars: list[CarView]
    place: PlaceView | None


# --- made of plans ----------------------------------------------------------------------------------------------------


def cars_view(
    id: str, asked: PlanAsked, horizon: Horizon, known_until: Instant, quick: Plan, cost_at_once: float | None
) -> PlanView:
    """The plan of one car, or of a fleet."""
    return PlanView(
        id=id,
        planner="car" if len(quick.cars) == 1 else "fleet",
        currency=asked.currency,
        starts_at_ms=asked.starts_at_ms,
        slot_minutes=asked.slot_minutes,
        prices_per_kwh=list(horizon.price_per_kwh),
        prices_known_until_ms=known_until,
        energy_wh=float(quick.energy_wh.sum()),
        cost=quick.cost,
        cost_at_once=cost_at_once,
        shortfall_wh=quick.shortfall_wh,
        cars=[_car_view(one) for one in quick.schedules],
        place=None,
    )


def place_view(
    id: str, asked: PlanAsked, horizon: Horizon, known_until: Instant, cars: Sequence[PlannedCar], whole: PlacePlan
) -> PlanView:
    """The plan of a whole place."""
    energy_wh = whole.cars_w * horizon.hours
    return PlanView(
        id=id,
        planner="place",
        currency=asked.currency,
        starts_at_ms=asked.starts_at_ms,
        slot_minutes=asked.slot_minutes,
        prices_per_kwh=list(horizon.price_per_kwh),
        prices_known_until_ms=known_until,
        energy_wh=float(energy_wh.sum()),
        cost=whole.cost,
        cost_at_once=whole.cost_at_once,
        shortfall_wh=float(whole.shortfall_wh.sum()),
        cars=[_in_place(car, whole, number, horizon) for number, car in enumerate(cars)],
        place=PlaceView(
            import_w=whole.import_w.tolist(),
            export_w=whole.export_w.tolist(),
            curtailed_w=whole.curtailed_w.tolist(),
            storage_w=whole.storage_w.tolist(),
            unserved_load_wh=float(whole.unserved_w @ horizon.hours),
            co2_g=whole.co2_g,
            gap=whole.gap,
            shortfall_gap_wh=whole.shortfall_gap_wh,
        ),
    )


def _car_view(schedule: CarSchedule) -> CarView:
    return CarView(
        id=schedule.car,
        energy_wh=float(schedule.energy_wh.sum()),
        cost=schedule.cost,
        shortfall_wh=schedule.shortfall_wh,
        steps=_steps(schedule.steps),
        slot_energy_wh=schedule.energy_wh.tolist(),
        hindrances=_hindrances(schedule.hindrances),
    )


def _in_place(car: PlannedCar, whole: PlacePlan, number: int, horizon: Horizon) -> CarView:
    energy_wh = whole.cars_w[number] * horizon.hours
    return CarView(
        id=car.id,
        energy_wh=float(energy_wh.sum()),
        cost=float(energy_wh @ horizon.slots.price_per_kwh) / 1e3,
        shortfall_wh=float(whole.shortfall_wh[number]),
        steps=_steps(whole.steps[number]),
        slot_energy_wh=energy_wh.tolist(),
        hindrances=_hindrances(whole.hindrances[number]),
    )


def _steps(steps: Steps) -> list[Step]:
    return [Step(at, power_w) for at, power_w in steps]


def _hindrances(found: Sequence[Hindrance]) -> list[HindranceView]:
    return [HindranceView(one.limit, one.begins_at, one.ends_at) for one in found]
