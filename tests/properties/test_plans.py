"""Plans keep every limit, and none is cheaper: a linear program says the same."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.planning import Instance, a_fleet, by_linear_program, instances, on_circuits
from voltbench.energy.demand import Demand
from voltbench.energy.minimums import with_minimums
from voltbench.energy.optimize import Place, Reservoir, optimize
from voltbench.energy.plan import Horizon, PlannedCar, plan
from voltbench.energy.plan_car import Losses, Stretch, plan_block, plan_car, plan_with_losses
from voltbench.energy.plan_fleet import FleetPlan, plan_fleet, served_wh
from voltbench.energy.schedule import steps_of
from voltbench.quantities import MS_PER_HOUR

Floats = NDArray[np.float64]


def planned(of: Instance, exact: bool = True) -> FleetPlan:
    return plan_fleet(
        of.price_per_kwh,
        of.room_wh,
        of.needed_wh,
        of.site_wh,
        circuit=of.circuit,
        circuit_wh=of.circuit_wh,
        exact=exact,
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
    assert found.reroutes > 0
    assert least * (1 - 1e-6) <= cost(of, quick.energy_wh) <= least * 1.0025


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
    alone = served_wh(of.room_wh, [level], of.site_wh, of.circuit, of.circuit_wh)
    both = served_wh(of.room_wh, [level, of.needed_wh], of.site_wh, of.circuit, of.circuit_wh)
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
    after = with_minimums(demanded(of), least.T, exact).T
    require_kept(of, after)
    powers = np.where(after > 1e-6, np.maximum(after, least), 0.0)  # in slots of an hour: Wh are W
    assert (powers.sum(axis=0) <= of.site_wh + 1e-6).all()
    for circuit, most in enumerate(of.circuit_wh):
        assert (powers[of.circuit == circuit].sum(axis=0) <= most + 1e-6).all()


@pytest.mark.parametrize("seed", range(4))
def test_with_minimums_a_day_of_a_hundred_cars_lacks_nothing_and_costs_hardly_more(seed: int) -> None:
    of = a_fleet(100, seed)
    least = np.minimum(of.room_wh, 1_035.0)  # 4.14 kW
    free, after = planned(of).energy_wh, with_minimums(demanded(of), least.T, exact=True).T
    require_kept(of, after)
    assert after.sum() == pytest.approx(free.sum(), abs=1.0)
    assert cost(of, after) == pytest.approx(cost(of, free), rel=1e-3)
    powers = np.where(after > 1e-6, np.maximum(after, least), 0.0)
    assert (powers.sum(axis=0) <= of.site_wh + 1e-6).all()


@pytest.mark.parametrize("exact", [True, False])
def test_with_minimums_cars_swap_only_what_their_circuits_carry(exact: bool) -> None:
    of = on_circuits(a_fleet(40, 0, 48), 4, 0)
    require_kept(of, with_minimums(demanded(of), np.minimum(of.room_wh, 1_035.0).T, exact).T)


@given(instances(most_cars=8, most_circuits=4))
def test_the_quick_plan_lacks_no_more_than_any(of: Instance) -> None:
    quick = demanded(of).met(exact=False)
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
