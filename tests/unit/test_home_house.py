"""A house on the engine: exact energies, the fuse, the cap, days of 23 and 25 hours."""

from __future__ import annotations

from typing import Any

import pytest

from voltbench.adapters import home_json
from voltbench.adapters.home_json import BuiltHome
from voltbench.engine import World
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE
from voltbench.running.home.house import House
from voltbench.running.home.model import COURSE, COURSE_LOAD_W, COURSE_PRICES, HomeModel, HomeState

QUARTER = 15 * MS_PER_MINUTE


def lived(model: HomeModel, until: int, on: bool = True) -> tuple[House, HomeState]:
    """A house after a while, charging from midnight on."""
    house = House(model, 0)
    house.switch(0, on)
    house.wake(until)
    return house, house.look(until)


def test_nothing_chosen_but_the_speed_is_the_courses_home():
    assert HomeModel(speed=60.0).is_of_course
    assert not HomeModel(cap_soc=0.8).is_of_course
    assert not HomeModel(fuse_w=11_000).is_of_course
    assert HomeModel(load_w=COURSE_LOAD_W, price_ore_per_kwh=COURSE_PRICES).is_of_course


def test_an_hour_of_charging_is_its_energy_to_the_millisecond():
    _, state = lived(HomeModel(fuse_w=20_000), MS_PER_HOUR + 1)
    assert state.energy_wh == pytest.approx(9_260 + 7_400 * (1 + 1 / MS_PER_HOUR), abs=1e-6)
    assert (state.household_w, state.car_w, state.load_w) == (770, 7_400, 8_170)
    assert not state.is_untouched


def test_the_car_stops_at_its_cap_exactly():
    _, state = lived(HomeModel(cap_soc=0.8), 6 * MS_PER_HOUR)
    assert state.soc == pytest.approx(0.8, abs=1e-12)
    assert (state.car_w, state.load_w, state.is_switched_on) == (0, COURSE_LOAD_W[6], True)


def test_a_full_car_is_full_and_no_more():
    _, state = lived(HomeModel(efficiency=0.9), 2 * MS_PER_DAY)
    assert state.soc == pytest.approx(1.0, abs=1e-12)


def test_a_charger_loses_what_its_efficiency_says():
    _, state = lived(HomeModel(efficiency=0.9), MS_PER_HOUR)
    assert state.energy_wh == pytest.approx(9_260 + 0.9 * 7_400, abs=1e-6)
    assert state.car_w == 7_400


def test_the_charger_keeps_the_fuse_and_pauses_below_six_amperes():
    """At 5 kW the household leaves 4.12 kW at midnight, 1.15 kW from 05:00 (too little), and so on."""
    model = HomeModel(fuse_w=5_000)
    drawn = [lived(model, hour * MS_PER_HOUR)[1].car_w for hour in (0, 1, 4, 5, 17, 23)]
    assert drawn == [4_120, 4_230, 2_250, 0, 0, 4_010]
    _, state = lived(model, 5 * MS_PER_HOUR)
    assert state.energy_wh == pytest.approx(9_260 + 4_120 + 4_230 + 2_800 + 3_020 + 2_250, abs=1e-6)


def test_under_a_fuse_that_leaves_nothing_the_house_waits_for_nothing():
    house, state = lived(HomeModel(fuse_w=1_000), 50_000 * MS_PER_DAY)
    assert (state.soc, state.is_untouched, house.next_wakeup()) == (0.2, True, None)


def test_on_the_engine_or_asked_once_it_is_the_same():
    model = HomeModel(fuse_w=6_000, cap_soc=0.95)
    house, world = House(model, 0), World(0)
    house.switch(0, True)
    world.add(house)
    for hour in range(30):
        world.advance(hour * MS_PER_HOUR + 7)
    assert house.look(world.now) == lived(model, world.now)[1]


def test_a_reset_begins_the_day_and_the_car_anew():
    house, _ = lived(HomeModel(start_soc=0.5), 5 * MS_PER_HOUR + QUARTER)
    house.reset(5 * MS_PER_HOUR + QUARTER)
    state = house.look(5 * MS_PER_HOUR + QUARTER)
    assert (state.hour, state.minute, state.soc, state.is_switched_on, state.is_untouched) == (0, 0, 0.5, False, True)
    house.wake(7 * MS_PER_HOUR)
    assert (house.look(7 * MS_PER_HOUR).hour, house.look(7 * MS_PER_HOUR).minute) == (1, 45)


def test_a_strong_charger_has_three_phases():
    assert lived(HomeModel(power_w=11_000), 0)[1].car_w == 11_000
    assert lived(HomeModel(power_w=11_000, fuse_w=5_000), 0)[1].car_w == 0  # 4.12 kW is less than 3 x 6 A


@pytest.mark.parametrize(
    ("quarters", "hours"),
    [(92, [0, 1, *range(3, 24)]), (96, list(range(24))), (100, [0, 1, 2, 2, *range(3, 24)])],
)
def test_days_on_which_clocks_are_changed(quarters: int, hours: list[int]):
    model = HomeModel(price_ore_per_kwh=tuple(float(i) for i in range(quarters)))
    house = House(model, 0)
    for day_starts in (0, len(hours) * MS_PER_HOUR):
        seen = [house.look(day_starts + i * MS_PER_HOUR) for i in range(len(hours))]
        assert [state.hour for state in seen] == hours
        assert [state.household_w for state in seen] == [COURSE_LOAD_W[hour] for hour in hours]


def test_loads_may_come_by_the_quarter_hour():
    house = House(HomeModel(load_w=tuple(float(i) for i in range(96))), 0)
    assert [house.look(i * QUARTER).household_w for i in (0, 1, 95, 96)] == [0, 1, 95, 0]


def test_hourly_prices_may_be_told_by_the_quarter_hour():
    assert HomeModel(quarter_hours=True).told_prices[:5] == (85.28, 85.28, 85.28, 85.28, 70.86)
    assert len(HomeModel(quarter_hours=True, price_ore_per_kwh=(1.0,) * 92).told_prices) == 92
    assert COURSE.told_prices == COURSE_PRICES


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({"capacity_wh": 0}, "capacity_wh"),
        ({"start_soc": 20}, "start_soc"),
        ({"power_w": 1_379}, "power_w"),
        ({"power_w": "7400"}, "power_w"),
        ({"fuse_w": -1}, "fuse_w"),
        ({"speed": 0}, "speed"),
        ({"price_ore_per_kwh": [1.0] * 22}, "price_ore_per_kwh"),
        ({"price_ore_per_kwh": [1.0] * 23 + ["x"]}, "price_ore_per_kwh[23]"),
        ({"load_w": [1.0] * 92}, "load_w"),
        ({"load_w": [1.0] * 23 + [-1.0]}, "load_w[23]"),
        ({"cap_soc": 0.1}, "cap_soc"),
        ({"battery": 50}, "battery"),
        ([], "home"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_its_field(table: Any, field: str):
    with pytest.raises(InvalidInput) as refusal:
        home_json.model_of(table)
    assert refusal.value.field == field


def test_a_plan_is_the_same_after_json():
    model = HomeModel(fuse_w=16_000, cap_soc=0.8, price_ore_per_kwh=(0.5,) * 100)
    assert home_json.kept(home_json.text_of(BuiltHome(model))) == BuiltHome(model)
