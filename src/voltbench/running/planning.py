"""A plan as it is asked for and told: prices, limits and loads as plain series, cars as plain figures.

What is asked for decides which of the planners is taken: that of one car, of a fleet, or of a whole place.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf
from typing import Annotated, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta

from voltbench.energy.optimize import Place, PlacePlan, Reservoir, optimize
from voltbench.energy.plan import CarSchedule, Hindrance, Horizon, PlannedCar, plan
from voltbench.energy.plan_car import Losses
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, Instant

LONGEST_MS = 8 * 24 * MS_PER_HOUR
MOST_CARS = 5_000
MOST_CELLS = 500_000
"""Cars times slots, so that a plan stays a matter of a second or two."""

Power: TypeAlias = Annotated[float, Meta(ge=0.0, le=1e9)]
Energy: TypeAlias = Annotated[float, Meta(ge=0.0, le=1e9)]
Price: TypeAlias = Annotated[float, Meta(ge=-1e6, le=1e6)]
PowerSeries: TypeAlias = Power | Annotated[list[Power], Meta(max_length=2_000)]
"""One for all slots, or one for each."""

Tier: TypeAlias = Literal["car", "fleet", "place"]


class _Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class LossAsked(_Asked, frozen=True, kw_only=True):
    """What a charger draws when it gives this much."""

    given_w: Power
    drawn_w: Power


class BatteryAsked(_Asked, frozen=True, kw_only=True):
    """A battery that can give: `stored_wh` of `capacity_wh` is in it. It never has less than `least_wh`."""

    capacity_wh: Energy
    stored_wh: Energy
    charge_w: Power
    discharge_w: Power
    charge_efficiency: float = 0.95
    discharge_efficiency: float = 0.95
    least_wh: Energy = 0.0
    wear_per_kwh: Annotated[float, Meta(ge=0.0, le=1e6)] = 0.0


class CarAsked(_Asked, frozen=True, kw_only=True):
    """A car: what it needs at its connector until it departs, and may have beyond (`extra_wh`).

    `battery` makes it one that may give back, and then says at which powers.
    """

    id: Annotated[str, Meta(min_length=1, max_length=100)]
    arrives_at_ms: Instant
    departs_at_ms: Instant
    needed_wh: Energy
    max_power_w: Annotated[float, Meta(gt=0.0, le=1e9)]
    min_power_w: Power = 0.0
    extra_wh: Energy = 0.0
    circuit: str | None = None
    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0
    in_one_go: bool = False
    losses: Annotated[list[LossAsked], Meta(max_length=100)] = []
    battery: BatteryAsked | None = None


class PlanAsked(_Asked, frozen=True, kw_only=True):
    """What is to be planned. Prices are slot by slot from `starts_at_ms` on, or come from a `source`.

    To those of a source, `fees_per_kwh` and then `vat` are added. Beyond what is known of prices, up to the last
    departure, their mean stands in. `load_w` is foreseen at the site, and counts against `site_limit_w`, which is the
    most that the site may import.
    """

    starts_at_ms: Instant
    cars: Annotated[list[CarAsked], Meta(max_length=MOST_CARS)]
    slot_minutes: Literal[5, 10, 15, 30, 60] = 15
    prices_per_kwh: Annotated[list[Price], Meta(min_length=1, max_length=2_000)] | None = None
    source: Annotated[str, Meta(max_length=1_000)] | None = None
    fees_per_kwh: Price = 0.0
    vat: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    currency: Annotated[str, Meta(max_length=20)] = ""
    site_limit_w: Power | None = None
    load_w: PowerSeries = 0.0
    circuits_w: dict[str, PowerSeries] = {}
    generation_w: PowerSeries = 0.0
    export_prices_per_kwh: Price | Annotated[list[Price], Meta(max_length=2_000)] = 0.0
    export_limit_w: Power | None = None
    demand_price_per_kw: Annotated[float, Meta(ge=0.0, le=1e6)] = 0.0
    peak_so_far_w: Power = 0.0
    co2_g_per_kwh: PowerSeries = 0.0
    co2_price_per_kg: Annotated[float, Meta(ge=0.0, le=1e6)] = 0.0
    storage: BatteryAsked | None = None
    exact: bool = True


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
    """What a whole place does, slot by slot. With `gap` the cost could be so much lower at most, as a part of it.

    `unserved_load_wh` is the foreseen load that neither the connection nor a battery can carry.
    """

    import_w: list[float]
    export_w: list[float]
    curtailed_w: list[float]
    storage_w: list[float]
    unserved_load_wh: float
    co2_g: float
    gap: float


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


def planned(id: str, asked: PlanAsked, prices_per_kwh: Sequence[float]) -> PlanView:
    """The plan for what is asked, with prices known slot by slot from its start. Raises InvalidInput."""
    if not prices_per_kwh:
        raise InvalidInput("prices_per_kwh", "are none", allowed="one for each slot, or a source")
    slot_ms = asked.slot_minutes * MS_PER_MINUTE
    horizon = _horizon(asked, prices_per_kwh, slot_ms)
    cars = [_car(car) for car in asked.cars]
    known_until = asked.starts_at_ms + len(prices_per_kwh) * slot_ms
    if _needs_place(asked):
        whole = optimize(horizon, cars, _place(asked, len(horizon.price_per_kwh)), _reservoir(asked.storage),
                         [_reservoir(car.battery) for car in asked.cars])  # fmt: skip
        return _place_view(id, asked, horizon, known_until, cars, whole)
    quick = plan(horizon, cars, exact=asked.exact)
    at_once = None if quick.shortfall_wh else _cost_at_once(horizon, cars)
    energy_wh = sum(float(one.energy_wh.sum()) for one in quick.schedules)
    return PlanView(
        id=id,
        planner="car" if len(cars) == 1 else "fleet",
        currency=asked.currency,
        starts_at_ms=asked.starts_at_ms,
        slot_minutes=asked.slot_minutes,
        prices_per_kwh=list(horizon.price_per_kwh),
        prices_known_until_ms=known_until,
        energy_wh=energy_wh,
        cost=quick.cost,
        cost_at_once=at_once,
        shortfall_wh=quick.shortfall_wh,
        cars=[_car_view(one) for one in quick.schedules],
        place=None,
    )


def _needs_place(asked: PlanAsked) -> bool:
    """Whether only the program knows of what is asked. Generation that is zero all the time is none."""
    has_losses = len(asked.cars) > 1 and any(car.losses for car in asked.cars)
    beside_cars = (
        asked.storage is not None,
        np.any(asked.generation_w),
        asked.demand_price_per_kw,
        asked.co2_price_per_kg,
    )
    if any(bool(one) for one in beside_cars) or any(car.battery is not None for car in asked.cars):
        for car in asked.cars:
            if car.in_one_go or car.losses:
                problem = "cannot be planned together with a battery, generation, a demand price or a carbon price"
                raise InvalidInput(f"cars.{car.id}", problem, found="in_one_go" if car.in_one_go else "losses")
        return True
    if has_losses:
        raise InvalidInput("cars", "of a fleet cannot have losses of their own", allowed="losses for one car alone")
    return False


# --- what goes in -----------------------------------------------------------------------------------------------------


def _horizon(asked: PlanAsked, prices_per_kwh: Sequence[float], slot_ms: int) -> Horizon:
    last = max((car.departs_at_ms for car in asked.cars), default=asked.starts_at_ms)
    if last - asked.starts_at_ms > LONGEST_MS:
        raise InvalidInput("cars", "depart too late to be planned", found=last, allowed="within 8 days of the start")
    slots = max(len(prices_per_kwh), ceil((last - asked.starts_at_ms) / slot_ms))
    if slots * max(1, len(asked.cars)) > MOST_CELLS:
        raise InvalidInput("cars", "and slots are too many", found=slots * len(asked.cars), allowed=f"<= {MOST_CELLS}")
    edges = tuple(asked.starts_at_ms + slot * slot_ms for slot in range(slots + 1))
    mean = sum(prices_per_kwh) / len(prices_per_kwh)
    prices = tuple(prices_per_kwh) + (mean,) * (slots - len(prices_per_kwh))
    limit_w = 1e9 if asked.site_limit_w is None else asked.site_limit_w
    generation = _series("generation_w", asked.generation_w, slots)
    load = _series("load_w", asked.load_w, slots)
    site = tuple(limit_w - own + sun for own, sun in zip(load, generation, strict=True))
    circuits = {name: _series(f"circuits_w.{name}", series, slots) for name, series in asked.circuits_w.items()}
    return Horizon(edges, prices, site, circuits)


def _series(name: str, given: float | Sequence[float], slots: int) -> tuple[float, ...]:
    """As many values as there are slots; what is given for fewer goes on with its last one."""
    if isinstance(given, (int, float)):
        return (float(given),) * slots
    if not given:
        raise InvalidInput(name, "is empty", allowed="a number, or one for each slot")
    return (*map(float, given[:slots]), *[float(given[-1])] * (slots - len(given)))


def _car(asked: CarAsked) -> PlannedCar:
    losses = None
    if asked.losses:
        losses = Losses(tuple(one.given_w for one in asked.losses), tuple(one.drawn_w for one in asked.losses))
    return PlannedCar(
        id=asked.id,
        arrives_at=asked.arrives_at_ms,
        departs_at=asked.departs_at_ms,
        needed_wh=asked.needed_wh,
        most_w=asked.max_power_w,
        least_w=asked.min_power_w,
        extra_wh=asked.extra_wh,
        circuit=asked.circuit,
        priority=asked.priority,
        in_one_go=asked.in_one_go,
        losses=losses,
    )


def _place(asked: PlanAsked, slots: int) -> Place:
    return Place(
        load_w=_series("load_w", asked.load_w, slots),
        generation_w=_series("generation_w", asked.generation_w, slots),
        export_price_per_kwh=_series("export_prices_per_kwh", asked.export_prices_per_kwh, slots),
        import_limit_w=inf if asked.site_limit_w is None else asked.site_limit_w,
        export_limit_w=inf if asked.export_limit_w is None else asked.export_limit_w,
        demand_price_per_kw=asked.demand_price_per_kw,
        peak_so_far_w=asked.peak_so_far_w,
        co2_g_per_kwh=_series("co2_g_per_kwh", asked.co2_g_per_kwh, slots),
        co2_price_per_kg=asked.co2_price_per_kg,
    )


def _reservoir(asked: BatteryAsked | None) -> Reservoir | None:
    if asked is None:
        return None
    return Reservoir(**{name: getattr(asked, name) for name in asked.__struct_fields__})


# --- what comes out ---------------------------------------------------------------------------------------------------


def _cost_at_once(horizon: Horizon, cars: Sequence[PlannedCar]) -> float:
    """What it costs when time is the only price."""
    slots = len(horizon.price_per_kwh)
    by_time = Horizon(horizon.edges, tuple(map(float, range(slots))), horizon.site_w, horizon.circuits_w)
    hurried = plan(by_time, cars, exact=False)
    prices = np.array(horizon.price_per_kwh)
    return sum(float(one.energy_wh @ prices) / 1e3 for one in hurried.schedules)


def _car_view(schedule: CarSchedule) -> CarView:
    return CarView(
        id=schedule.car,
        energy_wh=float(schedule.energy_wh.sum()),
        cost=schedule.cost,
        shortfall_wh=schedule.shortfall_wh,
        steps=[Step(at, power_w) for at, power_w in schedule.steps],
        slot_energy_wh=schedule.energy_wh.tolist(),
        hindrances=_hindrances(schedule.hindrances),
    )


def _hindrances(found: Sequence[Hindrance]) -> list[HindranceView]:
    return [HindranceView(one.limit, one.begins_at, one.ends_at) for one in found]


def _place_view(
    id: str, asked: PlanAsked, horizon: Horizon, known_until: Instant, cars: Sequence[PlannedCar], whole: PlacePlan
) -> PlanView:
    energy_wh = whole.cars_w * horizon.hours
    prices = np.array(horizon.price_per_kwh)
    views = [
        CarView(
            id=car.id,
            energy_wh=float(energy_wh[i].sum()),
            cost=float(energy_wh[i] @ prices) / 1e3,
            shortfall_wh=float(whole.shortfall_wh[i]),
            steps=_steps(horizon.edges, whole.cars_w[i].tolist()),
            slot_energy_wh=energy_wh[i].tolist(),
            hindrances=_hindrances(whole.hindrances[i]),
        )
        for i, car in enumerate(cars)
    ]
    return PlanView(
        id=id,
        planner="place",
        currency=asked.currency,
        starts_at_ms=asked.starts_at_ms,
        slot_minutes=asked.slot_minutes,
        prices_per_kwh=prices.tolist(),
        prices_known_until_ms=known_until,
        energy_wh=float(energy_wh.sum()),
        cost=whole.cost,
        cost_at_once=None,
        shortfall_wh=float(whole.shortfall_wh.sum()),
        cars=views,
        place=PlaceView(
            import_w=whole.import_w.tolist(),
            export_w=whole.export_w.tolist(),
            curtailed_w=whole.curtailed_w.tolist(),
            storage_w=whole.storage_w.tolist(),
            unserved_load_wh=float(whole.unserved_w @ horizon.hours),
            co2_g=whole.co2_g,
            gap=whole.gap,
        ),
    )


def _steps(edges: Sequence[Instant], powers_w: Sequence[float]) -> list[Step]:
    steps: list[Step] = []
    for at, power_w in zip(edges, [*powers_w, 0.0], strict=True):
        told_w = round(power_w, 3)
        if told_w != (steps[-1].power_w if steps else 0.0):
            steps.append(Step(at, told_w))
    return steps
