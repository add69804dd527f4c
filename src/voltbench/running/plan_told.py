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
    """A car's schedule. `shortfall_wh` is what it will lack of what it needs, and `hindrances` say why.

    Energies are what the car is given, and `steps` are powers that its charger draws: with losses, more. `cost` is what
    that costs at the import prices of its slots, without peaks. So it is in a `place`, too, whatever the energy comes
    from: what own generation or a battery gives the car counts as if it were imported, and what the car gives back as
    if that saved import. There costs of cars are for comparison, and no parts of the plan's `cost`.
    """

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
    """A plan. `cost_at_once` is what the same energy would cost if every car charged as soon as it could.

    It is null where at once they would not have as much. `cost` is what the cars' energy costs; with a `place` it is
    what the whole of it pays, with its load, less what feeding in earns. `peak_charge` is the part of it that is added
    to the bills of its months by their highest hours, where the tariff has them; in `cost_at_once` there is one too. In
    a month that goes on a kW of a peak is the tariff's price / count; it is never below 0. `kept_from` is the id of the
    plan before, where cars do what that said; null where the plan is a new one. No plan lacks less than one that
    `is_exact`, nor costs less; one that `is_cut_short` may lack more than it has to, since making it took too long.
    """

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
    peak_charge: float | None = None
    kept_from: str | None = None
    is_exact: bool = True
    is_cut_short: bool = False


# --- made of plans ----------------------------------------------------------------------------------------------------


def cars_view(
    id: str,
    asked: PlanAsked,
    horizon: Horizon,
    known_until: Instant,
    quick: Plan,
    cost_at_once: float | None,
    peak_charge: float | None,
    kept_from: str | None,
) -> PlanView:
    """The plan of one car, or of a fleet, with what it adds to the bills of its months, and from where it was kept."""
    return PlanView(
        id=id,
        planner="car" if len(quick.cars) == 1 else "fleet",
        currency=asked.currency,
        starts_at_ms=asked.starts_at_ms,
        slot_minutes=asked.slot_minutes,
        prices_per_kwh=list(horizon.price_per_kwh),
        prices_known_until_ms=known_until,
        energy_wh=float(quick.energy_wh.sum()),
        cost=quick.cost + (peak_charge or 0.0),
        cost_at_once=cost_at_once,
        shortfall_wh=quick.shortfall_wh,
        cars=[_car_view(one) for one in quick.schedules],
        place=None,
        peak_charge=peak_charge,
        kept_from=kept_from,
        is_exact=quick.is_exact,
        is_cut_short=quick.is_cut_short,
    )


def place_view(
    id: str,
    asked: PlanAsked,
    horizon: Horizon,
    known_until: Instant,
    cars: Sequence[PlannedCar],
    whole: PlacePlan,
    peak_charge: float | None,
) -> PlanView:
    """The plan of a whole place, whose cost has that charge in it."""
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
        is_exact=whole.gap == 0.0 and whole.shortfall_gap_wh == 0.0,
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
        peak_charge=peak_charge,
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
