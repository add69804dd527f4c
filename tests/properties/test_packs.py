"""Laws of packs that warm and cool: whatever the sampling, the offers and the weather, nothing is lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import MIDNIGHT
from tests.packs import A_NODE, CAPACITY_WH, a_pack, a_warm_session
from voltbench.battery.acceptance import energy_along
from voltbench.battery.thermal import ThermalNode
from voltbench.battery.warming import Heat
from voltbench.quantities import MS_PER_SECOND, POWER_TOLERANCE_W

DEGC = st.sampled_from([-10.0, 0.0, 5.0, 25.0, 35.0, 45.0]) | st.floats(-30.0, 60.0)
OFFERS_W = st.sampled_from([0.0, 3_000.0, 11_000.0, 50_000.0, 300_000.0]) | st.floats(0.0, 300_000.0)
SOC = st.sampled_from([0.0, 0.1, 0.5, 0.8, 0.95]) | st.floats(0.0, 0.99)
KEPT = ThermalNode(
    heat_capacity_j_per_k=450_000.0,
    conductance_w_per_k=20.0,
    cools_above_degc=35.0,
    cooling_w=3_000.0,
    heats_below_degc=5.0,
    heating_w=2_000.0,
)
NODES = st.sampled_from([A_NODE, KEPT, ThermalNode(heat_capacity_j_per_k=450_000.0, conductance_w_per_k=0.0)])


def woken_up_to(session, now):
    """Wake it whenever it asks for it; each wake-up has something to do, and the next one is later."""
    while (due := session.next_wakeup()) is not None and due <= now:
        session.wake(due)
        following = session.next_wakeup()
        assert following is None or following > due


@settings(max_examples=40, deadline=None)
@given(
    degc=DEGC,
    air=DEGC,
    soc=SOC,
    node=NODES,
    soh=st.floats(0.7, 1.0),
    resistance=st.floats(1.0, 2.0),
    halves_k=st.sampled_from([None, 20.0]),
    begins=st.integers(MIDNIGHT, MIDNIGHT + 10_000_000),
    plan=st.lists(st.tuples(st.integers(1, 4_000_000), OFFERS_W), min_size=1, max_size=5),
)
def test_no_wakeup_is_in_vain_and_no_energy_is_lost(degc, air, soc, node, soh, resistance, halves_k, begins, plan):
    drawn = []
    pack = a_pack(thermal=node, halves_k=halves_k)
    session = a_warm_session(
        degc,
        air,
        begins,
        soc=soc,
        wanted_soc=1.0,
        soh=soh,
        resistance=resistance,
        pack=pack,
        emit=lambda *stretch: drawn.append(stretch),
    )
    now, before_wh = begins, 0.0
    for lasts_ms, offer_w in plan:
        session.limit(now, offer_w)
        now += lasts_ms
        woken_up_to(session, now)
        assert session.power_w(now) <= min(offer_w, session.ceiling_w) + POWER_TOLERANCE_W
        assert session.demand_w(now) <= session.ceiling_w + POWER_TOLERANCE_W
        assert before_wh <= session.drawn_wh(now) <= before_wh + offer_w * lasts_ms / 3.6e6 + 1e-3
        before_wh = session.drawn_wh(now)
        assert min(degc, air, 35.0) - 1e-6 <= session.degc(now) <= 400.0
    stored_wh = soc * CAPACITY_WH * soh + session.drawn_wh(now) * session.path.efficiency
    assert session.soc(now) * CAPACITY_WH * soh == pytest.approx(stored_wh, abs=1e-6)
    assert session.soc(now) <= 1.0 + 1e-9
    emitted_wh = sum(wh_of(stretch, end) for stretch, end in zip(drawn, [s[0] for s in drawn[1:]] + [now], strict=True))
    assert emitted_wh == pytest.approx(session.drawn_wh(now), abs=0.05)


def wh_of(stretch, end):
    start, power_w, growth = stretch
    return energy_along(power_w, growth, (end - start) / MS_PER_SECOND)


@settings(max_examples=40, deadline=None)
@given(degc=DEGC, air=DEGC, soc=SOC, offer_w=OFFERS_W, looks=st.lists(st.integers(1, 3_000_000), max_size=8))
def test_looking_at_a_session_changes_nothing(degc, air, soc, offer_w, looks):
    pack = a_pack(halves_k=20.0)
    seen, unseen = (a_warm_session(degc, air, soc=soc, wanted_soc=1.0, pack=pack) for _ in range(2))
    for session in (seen, unseen):
        session.limit(0, offer_w)
    ends_at = max(looks, default=0) + 60_000
    for now in sorted(looks):
        woken_up_to(seen, now)
        for look in (seen.power_w, seen.demand_w, seen.soc, seen.degc, seen.needed_wh, seen.waited_s, seen.peak_w):
            look(now)
    for session in (seen, unseen):
        woken_up_to(session, ends_at)
    assert seen.drawn_wh(ends_at) == pytest.approx(unseen.drawn_wh(ends_at), abs=1e-3)
    assert seen.degc(ends_at) == pytest.approx(unseen.degc(ends_at), abs=1e-6)
    assert seen.waited_s(ends_at) == pytest.approx(unseen.waited_s(ends_at), abs=1e-6)


@settings(deadline=None)
@given(
    node=NODES,
    degc=DEGC,
    air=DEGC,
    power_w=st.sampled_from([0.0, 600.0, 3_600.0]) | st.floats(0.0, 20_000.0),
    growth=st.sampled_from([0.0, -20.0 / 450_000.0]) | st.floats(-2e-3, 5e-4),
    seconds=st.floats(1.0, 7_200.0),
    part=st.floats(0.0, 1.0),
)
def test_two_whiles_warm_as_much_as_one(node, degc, air, power_w, growth, seconds, part):
    heat = Heat(power_w, growth)
    halfway = node.after(degc, air, heat, seconds * part)
    after = node.after(halfway, air, heat.after(seconds * part), seconds * (1.0 - part))
    assert after == pytest.approx(node.after(degc, air, heat, seconds), abs=1e-6)


@settings(deadline=None)
@given(
    node=NODES,
    degc=DEGC,
    air=DEGC,
    power_w=st.floats(0.0, 20_000.0),
    growth=st.sampled_from([0.0]) | st.floats(-2e-3, 5e-4),
    room_k=st.floats(1e-3, 5.0),
)
def test_a_temperature_leaves_a_range_when_it_is_said_to_and_not_before(node, degc, air, power_w, growth, room_k):
    heat, span_s = Heat(power_w, growth), 7_200.0
    found = node.leaves_after(degc, air, heat, (degc - room_k, degc + room_k), span_s)
    for i in range(50):
        at = min(found, span_s) * i / 50
        assert abs(node.after(degc, air, heat, at) - degc) <= room_k + 1e-6
    if found < span_s:
        assert abs(node.after(degc, air, heat, found) - degc) == pytest.approx(room_k, abs=1e-6)
