"""A plan as a station follows it: what it has charged in the end is what was planned, in W and in A."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ocpp16 import OnTheBench, an_ac_car
from voltbench.energy.plan import Horizon, PlannedCar, plan
from voltbench.errors import InvalidInput
from voltbench.ocpp.limit_terms import HIGHEST_LEVEL, USUAL, Terms
from voltbench.ocpp.planned_limits import PLAN_LEVEL, below_minimum_wh
from voltbench.ocpp.v16.messages import SetChargingProfile, SetChargingProfileResponse
from voltbench.ocpp.v16.planned_profile import planned_profile
from voltbench.ocpp.v201 import planned_profile as v201
from voltbench.ocpp.v201.messages import SetChargingProfile as SetChargingProfile201
from voltbench.ocpp.wire_types import read
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


def test_a_plan_stands_below_the_limits_of_a_site_and_ends() -> None:
    profile = planned_profile([], 0, 60_000)
    assert profile.stack_level == PLAN_LEVEL == HIGHEST_LEVEL - 1
    assert profile.valid_to == "1970-01-01T00:01:00.000Z", "whoever comes later charges as if there had been none"


@pytest.mark.parametrize(
    ("terms", "power_w", "is_below"),
    [
        (Terms(), 4_140.0, False),
        (Terms(), 4_139.0, True),
        (Terms(phases=1), 1_380.0, False),
        (Terms(phases=1), 1_379.0, True),
        (Terms(in_a=True), 4_140.0, False),
        (Terms(in_a=True), 4_139.0, True),
        (Terms(in_a=True, phases=1, voltage_v=240.0), 1_400.0, True),
        (Terms(in_a=True, phases=1, voltage_v=240.0), 1_440.0, False),
        (Terms(), -4_000.0, False),
        (Terms(), 0.0, False),
    ],
)
def test_less_than_six_amperes_a_phase_are_planned_for_nothing(terms: Terms, power_w: float, is_below: bool) -> None:
    steps = [(0, 7_000.0), (MS_PER_HOUR, power_w), (2 * MS_PER_HOUR, 0.0)]
    assert below_minimum_wh(steps, 9 * MS_PER_HOUR, terms) == (pytest.approx(power_w) if is_below else 0.0)


def test_what_comes_after_a_plan_has_ended_is_no_part_of_it() -> None:
    steps = [(0, 1_000.0), (2 * MS_PER_HOUR, 2_000.0), (3 * MS_PER_HOUR, 0.0)]
    assert below_minimum_wh(steps, MS_PER_HOUR // 2, USUAL) == pytest.approx(500.0)


# --- OCPP 2.0.1 ------------------------------------------------------------------------------------------------------


@cache
def schema_201() -> Any:
    text = (files("ocpp") / "v201" / "schemas" / "SetChargingProfileRequest.json").read_bytes()
    return jsonschema_rs.validator_for(json.loads(text.decode("utf-8-sig")), validate_formats=True)


def asked_201(steps: list[tuple[int, float]], ends_at: int = 60_000, **more: Any) -> dict[str, Any]:
    """What a station of 2.0.1 is asked, as it stands on the wire: the schema takes it, and so do our own messages."""
    asked = v201.planned_profile(steps, 0, ends_at, **{"terms": USUAL} | more)
    text = msgspec.json.encode(asked)
    found: dict[str, Any] = msgspec.json.decode(text)
    schema_201().validate(found)
    assert read(SetChargingProfile201, text) == asked
    return found


def test_a_station_of_2_0_1_is_asked_in_its_own_words() -> None:
    asked = asked_201([(1_500, 5_000.0), (9_000, 0.0)], evse_id=2, transaction_id="tx-1:a")
    assert asked == {
        "evseId": 2,
        "chargingProfile": {
            "id": 1_900_000_001,
            "stackLevel": 89,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Absolute",
            "validTo": "1970-01-01T00:01:00.000Z",
            "chargingSchedule": [
                {
                    "id": 1,
                    "startSchedule": "1970-01-01T00:00:00.000Z",
                    "duration": 60,
                    "chargingRateUnit": "W",
                    "chargingSchedulePeriod": [
                        {"startPeriod": 0, "limit": 0.0},
                        {"startPeriod": 2, "limit": 5_000.0},
                        {"startPeriod": 9, "limit": 0.0},
                    ],
                }
            ],
            "transactionId": "tx-1:a",
        },
    }


def test_whoever_comes_to_any_evse_of_2_0_1_follows_the_plan() -> None:
    asked = asked_201([(0, 7_360.0)], evse_id=0, terms=Terms(in_a=True, highest_level=8, phases=1))
    profile = asked["chargingProfile"]
    assert (asked["evseId"], profile["chargingProfilePurpose"], profile["stackLevel"]) == (0, "TxDefaultProfile", 8)
    assert "transactionId" not in profile
    schedule = profile["chargingSchedule"][0]
    assert schedule["chargingRateUnit"] == "A"
    assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 32.0, "numberPhases": 1}]


@given(
    st.lists(st.tuples(st.integers(-1_000, 8_000), st.integers(-20, 20).map(lambda kw: kw * 500.0)),
             max_size=12, unique_by=lambda step: step[0]).map(sorted),
    st.integers(1_000, 9_000),
)  # fmt: skip
def test_both_versions_allow_the_same(steps: list[tuple[int, float]], ends_at: int) -> None:
    in_16 = planned_profile(steps, 0, ends_at).charging_schedule.charging_schedule_period
    in_201 = asked_201(steps, ends_at)["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"]
    assert [(one["startPeriod"], one["limit"]) for one in in_201] == [(one.start_period, one.limit) for one in in_16]
    assert all(one["limit"] >= 0.0 for one in in_201)


@pytest.mark.parametrize(("periods", "field"), [(1_024, None), (1_025, "plan")])
def test_a_schedule_of_2_0_1_has_a_thousand_periods_at_most(periods: int, field: str | None) -> None:
    steps = [(second * 1_000, float(second % 2) * 1_000.0 + 500.0) for second in range(periods)]
    if field is None:
        asked_201(steps, 2_000_000)
        return
    with pytest.raises(InvalidInput) as refused:
        asked_201(steps, 2_000_000)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"transaction_id": "t" * 37}, "transaction_id"),
        ({"transaction_id": ""}, "transaction_id"),
        ({"transaction_id": "tx 1"}, "transaction_id"),
        ({"transaction_id": "tx-1\n"}, "transaction_id"),
        ({"transaction_id": "tx-1", "evse_id": 0}, "evse_id"),
    ],
)
def test_what_is_no_transaction_of_2_0_1_is_refused(more: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked_201([(0, 5_000.0)], **more)
    assert refused.value.field == field
