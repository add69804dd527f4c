"""A plan as a station follows it: what it has charged in the end is what was planned, in W and in A."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ocpp16 import OnTheBench, an_ac_car
from voltbench.energy.plan import Horizon, PlannedCar, plan
from voltbench.errors import InvalidInput
from voltbench.ocpp.v16.csms_profiles import Terms
from voltbench.ocpp.v16.messages import SetChargingProfile, SetChargingProfileResponse
from voltbench.ocpp.v16.planned_profile import planned_profile
from voltbench.quantities import MS_PER_HOUR

PRICES = (0.5, 0.2, 0.1, 0.5)


def planned_from(now: int) -> tuple[Horizon, tuple[tuple[int, float], ...]]:
    horizon = Horizon(tuple(now + i * MS_PER_HOUR for i in range(5)), PRICES, (1e6,) * 4)
    car = PlannedCar("ada", now, now + 4 * MS_PER_HOUR, 9_000.0, 6_900.0)
    return horizon, plan(horizon, [car]).schedules[0].steps


@pytest.mark.parametrize("terms", [Terms(), Terms(in_a=True)], ids=["in W", "in A"])
def test_a_station_follows_a_plan(terms: Terms) -> None:
    bench = OnTheBench()
    bench.plug_in(an_ac_car())
    bench.present("ADA")
    horizon, steps = planned_from(bench.now)
    profile = planned_profile(steps, horizon.edges[0], horizon.edges[-1], terms=terms, transaction_id=1001)
    asked = SetChargingProfile(connector_id=1, cs_charging_profiles=profile)
    assert bench.ask(asked, SetChargingProfileResponse).status == "Accepted"
    feed = bench.station.life.evses[0].feed
    begun_wh, told = feed.energy_wh(bench.now), []
    for _ in range(4):
        before_wh = feed.energy_wh(bench.now)
        bench.advance(3_600)
        told.append(feed.energy_wh(bench.now) - before_wh)
    assert told == pytest.approx([0.0, 2_100.0, 6_900.0, 0.0], abs=3.0)
    assert feed.energy_wh(bench.now) - begun_wh == pytest.approx(9_000.0, abs=6.0)


def test_a_step_within_a_second_never_allows_more_than_planned() -> None:
    profile = planned_profile([(1_500, 5_000.0), (2_500, 2_000.0), (9_900, 0.0)], 0, 60_000)
    periods = [(p.start_period, p.limit) for p in profile.charging_schedule.charging_schedule_period]
    assert periods == [(0, 0.0), (2, 2_000.0), (9, 0.0)]


@pytest.mark.parametrize("last_w", [0.0, 3_000.0])
def test_what_is_raised_and_lowered_within_a_second_is_lowered_in_the_end(last_w: float) -> None:
    assert limits([(500, 7_400.0), (900, last_w)], 60_000) == [0.0] + [last_w] * 59


@given(
    st.lists(
        st.tuples(st.integers(-1_000, 8_000), st.integers(-20, 20).map(lambda kw: kw * 500.0)),
        max_size=12,
        unique_by=lambda step: step[0],
    ).map(sorted),
    st.integers(1_000, 9_000),
)
def test_in_every_second_a_profile_allows_the_least_that_is_planned_in_it(
    steps: list[tuple[int, float]], ends_at: int
) -> None:
    def planned_w(at: int) -> float:
        return max(0.0, next((power_w for since, power_w in reversed(steps) if since <= at), 0.0))

    for second, limit_w in enumerate(limits(steps, ends_at)):
        begins, ends = second * 1_000, second * 1_000 + 1_000
        changes = [since for since, _ in steps if begins < since < ends]
        assert limit_w == min(planned_w(at) for at in [begins, *changes])


def limits(steps: list[tuple[int, float]], ends_at: int) -> list[float]:
    """The limit in each second of the profile."""
    schedule = planned_profile(steps, 0, ends_at).charging_schedule
    told = {period.start_period: period.limit for period in schedule.charging_schedule_period}
    assert isinstance(schedule.duration, int)
    assert all(second < schedule.duration for second in told)
    return [told[max(second for second in told if second <= at)] for at in range(schedule.duration)]


def test_a_station_that_takes_fewer_periods_is_not_sent_more() -> None:
    with pytest.raises(InvalidInput) as refused:
        planned_profile([(1_000, 5_000.0), (2_000, 0.0)], 0, 60_000, most_periods=2)
    assert refused.value.field == "plan"
