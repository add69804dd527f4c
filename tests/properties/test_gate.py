"""Laws of the gate: what stations are told they can carry out, and what is left over serves nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worlds import situations
from voltbench.energy.allocate import STRATEGIES, Situation
from voltbench.energy.claim import room_after
from voltbench.energy.gate import Gate

TOLERANCE = 1e-5
GATED_SITE = st.one_of(
    situations(gated=True), situations(phases=True, gated=True), situations(phases=True, lines=True, gated=True)
)


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(s=GATED_SITE)
def test_every_power_can_be_set_and_every_limit_is_kept(strategy: str, s: Situation) -> None:
    powers, _ = Gate().shares(s, STRATEGIES[strategy])
    assert room_after(s.bounds, s.claims, powers).excess()[0] <= TOLERANCE
    for claim, power in zip(s.claims, powers, strict=True):
        assert power == 0.0 or power >= claim.minimum_w - TOLERANCE
        if claim.step_w:
            steps = power / claim.step_w
            assert abs(steps - round(steps)) < 1e-6


@pytest.mark.parametrize("strategy", sorted(set(STRATEGIES) - {"equal"}))
@given(s=GATED_SITE)
def test_no_raise_that_a_station_could_carry_out_is_left(strategy: str, s: Situation) -> None:
    powers, _ = Gate().shares(s, STRATEGIES[strategy])
    room = room_after(s.bounds, s.claims, powers)
    for claim, power, demand in zip(s.claims, powers, s.demand_w, strict=True):
        smallest_raise = max(claim.minimum_w, 1.0) if power == 0.0 else max(claim.step_w, 1.0)
        if power + smallest_raise <= demand - TOLERANCE:
            assert room.headroom(claim, smallest_raise)[0] < smallest_raise + TOLERANCE
