"""A plan as it is asked for: prices, limits and loads as plain series, cars as plain figures."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf
from typing import Annotated, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta

from voltbench.energy.place import Place, Reservoir
from voltbench.energy.plan import Horizon, PlannedCar
from voltbench.energy.plan_car import Losses
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_DAY, MS_PER_MINUTE, Instant
from voltbench.running.publication import foreseen
from voltbench.site.series import StepSeries

LONGEST_PLAN_MS = 8 * MS_PER_DAY
MOST_CARS = 5_000
MOST_CAR_SLOTS = 500_000
"""Cars times slots, so that a plan stays a matter of a second or two."""
MOST_IN_A_PLACE = 10_000
"""The same where a whole place is planned: with batteries a program of that size takes ten to twenty seconds."""

Power: TypeAlias = Annotated[float, Meta(ge=0.0, le=1e9)]
Energy: TypeAlias = Annotated[float, Meta(ge=0.0, le=1e9)]
Price: TypeAlias = Annotated[float, Meta(ge=-1e6, le=1e6)]
PowerSeries: TypeAlias = Power | Annotated[list[Power], Meta(max_length=2_000)]
"""One for all slots, or one for each."""


class _Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class LossAsked(_Asked, frozen=True, kw_only=True):
    """What a charger draws when it gives this much. Beyond the last of them it is as efficient as at it."""

    given_w: Power
    drawn_w: Power


class BatteryAsked(_Asked, frozen=True, kw_only=True):
    """A battery that can give: `stored_wh` of `capacity_wh` is in it.

    It gives nothing of its reserve, `least_wh`, and one that begins below is filled up to it as soon as needs let it. A
    storage ends as near to `least_at_end_wh` as can be, which is what it begins with unless said; a car departs with
    what it needs.
    """

    capacity_wh: Energy
    stored_wh: Energy
    charge_w: Power
    discharge_w: Power
    charge_efficiency: float = 0.95
    discharge_efficiency: float = 0.95
    least_wh: Energy = 0.0
    least_at_end_wh: Energy | None = None
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
    """What is to be planned, with prices slot by slot from `starts_at_ms` on.

    Beyond what is known of prices, up to the last departure, the same hour of the last known day stands in, or else the
    mean. `load_w` is foreseen at the site, and counts against `site_limit_w`, which is the most that the site may
    import. `demand_price_per_kw` is paid once, on the highest mean import of a slot of `slot_minutes`, as far as it is
    above `peak_so_far_w` (in a scenario it is on that of a quarter hour).
    """

    starts_at_ms: Instant
    cars: Annotated[list[CarAsked], Meta(max_length=MOST_CARS)]
    slot_minutes: Literal[5, 10, 15, 30, 60] = 15
    prices_per_kwh: Annotated[list[Price], Meta(min_length=1, max_length=2_000)] | None = None
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


_AS_ASKED = {"departs_at": "departs_at_ms", "least_w": "min_power_w", "most_w": "max_power_w"}
"""How a field of a `PlannedCar` is called in a request."""


# --- in the planners' words -------------------------------------------------------------------------------------------


def horizon_of(asked: PlanAsked, prices_per_kwh: Sequence[float]) -> Horizon:
    """The slots until the last departure, with what cars may draw in each beside the load. Raises InvalidInput."""
    slot_ms = asked.slot_minutes * MS_PER_MINUTE
    departures = [car.departs_at_ms for car in asked.cars]
    last = max(departures, default=asked.starts_at_ms)
    if last - asked.starts_at_ms > LONGEST_PLAN_MS:
        field = f"cars[{departures.index(last)}].departs_at_ms"
        raise InvalidInput(field, "is too late to be planned", found=last, allowed="within 8 days of the start")
    slots = max(len(prices_per_kwh), ceil((last - asked.starts_at_ms) / slot_ms))
    require_few(asked, slots, MOST_CAR_SLOTS)
    if slots * len(asked.circuits_w) > MOST_CAR_SLOTS:
        found = slots * len(asked.circuits_w)
        raise InvalidInput("circuits_w", "times slots are too many", found=found, allowed=f"<= {MOST_CAR_SLOTS}")
    edges = tuple(asked.starts_at_ms + slot * slot_ms for slot in range(slots + 1))
    prices = _to_the_end(prices_per_kwh, edges)
    limit_w = 1e9 if asked.site_limit_w is None else asked.site_limit_w
    generation = _series("generation_w", asked.generation_w, slots)
    load = _series("load_w", asked.load_w, slots)
    site = tuple(limit_w - own + sun for own, sun in zip(load, generation, strict=True))
    circuits = {name: _series(f"circuits_w.{name}", series, slots) for name, series in asked.circuits_w.items()}
    return Horizon(edges, prices, site, circuits)


def _to_the_end(prices_per_kwh: Sequence[float], edges: Sequence[Instant]) -> tuple[float, ...]:
    """A price for each slot: of nobody's clocks, so that a day is 24 hours."""
    known = len(prices_per_kwh)
    if known == len(edges) - 1:
        return tuple(prices_per_kwh)
    series = StepSeries(zip(edges, prices_per_kwh, strict=False))
    return tuple(foreseen(series, np.array(edges), edges[known], lambda at: at - MS_PER_DAY).tolist())


def require_few(asked: PlanAsked, slots: int, most: int) -> None:
    """InvalidInput where there are more cars times slots than that."""
    cells = slots * max(1, len(asked.cars))
    if cells > most:
        raise InvalidInput("cars", "times slots are too many", found=cells, allowed=f"<= {most}")


def _series(name: str, given: float | Sequence[float], slots: int) -> tuple[float, ...]:
    """As many values as there are slots; what is given for fewer goes on with its last one."""
    if isinstance(given, (int, float)):
        return (float(given),) * slots
    if not given:
        raise InvalidInput(name, "is empty", allowed="a number, or one for each slot")
    return (*map(float, given[:slots]), *[float(given[-1])] * (slots - len(given)))


def car_of(asked: CarAsked, number: int) -> PlannedCar:
    """A car to be planned. InvalidInput names its field as it was asked for."""
    try:
        return _car_of(asked)
    except InvalidInput as error:
        raise error.at(f"cars[{number}].{_AS_ASKED.get(error.field, error.field)}") from None


def _car_of(asked: CarAsked) -> PlannedCar:
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


def place_of(asked: PlanAsked, slots: int) -> Place:
    """The place beside its cars."""
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


def battery_of(car: CarAsked, number: int) -> Reservoir | None:
    """The battery of a car that may give back. InvalidInput names its field as it was asked for."""
    name = f"cars[{number}].battery"
    if car.battery is not None and car.battery.least_at_end_wh is not None:
        raise InvalidInput(f"{name}.least_at_end_wh", "is what the car needs", allowed="needed_wh of the car")
    return reservoir_of(car.battery, name)


def reservoir_of(asked: BatteryAsked | None, name: str) -> Reservoir | None:
    """A battery to be planned. InvalidInput names the field of that name."""
    if asked is None:
        return None
    try:
        return Reservoir(**msgspec.structs.asdict(asked))
    except InvalidInput as error:
        raise error.at(f"{name}.{error.field}") from None
