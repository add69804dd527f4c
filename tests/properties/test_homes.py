"""Laws of a house: energy is neither made nor lost, and no limit is ever broken, whatever it is told and when."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE
from voltbench.running.home.day import QUARTERS
from voltbench.running.home.house import House
from voltbench.running.home.model import LEAST_POWER_W, HomeModel

WITHIN_WH = 1e-4


@st.composite
def models(draw: st.DrawFn) -> HomeModel:
    """Homes of all kinds, those among them whose fuse leaves little."""
    quarters = draw(st.sampled_from(QUARTERS))
    slots = draw(st.sampled_from((24, quarters)))
    loads = st.one_of(st.sampled_from((0.0, 3_600.0, 11_000.0)), st.floats(0.0, 12_000.0))
    start = draw(st.one_of(st.sampled_from((0.0, 0.2, 1.0)), st.floats(0.0, 1.0)))
    return HomeModel(
        capacity_wh=draw(st.floats(1_000.0, 150_000.0)),
        start_soc=start,
        cap_soc=draw(st.one_of(st.none(), st.just(start), st.floats(start, 1.0))),
        power_w=draw(
            st.one_of(st.sampled_from((LEAST_POWER_W, 7_400.0, 11_000.0)), st.floats(LEAST_POWER_W, 44_000.0))
        ),
        efficiency=draw(st.sampled_from((1.0, 0.9, 0.5))),
        fuse_w=draw(st.one_of(st.none(), st.sampled_from((5_000.0, 11_000.0)), st.floats(0.0, 30_000.0))),
        load_w=tuple(draw(st.lists(loads, min_size=slots, max_size=slots))),
        price_ore_per_kwh=(1.0,) * quarters,
    )


steps = st.lists(
    st.tuples(
        st.one_of(st.sampled_from((0, 1, 15 * MS_PER_MINUTE, MS_PER_HOUR)), st.integers(0, 30 * MS_PER_HOUR)),
        st.sampled_from(("on", "off", "look")),
    ),
    max_size=12,
)


@given(models(), steps)
def test_no_limit_is_broken_and_what_is_reported_adds_up(model: HomeModel, told: list[tuple[int, str]]):
    house, now, stored_wh = House(model, 0), 0, model.start_soc * model.capacity_wh
    most_wh = (1.0 if model.cap_soc is None else model.cap_soc) * model.capacity_wh
    for wait, what in told:
        now += wait
        house.wake(now)
        if what != "look":
            house.switch(now, what == "on")
        state = house.look(now)
        assert state.load_w == pytest.approx(state.household_w + state.car_w, abs=1e-6)
        assert 0.0 <= state.car_w <= model.power_w + 1e-6
        assert state.car_w == 0.0 or state.is_switched_on
        if model.fuse_w is not None and state.car_w > 0.0:
            assert state.load_w <= model.fuse_w + 1e-6
        assert stored_wh - WITHIN_WH <= state.energy_wh <= most_wh + WITHIN_WH
        assert state.soc == pytest.approx(state.energy_wh / model.capacity_wh, abs=1e-9)
        stored_wh = state.energy_wh


@given(models(), st.integers(1, 40))
def test_the_energy_stored_is_the_power_drawn_over_time(model: HomeModel, hours: int):
    """From wake-up to wake-up power is constant or runs one way, so what is stored lies between its two ends."""
    house, now, ends_at = House(model, 0), 0, hours * MS_PER_HOUR
    house.switch(0, True)
    while now < ends_at:
        house.wake(now)
        before, due = house.look(now), house.next_wakeup()
        later = ends_at if due is None else min(due, ends_at)
        last = house.look(later - 1)
        least_w, most_w = sorted((before.car_w, last.car_w))
        hours_passed = (later - 1 - now) / MS_PER_HOUR * model.efficiency
        gained_wh = last.energy_wh - before.energy_wh
        assert least_w * hours_passed - WITHIN_WH <= gained_wh <= most_w * hours_passed + WITHIN_WH
        now = later


@given(models(), st.lists(st.integers(0, 60 * MS_PER_HOUR), max_size=8))
def test_how_often_it_is_asked_makes_no_difference(model: HomeModel, moments: list[int]):
    often, once, end = House(model, 0), House(model, 0), 60 * MS_PER_HOUR
    for house in (often, once):
        house.switch(0, True)
    for now in sorted(moments):
        often.wake(now)
        often.look(now)
    seen: list[Any] = []
    for house in (often, once):
        house.wake(end)
        seen.append(house.look(end))
    assert seen[0].energy_wh == pytest.approx(seen[1].energy_wh, abs=WITHIN_WH)
    assert seen[0].car_w == pytest.approx(seen[1].car_w, abs=0.01)
