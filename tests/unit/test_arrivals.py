"""Made-up arrivals: repeatable, in the shape that is known, and every purpose with chances of its own."""

from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import MIDNIGHT, a_vehicle_model
from voltbench.charging.vehicle import OnboardCharger
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR
from voltbench.running import arrivals
from voltbench.running.arrivals import PATTERNS, visits

CAR = a_vehicle_model("car", ac=OnboardCharger(3, 16.0))
VAN = a_vehicle_model("van", capacity_wh=110_000.0, peak_w=110_000.0, ac=OnboardCharger(3, 16.0))
MIX = [(CAR, 3.0), (VAN, 1.0)]
SATURDAY = MIDNIGHT + 5 * MS_PER_DAY

patterns = st.sampled_from(sorted(PATTERNS))
seeds = st.integers(0, 2**32)


def hour_of_day(visit, utc_offset_ms=0):
    return (visit.arrives_at + utc_offset_ms) % MS_PER_DAY // MS_PER_HOUR


def hours(pattern, start=MIDNIGHT, days=1.0, **more):
    """How many of very many visits arrive in each hour of the day."""
    return Counter(hour_of_day(v) for v in visits(pattern, 4_000, days, start, MIX, 1, **more))


# --- chance ----------------------------------------------------------------------------------------------------------


@given(patterns, seeds)
def test_the_same_seed_brings_the_same_visits(pattern, seed):
    assert visits(pattern, 20, 1, MIDNIGHT, MIX, seed) == visits(pattern, 20, 1, MIDNIGHT, MIX, seed)


def test_another_seed_brings_others():
    assert visits("home", 20, 1, MIDNIGHT, MIX, 1) != visits("home", 20, 1, MIDNIGHT, MIX, 2)


@given(patterns, seeds, st.floats(0.1, 3.0), st.floats(0.0, 3.0))
def test_a_longer_story_begins_like_a_shorter_one(pattern, seed, days, more):
    short = visits(pattern, 15, days, MIDNIGHT, MIX, seed)
    assert visits(pattern, 15, days + more, MIDNIGHT, MIX, seed)[: len(short)] == short


@given(patterns, seeds, st.integers(1, 30))
def test_who_looks_later_sees_the_same_visits_from_then_on(pattern, seed, later_h):
    later = MIDNIGHT + later_h * MS_PER_HOUR
    seen = visits(pattern, 15, 2 - later_h / 24, later, MIX, seed)
    assert seen == [v for v in visits(pattern, 15, 2, MIDNIGHT, MIX, seed) if v.arrives_at >= later]


@given(patterns, seeds)
def test_other_vehicles_come_at_the_same_times_in_the_same_state(pattern, seed):
    some, others = (visits(pattern, 20, 1, MIDNIGHT, mix, seed) for mix in (MIX, [(VAN, 1.0)]))
    assert [(v.arrives_at, v.departs_at, v.vehicle.soc) for v in some] == [
        (v.arrives_at, v.departs_at, v.vehicle.soc) for v in others
    ]


@given(patterns, seeds)
def test_more_patience_changes_nothing_else(pattern, seed):
    calm, hasty = (visits(pattern, 20, 1, MIDNIGHT, MIX, seed, patience_min=p) for p in (30, 0))
    assert [(v.arrives_at, v.vehicle, v.asked_wh) for v in calm] == [
        (v.arrives_at, v.vehicle, v.asked_wh) for v in hasty
    ]


def test_every_purpose_of_every_day_draws_from_a_stream_of_its_own(monkeypatch):
    asked = []

    def stream(*names):
        asked.append(names)
        return np.random.default_rng(0)

    monkeypatch.setattr(arrivals, "stream", stream)
    visits("highway", 20, 2, MIDNIGHT, MIX, 1)
    assert len(asked) == len(set(asked)) == 7 * 2
    assert {names[:3] for names in asked} == {(1, "arrivals", "highway")}


def test_the_order_in_which_a_mix_is_written_does_not_matter():
    assert visits("home", 50, 1, MIDNIGHT, MIX, 1) == visits("home", 50, 1, MIDNIGHT, MIX[::-1], 1)


# --- what comes ------------------------------------------------------------------------------------------------------


def test_work_begins_at_eight():
    assert hours("workplace").most_common(1)[0][0] == 8


def test_work_begins_at_eight_by_the_clocks_of_the_place():
    cars = visits("workplace", 4_000, 1, MIDNIGHT, MIX, 1, utc_offset_ms=2 * MS_PER_HOUR)
    assert Counter(map(hour_of_day, cars)).most_common(1)[0][0] == 6


def test_people_come_home_in_the_late_afternoon_and_leave_in_the_morning():
    cars = visits("home", 1_000, 1, MIDNIGHT, MIX, 1)
    assert Counter(map(hour_of_day, cars)).most_common(1)[0][0] in (17, 18)
    evening = [v for v in cars if hour_of_day(v) >= 16]
    assert all(5 * MS_PER_HOUR <= v.departs_at % MS_PER_DAY <= 12 * MS_PER_HOUR for v in evening)
    assert all(v.departs_at > MIDNIGHT + MS_PER_DAY for v in evening)


def test_hardly_anybody_works_on_a_saturday():
    assert sum(hours("workplace", SATURDAY).values()) < 0.15 * sum(hours("workplace").values())


def test_on_average_as_many_come_as_are_said_to():
    weekdays = [visits("public", 100, 5, MIDNIGHT, MIX, seed) for seed in range(20)]
    assert sum(map(len, weekdays)) == pytest.approx(100 * 5 * 20, abs=4 * (100 * 5 * 20) ** 0.5)


def test_vehicles_come_by_their_weights():
    cars = visits("public", 4_000, 1, MIDNIGHT, MIX, 1)
    assert sum(v.vehicle.model is CAR for v in cars) / len(cars) == pytest.approx(0.75, abs=0.03)


@given(patterns, seeds, st.floats(0.0, 60.0), st.floats(0.0, 3.0), st.integers(0, 10**9), st.booleans())
def test_every_visit_makes_sense(pattern, seed, per_day, days, after_ms, dc):
    start = MIDNIGHT + after_ms
    cars = visits(pattern, per_day, days, start, MIX, seed, dc=dc)
    assert [v.arrives_at for v in cars] == sorted(v.arrives_at for v in cars)
    assert len({v.id for v in cars}) == len(cars)
    for v in cars:
        assert start <= v.arrives_at < start + days * MS_PER_DAY + 1
        assert v.arrives_at + v.patience_ms < v.departs_at
        onboard = 1.0 if dc else 0.9
        assert 0.0 < v.asked_wh <= (1.0 - v.vehicle.soc) * v.vehicle.model.usable_capacity_wh / onboard + 1e-6


def test_fast_chargers_are_left_when_done_and_slow_ones_are_not():
    leaves = {
        (pattern, dc): {v.leaves_satisfied for v in visits(pattern, 50, 1, MIDNIGHT, MIX, 1, dc=dc)}
        for pattern in PATTERNS
        for dc in (True, False)
    }
    assert {key for key, left in leaves.items() if left == {True}} == {("highway", True), ("public", True)}


def test_a_car_without_a_fast_inlet_stays_on_a_street_that_has_fast_chargers():
    slow = msgspec.structs.replace(CAR, inlets=("cType2",))
    assert {v.leaves_satisfied for v in visits("public", 50, 1, MIDNIGHT, [(slow, 1.0)], 1)} == {False}


@pytest.mark.parametrize("pattern", [*PATTERNS.values(), arrivals.PUBLIC_AC], ids=lambda p: f"{p.name}-{p.on_dc}")
def test_the_tables_are_distributions(pattern):
    for rates in (pattern.weekday, pattern.weekend):
        assert len(rates) == 24
        assert min(rates) >= 0
    spreads = [
        pattern.soc,
        pattern.target_soc,
        pattern.asked_wh,
        pattern.stay_h,
        pattern.leaves_h,
        pattern.patience_min,
    ]
    for spread in filter(None, spreads):
        assert (spread.percent[0], spread.percent[-1]) == (0, 100)
        assert list(spread.percent) == sorted(set(spread.percent))
        assert list(spread.edges) == sorted(spread.edges)
    if pattern.target_soc is not None:
        assert pattern.soc.edges[-1] <= pattern.target_soc.edges[0] + 1e-9


# --- what cannot be ---------------------------------------------------------------------------------------------------

GOOD = {"pattern": "home", "per_day": 5.0, "days": 1.0, "start": MIDNIGHT, "mix": MIX, "seed": 1}


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("pattern", "moon"),
        ("per_day", -1.0),
        ("per_day", float("nan")),
        ("per_day", 1e9),
        ("days", float("inf")),
        ("patience_min", -5.0),
        ("mix", []),
        ("mix", [(CAR, 0.0)]),
        ("mix", [(CAR, -1.0), (VAN, 2.0)]),
    ],
)
def test_what_cannot_be_is_refused_by_name(field, found):
    with pytest.raises(InvalidInput) as refusal:
        visits(**GOOD | {field: found})
    assert refusal.value.field == field


def test_a_patience_that_is_said_is_everybodys():
    cars = visits("highway", 50, 1, MIDNIGHT, MIX, 1, patience_min=12)
    assert {v.patience_ms for v in cars} == {12 * 60_000}
