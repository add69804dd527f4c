"""A plan that is followed already: kept from now on while it serves as well and costs hardly more, else a new one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.local_time import HERE, at
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR
from voltbench.running.planning import CarAsked, LossAsked, PlanAsked, PlanBefore, PlanView, planned
from voltbench.site.peaks import Mean, PeakTariff

START = at("2026-06-10T00:00")
BEFORE = [0.300, 0.101, 0.100, 0.300, 0.300, 0.300]
"""The third hour is the cheapest by a hair; an hour later another one is."""

NOW = [0.1000, 0.1005, 0.3000, 0.0995, 0.3000]


def a_car(id: str = "ada", needed_wh: float = 20_000.0, starts_h: int = 0, **more: Any) -> CarAsked:
    said: dict[str, Any] = {"id": id, "needed_wh": needed_wh, "max_power_w": 10_000.0}
    stays = {"arrives_at_ms": START + starts_h * MS_PER_HOUR, "departs_at_ms": START + 6 * MS_PER_HOUR}
    return CarAsked(**(said | stays | more))


def asked(cars: list[CarAsked], starts_h: int = 0, **more: Any) -> PlanAsked:
    return PlanAsked(starts_at_ms=START + starts_h * MS_PER_HOUR, slot_minutes=60, cars=cars, **more)


def before_of(view: PlanView, hysteresis: float = 0.01) -> PlanBefore:
    steps = {car.id: tuple((step.at_ms, step.power_w) for step in car.steps) for car in view.cars}
    return PlanBefore(view.id, steps, hysteresis)


def first(*cars: CarAsked, prices: list[float] = BEFORE, **more: Any) -> PlanView:
    return planned("plan-1", asked(list(cars) or [a_car()], **more), prices)


def again(
    view: PlanView, *cars: CarAsked, prices: list[float] = NOW, hysteresis: float = 0.01, **more: Any
) -> PlanView:
    """Planned once more an hour later."""
    return planned("plan-2", asked(list(cars) or [a_car()], 1, **more), prices, before=before_of(view, hysteresis))


def used(view: PlanView) -> list[list[float]]:
    return [[round(wh) for wh in car.slot_energy_wh] for car in view.cars]


def test_what_was_planned_is_kept_where_another_plan_is_hardly_cheaper():
    view = first()
    assert used(view) == [[0, 10_000, 10_000, 0, 0, 0]]
    told = again(view)
    assert (used(told), told.kept_from) == ([[10_000, 10_000, 0, 0, 0]], "plan-1")
    assert told.cost == pytest.approx(2.005)
    assert (view.is_exact, told.is_exact) == (True, False), "a new one would cost 1.995"
    dearer = again(view, hysteresis=0.0)
    assert (used(dearer), dearer.kept_from) == ([[10_000, 0, 0, 10_000, 0]], None)
    assert dearer.cost == pytest.approx(1.995)


def test_a_block_that_runs_goes_on():
    view = first(a_car(needed_wh=25_000))
    assert [step.at_ms for step in view.cars[0].steps] == [START + MS_PER_HOUR // 2, START + 3 * MS_PER_HOUR]
    told = again(view, a_car(needed_wh=20_000))
    assert told.kept_from == "plan-1"
    assert [(step.at_ms - START, step.power_w) for step in told.cars[0].steps] == [
        (MS_PER_HOUR, 10_000.0),
        (3 * MS_PER_HOUR, 0.0),
    ]


@pytest.mark.parametrize(("more", "is_kept"), [(1.000, False), (1.004, False), (1.006, True)])
def test_how_much_dearer_it_may_be_is_said(more: float, is_kept: bool):
    """The plan before costs 2.005, the best 1.995: half a hundredth more."""
    assert (again(first(), hysteresis=more - 1.0).kept_from is not None) is is_kept


NO_LONGER: list[dict[str, Any]] = [
    {"needed_wh": 20_100.0},
    {"needed_wh": 19_900.0},
    {"max_power_w": 9_000.0},
    {"departs_at_ms": START + 2 * MS_PER_HOUR},
    {"arrives_at_ms": START + 2 * MS_PER_HOUR},
    {"extra_wh": 5_000.0},
]


@pytest.mark.parametrize("change", NO_LONGER, ids=lambda change: next(iter(change)))
def test_a_car_that_is_another_one_now_is_planned_anew(change: dict[str, Any]):
    assert again(first(), a_car(**change), hysteresis=1.0).kept_from is None


def test_within_a_watt_hour_it_needs_as_much():
    told = again(first(), a_car(needed_wh=20_000.6), hysteresis=1.0)
    assert (told.kept_from, told.shortfall_wh) == ("plan-1", 0.0)


@pytest.mark.parametrize(
    "limits",
    [
        {"site_limit_w": [10_000.0], "load_w": [0.0, 100.0]},
        {"site_limit_w": 9_999.0},
        {"circuits_w": {"yard": [10_000.0, 9_999.0]}},
    ],
    ids=["load", "site", "circuit"],
)
def test_what_would_break_a_limit_is_not_kept(limits: dict[str, Any]):
    if isinstance(limits.get("site_limit_w"), list):
        limits = limits | {"site_limit_w": 10_000.0}
    yard: dict[str, Any] = {"circuit": "yard"} if "circuits_w" in limits else {}
    inside: dict[str, Any] = {"circuits_w": {"yard": 10_000.0}} if yard else {}
    view = first(a_car(**yard), **inside)
    assert again(view, a_car(**yard), hysteresis=1.0, **limits).kept_from is None
    wide: dict[str, Any] = {
        name: {"yard": 10_000.0} if name == "circuits_w" else 10_000.0 for name in limits if name != "load_w"
    }
    assert again(view, a_car(**yard), hysteresis=1.0, **wide).kept_from == "plan-1"


def test_a_minimum_power_and_one_go_are_kept_too():
    view = first(a_car(needed_wh=12_000), site_limit_w=6_000.0)
    assert again(view, a_car(needed_wh=12_000, min_power_w=6_500.0), hysteresis=1.0).kept_from is None
    apart = first(prices=[0.3, 0.1, 0.3, 0.1, 0.3, 0.3])
    assert used(apart) == [[0, 10_000, 0, 10_000, 0, 0]]
    assert again(apart, hysteresis=2.0).kept_from == "plan-1"
    assert again(apart, a_car(in_one_go=True), hysteresis=2.0).kept_from is None


def test_a_fleet_keeps_its_plan_below_its_limit_and_who_comes_is_planned_beside_it():
    pair = [a_car("ada", 10_000), a_car("bob", 10_000)]
    view = first(*pair, site_limit_w=10_000.0)
    assert sorted(used(view)) == [[0, 0, 10_000, 0, 0, 0], [0, 10_000, 0, 0, 0, 0]]
    told = again(view, *pair, site_limit_w=10_000.0)
    assert (sorted(used(told)), told.kept_from) == ([[0, 10_000, 0, 0, 0], [10_000, 0, 0, 0, 0]], "plan-1")
    third = a_car("cleo", 5_000, starts_h=1)
    more = again(view, pair[1], third, pair[0], site_limit_w=10_000.0, hysteresis=0.05)
    assert more.kept_from == "plan-1"
    assert [car.id for car in more.cars] == ["bob", "cleo", "ada"]
    assert used(more)[1] == [0, 0, 0, 5_000, 0], "the cheap hours are taken"
    alone = again(view, pair[1], hysteresis=0.05)
    assert alone.kept_from == "plan-1", "who has gone is missed by nobody"


def test_nothing_is_kept_that_leaves_more_lacking():
    """The site had half the power that it has now: then something had to be lacking, now nothing has."""
    view = first(a_car(needed_wh=40_000), site_limit_w=5_000.0)
    assert view.shortfall_wh == pytest.approx(10_000.0)
    now = a_car(needed_wh=35_000)
    same = again(view, now, site_limit_w=5_000.0, hysteresis=1.0)
    assert same.kept_from == "plan-1"
    assert same.shortfall_wh == pytest.approx(10_000.0)
    assert [(one.limit, one.ends_at_ms - one.begins_at_ms) for one in same.cars[0].hindrances] == [
        ("site", 5 * MS_PER_HOUR)
    ]
    assert again(view, now, site_limit_w=10_000.0, hysteresis=1.0).kept_from is None


def test_what_the_charger_loses_counts_in_what_is_kept():
    losses = [LossAsked(given_w=2_000, drawn_w=2_500), LossAsked(given_w=8_000, drawn_w=9_000)]
    view = first(a_car(needed_wh=16_000, losses=losses), prices=[0.3, 0.1, 0.1, 0.9, 0.9, 0.9])
    told = again(view, a_car(needed_wh=16_000, losses=losses), prices=[0.1, 0.1, 0.9, 0.9, 0.9])
    assert told.kept_from == "plan-1"
    assert (told.energy_wh, told.cost) == pytest.approx((16_000.0, view.cost))


def test_what_is_kept_is_exact_where_a_new_plan_would_be_the_same():
    view = first()
    same = again(view, prices=BEFORE[1:])
    assert (same.kept_from, same.is_exact) == ("plan-1", True)


def test_a_peak_of_the_month_counts_in_what_is_kept():
    """Both cost 0.10 a kWh; but since the month has seen 5 kW of each of three days, 10 kW cost more than 4 do."""
    seen = [Mean(at(f"2026-06-0{day}T07:00"), 5_000.0) for day in (2, 3, 4)]
    view = first(prices=[0.3, 0.1, 0.1, 0.3, 0.3, 0.3])
    ask, flat = asked([a_car()], 1), [0.1] * 5
    free = planned("plan-2", ask, flat, before=before_of(view))
    billed = planned("plan-2", ask, flat, PeakTariff(HERE, 60.0, 3), seen, before=before_of(view))
    assert (free.kept_from, billed.kept_from) == ("plan-1", None)
    assert billed.peak_charge == pytest.approx(0.0, abs=0.1)
    dear = planned("plan-2", ask, flat, PeakTariff(HERE, 60.0, 3), seen, before=before_of(view, 100.0))
    assert dear.kept_from == "plan-1"
    assert dear.peak_charge == pytest.approx(20.0 * 5.0)
    assert not dear.is_exact


def test_a_place_as_a_whole_has_no_plan_to_keep():
    with pytest.raises(InvalidInput) as refused:
        again(first(), generation_w=1_000.0)
    assert (refused.value.field, "generation_w" in refused.value.allowed) == ("plan_before", True)


@given(
    st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6),
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), min_size=1, max_size=4),
    st.integers(4, 16),
    st.integers(0, 5),
)
def test_what_is_asked_again_as_it_was_is_planned_as_it_was(
    prices: list[float], needs: list[tuple[int, int]], site_kw: int, hour: int
):
    """Whatever has been charged by then is needed no more; nobody waits for another hour than before."""

    def cars(had_wh: list[float], starts_at: int) -> list[CarAsked]:
        return [
            CarAsked(id=f"car-{i}", arrives_at_ms=START, departs_at_ms=max(starts_at + 1, START + hours * MS_PER_HOUR),
                     needed_wh=max(0.0, kwh * 1e3 - had), max_power_w=7_000.0)
            for i, ((kwh, hours), had) in enumerate(zip(needs, had_wh, strict=True))
        ]  # fmt: skip

    view = first(*cars([0.0] * len(needs), START), prices=prices, site_limit_w=site_kw * 1e3)
    had_wh = [sum(car.slot_energy_wh[:hour]) for car in view.cars]
    later = asked(cars(had_wh, START + hour * MS_PER_HOUR), hour, site_limit_w=site_kw * 1e3)
    told = planned("plan-2", later, prices[hour:], before=before_of(view))
    assert told.kept_from == "plan-1"
    assert not told.is_exact or told.cost <= planned("plan-3", later, prices[hour:]).cost + 1e-4
    for earlier, now in zip(view.cars, told.cars, strict=True):
        assert now.slot_energy_wh == pytest.approx(earlier.slot_energy_wh[hour:], abs=0.1)
