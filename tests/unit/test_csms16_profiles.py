"""What the energy manager wants of a station, in the words that the station takes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import MIDNIGHT
from voltbench.ocpp.limit_terms import USUAL, Terms
from voltbench.ocpp.v16.csms_profiles import failsafe_profile, held_by, power_profile, terms_told
from voltbench.running.steering import SetFailsafe, SetPower


def a_power(power_w: float) -> SetPower:
    return SetPower("CP1", 2, "7", power_w, MIDNIGHT, MIDNIGHT + 60_000)


@pytest.mark.parametrize(
    ("units", "level", "in_a", "highest"),
    [
        ("Current", "3", True, 3),
        ("Current,Power", "100", False, 90),
        ("Power", "0", False, 0),
        (" current ", " 8 ", True, 8),
        ("A", "", True, 90),
        ("W,A", "-1", False, 90),
        ("", "many", False, 90),
        (None, None, False, 90),
    ],
)
def test_a_station_says_how_it_takes_limits(units, level, in_a, highest):
    assert terms_told(units, level, 230.0, 3) == Terms(in_a, highest, 230.0, 3)


@pytest.mark.parametrize(
    ("power_w", "phases", "limit", "number_phases"),
    [(11_040.0, 3, 16.0, None), (11_039.0, 3, 15.9, None), (7_360.0, 1, 32.0, 1), (0.0, 3, 0.0, None)],
)
def test_a_limit_in_a_holds_on_each_phase(power_w, phases, limit, number_phases):
    terms = Terms(in_a=True, highest_level=3, phases=phases)
    for profile in (power_profile(a_power(power_w), terms), failsafe_profile(SetFailsafe("CP1", power_w), terms)):
        sent = msgspec.to_builtins(profile.cs_charging_profiles)
        assert sent["stackLevel"] <= 3
        assert sent["chargingSchedule"]["chargingRateUnit"] == "A"
        (period,) = sent["chargingSchedule"]["chargingSchedulePeriod"]
        assert (period["limit"], period.get("numberPhases")) == (limit, number_phases)


@given(st.floats(0, 400_000), st.sampled_from([1, 2, 3]), st.booleans())
def test_what_is_told_is_never_more_than_what_is_wanted_and_is_read_back_after_a_restart(power_w, phases, in_a):
    told = power_profile(a_power(power_w), Terms(in_a, phases=phases)).cs_charging_profiles
    held = held_by(told, "7", MIDNIGHT + 1_000)
    assert held is not None
    assert held.until == MIDNIGHT + 61_000, "it has begun by then, whatever the station's clock says"
    assert power_w - 0.1 * 230.0 * phases - 1e-3 <= held.power_w <= power_w + 1e-3
    assert held_by(told, "8", MIDNIGHT) is None
    failsafe = failsafe_profile(SetFailsafe("CP1", power_w), USUAL).cs_charging_profiles
    assert held_by(failsafe, "7", MIDNIGHT) is None
