"""Plans keep every limit, and none is cheaper: a linear program says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.planning import Instance, a_fleet, a_tight_fleet, by_linear_program, crowds, instances, on_circuits, power_at
from voltbench.energy.demand import Demand, lacking_wh
from voltbench.energy.fleet import Fleet
from voltbench.energy.minimums import with_minimums
from voltbench.energy.optimize import Place, Reservoir, optimize
from voltbench.energy.plan import Horizon, PlannedCar, plan
from voltbench.energy.plan_car import Losses, Stretch, plan_block, plan_car, plan_with_losses
from voltbench.energy.plan_draft import levels
from voltbench.energy.plan_effort import MOST_STEPS, Effort
from voltbench.energy.plan_fleet import FleetPlan, plan_fleet, served
from voltbench.energy.schedule import CAR, SITE, CarSchedule, Hindrance, Steps, steps_of
from voltbench.quantities import MS_PER_HOUR

Floats = NDArray[np.float64]


def planned(of: Instance, exact: bool = True, steps: float = MOST_STEPS) -> FleetPlan:
    return plan_fleet(
        of.price_per_kwh,
        of.room_wh,
        of.needed_wh,
        of.site_wh,
        circuit=of.circuit,
        circuit_wh=of.circuit_wh,
        exact=exact,
        effort=Effort(steps, exact=exact),
    )


def require_kept(of: Instance, energy_wh: Floats) -> None:
    assert (energy_wh >= 0.0).all()
    assert (energy_wh <= of.room_wh + 1e-6).all()
    assert (energy_wh.sum(axis=0) <= of.site_wh + 1e-6).all()
    assert (energy_wh.sum(axis=1) <= of.needed_wh + 1e-6).all()
    for circuit, most_wh in enumerate(of.circuit_wh):
        assert (energy_wh[of.circuit == circuit].sum(axis=0) <= most_wh + 1e-6).all()


def cost(of: Instance, energy_wh: Floats) -> float:
    return float(energy_wh.sum(axis=0) @ of.price_per_kwh) / 1e3


@given(instances(most_cars=10, most_slots=8, most_circuits=5))
def test_no_plan_of_a_fleet_is_cheaper_or_lacks_less(of: Instance) -> None:
    found = planned(of)
    require_kept(of, found.energy_wh)
    assert found.energy_wh.sum(axis=1) + found.shortfall_wh == pytest.approx(of.needed_wh, abs=1e-6)
    lacking_wh, least = by_linear_program(of)
    assert found.shortfall_wh.sum() == pytest.approx(lacking_wh, abs=1e-3)
    assert cost(of, found.energy_wh) == pytest.approx(least, abs=1e-6)


@given(instances())
def test_the_quick_plan_of_a_fleet_keeps_every_limit(of: Instance) -> None:
    found = planned(of, exact=False)
    require_kept(of, found.energy_wh)
    assert found.energy_wh.sum(axis=1) + found.shortfall_wh == pytest.approx(of.needed_wh, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_day_of_a_hundred_cars_is_planned_as_cheaply_as_can_be(seed: int) -> None:
    of = a_fleet(100, seed)
    found, quick = planned(of), planned(of, exact=False)
    lacking_wh, least = by_linear_program(of)
    assert found.shortfall_wh.sum() == pytest.approx(lacking_wh, abs=1e-3)
    assert cost(of, found.energy_wh) == pytest.approx(least, rel=1e-6)
    assert least * (1 + 1e-6) < cost(of, quick.energy_wh) <= least * 1.0025


@pytest.mark.parametrize("seed", range(3))
def test_a_day_of_forty_cars_on_four_circuits_is_planned_as_cheaply_as_can_be(seed: int) -> None:
    of = on_circuits(a_fleet(40, seed, 48), 4, seed)
    found = planned(of)
    require_kept(of, found.energy_wh)
    lacking_wh, least = by_linear_program(of)
    assert found.shortfall_wh.sum() == pytest.approx(lacking_wh, abs=1e-3)
    assert cost(of, found.energy_wh) == pytest.approx(least, rel=1e-6)


@given(instances(most_cars=8, most_circuits=4), st.data())
def test_what_a_level_is_granted_no_later_one_takes_away(of: Instance, data: st.DataObject) -> None:
    first = data.draw(st.lists(st.booleans(), min_size=len(of.needed_wh), max_size=len(of.needed_wh)))
    level = np.where(first, of.needed_wh, 0.0)
    alone = served(of.price_per_kwh, of.room_wh, [level], of.site_wh, of.circuit, of.circuit_wh).sum(axis=0)
    asked = [level, of.needed_wh]
    both = served(of.price_per_kwh, of.room_wh, asked, of.site_wh, of.circuit, of.circuit_wh).sum(axis=0)
    assert (both >= alone - 1e-6).all()
    most_of_level = by_linear_program(Instance(**{**vars(of), "needed_wh": level}))[0]
    assert level.sum() - alone.sum() == pytest.approx(most_of_level, abs=1e-3)
    assert of.needed_wh.sum() - both.sum() == pytest.approx(by_linear_program(of)[0], abs=1e-3)


def demanded(of: Instance) -> Demand:
    limits = np.vstack((of.site_wh, of.circuit_wh))
    return Demand(of.price_per_kwh, of.room_wh.T, limits, of.circuit + 1, [of.needed_wh])


@given(instances(), st.floats(0.0, 1.0), st.booleans())
def test_with_minimums_every_limit_holds_at_every_instant(of: Instance, part: float, exact: bool) -> None:
    of = Instance(**{**vars(of), "room_wh": np.where(of.room_wh * part > of.site_wh, 0.0, of.room_wh)})
    least = of.room_wh * part
    after = with_minimums(demanded(of), least.T, Effort(exact=exact)).T
    require_kept(of, after)
    powers = np.where(after > 1e-6, np.maximum(after, least), 0.0)  # in slots of an hour: Wh are W
    assert (powers.sum(axis=0) <= of.site_wh + 1e-6).all()
    for circuit, most in enumerate(of.circuit_wh):
        assert (powers[of.circuit == circuit].sum(axis=0) <= most + 1e-6).all()


@pytest.mark.parametrize("seed", range(4))
def test_with_minimums_a_day_of_a_hundred_cars_lacks_nothing_and_costs_hardly_more(seed: int) -> None:
    of = a_fleet(100, seed)
    least = np.minimum(of.room_wh, 1_035.0)  # 4.14 kW
    free, after = planned(of).energy_wh, with_minimums(demanded(of), least.T, Effort()).T
    require_kept(of, after)
    assert after.sum() == pytest.approx(free.sum(), abs=1.0)
    assert cost(of, after) == pytest.approx(cost(of, free), rel=1.5e-3)  # 0.05 % on average
    powers = np.where(after > 1e-6, np.maximum(after, least), 0.0)
    assert (powers.sum(axis=0) <= of.site_wh + 1e-6).all()


@pytest.mark.parametrize("exact", [True, False])
def test_with_minimums_cars_swap_only_what_their_circuits_carry(exact: bool) -> None:
    of = on_circuits(a_fleet(40, 0, 48), 4, 0)
    require_kept(of, with_minimums(demanded(of), np.minimum(of.room_wh, 1_035.0).T, Effort(exact=exact)).T)


@given(instances(most_cars=8, most_circuits=4), st.data())
def test_the_quick_plan_lacks_no_more_than_any_level_by_level(of: Instance, data: st.DataObject) -> None:
    count, demand = len(of.needed_wh), demanded(of)
    firsts = [np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count))) for _ in range(2)]
    levels = [np.where(firsts[0] & firsts[1], of.needed_wh, 0.0), np.where(firsts[0], of.needed_wh, 0.0), of.needed_wh]
    demand = replace(demand, levels=levels)
    quick, exact = demand.met(Effort(exact=False)), demand.met(Effort())
    assert demand.lacking_wh(quick) == pytest.approx(demand.lacking_wh(exact), abs=1e-3)
    assert demand.cost(exact) <= demand.cost(quick) + 1e-6
    require_kept(of, quick.T)


@given(instances(most_cars=8, most_circuits=4), st.floats(0.0, 300.0))
def test_a_plan_keeps_every_limit_however_little_effort_there_is(of: Instance, steps: float) -> None:
    for effort in (Effort(steps), Effort(steps, exact=False)):
        found = demanded(of).met(effort)
        require_kept(of, found.T)
        if not effort.is_over:
            assert of.needed_wh.sum() - found.sum() == pytest.approx(planned(of).shortfall_wh.sum(), abs=1e-3)


@pytest.mark.parametrize(("cars", "slack"), [(30, 1.0), (200, 1.0), (200, 1.05)])
def test_the_quick_plan_of_a_tight_day_lacks_nothing_and_costs_hardly_more(cars: int, slack: float) -> None:
    of = a_tight_fleet(cars, 3, slack)
    found, quick, greedy = planned(of), planned(of, exact=False), planned(of, exact=False, steps=0.0)
    assert greedy.shortfall_wh.sum() > 10.0
    assert quick.shortfall_wh.sum() == pytest.approx(0.0, abs=1e-3)
    require_kept(of, quick.energy_wh)
    assert cost(of, quick.energy_wh) <= cost(of, found.energy_wh) * 1.003


@given(instances(most_cars=8, most_circuits=4))
def test_the_quick_plan_lacks_no_more_than_any(of: Instance) -> None:
    quick = demanded(of).met(Effort(exact=False))
    assert of.needed_wh.sum() - quick.sum() == pytest.approx(planned(of).shortfall_wh.sum(), abs=1e-3)


@given(instances())
def test_all_steps_of_a_fleet_are_those_of_its_cars_one_by_one(of: Instance) -> None:
    edges = tuple(i * MS_PER_HOUR for i in range(len(of.price_per_kwh) + 1))
    horizon = Horizon(edges, tuple(of.price_per_kwh.tolist()), tuple(of.site_wh.tolist()))
    cars = [PlannedCar(f"car-{i}", 0, edges[-1], wh, 4_000.0) for i, wh in enumerate([*of.needed_wh.tolist(), 500.0])]
    for car, schedule in zip(cars, plan(horizon, cars).schedules, strict=True):
        used = np.flatnonzero(schedule.energy_wh > 1e-6).tolist()
        even = [Stretch(slot, 1.0, round(float(schedule.energy_wh[slot]), 9)) for slot in used]
        assert schedule.steps == steps_of(edges, car, even)


# --- cars that come and go --------------------------------------------------------------------------------------------


class Followed:
    """A plan, followed from instant to instant."""

    def __init__(self, horizon: Horizon, cars: list[PlannedCar], steps: Sequence[Steps]) -> None:
        self.cars, self.steps = cars, steps
        self.limits_w = {SITE: horizon.site_w, **horizon.circuits_w}
        comings = {at for car in cars for at in (car.arrives_at, car.departs_at)}
        self.parts = list(pairwise(sorted({*horizon.edges, *comings})))
        self.instants = sorted({at for part in self.parts for at in part} | {at for one in steps for at, _ in one})[:-1]

    def power_w(self, car: int, begins_at: int, ends_at: int) -> list[float]:
        """A car's powers within a time."""
        return [power_at(self.steps[car], at) for at in self.instants if begins_at <= at < ends_at]

    def left_w(self, limit: str, begins_at: int, ends_at: int) -> float:
        """The least that a limit has left within a time."""
        own = [i for i, car in enumerate(self.cars) if limit in (SITE, car.circuit)]
        carried_w = [
            sum(power_at(self.steps[car], at) for car in own) for at in self.instants if begins_at <= at < ends_at
        ]
        return self.limits_w[limit][begins_at // MS_PER_HOUR] - max(carried_w)


@given(crowds(), st.booleans())
def test_no_limit_and_no_power_of_a_car_is_exceeded_at_any_instant(
    of: tuple[Horizon, list[PlannedCar]], exact: bool
) -> None:
    horizon, cars = of
    followed = Followed(horizon, cars, [one.steps for one in plan(horizon, cars, exact=exact).schedules])
    assert all(followed.left_w(limit, *part) >= -1e-3 for limit in followed.limits_w for part in followed.parts)
    for number, car in enumerate(cars):
        powers_w = [power_w for _, power_w in followed.steps[number]]
        assert all(w == 0.0 or car.least_w - 1e-3 <= w <= car.most_w + 1e-3 for w in powers_w)
        assert all(car.arrives_at <= at < car.departs_at for at, w in followed.steps[number] if w)
        assert not car.in_one_go or powers_w.count(0.0) <= 1


@given(crowds(), st.booleans())
def test_a_limit_that_stands_in_the_way_is_full_and_a_car_that_does_draws_its_most(
    of: tuple[Horizon, list[PlannedCar]], exact: bool
) -> None:
    horizon, cars = of
    schedules = plan(horizon, cars, exact=exact).schedules
    followed = Followed(horizon, cars, [one.steps for one in schedules])
    require_true_hindrances(followed, [*map(told, schedules)], [one.shortfall_wh for one in schedules])


def told(schedule: CarSchedule) -> tuple[Hindrance, ...]:
    return schedule.hindrances if schedule.shortfall_wh > 0.05 else ()


def require_true_hindrances(of: Followed, hindrances: Sequence[Sequence[Hindrance]], short_wh: Sequence[float]) -> None:
    for number, (car, told) in enumerate(zip(of.cars, hindrances, strict=True)):
        if short_wh[number] > 0.05:
            assert (told[0].begins_at, told[-1].ends_at) == (car.arrives_at, car.departs_at)
            assert all(one.ends_at == after.begins_at for one, after in pairwise(told))
        for why in told:
            for part in of.parts:
                begins_at, ends_at = max(part[0], why.begins_at), min(part[1], why.ends_at)
                if begins_at >= ends_at:
                    continue
                own_w = of.power_w(number, begins_at, ends_at)
                if why.limit != CAR:
                    left_w = of.left_w(why.limit, begins_at, ends_at)
                    assert left_w < 0.1 or (max(own_w) == 0.0 and left_w < car.least_w + 0.1)
                elif len(told) == 1 or not (car.in_one_go or car.least_w):
                    assert min(own_w) >= car.most_w - 0.1


# --- a whole place ----------------------------------------------------------------------------------------------------

QUARTER = MS_PER_HOUR // 4


@st.composite
def cars_at_any_time(draw: st.DrawFn) -> tuple[list[PlannedCar], list[Reservoir | None]]:
    """Some cars that come and go within three hours, of which some give back and some have a minimum."""
    cars, batteries = list[PlannedCar](), list[Reservoir | None]()
    for number in range(draw(st.integers(1, 4))):
        comes, goes = sorted(draw(st.lists(st.integers(0, 12), min_size=2, max_size=2, unique=True)))
        gives, least_w = draw(st.booleans()), draw(st.sampled_from([0.0, 0.0, 2_000.0, 4_000.0]))
        needed_wh, circuit = draw(st.integers(0, 5)) * 1_500.0, draw(st.sampled_from([None, "garage", "garage"]))
        stay = comes * QUARTER, goes * QUARTER
        cars.append(PlannedCar(f"car-{number}", *stay, needed_wh, 7_400.0, least_w, circuit=circuit))
        batteries.append(Reservoir(40_000.0, 20_000.0, 7_400.0, 7_400.0) if gives else None)
    return cars, batteries


@given(cars_at_any_time(), st.lists(st.integers(0, 4), min_size=3, max_size=3), st.sampled_from([3_000.0, 9_000.0]))
def test_in_a_place_limits_hold_at_every_instant(
    of: tuple[list[PlannedCar], list[Reservoir | None]], load_kw: list[int], limit_w: float
) -> None:
    cars, batteries = of
    edges = tuple(hour * MS_PER_HOUR for hour in range(4))
    horizon = Horizon(edges, (0.1, 0.3, 0.2), (1e6,) * 3, {"garage": (5_000.0, 0.0, 8_000.0)})
    place = Place(tuple(kw * 1e3 for kw in load_kw), import_limit_w=limit_w, export_price_per_kwh=(0.5, 0.1, 0.1))
    found = optimize(horizon, cars, place, batteries=batteries)
    for at in sorted({at for steps in found.steps for at, _ in steps} | set(edges[:-1])):
        hour = min(2, at // MS_PER_HOUR)
        powers_w = [([0.0] + [power_w for since, power_w in steps if since <= at])[-1] for steps in found.steps]
        garage_w = sum(power_w for car, power_w in zip(cars, powers_w, strict=True) if car.circuit)
        assert abs(garage_w) <= horizon.circuits_w["garage"][hour] + 1.0
        assert sum(powers_w) + place.load_w[hour] <= max(limit_w, place.load_w[hour]) + 1.0
        assert all(car.arrives_at <= at < car.departs_at for car, w in zip(cars, powers_w, strict=True) if w)


@given(cars_at_any_time(), st.lists(st.integers(0, 4), min_size=3, max_size=3), st.sampled_from([3_000.0, 9_000.0]))
def test_in_a_place_too_a_limit_that_stands_in_the_way_is_full(
    of: tuple[list[PlannedCar], list[Reservoir | None]], load_kw: list[int], limit_w: float
) -> None:
    cars, _ = of
    edges, load_w = tuple(hour * MS_PER_HOUR for hour in range(4)), tuple(kw * 1e3 for kw in load_kw)
    left_w = tuple(max(0.0, limit_w - kw) for kw in load_w)
    circuits = {"garage": (5_000.0, 0.0, 8_000.0)}
    found = optimize(Horizon(edges, (0.1, 0.3, 0.2), (1e6,) * 3, circuits), cars, Place(load_w, import_limit_w=limit_w))
    followed = Followed(Horizon(edges, (0.0,) * 3, left_w, circuits), cars, found.steps)
    require_true_hindrances(followed, found.hindrances, found.shortfall_wh.tolist())


@given(
    cars_at_any_time(),
    st.lists(st.sampled_from([-6.0, -3.0, 0.0, 1.0, 4.0]), min_size=3, max_size=3),
    st.sampled_from([0.0, 2_000.0, 50_000.0]),
    st.sampled_from([0.05, 0.2, 0.5]),
)
@settings(max_examples=40)
def test_what_is_told_of_a_place_is_what_comes_of_its_steps(
    of: tuple[list[PlannedCar], list[Reservoir | None]], beside_kw: list[float], export_limit_w: float, sells: float
) -> None:
    cars, batteries = of
    edges, beside_w = tuple(hour * MS_PER_HOUR for hour in range(4)), [kw * 1e3 for kw in beside_kw]
    sun_w, load_w = tuple(max(0.0, -w) for w in beside_w), tuple(max(0.0, w) for w in beside_w)
    place = Place(load_w, sun_w, (sells,) * 3, 20_000.0, export_limit_w)
    price = (0.1, 0.3, 0.2)
    horizon = Horizon(edges, price, (1e6,) * 3, {"garage": (9_000.0,) * 3})
    found = optimize(horizon, cars, place, batteries=batteries, longest_s=1.0)
    told_w = np.zeros((3, 3))
    instants = sorted({at for steps in found.steps for at, _ in steps} | set(edges))
    for at, until in pairwise(instants):
        hour, part = at // MS_PER_HOUR, (until - at) / MS_PER_HOUR
        net_w = beside_w[hour] + sum(power_at(steps, at) for steps in found.steps)
        sold_w = min(max(0.0, -net_w), export_limit_w)
        curtailed_w = max(0.0, -net_w) - sold_w
        assert curtailed_w <= sun_w[hour] + 1.0
        told_w[:, hour] += np.array((max(0.0, net_w), sold_w, curtailed_w)) * part
    assert np.stack((found.import_w, found.export_w, found.curtailed_w)) == pytest.approx(told_w, abs=0.1)
    assert found.cost == pytest.approx(float(told_w[0] @ price - told_w[1].sum() * sells) / 1e3, abs=1e-3)
    if found.cost_at_once is not None and found.gap == 0.0:
        assert found.cost <= found.cost_at_once + 1e-3


# --- one car ----------------------------------------------------------------------------------------------------------


@given(instances(most_cars=1))
def test_one_car_takes_the_cheapest_slots(of: Instance) -> None:
    found = plan_car(of.price_per_kwh, of.room_wh[0], float(of.needed_wh[0]))
    alone = Instance(
        **{**vars(of), "site_wh": of.room_wh[0], "circuit_wh": of.room_wh, "circuit": np.zeros(1, np.intp)}
    )
    require_kept(alone, found.energy_wh[None, :])
    lacking_wh, least = by_linear_program(alone)
    assert (found.shortfall_wh, found.cost) == pytest.approx((lacking_wh, least), abs=1e-6)


@given(instances(most_cars=1, most_slots=8))
def test_a_block_has_no_pause_and_none_is_cheaper(of: Instance) -> None:
    room, needed = of.room_wh[0], float(of.needed_wh[0])
    found = plan_block(of.price_per_kwh, room, needed)
    used = np.flatnonzero(found.energy_wh > 1e-6)
    assert all(b == a + 1 for a, b in pairwise(used.tolist()))
    assert all(found.energy_wh[slot] == pytest.approx(room[slot], abs=1e-6) for slot in used[1:-1])
    assert found.energy_wh.sum() + found.shortfall_wh == pytest.approx(needed, abs=1e-6)
    assert found.cost == pytest.approx(float(found.energy_wh @ of.price_per_kwh) / 1e3, abs=1e-9)
    lacking_wh, least = block_by_trying(of.price_per_kwh.tolist(), room.tolist(), needed)
    assert (found.shortfall_wh, found.cost) == pytest.approx((lacking_wh, least), abs=1e-6)


PART_WH = 250.0


def block_by_trying(price: list[float], room: list[float], needed_wh: float) -> tuple[float, float]:
    """What the best block lacks and costs, of all that begin at a whole part of the energy that there is to be had."""
    tried = [(needed_wh, 0.0)]
    for first in range(len(room)):
        parts: list[float] = []
        for slot in range(first, len(room)):
            if room[slot] == 0.0:
                break
            parts += [price[slot] * PART_WH / 1e3] * round(room[slot] / PART_WH)
        for skipped in range(round(room[first] / PART_WH)):
            taken = parts[skipped : skipped + round(needed_wh / PART_WH)]
            tried.append((needed_wh - PART_WH * len(taken), sum(taken)))
    return min(tried)


@given(instances(most_cars=1))
def test_losses_that_do_not_depend_on_power_change_nothing(of: Instance) -> None:
    hours = np.full(len(of.price_per_kwh), 0.25)
    most_w = of.room_wh[0] / hours
    flat = Losses((1e-3,), (1e-3,))
    found, _ = plan_with_losses(of.price_per_kwh, most_w, hours, float(of.needed_wh[0]), flat)
    plain = plan_car(of.price_per_kwh, of.room_wh[0], float(of.needed_wh[0]))
    assert (found.shortfall_wh, found.cost) == pytest.approx((plain.shortfall_wh, plain.cost), abs=1e-6)


@st.composite
def loss_tables(draw: st.DrawFn) -> Losses:
    """Efficiencies that rise and fall with power, often the same for neighbours but for rounding."""
    efficiency, given, drawn = 0.9, list[float](), list[float]()
    for power_w in sorted(draw(st.sets(st.integers(1_000, 10_000), min_size=1, max_size=4))):
        efficiency = draw(st.sampled_from([efficiency, 0.8]) | st.integers(750, 990).map(lambda part: part / 1e3))
        drawn_w = max(power_w, round(power_w / efficiency))
        if not drawn or drawn_w > drawn[-1]:
            given.append(float(power_w))
            drawn.append(float(drawn_w))
    return Losses(tuple(given), tuple(drawn))


@given(
    loss_tables(),
    st.lists(st.tuples(st.integers(-9, 49).map(lambda price: price / 100), st.integers(0, 22)), min_size=1, max_size=4),
    st.integers(0, 99),
)
@example(Losses((1_380.0, 4_129.0), (1_658.0, 4_518.0)), [(0.41, 11)] * 3, 30)  # slopes that differ by rounding
def test_with_losses_steps_give_what_is_planned_and_cost_what_is_told(
    losses: Losses, slots: list[tuple[float, int]], needed_kwh: int
) -> None:
    prices, site_w = tuple(price for price, _ in slots), tuple(1_000.0 * kw for _, kw in slots)
    horizon = Horizon(tuple(hour * MS_PER_HOUR for hour in range(len(slots) + 1)), prices, site_w)
    car = PlannedCar("ada", 0, len(slots) * MS_PER_HOUR, needed_kwh * 1e3, 22_000.0, losses=losses)
    (told,) = plan(horizon, [car]).schedules
    given_wh, cost = np.zeros(len(slots)), 0.0
    for (begins_at, power_w), (ends_at, _) in pairwise([*told.steps, (horizon.edges[-1], 0.0)]):
        for hour, price in enumerate(prices):
            lasts_h = max(0.0, min(ends_at / MS_PER_HOUR, hour + 1) - max(begins_at / MS_PER_HOUR, hour))
            given_wh[hour] += lasts_h * losses.given_for(power_w)
            cost += lasts_h * power_w * price / 1e3
    assert told.energy_wh == pytest.approx(given_wh, abs=0.1)
    assert told.cost == pytest.approx(cost, abs=1e-4)
    assert told.energy_wh.sum() + told.shortfall_wh == pytest.approx(needed_kwh * 1e3)


@given(crowds())
def test_a_quick_plan_lacks_no_more_than_at_once_and_with_as_little_lacking_costs_no_more(
    crowd: tuple[Horizon, list[PlannedCar]],
) -> None:
    horizon, cars = crowd
    found = plan(horizon, cars, exact=False)
    by_time = replace(horizon, price_per_kwh=tuple(map(float, range(len(horizon.price_per_kwh)))))
    at_once = plan(by_time, cars, exact=False)
    if not any(car.least_w for car in cars) or len(cars) == 1:
        return  # it is no heuristic then
    asked = levels(Fleet.of(cars, horizon.slots.circuits))
    lacks, at_once_lacks = (np.round(lacking_wh(asked, one.energy_wh.T), 2).tolist() for one in (found, at_once))
    assert lacks <= at_once_lacks
    if lacks == at_once_lacks:
        assert found.cost <= float((at_once.energy_wh @ horizon.slots.price_per_kwh).sum()) / 1e3 + 1e-4
