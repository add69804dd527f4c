"""Laws of charging along a curve: closed form, whatever the sampling."""

from __future__ import annotations

from math import e

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltbench.battery.acceptance import AcceptanceCurve
from voltbench.battery.pack import Pack, charge

CAPACITY_WH = 60_000.0
CORNERS_W = st.sampled_from([4_000.0, 50_000.0, 100_000.0, 150_000.0]) | st.floats(1_000.0, 250_000.0)


@st.composite
def curves(draw: st.DrawFn) -> AcceptanceCurve:
    """Curves with flat, rising and falling pieces; some end at nothing."""
    inner = draw(st.lists(st.integers(1, 19), unique=True, max_size=5))
    soc = [0.0, *(i / 20 for i in sorted(inner)), 1.0]
    power_w = [draw(CORNERS_W) for _ in soc]
    if draw(st.booleans()):
        power_w[-1] = 0.0
    return AcceptanceCurve(CAPACITY_WH, soc, power_w)


SOC = st.sampled_from([0.0, 0.05, 0.5, 0.8, 0.99, 1.0]) | st.floats(0.0, 1.0)
SECONDS = st.sampled_from([0.0, 1.0, 600.0, 7_200.0]) | st.floats(0.0, 10_000.0)


@given(curve=curves(), soc=SOC, offered_w=CORNERS_W, seconds=SECONDS, part=st.floats(0.0, 1.0))
def test_two_whiles_are_as_long_as_one(
    curve: AcceptanceCurve, soc: float, offered_w: float, seconds: float, part: float
) -> None:
    pack = Pack(curve, soc * CAPACITY_WH)
    at_once, drawn_wh = charge(pack, offered_w, seconds)
    first, first_wh = charge(pack, offered_w, seconds * part)
    second, second_wh = charge(first, offered_w, seconds * (1.0 - part))
    assert second.energy_wh == pytest.approx(at_once.energy_wh, abs=1e-5)
    assert first_wh + second_wh == pytest.approx(drawn_wh, abs=1e-5)


@given(curve=curves(), soc=SOC, offered_w=CORNERS_W, seconds=SECONDS)
def test_the_closed_form_is_what_small_steps_come_to(
    curve: AcceptanceCurve, soc: float, offered_w: float, seconds: float
) -> None:
    after, _ = charge(Pack(curve, soc * CAPACITY_WH), offered_w, seconds)
    stepped_wh = soc * CAPACITY_WH
    for hours in np.full(500, seconds / 500 / 3_600.0):
        half_wh = stepped_wh + min(offered_w, curve.power_at(stepped_wh)) * hours / 2
        stepped_wh = min(stepped_wh + min(offered_w, curve.power_at(half_wh)) * hours, CAPACITY_WH)
    assert after.energy_wh == pytest.approx(stepped_wh, rel=2e-3, abs=5.0)


@given(curve=curves(), soc=SOC, offered_w=CORNERS_W, seconds=SECONDS, more_wh=st.floats(0.0, 80_000.0))
def test_a_pack_takes_what_it_is_offered_and_accepts_and_stops_at_its_target(
    curve: AcceptanceCurve, soc: float, offered_w: float, seconds: float, more_wh: float
) -> None:
    pack = Pack(curve, soc * CAPACITY_WH)
    after, drawn_wh = charge(pack, offered_w, seconds, target_wh=pack.energy_wh + more_wh)
    assert pack.energy_wh <= after.energy_wh <= min(CAPACITY_WH, pack.energy_wh + more_wh) + 1e-6
    assert drawn_wh <= min(offered_w, curve.peak_w) * seconds / 3_600.0 + 1e-6


def test_the_last_fifth_of_a_two_stage_battery_decays_exponentially() -> None:
    curve = AcceptanceCurve.linear_two_stage(40_000.0, 6_600.0)
    time_constant_s = 0.2 * 40_000.0 / 6_600.0 * 3_600.0
    after, _ = charge(Pack(curve, 32_000.0), 6_600.0, time_constant_s)
    assert 1.0 - after.soc == pytest.approx(0.2 / e, rel=1e-12)
